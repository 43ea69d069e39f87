"""What a person who aims a camera is told of a frame, on drawn cards whose truth is known."""

import cv2
import numpy as np
import pytest

from hardware.frame_measures import SHOWN_WIDTH_PX, Corners, cut, measure, measure_code, module_px, to_jpeg
from hardware.frame_source import Frame
from hardware.qr_decode import Code, Grey, read_with_zxing
from hardware.synthetic_card import draw_card
from hardware.synthetic_scene import Pose, Scene

PAYLOAD = "TABCDEFGHIJKLMNOPQRSTUVWXYZ23"
MODULES = 25


def seen(pose: Pose, *, width: int = 640, height: int = 480) -> tuple[Grey, Code]:
    frame = Scene(width=width, height=height).render(draw_card(PAYLOAD), pose)
    (code,) = read_with_zxing(frame)
    return frame, code


@pytest.mark.parametrize("height", [480, 720])
@pytest.mark.parametrize("size", [0.12, 0.2, 0.4])
def test_the_size_of_a_module_is_measured_from_the_corners(size: float, height: int) -> None:
    _, code = seen(Pose(size=size), width=height * 4 // 3, height=height)
    assert module_px(code.corners, MODULES) == pytest.approx(size * height / MODULES, rel=0.05)


def test_a_tilted_card_counts_by_its_short_side() -> None:
    _, straight = seen(Pose())
    _, tilted = seen(Pose(yaw=55))
    assert module_px(tilted.corners, MODULES) < 0.65 * module_px(straight.corners, MODULES)


def test_a_blurred_code_is_less_sharp_at_any_size_and_in_any_light() -> None:
    for size in (0.2, 0.32, 0.4):
        sharp = measure_code(*by_corners(Pose(size=size)), MODULES)
        blurred = measure_code(*by_corners(Pose(size=size, defocus_px=1.2)), MODULES)
        assert blurred.sharpness < 0.5 * sharp.sharpness
    bright, dim = (measure_code(*by_corners(Pose(light=light)), MODULES) for light in (1.0, 0.3))
    assert dim.sharpness == pytest.approx(bright.sharpness, rel=0.3)
    assert dim.paper < 100 < bright.paper


def by_corners(pose: Pose) -> tuple[Grey, tuple[tuple[float, float], ...]]:
    frame, code = seen(pose)
    return frame, code.corners


def test_a_lamp_that_is_reflected_burns_a_part_of_the_code() -> None:
    plain, glare = (measure_code(*by_corners(Pose(glare=radius)), MODULES).burnt for radius in (0.0, 0.2))
    assert plain == 0
    assert 0.05 < glare < 0.25


def test_corners_that_enclose_nothing_are_measured_as_something_dull() -> None:
    grey = np.full((48, 64), 128, dtype=np.uint8)
    for corners in (((5.0, 5.0),) * 4, ((-9e6, 0.0), (9e6, 0.0), (9e6, 1.0), (-9e6, 1.0))):
        assert np.isfinite(measure_code(grey, corners, MODULES).sharpness)
    assert module_px(((5.0, 5.0),) * 4, MODULES) == 0


@pytest.mark.parametrize(
    "corners",
    [((0.0, 0.0), (50.0, 0.0), (0.0, 25.0)), ((0.0, 0.0), (50.0, 0.0), (50.0, 25.0), (9.0, 25.0), (0.0, 9.0))],
)
def test_a_code_with_three_or_five_corners_is_taken_by_its_box(corners: Corners) -> None:
    assert module_px(corners, MODULES) == 1
    assert measure_code(np.full((48, 64), 128, dtype=np.uint8), corners, MODULES).contrast < 10


def test_a_part_of_a_picture_is_cut_at_its_edges() -> None:
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    assert cut(grey, (-2, -2, 3, 2)).tolist() == [[0, 1, 2], [8, 9, 10]]
    assert measure(cut(grey, (2, 2, 6, 4))).contrast > 0


def as_jpeg(picture: Grey) -> Grey:
    return np.asarray(cv2.imencode(".jpg", picture)[1]).reshape(1, -1)


BGR = np.full((48, 64, 3), (10, 200, 30), dtype=np.uint8)


@pytest.mark.parametrize(
    "picture",
    [BGR, BGR[:, :, 1], as_jpeg(BGR), np.full((48, 64, 2), 128, dtype=np.uint8)],
    ids=["bgr", "grey", "jpeg", "yuyv"],
)
def test_whatever_a_driver_delivers_becomes_a_picture_for_a_browser(picture: Grey) -> None:
    jpeg = to_jpeg(Frame(picture, 0))
    assert jpeg is not None
    shown = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (48, 64, 3)


def test_a_large_picture_is_sent_smaller() -> None:
    jpeg = to_jpeg(Frame(np.zeros((1080, 1920), dtype=np.uint8), 0))
    assert jpeg is not None
    shown = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape[:2] == (540, SHOWN_WIDTH_PX)


def test_a_torn_picture_is_none() -> None:
    assert to_jpeg(Frame(np.zeros((1, 200), dtype=np.uint8), 0)) is None
