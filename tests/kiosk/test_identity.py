"""Identity: there or not, whole or not, and for nobody else's eyes."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kiosk.errors import NotEnrolled
from kiosk.identity import (
    COMING_KEY_FILE,
    IDENTITY_FILE,
    KEY_FILE,
    Identity,
    coming_key,
    is_enrolled,
    load_identity,
    load_key,
    store_identity,
)
from kiosk.private_files import make_private_folder, write_private

IDENTITY = Identity(
    kiosk="kiosk-1", site="site-1", site_name="さくら", server_url="https://tadaima.example", uid_key=bytes(range(32))
)


def enrolled(folder: Path) -> Path:
    coming_key(folder)
    store_identity(folder, IDENTITY)
    return folder


def test_a_machine_that_was_never_enrolled_says_so(tmp_path: Path) -> None:
    assert not is_enrolled(tmp_path)
    with pytest.raises(NotEnrolled, match="enrol this kiosk first"):
        load_identity(tmp_path)
    with pytest.raises(NotEnrolled, match="enrol this kiosk first"):
        load_key(tmp_path)


def test_an_identity_survives_being_stored(tmp_path: Path) -> None:
    key = coming_key(tmp_path)
    store_identity(tmp_path, IDENTITY)
    assert is_enrolled(tmp_path)
    assert load_identity(tmp_path) == IDENTITY
    assert load_key(tmp_path).private_bytes_raw() == key.private_bytes_raw()
    assert {path.name for path in tmp_path.iterdir()} == {IDENTITY_FILE, KEY_FILE}


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    folder = enrolled(tmp_path / "var" / "kiosk")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_the_secret_key_of_uids_does_not_show(tmp_path: Path) -> None:
    assert repr(IDENTITY.uid_key) not in repr(IDENTITY)
    assert "uid_key" not in repr(IDENTITY)


def test_an_enrolment_that_is_tried_again_uses_the_same_key(tmp_path: Path) -> None:
    assert coming_key(tmp_path).private_bytes_raw() == coming_key(tmp_path).private_bytes_raw()


def test_a_new_enrolment_uses_a_new_key(tmp_path: Path) -> None:
    enrolled(tmp_path)
    assert coming_key(tmp_path).private_bytes_raw() != load_key(tmp_path).private_bytes_raw()


def test_an_enrolment_cut_short_leaves_no_identity_with_the_wrong_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled(tmp_path)
    coming_key(tmp_path)
    replaced: list[str] = []

    def cut(self: Path, target: Path) -> Path:
        replaced.append(target.name)
        raise OSError("power")

    monkeypatch.setattr(Path, "replace", cut)
    with pytest.raises(OSError, match="power"):
        store_identity(tmp_path, IDENTITY)
    assert replaced == [KEY_FILE]
    with pytest.raises(NotEnrolled):
        load_identity(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"kiosk":1}', b"[]"])
def test_a_spoilt_identity_says_so(tmp_path: Path, content: bytes) -> None:
    enrolled(tmp_path)
    (tmp_path / IDENTITY_FILE).write_bytes(content)
    with pytest.raises(NotEnrolled, match="cannot be used"):
        load_identity(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ],
)
def test_a_spoilt_key_says_so(tmp_path: Path, content: bytes) -> None:
    enrolled(tmp_path)
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(NotEnrolled, match="cannot be used"):
        load_key(tmp_path)


def test_a_spoilt_coming_key_is_drawn_again(tmp_path: Path) -> None:
    (tmp_path / COMING_KEY_FILE).write_bytes(b"torn")
    assert coming_key(tmp_path).private_bytes_raw() == coming_key(tmp_path).private_bytes_raw()


def test_a_private_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "names.key"
    write_private(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_belongs_to_whom_its_folder_belongs_to(tmp_path: Path) -> None:
    folder = tmp_path / "kiosk"
    make_private_folder(folder)
    if os.geteuid() == 0:
        os.chown(folder, 12345, 12345)
    write_private(folder / "x", b"")
    assert (folder / "x").stat().st_uid == folder.stat().st_uid


def test_the_same_kiosk_can_meet_its_server_at_another_address() -> None:
    assert IDENTITY.at("http://127.0.0.1:1").server_url == "http://127.0.0.1:1"
    assert IDENTITY.at("x").kiosk == IDENTITY.kiosk
