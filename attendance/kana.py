"""The order of names in kana as a Japanese register has it; pure.

Source: JIS X 4061: letters alone first (が as か, ゃ as や, ー as the vowel that it lengthens); where all are alike,
か before が and は before ば before ぱ; then the long mark, small and large letters; then hiragana before katakana.
"""

import unicodedata

_KATAKANA_TO_HIRAGANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") + 1)}
_VOICED, _HALF_VOICED = "\u3099", "\u309a"
_LONG = "ー"
_LARGE = dict(zip("ぁぃぅぇぉっゃゅょゎゕゖ", "あいうえおつやゆよわかけ", strict=True))
_ROWS = (
    "あいうえお",
    "かきくけこ",
    "さしすせそ",
    "たちつてと",
    "なにぬねの",
    "はひふへほ",
    "まみむめも",
    "や　ゆ　よ",
    "らりるれろ",
    "わゐ　ゑを",
)
KANA_ROWS = tuple(row[0] for row in _ROWS)
"""What the rows of the kana table are called, in order."""
_VOWELS = {letter: vowel for row in _ROWS for letter, vowel in zip(row, _ROWS[0], strict=True) if letter != "　"}
_ROW_OF = {letter: row[0] for row in _ROWS for letter in row} | {"ん": "わ"}
WordKey = tuple[str, tuple[int, ...], tuple[int, ...], tuple[bool, ...]]


def kana_key(name: str) -> tuple[WordKey, ...]:
    """Return what to sort a name in kana by; word for word, so that one family's children stay together."""
    return tuple(map(_word_key, unicodedata.normalize("NFKD", name).split()))


def kana_row(name: str) -> str:
    """Return the row of the kana table that a name begins in, by its first letter (あ to わ); empty for none."""
    first = unicodedata.normalize("NFKD", name).lstrip()[:1].translate(_KATAKANA_TO_HIRAGANA)
    return _ROW_OF.get(_LARGE.get(first, first), "")


def _word_key(word: str) -> WordKey:
    letters, voices, sizes, katakana = "", list[int](), list[int](), list[bool]()
    for written in word:
        if written in (_VOICED, _HALF_VOICED):
            if voices:
                voices[-1] = 1 if written == _VOICED else 2
            continue
        letter = written.translate(_KATAKANA_TO_HIRAGANA)
        size = 2
        if letter == _LONG and letters[-1:] in _VOWELS:
            letter, size = _VOWELS[letters[-1]], 0
        elif letter in _LARGE:
            letter, size = _LARGE[letter], 1
        letters += letter
        voices.append(0)
        sizes.append(size)
        katakana.append(written.translate(_KATAKANA_TO_HIRAGANA) != written)
    return letters, tuple(voices), tuple(sizes), tuple(katakana)
