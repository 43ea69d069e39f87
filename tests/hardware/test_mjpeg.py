"""Cutting JPEGs out of a stream of bytes, whole, torn and hostile."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.mjpeg import JpegCutter


def jpeg(seed: int = 1, *, size: tuple[int, int] = (48, 64), **options: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    flat = [number for name, value in options.items() for number in (getattr(cv2, f"IMWRITE_JPEG_{name}"), value)]
    return bytes(cv2.imencode(".jpg", noise, flat)[1].tobytes())


def with_preview(picture: bytes) -> bytes:
    """The picture with a whole smaller JPEG in an application segment, as cameras put it."""
    preview = jpeg(9, size=(16, 16))
    return picture[:2] + b"\xff\xe1" + (2 + len(preview)).to_bytes(2) + preview + picture[2:]


def cut(stream: bytes, chunk: int = 1000) -> list[bytes]:
    cutter = JpegCutter()
    return [picture for at in range(0, len(stream), chunk) for picture in cutter.feed(stream[at : at + chunk])]


KINDS = {
    "baseline": jpeg(),
    "colour, restart markers": jpeg(RST_INTERVAL=1),
    "progressive, several scans": jpeg(PROGRESSIVE=1),
    "with a preview": with_preview(jpeg()),
    "fill bytes before a marker": jpeg()[:2] + b"\xff\xff" + jpeg()[2:-2] + b"\xff\xff\xff\xd9",
}
JPEGS = [jpeg(seed) for seed in range(4)] + list(KINDS.values())


@pytest.mark.parametrize("picture", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_pictures_of_every_kind_come_out_as_they_went_in(picture: bytes, chunk: int) -> None:
    assert cut(picture * 3, chunk) == [picture] * 3


@given(
    pictures=st.lists(st.sampled_from(JPEGS), min_size=1, max_size=5),
    between=st.binary(max_size=40).filter(lambda garbage: b"\xff" not in garbage),
    chunks=st.lists(st.integers(1, 3000), min_size=1, max_size=8),
)
def test_garbage_between_pictures_and_any_way_of_arriving_change_nothing(
    pictures: list[bytes], between: bytes, chunks: list[int]
) -> None:
    stream = b"".join(between + picture for picture in pictures)
    cutter, at, turn = JpegCutter(), 0, 0
    found = []
    while at < len(stream):
        size = chunks[turn % len(chunks)]
        found += cutter.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found == pictures


@given(cut_at=st.integers(1, len(JPEGS[0]) - 1))
def test_a_picture_torn_anywhere_spoils_at_most_the_next_one(cut_at: int) -> None:
    # A torn header may claim up to 65537 bytes; once those have come, what lay in them is found.
    later = JPEGS[1:4] * 12
    assert sum(map(len, later)) > 70_000
    assert cut(JPEGS[0][:cut_at] + b"".join(later), 4096)[-len(later) + 1 :] == later[1:]


def test_a_picture_torn_in_its_coded_data_is_dropped_alone() -> None:
    torn = JPEGS[0][:-200]
    assert cut(torn + JPEGS[1] + torn + JPEGS[2]) == [JPEGS[1], JPEGS[2]]


def test_a_picture_torn_in_its_header_is_dropped_alone() -> None:
    assert cut(JPEGS[0][:30] + JPEGS[1] + JPEGS[2]) == [JPEGS[1], JPEGS[2]]


@given(st.binary(max_size=3000))
def test_any_bytes_at_all_are_survived_and_a_picture_after_them_is_found(noise: bytes) -> None:
    # A length in the noise may claim up to 65537 bytes; after those the next picture must be found.
    stream = noise + JPEGS[0] * (70_000 // len(JPEGS[0]) + 2)
    assert cut(stream, 4096)[-1] == JPEGS[0]


@pytest.mark.parametrize(
    "endless",
    [b"\x00" * 1000, b"\xff\xd8\xff\xda\x00\x02" + b"\x55" * 994, b"\xff\xd8\xff" * 300, b"\xff" * 1000],
    ids=["zeros", "a scan without end", "starts", "fill bytes"],
)
def test_a_stream_without_an_end_takes_bounded_memory_and_the_next_picture_is_found(endless: bytes) -> None:
    cutter = JpegCutter(largest_bytes=10_000)
    assert cutter.feed(endless) == []
    for _ in range(100):
        assert cutter.feed(endless[-900:]) == []
        assert cutter.held_bytes <= 11_000
    assert cutter.feed(jpeg() * 3)[-1] == jpeg()


def test_a_picture_larger_than_any_camera_s_is_not_waited_for() -> None:
    assert len(JPEGS[0]) > 1000
    cutter = JpegCutter(largest_bytes=1000)
    assert [cutter.feed(JPEGS[0][at : at + 100]) for at in range(0, 1600, 100)] == [[]] * 16
