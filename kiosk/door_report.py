"""The door's status for the sync process, which sends it to the server: a small file in the runtime folder.

The door writes it each second, through a `Display` as for the screen. A file that grows old means that the door hangs
or does not run, which is reported as a problem of its own.
"""

from pathlib import Path

import msgspec

from attendance.clock import NS_IN_S, Clock
from attendance.wire import DoorProblem
from kiosk.answer import Answer, DoorStatus
from kiosk.status_file import StatusFile, read_status

FILE_NAME = "door.json"
SILENT_S = 10.0
"""The door writes each second."""
STARTING_S = 30.0
"""How long a small machine takes to start the door; until then it is not called silent."""
READER_DOWN = "down"


class DoorReport(msgspec.Struct, frozen=True):
    """How the door was at an instant of this boot."""

    boot_ns: int
    readers_down: tuple[str, ...]
    broken: bool
    short_of_space: bool = False

    def readers(self) -> dict[str, str]:
        """Return the readers that do not answer, as the server is told."""
        return dict.fromkeys(self.readers_down, READER_DOWN)

    def problems(self, now_boot_ns: int, since_boot_ns: int) -> tuple[DoorProblem, ...]:
        """Return what is wrong with the door.

        `since_boot_ns` is when the caller began to look: a door that is only starting is not called silent.
        """
        silent_from_ns = max(self.boot_ns + SILENT_S * NS_IN_S, since_boot_ns + STARTING_S * NS_IN_S)
        silent = now_boot_ns > silent_from_ns
        there = {
            DoorProblem.DOOR_SILENT: silent,
            DoorProblem.JOURNAL_UNWRITABLE: self.broken,
            DoorProblem.DISK_FULL: self.short_of_space,
        }
        return tuple(problem for problem, is_so in there.items() if is_so)


NO_REPORT = DoorReport(boot_ns=-(10**18), readers_down=(), broken=False)
"""Stands for a door that has not run since the machine started; it counts as silent."""


class ReportingDisplay:
    """Writes the door's status where the sync process finds it. Thread: any, one at a time."""

    def __init__(self, runtime_dir: Path, clock: Clock) -> None:
        self._file = StatusFile(runtime_dir / FILE_NAME)
        self._clock = clock

    def show(self, answer: Answer) -> None:
        """Answers are for the child alone."""

    def status(self, status: DoorStatus) -> None:
        """Write the status, whole or not at all; what fails is logged once."""
        boot_ns = self._clock.read().boot_ns
        self._file.write(DoorReport(boot_ns, status.readers_down, status.broken, status.short_of_space))


def read_report(runtime_dir: Path) -> DoorReport:
    """Return the door's last report; `NO_REPORT` when there is none that can be read."""
    return read_status(runtime_dir / FILE_NAME, DoorReport) or NO_REPORT
