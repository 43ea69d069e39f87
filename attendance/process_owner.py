"""Whether a process runs as the user whose records it is to look at: another would judge another's permissions."""

import os
import pwd
from pathlib import Path

from attendance.finding import Finding


def wrong_user(folder: Path) -> Finding | None:
    """Return a finding when this process runs as another user than the one whom a data folder belongs to."""
    try:
        owner = folder.stat().st_uid
    except OSError:
        return None  # the folder's own finding says it
    if owner == os.geteuid():
        return None
    return Finding("user_wrong", wrong=True, values={"owner": _name(owner), "user": _name(os.geteuid())})


def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
