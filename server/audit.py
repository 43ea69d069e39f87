"""The audit: who looked at, exported or changed personal data; rows are only ever added."""

from sqlalchemy import Connection, insert

from server.store.ids import new_id
from server.store.tables import audit

COMMAND = "command"
"""Who acted when it was somebody at the server's command line."""


def record(conn: Connection, who: str, action: str, subject: str, now_ms: int) -> None:
    """Write down an act in the transaction it belongs to.

    `who` is an account id, the code that enrolled a kiosk, or COMMAND; `action` a dotted code such as `roster.import`;
    `subject` an id or code; never a name.
    """
    conn.execute(insert(audit).values(id=new_id(), at_ms=now_ms, who=who, action=action, subject=subject))
