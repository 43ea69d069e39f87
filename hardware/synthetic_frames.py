"""Synthetic: single frames hard in one way each, and sequences of a hurried child's card, for tests and benchmarks."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

import numpy as np

from hardware.qr_decode import Grey
from hardware.synthetic_card import draw_card
from hardware.synthetic_scene import Pose, Scene

Random: TypeAlias = np.random.Generator
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
PAYLOAD_CHARACTERS = 29
"""The most that version 2 holds at ECC Q."""
HOLD_S = 2.2
"""How long a hurried child's card is in view."""


class Condition(StrEnum):
    """What makes a frame hard to read."""

    PLAIN = "plain"
    TILT = "tilt"
    ROTATION = "rotation"
    MOTION = "motion"
    DEFOCUS = "defocus"
    LOW_LIGHT = "low_light"
    GLARE = "glare"
    THUMB = "thumb"
    DISTANCE = "distance"
    MOIRE = "moire"
    DARK_PHONE = "dark_phone"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class HardFrame:
    """One frame with one card in it."""

    condition: Condition
    payload: str
    grey: Grey


@dataclass(frozen=True, slots=True)
class HandSequence:
    """A card shown once and taken away again, as a camera saw it."""

    payload: str
    frames: tuple[Grey, ...]
    shown_at: int
    """Number of the first frame in which the card is held still enough to be called shown."""


def draw_payload(random: Random) -> str:
    """A random upper-case base32 text of a card's length; without the check of a real one."""
    return "".join(random.choice(list(ALPHABET), PAYLOAD_CHARACTERS))


def draw_hard_frames(per_condition: int, *, seed: int) -> Iterator[HardFrame]:
    """Frames of every condition in turn, from hardly to very hard; the same seed gives the same frames."""
    random = np.random.default_rng(seed)
    scene = Scene(seed=seed)
    for number in range(per_condition):
        hardness = (number + 1) / per_condition
        for condition in Condition:
            payload = draw_payload(random)
            card = draw_card(payload, inverted=condition is Condition.DARK_PHONE)
            yield HardFrame(condition, payload, scene.render(card, _pose(condition, hardness, random)))


def draw_sequence(*, fps: int = 15, seed: int) -> HandSequence:
    """One showing by a hand that trembles, slips, tilts and hurries, some of each; the same seed gives the same."""
    random = np.random.default_rng(seed)
    scene = Scene(seed=seed)
    payload = draw_payload(random)
    card = draw_card(payload)
    path = _draw_path(random)
    lead = fps // 2
    frames = [scene.render(None, Pose()) for _ in range(lead)]
    frames += [scene.render(card, path(number / fps)) for number in range(math.ceil(HOLD_S * fps))]
    return HandSequence(payload, tuple(frames), lead)


def _pose(condition: Condition, hardness: float, random: Random) -> Pose:
    easy = Pose(
        x=float(random.uniform(0.4, 0.6)),
        y=float(random.uniform(0.4, 0.6)),
        size=float(random.uniform(0.28, 0.38)),
        yaw=float(random.uniform(-10, 10)),
        pitch=float(random.uniform(-10, 10)),
        roll=float(random.uniform(-10, 10)),
    )
    return easy if condition is Condition.PLAIN else _HARDEN[condition](easy, hardness, random)


def _tilt(pose: Pose, hardness: float, random: Random) -> Pose:
    way = float(random.uniform(0, math.tau))
    return replace(pose, yaw=65 * hardness * math.cos(way), pitch=65 * hardness * math.sin(way))


def _rotation(pose: Pose, hardness: float, random: Random) -> Pose:
    return replace(pose, roll=180 * hardness * float(random.choice((-1, 1))))


def _motion(pose: Pose, hardness: float, random: Random) -> Pose:
    return replace(pose, motion_px=16 * hardness, motion_angle=float(random.uniform(0, 180)))


def _defocus(pose: Pose, hardness: float, _random: Random) -> Pose:
    return replace(pose, defocus_px=0.6 + 4.4 * hardness)


