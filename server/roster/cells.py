"""One cell of a roster file: from what an office types to a value, or the reason why not; pure."""

import re
import unicodedata
from datetime import date

from email_validator import EmailNotValidError, validate_email

from attendance.catalogue import Catalogues, Language
from server.roster.columns import folded

EVERY_WEEKDAY = "1111100"
_YEARS = range(1900, 2200)
_KANA = re.compile(r"[ぁ-ゖー・ ]+")  # hiragana block, long mark, middle dot
_KATAKANA_TO_HIRAGANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") + 1)}
_NUMERIC_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_REIWA_DATE = re.compile(r"(?:R|令和)(0?[1-9]|[1-9]\d|元)[-/.年](\d{1,2})[-/.月](\d{1,2})日?", re.IGNORECASE)
_REIWA_OFFSET = 2018  # Reiwa 1 is 2019
# What Excel makes of a class such as 1-1 or 3/2, in Japanese and in English.
_MADE_A_DATE = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}月\d{1,2}日|\d{1,2}-[A-Z][a-z]{2}|[A-Z][a-z]{2}-\d{2}")
_CARRIER_LOCAL = re.compile(r"[A-Za-z0-9_+/?-][A-Za-z0-9._+/?-]*")


class CellRefused(Exception):
    """A cell's value is wrong; `code` names the sentence after `roster.` that says so."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


def needed(text: str) -> str:
    """Return a text that must be there. Raises: CellRefused."""
    if not text.strip():
        raise CellRefused("blank")
    return text


def plain(text: str, longest: int) -> str:
    """Return a text as it was typed, to the very character. Raises: CellRefused for one that no screen can show."""
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise CellRefused("control_character")
    if len(text) > longest:
        raise CellRefused("too_many_characters", most=longest)
    return text


def same_name(one: str, other: str) -> bool:
    """Say whether two names are the same but for spaces and width."""
    return folded(one) == folded(other)


def label(text: str, longest: int) -> str:
    """Return the name of a class or unit. Raises: CellRefused for one that Excel has turned into a date."""
    if _MADE_A_DATE.fullmatch(unicodedata.normalize("NFKC", text)):
        raise CellRefused("made_a_date", value=text)
    return plain(text, longest)


def number(text: str, longest: int) -> str:
    """Return a child's number, in narrow characters. Raises: CellRefused."""
    return label(unicodedata.normalize("NFKC", needed(text)), longest)


def kana(text: str, longest: int) -> str:
    """Return kana of any kind and width as hiragana with single spaces. Raises: CellRefused."""
    hiragana = " ".join(unicodedata.normalize("NFKC", needed(text)).translate(_KATAKANA_TO_HIRAGANA).split())
    if not _KANA.fullmatch(hiragana):
        raise CellRefused("not_kana", value=text)
    return plain(hiragana, longest)


def day(text: str) -> date | None:
    """Return the day of 2026-04-01, 2026/4/1, R8.4.1 and the like; None for an empty cell. Raises: CellRefused."""
    if not text.strip():
        return None
    try:
        return parse_day(text)
    except ValueError as error:
        raise CellRefused("not_a_date", value=text) from error


def parse_day(text: str) -> date:
    """Return the day that a text names. Raises: ValueError."""
    typed = "".join(unicodedata.normalize("NFKC", text).split())
    if match := _NUMERIC_DATE.fullmatch(typed):
        year, month, day_of_month = (int(part) for part in match.groups())
    elif match := _REIWA_DATE.fullmatch(typed):
        reiwa, *rest = match.groups()
        month, day_of_month = (int(part) for part in rest)
        year = _REIWA_OFFSET + (int(reiwa) if reiwa.isdecimal() else 1)
    else:
        raise ValueError(text)
    if year not in _YEARS:
        raise ValueError(text)
    return date(year, month, day_of_month)


def past_day(text: str, today: date) -> date | None:
    """Return a day on which something was done, so none to come. Raises: CellRefused."""
    done_on = day(text)
    if done_on is not None and done_on > today:
        raise CellRefused("in_future", value=text)
    return done_on


def weekdays(text: str, catalogues: Catalogues) -> str:
    """Return the pattern of weekday names together, as a language writes them, or of 1010100. Raises: CellRefused."""
    typed = unicodedata.normalize("NFKC", text).strip()
    if not typed:
        return EVERY_WEEKDAY
    if re.fullmatch("[01]{7}", typed) and "1" in typed:
        return typed
    for catalogue in catalogues.values():
        names = [name.lower() for name in catalogue.text("roster.weekdays").split()]
        any_name = "|".join(map(re.escape, names))
        found = re.findall(any_name, typed.lower())
        if found and not re.sub(any_name + r"|[\s,、・/]", "", typed.lower()):
            return "".join("1" if name in found else "0" for name in names)
    raise CellRefused("not_weekdays", value=text)


def email(text: str, longest: int) -> str:
    """Return an e-mail address, empty for none. Raises: CellRefused."""
    typed = unicodedata.normalize("NFKC", text).strip()
    if not typed:
        return ""
    local, _, domain = typed.rpartition("@")
    # Japanese carriers once gave out addresses with dots together or before the @; they are no standard, and work.
    tidy = re.sub(r"\.+", ".", local).rstrip(".") if _CARRIER_LOCAL.fullmatch(local) else local
    try:
        # Whether mail arrives is for the dispatcher to find out; an import must not hang on a name server.
        checked = validate_email(f"{tidy}@{domain}", check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise CellRefused("not_email", value=text) from error
    address = f"{checked.local_part if tidy == local else local}@{checked.ascii_domain}"
    return plain(address, longest)


def language(text: str, catalogues: Catalogues) -> Language:
    """Return the language of a code or of a name in any of the languages; Japanese for none. Raises: CellRefused."""
    typed = folded(text)
    if not typed:
        return Language.JA
    for each in Language:
        if typed in {each.value, *(folded(words.text(f"roster.language.{each}")) for words in catalogues.values())}:
            return each
    raise CellRefused("not_language", value=text)
