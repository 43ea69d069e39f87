"""A municipality made for the bench is one that the server would hold: its doctor finds entries and figures whole."""

from pathlib import Path

import pytest
from sqlalchemy import select

from bench import municipality
from server.closing import closing_list
from server.doctor.chains import check_all_chains
from server.doctor.derived import check_derived
from server.headcount import headcount
from server.neighbours import find_neighbours
from server.store.engine import sqlite_url, using_store
from server.store.migrations import migrate
from server.store.tables import anchor, journal_session


def test_what_is_made_is_whole_and_one_boot_is_without_an_anchor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(municipality, "SITES", 1)
    monkeypatch.setattr(municipality, "CHILDREN", 4)
    with using_store(sqlite_url(tmp_path / "tadaima.db")) as store:
        migrate(store)
        door, _ = municipality.populate(store, 3, undated=1)
        found = [*check_all_chains(store), *check_derived(store)]
        assert [(each.code, dict(each.values)) for each in found] == [
            ("chains_all", {"sessions": 6, "entries": 3 * 2 * (1 + 2 * 2)}),
            ("derived", {"number": 3 * 4 * 2}),
        ]
        with store.read() as conn:
            assert len(headcount(conn, door.site, municipality.NOW_MS).left) == 4
            assert closing_list(conn, door.site, municipality.LAST_DAY, municipality.NOW_MS) == ()
            anchored = select(anchor.c.boot).where(anchor.c.kiosk_id == door.id)
            boots = select(journal_session.c.boot).where(
                journal_session.c.kiosk_id == door.id, journal_session.c.boot.not_in(anchored)
            )
            around = find_neighbours(conn, door.id, conn.execute(boots).scalar_one(), municipality.NOW_MS)
        assert around is not None
        assert around.before_ms - around.first.wall_ms == 86_400_000 + 1000, "the next morning"
