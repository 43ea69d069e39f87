"""What the page and the terminal are told: readers, pictures and reads in words; the browser only draws them."""

from typing import Literal

import msgspec

from attendance.catalogue import Catalogue
from attendance.clock import NS_IN_MS, ClockReading, local_time
from attendance.finding import Finding
from kiosk.doctor.readers import explain
from kiosk.live.look import CardLook, Look
from kiosk.live.standing import Standing
from kiosk.live.verdicts import SLOW_PER_S, Distance, Hint, distance
from kiosk.live.watched_reader import SeenRead, WatchedReader

CARD_STAYS_NS = 4_000_000_000
"""How long the verdict on a card stays after it was last seen, so that it can be read."""
SILENT_S = 2.0
"""A camera that works sends a picture more often."""
Tone = Literal["good", "care", "bad", "none"]
_TONE_OF_DISTANCE: dict[Distance, Tone] = {Distance.GOOD: "good", Distance.LIMIT: "care", Distance.FAR: "bad"}
_TONE_OF_STANDING: dict[Standing, Tone] = {
    Standing.KNOWN: "good",
    Standing.UNKNOWN: "care",
    Standing.NO_ROSTER: "care",
    Standing.FOREIGN: "bad",
    Standing.RANDOM: "bad",
}


class OutlineView(msgspec.Struct, frozen=True):
    """The outline of a code in the picture."""

    corners: tuple[tuple[float, float], ...]
    ours: bool
    label: str


class PictureView(msgspec.Struct, frozen=True):
    """What is drawn over a picture; all in pixels of `size`."""

    number: int
    size: tuple[int, int]
    guide: tuple[int, int, int, int]
    outlines: tuple[OutlineView, ...]


class ReadView(msgspec.Struct, frozen=True):
    """One read."""

    time: str
    what: str
    start: str
    standing: str
    trust: str
    tone: Tone


class CameraView(msgspec.Struct, frozen=True):
    """How well a camera sees."""

    verdict: str
    tone: Tone
    pixels: str
    card: str
    share: str
    percent: int | None
    """Of the frames looked into, those in which a card was read; None when none was looked into."""
    rate: str
    hints: tuple[str, ...]


class ReaderView(msgspec.Struct, frozen=True):
    """One reader."""

    name: str
    works: bool
    state: str
    remedy: str
    camera: CameraView | None
    reads: tuple[ReadView, ...]


class PageView(msgspec.Struct, frozen=True):
    """The whole page but its pictures."""

    process: str
    """Changes with the process; the page then loads itself anew."""
    readers: tuple[ReaderView, ...]


def reader_view(reader: WatchedReader, reading: ClockReading, words: Catalogue) -> ReaderView:
    """Return all there is to say about a reader now."""
    trouble = trouble_of(reader)
    found, *remedy = trouble.sentences(words) if trouble else (words.text("live.state.works"),)
    return ReaderView(
        name=reader.wanted.name,
        works=trouble is None,
        state=found,
        remedy="".join(remedy),
        camera=_camera_view(reader, reading, words),
        reads=tuple(read_view(seen, reading, words) for seen in reader.reads),
    )


def trouble_of(reader: WatchedReader) -> Finding | None:
    """Return why nothing can be read by it, as the doctor says it; None while it works or is still opening."""
    if reader.fault is not None:
        return explain(reader.wanted, reader.fault)
    silent_s = 0.0 if reader.looker is None else reader.looker.watch.silent_s()
    if reader.late or silent_s > SILENT_S:
        return Finding("reader_silent", wrong=True, values={"name": reader.wanted.name})
    return None


def picture_view(look: Look, words: Catalogue) -> PictureView:
    """Return what is drawn over a picture."""
    return PictureView(
        number=look.number,
        size=look.size,
        guide=look.guide,
        outlines=tuple(
            OutlineView(
                each.corners, each.standing is not Standing.FOREIGN, words.text(f"live.outline.{each.standing}")
            )
            for each in look.found
        ),
    )


def read_view(seen: SeenRead, reading: ClockReading, words: Catalogue) -> ReadView:
    """Return a read in words."""
    raw, judgement = seen.raw, seen.judgement
    what = words.text(f"live.medium.{raw.medium}")
    if raw.tag is not None:
        what = words.text("live.medium_of_tag", medium=what, tag=words.text(f"live.tag.{raw.tag}"))
    return ReadView(
        time=_time_of(raw.read_at_ns, reading),
        what=what,
        start=seen.start,
        standing=words.text(f"live.standing.{judgement.standing}"),
        trust="" if judgement.trust is None else words.text(f"live.trust.{judgement.trust}"),
        tone=_TONE_OF_STANDING[judgement.standing],
    )


def verdict_on(module_px: float, words: Catalogue) -> tuple[str, str]:
    """Return whether a card was near enough, and the figure behind it, in words."""
    return (
        words.text(f"live.distance.{distance(module_px)}"),
        words.text("live.pixels", pixels=f"{module_px:.1f}"),
    )


def card_in_view(reader: WatchedReader, now_boot_ns: int) -> CardLook | None:
    """Return the card that a camera sees or saw a moment ago."""
    look = None if reader.looker is None else reader.looker.look()
    card = None if look is None else look.card
    return card if card is not None and now_boot_ns - card.at_ns < CARD_STAYS_NS else None


def _camera_view(reader: WatchedReader, reading: ClockReading, words: Catalogue) -> CameraView | None:
    if reader.looker is None:
        return None
    look, counts = reader.looker.look(), reader.looker.watch.counts()
    card = card_in_view(reader, reading.boot_ns)
    hints = (look.hints if card is None else card.hints) if look is not None else ()
    if counts.frames > 1 and counts.per_s < SLOW_PER_S:
        hints = (*hints, Hint.SLOW)
    percent = round(100 * counts.with_card / counts.looked_into) if counts.looked_into else None
    verdict, pixels, tone = _verdict(look, card, words)
    return CameraView(
        verdict=verdict,
        tone=tone,
        pixels=pixels,
        card="" if card is None or not pixels else words.text(f"live.standing.{card.standing}"),
        share=words.text("live.share.asleep") if percent is None else words.text("live.share", percent=percent),
        percent=percent,
        rate=words.text("live.rate", per_s=round(counts.per_s)),
        hints=tuple(words.text(f"live.hint.{hint}") for hint in hints),
    )


def _verdict(look: Look | None, card: CardLook | None, words: Catalogue) -> tuple[str, str, Tone]:
    """A code that is in the picture now outweighs the card of a moment ago."""
    if look is not None and look.found and all(each.standing is Standing.FOREIGN for each in look.found):
        return words.text("live.distance.foreign"), "", "bad"
    if card is None:
        return words.text("live.distance.none"), "", "none"
    return *verdict_on(card.module_px, words), _TONE_OF_DISTANCE[distance(card.module_px)]


def _time_of(at_boot_ns: int, reading: ClockReading) -> str:
    at_ms = reading.wall_ms - (reading.boot_ns - at_boot_ns) // NS_IN_MS
    return f"{local_time(max(0, at_ms)):%H:%M:%S}"
