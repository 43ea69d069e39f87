"""Counting what a demo did: pure; every number must agree with the play, to the unit."""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from provisioning.demo.day import Door, Expected, Tap


class Latency(msgspec.Struct, frozen=True):
    """Two percentiles of a set of waits, in milliseconds; None when there were none."""

    p50_ms: float | None
    p99_ms: float | None
    n: int


class Counted(msgspec.Struct, frozen=True):
    """What was found at each station of the line."""

    taps_played: dict[str, int]
    journal_entries: dict[str, int]
    """Per kiosk: movements and unknown cards; session headers and clock steps are not taps."""
    server_records: int
    server_movements: int
    children_present: int
    mails_received: int


class Report(msgspec.Struct, frozen=True):
    """What `script/demo --json` writes."""

    seconds: float
    counted: Counted
    expected: Counted
    agrees: bool
    differences: tuple[str, ...]
    tap_to_commit: Latency
    tap_to_staff_page: Latency
    tap_to_mail: Latency


def expected_counts(taps: Sequence[Tap], *, mails_per_child: Mapping[str, int], present: int) -> Counted:
    """Return what the play must give at every station."""
    recorded = [tap for tap in taps if tap.expected is not Expected.AGAIN]
    moved = [tap for tap in recorded if tap.expected is not Expected.UNKNOWN]
    return Counted(
        taps_played={door.value: sum(tap.door is door for tap in taps) for door in Door},
        journal_entries={door.value: sum(tap.door is door for tap in recorded) for door in Door},
        server_records=len(recorded),
        server_movements=len(moved),
        children_present=present,
        mails_received=sum(mails_per_child[tap.child] for tap in moved if tap.child is not None),
    )


def report(
    *,
    seconds: float,
    counted: Counted,
    expected: Counted,
    commit_ms: Iterable[float],
    page_ms: Iterable[float],
    mail_ms: Iterable[float],
) -> Report:
    """Compare and summarise."""
    differences = tuple(
        f"{name}: {getattr(counted, name)}, expected {getattr(expected, name)}"
        for name in Counted.__struct_fields__
        if getattr(counted, name) != getattr(expected, name)
    )
    return Report(
        seconds=seconds,
        counted=counted,
        expected=expected,
        agrees=not differences,
        differences=differences,
        tap_to_commit=latency(commit_ms),
        tap_to_staff_page=latency(page_ms),
        tap_to_mail=latency(mail_ms),
    )


def waits_ms(tapped_ns: Iterable[int], happened_ns: Iterable[int], *, early_s: float = 0.0) -> list[float]:
    """Return the milliseconds from each tap to the first thing that happened in its time, if anything did.

    A tap's time lasts until the next tap's begins, which is `early_s` before that tap.
    """
    tapped, happened = sorted(tapped_ns), sorted(happened_ns)
    begins = [at_ns - early_s * 1e9 for at_ns in tapped] + [math.inf]
    waits = []
    for at_ns, begin, end in zip(tapped, begins, begins[1:], strict=False):
        first = next((after_ns for after_ns in happened if begin <= after_ns < end), None)
        if first is not None:
            waits.append((first - at_ns) / 1e6)
    return waits


def latency(waits_ms: Iterable[float]) -> Latency:
    """Return the percentiles by nearest rank."""
    ordered = sorted(waits_ms)
    if not ordered:
        return Latency(p50_ms=None, p99_ms=None, n=0)

    def rank(share: float) -> float:
        return round(ordered[math.ceil(share * len(ordered)) - 1], 1)

    return Latency(p50_ms=rank(0.50), p99_ms=rank(0.99), n=len(ordered))
