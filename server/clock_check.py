"""Whether this server's own clock can be trusted, judged by the kiosks that are kept by NTP. Pure.

Nothing is corrected by it: times are resolved by the server's clock, and a person must set that right.
"""

from collections.abc import Sequence
from statistics import median

from attendance.clock import ClockReading, ClockState

LONGEST_WAY_MS = 2_000
"""What a request may take on its way where that is not known, above the bound that the kiosk's own clock states."""
TOLERATED_MS = 3_000
"""An entry that is some seconds off harms nobody; staff are not to be alarmed by it."""


def clock_difference(at: ClockReading, server_ms: int, way_ms: int = LONGEST_WAY_MS) -> int | None:
    """Return by how much the server is ahead of a kiosk kept by NTP, 0 when within bounds; None for any other kiosk.

    `server_ms` is the server's time at the reading, to `way_ms`.
    """
    if at.state is not ClockState.NTP or at.wall_err_ms is None:
        return None
    ahead_ms = server_ms - at.wall_ms
    return ahead_ms if abs(ahead_ms) > at.wall_err_ms + way_ms + TOLERATED_MS else 0


def server_ahead_ms(differences: Sequence[int]) -> int:
    """Return by how much the server's clock is ahead (behind: negative), 0 while more kiosks agree with it than not."""
    off = [difference for difference in differences if difference]
    return round(median(off)) if 2 * len(off) > len(differences) else 0
