"""The way that docs/backup.md gives for PostgreSQL: its own programs, and the statement that stands there."""

import re
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import text

from bench.postgresql import USER, Cluster, programs
from server.ledger import accept
from server.notify.outbox import TOLD_EARLIER
from server.store.engine import Store, using_store
from server.store.tables import anchor, delivery, movement
from tests.server import factories as make
from tests.server.doctor_parts import found, wrong
from tests.server.factories import NOON_MS
from tests.server.kiosk_side import BOOT, S, Session

pytestmark = pytest.mark.only_postgresql
DOCUMENT = Path(__file__).parents[2] / "docs" / "backup.md"


def test_a_dump_brings_back_all_records_and_no_notice_a_second_time(
    store: Store, store_url: str, empty_url: str, folder: Path, postgresql: Cluster, tmp_path: Path
) -> None:
    door = make.kiosk(store, heard_at_ms=NOON_MS)
    make.link(store, anchor, kiosk_id=door.id, boot=BOOT, boot_ns=1000 * S, server_ms=NOON_MS)
    child = make.child(store, at=door.site_id, name="髙﨑 さくら")
    make.guardian(store, of=child.id)
    session = Session(door.id)
    session.moved(child.id)
    accept(store, door, session.request(), NOON_MS)
    to = [f"--host={postgresql.folder}", f"--username={USER}"]
    names = [url.partition("@/")[2].partition("?")[0] for url in (store_url, empty_url)]
    dump = tmp_path / "tadaima.dump"
    subprocess.run([programs() / "pg_dump", *to, "-Fc", f"--file={dump}", names[0]], check=True)
    subprocess.run([programs() / "pg_restore", *to, "--exit-on-error", f"--dbname={names[1]}", dump], check=True)
    [statement] = re.findall(r"`(UPDATE delivery .*;)`", DOCUMENT.read_text(encoding="utf-8"))
    with using_store(empty_url) as restored:
        assert [row.state for row in make.rows(restored, delivery)] == ["queued"]
        with restored.write() as conn:
            conn.execute(text(statement))
        assert [(row.state, row.reason) for row in make.rows(restored, delivery)] == [("sent", TOLD_EARLIER)]
        assert make.rows(restored, movement) == make.rows(store, movement)
        assert accept(restored, door, session.request(), NOON_MS).through == 1
    assert wrong(found(folder, full=True, database_url=empty_url)) == set()
