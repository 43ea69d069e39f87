"""The filesystem behind a faulty disk: files in memory, every change recorded. Thread: FUSE calls one at a time."""

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import PurePosixPath
from typing import Any

import mfusepy

from bench.faulty_disk.faults import Fail, Faults, Heal, Hold, Kind, Record
from bench.faulty_disk.nodes import ACKNOWLEDGED, BLOCK_BYTES, Node
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
    encode,
)

ENDLESS_BLOCKS = 1 << 20


class FaultyFilesystem(mfusepy.Operations):  # type: ignore[misc]  # mfusepy has no types
    """Fulfils mfusepy's Operations with raw file infos; `obey` may be called from another thread."""

    use_ns = True

    def __init__(self, on_ready: Callable[[], None]) -> None:
        self._on_ready = on_ready
        self._lock = threading.RLock()
        self._faults = Faults()
        self._record: list[Operation] = []
        self._numbers = count(1)
        self._nodes = {"/": Node(next(self._numbers), "/", stat.S_IFDIR | 0o755)}
        self._open: dict[int, Node] = {}
        self._handles = count(1)

    def obey(self, command: Fail | Hold | Heal | Record) -> None:
        """Do what the owner of the disk says."""
        with self._lock:
            match command:
                case Fail():
                    self._faults.add(command)
                case Hold():
                    self._faults.hold = command
                case Heal():
                    self._faults.heal()
                case Record():
                    record = encode(self._record)
                    with open(command.to, "wb") as file:  # noqa: PTH123 - a path as text is what a command holds
                        file.write(record)

    def init_with_config(self, conn_info: object, config_3: Any) -> None:
        # The kernel asks each time, and a file that is removed while open stays that file.
        config_3.use_ino = config_3.hard_remove = 1
        config_3.entry_timeout = config_3.negative_timeout = config_3.attr_timeout = 0.0
        self._on_ready()

    def getattr(self, path: str | None, fi: Any = None) -> dict[str, int]:
        with self._lock:
            node = self._node(path, fi)
            return {
                "st_ino": node.number,
                "st_mode": node.mode,
                "st_nlink": 2 if node.is_folder else node.names,
                "st_size": len(node.content),
                "st_blocks": -(-len(node.content) // 512),
                "st_uid": os.getuid(),
                "st_gid": os.getgid(),
            }

    def readdir(self, path: str, fh: int) -> Iterator[tuple[str, dict[str, int], int]]:
        with self._lock:
            numbers = {".": self._node(path).number, "..": 1, **{each.name: each.number for each in self._inside(path)}}
            return iter([(name, {"st_ino": number}, 0) for name, number in numbers.items()])

    def statfs(self, path: str) -> dict[str, int]:
        with self._lock:
            hold, (used_bytes, used_files) = self._faults.hold, self._used()
            blocks = ENDLESS_BLOCKS if hold.size_bytes is None else hold.size_bytes // BLOCK_BYTES
            files = ENDLESS_BLOCKS if hold.files is None else hold.files
            free = max(0, blocks - used_bytes // BLOCK_BYTES)
            free_files = max(0, files - used_files)
            return {
                "f_bsize": BLOCK_BYTES,
                "f_frsize": BLOCK_BYTES,
                "f_blocks": blocks,
                "f_bfree": free,
                "f_bavail": free,
                "f_files": files,
                "f_ffree": free_files,
                "f_favail": free_files,
                "f_namemax": 255,
            }

    def create(self, path: str, mode: int, fi: Any) -> int:
        with self._lock:
            node = self._make(path, stat.S_IFREG | mode)
            self._note(node, Make(node.number, path))
            return self._opened(node, fi)

    def open(self, path: str, fi: Any) -> int:
        with self._lock:
            node = self._node(path)
            if fi.flags & os.O_ACCMODE != os.O_RDONLY:
                self._check("open", node)
            return self._opened(node, fi)

    def release(self, path: str | None, fi: Any) -> int:
        with self._lock:
            del self._open[fi.fh]
            return 0

    def mkdir(self, path: str, mode: int) -> int:
        with self._lock:
            self._note(self._make(path, stat.S_IFDIR | mode), MakeFolder(path))
            return 0

    def read(self, path: str | None, size: int, offset: int, fi: Any) -> bytes:
        with self._lock:
            return bytes(self._open[fi.fh].content[offset : offset + size])

    def write(self, path: str | None, data: bytes, offset: int, fi: Any) -> int:
        with self._lock:
            node = self._open[fi.fh]
            self._check("write", node)
            self._check_room(node, max(0, offset + len(data) - len(node.content)))
            node.write(offset, data)
            self._note(node, Write(node.number, offset, data))
            return len(data)

    def truncate(self, path: str | None, length: int, fi: Any = None) -> int:
        with self._lock:
            node = self._node(path, fi)
            self._check("resize", node)
            self._resize(node, length)
            return 0

    def fallocate(self, path: str | None, mode: int, offset: int, length: int, fi: Any) -> int:
        with self._lock:
            node = self._node(path, fi)
            if mode != 0:
                raise OSError(errno.EOPNOTSUPP, "only growing")
            self._check("write", node)
            if offset + length > len(node.content):
                self._resize(node, offset + length)
            return 0

    def fsync(self, path: str | None, datasync: int, fi: Any) -> int:
        with self._lock:
            node = self._open[fi.fh]
            fault = self._trip("sync", node)
            self._note(node, Sync(node.number, ok=fault is None))
            if fault is None:
                node.settle()
                return 0
            if fault.drops:
                node.take_back()
            raise OSError(fault.error, "told to fail")

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        with self._lock:
            node = self._node(path)
            fault = self._trip("sync_folder", node)
            self._note(node, SyncFolder(path, ok=fault is None))
            if fault is not None:
                raise OSError(fault.error, "told to fail")
            return 0

    def rename(self, old: str, new: str) -> int:
        with self._lock:
            node = self._node(old)
            if node.is_folder or PurePosixPath(old).parent != PurePosixPath(new).parent:
                raise OSError(errno.EXDEV, "only files within their folder")
            self._check("rename", node)
            if new in self._nodes:
                self._nodes[new].names -= 1
            self._nodes[new] = self._nodes.pop(old)
            self._note(node, Rename(old, new))
            node.path = new
            return 0

    def unlink(self, path: str) -> int:
        with self._lock:
            node = self._node(path)
            self._check("remove", node)
            del self._nodes[path]
            node.names -= 1
            self._note(node, Remove(path))
            return 0

    def rmdir(self, path: str) -> int:
        with self._lock:
            if self._inside(path):
                raise OSError(errno.ENOTEMPTY, "not empty")
            self._check("remove", self._node(path))
            self._note(self._nodes.pop(path), Remove(path))
            return 0

    def chmod(self, path: str | None, mode: int) -> int:
        with self._lock:
            self._node(path).mode = mode
            return 0

    def chown(self, path: str | None, uid: int, gid: int) -> int:
        return 0

    def utimens(self, path: str | None, times: tuple[int, int] | None = None) -> int:
        return 0

    def _node(self, path: str | None, fi: Any = None) -> Node:
        if fi is not None and fi.fh in self._open:
            return self._open[fi.fh]
        if path is None or path not in self._nodes:
            raise OSError(errno.ENOENT, "no such file")
        return self._nodes[path]

    def _inside(self, folder: str) -> list[Node]:
        return [node for path, node in self._nodes.items() if path != "/" and str(PurePosixPath(path).parent) == folder]

    def _make(self, path: str, mode: int) -> Node:
        node = Node(next(self._numbers), path, mode)
        self._check("make", node)
        used_bytes, used_files = self._used()
        self._faults.check_room(used_bytes, used_files + 1)
        self._nodes[path] = node
        return node

    def _opened(self, node: Node, fi: Any) -> int:
        fi.fh = next(self._handles)
        # Past the page cache, so that what is read is what this disk holds; a mapped file cannot go past it.
        fi.direct_io = int(node.is_recorded)
        self._open[fi.fh] = node
        return 0

    def _resize(self, node: Node, size: int) -> None:
        self._check_room(node, max(0, size - len(node.content)))
        node.resize(size)
        self._note(node, Resize(node.number, size))

    def _note(self, node: Node, operation: Operation) -> None:
        if node.is_recorded:
            self._record.append(operation)

    def _used(self) -> tuple[int, int]:
        """Bytes and files, without what was promised."""
        held = [node for node in self._nodes.values() if node.name != ACKNOWLEDGED]
        return sum(node.held_bytes for node in held), len(held)

    def _check_room(self, node: Node, more_bytes: int) -> None:
        if more_bytes and node.name != ACKNOWLEDGED:
            self._faults.check_room(self._used()[0] + more_bytes, 0)

    def _check(self, kind: Kind, node: Node) -> None:
        if node.can_fail:
            self._faults.check(kind, node.name)

    def _trip(self, kind: Kind, node: Node) -> Fail | None:
        return self._faults.trip(kind, node.name) if node.can_fail else None
