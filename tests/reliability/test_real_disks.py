"""The same on real filesystems: a full ext4 that loses its power, one that may not be written, one without inodes."""

from contextlib import closing, suppress
from pathlib import Path

import pytest

from bench.faulty_disk.nodes import ACKNOWLEDGED
from bench.journal_writer import JOURNAL, Promise, body, open_journal, promises
from kiosk.answer import AnswerKind
from kiosk.errors import JournalError
from kiosk.journal_reader import JournalReader
from tests.reliability.real_disks import Ext4, fill, tmpfs
from tests.reliability.watched_door import OK, door_on


def assert_kept(disk: Path, promised: list[Promise]) -> None:
    """The journal on a disk is sound and holds what was promised."""
    with closing(JournalReader(disk / JOURNAL)) as reader:
        assert reader.verify() > len(promised)
        for session, seq, digest in promised:
            assert reader.read(session, seq, 1)[0].hash == digest


def test_a_full_ext4_breaks_no_promise_and_a_power_cut_none_either(tmp_path: Path) -> None:
    with Ext4(tmp_path) as ext4:
        with door_on(ext4.folder) as door:
            assert door.taps(2) <= OK
            fill(ext4.folder / "filler")
            taken = 0
            while door.tap() in OK:
                taken += 1
            assert door.taps(3) == {AnswerKind.BROKEN}
            (ext4.folder / "filler").unlink()
            assert door.taps(3) <= OK
            promised = promises((ext4.folder / ACKNOWLEDGED).read_bytes())
            assert len(promised) == 2 + taken + 3
            ext4.cut_power()
            assert door.tap() is AnswerKind.BROKEN
        ext4.mount_again()
        assert_kept(ext4.folder, promised)
        with door_on(ext4.folder) as door:
            assert door.taps(2) <= OK


def test_a_journal_on_an_ext4_that_may_not_be_written_goes_on_when_it_may(tmp_path: Path) -> None:
    with Ext4(tmp_path) as ext4:
        with closing(open_journal(ext4.folder)) as journal:
            before = journal.append(body(0))
        ext4.remount("ro")
        with closing(open_journal(ext4.folder)) as journal:
            with pytest.raises(JournalError):
                journal.append(body(1))
            ext4.remount("rw")
            after = journal.append(body(1))
            assert [head.session for head in journal.heads()] == [before.session, after.session]


def test_a_journal_that_finds_no_inode_goes_on_when_there_is_one(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "tmpfs", files=12) as disk:
        for left in reversed(range(12)):
            with suppress(OSError):
                (disk / f"file-{left}").touch()
        with closing(open_journal(disk)) as journal:
            for left in range(12):
                with suppress(JournalError):
                    journal.append(body(left))
                    break
                (disk / f"file-{left}").unlink(missing_ok=True)
            else:
                pytest.fail("it did not go on")
            assert left > 0
