"""The two engines: what they read, and that nothing a stranger prints breaks them."""

import numpy as np
import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.qr_cascade import read_photograph
from hardware.qr_decode import Code, Engine, Grey, load_engines, merge, read_with_pyzbar, read_with_zxing
from hardware.synthetic_card import code_picture

CARD = "TABCDEFGHIJKLMNOPQRSTUVWXYZ23"
ENGINES = pytest.mark.parametrize("engine", [read_with_zxing, read_with_pyzbar])


def picture(code: segno.QRCode, module_px: int = 5) -> Grey:
    modules = np.pad(np.array([list(row) for row in code.matrix], dtype=np.uint8), 4)
    return np.asarray(np.kron(1 - modules, np.ones((module_px, module_px), dtype=np.uint8)) * 255, dtype=np.uint8)


def payloads(codes: list[Code]) -> list[bytes]:
    return [code.payload for code in codes]


def square(payload: bytes, left: float = 0, side: float = 10) -> Code:
    return Code(payload, ((left, 0), (left + side, 0), (left + side, side), (left, side)))


def test_the_engines_are_installed() -> None:
    load_engines()


@ENGINES
def test_a_card_is_read_with_the_place_where_it_lies(engine: Engine) -> None:
    frame = np.full((400, 600), 200, dtype=np.uint8)
    code = code_picture(CARD)
    frame[50 : 50 + code.shape[0], 300 : 300 + code.shape[1]] = code
    [found] = engine(frame)
    assert found.payload == CARD.encode()
    xs, ys = zip(*found.corners, strict=True)
    assert min(xs) == pytest.approx(300 + 24, abs=8)
    assert max(ys) == pytest.approx(50 + code.shape[0] - 24, abs=8)


@ENGINES
def test_two_cards_in_one_frame_are_both_read(engine: Engine) -> None:
    frame = np.hstack([code_picture("LEFT"), code_picture("RIGHT")])
    assert sorted(payloads(engine(frame))) == [b"LEFT", b"RIGHT"]


@ENGINES
@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((1, 1), dtype=np.uint8),
        np.zeros((480, 640), dtype=np.uint8),
        np.full((3, 2000), 255, dtype=np.uint8),
        np.random.default_rng(1).integers(0, 256, (480, 640), dtype=np.uint8),
        np.indices((400, 400)).sum(axis=0).astype(np.uint8) % 2 * 255,
    ],
    ids=["one pixel", "dark", "line", "noise", "chessboard"],
)
def test_a_frame_without_a_code_holds_none(engine: Engine, frame: Grey) -> None:
    assert engine(np.asarray(frame, dtype=np.uint8)) == []


def test_a_card_on_a_phone_in_dark_mode_is_read() -> None:
    assert payloads(read_photograph(np.asarray(255 - code_picture(CARD), dtype=np.uint8))) == [CARD.encode()]


def test_a_micro_qr_code_is_no_card() -> None:
    assert read_photograph(picture(segno.make_micro("4290"))) == []


def test_a_truncated_code_is_not_read() -> None:
    whole = code_picture(CARD)
    assert read_photograph(np.ascontiguousarray(whole[: whole.shape[0] // 2])) == []


@pytest.mark.parametrize(
    "content",
    ["https://example.org/?name=x", "山田花子", "1" * 2000, "\\;drop table", "<script>", "tabc", "A" * 1500],
    ids=["address", "name in kanji", "huge number", "signs", "markup", "lower case", "huge"],
)
def test_a_foreign_code_is_read_as_what_it_is(content: str) -> None:
    [found] = read_photograph(picture(segno.make_qr(content, error="l"), module_px=4))
    assert content.encode() == found.payload or content.encode("shift_jis") == found.payload


def test_a_kanji_code_that_engines_encode_differently_is_one_code() -> None:
    code = segno.make_qr("点茗", mode="kanji")
    assert len(read_photograph(picture(code))) == 1


@ENGINES
def test_parts_of_a_structured_append_code_raise_nothing(engine: Engine) -> None:
    parts = segno.make_sequence("PART OF A LONGER TEXT " * 4, symbol_count=3)
    for part in parts:
        engine(picture(part))


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_printed_as_a_code_come_out_of_zxing_as_they_went_in(content: bytes) -> None:
    code = segno.make_qr(content, mode="byte")
    assert payloads(read_with_zxing(picture(code, module_px=3))) == [content]


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_no_bytes_break_pyzbar(content: bytes) -> None:
    read_with_pyzbar(picture(segno.make_qr(content, mode="byte"), module_px=3))


def test_merging_keeps_the_earlier_of_two_codes_at_one_place() -> None:
    assert payloads(merge([square(b"FIRST")], [square(b"SECOND", left=1)])) == [b"FIRST"]


def test_merging_keeps_a_code_elsewhere_and_one_inside_a_larger_one() -> None:
    assert len(merge([square(b"A")], [square(b"B", left=20)], [square(b"C", left=4, side=3)])) == 3


def test_a_payload_is_told_once_however_often_it_is_seen() -> None:
    assert payloads(merge([square(b"A")], [square(b"A", left=50)])) == [b"A"]


def test_a_code_found_in_an_enlarged_part_lies_where_the_part_was() -> None:
    assert square(b"A").moved(2.0, (100, 40)).corners == ((100, 40), (105, 40), (105, 45), (100, 45))


def test_a_payload_stays_out_of_the_log() -> None:
    assert "SECRET" not in repr(square(b"SECRET"))
