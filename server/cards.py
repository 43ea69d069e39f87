"""Cards of children: issued on the server, printed or written to tags, known to kiosks by their hash alone."""

from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Connection, func, insert, select, update

from attendance.cards import CardForm, CardRef, CardToken
from attendance.kana import kana_key
from attendance.records import JournalLine, UnknownCard, read_line
from server.enrolled import not_over
from server.sites import new_version
from server.store.ids import new_id
from server.store.tables import card, child, enrolment, entry, site, unknown_card


@dataclass(frozen=True, slots=True)
class IssuedCard:
    """A token card as it goes to print or into a tag."""

    child_id: str
    number: str
    name: str = field(repr=False)
    kana: str = field(repr=False)
    animal: str
    colour: str
    token: CardToken


def issue(conn: Connection, child_id: str, now_ms: int) -> CardToken:
    """Give a child a fresh token card; the cards the child has stay valid."""
    token = CardToken.new()
    _insert(conn, child_id, token.ref, now_ms, token=token.text)
    return token


def bind(conn: Connection, child_id: str, ref: CardRef, now_ms: int) -> None:
    """Let a child use a card that it has already, by its UID; one that was made invalid is its own from now on."""
    invalid = (card.c.card_hash == ref.card_hash) & card.c.revoked_at_ms.is_not(None)
    values = {"child_id": child_id, "issued_at_ms": now_ms, "revoked_at_ms": None}
    if conn.execute(update(card).where(invalid).values(**values)).rowcount:
        tell_kiosks(conn, child_id)
    else:
        _insert(conn, child_id, ref, now_ms, token=None)


def unknown_cards(conn: Connection, digits: str) -> list[CardRef]:
    """Return the cards that doors reported as held by nobody, whose hash begins with these digits, and still are."""
    rows = conn.execute(
        select(unknown_card.c.card_hash, func.max(unknown_card.c.id).label("id"))
        .where(
            unknown_card.c.card_hash.startswith(digits.lower(), autoescape=True),
            unknown_card.c.card_hash.not_in(select(card.c.card_hash).where(card.c.revoked_at_ms.is_(None))),
        )
        .group_by(unknown_card.c.card_hash)
    ).all()
    return [CardRef(card_hash=row.card_hash, form=_form(conn, row.id)) for row in rows]


def revoke_all(conn: Connection, child_id: str, now_ms: int) -> int:
    """Make all cards of a child invalid, e.g. when one was lost; return how many there were."""
    valid = (card.c.child_id == child_id) & card.c.revoked_at_ms.is_(None)
    revoked = conn.execute(update(card).where(valid).values(revoked_at_ms=now_ms)).rowcount
    tell_kiosks(conn, child_id)
    return revoked


def token_cards(conn: Connection, site_id: str, today: date) -> list[IssuedCard]:
    """Return the valid token cards of the children enrolled at a site now or later, by kana."""
    rows = conn.execute(
        select(child.c.id, child.c.number, child.c.name, child.c.kana, child.c.animal, child.c.colour, card.c.token)
        .join(card, card.c.child_id == child.c.id)
        .where(
            child.c.id.in_(select(enrolment.c.child_id).where(enrolment.c.site_id == site_id, not_over(today))),
            card.c.revoked_at_ms.is_(None),
            card.c.token.is_not(None),
        )
        .order_by(child.c.number, card.c.id)
    )
    return [
        IssuedCard(row.id, row.number, row.name, row.kana, row.animal, row.colour, CardToken.from_text(row.token))
        for row in sorted(rows, key=lambda row: kana_key(row.kana))
    ]


def _form(conn: Connection, record: str) -> CardForm:
    """Return what a card showed to the reader, from the record `session:seq` that reported it."""
    session, _, seq = record.rpartition(":")
    line = conn.execute(
        select(entry.c.line, entry.c.hash).where(entry.c.session == session, entry.c.seq == int(seq))
    ).one()
    body = read_line(JournalLine(line=line.line, hash=line.hash)).body
    assert isinstance(body, UnknownCard)
    return body.card.form


def _insert(conn: Connection, child_id: str, ref: CardRef, now_ms: int, *, token: str | None) -> None:
    conn.execute(
        insert(card).values(
            id=new_id(),
            child_id=child_id,
            card_hash=ref.card_hash,
            form=ref.form.value if token is None else CardForm.TOKEN.value,
            token=token,
            issued_at_ms=now_ms,
        )
    )
    tell_kiosks(conn, child_id)


def tell_kiosks(conn: Connection, child_id: str) -> None:
    """Change the roster version of the child's sites, by which kiosks learn that there is news."""
    sites = select(enrolment.c.site_id).where(enrolment.c.child_id == child_id)
    conn.execute(update(site).where(site.c.id.in_(sites)).values(roster_version=new_version()))
