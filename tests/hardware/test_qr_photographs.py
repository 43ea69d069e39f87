"""QR photographs that others took, read in place; where they are absent, hard pictures of our own stand in."""

import pytest

from bench.photographs import Photograph, load_photographs
from hardware.qr_cascade import read_photograph
from hardware.qr_decode import read_with_pyzbar, read_with_zxing
from hardware.synthetic_frames import draw_hard_frames
from hardware.synthetic_scene import Pose, Scene


@pytest.fixture(scope="module")
def photographs(request: pytest.FixtureRequest) -> list[Photograph]:
    found = load_photographs()
    if found:
        return found
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\nQR photographs are not on this machine ($TADAIMA_QR_PHOTOS): testing on pictures drawn here")
    drawn = [
        Photograph(f"{frame.condition} {number}", "drawn", frame.payload, frame.grey)
        for number, frame in enumerate(draw_hard_frames(6, seed=31))
    ]
    empty = [
        Photograph(f"empty {seed}", "falsepositives", "", Scene(seed=seed).render(None, Pose())) for seed in range(6)
    ]
    return drawn + empty


def test_every_photograph_that_either_engine_reads_alone_is_read(photographs: list[Photograph]) -> None:
    missed = [
        one.file
        for one in photographs
        if one.expected
        and (one.is_read_by(read_with_zxing(one.grey)) or one.is_read_by(read_with_pyzbar(one.grey)))
        and not one.is_read_by(read_photograph(one.grey))
    ]
    assert missed == []


def test_most_photographs_are_read(photographs: list[Photograph]) -> None:
    coded = [one for one in photographs if one.expected]
    assert sum(one.is_read_by(read_photograph(one.grey)) for one in coded) >= 0.8 * len(coded)


def test_nothing_is_read_in_pictures_that_only_look_like_codes(photographs: list[Photograph]) -> None:
    false = [one for one in photographs if one.must_be_empty]
    assert false
    assert [one.file for one in false if read_photograph(one.grey)] == []


def test_a_photograph_counts_as_read_whatever_its_encoding_but_not_with_another_text() -> None:
    frame = next(draw_hard_frames(1, seed=1))
    [code] = read_photograph(frame.grey)
    assert Photograph("a", "b", frame.payload, frame.grey).is_read_by([code])
    assert not Photograph("a", "b", "something else", frame.grey).is_read_by([code])
