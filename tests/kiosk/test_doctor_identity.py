"""What the doctor says of identity and key: missing, broken, half made, open to others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.identity import coming_key
from tests.kiosk.doctor_parts import examined, house, settings, wrong_of
from tests.model_server import ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("identity.json", None, "identity_missing"),
        ("identity.json", b"", "identity_broken"),
        ("identity.json", b'{"kiosk": "kiosk-1"}', "identity_broken"),
        ("kiosk.key", None, "key_missing"),
        ("kiosk.key", b"-----BEGIN PRIVATE KEY-----", "key_broken"),
    ],
)
def test_an_identity_or_key_that_is_missing_or_broken_is_told(
    tmp_path: Path, server: ModelServer, name: str, content: bytes | None, code: str
) -> None:
    with house(tmp_path, server) as kiosk:
        path = kiosk.settings.data_dir / name
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        findings = kiosk.findings()
    assert wrong_of(findings) == {code}
    assert ("identity" in findings) is (name == "kiosk.key")


def test_an_enrolment_that_was_begun_is_told_with_and_without_one_before(tmp_path: Path, server: ModelServer) -> None:
    wanted = settings(tmp_path / "new")
    coming_key(wanted.data_dir)
    assert {"enrolment_begun", "identity_missing"} <= wrong_of(examined(wanted))
    with house(tmp_path, server) as kiosk:
        coming_key(kiosk.settings.data_dir)
        assert kiosk.wrong() == {"enrolment_open"}


@pytest.mark.parametrize("name", ["data/identity.json", "data/kiosk.key", "run/names.key"])
@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_secret_that_others_may_read_is_told_by_its_path(
    tmp_path: Path, server: ModelServer, name: str, mode: int
) -> None:
    with house(tmp_path, server) as kiosk:
        (tmp_path / name).chmod(mode)
        findings = kiosk.findings()
    assert wrong_of(findings) == {"secrets_open"}
    assert findings["secrets_open"].values["files"] == str(tmp_path / name)
