"""The tables, in SQLAlchemy Core. Instants are integer milliseconds UTC; days are local dates; ids are text.

Every promise of idempotency is a unique constraint; live figures are folded by the index on (day, site). Tables are
imported from here, so that whoever holds one holds the metadata of all.
"""

from server.store.tables.columns import metadata
from server.store.tables.people import absence, account, audit, card, child, enrolment, guardian, guardianship
from server.store.tables.record import anchor, delivery, entry, journal_session, movement, unknown_card
from server.store.tables.sites import enrolment_code, kiosk, nonce, site, unit

__all__ = [
    "absence",
    "account",
    "anchor",
    "audit",
    "card",
    "child",
    "delivery",
    "enrolment",
    "enrolment_code",
    "entry",
    "guardian",
    "guardianship",
    "journal_session",
    "kiosk",
    "metadata",
    "movement",
    "nonce",
    "site",
    "unit",
    "unknown_card",
]
