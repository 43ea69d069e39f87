"""What a disk was asked to do, in order: after each operation the power may go."""

import msgspec


class Make(msgspec.Struct, frozen=True, tag=True):
    """A new, empty file; files are numbered, since names change."""

    file: int
    path: str


class MakeFolder(msgspec.Struct, frozen=True, tag=True):
    path: str


class Write(msgspec.Struct, frozen=True, tag=True):
    file: int
    offset: int
    data: bytes


class Resize(msgspec.Struct, frozen=True, tag=True):
    file: int
    size: int


class Rename(msgspec.Struct, frozen=True, tag=True):
    old: str
    new: str


class Remove(msgspec.Struct, frozen=True, tag=True):
    path: str


class Sync(msgspec.Struct, frozen=True, tag=True):
    """fsync or fdatasync of a file; one that failed says nothing about what is on the disk."""

    file: int
    ok: bool


class SyncFolder(msgspec.Struct, frozen=True, tag=True):
    path: str
    ok: bool


Operation = Make | MakeFolder | Write | Resize | Rename | Remove | Sync | SyncFolder


def encode(operations: list[Operation]) -> bytes:
    """The record as bytes."""
    return msgspec.msgpack.encode(operations)


def decode(record: bytes) -> list[Operation]:
    """The record of `encode`."""
    return msgspec.msgpack.decode(record, type=list[Operation])
