"""By how much the server's clock differs from that of a kiosk kept by NTP."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Not known until each kiosk has asked again."""
    op.add_column("kiosk", sa.Column("clock_ahead_ms", sa.BigInteger(), nullable=True))
