"""What a disk holds after a power cut, as strictly as POSIX allows it to forget.

A write is on the disk once its file was synced, a name once its folder was. Until then each sector of 512 bytes, each
change of size and each change of a name may survive by itself, in any state it passed through; only the changes of one
name come in order. After a sync that failed
the kernel takes what was written for clean: a later sync that succeeds does not bring it, unless it is written again.
"""

import random
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import assert_never

from bench.faulty_disk.operations import (
    Make,
    MakeFolder,
    Operation,
    Remove,
    Rename,
    Resize,
    Sync,
    SyncFolder,
    Write,
)

SECTOR_BYTES = 512
Image = dict[str, bytes]
"""The files of a disk by path."""
Names = dict[str, int]
"""Files by path; folders are there with the number FOLDER."""
FOLDER = 0


class Disk:
    """Follows a record operation by operation; between two of them it can be asked what a power cut would leave."""

    def __init__(self, *, lies: bool = False) -> None:
        self._lies = lies
        """A sync does nothing, as on an SD card that lies about flush."""
        self._files: dict[int, _File] = {}
        self._names: Names = {}
        self._durable: Names = {}
        self._pending: list[Make | MakeFolder | Rename | Remove] = []

    def apply(self, operation: Operation) -> None:
        """Do the next operation of the record."""
        match operation:
            case Write():
                self._files[operation.file].write(operation.offset, operation.data)
            case Resize():
                self._files[operation.file].resize(operation.size)
            case Sync():
                if not self._lies:
                    self._files[operation.file].sync(ok=operation.ok)
            case SyncFolder():
                if operation.ok and not self._lies:
                    self._sync_folder(operation.path)
            case Make() | MakeFolder() | Rename() | Remove():
                if isinstance(operation, Make):
                    self._files[operation.file] = _File()
                _name(self._names, operation)
                self._pending.append(operation)
            case _:
                assert_never(operation)

    def content(self, path: str) -> bytes:
        """What a program reads of a file now; nothing while there is none."""
        number = self._names.get(path)
        return b"" if number is None else self._files[number].kept()

    def lost(self) -> Image:
        """Only what was synced."""
        return {path: self._files[number].lost() for path, number in _reachable(self._durable)}

    def kept(self) -> Image:
        """All that was written."""
        return {path: self._files[number].kept() for path, number in _reachable(self._names)}

    def torn(self, chance: random.Random) -> Image:
        """What was synced, and of the rest whatever chance lets survive."""
        names = dict(self._durable)
        behind: set[str] = set()
        for change in self._pending:
            touched = _touched(change)
            if chance.random() < 0.5 and behind.isdisjoint(touched):
                _name(names, change)
            else:
                behind |= touched
        return {path: self._files[number].torn(chance) for path, number in _reachable(names)}

    def _sync_folder(self, path: str) -> None:
        waiting: list[Make | MakeFolder | Rename | Remove] = []
        for change in self._pending:
            if _folder_of(change) == path:
                _name(self._durable, change)
            else:
                waiting.append(change)
        self._pending = waiting


@dataclass
class _File:
    disk: bytearray = field(default_factory=bytearray)
    live: bytearray = field(default_factory=bytearray)
    versions: dict[int, list[bytes]] = field(default_factory=dict)
    """What each sector held since it was last synced, oldest first."""
    given_up: set[int] = field(default_factory=set)
    """Sectors that no sync will bring any more."""
    sizes: list[int] = field(default_factory=list)
    resized: bool = False
    _lost: bytes | None = None
    _kept: bytes | None = None

    def write(self, offset: int, data: bytes) -> None:
        if len(self.live) < offset:
            self.live.extend(bytes(offset - len(self.live)))
        grown = len(self.live) < offset + len(data)
        self.live[offset : offset + len(data)] = data
        if grown:
            self.sizes.append(len(self.live))
        self._touch(offset, offset + len(data))

    def resize(self, size: int) -> None:
        was = len(self.live)
        if size < was:
            del self.live[size:]
        else:
            self.live.extend(bytes(size - was))
        self.sizes.append(size)
        self.resized = True
        self._touch(size, was)

    def sync(self, *, ok: bool) -> None:
        if not ok:
            self.given_up.update(self.versions)
            return
        brought = self.versions.keys() - self.given_up
        end = min(len(self.live), max(brought, default=-1) * SECTOR_BYTES + SECTOR_BYTES)
        size = len(self.live) if self.resized else max(len(self.disk), end)
        del self.disk[size:]
        self.disk.extend(bytes(size - len(self.disk)))
        for sector in brought:
            data = self._sector(sector)[: max(0, size - sector * SECTOR_BYTES)]
            self.disk[sector * SECTOR_BYTES : sector * SECTOR_BYTES + len(data)] = data
            del self.versions[sector]
        self.sizes = [] if size == len(self.live) else [len(self.live)]
        self.resized = False
        self._lost = None

    def lost(self) -> bytes:
        if self._lost is None:
            self._lost = bytes(self.disk)
        return self._lost

    def kept(self) -> bytes:
        if self._kept is None:
            self._kept = bytes(self.live)
        return self._kept

    def torn(self, chance: random.Random) -> bytes:
        if not self.versions and not self.sizes:
            return self.lost()
        size = chance.choice([len(self.disk), *self.sizes])
        torn = self.disk[:size]
        torn.extend(bytes(size - len(torn)))
        for sector, versions in self.versions.items():
            if chance.random() < 0.5:
                data = chance.choice(versions)[: max(0, size - sector * SECTOR_BYTES)]
                torn[sector * SECTOR_BYTES : sector * SECTOR_BYTES + len(data)] = data
        return bytes(torn)

    def _touch(self, start: int, end: int) -> None:
        """Note the sectors from one offset to another as they are now; those cut off as empty."""
        self._kept = None
        for sector in range(start // SECTOR_BYTES, -(-end // SECTOR_BYTES)):
            self.versions.setdefault(sector, []).append(self._sector(sector))
            self.given_up.discard(sector)

    def _sector(self, sector: int) -> bytes:
        return bytes(self.live[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES]).ljust(SECTOR_BYTES, b"\0")


def _name(names: Names, change: Make | MakeFolder | Rename | Remove) -> None:
    """Change names."""
    match change:
        case Make():
            names[change.path] = change.file
        case MakeFolder():
            names[change.path] = FOLDER
        case Rename():
            names[change.new] = names.pop(change.old)
        case Remove():
            del names[change.path]
        case _:
            assert_never(change)


def _touched(change: Make | MakeFolder | Rename | Remove) -> set[str]:
    return {change.old, change.new} if isinstance(change, Rename) else {change.path}


def _folder_of(change: Make | MakeFolder | Rename | Remove) -> str:
    return str(PurePosixPath(change.new if isinstance(change, Rename) else change.path).parent)


def _reachable(names: Names) -> list[tuple[str, int]]:
    """The files whose folders are all there."""
    return [
        (path, number)
        for path, number in names.items()
        if number != FOLDER and all(str(folder) in names for folder in PurePosixPath(path).parents[:-1])
    ]
