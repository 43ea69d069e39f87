"""A card that a child has already, say a train pass: seen at the door, and made the child's by the office."""

from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Row

from attendance.cards import CardForm, CardRef, uid_card
from attendance.catalogue import Language
from attendance.records import UnknownCard
from server.config import ServerSettings
from server.ledger import accept
from server.roster_cli import cards
from server.store.engine import Store
from server.store.tables import audit, card, site
from tests.server import factories as make
from tests.server.kiosk_side import Session

PASS = uid_card(CardForm.IDM, bytes(range(10)), b"k" * 32)
PASS_OF_ANOTHER = CardRef(card_hash=PASS.card_hash[:8] + "0" * 56, form=CardForm.UID)


@pytest.fixture
def settings(store_url: str) -> ServerSettings:
    return ServerSettings(database_url=store_url, languages=(Language.EN,))


@pytest.fixture
def child(store: Store, door: Row[Any]) -> Row[Any]:
    return make.child(store, at=door.site_id, number="R8-1")


@pytest.fixture
def door(store: Store) -> Row[Any]:
    return make.kiosk(store)


def hold(store: Store, door: Row[Any], *refs: CardRef) -> None:
    session = Session(door.id)
    for ref in refs:
        session.add(UnknownCard(card=ref))
    accept(store, door, session.request(), make.NOON_MS + 60_000)


def bind(settings: ServerSettings, digits: str, number: str = "R8-1") -> Result:
    return CliRunner().invoke(cards, ["bind", number, digits], obj=settings)


def test_a_card_seen_at_the_door_becomes_the_childs(
    settings: ServerSettings, store: Store, door: Row[Any], child: Row[Any]
) -> None:
    hold(store, door, PASS, PASS)

    said = bind(settings, PASS.short.upper())

    assert said.exit_code == 0, said.output
    (held,) = make.rows(store, card)
    assert (held.child_id, held.card_hash, held.form, held.token) == (child.id, PASS.card_hash, CardForm.IDM, None)
    assert make.rows(store, audit)[-1].action == "cards.bind"


def test_a_card_that_is_somebodys_already_is_not_given_away(
    settings: ServerSettings, store: Store, door: Row[Any], child: Row[Any]
) -> None:
    hold(store, door, PASS)
    bind(settings, PASS.short)

    said = bind(settings, PASS.short)

    assert (said.exit_code, len(make.rows(store, card))) == (1, 1)
    assert "somebody's already" in said.stderr


def test_a_card_that_was_made_invalid_can_be_anybodys_again(
    settings: ServerSettings, store: Store, door: Row[Any], child: Row[Any]
) -> None:
    """A pass that was revoked together with a lost card, or that a brother who left hands on."""
    sister = make.child(store, at=door.site_id, number="R8-2")
    hold(store, door, PASS)
    bind(settings, PASS.short)
    assert CliRunner().invoke(cards, ["replace", "R8-1"], obj=settings).exit_code == 0
    before = make.rows(store, site)[0].roster_version

    said = bind(settings, PASS.short, "R8-2")

    assert said.exit_code == 0, said.output
    [held] = [row for row in make.rows(store, card) if row.card_hash == PASS.card_hash]
    assert (held.child_id, held.revoked_at_ms) == (sister.id, None)
    assert make.rows(store, site)[0].roster_version != before, "kiosks are not told"
    assert bind(settings, PASS.short, "R8-1").exit_code == 1


def test_of_two_cards_that_begin_alike_more_digits_are_asked_for(
    settings: ServerSettings, store: Store, door: Row[Any], child: Row[Any]
) -> None:
    hold(store, door, PASS, PASS_OF_ANOTHER)

    assert "more digits" in bind(settings, PASS.short).stderr
    assert bind(settings, PASS.card_hash).exit_code == 0


@pytest.mark.parametrize("digits", ["0", "%" * 8, "no digits", "_______"])
def test_what_is_no_card_number_is_told_and_changes_nothing(
    digits: str, settings: ServerSettings, store: Store, door: Row[Any], child: Row[Any]
) -> None:
    hold(store, door, PASS)

    assert "8 digits" in bind(settings, digits).stderr
    assert make.rows(store, card) == []


def test_a_number_nobody_has_gets_no_card(settings: ServerSettings, store: Store, door: Row[Any]) -> None:
    hold(store, door, PASS)

    assert bind(settings, PASS.short, number="R8-9").exit_code == 1
    assert make.rows(store, card) == []
