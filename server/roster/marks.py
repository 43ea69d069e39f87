"""Giving children their marks (おしるし): no two at a site shall have the same, as long as there are enough."""

from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, select, update

from attendance.roster import Animal, Colour, Mark, all_marks
from server.enrolled import enrolled_children
from server.store.chunks import chunks
from server.store.tables import child, enrolment


class Marks:
    """The marks at one site, while a roster is brought in."""

    def __init__(self, conn: Connection, site_id: str, today: date) -> None:
        self._conn = conn
        self._site_id = site_id
        self._today = today
        self._here = enrolled_children(conn, site_id, today)
        taken = self._marks_of(self._here)
        self._free = [mark for mark in all_marks() if mark not in taken]

    def take(self, child_id: str) -> Mark:
        """Give a new child a mark that is free; when all are taken they begin again."""
        if not self._free:
            self._free.extend(all_marks())
        self._here.add(child_id)
        return self._free.pop(0)

    def settle_in(self, before: Row[Any]) -> bool:
        """Give a child who is new at this site another mark, if a child here has the same; say whether."""
        if before.id in self._here:
            return False
        mark = Mark(Animal(before.animal), Colour(before.colour))
        others, self._here = self._here, self._here | {before.id}
        if mark not in self._marks_of(others):
            self._free = [free for free in self._free if free != mark]
            return False
        taken = self._marks_of({other for each in self._sites_of(before.id) for other in self._enrolled_at(each)})
        fresh = next((free for free in all_marks() if free not in taken), None)
        if fresh is None:
            return False
        self._free = [free for free in self._free if free != fresh]
        values = {"animal": fresh.animal.value, "colour": fresh.colour.value}
        self._conn.execute(update(child).where(child.c.id == before.id).values(**values))
        return True

    def _enrolled_at(self, site_id: str) -> set[str]:
        return self._here if site_id == self._site_id else enrolled_children(self._conn, site_id, self._today)

    def _sites_of(self, child_id: str) -> set[str]:
        theirs = select(enrolment.c.site_id).where(enrolment.c.child_id == child_id)
        return {self._site_id, *self._conn.execute(theirs).scalars()}

    def _marks_of(self, children: set[str]) -> set[Mark]:
        return {
            Mark(Animal(row.animal), Colour(row.colour))
            for some in chunks(sorted(children))
            for row in self._conn.execute(select(child.c.animal, child.c.colour).where(child.c.id.in_(some)))
        }
