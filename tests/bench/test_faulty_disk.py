import errno
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.faulty_disk import mount
from bench.faulty_disk.faults import Fail
from bench.faulty_disk.mount import CannotMount, FaultyDisk, faulty_disk
from bench.faulty_disk.operations import Make, Operation, Remove, Rename, Resize, Sync, SyncFolder, Write
from bench.faulty_disk.power_cut import SECTOR_BYTES, Disk, Image
from bench.power_cuts import disk_in_memory

MADE: list[Operation] = [Make(1, "/a"), SyncFolder("/", ok=True)]
changes = st.lists(
    st.builds(Write, file=st.just(1), offset=st.integers(0, 3000), data=st.binary(min_size=1, max_size=1500))
    | st.builds(Resize, file=st.just(1), size=st.integers(0, 4000))
    | st.builds(Sync, file=st.just(1), ok=st.booleans()),
    max_size=8,
)


def after(*operations: Operation, lies: bool = False) -> Disk:
    disk = Disk(lies=lies)
    for operation in operations:
        disk.apply(operation)
    return disk


def torn(disk: Disk) -> list[Image]:
    """What chance left, a hundred times."""
    return [disk.torn(random.Random(seed)) for seed in range(100)]


@given(changes)
def test_what_was_written_is_read_and_kept(done: list[Operation]) -> None:
    expected = bytearray()
    for each in done:
        match each:
            case Write():
                expected.extend(bytes(max(0, each.offset - len(expected))))
                expected[each.offset : each.offset + len(each.data)] = each.data
            case Resize():
                expected = expected[: each.size].ljust(each.size, b"\0")
            case _:
                pass
    disk = after(*MADE, *done)
    assert disk.kept() == {"/a": bytes(expected)}
    assert disk.content("/a") == bytes(expected)


@given(changes.filter(lambda done: all(not isinstance(each, Sync) or each.ok for each in done)))
def test_what_was_synced_is_left_after_any_cut(done: list[Operation]) -> None:
    disk = after(*MADE, *done, Sync(1, ok=True))
    assert disk.lost() == disk.kept()
    assert all(image == disk.kept() for image in torn(disk))


def test_a_write_survives_by_sectors_and_its_length_by_itself() -> None:
    disk = after(*MADE, Write(1, 0, b"x" * 2 * SECTOR_BYTES))
    x, zero = b"x" * SECTOR_BYTES, bytes(SECTOR_BYTES)
    assert disk.lost() == {"/a": b""}
    assert {image["/a"] for image in torn(disk)} == {b"", x + x, x + zero, zero + x, zero + zero}


def test_no_later_sync_brings_what_one_that_failed_left_unless_it_is_written_again() -> None:
    failed: list[Operation] = [*MADE, Write(1, 0, b"x" * SECTOR_BYTES), Sync(1, ok=False)]
    assert after(*failed, Sync(1, ok=True)).lost() == {"/a": b""}
    behind = after(*failed, Write(1, SECTOR_BYTES, b"y"), Sync(1, ok=True))
    assert behind.lost() == {"/a": bytes(SECTOR_BYTES) + b"y"}
    again = after(*failed, Write(1, 0, b"z"), Sync(1, ok=True))
    assert again.lost() == {"/a": b"z" + b"x" * (SECTOR_BYTES - 1)}


def test_a_name_lasts_once_its_folder_was_synced() -> None:
    new: list[Operation] = [Make(1, "/a"), Write(1, 0, b"x"), Sync(1, ok=True)]
    assert after(*new).lost() == {}
    assert after(*new, SyncFolder("/", ok=False)).lost() == {}
    moved: list[Operation] = [*new, SyncFolder("/", ok=True), Rename("/a", "/b"), Make(2, "/a")]
    assert after(*moved).lost() == {"/a": b"x"}
    assert after(*moved, SyncFolder("/", ok=True)).lost() == {"/a": b"", "/b": b"x"}
    assert {frozenset(image.items()) for image in torn(after(*moved))} == {
        frozenset({("/a", b"x")}),
        frozenset({("/b", b"x")}),
        frozenset({("/a", b""), ("/b", b"x")}),
    }
    assert after(*new, SyncFolder("/", ok=True), Remove("/a")).lost() == {"/a": b"x"}


def test_a_disk_that_lies_keeps_nothing() -> None:
    assert after(*MADE, Write(1, 0, b"x"), Sync(1, ok=True), lies=True).lost() == {}


def test_a_mounted_disk_records_what_it_is_asked_and_shows_it() -> None:
    with disk_in_memory() as disk:
        file = disk.folder / "a"
        descriptor = os.open(file, os.O_CREAT | os.O_RDWR)
        os.write(descriptor, b"one")
        os.fsync(descriptor)
        file.rename(disk.folder / "b")
        os.pwrite(descriptor, b"two", 1)
        os.ftruncate(descriptor, 2)
        os.close(descriptor)
        assert [each.name for each in disk.folder.iterdir()] == ["b"]
        assert (disk.folder / "b").read_bytes() == b"ot"
        (disk.folder / "b").unlink()
        make, *rest = disk.record()
        assert isinstance(make, Make)
        number = make.file
        assert rest == [
            Write(number, 0, b"one"),
            Sync(number, ok=True),
            Rename("/a", "/b"),
            Write(number, 1, b"two"),
            Resize(number, 2),
            Remove("/b"),
        ]


def test_a_fault_hits_what_it_names_as_often_as_it_says_and_heals() -> None:
    with disk_in_memory() as disk:
        disk.fail(Fail(("write",), errno.EIO, names="a", after=1, times=1))
        with (disk.folder / "a").open("wb", buffering=0) as a, (disk.folder / "b").open("wb", buffering=0) as b:
            b.write(b"b")
            a.write(b"1")
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                a.write(b"2")
            a.write(b"3")
        assert (disk.folder / "a").read_bytes() == b"13"
        disk.hold(size_bytes=8192)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            (disk.folder / "c").write_bytes(b"c")
        assert os.statvfs(disk.folder).f_bavail == 0
        disk.heal()
        assert (disk.folder / "c").write_bytes(b"c") == 1


def test_a_sync_that_fails_may_take_back_what_was_written() -> None:
    def failed_sync(disk: FaultyDisk, *, drops: bool) -> bytes:
        file = disk.folder / f"{drops}"
        with file.open("wb", buffering=0) as opened:
            opened.write(b"old")
            os.fsync(opened)
            opened.write(b"new")
            disk.fail(Fail(("sync",), errno.EIO, times=1, drops=drops))
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                os.fsync(opened)
        return file.read_bytes()

    with disk_in_memory() as disk:
        assert failed_sync(disk, drops=False) == b"oldnew"
        assert failed_sync(disk, drops=True) == b"old"


def test_a_machine_that_cannot_mount_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mount, "DEVICE", tmp_path / "fuse")
    with pytest.raises(CannotMount, match="modprobe fuse"), faulty_disk(tmp_path):
        pass
