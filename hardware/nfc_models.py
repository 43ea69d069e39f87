"""NFC readers on USB by their ids: which driver takes each, and what stands in its way; read from /sys."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

USB_DEVICES = Path("/sys/bus/usb/devices")


class Route(Enum):
    """Who drives a reader."""

    NFCPY = auto()
    PCSC = auto()


@dataclass(frozen=True, slots=True)
class Model:
    """A reader that Tadaima knows."""

    vendor: int
    product: int
    name: str
    route: Route
    pcsc_prefix: str = ""
    """How pcscd's name of it begins."""

    @property
    def nfcpy_path(self) -> str:
        """Where nfcpy finds it."""
        return f"usb:{self.vendor:04x}:{self.product:04x}"


MODELS = (
    # Source: nfcpy's usb_device_map (nfc/clf/device.py); pcscd's driver libccid does not know them.
    Model(0x054C, 0x06C1, "Sony RC-S380/S", Route.NFCPY),
    Model(0x054C, 0x06C3, "Sony RC-S380/P", Route.NFCPY),
    Model(0x054C, 0x02E1, "Sony RC-S330", Route.NFCPY),
    Model(0x04CC, 0x2533, "NXP PN533", Route.NFCPY),
    Model(0x04E6, 0x5591, "SCM SCL3711", Route.NFCPY),
    # Source: libccid's supported_readers.txt and Info.plist, with the names; nfcpy does not know them.
    Model(0x054C, 0x0DC8, "Sony RC-S300/S", Route.PCSC, "SONY FeliCa RC-S300"),
    Model(0x054C, 0x0DC9, "Sony RC-S300/P", Route.PCSC, "SONY FeliCa RC-S300"),
    Model(0x054C, 0x0D8F, "Sony RC-S660/U", Route.PCSC, "SONY FeliCa RC-S660"),
    Model(0x072F, 0x221A, "ACS ACR1251U", Route.PCSC, "ACS ACR1251"),
    Model(0x072F, 0x223B, "ACS ACR1252U", Route.PCSC, "ACS ACR1252"),
    Model(0x072F, 0x223E, "ACS ACR1252U", Route.PCSC, "ACS ACR1252"),
    Model(0x04E6, 0x5790, "Identiv uTrust 3700 F", Route.PCSC, "Identiv uTrust 3700 F"),
    Model(0x04E6, 0x5791, "Identiv uTrust 3701 F", Route.PCSC, "Identiv uTrust 3701 F"),
    # Source: both lists; nfcpy often cannot open it again (its issues #154, #171, #192, #231, #239).
    Model(0x072F, 0x2200, "ACS ACR122U", Route.PCSC, "ACS ACR122U"),
)
NFC_MODULES = frozenset({"port100", "pn533_usb", "pn533"})
"""Kernel drivers that take readers for themselves."""


@dataclass(frozen=True, slots=True)
class Plugged:
    """A known reader that is plugged in."""

    model: Model
    kernel_module: str | None
    """The kernel driver that has taken it."""


def plugged_readers(usb_devices: Path) -> Iterator[Plugged]:
    """The known readers on USB, in the order of the table's rows."""
    found: dict[tuple[int, int], Path] = {}
    for device in sorted(usb_devices.glob("*")):
        with contextlib.suppress(OSError, ValueError):  # not a device, or pulled out while it was looked at
            ids = tuple(int((device / name).read_text(), 16) for name in ("idVendor", "idProduct"))
            found.setdefault((ids[0], ids[1]), device)
    for model in MODELS:
        device_path = found.get((model.vendor, model.product))
        if device_path is not None:
            yield Plugged(model, _module_on(device_path))


def _module_on(device: Path) -> str | None:
    """The NFC kernel driver bound to one of the device's interfaces, or None."""
    for driver in device.glob(f"{device.name}:*/driver"):
        if driver.resolve().name in NFC_MODULES:
            return driver.resolve().name
    return None
