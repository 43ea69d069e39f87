"""Whether litestream follows the database (docs/backup.md), as far as its files and /proc tell.

It keeps what it took in `.tadaima.db-litestream/ltx` beside the database, and a replica in files has the same names.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from attendance.finding import Finding
from server.doctor.processes import users_of

CONFIG = Path("/etc/tadaima/litestream.yml")
BEHIND_S = 60
"""It copies within about a second; a busy disk may take some more."""
_NAME = re.compile(r"[0-9a-f]{16}-([0-9a-f]{16})\.ltx")
_FILES = re.compile(r"^\s*type:\s*file\s*$.*?^\s*path:\s*[\"']?(.+?)[\"']?\s*$", re.MULTILINE | re.DOTALL)


def check_replica(file: Path | None, now_ms: int) -> Iterator[Finding]:
    """Look at how far behind litestream is, if it was ever set up; there may be none, and then nothing is said.

    Raises: OSError.
    """
    if file is None or not file.exists():
        return
    text = CONFIG.read_text(encoding="utf-8", errors="replace") if CONFIG.exists() else ""
    configured = str(file) in text
    taken = _changes(file.with_name(f".{file.name}-litestream"))
    if not configured and not taken:
        return
    if not any(each.name == "litestream" for each in users_of(file)):
        yield Finding("replica_stopped", wrong=True)
        return
    log = file.with_name(f"{file.name}-wal")
    changed_s = log.stat().st_mtime if log.exists() else file.stat().st_mtime
    behind_s = changed_s - max(taken.values(), default=0.0)
    if behind_s > BEHIND_S:
        yield Finding("replica_behind", wrong=True)
        return
    replica = _FILES.search(text) if configured else None
    if replica is not None:
        arrived = max(_changes(Path(replica[1])), default="")
        waiting = [at_s for change, at_s in taken.items() if change > arrived]
        if waiting and now_ms / 1000 - min(waiting) > BEHIND_S:
            yield Finding("replica_apart", wrong=True, values={"folder": replica[1]})
            return
    yield Finding("replica")


def _changes(folder: Path) -> dict[str, float]:
    """Return the changes that a folder of litestream holds, each by its last number, and when its file was written."""
    return {
        name[1]: path.stat().st_mtime for path in folder.glob("ltx/*/*.ltx") if (name := _NAME.fullmatch(path.name))
    }
