"""A door that asks which way, and the two buttons that answer it."""

from pathlib import Path

from attendance.policy import Policy, WayMode
from attendance.records import Direction, MadeBy, Moved
from attendance.roster import Animal, Colour, Mark
from kiosk.answer import AnswerKind
from tests.kiosk.door_parts import HANA, HANAS_TOKEN, door_rig, moves


def test_a_child_who_was_asked_is_recorded_as_chosen_once(tmp_path: Path) -> None:
    with door_rig(tmp_path, policy=Policy(way=WayMode.ASK)) as rig:
        asked = rig.tap()
        assert (asked.kind, asked.mark) == (AnswerKind.ASK, Mark(Animal.CAT, Colour.RED))
        chosen = rig.door.choose(asked.id, Direction.EXIT)
        assert (chosen.kind, chosen.undo_s) == (AnswerKind.OUT, 8)
        assert rig.door.choose(asked.id, Direction.ENTRY).kind is AnswerKind.AGAIN_OUT
        assert rig.journal.records_of_boot(0)[1].body == Moved(
            child=HANA, direction=Direction.EXIT, by=MadeBy.CARD, card=HANAS_TOKEN.ref
        )
        assert len(moves(rig)) == 1
        assert rig.door.undo(chosen.id).kind is AnswerKind.UNDONE


def test_a_child_who_is_sent_to_staff_is_not_told_to_be_in_by_touching_again(tmp_path: Path) -> None:
    with door_rig(tmp_path, policy=Policy(way=WayMode.ASK, reentry_allowed=False)) as rig:
        for direction in Direction:
            rig.door.choose(rig.tap().id, direction)
            rig.clock.advance(3600)
        asked = rig.tap()
        assert [rig.door.choose(asked.id, Direction.ENTRY).kind for _ in range(2)] == [AnswerKind.STAFF] * 2
        assert len(moves(rig)) == 2


def test_a_question_whose_answer_was_taken_back_says_so(tmp_path: Path) -> None:
    with door_rig(tmp_path, policy=Policy(way=WayMode.ASK)) as rig:
        asked = rig.tap()
        rig.door.undo(rig.door.choose(asked.id, Direction.ENTRY).id)
        assert rig.door.choose(asked.id, Direction.ENTRY).kind is AnswerKind.UNDONE
        assert len(moves(rig)) == 1


def test_at_a_door_without_a_screen_a_child_who_would_be_asked_is_sent_to_staff(tmp_path: Path) -> None:
    with door_rig(tmp_path, policy=Policy(way=WayMode.ASK), can_ask=False) as rig:
        answer = rig.tap()
        assert (answer.kind, answer.mark, moves(rig)) == (AnswerKind.STAFF, Mark(Animal.CAT, Colour.RED), [])


def test_a_question_nobody_answered_cannot_be_answered_by_the_next_child(tmp_path: Path) -> None:
    with door_rig(tmp_path, policy=Policy(way=WayMode.ASK)) as rig:
        asked = rig.tap()
        rig.clock.advance(31)
        assert rig.door.choose(asked.id, Direction.ENTRY).kind is AnswerKind.STAFF
        assert rig.door.choose(1234, Direction.ENTRY).kind is AnswerKind.STAFF
        assert moves(rig) == []
