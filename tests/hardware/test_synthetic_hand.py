"""The synthetic hand: what it draws is what it was asked for, and the same again for the same seed."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hardware.qr_cascade import read_photograph
from hardware.qr_decode import read_with_zxing
from hardware.synthetic_card import code_modules, draw_card
from hardware.synthetic_frames import PAYLOAD_CHARACTERS, Condition, draw_hard_frames, draw_payload, draw_sequence
from hardware.synthetic_hand import APPROACH_S, Showing, draw_frames, main, read_schedule, write_video
from hardware.synthetic_scene import Pose, Scene

CARD = "TABCDEFGHIJKLMNOPQRSTUVWXYZ23"


def showing(payload: str = CARD, at_s: float = 0.5, hold_s: float = 0.6) -> Showing:
    return Showing(payload, at_s, hold_s)


def write_schedule(folder: Path, rows: object) -> Path:
    path = folder / "schedule.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_a_card_of_the_full_length_is_version_2() -> None:
    assert code_modules("A" * PAYLOAD_CHARACTERS).shape == (25, 25)


def test_a_longer_text_gets_a_larger_code() -> None:
    assert code_modules("A" * (PAYLOAD_CHARACTERS + 1)).shape == (29, 29)


def test_the_card_can_be_read_while_it_is_held_and_not_before_or_after() -> None:
    fps = 15
    seen = [bool(read_with_zxing(frame)) for frame in draw_frames([showing()], fps=fps)]
    held = range(int(0.5 * fps) + 1, int(1.1 * fps))
    assert all(seen[number] for number in held)
    assert not any(seen[: int((0.5 - APPROACH_S) * fps)])
    assert not any(seen[int((1.1 + APPROACH_S) * fps) + 1 :])


@pytest.mark.parametrize("seed", range(6))
def test_every_card_shown_is_read_whatever_the_seed(seed: int) -> None:
    showings = [showing(f"TCARD{number}", 0.4 + 1.2 * number, 0.6) for number in range(4)]
    seen = {code.payload.decode() for frame in draw_frames(showings, seed=seed) for code in read_with_zxing(frame)}
    assert seen == {one.payload for one in showings}


def test_the_same_seed_draws_the_same_frames_and_another_seed_others() -> None:
    first, again, other = (np.stack(list(draw_frames([showing()], seed=seed))) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_hand_is_never_quite_still() -> None:
    frames = list(draw_frames([showing()]))
    assert not np.array_equal(frames[10], frames[11])


def test_a_video_has_the_size_rate_and_length_asked_for(tmp_path: Path) -> None:
    write_video([showing()], tmp_path / "door.avi", width=320, height=240, fps=10)
    capture = cv2.VideoCapture(str(tmp_path / "door.avi"))
    properties = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT)
    assert [capture.get(what) for what in properties] == [320, 240, 10, 21]
    capture.release()


def test_the_command_writes_the_video_of_a_schedule(tmp_path: Path) -> None:
    schedule = write_schedule(tmp_path, [{"payload": CARD, "at_s": 0.5, "hold_s": 0.5}])
    assert main(["--schedule", str(schedule), "--out", str(tmp_path / "door.avi"), "--seed", "9"]) == 0
    capture = cv2.VideoCapture(str(tmp_path / "door.avi"))
    seen = set()
    while True:
        arrived, picture = capture.read()
        if not arrived:
            break
        seen |= {code.payload for code in read_with_zxing(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)))}
    capture.release()
    assert seen == {CARD.encode()}


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ({"payload": CARD}, "Expected `array`"),
        ([{"payload": CARD, "at_s": 1}], r"hold_s.*\[0\]"),
        ([{"payload": CARD, "at_s": 1, "hold_s": "long"}], r"\[0\]\.hold_s"),
        (["TCARD"], r"\[0\]"),
    ],
)
def test_a_schedule_that_is_none_is_refused_saying_where(tmp_path: Path, rows: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_schedule(write_schedule(tmp_path, rows))


def test_the_command_says_what_is_wrong_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "door.avi")
    assert main(["--schedule", str(tmp_path / "none.json"), "--out", out]) == 1
    assert main(["--schedule", str(write_schedule(tmp_path, 1)), "--out", out]) == 1
    assert "schedule.json to" in capsys.readouterr().err


def test_a_schedule_is_played_by_time_whatever_its_order(tmp_path: Path) -> None:
    rows = [{"payload": "B", "at_s": 3, "hold_s": 1}, {"payload": "A", "at_s": 1, "hold_s": 1}]
    assert [one.payload for one in read_schedule(write_schedule(tmp_path, rows))] == ["A", "B"]


@pytest.mark.parametrize("condition", list(Condition))
def test_each_condition_starts_readable(condition: Condition) -> None:
    frame = next(frame for frame in draw_hard_frames(20, seed=2) if frame.condition is condition)
    assert [code.payload.decode() for code in read_photograph(frame.grey)] == [frame.payload]


@pytest.mark.parametrize(
    "pose",
    [
        Pose(motion_px=30),
        Pose(defocus_px=8),
        Pose(light=0.01, noise=8),
        Pose(glare=0.5),
        Pose(thumb=0.5, thumb_at=225),
        Pose(size=0.03),
        Pose(yaw=85),
        Pose(x=1.5),
    ],
    ids=["motion", "defocus", "dark", "glare", "thumb", "far", "edge on", "out of view"],
)
def test_each_hardship_driven_far_enough_makes_a_card_unreadable(pose: Pose) -> None:
    assert read_photograph(Scene().render(draw_card(CARD), pose)) == []


def test_moire_puts_stripes_on_the_card_only() -> None:
    plain, striped = (Scene().render(draw_card(CARD), Pose(moire=strength)) for strength in (0.0, 60.0))
    changed = np.abs(plain.astype(int) - striped) > 10
    assert changed.any()
    assert not changed[:20].any()


def test_a_sequence_starts_empty_and_shows_one_card() -> None:
    sequence = draw_sequence(seed=1003)
    assert not any(read_with_zxing(frame) for frame in sequence.frames[: sequence.shown_at])
    seen = {code.payload.decode() for frame in sequence.frames for code in read_with_zxing(frame)}
    assert seen <= {sequence.payload}
    assert seen


def test_payloads_are_drawn_anew_and_of_a_cards_length() -> None:
    random = np.random.default_rng(1)
    drawn = {draw_payload(random) for _ in range(20)}
    assert len(drawn) == 20
    assert {len(payload) for payload in drawn} == {PAYLOAD_CHARACTERS}
