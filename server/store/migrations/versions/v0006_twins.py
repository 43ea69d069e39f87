"""The boot in which a kiosk last asked, and when it was last shown that two machines run under its name."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Nothing is known until each kiosk has asked again."""
    op.add_column("kiosk", sa.Column("boot", sa.String(36), nullable=False, server_default=""))
    op.add_column("kiosk", sa.Column("twin_at_ms", sa.BigInteger(), nullable=True))