def _low_light(pose: Pose, hardness: float, _random: Random) -> Pose:
    return replace(pose, light=1 - 0.93 * hardness, noise=3 + 5 * hardness)


def _glare(pose: Pose, hardness: float, random: Random) -> Pose:
    at = (float(random.uniform(0, 1)), float(random.uniform(0, 1)))
    return replace(pose, glare=0.05 + 0.3 * hardness, glare_at=at)


def _thumb(pose: Pose, hardness: float, random: Random) -> Pose:
    return replace(pose, thumb=0.25 * hardness, thumb_at=float(random.uniform(0, 360)))


def _distance(pose: Pose, hardness: float, _random: Random) -> Pose:
    return replace(pose, size=0.38 - 0.31 * hardness)


def _moire(pose: Pose, hardness: float, _random: Random) -> Pose:
    return replace(pose, moire=90 * hardness)


def _dark_phone(pose: Pose, hardness: float, random: Random) -> Pose:
    return replace(_tilt(pose, 0.5 * hardness, random), defocus_px=0.6 + 1.5 * hardness)


def _mixed(pose: Pose, hardness: float, random: Random) -> Pose:
    ways = (_tilt, _motion, _defocus, _low_light, _glare, _thumb, _distance, _moire)
    for way in random.permutation(len(ways))[:3]:
        pose = ways[way](pose, 0.6 * hardness, random)
    return pose


_HARDEN: dict[Condition, Callable[[Pose, float, Random], Pose]] = {
    Condition.TILT: _tilt,
    Condition.ROTATION: _rotation,
    Condition.MOTION: _motion,
    Condition.DEFOCUS: _defocus,
    Condition.LOW_LIGHT: _low_light,
    Condition.GLARE: _glare,
    Condition.THUMB: _thumb,
    Condition.DISTANCE: _distance,
    Condition.MOIRE: _moire,
    Condition.DARK_PHONE: _dark_phone,
    Condition.MIXED: _mixed,
}


def _draw_path(random: Random) -> Callable[[float], Pose]:
    """How one hurried child's card moves: what is wrong with it swells and ebbs, so that some frames are better."""
    size = float(random.uniform(0.17, 0.4))
    tilt_way, tilt = float(random.uniform(0, math.tau)), float(random.uniform(0, 50))
    thumb = float(random.uniform(0.0, 0.18)) if random.random() < 0.35 else 0.0
    thumb_at = float(random.uniform(0, 360))
    glare = float(random.uniform(0.05, 0.22)) if random.random() < 0.2 else 0.0
    light = float(random.uniform(0.2, 1.0))
    shake_px, blur_px = float(random.uniform(0, 12)), float(random.uniform(0.6, 2.6))
    roll = float(random.uniform(-40, 40))
    rates = random.uniform(0.4, 1.8, 6)
    phases = random.uniform(0, math.tau, 6)
    arrival_s = 0.3

    def swell(which: int, now_s: float) -> float:
        return 0.5 + 0.5 * math.sin(math.tau * float(rates[which]) * now_s + float(phases[which]))

    def pose(now_s: float) -> Pose:
        away = max(0.0, 1 - now_s / arrival_s)
        lean = tilt * (0.6 + 0.4 * swell(0, now_s))
        return Pose(
            x=0.5 - 0.7 * away + 0.06 * (swell(1, now_s) - 0.5),
            y=0.5 + 0.06 * (swell(2, now_s) - 0.5),
            size=size * (0.9 + 0.2 * swell(3, now_s)),
            yaw=lean * math.cos(tilt_way),
            pitch=lean * math.sin(tilt_way),
            roll=roll,
            motion_px=max(20 * away, shake_px * swell(4, now_s)),
            motion_angle=180 * swell(1, now_s),
            defocus_px=blur_px * (0.6 + 0.4 * swell(5, now_s)),
            light=light,
            noise=3 + 4 * (1 - light),
            thumb=thumb * swell(2, now_s),
            thumb_at=thumb_at,
            glare=glare,
            glare_at=(swell(3, now_s), swell(5, now_s)),
        )

    return pose
