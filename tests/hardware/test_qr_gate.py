"""The idle gate: asleep over an empty doorway, awake in the very frame in which something appears."""

import numpy as np

from hardware.qr_gate import GLANCE_FRAMES, HOLD_FRAMES, Attention, IdleGate
from hardware.synthetic_card import draw_card
from hardware.synthetic_scene import Pose, Scene

CARD = draw_card("TABCDEFGHIJKLMNOPQRSTUVWXYZ23")


def settled(scene: Scene) -> IdleGate:
    gate = IdleGate()
    for _ in range(HOLD_FRAMES):
        gate.look(scene.render(None, Pose()))
    return gate


def test_an_empty_doorway_is_looked_at_once_in_twenty_frames() -> None:
    scene = Scene()
    gate = settled(scene)
    looks = [gate.look(scene.render(None, Pose(noise=6.0))).attention for _ in range(GLANCE_FRAMES * 5)]
    assert looks.count(Attention.ASLEEP) == (GLANCE_FRAMES - 1) * 5
    assert looks.count(Attention.GLANCE) == 5


def test_the_first_frame_with_a_card_wakes_it_even_from_afar() -> None:
    scene = Scene()
    gate = settled(scene)
    assert gate.look(scene.render(CARD, Pose(size=0.15, light=0.9))).attention is Attention.AWAKE


def test_a_slow_change_of_light_does_not_wake_it() -> None:
    scene = Scene()
    gate = settled(scene)
    looks = [gate.look(scene.render(None, Pose(light=1 - number / 400))).attention for number in range(200)]
    assert Attention.AWAKE not in looks


def test_it_stays_awake_for_a_while_and_then_sleeps_again() -> None:
    scene = Scene()
    gate = settled(scene)
    gate.look(scene.render(CARD, Pose()))
    looks = [gate.look(scene.render(None, Pose())).attention for _ in range(HOLD_FRAMES * 4)]
    assert looks[: HOLD_FRAMES - 1] == [Attention.AWAKE] * (HOLD_FRAMES - 1)
    assert looks[-1] is not Attention.AWAKE


def test_the_first_frames_of_all_are_looked_at() -> None:
    assert IdleGate().look(Scene().render(CARD, Pose())).attention is Attention.AWAKE


def test_the_region_holds_the_whole_code_and_stays_in_the_frame() -> None:
    scene = Scene()
    gate = settled(scene)
    region = gate.look(scene.render(CARD, Pose(x=0.3, y=0.3, size=0.3))).region
    assert region is not None
    left, top, right, bottom = region
    across, down = 0.15 * 480 / 640, 0.15
    assert 0 <= left < 0.3 - across
    assert 0 <= top < 0.3 - down
    assert 0.3 + across < right <= 1
    assert 0.3 + down < bottom <= 1


def test_a_frame_smaller_than_the_thumbnail_does_no_harm() -> None:
    tiny = np.zeros((20, 20), dtype=np.uint8)
    gate = IdleGate()
    gate.look(tiny)
    assert gate.look(np.full((20, 20), 255, dtype=np.uint8)).attention is Attention.AWAKE
