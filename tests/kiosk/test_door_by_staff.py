"""The door when staff enter a child: the same journal, rules, answers and way back as for a card."""

from pathlib import Path

import pytest

from attendance.clock import to_ms
from attendance.policy import Policy
from attendance.presence import Movement
from attendance.records import Direction, MadeBy, Moved, Undone
from attendance.roster import Holder
from attendance.staff_pin import hash_pin
from kiosk.answer import AnswerKind, ChildNow, Whereabouts
from kiosk.errors import CacheError
from tests.kiosk.door_parts import (
    AFTERNOON,
    HANA,
    HOLDERS,
    NAMES,
    NAMES_KEY,
    TARO,
    TAROS_TOKEN,
    Rig,
    door_rig,
    holder,
    presence,
    roster,
    state,
)
from tests.kiosk.test_journal import disk_full

HASHED = hash_pin("471108")


def enter(rig: Rig, child: str = HANA, direction: Direction = Direction.ENTRY) -> AnswerKind:
    answer = rig.door.enter_by_staff(child, direction)
    assert answer is not None
    return answer.kind


def test_what_staff_enter_is_recorded_as_theirs_and_the_child_is_answered(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        answer = rig.door.enter_by_staff(HANA, Direction.ENTRY)
        assert answer is not None
        (record,) = rig.journal.records_of_boot(0)[1:]
        assert record.body == Moved(child=HANA, direction=Direction.ENTRY, by=MadeBy.STAFF, card=None)
        assert (answer.kind, answer.mark, answer.undo_s) == (AnswerKind.IN, HOLDERS[0].mark, 8)
        assert rig.shown.answers == [answer]


def test_a_second_touch_is_the_same_walk(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        assert [enter(rig) for _ in range(3)] == [AnswerKind.IN, AnswerKind.AGAIN_IN, AnswerKind.AGAIN_IN]
        assert rig.kinds() == ["session", "movement"]


def test_a_card_found_after_all_is_the_same_walk_and_so_is_a_touch_after_the_card(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        enter(rig)
        assert rig.tap().kind is AnswerKind.AGAIN_IN
        rig.tap(TAROS_TOKEN)
        assert enter(rig, TARO) is AnswerKind.AGAIN_IN
        assert rig.kinds() == ["session", "movement", "movement"]


def test_the_way_that_staff_chose_is_recorded_even_within_the_window_of_the_other(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        assert enter(rig) is AnswerKind.IN
        assert enter(rig, direction=Direction.EXIT) is AnswerKind.OUT


def test_in_for_a_child_who_has_long_been_in_is_recorded_for_the_closing_list(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        enter(rig)
        rig.clock.advance(3600)
        assert enter(rig) is AnswerKind.IN
        assert rig.kinds() == ["session", "movement", "movement"]


def test_it_is_taken_back_like_any_other(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        answer = rig.door.enter_by_staff(HANA, Direction.ENTRY)
        assert answer is not None
        assert rig.door.undo(answer.id).kind is AnswerKind.UNDONE
        assert rig.journal.records_of_boot(0)[-1].body == Undone(seq=1)
        assert rig.tap().kind is AnswerKind.IN


def test_staff_may_let_a_child_in_again_whom_the_site_does_not_let_in_alone(tmp_path: Path) -> None:
    with door_rig(tmp_path, policy=Policy(reentry_allowed=False)) as rig:
        for _ in range(2):
            rig.tap()
            rig.clock.advance(600)
        assert rig.tap().kind is AnswerKind.STAFF
        assert enter(rig) is AnswerKind.IN


def test_who_is_not_on_the_roster_is_not_entered_and_nobody_is_answered(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        assert rig.door.enter_by_staff("nobody", Direction.ENTRY) is None
        rig.cache.store_state(state(roster_part=roster(version="r2", holders=(holder(TARO, TAROS_TOKEN),))))
        assert rig.door.enter_by_staff(HANA, Direction.ENTRY) is None
        assert rig.kinds() == ["session"]
        assert rig.shown.answers == []


def test_a_full_disk_is_answered_red(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        with disk_full(tmp_path / "journal.db"):
            assert enter(rig) is AnswerKind.BROKEN
        assert rig.kinds() == ["session"]
        assert enter(rig) is AnswerKind.IN


def test_a_roster_that_cannot_be_read_is_answered_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(child: str) -> Holder:
        raise CacheError(f"disk I/O error {child}")

    with door_rig(tmp_path) as rig:
        monkeypatch.setattr(rig.cache, "holder", unreadable)
        assert enter(rig) is AnswerKind.BROKEN
        assert rig.kinds() == ["session"]


def test_a_step_of_the_clock_is_journalled_before_what_staff_enter(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        rig.clock.step(-90)
        enter(rig)
        assert rig.kinds() == ["session", "clock", "movement"]


def test_every_child_is_listed_with_mark_name_and_whereabouts(tmp_path: Path) -> None:
    left = [
        Movement("s:1", TARO, Direction.ENTRY, to_ms(AFTERNOON) - 7_200_000),
        Movement("s:2", TARO, Direction.EXIT, to_ms(AFTERNOON) - 3_600_000),
    ]
    with door_rig(tmp_path, presence_part=presence(*left)) as rig:
        assert rig.door.children() == (
            ChildNow(HANA, HOLDERS[0].mark, None, Whereabouts.NOT_YET),
            ChildNow(TARO, HOLDERS[1].mark, None, Whereabouts.LEFT),
        )
        (tmp_path / "names.key").write_bytes(NAMES_KEY)
        rig.tap()
        assert rig.door.children()[0] == ChildNow(HANA, HOLDERS[0].mark, NAMES[HANA], Whereabouts.IN)


def test_the_door_tells_whether_the_site_has_a_pin(tmp_path: Path) -> None:
    with door_rig(tmp_path) as rig:
        assert rig.door.staff_pin() is None
        assert not rig.door.status(()).by_staff
        rig.cache.store_state(state(policy=Policy(staff_pin=HASHED)))
        assert rig.door.staff_pin() == HASHED
        assert rig.door.status(()).by_staff
        rig.cache.store_state(state(policy=Policy(staff_pin="argon2id$from-a-later-server")))
        assert rig.door.staff_pin() is None
        assert not rig.door.status(()).by_staff
