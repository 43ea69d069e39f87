"""What all tables share: one metadata, how their constraints are called, and the kinds of columns they have."""

from sqlalchemy import BigInteger, Column, ForeignKey, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = String(36)
"""A UUIDv7, time-ordered."""
HASH = String(64)


def own_id() -> Column[str]:
    """The id of a row, as primary key."""
    return Column("id", ID, primary_key=True)


def ref(name: str, target: str, *, nullable: bool = False) -> Column[str]:
    """The id of a row of the table `target`."""
    return Column(name, ID, ForeignKey(f"{target}.id"), nullable=nullable)


def ms(name: str, *, nullable: bool = False) -> Column[int]:
    """An instant."""
    return Column(name, BigInteger, nullable=nullable)
