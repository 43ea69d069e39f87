"""The two QR engines behind one shape: a grey frame in, the codes found in it out (step 1 of the line).

zxing-cpp reads more and is ten times faster; pyzbar reads some of what a thumb or glare spoils. Which is asked when is
for `hardware.qr_cascade` to say. Nothing here knows what a payload means.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hardware.errors import DriverMissing

Grey: TypeAlias = NDArray[np.uint8]
"""Shape: (height, width), 0 black."""


@dataclass(frozen=True, slots=True)
class Code:
    """One QR code in a frame; the payload is kept out of `repr` since it may hold a token."""

    payload: bytes = field(repr=False)
    corners: tuple[tuple[float, float], ...]
    """Pixels of the frame, (x, y), around the code."""

    def lies_on(self, other: "Code") -> bool:
        """Whether the upright boxes around both share more than half of what they cover together."""
        left, top, right, bottom = self.box()
        other_left, other_top, other_right, other_bottom = other.box()
        across = min(right, other_right) - max(left, other_left)
        down = min(bottom, other_bottom) - max(top, other_top)
        shared = max(0.0, across) * max(0.0, down)
        both = (right - left) * (bottom - top) + (other_right - other_left) * (other_bottom - other_top)
        return shared > 0.5 * (both - shared)

    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the upright box around it."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def moved(self, scale: float, offset: tuple[float, float]) -> "Code":
        """The same code where it lies in the whole frame, found in a part enlarged by `scale` at `offset`."""
        return Code(self.payload, tuple((x / scale + offset[0], y / scale + offset[1]) for x, y in self.corners))


Engine: TypeAlias = Callable[[Grey], list[Code]]


def load_engines() -> None:
    """Import both engines. Raises: DriverMissing naming what to install."""
    try:
        import zxingcpp  # noqa: F401
    except ImportError as error:
        raise DriverMissing("zxing-cpp", "install the kiosk extra: pip install 'tadaima[kiosk]'") from error
    try:
        import pyzbar.pyzbar  # noqa: F401
    except ImportError as error:
        raise DriverMissing("pyzbar", "install the kiosk extra and Debian's libzbar0") from error


def read_with_zxing(grey: Grey) -> list[Code]:
    """Every full-size QR code that zxing-cpp reads, dark on light or light on dark."""
    import zxingcpp

    # `QRCode` would also take Micro QR and rMQR, as which a blurred card can be misread.
    found = zxingcpp.read_barcodes(
        grey,
        formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCodeModel2),
        text_mode=zxingcpp.TextMode.Plain,
        try_invert=True,
    )
    return [Code(bytes(code.bytes), _zxing_corners(code.position)) for code in found]


def read_with_pyzbar(grey: Grey) -> list[Code]:
    """Every QR code that zbar reads; none when the frame holds a structured-append code, on which pyzbar raises."""
    from pyzbar import pyzbar

    try:
        found = pyzbar.decode(grey, symbols=[pyzbar.ZBarSymbol.QRCODE])
    except ValueError:
        return []
    return [Code(bytes(code.data), _pyzbar_corners(code)) for code in found]


def merge(*finds: Iterable[Code]) -> list[Code]:
    """All codes, those of the earlier finds kept where two hold the same payload or lie at the same place.

    The same place matters because engines give a kanji-mode code in different encodings; a code printed inside a
    larger one is at another place.
    """
    kept: list[Code] = []
    for find in finds:
        for code in find:
            if not any(code.payload == other.payload or code.lies_on(other) for other in kept):
                kept.append(code)
    return kept


def _zxing_corners(position: Any) -> tuple[tuple[float, float], ...]:
    around = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    return tuple((float(point.x), float(point.y)) for point in around)


def _pyzbar_corners(code: Any) -> tuple[tuple[float, float], ...]:
    if code.polygon:
        return tuple((float(point.x), float(point.y)) for point in code.polygon)
    left, top, width, height = code.rect
    return ((left, top), (left + width, top), (left + width, top + height), (left, top + height))
