"""Leaves out, and says so, what only root may do: mount real filesystems."""

import os

MOUNTS = "test_real_disks.py"
collect_ignore = [] if os.geteuid() == 0 else [MOUNTS]


def pytest_report_header() -> list[str]:
    return [f"reliability: not root, so {each} is left out" for each in collect_ignore]
