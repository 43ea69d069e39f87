"""Sites with their rules, and the kiosks that speak for them."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from server.store.tables.columns import HASH, metadata, ms, own_id, ref

site = Table(
    "site",
    metadata,
    own_id(),
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
    Column("roster_version", Integer, nullable=False, server_default="1"),  # one more for what a kiosk must learn of
    Column("staff_pin", String(200), nullable=True),  # slow hash (attendance.staff_pin); None: no entry by hand
)

unit = Table(
    "unit",
    metadata,
    own_id(),
    ref("site_id", "site"),
    Column("name", String(100), nullable=False),
    UniqueConstraint("site_id", "name"),
)

kiosk = Table(
    "kiosk",
    metadata,
    own_id(),
    ref("site_id", "site"),
    Column("name", String(100), nullable=False),
    Column("key_id", String(32), nullable=False, unique=True),
    Column("public_key", LargeBinary(32), nullable=False),
    ms("enrolled_at_ms"),
    ms("revoked_at_ms", nullable=True),
    ms("heard_at_ms", nullable=True),  # last good offer
    Column("app", String(40), nullable=False, server_default=""),
    Column("unsent", Integer, nullable=False, server_default="0"),
    Column("trouble", Text, nullable=False, server_default=""),  # codes of readers down and problems, space-separated
    ms("clock_ahead_ms", nullable=True),  # of the server; None: not kept by NTP itself
    Column("boot", String(36), nullable=False, server_default=""),  # of the last good offer
    ms("twin_at_ms", nullable=True),  # when two machines under its name were last shown, see server.twins
)

enrolment_code = Table(
    "enrolment_code",
    metadata,
    own_id(),
    ref("site_id", "site"),
    Column("kiosk_name", String(100), nullable=False),
    Column("selector", String(4), nullable=False, unique=True),  # finds the code, so that tries count against it
    Column("code_hash", HASH, nullable=False),
    ms("expires_at_ms"),
    ms("used_at_ms", nullable=True),
    Column("tries", Integer, nullable=False, server_default="0"),
)

nonce = Table(
    "nonce",
    metadata,
    Column("key_id", String(32), primary_key=True),
    Column("nonce", String(64), primary_key=True),
    ms("seen_at_ms"),
    Index("ix_nonce_seen_at_ms", "seen_at_ms"),
)
