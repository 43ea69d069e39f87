"""What the doctor says of roster and names: missing, broken, empty, sealed."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from attendance.policy import Policy, WayMode
from kiosk.config import ScreenSettings
from tests.kiosk.doctor_parts import examined, house, settings, wrong_of
from tests.model_server import ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def test_a_roster_that_never_came_is_told(tmp_path: Path) -> None:
    with house(tmp_path, None) as kiosk:
        assert "roster_missing" in kiosk.wrong()


def test_a_roster_that_cannot_be_read_and_one_of_another_program_are_told_apart(
    tmp_path: Path, server: ModelServer
) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.cache.close()
        with closing(sqlite3.connect(kiosk.settings.cache_path)) as other:
            other.execute("PRAGMA application_id=7")
        assert "roster_foreign" in kiosk.wrong()
        kiosk.settings.cache_path.write_bytes(os.urandom(8192))
        assert "roster_broken" in kiosk.wrong()


def test_a_roster_without_anybody_is_told(tmp_path: Path, server: ModelServer) -> None:
    server.holders = ()
    with house(tmp_path, server) as kiosk:
        assert kiosk.wrong() == {"roster_empty"}


def test_names_without_their_key_or_with_a_wrong_one_are_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.settings.names_key_path.write_bytes(bytes(32)[::-1][:31] + b"\x01")
        assert kiosk.wrong() == {"names_sealed"}
        kiosk.settings.names_key_path.unlink()
        assert kiosk.wrong() == {"names_sealed"}
        kiosk.step()
        assert kiosk.wrong() == set()


def test_a_door_that_is_to_ask_and_has_no_screen_is_told(tmp_path: Path, server: ModelServer) -> None:
    server.policy = Policy(way=WayMode.ASK)
    with house(tmp_path, server) as kiosk:
        assert kiosk.wrong() == set()
        dark = settings(tmp_path, screen=ScreenSettings(enabled=False))
        assert "ask_without_screen" in wrong_of(examined(dark, kiosk.clock))
