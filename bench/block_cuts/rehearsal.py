"""Does the guest's work once on this machine and prints the files it took, a line each: what the guest must have.

Usage: python -m bench.block_cuts.rehearsal FOLDER, with a folder that is empty.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

_KERNELS = {"proc", "sys", "dev"}
"""Folders whose files the guest's kernel makes."""
_LINKER = Path("/lib64").resolve() / "ld-linux-x86-64.so.2"
"""Where programs of x86-64 say that it is; a link."""
_opened: set[str] = set()


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str):
        _opened.add(arguments[0])


if __name__ == "__main__":
    sys.addaudithook(_note)

import bench.block_cuts.guest  # noqa: E402, F401 - what is opened from here on is noted
from bench.block_cuts.marks import Mark  # noqa: E402
from bench.block_cuts.workload import work  # noqa: E402


def needed(folder: Path) -> list[Path]:
    """Return the interpreter, what was opened, imported or mapped so far, and links that lead there from beside it."""
    files = {Path(sys.executable).resolve(), _LINKER, *map(Path, _opened), *_imported(), *_mapped()}
    kept = {file for file in files if file.is_file() and folder not in file.parents and file.parts[1] not in _KERNELS}
    links = {
        beside
        for file in kept
        if ".so" in file.name
        for beside in file.parent.glob(f"{file.name.partition('.so')[0]}.so*")
        if beside.resolve() == file.resolve()
    }
    return sorted(kept | links)


def _imported() -> Iterator[Path]:
    for module in list(sys.modules.values()):
        for name in ("__file__", "__cached__"):
            if isinstance(path := getattr(module, name, None), str):
                yield Path(path)


def _mapped() -> Iterator[Path]:
    """Shared libraries, the linker that loads them among them."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        path = line.split(maxsplit=5)[5:]
        if path and path[0].startswith("/"):
            yield Path(path[0])


if __name__ == "__main__":
    scratch = Path(sys.argv[1])
    marks: list[Mark] = []
    work(scratch, marks.append, commits=2)
    print(*needed(scratch), sep="\n")
