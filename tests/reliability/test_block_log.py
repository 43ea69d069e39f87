"""What a block device was asked, read from QEMU's log; what a cut leaves of it; and what that is compared to."""

import os
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.block_cuts.block_log import SECTOR_BYTES, Entry, read_log
from bench.block_cuts.cuts import choose
from bench.block_cuts.disk import Disk, Loss
from bench.block_cuts.initramfs import pack
from bench.block_cuts.marks import (
    FILESYSTEM_BYTES,
    Appended,
    Began,
    Enrolling,
    LetGo,
    LettingGo,
    Mark,
    Phase,
    Storing,
    mark_in,
    to_sector,
)
from bench.block_cuts.promised import Left, Promised
from bench.block_cuts.recovery import look
from bench.block_cuts.workload import Variant, work

CHANCE = random.Random(1)
WRITE = Entry(sector=1, data=b"a" * SECTOR_BYTES, flush=False, fua=False)
FLUSH = Entry(sector=0, data=b"", flush=True, fua=False)
SESSION = "s" * 32


def sector(letter: str) -> bytes:
    return letter.encode() * SECTOR_BYTES


def write(number: int, letters: str, *, fua: bool = False, flush: bool = False) -> Entry:
    return Entry(number, b"".join(map(sector, letters)), flush=flush, fua=fua)


