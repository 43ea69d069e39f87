"""A reader's own process, `python -m kiosk.reader_process`: takes the reader's settings from the door that starts it.

Stands at step 1 of the straight line; a composition root, as `kiosk.run` is of the door.
"""

import logging
import os
from contextlib import suppress

import msgspec

from attendance.faults import where
from attendance.logs import log_to_stderr
from hardware.reader_child import DoorLine, confine, serve
from hardware.reader_messages import Lost
from kiosk.config import ReaderKind, ReaderSettings
from kiosk.devices import make_driver

SILENCE_S = 8.0
"""A camera that sends nothing is lost after 5 s by the driver's own judgement; only what takes longer is a hang."""


def main() -> None:
    """Serve one reader until the door lets go."""
    door = DoorLine()
    log_to_stderr()
    confine()
    try:
        wanted = msgspec.json.decode(door.read_setup(), type=ReaderSettings)
        serve(make_driver(wanted, watch=lambda _frame, _codes: door.alive()), door, silence_s(wanted))
    except Exception as error:  # noqa: BLE001 - a driver's own bug; its text may hold a payload
        with suppress(BrokenPipeError):
            door.send(Lost(f"{type(error).__name__} at {where(error)}"))
    logging.shutdown()
    # At once: what a driver's library would do at the end of a process has been seen to crash and to hang.
    os._exit(0)


def silence_s(wanted: ReaderSettings) -> float | None:
    """How long its driver may say nothing; None for a driver whose loop cannot be watched."""
    if wanted.kind is not ReaderKind.QR_CAMERA:
        return None
    return SILENCE_S + 2 / wanted.fps  # recorded pictures may come as slowly as is set


if __name__ == "__main__":
    main()
