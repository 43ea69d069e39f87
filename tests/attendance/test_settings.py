"""Settings: where a value comes from, and how mistakes are told."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from attendance.catalogue import Language
from attendance.errors import SettingsError
from attendance.settings import load, parse_toml, show

FILE = Path("door.toml")


class Camera(msgspec.Struct, frozen=True):
    name: str
    fps: int = 15


class Screen(msgspec.Struct, frozen=True):
    host: str = "127.0.0.1"
    port: int = 8750


class Kiosk(msgspec.Struct, frozen=True):
    data_dir: str
    secret: str = ""
    enabled: bool = True
    screen: Screen = Screen()
    cameras: tuple[Camera, ...] = ()
    languages: tuple[str, ...] = ("ja",)


class Bounded(msgspec.Struct, frozen=True):
    volume: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1
    until: Annotated[str, msgspec.Meta(pattern="^[0-9]+$", description="a time of day")] | None = None
    pin: int | str | None = None
    codes: Annotated[tuple[int, ...], msgspec.Meta(min_length=1)] = (1,)


class Chosen(msgspec.Struct, frozen=True):
    language: Language = Language.JA


class Strict(msgspec.Struct, frozen=True):
    low: int = 0
    high: int = 1

    def __post_init__(self) -> None:
        if self.low > self.high:
            msg = "low is above high"
            raise ValueError(msg)


def loaded(
    toml: str = 'data_dir = "/toml"',
    *,
    environ: dict[str, str] | None = None,
    flags: dict[str, Any] | None = None,
) -> Kiosk:
    return load(
        Kiosk, table=parse_toml(toml, file=FILE), environ=environ or {}, prefix="TADAIMA_KIOSK", flags=flags or {}
    )


def problems(toml: str, **more: Any) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        loaded(toml, **more)
    return refused.value.problems


def test_what_is_not_given_has_its_default() -> None:
    assert loaded() == Kiosk(data_dir="/toml")


def test_the_command_line_wins_over_the_environment_and_that_over_the_file() -> None:
    toml = 'data_dir = "/toml"\n[screen]\nhost = "toml"\nport = 1'
    environ = {"TADAIMA_KIOSK_SCREEN_HOST": "env", "TADAIMA_KIOSK_SCREEN_PORT": "2", "OTHER_SCREEN_PORT": "9"}
    settings = loaded(toml, environ=environ, flags={"screen.port": 3, "screen.host": None})
    assert (settings.data_dir, settings.screen.host, settings.screen.port) == ("/toml", "env", 3)


def test_text_from_the_environment_becomes_what_the_setting_is() -> None:
    settings = loaded(environ={"TADAIMA_KIOSK_ENABLED": "false", "TADAIMA_KIOSK_SCREEN_PORT": "80"})
    assert (settings.enabled, settings.screen.port) == (False, 80)


def test_several_values_are_told_apart_by_commas_in_the_environment() -> None:
    assert loaded(environ={"TADAIMA_KIOSK_LANGUAGES": "ja, en"}).languages == ("ja", "en")
    assert loaded(flags={"languages": "en"}).languages == ("en",)


def test_an_array_of_tables_becomes_a_tuple() -> None:
    settings = loaded('data_dir = "x"\n[[cameras]]\nname = "a"\n[[cameras]]\nname = "b"\nfps = 30')
    assert settings.cameras == (Camera("a"), Camera("b", 30))


def test_an_unknown_setting_is_an_error_with_the_nearest_name() -> None:
    (problem,) = problems('data_dir = "x"\n[screen]\nprot = 1')
    assert problem == "screen.prot: no such setting; did you mean 'port'?"


def test_a_misspelt_variable_is_an_error_with_the_nearest_name() -> None:
    (problem,) = problems('data_dir = "x"', environ={"TADAIMA_KIOSK_SCREEN_PROT": "1", "TADAIMA_OTHER": "1"})
    assert problem == "TADAIMA_KIOSK_SCREEN_PROT: no such setting; did you mean 'TADAIMA_KIOSK_SCREEN_PORT'?"


def test_an_unknown_setting_that_is_near_nothing_lists_what_there_is() -> None:
    (problem,) = problems('data_dir = "x"\n[screen]\nxyzzy = 1')
    assert problem == "screen.xyzzy: no such setting; known here: host, port"


def test_every_mistake_is_told_at_once() -> None:
    toml = 'enabeld = true\nlanguages = 5\n[screen]\nport = "many"\n[[cameras]]\nfps = 3\n[[cameras]]\nnmae = "b"'
    told = problems(toml)
    for start in ("enabeld:", "data_dir: missing", "screen.port:", "languages:", "cameras[0].name: missing"):
        assert any(problem.startswith(start) for problem in told), start
    assert any("cameras[1].nmae" in problem and "'name'" in problem for problem in told)
    assert len(told) == 7


@pytest.mark.parametrize(
    ("toml", "start"),
    [
        ('data_dir = "x"\nscreen = 5', "screen: a table is wanted"),
        ('data_dir = "x"\ncameras = "a"', "cameras: an array of tables is wanted"),
        ('data_dir = "x"\ncameras = ["a"]', "cameras[0]: a table is wanted"),
        ("data_dir = 5", "data_dir: "),
    ],
)
def test_a_value_of_the_wrong_shape_says_what_is_wanted(toml: str, start: str) -> None:
    (problem,) = problems(toml)
    assert problem.startswith(start)


def test_a_table_that_the_environment_cannot_reach_into_is_an_error() -> None:
    with pytest.raises(SettingsError):
        loaded('data_dir = "x"\nscreen = 5', environ={"TADAIMA_KIOSK_SCREEN_PORT": "80"})


def test_values_that_do_not_go_together_are_an_error() -> None:
    with pytest.raises(SettingsError, match="low is above high"):
        load(Strict, table={"low": 5}, environ={}, prefix="X", flags={})


def test_a_broken_file_says_where() -> None:
    with pytest.raises(SettingsError, match=r"^door\.toml: .*line 2"):
        parse_toml('a = 1\nb = = "x"', file=FILE)


def test_a_choice_that_is_none_lists_those_there_are() -> None:
    with pytest.raises(SettingsError) as raised:
        load(Chosen, table={"language": "jp"}, environ={}, prefix="X", flags={})
    assert raised.value.problems == ("language: Invalid enum value 'jp'; one of ja, ja_easy, en is wanted",)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"volume": 1.8}, "volume: a number, at most 1.0, is wanted"),
        ({"volume": -1}, "volume: a number, at least 0.0, is wanted"),
        ({"volume": "loud"}, "volume: a number is wanted"),
        ({"until": "noon"}, "until: a time of day is wanted"),
        ({"until": 5}, "until: a time of day is wanted"),
        ({"pin": 1.5}, "pin: a whole number or text is wanted"),
        ({"codes": []}, "codes: Expected `array` of length >= 1"),
    ],
)
def test_a_wrong_value_is_told_in_words_where_there_are_some(table: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(Bounded, table=table, environ={}, prefix="X", flags={})
    assert raised.value.problems == (problem,)


def test_the_file_as_it_was_read_is_not_changed() -> None:
    table = {"data_dir": "x", "screen": {"port": 1}}
    load(Kiosk, table=table, environ={}, prefix="X", flags={"screen.port": 2})
    assert table == {"data_dir": "x", "screen": {"port": 1}}


def test_show_marks_what_differs_from_its_default_and_masks_secrets() -> None:
    settings = Kiosk(data_dir="/d", secret="hush", screen=Screen(port=1), cameras=(Camera("a"),))
    lines = list(show(settings, masked=frozenset({"secret"})))
    assert lines == [
        '* data_dir = "/d"',
        "* secret = ***",
        "  enabled = true",
        '  screen.host = "127.0.0.1"',
        "* screen.port = 1",
        '* cameras[0].name = "a"',
        "  cameras[0].fps = 15",
        '  languages = ["ja"]',
    ]
    assert "hush" not in "\n".join(lines)


class Worded(msgspec.Struct, frozen=True):
    texts: dict[str, str] = {}


def worded(toml: str, **flags: str) -> Worded:
    dotted = {name.replace("__", "."): value for name, value in flags.items()}
    return load(Worded, table=parse_toml(toml, file=FILE), environ={}, prefix="X", flags=dotted)


def test_free_keys_may_hold_dots_with_quotes_around_them_or_without() -> None:
    wanted = Worded({"a.b.c": "one", "d": "two"})
    assert worded('[texts]\n"a.b.c" = "one"\nd = "two"') == wanted
    assert worded('[texts]\na.b.c = "one"\nd = "two"') == wanted
    assert worded('[texts]\nd = "two"', texts__a__b__c="one") == wanted
    assert list(show(wanted)) == ['* texts."a.b.c" = "one"', '* texts."d" = "two"']
    assert list(show(Worded())) == ["  texts = {}"]


def test_a_value_of_a_free_key_that_is_no_text_is_told() -> None:
    with pytest.raises(SettingsError, match="texts: "):
        worded("[texts]\na.b = 5")
    with pytest.raises(SettingsError, match="texts: "):
        worded('texts = "a"')


@pytest.mark.parametrize(
    "text", ["a" + ".a" * 2000 + " = 1", "a = " + "[" * 30 + "]" * 30, "a = " + "[" * 90_000, "a = " + "9" * 5000]
)
def test_what_goes_on_without_an_end_is_refused_like_any_mistake(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_toml(text, file=Path("kiosk.toml"))
