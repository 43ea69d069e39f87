"""The doctor finds what is wrong with kiosks, entries, what follows from them, and notices, brought about for real."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, delete, update

from attendance.cards import CardToken
from attendance.discipline import Discipline, kernel_discipline
from attendance.records import JournalLine, UnknownCard, line_hash
from attendance.wire import DoorProblem, EntriesRequest, SyncProblem
from server.doctor import chains
from server.doctor.clock import check_machine_clock
from server.doctor.entries import RECENT_DAYS
from server.doctor.kiosks import UNSENT_MANY
from server.doctor.notices import FAILED_DAYS, STUCK_MS, TRIED_OFTEN
from server.doors import SILENT_MS
from server.ledger import accept
from server.notify.outbox import queue_moved
from server.store.engine import Store
from server.store.ids import new_id
from server.store.tables import anchor, delivery, entry, guardian, journal_session, kiosk, movement, unknown_card
from server.twins import TWIN_MS
from tests.server import factories as make
from tests.server.doctor_parts import found, wrong
from tests.server.factories import NOON_MS
from tests.server.kiosk_side import BOOT, S, Session, reading

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PATIENCE_S = 30.0


@pytest.fixture
def door(store: Store) -> Row[Any]:
    """A kiosk that is heard from and whose clock is placed."""
    row = make.kiosk(store, site_id=make.site(store, name="Sakura").id, name="Front", heard_at_ms=NOON_MS)
    make.link(store, anchor, kiosk_id=row.id, boot=BOOT, boot_ns=1000 * S, server_ms=NOON_MS)
    return row


@pytest.fixture
def session(store: Store, door: Row[Any]) -> Session:
    """A session that the server holds: a header, five movements of which one was taken back, and an unknown card."""
    child = make.child(store, at=door.site_id).id
    made = Session(door.id)
    for _ in range(5):
        made.moved(child)
    made.undone(5)
    made.unknown()
    accept(store, door, made.request(), NOON_MS)
    return made


def told(folder: Path, code: str, *, full: bool = False) -> Any:
    seen = found(folder, full=full)
    assert seen[code].wrong
    return seen[code].values


def change(store: Store, statement: Any) -> None:
    with store.write() as conn:
        assert conn.execute(statement).rowcount > 0


# ---- clock ----


@pytest.mark.parametrize(("ahead_ms", "code"), [(HOUR_MS, "clock_ahead"), (-HOUR_MS, "clock_behind")])
def test_a_clock_that_most_kiosks_find_wrong(folder: Path, store: Store, ahead_ms: int, code: str) -> None:
    make.kiosk(store, heard_at_ms=NOON_MS, clock_ahead_ms=ahead_ms)
    assert told(folder, code) == {"seconds": 3600}


def test_a_clock_that_nothing_keeps(folder: Path) -> None:
    [kept] = check_machine_clock(Discipline(synchronised=True, max_error_ms=5))
    [loose] = check_machine_clock(Discipline(synchronised=False, max_error_ms=16_000))
    assert (kept.code, kept.wrong) == ("clock_kept", False)
    assert (loose.code, loose.wrong) == ("clock_not_kept", True)
    assert not list(check_machine_clock(None))
    really = kernel_discipline()
    assert really is not None
    assert ("clock_kept" in found(folder)) is really.synchronised


# ---- kiosks ----


def test_kiosks_that_are_silent_or_were_never_heard(folder: Path, store: Store) -> None:
    here = make.site(store, name="Sakura").id
    make.kiosk(store, site_id=here, name="north", heard_at_ms=NOON_MS - SILENT_MS - 1, trouble="chain_differs")
    make.kiosk(store, site_id=here, name="set back", heard_at_ms=NOON_MS + SILENT_MS + 60_000)
    make.kiosk(store, site_id=here, name="south")
    make.kiosk(store, site_id=here, name="gone", revoked_at_ms=NOON_MS)
    seen = found(folder)
    assert seen["kiosks_silent"].values == {
        "names": "Sakura north (2026-04-15 11:58), Sakura set back (2026-04-15 12:02)"
    }
    assert seen["kiosks_never"].values == {"names": "Sakura south"}
    assert wrong(seen) == {"kiosks_silent", "kiosks_never"}, "what a silent kiosk said is old"


@pytest.mark.parametrize("code", [*DoorProblem, *SyncProblem])
def test_each_trouble_that_a_kiosk_tells_of(folder: Path, store: Store, door: Row[Any], code: str) -> None:
    change(store, update(kiosk).values(trouble=code))
    assert told(folder, f"kiosk_{code}")["kiosk"] == "Sakura Front"
    assert wrong(found(folder)) == {f"kiosk_{code}"}


def test_a_reader_that_is_down_and_a_trouble_of_a_newer_kiosk(folder: Path, store: Store, door: Row[Any]) -> None:
    change(store, update(kiosk).values(trouble="reader:qr:1:down melting"))
    assert told(folder, "kiosk_reader") == {"kiosk": "Sakura Front", "reader": "qr:1"}
    assert told(folder, "kiosk_other") == {"kiosk": "Sakura Front", "code": "melting"}
    change(store, update(kiosk).values(trouble="reader:qr:down door_silent"))
    assert wrong(found(folder)) == {"kiosk_door_silent"}, "what a door that is silent said of its readers is old"


def test_a_kiosk_that_runs_on_two_machines(folder: Path, store: Store, door: Row[Any]) -> None:
    make.kiosk(store, site_id=door.site_id, twin_at_ms=NOON_MS, revoked_at_ms=NOON_MS)
    this = update(kiosk).where(kiosk.c.id == door.id)
    change(store, this.values(twin_at_ms=NOON_MS - TWIN_MS))
    assert told(folder, "kiosks_twin") == {"names": "Sakura Front"}
    assert wrong(found(folder)) == {"kiosks_twin"}
    assert wrong(found(folder, NOON_MS + 1)) == set(), "only one was heard for a while"
    change(store, this.values(twin_at_ms=NOON_MS))
    assert wrong(found(folder, NOON_MS + SILENT_MS + 1)) == {"kiosks_silent"}


def test_records_that_pile_up(folder: Path, store: Store, door: Row[Any]) -> None:
    change(store, update(kiosk).values(unsent=UNSENT_MANY))
    assert not wrong(found(folder))
    change(store, update(kiosk).values(unsent=UNSENT_MANY + 1))
    assert told(folder, "kiosks_unsent") == {"names": f"Sakura Front ({UNSENT_MANY + 1})"}


def test_a_kiosk_that_is_heard_from_and_has_no_anchor(folder: Path, store: Store, session: Session) -> None:
    assert not wrong(found(folder))
    change(store, delete(anchor))
    assert told(folder, "kiosks_undated") == {"names": "Sakura Front"}


# ---- entries in quarantine, and times ----


def _stranger(session: Session) -> JournalLine:
    session.moved(new_id())
    return session.lines[-1]


def _of_another_kiosk(session: Session) -> JournalLine:
    session.kiosk = "another"
    session.unknown()
    return session.lines[-1]


def _unchained(session: Session) -> JournalLine:
    session.unknown()
    line = session.lines[-1].line.replace(session.lines[-2].hash, "f" * 64)
    return JournalLine(line=line, hash=line_hash(line))


def _damaged(session: Session) -> JournalLine:
    session.unknown()
    return JournalLine(line=session.lines[-1].line.replace("token", "nekot"), hash="0" * 64)


def _impossible(session: Session) -> JournalLine:
    session.add(UnknownCard(card=CardToken.new().ref), reading(boot_ns=2**62))
    return session.lines[-1]


def _of_a_newer_kiosk(session: Session) -> JournalLine:
    session.unknown()
    line = session.lines[-1].line.replace("unknown_card", "hovercraft")
    return JournalLine(line=line, hash=line_hash(line))


@pytest.mark.parametrize(
    ("make_line", "kind"),
    [
        (_stranger, "child"),
        (_of_another_kiosk, "kiosk"),
        (_unchained, "chain"),
        (_damaged, "damaged"),
        (_impossible, "clock"),
        (_of_a_newer_kiosk, "strange"),
    ],
)
def test_each_kind_of_entry_in_quarantine(
    folder: Path, store: Store, door: Row[Any], session: Session, make_line: Any, kind: str
) -> None:
    through = len(session.lines)
    request = EntriesRequest(session=session.name, from_seq=through, entries=(make_line(session),))
    assert accept(store, door, request, NOON_MS).quarantined == (through,)
    assert told(folder, f"quarantine_{kind}") == {"number": 1, "names": "Sakura Front"}
    assert wrong(found(folder, full=True)) == {f"quarantine_{kind}"}
    later = found(folder, NOON_MS + (RECENT_DAYS + 1) * DAY_MS)
    assert later["quarantine_old"].values == {"number": 1, "days": RECENT_DAYS}


def test_times_that_nothing_vouches_for(folder: Path, store: Store, door: Row[Any]) -> None:
    made = Session(door.id, boot="c" * 32)
    made.moved(make.child(store, at=door.site_id).id)
    accept(store, door, made.request(), NOON_MS)
    assert told(folder, "times_unsettled") == {"names": "Sakura Front (1)"}


# ---- the chains held, and what follows from them ----


@pytest.mark.parametrize("full", [False, True])
def test_an_entry_that_is_gone(folder: Path, store: Store, session: Session, full: bool) -> None:
    change(store, delete(entry).where(entry.c.seq == 3))
    assert told(folder, "entry_missing", full=full) == {"number": 1, "places": f"{session.name}:3"}


@pytest.mark.parametrize("full", [False, True])
def test_a_last_entry_that_is_gone(folder: Path, store: Store, session: Session, full: bool) -> None:
    change(store, delete(entry).where(entry.c.seq == 7))
    assert told(folder, "entry_missing", full=full) == {"number": 1, "places": f"{session.name}:7"}


@pytest.mark.parametrize("full", [False, True])
def test_an_entry_that_was_changed(folder: Path, store: Store, session: Session, full: bool) -> None:
    line = session.lines[2].line.replace('"entry"', '"exit"')
    change(store, update(entry).where(entry.c.seq == 2).values(line=line))
    assert told(folder, "entry_altered", full=full) == {"number": 1, "places": f"{session.name}:2"}
    change(store, update(entry).where(entry.c.seq == 2).values(hash=line_hash(line)))
    assert told(folder, "entry_altered", full=full) == {"number": 1, "places": f"{session.name}:3"}, (
        "the next one tells"
    )


def test_an_entry_under_another_kind(folder: Path, store: Store, session: Session) -> None:
    change(store, update(entry).where(entry.c.seq == 7).values(kind="clock"))
    assert told(folder, "entry_altered") == {"number": 1, "places": f"{session.name}:7"}


@pytest.mark.parametrize("full", [False, True])
def test_a_head_that_is_not_the_last_entry(folder: Path, store: Store, session: Session, full: bool) -> None:
    change(store, update(journal_session).values(hash="f" * 64))
    assert told(folder, "head_differs", full=full) == {"number": 1, "places": session.name}
    change(store, update(journal_session).values(through=5, hash=session.lines[5].hash))
    assert told(folder, "head_differs", full=full) == {"number": 1, "places": session.name}


def test_entries_of_a_session_that_nothing_is_noted_of(folder: Path, store: Store, session: Session) -> None:
    change(store, delete(journal_session))
    assert told(folder, "session_missing", full=True) == {"number": 1, "places": session.name}


def test_the_short_examination_reads_the_end_of_a_session_and_the_full_one_all(
    folder: Path, store: Store, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chains, "RECENT_ENTRIES", 3)
    monkeypatch.setattr(chains, "_PAGE", 2)
    change(store, delete(entry).where(entry.c.seq == 2))
    assert not wrong(found(folder))
    assert told(folder, "entry_missing", full=True)["places"] == f"{session.name}:2"


def test_more_faults_than_anybody_reads_are_counted(folder: Path, store: Store, door: Row[Any]) -> None:
    for _ in range(chains.PLACES_TOLD + 2):
        made = Session(door.id)
        accept(store, door, made.request(), NOON_MS)
    change(store, update(journal_session).values(hash="f" * 64))
    values = told(folder, "head_differs", full=True)
    assert values["number"] == chains.PLACES_TOLD + 2
    assert len(values["places"].split(", ")) == chains.PLACES_TOLD


def test_a_movement_that_does_not_show(folder: Path, store: Store, session: Session) -> None:
    change(store, delete(movement).where(movement.c.id == f"{session.name}:1"))
    assert told(folder, "derived_missing", full=True) == {"number": 1, "places": f"{session.name}:1"}
    change(store, delete(unknown_card))
    assert told(folder, "derived_missing", full=True)["number"] == 2


def test_a_movement_that_no_door_recorded(folder: Path, store: Store, session: Session, door: Row[Any]) -> None:
    child = make.child(store, at=door.site_id).id
    made_up = ["nobody:1", f"{session.name}:0", f"{session.name}:99", "nobody:" + "9" * 50]
    for name in made_up:
        make.movement(store, id=name, site_id=door.site_id, child_id=child)
    make.unknown_card(store, id=f"{session.name}:1", site_id=door.site_id)
    by_staff = make.movement(store, site_id=door.site_id, child_id=child)
    values = told(folder, "derived_extra", full=True)
    assert values["number"] == 5
    assert set(values["places"].split(", ")) == {*made_up, f"{session.name}:1"}
    assert by_staff.id not in values["places"]


@pytest.mark.parametrize(
    ("seq", "values"),
    [(1, {"direction": "exit"}), (1, {"undone_at_ms": NOON_MS}), (5, {"undone_at_ms": None})],
    ids=["another way", "taken back by nobody", "taken back and standing"],
)
def test_a_movement_that_shows_otherwise(
    folder: Path, store: Store, session: Session, seq: int, values: dict[str, Any]
) -> None:
    change(store, update(movement).where(movement.c.id == f"{session.name}:{seq}").values(**values))
    assert told(folder, "derived_differs", full=True) == {"number": 1, "places": f"{session.name}:{seq}"}


# ---- notices ----


@pytest.fixture
def notice(store: Store, door: Row[Any]) -> str:
    """A notice that is due at noon, not sent; its guardian."""
    child = make.child(store, at=door.site_id)
    parent = make.guardian(store, of=child.id)
    moved = make.movement(store, site_id=door.site_id, child_id=child.id)
    with store.write() as conn:
        queue_moved(conn, [moved.id], NOON_MS)
    return str(parent.id)


def test_notices_that_nobody_sends(folder: Path, notice: str) -> None:
    assert "notices_stuck" not in found(folder, NOON_MS + STUCK_MS)
    assert found(folder, NOON_MS + 2 * STUCK_MS)["notices_stuck"].values == {"number": 1}


def test_notices_that_are_tried_again_and_again(folder: Path, store: Store, notice: str) -> None:
    change(store, update(delivery).values(attempts=TRIED_OFTEN, reason="ConnectionRefusedError"))
    assert told(folder, "notices_retried") == {"number": 1, "reasons": "ConnectionRefusedError"}


def test_notices_that_failed(folder: Path, store: Store, notice: str) -> None:
    change(store, update(delivery).values(state="failed", settled_at_ms=NOON_MS, reason="message refused with 554"))
    values = {"number": 1, "days": FAILED_DAYS, "reasons": "message refused with 554"}
    assert told(folder, "notices_failed") == values
    assert "notices_failed" not in found(folder, NOON_MS + (FAILED_DAYS + 1) * DAY_MS)


def test_addresses_that_refused_mail(folder: Path, store: Store, notice: str) -> None:
    change(store, update(guardian).where(guardian.c.id == notice).values(suspended_at_ms=NOON_MS))
    assert told(folder, "addresses_suspended") == {"number": 1}


def test_a_dispatcher_that_does_not_run_and_one_that_does(folder: Path) -> None:
    assert told(folder, "dispatcher_missing") == {}
    script = Path(sys.executable).with_name("tadaima-server")
    command = [sys.executable, str(script), "--set", f"data_dir={folder}", "dispatch"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + PATIENCE_S
        while "dispatcher" not in found(folder):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.1)
        process.kill()
    assert told(folder, "dispatcher_missing") == {}
