"""A programme that stands for a camera's: it writes pictures to its standard output as Motion JPEG, at a camera's pace.

Run as `python camera_programme.py FOLDER FPS`: the JPEGs of the folder by name, once; it stays while somebody reads.
"""

import select
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the programme itself must start quickly
    from collections.abc import Iterable

    from hardware.qr_decode import Grey


def write_jpegs(folder: Path, frames: "Iterable[Grey]") -> list[bytes]:
    """The frames as JPEG files for the programme to play, and what is in them."""
    import cv2

    folder.mkdir(exist_ok=True)
    jpegs = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames]
    for number, jpeg in enumerate(jpegs):
        (folder / f"{number:05d}.jpg").write_bytes(jpeg)
    return jpegs


def command_source(folder: Path, fps: float = 15) -> str:
    """The source that plays the folder."""
    return "command:" + shlex.join([sys.executable, "-I", __file__, str(folder), str(fps)])


def _play(folder: Path, fps: float) -> None:
    for jpeg in sorted(folder.iterdir()):
        sys.stdout.buffer.write(jpeg.read_bytes())
        sys.stdout.buffer.flush()
        time.sleep(1 / fps)
    unread = select.poll()
    unread.register(sys.stdout, 0)  # asks for nothing; that the other end is closed is told all the same
    unread.poll()


if __name__ == "__main__":
    _play(Path(sys.argv[1]), float(sys.argv[2]))
