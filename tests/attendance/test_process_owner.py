"""Who runs a doctor, against whose records it looks at."""

import os
from pathlib import Path

import pytest

from attendance.process_owner import wrong_user


def test_the_owner_of_a_folder_may_look_at_it_and_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wrong_user(tmp_path) is None
    nobody_has = 4_000_000_000
    monkeypatch.setattr(os, "geteuid", lambda: nobody_has)
    stranger = wrong_user(tmp_path)
    assert stranger is not None
    assert (stranger.code, stranger.wrong, stranger.values["user"]) == ("user_wrong", True, str(nobody_has))
    assert stranger.values["owner"] == tmp_path.owner()


def test_a_folder_that_is_missing_is_nobodys(tmp_path: Path) -> None:
    assert wrong_user(tmp_path / "none") is None
