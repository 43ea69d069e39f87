import logging
from pathlib import Path

import pytest

from kiosk.status_file import StatusFile, read_status
from kiosk.sync_report import SyncReport


def test_a_status_that_cannot_be_written_is_told_once_until_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run" / "sync.json"
    file, status = StatusFile(path), SyncReport(boot_ns=1, wait_s=2.0)

    file.write(status)
    file.write(status)
    path.parent.mkdir()
    file.write(status)

    assert read_status(path, SyncReport) == status
    assert caplog.record_tuples == [
        (
            "kiosk.status_file",
            logging.ERROR,
            "status file unwritable file=sync.json reason='No such file or directory'",
        )
    ]
