"""The PIN with which staff enter a child by hand at the door."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Let a site have one; those there are have none until the office makes it."""
    op.add_column("site", sa.Column("staff_pin", sa.String(length=200), nullable=True))
