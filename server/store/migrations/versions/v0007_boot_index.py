"""An index of the sessions of each boot: few, which a boot that is dated must find among those of years."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Of a kiosk first, as they are asked for."""
    op.create_index("ix_journal_session_kiosk_boot", "journal_session", ["kiosk_id", "boot"])
