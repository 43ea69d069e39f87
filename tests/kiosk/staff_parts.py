"""What tests of the staff panel share: a door that remembers who was entered, and children as a site has them."""

from collections.abc import Sequence
from itertools import product

from attendance.records import Direction
from attendance.roster import DisplayName, all_marks
from attendance.staff_pin import hash_pin
from kiosk.answer import Answer, AnswerKind, ChildNow, Whereabouts
from tests.kiosk.screen_parts import answer

PIN = "471108"
HASHED = hash_pin(PIN)
FAMILIES = [
    ("青木", "あおき"),
    ("石川", "いしかわ"),
    ("遠藤", "えんどう"),
    ("勘解由小路", "かでのこうじ"),
    ("後藤", "ごとう"),
    ("佐々木", "ささき"),
    ("鈴木", "すずき"),
    ("髙橋", "たかはし"),
    ("田中", "たなか"),
    ("中村", "なかむら"),
    ("西", "にし"),
    ("長谷川", "はせがわ"),
    ("Nguyen", "ぐえん"),
    ("松本", "まつもと"),
    ("山﨑", "やまざき"),
    ("渡邉", "わたなべ"),
]
GIVEN = [
    ("花", "はな"),
    ("蓮", "れん"),
    ("左衛門三郎", "さえもんさぶろう"),
    ("結衣", "ゆい"),
    ("悠真", "ゆうま"),
    ("フェルナンダ", "ふぇるなんだ"),
    ("陽葵", "ひまり"),
    ("湊", "みなと"),
]
_STATES = [Whereabouts.NOT_YET, Whereabouts.IN, Whereabouts.IN, Whereabouts.LEFT]


def children(count: int = 3, *, named: bool = True) -> tuple[ChildNow, ...]:
    """As many invented children as a site may have, up to 120 with names of their own; each with a mark of its own."""
    names = [
        DisplayName(f"{family} {given}", f"{family_kana} {given_kana}")
        for (given, given_kana), (family, family_kana) in product(GIVEN, FAMILIES)
    ]
    marks = all_marks()
    return tuple(
        ChildNow(
            child=f"child-{number}",
            mark=marks[number % len(marks)],
            name=names[number % len(names)] if named else None,
            whereabouts=_STATES[number % len(_STATES)],
        )
        for number in range(count)
    )


class RememberedEntries:
    """A door for staff that remembers what was entered, and answers as a real one."""

    def __init__(self, there: Sequence[ChildNow] = (), *, pin: str | None = HASHED) -> None:
        self.there = tuple(there) or children()
        self.pin = pin
        self.entered: list[tuple[str, Direction]] = []
        self.looks = 0
        self.kind: AnswerKind | None = None
        """Of the next answer; None for as the direction has it."""

    def staff_pin(self) -> str | None:
        return self.pin

    def children(self) -> Sequence[ChildNow]:
        self.looks += 1
        return self.there

    def enter_by_staff(self, child: str, direction: Direction) -> Answer | None:
        found = next((each for each in self.there if each.child == child), None)
        if found is None:
            return None
        self.entered.append((child, direction))
        kind = self.kind or (AnswerKind.IN if direction is Direction.ENTRY else AnswerKind.OUT)
        return answer(1000 + len(self.entered), kind, mark=found.mark, name=found.name, undo_s=8)
