"""The audit: who looked at, exported or changed personal data; rows are only ever added."""

from sqlalchemy import Connection, insert

from server.store.ids import new_id
from server.store.tables import audit


def record(conn: Connection, who: str, action: str, subject: str, now_ms: int) -> None:
    """Write down an act in the transaction it belongs to.

    `who` is an account id or the command that ran, `action` a dotted code such as `roster.import`, `subject` an id or
    code; never a name.
    """
    conn.execute(insert(audit).values(id=new_id(), at_ms=now_ms, who=who, action=action, subject=subject))
