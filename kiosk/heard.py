"""Which answer ties a boot's clock best to the server's; kept, so that the boot can be dated again. Pure."""

from attendance.wire import Heard

_DRIFT_PPM = 50
"""As the server reckons it (server/timeline.py)."""
_LEAST_WIDTH_NS = 1_000_000_000
"""What is narrower is no better: the server trusts no answer further."""


def better(held: Heard | None, new: Heard) -> Heard:
    """Return the newer of two answers in one boot, or the one held where that is narrower and both agree."""
    if held is None:
        return new
    drift_ns = abs(_middle_ns(new) - _middle_ns(held)) * _DRIFT_PPM // 1_000_000
    held_ns, new_ns = _width_ns(held), _width_ns(new)
    if new_ns <= held_ns + 2 * drift_ns:
        return new
    apart_ns = abs((new.time_ms - held.time_ms) * 1_000_000 - (_middle_ns(new) - _middle_ns(held)))
    # Where they contradict each other the server's clock was set, and its last word counts.
    return held if apart_ns <= (held_ns + new_ns) // 2 + drift_ns else new


def _middle_ns(heard: Heard) -> int:
    return (heard.asked_ns + heard.answered_ns) // 2


def _width_ns(heard: Heard) -> int:
    return max(heard.answered_ns - heard.asked_ns, _LEAST_WIDTH_NS)
