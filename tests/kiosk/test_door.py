import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from attendance.cards import CardForm, uid_card
from attendance.clock import ClockState, ManualClock, to_ms
from attendance.names import seal
from attendance.policy import Policy
from attendance.presence import Movement
from attendance.records import ClockStepped, Direction, Head, MadeBy, Moved, Undone, UnknownCard
from attendance.roster import Animal, Colour, Mark
from hardware.reader import Medium
from kiosk.answer import AnswerKind, DoorStatus
from kiosk.card_read import card_of
from kiosk.door import PRESS_GRACE_NS, Door
from kiosk.name_book import NameBook
from kiosk.roster_cache import RosterCache
from tests.kiosk.door_parts import (
    AFTERNOON,
    BOOT,
    HANA,
    HANAS_TOKEN,
    HOLDERS,
    NAMES,
    NAMES_KEY,
    OTHER_BOOT,
    STRANGE_TOKEN,
    TARO,
    TAROS_TOKEN,
    UID_KEY,
    Rig,
    Shown,
    door_rig,
    holder,
    moves,
    open_journal,
    presence,
    roster,
    state,
)
from tests.kiosk.test_journal import disk_full
from tests.kiosk.test_roster_cache import make_newer, make_older

RED_CAT = Mark(Animal.CAT, Colour.RED)


