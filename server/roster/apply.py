"""Bringing a checked roster into the store: first what would change, then, if wanted, all of it in one transaction.

A child who is not in the file is left alone: a file may hold one class only. Ending an enrolment is a date in the file.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from attendance.clock import day_bounds, to_ms
from attendance.roster import Mark, all_marks
from server.cards import issue
from server.derive import settle
from server.roster.check import RosterGuardian, RosterRow
from server.store.ids import new_id
from server.store.tables import card, child, enrolment, guardian, guardianship, site, unit


@dataclass(slots=True)
class Changes:
    """What an import does, by the children's own numbers."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    absent_from_file: int = 0
    cards_issued: int = 0


def apply(conn: Connection, site_id: str, rows: Iterable[RosterRow], now_ms: int) -> Changes:
    """Write the roster of a site and return what changed; the caller's transaction decides whether it stays."""
    changes = Changes()
    marks = _free_marks(conn, site_id)
    seen = set()
    for row in rows:
        child_id, change = _put_child(conn, row, marks)
        seen.add(child_id)
        touched = _put_enrolment(conn, site_id, child_id, row)
        touched |= _put_guardians(conn, child_id, row.guardians)
        if change == "added":
            changes.added.append(row.number)
        elif touched or change == "changed":
            changes.changed.append(row.number)
        else:
            changes.unchanged.append(row.number)
        if conn.execute(select(card.c.id).where(card.c.child_id == child_id).limit(1)).first() is None:
            issue(conn, child_id, now_ms)
            changes.cards_issued += 1
    here = set(conn.execute(select(enrolment.c.child_id).where(enrolment.c.site_id == site_id)).scalars())
    changes.absent_from_file = len(here - seen)
    if changes.added or changes.changed:
        conn.execute(update(site).where(site.c.id == site_id).values(roster_version=site.c.roster_version + 1))
        settle(conn, now_ms)  # movements of children who came back with this file
    return changes


def _free_marks(conn: Connection, site_id: str) -> list[Mark]:
    """Return the marks no child of the site has; when all are taken they begin again."""
    taken = {
        (row.animal, row.colour)
        for row in conn.execute(
            select(child.c.animal, child.c.colour).where(
                child.c.id.in_(select(enrolment.c.child_id).where(enrolment.c.site_id == site_id))
            )
        )
    }
    return [mark for mark in all_marks() if (mark.animal.value, mark.colour.value) not in taken]


def _put_child(conn: Connection, row: RosterRow, marks: list[Mark]) -> tuple[str, str]:
    values = {"name": row.name, "kana": row.kana, "school_class": row.school_class}
    before = conn.execute(select(child).where(child.c.number == row.number)).one_or_none()
    if before is None:
        if not marks:
            marks.extend(all_marks())
        mark = marks.pop(0)
        child_id = new_id()
        conn.execute(
            insert(child).values(
                id=child_id, number=row.number, animal=mark.animal.value, colour=mark.colour.value, **values
            )
        )
        return child_id, "added"
    return before.id, "changed" if _update(conn, child, before, values) else "unchanged"


def _put_enrolment(conn: Connection, site_id: str, child_id: str, row: RosterRow) -> bool:
    values = {
        "unit_id": _unit(conn, site_id, row.unit),
        "until_day": row.until_day,
        "weekdays": row.weekdays,
    }
    before = conn.execute(
        select(enrolment).where(
            enrolment.c.child_id == child_id, enrolment.c.site_id == site_id, enrolment.c.from_day == row.from_day
        )
    ).one_or_none()
    if before is not None:
        return _update(conn, enrolment, before, values)
    conn.execute(
        insert(enrolment).values(id=new_id(), child_id=child_id, site_id=site_id, from_day=row.from_day, **values)
    )
    return True


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


def _put_guardians(conn: Connection, child_id: str, guardians: Iterable[RosterGuardian]) -> bool:
    """Make the file's guardians the child's guardians, all of them and no others."""
    touched = False
    wanted = set()
    for row in guardians:
        values = {
            "name": row.name,
            "language": row.language.value,
            "consented_at_ms": None if row.consented_on is None else _start_ms(row.consented_on),
        }
        before = conn.execute(select(guardian).where(guardian.c.email == row.email)).one_or_none()
        if before is None:
            guardian_id = new_id()
            conn.execute(insert(guardian).values(id=guardian_id, email=row.email, **values))
            touched = True
        else:
            guardian_id = before.id
            touched |= _update(conn, guardian, before, values)
        wanted.add(guardian_id)
    held = set(conn.execute(select(guardianship.c.guardian_id).where(guardianship.c.child_id == child_id)).scalars())
    for guardian_id in wanted - held:
        conn.execute(insert(guardianship).values(guardian_id=guardian_id, child_id=child_id))
    for guardian_id in held - wanted:
        conn.execute(
            delete(guardianship).where(guardianship.c.guardian_id == guardian_id, guardianship.c.child_id == child_id)
        )
    return touched or wanted != held


def _update(conn: Connection, table: Table, before: Any, values: dict[str, Any]) -> bool:
    """Write the values that differ; return whether any did."""
    news = {name: value for name, value in values.items() if getattr(before, name) != value}
    if news:
        conn.execute(update(table).where(table.c.id == before.id).values(**news))
    return bool(news)


def _start_ms(day: date) -> int:
    return to_ms(day_bounds(day)[0])
