"""The whole line, from card to phone: the demo's real processes, and counts that agree to the unit."""

import subprocess
import sys
from pathlib import Path

import msgspec

from provisioning.demo.tally import Report

DAY_S = 14


def test_every_card_of_a_day_becomes_one_record_one_headcount_and_one_notice(tmp_path: Path) -> None:
    report_file = tmp_path / "report.json"

    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("tadaima-provision")), "demo", "--seconds", str(DAY_S)),
            *("--json", str(report_file), "--folder", str(tmp_path / "demo")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    report = msgspec.json.decode(report_file.read_bytes(), type=Report)
    assert report.counted == report.expected
    assert (
        sum(report.counted.taps_played.values()) > report.counted.server_records > report.counted.children_present > 0
    )
    assert report.counted.mails_received > 0
    measured = (report.tap_to_commit, report.tap_to_staff_page, report.tap_to_mail)
    wanted = (report.counted.server_records, report.counted.server_movements, report.counted.mails_received)
    assert tuple(latency.n for latency in measured) == wanted
