"""What the tests of the server's doctor share: an examination with nothing to be asked over the network."""

from pathlib import Path
from typing import Any

from attendance.finding import Finding
from server.config import BindSettings, LiveSettings, ServerSettings, SmtpSettings
from server.doctor import examine
from tests.server.factories import NOON_MS


def settings(folder: Path, **values: Any) -> ServerSettings:
    """Settings by which nothing is asked over the network but a mail server that is not there."""
    usual: dict[str, Any] = {
        "data_dir": str(folder),
        "bind": BindSettings(port=0),
        "live": LiveSettings(port=0),
        "smtp": SmtpSettings(port=1),
    }
    return ServerSettings(**usual | values)


def found(folder: Path, now_ms: int = NOON_MS, *, full: bool = False, **values: Any) -> dict[str, Finding]:
    """Everything that the doctor says, by code."""
    return {finding.code: finding for finding in examine(settings(folder, **values), now_ms, full=full)}


def wrong(seen: dict[str, Finding]) -> set[str]:
    """The codes of what is wrong, without what is so of every machine that tests run on."""
    of_tests = {"clock_not_kept", "disk_full", "dispatcher_missing", "mail_unreached", "backup_none"}
    return {code for code, finding in seen.items() if finding.wrong} - of_tests
