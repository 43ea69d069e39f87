"""What the doctor finds of the readers: whether each opens, and if not, what stands in the way."""

import grp
import os
import pwd
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from attendance.finding import Finding
from hardware.capture import Kind, kind_of
from hardware.errors import DriverMissing, HardwareError
from hardware.nfc_models import NFC_MODULES
from kiosk.config import KioskSettings, ReaderKind, ReaderSettings
from kiosk.devices import make_reader
from kiosk.only_one import door_lock

LOADED_MODULES = Path("/proc/modules")
_LIKE_IT = {
    ReaderKind.QR_CAMERA: ("/dev/v4l/by-id/*", "/dev/video*"),
    ReaderKind.KEYS: ("/dev/input/by-id/*-event-kbd",),
    ReaderKind.NFC: ("/dev/ttyAMA*", "/dev/ttyS*", "/dev/ttyUSB*"),
}
"""Where to look for what else the reader could be; the first place that has anything is enough."""


def check_readers(settings: KioskSettings) -> Iterator[Finding]:
    """Yield a finding for each reader, unless the door has them."""
    if not settings.readers:
        yield Finding("readers_none", wrong=True)
        return
    yield from doubled(settings.readers)
    try:
        with door_lock(settings.data_dir) as free:
            if free:
                yield from map(_try_out, settings.readers)
            else:
                yield Finding("readers_in_use")
    except OSError:
        return  # the data folder's own finding says it


def _try_out(wanted: ReaderSettings) -> Finding:
    try:
        reader = make_reader(wanted)
        reader.open()
        reader.close()
    except (HardwareError, ValueError) as error:
        return explain(wanted, error)
    return Finding("reader", values={"name": wanted.name})


def doubled(readers: Iterable[ReaderSettings]) -> Iterator[Finding]:
    """Yield a finding for each device that stands twice in the settings: only one of the two readers can have it."""
    names = defaultdict(list)
    for wanted in readers:
        device = device_of(wanted)
        if device is not None:
            names[os.path.realpath(device)].append(wanted.name)
        elif wanted.kind is ReaderKind.NFC:
            names[wanted.source or "usb"].append(wanted.name)
    for place, those in names.items():
        if len(those) > 1:
            yield Finding("readers_doubled", wrong=True, values={"names": ", ".join(those), "device": place})


def explain(
    wanted: ReaderSettings,
    reason: object,
    *,
    allowed: Callable[[Path, int], bool] = os.access,
    modules: Path = LOADED_MODULES,
) -> Finding:
    """Return why a reader that failed for `reason` cannot be had, as plainly as this machine lets one know."""
    values: dict[str, object] = {"name": wanted.name, "reason": reason}
    if isinstance(reason, DriverMissing):
        return Finding("reader_part", wrong=True, values=values)
    device = device_of(wanted)
    if device is not None:
        values["device"] = device
        if not device.exists():
            others = _others_like(wanted)
            code = "reader_absent" if others else "reader_absent_all"
            return Finding(code, wrong=True, values={**values, "others": ", ".join(others)})
        if not allowed(device, os.R_OK if wanted.kind is ReaderKind.KEYS else os.R_OK | os.W_OK):
            user, group = pwd.getpwuid(os.geteuid()).pw_name, _group_of(device)
            return Finding("reader_denied", wrong=True, values={**values, "user": user, "group": group})
    elif wanted.kind is ReaderKind.NFC and wanted.source.partition(":")[0] in ("", "usb"):
        taken = sorted(NFC_MODULES & _loaded(modules))
        if taken:
            return Finding("reader_module", wrong=True, values={**values, "modules": ", ".join(taken)})
    return Finding("reader_down", wrong=True, values=values)


def device_of(wanted: ReaderSettings) -> Path | None:
    """Return the file of /dev that a reader is, or None for what is no such file: USB ids, streams, recordings."""
    match wanted.kind:
        case ReaderKind.QR_CAMERA if _is_device(wanted.source):
            return Path(f"/dev/video{wanted.source}" if wanted.source.isdecimal() else wanted.source)
        case ReaderKind.KEYS:
            return Path(wanted.source)
        case ReaderKind.NFC if wanted.source.startswith("tty:"):
            return Path(f"/dev/tty{wanted.source.split(':')[1]}")
        case _:
            return None


def _is_device(source: str) -> bool:
    try:
        return kind_of(source) is Kind.DEVICE
    except ValueError:
        return False  # it makes no sense at all, which the driver says


def _others_like(wanted: ReaderSettings) -> list[str]:
    for pattern in _LIKE_IT.get(wanted.kind, ()):
        if found := sorted(str(path) for path in Path("/").glob(pattern.lstrip("/"))):
            return found
    return []


def _group_of(device: Path) -> str:
    number = device.stat().st_gid
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _loaded(modules: Path) -> set[str]:
    try:
        return {line.split()[0] for line in modules.read_text(encoding="ascii", errors="replace").splitlines() if line}
    except OSError:
        return set()
