"""How far off an anchor may be, and whose clock it rests on."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Of anchors from before it is not known how long their requests were on their way."""
    op.add_column("anchor", sa.Column("err_ms", sa.BigInteger(), nullable=False, server_default="90000"))
    op.add_column("anchor", sa.Column("source", sa.String(length=10), nullable=False, server_default="anchor"))
