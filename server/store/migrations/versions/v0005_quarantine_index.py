"""An index of what is in quarantine: few entries, which a roster brought in must find among those of years."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Only what is in it is indexed."""
    kept = sa.text("quarantined IS NOT NULL")
    op.create_index("ix_entry_quarantined", "entry", ["quarantined"], sqlite_where=kept, postgresql_where=kept)
