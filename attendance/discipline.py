"""What the kernel says of its own clock: whether NTP keeps it, and how far off it may be at most.

A question to this machine, as `SystemClock` is one; kiosk and server both ask it.
"""

import ctypes
from dataclasses import dataclass

_STA_UNSYNC = 0x0040
_libc = ctypes.CDLL(None)


class _Timex(ctypes.Structure):
    """The kernel's struct timex; 208 bytes on x86-64 and aarch64 (Source: adjtimex(2))."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 160),
    )


@dataclass(frozen=True, slots=True)
class Discipline:
    """What the kernel says of its clock's discipline."""

    synchronised: bool
    max_error_ms: int


def kernel_discipline() -> Discipline | None:
    """Ask the kernel, without changing anything; None when it does not tell."""
    timex = _Timex(modes=0)
    if _libc.adjtimex(ctypes.byref(timex)) < 0:
        return None
    # Rounded up: a bound that is too small would be a lie.
    return Discipline(synchronised=not timex.status & _STA_UNSYNC, max_error_ms=-(-timex.maxerror // 1000))
