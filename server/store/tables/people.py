"""Who comes and who is told: the roster, the cards, the guardians; and who may look, and did."""

from sqlalchemy import CheckConstraint, Column, Date, Index, String, Table, UniqueConstraint

from server.store.tables.columns import HASH, metadata, ms, own_id, ref

child = Table(
    "child",
    metadata,
    own_id(),
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
    own_id(),
    ref("child_id", "child"),
    ref("site_id", "site"),
    ref("unit_id", "unit", nullable=True),
    Column("from_day", Date, nullable=False),
    Column("until_day", Date, nullable=True),  # last day, None for open
    Column("weekdays", String(7), nullable=False, server_default="1111100"),  # Monday first; 1: expected
    UniqueConstraint("child_id", "site_id", "from_day"),
    Index("ix_enrolment_site_id", "site_id"),
)

absence = Table(
    "absence",
    metadata,
    ref("child_id", "child"),
    Column("day", Date, nullable=False),
    ms("told_at_ms"),
    UniqueConstraint("child_id", "day"),
)

card = Table(
    "card",
    metadata,
    own_id(),
    ref("child_id", "child"),
    Column("card_hash", HASH, nullable=False, unique=True),
    Column("form", String(10), nullable=False),
    Column("token", String(29), nullable=True),  # kept so that a sheet can be printed again; None for a UID
    ms("issued_at_ms"),
    ms("revoked_at_ms", nullable=True),
    Index("ix_card_child_id", "child_id"),
)

guardian = Table(
    "guardian",
    metadata,
    own_id(),
    Column("name", String(100), nullable=False, server_default=""),
    Column("email", String(254), nullable=False, unique=True),
    Column("language", String(10), nullable=False, server_default="ja"),
    ms("consented_at_ms", nullable=True),  # None: no notices
    ms("suspended_at_ms", nullable=True),  # the address refused mail for good
)

guardianship = Table(
    "guardianship",
    metadata,
    ref("guardian_id", "guardian"),
    ref("child_id", "child"),
    UniqueConstraint("guardian_id", "child_id"),
    Index("ix_guardianship_child_id", "child_id"),
)

account = Table(
    "account",
    metadata,
    own_id(),
    Column("login", String(60), nullable=False, unique=True),
    Column("name", String(100), nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("role", String(10), nullable=False),  # staff, office
    ref("site_id", "site", nullable=True),  # None: all sites
    Column("language", String(10), nullable=False, server_default="ja"),
    ms("disabled_at_ms", nullable=True),
    CheckConstraint("role IN ('staff', 'office')", name="role"),
)

audit = Table(
    "audit",  # who looked at, exported or changed personal data
    metadata,
    own_id(),
    ms("at_ms"),
    Column("who", String(60), nullable=False),  # account id, or the command that ran
    Column("action", String(40), nullable=False),
    Column("subject", String(100), nullable=False),
    Index("ix_audit_at_ms", "at_ms"),
)
