"""One-time codes: 15 minutes, one kiosk, five tries."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Row

from attendance.signatures import key_id
from server.enrolment import LIFE_MS, TRIES, issue, redeem, revoke
from server.errors import EnrolmentRefused
from server.store.engine import Store
from server.store.tables import audit, enrolment_code, kiosk
from tests.server import factories as make
from tests.server.factories import NOON_MS


def public_key() -> Ed25519PublicKey:
    return Ed25519PrivateKey.generate().public_key()


def new_code(store: Store, site_code: str, now_ms: int = NOON_MS) -> str:
    with store.write() as conn:
        return issue(conn, site_code, "Back door", now_ms, who="test").code


@pytest.fixture
def code(store: Store) -> str:
    return new_code(store, make.site(store).code)


def use(store: Store, code: str, key: Ed25519PublicKey | None = None, now_ms: int = NOON_MS) -> Row[tuple[str]]:
    return redeem(store, code, key or public_key(), "1.0", now_ms)


def test_a_code_makes_a_kiosk_at_its_site(store: Store) -> None:
    site, key = make.site(store), public_key()
    made = use(store, new_code(store, site.code), key)
    assert (made.site_id, made.name, made.key_id, made.app) == (site.id, "Back door", key_id(key), "1.0")
    assert [row.action for row in make.rows(store, audit)] == ["kiosk.code", "kiosk.enrol"]


def test_a_code_has_no_letters_that_look_alike_and_is_kept_as_a_hash(store: Store, code: str) -> None:
    assert len(code) == 10
    assert not set(code) & set("01ILOU")
    [row] = make.rows(store, enrolment_code)
    assert code[4:] not in repr(row)


def test_a_code_may_be_typed_in_small_letters_with_gaps(store: Store, code: str) -> None:
    assert use(store, f" {code[:5].lower()}-{code[5:]} ")


@pytest.mark.parametrize("wrong", ["", "A", "ZZZZZZZZZZ", "あいうえおかきくけこ", "2" * 500])
def test_a_code_nobody_made_is_refused(store: Store, code: str, wrong: str) -> None:
    with pytest.raises(EnrolmentRefused):
        use(store, wrong)
    assert make.rows(store, kiosk) == []


def test_a_code_ends_after_its_life(store: Store, code: str) -> None:
    with pytest.raises(EnrolmentRefused):
        use(store, code, now_ms=NOON_MS + LIFE_MS)
    assert use(store, code, now_ms=NOON_MS + LIFE_MS - 1)


def test_a_code_serves_one_kiosk(store: Store, code: str) -> None:
    use(store, code)
    with pytest.raises(EnrolmentRefused):
        use(store, code)
    assert len(make.rows(store, kiosk)) == 1


def test_a_kiosk_that_lost_the_answer_may_ask_again(store: Store, code: str) -> None:
    key = public_key()
    assert use(store, code, key) == use(store, code, key, now_ms=NOON_MS + 1000)
    assert len(make.rows(store, kiosk)) == 1


def test_a_kiosk_enrolled_anew_that_lost_the_answer_may_ask_again(store: Store) -> None:
    site, key = make.site(store), public_key()
    use(store, new_code(store, site.code), key)
    code = new_code(store, site.code, NOON_MS + 60_000)
    assert use(store, code, key, NOON_MS + 60_000) == use(store, code, key, NOON_MS + 61_000)


def test_a_used_code_is_worth_nothing_to_another_kiosk_of_ours(store: Store) -> None:
    site, key = make.site(store), public_key()
    use(store, new_code(store, site.code), key)
    used = new_code(store, site.code)
    use(store, used)  # by another, in the same millisecond
    with pytest.raises(EnrolmentRefused):
        use(store, used, key)


def test_a_used_code_does_not_bring_back_a_revoked_kiosk(store: Store, code: str) -> None:
    key = public_key()
    made = use(store, code, key)
    with store.write() as conn:
        assert revoke(conn, made.id, NOON_MS, who="test")
        assert not revoke(conn, made.id, NOON_MS, who="test")
    with pytest.raises(EnrolmentRefused):
        use(store, code, key)


def test_five_wrong_tries_end_a_code(store: Store, code: str) -> None:
    wrong = code[:-1] + ("2" if code[-1] != "2" else "3")
    for _ in range(TRIES):
        with pytest.raises(EnrolmentRefused):
            use(store, wrong)
    with pytest.raises(EnrolmentRefused):
        use(store, code)


def test_wrong_tries_at_one_code_do_not_end_another(store: Store, code: str) -> None:
    other = new_code(store, make.site(store).code)
    for _ in range(TRIES):
        with pytest.raises(EnrolmentRefused):
            use(store, code[:4] + "222222")
    assert use(store, other)


def test_the_same_key_with_a_new_code_is_the_same_kiosk(store: Store) -> None:
    site, key = make.site(store), public_key()
    first = use(store, new_code(store, site.code), key)
    with store.write() as conn:
        revoke(conn, first.id, NOON_MS, who="test")
    again = use(store, new_code(store, site.code, NOON_MS + 60_000), key, NOON_MS + 60_000)
    assert (again.id, again.revoked_at_ms) == (first.id, None)
    assert again.enrolled_at_ms == NOON_MS, "its journal may be as old as that"


def test_a_key_of_one_site_is_not_taken_at_another(store: Store) -> None:
    key = public_key()
    use(store, new_code(store, make.site(store).code), key)
    with pytest.raises(EnrolmentRefused):
        use(store, new_code(store, make.site(store).code), key)


def test_expired_codes_are_cleared_away(store: Store, code: str) -> None:
    new_code(store, make.site(store).code, now_ms=NOON_MS + LIFE_MS + 1)
    assert len(make.rows(store, enrolment_code)) == 1


def test_a_code_for_no_site_is_refused(store: Store) -> None:
    with pytest.raises(EnrolmentRefused, match="no site NOWHERE"):
        new_code(store, "NOWHERE")
