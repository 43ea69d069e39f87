"""Key events as a scanner with a US keyboard sends them."""

from collections.abc import Iterable

from hardware.key_scanner import EV_KEY, EVENT, KeyEvent

ENTER, LEFT_SHIFT = 28, 42
KEYS = {
    **dict(zip("1234567890", range(2, 12), strict=True)),
    **dict(zip("QWERTYUIOP", range(16, 26), strict=True)),
    **dict(zip("ASDFGHJKL", range(30, 39), strict=True)),
    **dict(zip("ZXCVBNM", range(44, 51), strict=True)),
    ".": 52,
    "/": 53,
}
SHIFTED = {":": 39}


def key(code: int) -> list[KeyEvent]:
    """Press and release a key."""
    return [KeyEvent(EV_KEY, code, 1), KeyEvent(0, 0, 0), KeyEvent(EV_KEY, code, 0)]


def shifted(code: int, shift: int = LEFT_SHIFT) -> list[KeyEvent]:
    """Press and release a key while shift is held."""
    return [KeyEvent(EV_KEY, shift, 1), *key(code), KeyEvent(EV_KEY, shift, 0)]


def typed(text: str, end: int = ENTER) -> list[KeyEvent]:
    """Type a text in upper case and the key that ends it."""
    letters = [shifted(SHIFTED[letter]) if letter in SHIFTED else key(KEYS[letter]) for letter in text]
    return [event for strokes in letters for event in strokes] + key(end)


def encoded(events: Iterable[KeyEvent]) -> bytes:
    """The bytes that the kernel hands out for the events."""
    return b"".join(EVENT.pack(0, 0, *event) for event in events)
