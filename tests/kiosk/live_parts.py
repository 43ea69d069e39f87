"""The readers' view for tests: drawn pictures, a roster that knows Hana's card, and readers that are fed by hand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from attendance.catalogue import Catalogue, Language
from hardware.frame_source import Frame
from hardware.qr_decode import Code, Grey, read_with_zxing
from hardware.reader import Medium, RawRead, TagType, boot_ns
from hardware.synthetic_card import draw_card
from hardware.synthetic_scene import Pose, Scene
from kiosk.catalogues import catalogues
from kiosk.config import ReaderKind, ReaderSettings
from kiosk.live.standing import CardBook
from kiosk.live.watched_reader import WatchedReaders
from kiosk.roster_cache import RosterCache
from tests.kiosk.door_parts import HANAS_TOKEN, UID_KEY, state

SIZE = (640, 480)


class HandClock:
    """Nanoseconds that pass when told to."""

    def __init__(self) -> None:
        self.now_ns = 10_000_000_000

    def __call__(self) -> int:
        return self.now_ns

    def advance(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


def words(language: Language = Language.EN) -> Catalogue:
    return catalogues()[language]


def picture(payload: str | None = HANAS_TOKEN.text, pose: Pose | None = None) -> Grey:
    """A card in a doorway; None: an empty doorway."""
    scene = Scene(width=SIZE[0], height=SIZE[1])
    return scene.render(None if payload is None else draw_card(payload), pose or Pose())


def frame(payload: str | None = HANAS_TOKEN.text, pose: Pose | None = None) -> Frame:
    return Frame(picture(payload, pose), boot_ns())


def seen(payload: str = HANAS_TOKEN.text, pose: Pose | None = None) -> tuple[Frame, list[Code]]:
    """A frame and what a camera finds in it."""
    shown = frame(payload, pose)
    return shown, read_with_zxing(shown.picture)


def raw(payload: bytes, medium: Medium = Medium.QR, tag: TagType | None = None) -> RawRead:
    return RawRead(medium, payload, "front", boot_ns(), tag)


@contextmanager
def book(folder: Path, *, synced: bool = True, uid_key: bytes | None = UID_KEY) -> Iterator[CardBook]:
    cache = RosterCache.open(folder / "cache.db")
    if synced:
        cache.store_state(state())
    try:
        yield CardBook(cache, uid_key)
    finally:
        cache.close()


def still(folder: Path, *, payload: str = HANAS_TOKEN.text, pose: Pose | None = None) -> ReaderSettings:
    """A camera that sees one picture again and again."""
    for number in range(2):
        cv2.imwrite(str(folder / f"frame_{number:04d}.png"), picture(payload, pose))
    source = str(folder / "frame_%04d.png")
    return ReaderSettings(name="camera", kind=ReaderKind.QR_CAMERA, source=source, loop=True)


def fifo(path: Path, name: str = "nfc") -> ReaderSettings:
    return ReaderSettings(name=name, kind=ReaderKind.FAKE, source=str(path))


@contextmanager
def watching(
    wanted: tuple[ReaderSettings, ...], known: CardBook, on_read: Callable[..., None] = lambda _: None
) -> Iterator[WatchedReaders]:
    readers = WatchedReaders(wanted, known, on_read)
    readers.start()
    try:
        yield readers
    finally:
        readers.stop()
