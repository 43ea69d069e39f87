"""The server's settings: where they come from, and that each is told in docs/server-settings.md."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attendance.errors import SettingsError
from server.config import PREFIX, ServerSettings, load_settings

DOCS = Path(__file__).parents[2] / "docs" / "server-settings.md"


def leaves(kind: type[msgspec.Struct], under: str = "") -> Iterator[tuple[str, Any]]:
    for info in msgspec.structs.fields(kind):
        if isinstance(info.type, type) and issubclass(info.type, msgspec.Struct):
            yield from leaves(info.type, f"{under}{info.name}.")
        else:
            yield f"{under}{info.name}", info.default


def test_every_setting_is_told_with_its_default() -> None:
    told = dict(re.findall(r"^\| `([a-z_.]+)` \| `(.+?)` \|", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert told == {name: msgspec.json.encode(default).decode() for name, default in leaves(ServerSettings)}


def test_environment_and_flags_go_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text('threads = 2\ndata_dir = "/a"\n[bind]\nport = 1\n[smtp]\nport = 2\n', encoding="utf-8")
    environ = {f"{PREFIX}_BIND_PORT": "3", f"{PREFIX}_SMTP_PORT": "4"}
    settings = load_settings(file, environ=environ, flags={"smtp.port": "5"})
    assert (settings.threads, settings.data_dir, settings.bind.port, settings.smtp.port) == (2, "/a", 3, 5)


def test_the_database_is_a_file_in_the_data_folder_unless_told(tmp_path: Path) -> None:
    assert ServerSettings(data_dir="/a b").store_url == "sqlite:////a b/tadaima.db"
    assert ServerSettings(database_url="sqlite:///x").store_url == "sqlite:///x"


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[bind]\nport = 65536", "bind.port"),
        ("[bind]\nprot = 1", "did you mean 'port'?"),
        ("threads = 0", "threads"),
        ("languages = []", "languages"),
        ('languages = ["fr"]', "languages"),
        ('base_url = "kids.example.jp"', "https://"),
        ('base_url = "ftp://kids.example.jp"', "https://"),
        ('base_url = "https://"', "https://: an address"),
        ('base_url = "https://kids..example.jp"', "https://kids..example.jp"),
        ('base_url = "https://kids.example.jp:99999"', ":99999"),
        ('base_url = "https://kids.example.jp:many"', ":many"),
        ('base_url = "https://kids example.jp"', "kids example"),
        ('live_url = "https://[::1"', "[::1"),
        ("nonsense", "TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, toml: str, said: str) -> None:
    file = tmp_path / "server.toml"
    file.write_text(toml, encoding="utf-8")
    with pytest.raises(SettingsError, match=re.escape(said)):
        load_settings(file, environ={})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://[::1]:8443/", "https://学童.example.jp/tadaima"])
def test_an_address_that_people_can_type_is_taken(url: str) -> None:
    assert ServerSettings(base_url=url, live_url=url).base_url == url


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, environ={f"{PREFIX}_THREADS": "many", f"{PREFIX}_BIND_PORT": "-1"})
    assert len(caught.value.problems) == 2


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load_settings(tmp_path / "nowhere.toml", environ={})
