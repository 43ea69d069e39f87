"""Settings: default < TOML < environment < command line, into one frozen type, with every mistake told at once.

A settings type is a frozen msgspec Struct whose fields are plain values or further such Structs (TOML tables). Its
attribute names are the names people write; a tuple of Structs is an array of tables, and a dict[str, str] a table whose
keys are free and may hold dots, with quotes around them or without.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec

from attendance.errors import SettingsError

_Settings = TypeVar("_Settings", bound=msgspec.Struct)
MASK = "***"
_DEEPEST = 20
"""Tables within tables; no setting lies deeper than three."""

_COMPLAINT = re.compile(r"Expected `([\w |]+)`(?: (>=|<=|>|<) ([\d.]+))?(?:, got `\w+`)?")
"""What msgspec says of a value of the wrong type or size."""
_IN_WORDS = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false", "array": "a list"}
_BOUND_IN_WORDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def parse_toml(text: str, *, file: Path) -> dict[str, Any]:
    """Return the table in a TOML file's text. Raises: SettingsError with file, line and column."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers without an end are a bare ValueError
        raise SettingsError((f"{file}: not valid TOML: {error}",)) from error
    if not _is_flatter(table, _DEEPEST):
        raise SettingsError((f"{file}: more than {_DEEPEST} tables or lists within one another",))
    return table


def load(
    kind: type[_Settings],
    *,
    table: Mapping[str, Any],
    environ: Mapping[str, str],
    prefix: str,
    flags: Mapping[str, Any],
) -> _Settings:
    """Return the settings. Raises: SettingsError naming every unknown key and every wrong value.

    `environ` is searched for PREFIX_KEY and PREFIX_TABLE_KEY in upper case; `flags` has dotted keys, and None means
    not given.
    """
    merged = _copy(table)
    variables = {"_".join([prefix, *path]).upper(): path for path, _ in _leaves(kind)}
    for variable, path in variables.items():
        if variable in environ:
            _put(merged, path, environ[variable])
    for dotted, value in flags.items():
        if value is not None:
            _put(merged, tuple(dotted.split(".")), value)
    strange = sorted(name for name in environ if name.startswith(f"{prefix}_") and name not in variables)
    problems = [_unknown("", name, list(variables)) for name in strange]
    settings = _build(kind, merged, "", problems)
    if problems:
        raise SettingsError(tuple(problems))
    return cast("_Settings", settings)


