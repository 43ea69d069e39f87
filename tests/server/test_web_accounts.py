"""Accounts: what is kept of a password, who may log in, and what the command says."""

from pathlib import Path

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner, Result
from sqlalchemy import update

from attendance.catalogue import Language
from server.account_cli import account
from server.config import ServerSettings
from server.store import tables
from server.store.engine import Store
from server.web.accounts import (
    Account,
    AccountRefused,
    Refusal,
    Role,
    add_account,
    disable_account,
    find_account,
    set_password,
    sign_in,
)
from tests.server import factories as make

PASSWORD = "four plain words here"


def add(store: Store, login: str = "hana", *, role: Role = Role.OFFICE, site: str | None = None, **values: str) -> str:
    password = values.get("password", PASSWORD)
    with store.write() as conn:
        return add_account(conn, login, name="Hana", role=role, site_code=site, language=Language.JA, password=password)


def account_of(store: Store, account_id: str) -> Account:
    with store.read() as conn:
        found = find_account(conn, account_id)
    assert found is not None
    return found


def refusal(store: Store, login: str = "hana", **asked: object) -> Refusal:
    with pytest.raises(AccountRefused) as refused:
        add(store, login, **asked)  # type: ignore[arg-type]
    return refused.value.code


def test_a_password_logs_its_account_in_and_no_other_does(store: Store) -> None:
    account_id = add(store)
    found = sign_in(store, "hana", PASSWORD)
    assert found is not None
    assert found.id == account_id
    assert sign_in(store, "hana", PASSWORD + "!") is None
    assert sign_in(store, "nobody", PASSWORD) is None


def test_full_width_letters_and_capitals_of_a_japanese_keyboard_are_the_same_login_and_password(store: Store) -> None:
    add(store, "hana1", password="passphrase 2026")
    full_width = "".join(chr(ord(letter) + 0xFEE0) if letter > " " else letter for letter in "HANA1|passphrase 2026")
    login, password = full_width.split(chr(ord("|") + 0xFEE0))
    assert sign_in(store, login, password) is not None


def test_only_an_argon2id_hash_is_kept(store: Store) -> None:
    add(store)
    [row] = make.rows(store, tables.account)
    assert row.password_hash.startswith("$argon2id$")


def test_an_unknown_login_costs_the_work_of_a_wrong_password(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store)
    verified: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, held: str, password: str) -> bool:
        verified.append(held)
        return verify(self, held, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    sign_in(store, "hana", "a wrong password")
    sign_in(store, "nobody", "a wrong password")
    assert len(verified) == 2


def test_a_hash_of_older_parameters_is_renewed_when_its_owner_logs_in(store: Store) -> None:
    account_id = add(store)
    old = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    with store.write() as conn:
        conn.execute(update(tables.account).values(password_hash=old))
    found = sign_in(store, "hana", PASSWORD)
    [row] = make.rows(store, tables.account)
    assert row.password_hash != old
    assert found == account_of(store, account_id), "the session must hold the new stamp"


def test_a_disabled_account_logs_in_no_more(store: Store) -> None:
    add(store)
    with store.write() as conn:
        disable_account(conn, "hana", make.NOON_MS)
    assert sign_in(store, "hana", PASSWORD) is None


def test_a_new_password_changes_the_stamp_so_that_old_sessions_end(store: Store) -> None:
    account_id = add(store)
    before = account_of(store, account_id).stamp
    with store.write() as conn:
        set_password(conn, "hana", "another four plain words")
    assert account_of(store, account_id).stamp != before
    assert sign_in(store, "hana", PASSWORD) is None


def test_staff_see_their_site_alone_and_the_office_all(store: Store) -> None:
    make.site(store, code="A")
    staff = account_of(store, add(store, "staff", role=Role.STAFF, site="A"))
    office = account_of(store, add(store, "office"))
    assert [staff.may_see("A"), staff.may_see("B")] == [True, False]
    assert [office.may_see("A"), office.may_see("B")] == [True, True]


def test_what_cannot_be_made_is_refused_with_its_reason(store: Store) -> None:
    make.site(store, code="A")
    add(store)
    assert refusal(store, " HANA ") is Refusal.TAKEN
    assert refusal(store, "two words") is Refusal.LOGIN
    assert refusal(store, "") is Refusal.LOGIN
    assert refusal(store, "x", password="123456789") is Refusal.PASSWORD
    assert refusal(store, "x", password="x" * 201) is Refusal.PASSWORD
    assert refusal(store, "x", role=Role.STAFF) is Refusal.SITE_WANTED
    assert refusal(store, "x", role=Role.STAFF, site="B") is Refusal.SITE_UNKNOWN
    assert refusal(store, "x", role=Role.OFFICE, site="A") is Refusal.SITE_UNWANTED


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n", encoding="utf-8")
    return path


def run(store_url: str, *arguments: object) -> Result:
    settings = ServerSettings(database_url=store_url, languages=(Language.EN,))
    return CliRunner().invoke(account, [str(each) for each in arguments], obj=settings)


def test_the_command_makes_lists_and_disables_an_account(store: Store, store_url: str, password_file: Path) -> None:
    make.site(store, code="A")
    made = run(store_url, "add", "hana", "--role", "staff", "--site", "A", "--password-file", password_file)
    assert made.exit_code == 0, made.output
    assert sign_in(store, "hana", PASSWORD) is not None
    assert run(store_url, "list").output.split("\t")[:5] == ["hana", "staff", "A", "ja", "active"]
    assert run(store_url, "disable", "hana").exit_code == 0
    assert "disabled" in run(store_url, "list").output
    assert [row.action for row in make.rows(store, tables.audit)] == ["account.add", "account.disable"]


def test_the_command_gives_a_new_password(store: Store, store_url: str, password_file: Path) -> None:
    add(store, password="the password before")
    assert run(store_url, "password", "hana", "--password-file", password_file).exit_code == 0
    assert sign_in(store, "hana", PASSWORD) is not None


def test_the_command_says_why_it_refuses(store: Store, store_url: str, password_file: Path) -> None:
    refused = run(store_url, "disable", "nobody")
    assert refused.exit_code == 1
    assert "No account has this user name." in refused.output
    silent = run(store_url, "add", "hana", "--role", "office")
    assert silent.exit_code == 2
    assert "--password-file" in silent.output


def test_a_password_file_of_an_editor_on_windows_is_read_and_one_that_is_no_text_is_refused(
    store: Store, store_url: str, password_file: Path
) -> None:
    add(store, password="the password before")
    password_file.write_text(PASSWORD + "\r\n", encoding="utf-8-sig", newline="")
    assert run(store_url, "password", "hana", "--password-file", password_file).exit_code == 0
    assert sign_in(store, "hana", PASSWORD) is not None
    password_file.write_bytes(b"\xff\xfe")
    refused = run(store_url, "password", "hana", "--password-file", password_file)
    assert refused.exit_code == 1
    assert "not UTF-8" in refused.output
