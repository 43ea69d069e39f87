"""The tables, in SQLAlchemy Core. Instants are integer milliseconds UTC; days are local dates; ids are text.

Every promise of idempotency is a unique constraint; live figures are folded by the index on (day, site).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = String(36)  # UUIDv7, time-ordered
_HASH = String(64)
_KEPT_ASIDE = text("quarantined IS NOT NULL")


def _id() -> Column[str]:
    return Column("id", _ID, primary_key=True)


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, _ID, ForeignKey(f"{target}.id"), nullable=nullable)


def _ms(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


site = Table(
    "site",
    metadata,
    _id(),
    Column("code", String(20), nullable=False, unique=True),  # what people and files call it
    Column("name", String(100), nullable=False),
    Column("expected_by", String(5), nullable=False, server_default="15:30"),  # HH:MM; later than this is 未着
    Column("closes_at", String(5), nullable=False, server_default="19:00"),
    Column("extended_from", String(5), nullable=False, server_default="18:00"),
    Column("way", String(10), nullable=False, server_default="auto"),
    Column("repeat_window_s", Integer, nullable=False, server_default="60"),
    Column("undo_s", Integer, nullable=False, server_default="8"),
    Column("reentry_allowed", Boolean, nullable=False, server_default="1"),
    Column("contact_lost_s", Integer, nullable=False, server_default="300"),
    Column(
        "roster_version", Integer, nullable=False, server_default="1"
    ),  # another with each change a kiosk must learn of
    Column("staff_pin", String(200), nullable=True),  # slow hash (attendance.staff_pin); None: no entry by hand
)

unit = Table(
    "unit",
    metadata,
    _id(),
    _ref("site_id", "site"),
    Column("name", String(100), nullable=False),
    UniqueConstraint("site_id", "name"),
)

kiosk = Table(
    "kiosk",
    metadata,
    _id(),
    _ref("site_id", "site"),
    Column("name", String(100), nullable=False),
    Column("key_id", String(32), nullable=False, unique=True),
    Column("public_key", LargeBinary(32), nullable=False),
    _ms("enrolled_at_ms"),
    _ms("revoked_at_ms", nullable=True),
    _ms("heard_at_ms", nullable=True),  # last good offer
    Column("app", String(40), nullable=False, server_default=""),
    Column("unsent", Integer, nullable=False, server_default="0"),
    Column("trouble", Text, nullable=False, server_default=""),  # codes of readers down and problems, space-separated
    _ms("clock_ahead_ms", nullable=True),  # of the server; None: not kept by NTP itself
)

enrolment_code = Table(
    "enrolment_code",
    metadata,
    _id(),
    _ref("site_id", "site"),
    Column("kiosk_name", String(100), nullable=False),
    Column("selector", String(4), nullable=False, unique=True),  # finds the code, so that tries count against it
    Column("code_hash", _HASH, nullable=False),
    _ms("expires_at_ms"),
    _ms("used_at_ms", nullable=True),
    Column("tries", Integer, nullable=False, server_default="0"),
)

nonce = Table(
    "nonce",
    metadata,
    Column("key_id", String(32), primary_key=True),
    Column("nonce", String(64), primary_key=True),
    _ms("seen_at_ms"),
    Index("ix_nonce_seen_at_ms", "seen_at_ms"),
)

child = Table(
    "child",
    metadata,
    _id(),
    Column("number", String(40), nullable=False, unique=True),  # the municipality's own number
    Column("name", String(100), nullable=False),
    Column("kana", String(100), nullable=False),  # hiragana; lists sort by it
    Column("school_class", String(40), nullable=False, server_default=""),
    Column("animal", String(20), nullable=False),
    Column("colour", String(20), nullable=False),
)

enrolment = Table(
    "enrolment",
    metadata,
    _id(),
    _ref("child_id", "child"),
    _ref("site_id", "site"),
    _ref("unit_id", "unit", nullable=True),
    Column("from_day", Date, nullable=False),
    Column("until_day", Date, nullable=True),  # last day, None for open
    Column("weekdays", String(7), nullable=False, server_default="1111100"),  # Monday first; 1: expected
    UniqueConstraint("child_id", "site_id", "from_day"),
    Index("ix_enrolment_site_id", "site_id"),
)

absence = Table(
    "absence",
    metadata,
    _ref("child_id", "child"),
    Column("day", Date, nullable=False),
    _ms("told_at_ms"),
    UniqueConstraint("child_id", "day"),
)

card = Table(
    "card",
    metadata,
    _id(),
    _ref("child_id", "child"),
    Column("card_hash", _HASH, nullable=False, unique=True),
    Column("form", String(10), nullable=False),
    Column("token", String(29), nullable=True),  # kept so that a sheet can be printed again; None for a UID
    _ms("issued_at_ms"),
    _ms("revoked_at_ms", nullable=True),
    Index("ix_card_child_id", "child_id"),
)

guardian = Table(
    "guardian",
    metadata,
    _id(),
    Column("name", String(100), nullable=False, server_default=""),
    Column("email", String(254), nullable=False, unique=True),
    Column("language", String(10), nullable=False, server_default="ja"),
    _ms("consented_at_ms", nullable=True),  # None: no notices
    _ms("suspended_at_ms", nullable=True),  # the address refused mail for good
)

guardianship = Table(
    "guardianship",
    metadata,
    _ref("guardian_id", "guardian"),
    _ref("child_id", "child"),
    UniqueConstraint("guardian_id", "child_id"),
    Index("ix_guardianship_child_id", "child_id"),
)

entry = Table(
    "entry",  # the journals of all kiosks, as they were written; updated only to let an entry out of quarantine
    metadata,
    _id(),
    _ref("kiosk_id", "kiosk"),
    Column("session", String(36), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", String(20), nullable=False),  # empty when quarantined
    Column("line", Text, nullable=False),
    Column("hash", _HASH, nullable=False),
    _ms("received_at_ms"),
    Column("quarantined", String(200), nullable=True),  # why it is not understood
    UniqueConstraint("session", "seq"),
    Index("ix_entry_kiosk_id", "kiosk_id"),
    Index("ix_entry_quarantined", "quarantined", sqlite_where=_KEPT_ASIDE, postgresql_where=_KEPT_ASIDE),
)

journal_session = Table(
    "journal_session",  # what is held of each session, kept in the transaction that inserts its entries
    metadata,
    Column("session", String(36), primary_key=True),
    _ref("kiosk_id", "kiosk"),
    Column("boot", String(36), nullable=False),  # empty when the header was not understood
    Column("through", Integer, nullable=False),
    Column("hash", _HASH, nullable=False),
    _ms("grown_at_ms"),  # when its last entry came
    Index("ix_journal_session_kiosk_grown", "kiosk_id", "grown_at_ms"),
)

anchor = Table(
    "anchor",  # boot_ns of a kiosk's boot against server time, one a boot: the best there was
    metadata,
    _ref("kiosk_id", "kiosk"),
    Column("boot", String(36), nullable=False),
    Column("boot_ns", BigInteger, nullable=False),
    _ms("server_ms"),
    Column("err_ms", BigInteger, nullable=False, server_default="90000"),
    Column("source", String(10), nullable=False, server_default="anchor"),  # wall: the kiosk's own clock, kept by NTP
    UniqueConstraint("kiosk_id", "boot"),
)

movement = Table(
    "movement",  # derived; the fold of these is the headcount
    metadata,
    Column("id", String(60), primary_key=True),  # session:seq, or the id of the amendment that added it
    _ref("site_id", "site"),
    _ref("kiosk_id", "kiosk", nullable=True),
    _ref("child_id", "child"),
    Column("direction", String(5), nullable=False),
    Column("made_by", String(10), nullable=False),
    Column("day", Date, nullable=False),
    _ms("at_ms"),  # best time
    Column("at_source", String(10), nullable=False),  # anchor, wall, unsettled, staff
    Column("at_err_ms", BigInteger, nullable=True),
    Column("boot", String(36), nullable=False, server_default=""),
    Column("boot_ns", BigInteger, nullable=False, server_default="0"),
    _ms("wall_ms"),
    _ms("undone_at_ms", nullable=True),
    CheckConstraint("direction IN ('entry', 'exit')", name="direction"),
    Index("ix_movement_day_site", "day", "site_id"),
    Index("ix_movement_child_day", "child_id", "day"),
    Index("ix_movement_boot", "boot"),
)

unknown_card = Table(
    "unknown_card",  # for staff: somebody stood at the door with a card nobody holds
    metadata,
    Column("id", String(60), primary_key=True),
    _ref("site_id", "site"),
    Column("card_hash", _HASH, nullable=False),
    Column("day", Date, nullable=False),
    _ms("at_ms"),
    Index("ix_unknown_card_day_site", "day", "site_id"),
)

delivery = Table(
    "delivery",  # the outbox: queued in the transaction of its movement
    metadata,
    _id(),  # also Message-ID
    Column("movement_id", String(60), ForeignKey("movement.id"), nullable=False),
    _ref("guardian_id", "guardian"),
    Column("topic", String(10), nullable=False),  # moved, undone
    Column("channel", String(10), nullable=False),  # mail
    Column("state", String(10), nullable=False),  # queued, sent, failed, cancelled
    Column("attempts", Integer, nullable=False, server_default="0"),
    _ms("queued_at_ms"),
    _ms("due_at_ms"),
    _ms("leased_until_ms", nullable=True),
    Column("lease", _ID, nullable=True),  # whose lease it is
    _ms("settled_at_ms", nullable=True),
    Column("provider_id", String(200), nullable=True),
    Column("reason", String(200), nullable=True),
    UniqueConstraint("movement_id", "guardian_id", "topic", "channel"),
    Index("ix_delivery_state_due", "state", "due_at_ms"),
    CheckConstraint("state IN ('queued', 'sent', 'failed', 'cancelled')", name="state"),
)

account = Table(
    "account",
    metadata,
    _id(),
    Column("login", String(60), nullable=False, unique=True),
    Column("name", String(100), nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("role", String(10), nullable=False),  # staff, office
    _ref("site_id", "site", nullable=True),  # None: all sites
    Column("language", String(10), nullable=False, server_default="ja"),
    _ms("disabled_at_ms", nullable=True),
    CheckConstraint("role IN ('staff', 'office')", name="role"),
)

audit = Table(
    "audit",  # who looked at, exported or changed personal data
    metadata,
    _id(),
    _ms("at_ms"),
    Column("who", String(60), nullable=False),  # account id, or the command that ran
    Column("action", String(40), nullable=False),
    Column("subject", String(100), nullable=False),
    Index("ix_audit_at_ms", "at_ms"),
)
