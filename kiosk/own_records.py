"""This kiosk's own records of today, kept in memory so that a decision costs no reading of the disk."""

from typing import TYPE_CHECKING

from attendance.clock import NS_IN_S
from attendance.records import AttendanceRecord
from kiosk.journal import Journal
from kiosk.today import Now

if TYPE_CHECKING:
    from datetime import date

DAY_NS = 24 * 3600 * NS_IN_S


class OwnRecords:
    """What the journal holds of today: records of this boot by its own clock, earlier ones by the wall clock."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._day: date | None = None
        self._salvages = 0
        self.this_boot: list[AttendanceRecord] = []
        self.earlier: list[AttendanceRecord] = []

    def load(self, now: Now) -> None:
        """Read the journal if the day is another than it was, or records came back to it. Raises: JournalError."""
        salvages = self._journal.salvages
        if (now.day, salvages) == (self._day, self._salvages):
            return
        this_boot = self._journal.records_of_boot(max(0, now.boot_ns - DAY_NS))
        if now.day == self._day:
            # What a damaged journal did not give back is still known to this process.
            read = {(record.session, record.seq) for record in this_boot}
            this_boot = [record for record in self.this_boot if (record.session, record.seq) not in read] + this_boot
        sessions = {record.session for record in this_boot}
        of_day = self._journal.records_of_day(now.day)
        self.earlier = [record for record in of_day if record.session not in sessions]
        self.this_boot = this_boot
        self._day, self._salvages = now.day, salvages

    def add(self, record: AttendanceRecord) -> None:
        """Take in what was just recorded."""
        self.this_boot.append(record)