def show(settings: msgspec.Struct, *, masked: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield a line a setting, secrets masked, with a star before what differs from its default."""
    yield from _show(settings, "", masked)


def _show(settings: msgspec.Struct, under: str, masked: frozenset[str]) -> Iterator[str]:
    for info in msgspec.structs.fields(settings):
        name = f"{under}{info.name}"
        value = getattr(settings, info.name)
        if isinstance(value, msgspec.Struct):
            yield from _show(value, f"{name}.", masked)
        elif isinstance(value, tuple) and value and all(isinstance(item, msgspec.Struct) for item in value):
            for number, item in enumerate(value):
                yield from _show(item, f"{name}[{number}].", masked)
        elif isinstance(value, dict) and value:
            for key, item in value.items():
                yield f'* {name}."{key}" = {msgspec.json.encode(item).decode()}'
        else:
            star = " " if _default(info) == value else "*"
            shown = MASK if info.name in masked and value else msgspec.json.encode(value, enc_hook=str).decode()
            yield f"{star} {name} = {shown}"


def _default(info: msgspec.structs.FieldInfo) -> Any:
    if info.default_factory is not msgspec.NODEFAULT:
        return info.default_factory()
    return info.default


def _leaves(kind: type[msgspec.Struct], under: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for info in msgspec.structs.fields(kind):
        path = (*under, info.name)
        if _is_struct(info.type):
            yield from _leaves(info.type, path)
        else:
            yield path, info.type


def _build(kind: type[msgspec.Struct], table: object, where: str, problems: list[str]) -> msgspec.Struct | None:
    """Return the Struct, or None after adding at least one problem."""
    if not isinstance(table, Mapping):
        problems.append(f"{where.rstrip('.') or 'settings'}: a table is wanted")
        return None
    fields = {info.name: info for info in msgspec.structs.fields(kind)}
    before = len(problems)
    problems.extend(_unknown(where, key, list(fields)) for key in table if key not in fields)
    values: dict[str, Any] = {}
    for name, info in fields.items():
        if name in table:
            values[name] = _value(info.type, table[name], f"{where}{name}", problems)
        elif _is_struct(info.type) and info.required:
            values[name] = _build(info.type, {}, f"{where}{name}.", problems)
        elif info.required:
            problems.append(f"{where}{name}: missing")
    if len(problems) > before:
        return None
    try:
        return kind(**values)
    except ValueError as error:
        problems.append(f"{where.rstrip('.') or 'settings'}: {error}")
        return None


def _value(kind: Any, raw: Any, where: str, problems: list[str]) -> Any:
    if _is_struct(kind):
        return _build(kind, raw, f"{where}.", problems)
    if get_origin(kind) is dict and isinstance(raw, Mapping):
        raw = dict(_dotted(raw))
    item = _item_struct(kind)
    if item is not None:
        if not isinstance(raw, list):
            problems.append(f"{where}: an array of tables is wanted, [[{where}]]")
            return None
        return tuple(_build(item, table, f"{where}[{number}].", problems) for number, table in enumerate(raw))
    # Environment and command line give text; "5" is a number there, and "a, b" two of something.
    if get_origin(kind) is tuple and isinstance(raw, str):
        raw = [part.strip() for part in raw.split(",") if part.strip()]
    try:
        return msgspec.convert(raw, kind, strict=not isinstance(raw, str), dec_hook=_path)
    except msgspec.ValidationError as error:
        problems.append(f"{where}: {_in_words(kind, str(error))}")
        return None


def _in_words(kind: Any, complaint: str) -> str:
    """Return what is wanted: the choices, the type's own description, or the complaint, in words if we have them."""
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return f"{complaint}; one of {', '.join(kind)} is wanted"
    for described in _descriptions(kind):
        return f"{described} is wanted"
    parts = _COMPLAINT.fullmatch(complaint)
    if parts is None:
        return complaint
    kinds, bound, limit = parts.groups()
    wanted = " or ".join(_IN_WORDS.get(each, each) for each in kinds.split(" | ") if each != "null")
    return f"{wanted}, {_BOUND_IN_WORDS[bound]} {limit}, is wanted" if bound else f"{wanted} is wanted"


def _descriptions(kind: Any) -> Iterator[str]:
    for note in getattr(kind, "__metadata__", ()):
        if isinstance(note, msgspec.Meta) and note.description:
            yield note.description
    for inner in get_args(kind):
        yield from _descriptions(inner)


def _dotted(table: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what a table and the tables in it hold, by names with dots."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{under}{key}.")
        else:
            yield f"{under}{key}", value


def _path(kind: type, raw: Any) -> Path:
    """The one type of a setting that msgspec does not know of itself."""
    if kind is not Path or not isinstance(raw, str) or not raw:
        raise ValueError("a path is wanted")
    return Path(raw)


def _unknown(where: str, key: str, names: list[str]) -> str:
    near = difflib.get_close_matches(key, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(names))}"
    return f"{where}{key}: no such setting; {hint}"


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _item_struct(kind: Any) -> type[msgspec.Struct] | None:
    """Return S for `tuple[S, ...]` of Structs, else None."""
    if get_origin(kind) is not tuple:
        return None
    item = get_args(kind)[0]
    return cast("type[msgspec.Struct]", item) if _is_struct(item) else None


def _put(table: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise SettingsError((f"{'.'.join(path)}: {name} is not a table",))
        table = inner
    table[path[-1]] = value


def _is_flatter(value: Any, depth: int) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(_is_flatter(each, depth - 1) for each in inside)


def _copy(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in table.items()}
