"""Leaves out, and says so, what only root may do everywhere: mount real filesystems, cut a network."""

import os

FOR_ROOT = ["test_real_disks.py", "test_cut_off.py", "test_doctor_on_disks.py", "test_begun_on_bad_disks.py"]
collect_ignore = [] if os.geteuid() == 0 else FOR_ROOT


def pytest_report_header() -> list[str]:
    return [f"reliability: not root, so {each} is left out" for each in collect_ignore]
