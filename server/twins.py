"""Two machines under one kiosk's name, as when its SD card was copied: known by their boots (within step 10; pure)."""

from server.timeline import Anchor, TimeSource, drift_ms

TWIN_MS = 600_000
"""How long a kiosk is said to run twice after that was last shown. While both are up it is shown at every question but
a few, and no kiosk waits longer than a minute or two for one: a lost packet does not hide it, and whoever took one of
them away sees it end before they leave."""


def are_two_machines(one: Anchor, other: Anchor) -> bool:
    """Say whether each of two boots is known to have been up after the other began: one machine has one at a time.

    Only an answer that was heard in a boot shows that it was up, and it shows it of the instant at which it was given.
    So it is of no account when or in which order requests arrive, or how often.
    """
    return _was_up_after_begin(one, other) and _was_up_after_begin(other, one)


def has_twin(twin_at_ms: int | None, at_ms: int) -> bool:
    """Say whether a kiosk of which two machines were last shown at `twin_at_ms` (None: never) is said to run twice."""
    return twin_at_ms is not None and abs(at_ms - twin_at_ms) <= TWIN_MS


def _was_up_after_begin(up: Anchor, begun: Anchor) -> bool:
    if not all(each.is_heard and each.source is TimeSource.ANCHOR for each in (up, begun)):
        return False
    return up.server_ms > begun.boot_ms + begun.err_ms + drift_ms(begun.boot_ns)