def as_logged(*entries: Entry, magic: int = 0x6A736677736872, flags: int = 0) -> bytes:
    parts = [struct.pack("<QQQI", magic, 1, len(entries), SECTOR_BYTES).ljust(SECTOR_BYTES, b"\0")]
    for entry in entries:
        flagged = flags | entry.flush | entry.fua << 1
        head = struct.pack("<QQQQ", entry.sector, len(entry.data) // SECTOR_BYTES, flagged, 0)
        parts += [head.ljust(SECTOR_BYTES, b"\0"), entry.data]
    return b"".join(parts)


def disk(*entries: Entry) -> Disk:
    made = Disk(sector(".") * 4)
    for entry in entries:
        made.apply(entry)
    return made


def letters(content: bytes) -> str:
    assert all(content[at : at + SECTOR_BYTES] == content[at : at + 1] * SECTOR_BYTES for at in range(0, 2048, 512))
    return content[::SECTOR_BYTES].decode()


def mark(said: Mark) -> Entry:
    return Entry(FILESYSTEM_BYTES // SECTOR_BYTES, to_sector(said), flush=False, fua=False)


def test_a_log_gives_back_what_was_asked() -> None:
    asked = [write(1, "ab"), FLUSH, write(3, "c", fua=True), write(0, "d", flush=True)]
    assert read_log(as_logged(*asked)) == asked


def test_what_follows_the_last_counted_entry_is_left_out() -> None:
    assert read_log(as_logged(WRITE, FLUSH) + as_logged(WRITE)) == [WRITE, FLUSH]


@pytest.mark.parametrize(
    ("log", "complaint"),
    [
        (b"", "too short"),
        (as_logged(WRITE, magic=1), "no log"),
        (as_logged(WRITE)[:-1], "entry 0 is cut off"),
        (as_logged(WRITE)[:SECTOR_BYTES], "entry 0 is cut off"),
        (as_logged(WRITE, flags=4), "entry 0 is of a kind that is not known: 4"),
    ],
)
def test_what_is_no_log_is_turned_away(log: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_log(log)


def test_what_was_not_flushed_may_be_lost_or_kept() -> None:
    cut = disk(write(0, "ab"), FLUSH, write(1, "cd"))
    assert letters(cut.after(Loss.LOST, CHANCE)) == "ab.."
    assert letters(cut.after(Loss.KEPT, CHANCE)) == "acd."


def test_a_flush_saves_what_came_before_it_and_not_what_it_comes_with() -> None:
    assert letters(disk(write(0, "a"), write(1, "b", flush=True)).after(Loss.LOST, CHANCE)) == "a..."


def test_a_write_through_the_cache_is_safe_by_itself_alone() -> None:
    cut = disk(write(0, "a"), write(1, "b"), write(1, "c", fua=True))
    assert letters(cut.after(Loss.LOST, CHANCE)) == ".c.."
    assert letters(cut.after(Loss.KEPT, CHANCE)) == "ac.."


def test_a_torn_disk_holds_any_state_of_each_sector_since_the_flush() -> None:
    cut = disk(write(0, "ab"), FLUSH, write(0, "cd"), write(0, "e"))
    left = {letters(cut.after(Loss.TORN, random.Random(seed))) for seed in range(100)}
    assert left == {one + other + ".." for one in "ace" for other in "bd"}


def test_a_write_beyond_the_end_is_turned_away() -> None:
    with pytest.raises(ValueError, match="beyond the end"):
        disk(write(3, "ab"))


def test_a_mark_is_read_from_the_log_and_no_other_write_is_taken_for_one() -> None:
    said = Appended(session=SESSION, seq=2**31 - 1, hash="f" * 64)
    assert mark_in(mark(said)) == said
    assert mark_in(WRITE) is None
    assert mark_in(FLUSH) is None


def test_cuts_are_spread_over_each_phase_up_to_the_last_mark() -> None:
    entries = [WRITE, mark(Began(Phase.MAKING)), *[WRITE] * 9, mark(Began(Phase.UPDATE)), WRITE, mark(Enrolling())]
    entries += [WRITE] * 5
    assert choose(entries, {Phase.MAKING: 5, Phase.UPDATE: 100}) == [2, 4, 6, 8, 10, 11, 12, 13]
    assert choose(entries, {Phase.MAKING: 1}) == [10]


@pytest.mark.parametrize("variant", Variant)
def test_a_kiosk_whose_power_never_goes_keeps_every_promise(
    tmp_path: Path, variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sync", lambda: None)  # of this whole machine
    marks = list[Mark]()
    work(tmp_path, marks.append, commits=3, variant=variant)
    assert [each.phase for each in marks if isinstance(each, Began)] == list(Phase)
    promised = promises_of(*marks)
    left = look(tmp_path, promised.told)
    assert promised.harm(left) == (None, None, None)
    assert left.sessions.keys() == promised.entries.keys()


def promises_of(*marks: Mark) -> Promised:
    promised = Promised()
    for each in marks:
        promised.note(each)
    return promised


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `marks` were made about and `left` is found in."""
    return tmp_path_factory.mktemp("life")


@pytest.fixture(scope="module")
def marks(life: Path) -> list[Mark]:
    told: list[Mark] = []
    work(life, told.append, commits=3)
    return told


@pytest.fixture(scope="module")
def left(life: Path, marks: list[Mark]) -> Left:
    return look(life, promises_of(*marks).told)


def last(left: Left) -> str:
    return list(left.sessions)[-1]


def shortened(left: Left) -> Left:
    return replace(left, sessions={**left.sessions, last(left): left.sessions[last(left)][:-1]})


def without(left: Left) -> Left:
    return replace(
        left, sessions={session: left.sessions[session] for session in left.sessions if session != last(left)}
    )


def with_session(left: Left, session: str, entries: int) -> Left:
    return replace(left, sessions={**left.sessions, session: left.sessions[last(left)][:entries]})


@pytest.mark.parametrize(
    "change",
    [
        shortened,
        without,
        lambda left: replace(left, kiosk=None),
        lambda left: replace(left, kiosk="kiosk-2"),
        lambda left: replace(left, told={"s": 6}),
    ],
)
def test_what_was_promised_and_is_not_there_is_lost(
    marks: list[Mark], left: Left, change: Callable[[Left], Left]
) -> None:
    harm = promises_of(*marks).harm(change(left))
    assert harm.lost is not None
    assert (harm.doubled, harm.wrong) == (None, None)


@pytest.mark.parametrize(
    "change",
    [
        lambda left: replace(left, roster=("roster-3", 1)),
        lambda left: replace(left, roster=("roster-99", 139)),
        lambda left: with_session(left, "f" * 32, 2),
    ],
)
def test_what_nobody_wrote_is_wrong(marks: list[Mark], left: Left, change: Callable[[Left], Left]) -> None:
    harm = promises_of(*marks).harm(change(left))
    assert harm.wrong is not None
    assert harm.lost is None


def test_an_entry_that_is_there_twice_is_doubled(marks: list[Mark], left: Left) -> None:
    assert promises_of(*marks).harm(with_session(left, "f" * 32, 2)).doubled == "1 entries are there twice"


def test_what_was_let_go_does_not_come_back(marks: list[Mark], left: Left) -> None:
    gone = next(each.session for each in marks if isinstance(each, LetGo))
    assert promises_of(*marks).harm(with_session(left, gone, 1)).wrong == "a session that was let go is back"


def test_an_identity_comes_from_an_enrolment(left: Left) -> None:
    left = replace(left, sessions={}, roster=("", 0))
    assert promises_of().harm(left).wrong == "an identity from nowhere"
    assert promises_of(Enrolling()).harm(left).wrong is None


def test_what_was_under_way_may_be_done_or_not(marks: list[Mark], left: Left) -> None:
    promised = promises_of(*marks, Enrolling(), LettingGo(last(left)), Storing(12))
    for change in (
        without,
        lambda left: replace(left, kiosk=None),
        lambda left: replace(left, roster=("roster-12", 52)),
    ):
        assert promised.harm(change(left)) == (None, None, None)
    assert promised.harm(shortened(left)).lost is not None
    newest = marks[-1]
    assert isinstance(newest, Appended)
    assert promises_of(*marks[:-1]).harm(left) == (None, None, None)
    assert promises_of(*marks[:-2]).harm(left).wrong == "entries that nobody wrote"


def test_an_entry_out_of_its_place_is_no_promise() -> None:
    with pytest.raises(ValueError, match="entry 1 was promised after 0"):
        promises_of(Appended("s", 1, ""))


def test_files_are_packed_as_the_kernel_takes_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    archive = pack({Path("/one/file"): tmp_path / "file", Path("/one/link"): tmp_path / "link"})
    found = unpacked(archive)
    assert found["one"][0] == "040755"
    assert found["one/file"][1] == b"content"
    assert (found["one/link"][0][:3], found["one/link"][1]) == ("120", b"file")
    assert list(found)[-1] == "TRAILER!!!"


def unpacked(archive: bytes) -> dict[str, tuple[str, bytes]]:
    """Names with octal modes and contents, read by the format's own rules."""
    members, at = {}, 0
    while at < len(archive):
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * place : at + 14 + 8 * place], 16) for place in range(13)]
        begins = (at + 110 + fields[11] + 3) // 4 * 4
        name = archive[at + 110 : at + 109 + fields[11]].decode()
        members[name] = f"{fields[1]:06o}", archive[begins : begins + fields[6]]
        at = (begins + fields[6] + 3) // 4 * 4
    return members
