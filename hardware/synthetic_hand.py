"""Synthetic: videos of cards held to a camera by an unsteady hand, for the demo, tests and benchmarks.

`python -m hardware.synthetic_hand --schedule schedule.json --out door.avi` writes one; the schedule is a list of
{"payload": text, "at_s": when the card is steady in view, "hold_s": for how long}.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from hardware.errors import DriverMissing
from hardware.qr_decode import Grey
from hardware.synthetic_card import draw_card
from hardware.synthetic_scene import Pose, Scene

APPROACH_S = 0.2
"""How long the card takes into and out of view, before `at_s` and after `at_s + hold_s`."""
TAIL_S = 1.0


class Showing(msgspec.Struct, frozen=True):
    """One card shown once."""

    payload: str
    at_s: float
    hold_s: float


@dataclass(frozen=True, slots=True)
class _Hand:
    """How one child holds one card: where, how tilted, and how the hand sways."""

    x: float
    y: float
    size: float
    yaw: float
    pitch: float
    roll: float
    sway_hz: float
    phase: float
    side: int
    """From which side the card comes: -1 left, 1 right."""

    def pose(self, since_s: float, hold_s: float) -> Pose:
        """The pose `since_s` after the card came to rest; before 0 and after `hold_s` it moves."""
        away = max(-since_s, since_s - hold_s, 0.0) / APPROACH_S
        sway = math.tau * self.sway_hz * since_s + self.phase
        return Pose(
            x=self.x + self.side * 0.8 * away**1.5 + 0.006 * math.sin(sway),
            y=self.y + 0.15 * away + 0.008 * math.sin(1.7 * sway),
            size=self.size * (1 + 0.02 * math.sin(0.6 * sway)),
            yaw=self.yaw + 3 * math.sin(sway),
            pitch=self.pitch + 3 * math.cos(0.8 * sway),
            roll=self.roll + 2 * math.sin(0.5 * sway),
            motion_px=14.0 if away > 0 else 1.5 + 1.5 * abs(math.sin(sway)),
            motion_angle=0.0 if away > 0 else math.degrees(sway) % 180,
            defocus_px=0.8,
        )


def draw_frames(
    showings: Sequence[Showing], *, width: int = 640, height: int = 480, fps: int = 15, seed: int = 1
) -> Iterator[Grey]:
    """Frames of the showings in turn, with an empty doorway between; the same seed gives the same frames."""
    scene = Scene(width=width, height=height, seed=seed)
    rng = np.random.default_rng(seed + 1)
    hands = [_draw_hand(rng) for _ in showings]
    end_s = max((showing.at_s + showing.hold_s for showing in showings), default=0.0) + TAIL_S
    for number in range(math.ceil(end_s * fps)):
        now_s = number / fps
        frame = None
        for showing, hand in zip(showings, hands, strict=True):
            if showing.at_s - APPROACH_S < now_s < showing.at_s + showing.hold_s + APPROACH_S:
                frame = scene.render(draw_card(showing.payload), hand.pose(now_s - showing.at_s, showing.hold_s))
        yield scene.render(None, Pose()) if frame is None else frame


def write_video(
    showings: Sequence[Showing], path: Path, *, width: int = 640, height: int = 480, fps: int = 15, seed: int = 1
) -> None:
    """Write the frames as Motion JPEG in an AVI file. Raises: OSError when the file cannot be written."""
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
    if not writer.isOpened():
        raise OSError(f"cannot write a video to {path}")
    try:
        for frame in draw_frames(showings, width=width, height=height, fps=fps, seed=seed):
            writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    finally:
        writer.release()


def read_schedule(path: Path) -> list[Showing]:
    """The schedule in a JSON file, by time. Raises: OSError, ValueError saying what is wrong where."""
    return sorted(msgspec.json.decode(path.read_bytes(), type=list[Showing]), key=lambda showing: showing.at_s)


def _draw_hand(rng: np.random.Generator) -> _Hand:
    return _Hand(
        x=float(rng.uniform(0.42, 0.52)),
        y=float(rng.uniform(0.42, 0.55)),
        size=float(rng.uniform(0.3, 0.42)),
        yaw=float(rng.uniform(-22, 22)),
        pitch=float(rng.uniform(-22, 22)),
        roll=float(rng.uniform(-15, 15)),
        sway_hz=float(rng.uniform(0.6, 1.4)),
        phase=float(rng.uniform(0, math.tau)),
        side=int(rng.choice((-1, 1))),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when the video was written."""
    parser = argparse.ArgumentParser(prog="python -m hardware.synthetic_hand", description=__doc__)
    parser.add_argument("--schedule", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        write_video(
            read_schedule(options.schedule),
            options.out,
            width=options.width,
            height=options.height,
            fps=options.fps,
            seed=options.seed,
        )
    except (OSError, ValueError, DriverMissing) as error:
        sys.stderr.write(f"{options.schedule} to {options.out}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