def test_a_card_of_the_roster_is_recorded_and_the_child_greeted(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        answer = rig.tap()
        (record,) = rig.journal.records_of_boot(0)[1:]
        assert record.body == Moved(child=HANA, direction=Direction.ENTRY, by=MadeBy.CARD, card=HANAS_TOKEN.ref)
        assert (answer.kind, answer.mark, answer.undo_s) == (AnswerKind.IN, RED_CAT, 8)
        assert rig.shown.answers == [answer]


@pytest.mark.parametrize("change", [make_older, make_newer])
def test_a_roster_of_another_version_lets_children_in_before_sync_has_written_to_it(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    with closing(RosterCache.open(tmp_path / "cache.db", boot=BOOT)) as cache:
        cache.store_state(state())
    change(tmp_path / "cache.db")
    with (
        closing(open_journal(tmp_path / "journal.db")) as journal,
        closing(RosterCache.open(tmp_path / "cache.db", boot=BOOT, read_only=True)) as cache,
    ):
        clock, shown, names = ManualClock(AFTERNOON), Shown(), NameBook(cache, tmp_path / "names.key")
        door = Door(
            journal=journal, cache=cache, clock=clock, uid_key=UID_KEY, names=names, display=shown, can_ask=True
        )
        rig = Rig(tmp_path, clock, journal, cache, shown, door)
        answer = rig.tap()
        assert (answer.kind, answer.mark) == (AnswerKind.IN, RED_CAT)
        assert moves(rig) == [(HANA, Direction.ENTRY)]


def test_a_child_comes_and_goes(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        kinds = []
        for _ in range(4):
            kinds.append(rig.tap().kind)
            rig.clock.advance(600)
        assert kinds == [AnswerKind.IN, AnswerKind.OUT, AnswerKind.IN, AnswerKind.OUT]


def test_a_card_held_again_within_the_window_is_answered_and_not_recorded(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        rig.tap()
        rig.clock.advance(30)
        assert rig.tap().kind is AnswerKind.AGAIN_IN
        rig.clock.advance(40)
        rig.tap()
        assert rig.tap().kind is AnswerKind.AGAIN_OUT
        assert moves(rig) == [(HANA, Direction.ENTRY), (HANA, Direction.EXIT)]


def test_one_card_on_two_readers_at_once_is_one_movement(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        reads = [rig.read(), rig.read(medium=Medium.NFC_TEXT)]
        rig.clock.advance(0.02)
        kinds = [rig.door.handle(read).kind for read in reads]
        assert kinds == [AnswerKind.IN, AnswerKind.AGAIN_IN]


def test_two_cards_at_once_are_two_movements(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        assert [rig.tap(token).kind for token in (HANAS_TOKEN, TAROS_TOKEN)] == [AnswerKind.IN, AnswerKind.IN]
        assert [child for child, _ in moves(rig)] == [HANA, TARO]


def test_reads_that_waited_for_a_slow_disk_are_not_taken_for_an_exit(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        first = rig.read()
        rig.clock.advance(3)
        second = rig.read()
        rig.clock.advance(120)
        assert rig.door.handle(first).kind is AnswerKind.IN
        rig.clock.advance(120)
        assert rig.door.handle(second).kind is AnswerKind.AGAIN_IN
        assert len(moves(rig)) == 1


def test_an_unknown_card_is_journalled_once_in_a_window(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        for _ in range(3):
            assert rig.tap(STRANGE_TOKEN).kind is AnswerKind.UNKNOWN
        assert rig.kinds() == ["session", "unknown_card"]
        rig.clock.advance(61)
        rig.tap(STRANGE_TOKEN)
        bodies = [record.body for record in rig.journal.records_of_boot(0)[1:]]
        assert bodies == [UnknownCard(card=STRANGE_TOKEN.ref)] * 2


def test_before_the_first_sync_every_card_is_journalled_as_unknown(tmp_path: Path) -> None:
    with door_rig(tmp_path, synced=False) as rig:
        assert [rig.tap(token).kind for token in (HANAS_TOKEN, TAROS_TOKEN)] == [AnswerKind.UNKNOWN] * 2
        assert rig.kinds() == ["session", "unknown_card", "unknown_card"]


@pytest.mark.parametrize(
    ("medium", "payload"),
    [
        (Medium.QR, b"https://example.invalid/?name=Hana"),
        (Medium.QR, "山田はな".encode()),
        (Medium.QR, HANAS_TOKEN.text.encode()[:-1]),
        (Medium.QR, HANAS_TOKEN.text.lower().encode()),
        (Medium.QR, b""),
        (Medium.QR, b"\xff\x00" * 4000),
        (Medium.NFC_TEXT, b"'; DROP TABLE entry; --"),
        (Medium.KEYS, b"4901234567894"),
        (Medium.NFC_UID, b""),
        (Medium.NFC_RANDOM_UID, b""),
    ],
)
def test_what_is_no_card_of_ours_is_answered_kindly_and_leaves_no_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, medium: Medium, payload: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    with door_rig(tmp_path) as rig:
        assert rig.door.handle(rig.read(payload=payload, medium=medium)).kind is AnswerKind.FOREIGN
        assert rig.kinds() == ["session"]
    assert "Hana" not in caplog.text
    assert "DROP" not in caplog.text


@pytest.mark.parametrize(("medium", "form"), [(Medium.NFC_UID, CardForm.UID), (Medium.FELICA_IDM, CardForm.IDM)])
def test_a_uid_is_a_card_when_the_roster_has_it(tmp_path: Path, medium: Medium, form: CardForm) -> None:
    uid = bytes.fromhex("04a1b2c3d4e5f6")
    child = holder()
    card = uid_card(form, uid, UID_KEY)
    known = roster(holders=(type(child)(child.child, child.mark, (card.card_hash,)),))
    with door_rig(tmp_path) as rig:
        rig.cache.store_state(state(roster_part=known))
        assert rig.door.handle(rig.read(payload=uid, medium=medium)).kind is AnswerKind.IN
        assert card_of(rig.read(payload=uid, medium=medium), b"another key") != card


def test_an_undo_takes_the_movement_back_and_the_next_card_counts_anew(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        answer = rig.tap()
        undone = rig.door.undo(answer.id)
        assert (undone.kind, undone.mark) == (AnswerKind.UNDONE, RED_CAT)
        assert rig.shown.answers == [answer, undone]
        assert rig.journal.records_of_boot(0)[-1].body == Undone(seq=1)
        assert rig.tap().kind is AnswerKind.IN


def test_an_undo_pressed_twice_is_recorded_once(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        answer = rig.tap()
        assert [rig.door.undo(answer.id).kind for _ in range(3)] == [AnswerKind.UNDONE] * 3
        assert rig.kinds() == ["session", "movement", "undo"]


def test_an_undo_that_comes_too_late_leaves_the_movement(tmp_path: Path) -> None:
    with door_rig(tmp_path, policy=Policy(undo_s=8)) as rig:
        answer = rig.tap()
        rig.clock.advance(8 + PRESS_GRACE_NS / 1e9)
        assert rig.door.undo(answer.id).kind is AnswerKind.AGAIN_IN
        assert rig.kinds() == ["session", "movement"]


def test_the_window_of_an_undo_is_not_moved_by_the_wall_clock(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        answer = rig.tap()
        rig.clock.step(3600)
        assert rig.door.undo(answer.id).kind is AnswerKind.UNDONE


def test_an_undo_whose_journal_was_taken_away_leaves_the_movement_and_every_later_one(tmp_path: Path) -> None:
    """It names an entry by its number, and that is another child's in the journal that is begun."""
    with door_rig(tmp_path) as rig:
        answer = rig.tap()
        for part in tmp_path.glob("journal.db*"):
            part.unlink()
        assert rig.door.undo(answer.id).kind is AnswerKind.AGAIN_IN
        assert rig.kinds() == ["session"]
        assert rig.tap(TAROS_TOKEN).kind is AnswerKind.IN
        rig.clock.advance(120)
        assert rig.tap(TAROS_TOKEN).kind is AnswerKind.OUT


def test_an_undo_of_what_was_never_answered_fetches_staff(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        assert rig.door.undo(99).kind is AnswerKind.STAFF
        assert rig.kinds() == ["session"]


def test_a_card_shown_twice_does_not_take_the_button_away(tmp_path: Path) -> None:
    with door_rig(tmp_path, policy=Policy(undo_s=8)) as rig:
        rig.tap()
        rig.clock.advance(2)
        again = rig.tap()
        assert (again.kind, again.undo_s) == (AnswerKind.AGAIN_IN, 6)
        assert rig.door.undo(again.id).kind is AnswerKind.UNDONE
        assert rig.journal.records_of_boot(0)[-1].body == Undone(seq=1)


def test_a_child_who_may_not_come_back_is_sent_to_staff(tmp_path: Path) -> None:
    with door_rig(tmp_path, policy=Policy(reentry_allowed=False)) as rig:
        kinds = []
        for _ in range(3):
            kinds.append(rig.tap().kind)
            rig.clock.advance(100)
        assert kinds == [AnswerKind.IN, AnswerKind.OUT, AnswerKind.STAFF]
        assert len(moves(rig)) == 2


def test_with_another_kiosk_and_no_contact_the_child_is_asked(tmp_path: Path) -> None:
    with door_rig(tmp_path, policy=Policy(kiosks_at_site=2, contact_lost_s=300)) as rig:
        rig.cache.note_contact(rig.clock.read().boot_ns, rig.clock.read().wall_ms)
        assert rig.tap().kind is AnswerKind.IN
        rig.clock.advance(301)
        assert rig.tap().kind is AnswerKind.ASK


def test_what_another_kiosk_recorded_decides_the_way(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        came = Movement("theirs:4", HANA, Direction.ENTRY, rig.clock.read().wall_ms - 600_000)
        rig.cache.store_state(state(presence_part=presence(came)))
        assert rig.tap().kind is AnswerKind.OUT


def test_after_a_restart_the_door_knows_who_is_in(tmp_path: Path) -> None:
    clock = ManualClock(AFTERNOON)
    with door_rig(tmp_path, clock=clock) as rig:
        rig.tap()
    clock.advance(600)
    with door_rig(tmp_path, clock=clock) as rig:
        assert rig.tap().kind is AnswerKind.OUT
    clock.advance(600)
    with door_rig(tmp_path, clock=clock, boot=OTHER_BOOT) as rig:
        assert rig.tap().kind is AnswerKind.IN


def test_yesterdays_forgotten_exit_does_not_turn_todays_entry_round(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        rig.tap()
        rig.clock.advance(24 * 3600)
        assert rig.tap().kind is AnswerKind.IN


def test_a_child_who_came_in_1970_leaves_today(tmp_path: Path) -> None:
    clock = ManualClock(datetime(1970, 1, 1, 0, 5, tzinfo=UTC), state=ClockState.NONE)
    with door_rig(tmp_path, clock=clock) as rig:
        assert rig.tap().kind is AnswerKind.IN
        clock.advance(600)
        clock.step((AFTERNOON - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
        assert rig.tap().kind is AnswerKind.OUT
        assert rig.kinds() == ["session", "movement", "clock", "movement"]


def test_once_the_day_is_known_the_records_of_an_earlier_boot_of_that_day_count(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        rig.tap()
    clock = ManualClock(datetime(1970, 1, 1, 0, 5, tzinfo=UTC), state=ClockState.NONE)
    with door_rig(tmp_path, clock=clock, boot=OTHER_BOOT) as rig:
        rig.tap(TAROS_TOKEN)
        rig.cache.note_contact(clock.read().boot_ns, to_ms(AFTERNOON) + 600_000)
        assert rig.tap().kind is AnswerKind.OUT


def test_a_door_opened_on_a_full_disk_is_well_again_by_itself(tmp_path: Path) -> None:
    with disk_full(tmp_path / "journal.db"):
        journal = open_journal(tmp_path / "journal.db")
    cache = RosterCache.open(tmp_path / "cache.db")
    names = NameBook(cache, tmp_path / "names.key")
    clock, shown = ManualClock(AFTERNOON), Shown()
    door = Door(journal=journal, cache=cache, clock=clock, uid_key=UID_KEY, names=names, display=shown)
    assert [door.status(()).broken for _ in range(2)] == [True, False]
    journal.close()
    cache.close()


def test_a_step_of_the_clock_is_journalled_before_what_follows_it(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        rig.clock.step(-90)
        rig.tap()
        rig.clock.step(90)
        rig.door.tick()
        bodies = [record.body for record in rig.journal.records_of_boot(0)]
        assert bodies[1] == ClockStepped(step_ms=-90_000)
        assert isinstance(bodies[2], Moved)
        assert bodies[3] == ClockStepped(step_ms=90_000)


def test_a_step_that_could_not_be_journalled_is_journalled_later(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        rig.clock.step(90)
        with disk_full(tmp_path / "journal.db"):
            rig.door.tick()
        rig.door.tick()
        assert rig.kinds() == ["session", "clock"]


def test_a_full_disk_is_answered_red_and_never_ok(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        with disk_full(tmp_path / "journal.db"):
            for token in (HANAS_TOKEN, TAROS_TOKEN, STRANGE_TOKEN):
                assert rig.tap(token).kind is AnswerKind.BROKEN
            assert rig.door.status(()).broken
        assert rig.kinds() == ["session"]
        assert [rig.tap(token).kind for token in (HANAS_TOKEN, TAROS_TOKEN)] == [AnswerKind.IN, AnswerKind.IN]
        assert rig.tap(STRANGE_TOKEN).kind is AnswerKind.UNKNOWN
        assert not rig.door.status(()).broken


def test_an_undo_that_cannot_be_written_is_not_taken_for_done(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        answer = rig.tap()
        with disk_full(tmp_path / "journal.db"):
            assert rig.door.undo(answer.id).kind is AnswerKind.BROKEN
        assert rig.door.undo(answer.id).kind is AnswerKind.UNDONE
        assert rig.kinds() == ["session", "movement", "undo"]


def test_a_locked_journal_is_answered_red(tmp_path: Path) -> None:
    with door_rig(tmp_path, busy_timeout_s=0.05) as rig:
        other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert rig.tap().kind is AnswerKind.BROKEN
        other.execute("ROLLBACK")
        other.close()
        assert rig.tap().kind is AnswerKind.IN


def test_a_roster_that_cannot_be_read_is_answered_red(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        rig.cache.close()
        for part in tmp_path.glob("cache.db*"):
            part.unlink()
        (tmp_path / "cache.db").mkdir()
        assert rig.tap().kind is AnswerKind.BROKEN
        assert rig.door.status(()).broken


def test_a_bug_is_answered_red_and_logged_without_the_card(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(self: RosterCache, card: object) -> None:
        raise RuntimeError(f"surprise: {HANAS_TOKEN.text}")

    monkeypatch.setattr(RosterCache, "find", bug)
    with door_rig(tmp_path) as rig:
        assert rig.tap().kind is AnswerKind.BROKEN
    assert "error=RuntimeError at=" in caplog.text
    assert "door.py:" in caplog.text
    assert HANAS_TOKEN.text not in caplog.text


def test_a_name_is_shown_once_its_key_is_there_and_gone_with_it(tmp_path: Path) -> None:
    key = tmp_path / "names.key"
    with door_rig(tmp_path) as rig:
        assert rig.tap().name is None
        key.write_bytes(NAMES_KEY)
        assert rig.tap().name == NAMES[HANA]
        key.write_bytes(b"w" * 32)
        os.utime(key, ns=(1, 1))
        assert rig.tap().name is None
        key.unlink()
        assert rig.tap().name is None


def test_a_new_pack_of_names_is_read(tmp_path: Path) -> None:
    (tmp_path / "names.key").write_bytes(NAMES_KEY)
    with door_rig(tmp_path) as rig:
        assert rig.tap().name == NAMES[HANA]
        swapped = {HANA: NAMES[TARO]}
        part = roster(version="r2")
        rig.cache.store_state(
            state(roster_part=type(part)(version="r2", holders=HOLDERS, names=seal(swapped, NAMES_KEY)))
        )
        assert rig.tap().name == NAMES[TARO]


def test_answers_are_numbered_upwards(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        ids = [rig.tap().id, rig.tap(TAROS_TOKEN).id, rig.door.undo(1).id, rig.tap(STRANGE_TOKEN).id]
        assert ids == sorted(set(ids))


def test_the_status_tells_staff_how_things_are(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        rig.tap()
        rig.tap(TAROS_TOKEN)
        reading = rig.clock.read()
        rig.cache.note_contact(reading.boot_ns, reading.wall_ms)
        (head,) = rig.journal.heads()
        rig.cache.store_acks([Head(head.session, 1, "x")])
        assert rig.door.status(("back",)) == DoorStatus(
            present=2, unsent=1, connected=True, readers_down=("back",), broken=False
        )
        rig.clock.advance(31)
        assert not rig.door.status(()).connected


def test_a_record_is_logged_with_the_instants_of_its_tap_and_nothing_personal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "names.key").write_bytes(NAMES_KEY)
    with door_rig(tmp_path) as rig:
        read = rig.read()
        rig.clock.advance(0.01)
        rig.door.handle(read)
        now_ns = rig.clock.read().boot_ns
        session = rig.journal.session
    assert (
        f"recorded session={session} seq=1 kind=movement read_boot_ns={read.read_at_ns} "
        f"committed_boot_ns={now_ns} shown_boot_ns={now_ns}"
    ) in caplog.text
    for private in (HANAS_TOKEN.text, HANAS_TOKEN.ref.card_hash, NAMES[HANA].name, NAMES[HANA].kana):
        assert private not in caplog.text


def test_ok_is_shown_only_after_the_commit(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        seen: list[int] = []
        rig.shown.show = lambda answer: seen.append(len(other_connection(tmp_path)))  # type: ignore[method-assign]
        rig.tap()
        assert seen == [2]


def other_connection(folder: Path) -> list[object]:
    """The entries that a process of its own would find on the disk."""
    connection = sqlite3.connect(folder / "journal.db")
    try:
        return connection.execute("SELECT seq FROM entry").fetchall()
    finally:
        connection.close()
