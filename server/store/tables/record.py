"""What the doors wrote, what is derived from it, and what is told of it."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from server.store.tables.columns import HASH, ID, metadata, ms, own_id, ref

_KEPT_ASIDE = text("quarantined IS NOT NULL")

entry = Table(
    "entry",  # the journals of all kiosks, as they were written; updated only to let an entry out of quarantine
    metadata,
    own_id(),
    ref("kiosk_id", "kiosk"),
    Column("session", String(36), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", String(20), nullable=False),  # empty when quarantined
    Column("line", Text, nullable=False),
    Column("hash", HASH, nullable=False),
    ms("received_at_ms"),
    Column("quarantined", String(200), nullable=True),  # why it is not understood
    UniqueConstraint("session", "seq"),
    Index("ix_entry_kiosk_id", "kiosk_id"),
    Index("ix_entry_quarantined", "quarantined", sqlite_where=_KEPT_ASIDE, postgresql_where=_KEPT_ASIDE),
)

journal_session = Table(
    "journal_session",  # what is held of each session, kept in the transaction that inserts its entries
    metadata,
    Column("session", String(36), primary_key=True),
    ref("kiosk_id", "kiosk"),
    Column("boot", String(36), nullable=False),  # empty when the header was not understood
    Column("through", Integer, nullable=False),
    Column("hash", HASH, nullable=False),
    ms("grown_at_ms"),  # when its last entry came
    Index("ix_journal_session_kiosk_grown", "kiosk_id", "grown_at_ms"),
    Index("ix_journal_session_kiosk_boot", "kiosk_id", "boot"),
)

anchor = Table(
    "anchor",  # boot_ns of a kiosk's boot against server time, one a boot: the best there was
    metadata,
    ref("kiosk_id", "kiosk"),
    Column("boot", String(36), nullable=False),
    Column("boot_ns", BigInteger, nullable=False),
    ms("server_ms"),
    Column("err_ms", BigInteger, nullable=False, server_default="90000"),
    Column("source", String(10), nullable=False, server_default="anchor"),  # wall: the kiosk's own clock, kept by NTP
    UniqueConstraint("kiosk_id", "boot"),
)

movement = Table(
    "movement",  # derived; the fold of these is the headcount
    metadata,
    Column("id", String(60), primary_key=True),  # session:seq, or the id of the amendment that added it
    ref("site_id", "site"),
    ref("kiosk_id", "kiosk", nullable=True),
    ref("child_id", "child"),
    Column("direction", String(5), nullable=False),
    Column("made_by", String(10), nullable=False),
    Column("day", Date, nullable=False),
    ms("at_ms"),  # best time
    Column("at_source", String(10), nullable=False),  # anchor, wall, unsettled, staff
    Column("at_err_ms", BigInteger, nullable=True),
    Column("boot", String(36), nullable=False, server_default=""),
    Column("boot_ns", BigInteger, nullable=False, server_default="0"),
    ms("wall_ms"),
    ms("undone_at_ms", nullable=True),
    CheckConstraint("direction IN ('entry', 'exit')", name="direction"),
    Index("ix_movement_day_site", "day", "site_id"),
    Index("ix_movement_child_day", "child_id", "day"),
    Index("ix_movement_boot", "boot"),
)

unknown_card = Table(
    "unknown_card",  # for staff: somebody stood at the door with a card nobody holds
    metadata,
    Column("id", String(60), primary_key=True),
    ref("site_id", "site"),
    Column("card_hash", HASH, nullable=False),
    Column("day", Date, nullable=False),
    ms("at_ms"),
    Index("ix_unknown_card_day_site", "day", "site_id"),
)

delivery = Table(
    "delivery",  # the outbox: queued in the transaction of its movement
    metadata,
    own_id(),  # also Message-ID
    Column("movement_id", String(60), ForeignKey("movement.id"), nullable=False),
    ref("guardian_id", "guardian"),
    Column("topic", String(10), nullable=False),  # moved, undone
    Column("channel", String(10), nullable=False),  # mail
    Column("state", String(10), nullable=False),  # queued, sent, failed, cancelled
    Column("attempts", Integer, nullable=False, server_default="0"),
    ms("queued_at_ms"),  # or last taken up
    ms("due_at_ms"),
    ms("leased_until_ms", nullable=True),
    Column("lease", ID, nullable=True),  # whose lease it is
    ms("settled_at_ms", nullable=True),
    Column("provider_id", String(200), nullable=True),
    Column("reason", String(200), nullable=True),
    UniqueConstraint("movement_id", "guardian_id", "topic", "channel"),
    Index("ix_delivery_state_due", "state", "due_at_ms"),
    CheckConstraint("state IN ('queued', 'sent', 'failed', 'cancelled')", name="state"),
)
