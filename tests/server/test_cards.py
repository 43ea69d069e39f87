"""Cards: a fresh token for each, known to kiosks by its hash, valid until it is revoked."""

from datetime import timedelta

from sqlalchemy import select

from attendance.cards import CardForm, CardRef
from server.cards import bind, issue, revoke_all, token_cards
from server.store.engine import Store
from server.store.tables import card, site
from tests.server import factories as make


def version(store: Store) -> int:
    (row,) = make.rows(store, site)
    return int(row.roster_version)


def test_a_card_is_issued_with_a_token_of_its_own(store: Store) -> None:
    child = make.child(store, at=make.site(store).id)
    before = version(store)
    with store.write() as conn:
        tokens = [issue(conn, child.id, make.NOON_MS) for _ in range(2)]
    held = {row.token: (row.card_hash, row.form, row.revoked_at_ms) for row in make.rows(store, card)}
    assert held == {token.text: (token.ref.card_hash, CardForm.TOKEN, None) for token in tokens}
    assert len(held) == 2
    assert version(store) != before


def test_a_roster_version_is_given_once_even_when_the_database_goes_back(store: Store) -> None:
    child = make.child(store, at=make.site(store).id)
    given = set()
    for _ in range(2):
        with store.write() as conn:
            issue(conn, child.id, make.NOON_MS)
            given.add(conn.execute(select(site.c.roster_version)).scalar_one())
            conn.rollback()
    assert len(given) == 2


def test_a_card_that_a_child_has_already_is_known_by_its_hash_alone(store: Store) -> None:
    child = make.child(store, at=make.site(store).id)
    with store.write() as conn:
        bind(conn, child.id, CardRef(card_hash="0" * 64, form=CardForm.UID), make.NOON_MS)
    (held,) = make.rows(store, card)
    assert (held.card_hash, held.form, held.token) == ("0" * 64, CardForm.UID, None)


def test_revoked_cards_are_invalid_and_kiosks_learn_of_it(store: Store) -> None:
    here = make.site(store)
    child, other = (make.child(store, at=here.id) for _ in range(2))
    for holder in (child, child, other):
        make.card(store, child_id=holder.id)
    before = version(store)
    with store.write() as conn:
        assert revoke_all(conn, child.id, make.NOON_MS) == 2
        assert revoke_all(conn, child.id, make.NOON_MS) == 0
        assert [each.child_id for each in token_cards(conn, here.id, make.DAY)] == [other.id]
    assert version(store) != before


def test_cards_are_printed_for_children_who_come_now_or_later_by_kana(store: Store) -> None:
    here = make.site(store)
    one = timedelta(days=1)
    spans = {"かさい": (make.DAY + one, None), "がいと": (make.DAY, make.DAY), "い": (make.DAY - one, make.DAY - one)}
    for kana, (first, last) in spans.items():
        child = make.child(store, kana=kana)
        make.enrolment(store, child_id=child.id, site_id=here.id, from_day=first, until_day=last)
        make.card(store, child_id=child.id)
    with store.read() as conn:
        printed = token_cards(conn, here.id, make.DAY)
    assert [each.kana for each in printed] == ["がいと", "かさい"]
    assert "がいと" not in repr(printed)
