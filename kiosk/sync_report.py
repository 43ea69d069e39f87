"""The sync process's status for the doctor: a small file in the runtime folder, written after each question."""

from pathlib import Path

import msgspec

from attendance.clock import NS_IN_S
from kiosk.status_file import StatusFile, read_status

FILE_NAME = "sync.json"
SILENT_S = 120.0
"""How long a question and its answer may take before the process is called silent: two slow answers."""


class SyncReport(msgspec.Struct, frozen=True):
    """How the sync process was at an instant of this boot."""

    boot_ns: int
    wait_s: float
    """When it will ask again, counted from then."""
    fault: str = ""
    """What stood between kiosk and server; empty when the server answered."""
    problems: tuple[str, ...] = ()
    quarantined: int = 0
    """How many entries the server kept without understanding them, since the process began."""

    def silent_s(self, now_boot_ns: int) -> float:
        """Return for how long it should have asked again and did not; 0 while all is well."""
        late_s = (now_boot_ns - self.boot_ns) / NS_IN_S - self.wait_s
        return late_s if late_s > SILENT_S else 0.0


def report_file(runtime_dir: Path) -> StatusFile:
    """Return the file to write to."""
    return StatusFile(runtime_dir / FILE_NAME)


def read_sync_report(runtime_dir: Path) -> SyncReport | None:
    """Return the process's last word; None when there is none that can be read."""
    return read_status(runtime_dir / FILE_NAME, SyncReport)
