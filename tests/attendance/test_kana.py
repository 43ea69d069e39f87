"""Names in kana are in the order of a Japanese register."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.kana import kana_key, kana_row

HIRAGANA = "".join(map(chr, range(ord("ぁ"), ord("ゖ") + 1))) + "ー"
words = st.text(HIRAGANA, min_size=1, max_size=6)
VOICED = dict(zip("かきくけこさしすせそたちつてとはひふへほ", "がぎぐげござじずぜぞだぢづでどばびぶべぼ", strict=True))
HALF_VOICED = dict(zip("はひふへほ", "ぱぴぷぺぽ", strict=True))
SMALL = dict(zip("あいうえおつやゆよわ", "ぁぃぅぇぉっゃゅょゎ", strict=True))


def katakana(word: str) -> str:
    return "".join(chr(ord(letter) + 0x60) if letter != "ー" else letter for letter in word)


@pytest.mark.parametrize(
    "ordered",
    [
        ["おおた", "かいと", "がいと", "かさい", "がっこ", "きむら"],
        ["はら", "ばら", "ぱら", "はらだ"],
        ["さとう あい", "さとう あおい", "さとうだ あい"],
        ["りーな", "りいな", "りぃの", "りいの"],
        ["きょうこ", "きようこ", "きよか"],
        ["まーく", "まあくん", "まい"],
        ["るー", "るう", "るうか"],
        ["まい", "マイ", "まいか"],
        ["ぐえん てぃ まい", "くどう"],
        ["うい", "ゔい", "うえ"],
    ],
)
def test_names_are_in_the_order_of_a_register(ordered: list[str]) -> None:
    shuffled = random.sample(ordered, len(ordered))
    assert sorted(shuffled, key=kana_key) == ordered


@pytest.mark.parametrize(("plain", "marked"), [*VOICED.items(), *HALF_VOICED.items(), *SMALL.items()])
@given(before=words, after=words)
def test_a_mark_decides_only_between_names_that_are_alike_without_it(
    plain: str, marked: str, before: str, after: str
) -> None:
    this, that = f"{before}{plain}", f"{before}{marked}"
    assert kana_key(this) != kana_key(that)
    assert kana_key(this) < kana_key(f"{that}{after}")
    assert kana_key(that) < kana_key(f"{this}{after}")


@given(words)
def test_a_long_mark_is_the_vowel_before_it(before: str) -> None:
    for row, vowel in (("かさ", "あ"), ("きし", "い"), ("くす", "う"), ("けせ", "え"), ("こそ", "お")):
        for letter in row:
            long, spelt, further = (kana_key(before + letter + end) for end in ("ー", vowel, f"{vowel}あ"))
            assert long < spelt < further


@given(words, words)
def test_two_names_are_of_one_rank_only_when_they_are_one(one: str, other: str) -> None:
    assert (kana_key(one) == kana_key(other)) is (one == other)


@given(st.text("かがきゃや", min_size=1, max_size=4), st.text("かがきゃや", min_size=1, max_size=4))
def test_katakana_is_in_the_same_order(one: str, other: str) -> None:
    assert (kana_key(katakana(one)) < kana_key(katakana(other))) is (kana_key(one) < kana_key(other))


@given(st.lists(st.tuples(st.sampled_from(["かとう", "がとう", "さとう"]), words), max_size=12))
def test_the_children_of_one_family_name_stay_together(names: list[tuple[str, str]]) -> None:
    families = [name.split()[0] for name in sorted(map(" ".join, names), key=kana_key)]
    assert families == sorted(families, key=["かとう", "がとう", "さとう"].index)


@given(st.text(max_size=20))
def test_any_text_has_a_place(text: str) -> None:
    assert kana_key(text) == kana_key(text)


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ("あ", ["あおき", "ヴァン", "ｱｵｷ", "ゔぉ", "ぁ"]),
        ("か", ["がくと", "くどう", "ヶ"]),
        ("さ", ["ジョン", "ぞう"]),
        ("は", ["ぱく", "ばば", "はた"]),
        ("や", ["ゆき", "ょ", " やまだ"]),
        ("わ", ["わた", "ゐど", "をの", "んご"]),
        ("", ["Anna", "", "山田", "１"]),
    ],
)
def test_a_name_is_found_in_the_row_of_its_first_letter(row: str, names: list[str]) -> None:
    assert {kana_row(name) for name in names} == {row}


@given(words.filter(kana_row))
def test_rows_follow_one_another_as_names_do(name: str) -> None:
    rows = "あかさたなはまやらわ"
    for other in rows:
        if rows.index(kana_row(name)) < rows.index(other):
            assert kana_key(name) < kana_key(other)
