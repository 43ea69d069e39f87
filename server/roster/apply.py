"""Bringing a checked roster into the store: first what would change, then, if wanted, all of it in one transaction.

A row describes a child and the child's enrolment at one site. A child who is not in the file is left alone: a file may
hold one class only. Ending an enrolment is a date in the file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, insert, select, update

from attendance.catalogue import Catalogue
from attendance.clock import day_bounds, from_ms, local_day, to_ms
from server import quarantine
from server.cards import issue, tell_kiosks
from server.enrolled import enrolled_children, not_over
from server.errors import RosterRefused
from server.roster.cells import same_name
from server.roster.check import RosterGuardian, RosterRow
from server.roster.columns import title
from server.roster.marks import Marks
from server.store.ids import child_id_of, new_id
from server.store.tables import card, child, enrolment, guardian, guardianship, site, unit

GUARDIANS = "guardians"
"""Stands for all columns of guardians in a `Change`."""


@dataclass(frozen=True, slots=True)
class Change:
    """A child of the store whom a row of the file changes."""

    row: int
    number: str
    columns: tuple[str, ...]
    """Codes of the columns that differ."""


@dataclass(slots=True)
class Changes:
    """What an import does."""

    added: list[int] = field(default_factory=list)
    """Rows of children who are new."""
    changed: list[Change] = field(default_factory=list)
    unchanged: int = 0
    absent_from_file: int = 0
    """Children enrolled at the site now or later whom the file does not name."""
    cards_issued: int = 0
    new_marks: list[int] = field(default_factory=list)
    """Rows of children whose mark another child of the site has already: their printed card shows the old one."""
    recovered: int = 0
    """Entries that left quarantine, since their children are known now."""
    elsewhere: list[int] = field(default_factory=list)
    """Rows of children who are enrolled at another site too."""


def apply(
    conn: Connection, site_id: str, rows: Iterable[RosterRow], words: Catalogue, now_ms: int, *, master: bytes
) -> Changes:
    """Write the roster of a site and return what changed; the caller's transaction decides whether it stays.

    The ids of new children follow from their numbers under the `master` key. What kiosks told of children whom nobody
    knew leaves quarantine. Raises: RosterRefused when a number belongs to somebody else at another site.
    """
    today = local_day(from_ms(now_ms))
    rows = list(rows)
    _refuse_strangers(conn, site_id, rows, words)
    changes = Changes()
    marks = Marks(conn, site_id, today)
    seen = set()
    for row in rows:
        before = conn.execute(select(child).where(child.c.number == row.number)).one_or_none()
        child_id, columns = _put_child(conn, before, row, marks, master)
        seen.add(child_id)
        columns += _put_enrolment(conn, site_id, child_id, row)
        columns += _put_guardians(conn, child_id, row.guardians)
        if before is not None and marks.settle_in(before):
            changes.new_marks.append(row.row)
        if before is None:
            changes.added.append(row.row)
        elif columns:
            changes.changed.append(Change(row.row, row.number, tuple(dict.fromkeys(columns))))
        else:
            changes.unchanged += 1
        if _is_elsewhere(conn, child_id, site_id, today):
            changes.elsewhere.append(row.row)
        if conn.execute(select(card.c.id).where(card.c.child_id == child_id).limit(1)).first() is None:
            issue(conn, child_id, now_ms)
            changes.cards_issued += 1
        elif columns:
            tell_kiosks(conn, child_id)
    changes.recovered = quarantine.take_out(conn, now_ms)
    changes.absent_from_file = len(enrolled_children(conn, site_id, today) - seen)
    return changes


def _refuse_strangers(conn: Connection, site_id: str, rows: Sequence[RosterRow], words: Catalogue) -> None:
    """Refuse numbers that another site has given to another child: an import must rename nobody there."""
    problems = []
    for row in rows:
        before = conn.execute(select(child.c.id, child.c.name).where(child.c.number == row.number)).one_or_none()
        if before is None or same_name(before.name, row.name):
            continue
        sites = conn.execute(
            select(site.c.id, site.c.code)
            .join(enrolment, enrolment.c.site_id == site.c.id)
            .where(enrolment.c.child_id == before.id)
            .order_by(site.c.code)
        ).all()
        if sites and site_id not in {each.id for each in sites}:
            problem = words.text("roster.number_of_another", value=row.number, site=sites[0].code)
            problems.append(words.text("roster.at", row=row.row, column=title(words, "number"), problem=problem))
    if problems:
        raise RosterRefused(problems)


def _is_elsewhere(conn: Connection, child_id: str, site_id: str, today: date) -> bool:
    there = (enrolment.c.child_id == child_id) & (enrolment.c.site_id != site_id)
    return conn.execute(select(enrolment.c.id).where(there, not_over(today)).limit(1)).first() is not None


def _put_child(
    conn: Connection, before: Row[Any] | None, row: RosterRow, marks: Marks, master: bytes
) -> tuple[str, list[str]]:
    values = {"name": row.name, "kana": row.kana, "school_class": row.school_class}
    if before is not None:
        return before.id, _update(conn, child, before, values)
    new = child_id_of(master, row.number)
    mark = marks.take(new)
    look = {"animal": mark.animal.value, "colour": mark.colour.value}
    conn.execute(insert(child).values(id=new, number=row.number, **look, **values))
    return new, []


def _put_enrolment(conn: Connection, site_id: str, child_id: str, row: RosterRow) -> list[str]:
    """Make the enrolment of the row the only one in its time, and return the columns that changed.

    One that begins earlier ends the day before; one that begins within it was the same with another first day.
    """
    values = {"unit_id": _unit(conn, site_id, row.unit), "until_day": row.until_day, "weekdays": row.weekdays}
    held = conn.execute(select(enrolment).where(enrolment.c.child_id == child_id, enrolment.c.site_id == site_id)).all()
    for other in held:
        this = enrolment.c.id == other.id
        if other.from_day < row.from_day and (other.until_day is None or other.until_day >= row.from_day):
            conn.execute(update(enrolment).where(this).values(until_day=row.from_day - timedelta(days=1)))
        elif other.from_day > row.from_day and (row.until_day is None or other.from_day <= row.until_day):
            conn.execute(delete(enrolment).where(this))
    same = next((other for other in held if other.from_day == row.from_day), None)
    if same is not None:
        return ["unit" if name == "unit_id" else name for name in _update(conn, enrolment, same, values)]
    conn.execute(
        insert(enrolment).values(id=new_id(), child_id=child_id, site_id=site_id, from_day=row.from_day, **values)
    )
    return ["from_day"]


def _unit(conn: Connection, site_id: str, name: str) -> str | None:
    if not name:
        return None
    known: str | None = conn.execute(
        select(unit.c.id).where(unit.c.site_id == site_id, unit.c.name == name)
    ).scalar_one_or_none()
    if known is not None:
        return known
    unit_id = new_id()
    conn.execute(insert(unit).values(id=unit_id, site_id=site_id, name=name))
    return unit_id


def _put_guardians(conn: Connection, child_id: str, guardians: Iterable[RosterGuardian]) -> list[str]:
    """Make the file's guardians the child's guardians, all of them and no others."""
    touched = False
    wanted = set()
    for row in guardians:
        guardian_id, differs = _put_guardian(conn, row)
        touched |= differs
        wanted.add(guardian_id)
    held = set(conn.execute(select(guardianship.c.guardian_id).where(guardianship.c.child_id == child_id)).scalars())
    for guardian_id in wanted - held:
        conn.execute(insert(guardianship).values(guardian_id=guardian_id, child_id=child_id))
    for guardian_id in held - wanted:
        conn.execute(
            delete(guardianship).where(guardianship.c.guardian_id == guardian_id, guardianship.c.child_id == child_id)
        )
    return [GUARDIANS] if touched or wanted != held else []


def _put_guardian(conn: Connection, row: RosterGuardian) -> tuple[str, bool]:
    """Write a guardian, found by e-mail address; a newer consent lets an address that refused mail be tried again."""
    consented_at_ms = None if row.consented_on is None else to_ms(day_bounds(row.consented_on)[0])
    values: dict[str, Any] = {
        "name": row.name,
        "language": row.language.value,
        "consented_at_ms": consented_at_ms,
    }
    before = conn.execute(select(guardian).where(guardian.c.email == row.email)).one_or_none()
    if before is None:
        guardian_id = new_id()
        conn.execute(insert(guardian).values(id=guardian_id, email=row.email, **values))
        return guardian_id, True
    if consented_at_ms is not None and consented_at_ms > (before.consented_at_ms or 0):
        values["suspended_at_ms"] = None
    return before.id, bool(_update(conn, guardian, before, values))


def _update(conn: Connection, table: Table, before: Any, values: dict[str, Any]) -> list[str]:
    """Write the values that differ; return the names of their columns."""
    news = {name: value for name, value in values.items() if getattr(before, name) != value}
    if news:
        conn.execute(update(table).where(table.c.id == before.id).values(**news))
    return list(news)
