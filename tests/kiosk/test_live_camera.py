"""What the readers' view says of a camera: its newest picture, the codes in it, and how well they are seen."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hardware.frame_measures import Measures
from hardware.frame_source import Frame
from hardware.qr_decode import Code
from hardware.synthetic_scene import Pose
from kiosk.live.camera_watch import MOST_CODES, CameraWatch
from kiosk.live.look import LEAST_NS, Looker
from kiosk.live.standing import CardBook, Standing
from kiosk.live.verdicts import (
    CARD_MODULES,
    CODE_SHARE,
    Distance,
    Hint,
    code_hints,
    distance,
    guide,
    place_hints,
)
from tests.kiosk.door_parts import HANAS_TOKEN, STRANGE_TOKEN
from tests.kiosk.live_parts import SIZE, HandClock, book, frame, seen

EMPTY = Frame(np.full((48, 64), 90, dtype=np.uint8), 0)
CORNERS = ((10.0, 10.0), (60.0, 10.0), (60.0, 60.0), (10.0, 60.0))
CARD = Code(HANAS_TOKEN.text.encode(), CORNERS)
POSTER = Code(b"https://example", CORNERS)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def watch(clock: HandClock) -> CameraWatch:
    return CameraWatch(clock)


@pytest.fixture
def known(tmp_path: Path) -> Iterator[CardBook]:
    with book(tmp_path) as opened:
        yield opened


@pytest.fixture
def looker(watch: CameraWatch, known: CardBook, clock: HandClock) -> Looker:
    return Looker(watch, known.judge_code, clock)


@pytest.mark.parametrize(
    ("pixels", "verdict"),
    [(9.2, Distance.GOOD), (3.0, Distance.GOOD), (2.99, Distance.LIMIT), (2.0, Distance.LIMIT), (1.99, Distance.FAR)],
)
def test_three_pixels_a_module_are_good_and_two_are_the_end(pixels: float, verdict: Distance) -> None:
    assert distance(pixels) is verdict


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (320, 240), (64, 64), (480, 640), (4096, 64)])
def test_the_place_for_the_card_lies_in_the_middle_of_any_picture(size: tuple[int, int]) -> None:
    left, top, right, bottom = guide(*size)
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    assert abs(left + right - size[0]) <= 1
    if size[0] >= 320 and size[1] >= 240:
        assert (right - left) * CODE_SHARE / CARD_MODULES >= 3, "a card held there is read"


def measures(**changes: float) -> Measures:
    return Measures(**{"paper": 230.0, "contrast": 200.0, "burnt": 0.0, "sharpness": 0.15, **changes})


@pytest.mark.parametrize(
    ("changes", "hints"),
    [
        ({}, ()),
        ({"paper": 40.0}, (Hint.DARK,)),
        ({"burnt": 0.4, "paper": 255.0}, (Hint.PALE,)),
        ({"burnt": 0.1}, (Hint.GLARE,)),
        ({"sharpness": 0.02}, (Hint.SMEARED,)),
        ({"paper": 40.0, "sharpness": 0.02}, (Hint.DARK, Hint.SMEARED)),
    ],
)
def test_what_is_wrong_with_a_code_is_told(changes: dict[str, float], hints: tuple[Hint, ...]) -> None:
    assert code_hints(measures(**changes), 4.0) == hints


def test_a_code_that_is_far_is_not_blamed_on_the_lens() -> None:
    assert code_hints(measures(sharpness=0.02), 2.5) == ()


@pytest.mark.parametrize(
    ("pose", "hint"),
    [
        (Pose(), None),
        (Pose(light=0.2), Hint.DARK),
        (Pose(light=1.4), Hint.PALE),
        (Pose(glare=0.2), Hint.GLARE),
        (Pose(size=0.2, defocus_px=1.2), Hint.SMEARED),
    ],
)
def test_a_drawn_card_gets_the_hint_that_fits(looker: Looker, pose: Pose, hint: Hint | None) -> None:
    looker.watch(*seen(pose=pose))
    look = looker.look()
    assert look is not None
    assert look.card is not None
    assert look.card.hints == (() if hint is None else (hint,))


@pytest.mark.parametrize(
    ("pose", "hint"),
    [(Pose(light=0.06), Hint.DARK), (Pose(light=2.5), Hint.PALE), (Pose(defocus_px=5), Hint.SMEARED)],
)
def test_a_picture_in_which_no_card_is_found_says_why(looker: Looker, pose: Pose, hint: Hint) -> None:
    looker.watch(frame(pose=pose), [])
    look = looker.look()
    assert look is not None
    assert hint in look.hints


def test_an_empty_doorway_is_not_called_blurred(looker: Looker) -> None:
    looker.watch(frame(None), None)
    look = looker.look()
    assert look is not None
    assert look.hints == ()
    dull = Measures(paper=120, contrast=20, burnt=0, sharpness=0.001)
    assert place_hints(dull, dull, something_there=True) == (), "a bare wall has no edges to judge by"


def test_a_card_is_outlined_judged_and_measured(looker: Looker) -> None:
    looker.watch(*seen(pose=Pose(size=0.2)))
    look = looker.look()
    assert look is not None
    assert (look.number, look.size, look.jpeg[:2]) == (1, SIZE, b"\xff\xd8")
    (found,) = look.found
    assert found.standing is Standing.KNOWN
    assert found.module_px == pytest.approx(0.2 * SIZE[1] / CARD_MODULES, rel=0.05)


def test_foreign_and_unknown_codes_are_told_apart_and_only_cards_are_measured(looker: Looker) -> None:
    strange = Code(STRANGE_TOKEN.text.encode(), CORNERS)
    looker.watch(frame(None), [POSTER, strange])
    look = looker.look()
    assert look is not None
    assert [(each.standing, each.module_px is None) for each in look.found] == [
        (Standing.FOREIGN, True),
        (Standing.UNKNOWN, False),
    ]


def test_a_card_that_lies_still_keeps_its_outline_while_the_gate_sleeps(watch: CameraWatch) -> None:
    watch(EMPTY, [CARD])
    watch(EMPTY, None)
    newest = watch.newest()
    assert newest is not None
    assert (newest.number, newest.codes, newest.awake) == (2, (CARD,), False)
    watch(EMPTY, [])
    newest = watch.newest()
    assert newest is not None
    assert newest.codes == ()


def test_frames_are_counted_over_the_last_seconds(watch: CameraWatch, clock: HandClock) -> None:
    for number in range(90):
        clock.advance(1 / 15)
        watch(EMPTY, None if number < 60 else [CARD] if number % 3 else [POSTER])
    counts = watch.counts()
    assert counts.per_s == pytest.approx(15, rel=0.01)
    assert (counts.looked_into, counts.with_card) == (30, 20)
    clock.advance(60)
    assert (watch.counts().frames, watch.counts().per_s) == (0, 0.0)
    assert watch.silent_s() == pytest.approx(60)


def test_before_the_first_frame_there_is_nothing_and_no_complaint(watch: CameraWatch, looker: Looker) -> None:
    assert looker.look() is None
    assert watch.counts().frames == 0
    assert watch.silent_s() == 0


def test_many_pages_share_one_picture_and_a_quick_page_waits(looker: Looker, clock: HandClock) -> None:
    looker.watch(EMPTY, [])
    first = looker.look()
    assert all(looker.look() is first for _ in range(10))
    looker.watch(EMPTY, [])
    assert looker.look() is first, "eight a second are enough"
    clock.advance(LEAST_NS / 1e9)
    second = looker.look()
    assert second is not None
    assert second.number == 2


def test_a_torn_picture_leaves_the_one_before(looker: Looker, clock: HandClock) -> None:
    looker.watch(EMPTY, [])
    first = looker.look()
    clock.advance(1)
    looker.watch(Frame(np.zeros((1, 99), dtype=np.uint8), 0), None)
    assert looker.look() is first


def test_a_wall_full_of_codes_does_not_fill_the_page(watch: CameraWatch) -> None:
    watch(EMPTY, [POSTER] * 500)
    newest = watch.newest()
    assert newest is not None
    assert len(newest.codes) == MOST_CODES


def test_a_card_behind_a_wall_of_codes_is_still_the_last_card(looker: Looker) -> None:
    shown, codes = seen()
    looker.watch(shown, [POSTER] * 20 + codes)
    look = looker.look()
    assert look is not None
    assert look.card is not None
    assert look.card.standing is Standing.KNOWN
