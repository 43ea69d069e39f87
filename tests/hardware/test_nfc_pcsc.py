"""The PC/SC driver against a real pcscd and soft cards: honest ones, phones, restless and hostile ones."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hardware.errors import DriverMissing, ReaderLost
from hardware.nfc_pcsc import PcscReader
from hardware.reader import Medium, TagType
from hardware.soft_tags import SoftTag, Type2Tag, Type3Tag, Type4Tag, TypeATag, ndef_message
from tests.hardware.nfc_watch import PATIENCE_S, Watch
from tests.hardware.pcsc_daemon import ACR122, ACS, OTHER, SONY, PcscDaemon
from tests.hardware.soft_pcsc import Carriage, PcscCard, SoftSlot

UID = bytes.fromhex("04a1b2c3d4e580")
OTHER_UID = bytes.fromhex("04ffeeddccbb80")
IDM = bytes.fromhex("012e4c1122334455")
TOKEN = "TDM1KZ4QMXW2E7R5B3YHN6VA"
TEXT_READ = (Medium.NFC_TEXT, TOKEN.encode())
MAKES = {
    ACS: Carriage.DIRECT,
    ACR122: Carriage.PN532,
    SONY: Carriage.TRANSPARENT,
}


@contextmanager
def watching(make: str = ACS, **settings: Any) -> Iterator[Watch]:
    with PcscDaemon(make) as daemon, watching_over(daemon, **settings) as watch:
        yield watch


@contextmanager
def watching_over(daemon: PcscDaemon, **settings: Any) -> Iterator[Watch]:
    watch = Watch(PcscReader("door", **settings), daemon.slot)
    try:
        yield watch
    finally:
        watch.end()


def card(tag: SoftTag, make: str = ACS, **described: Any) -> PcscCard:
    return PcscCard(tag, MAKES.get(make, Carriage.NONE), **described)


def text_message(text: str = TOKEN) -> bytes:
    message = ndef_message(text=text)
    assert message is not None
    return message


@pytest.mark.parametrize(
    ("shown", "read", "tag"),
    [
        (card(Type2Tag(UID, text_message())), TEXT_READ, TagType.TYPE_2),
        (
            card(Type2Tag(UID, text_message("あ" * 250))),
            (Medium.NFC_TEXT, ("あ" * 250).encode()),
            TagType.TYPE_2,
        ),
        (card(Type4Tag(UID, text_message("x" * 400))), (Medium.NFC_TEXT, b"x" * 400), TagType.TYPE_4),
        (card(Type2Tag(UID, ndef_message(uri="https://example.org/", text=TOKEN))), TEXT_READ, TagType.TYPE_2),
        (card(Type2Tag(UID, ndef_message(uri="https://example.org/"))), (Medium.NFC_UID, UID), TagType.TYPE_2),
        (card(Type4Tag(UID, None)), (Medium.NFC_UID, UID), TagType.TYPE_4),
        (card(Type4Tag(bytes.fromhex("08112233"), None)), (Medium.NFC_RANDOM_UID, b""), TagType.TYPE_4),
        (card(Type4Tag(bytes.fromhex("08112233"), text_message())), TEXT_READ, TagType.TYPE_4),
        (card(Type3Tag(bytes.fromhex("01fe112233445566"), None)), (Medium.NFC_RANDOM_UID, b""), TagType.TYPE_3),
        (card(TypeATag(UID), card_name=0x0001), (Medium.NFC_UID, UID), TagType.MIFARE_CLASSIC),
        (card(TypeATag(UID), card_name=0x0030), (Medium.NFC_UID, UID), TagType.TYPE_1),
    ],
)
def test_a_tag_is_read_as_its_first_text_and_else_as_what_it_is(
    shown: PcscCard, read: tuple[Medium, bytes], tag: TagType
) -> None:
    with watching() as watch:
        watch.hold(shown, seconds=0)
        assert watch.wait_for(1) == [read]
        assert watch.raws[0].tag is tag


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize(
    ("message", "read"), [(text_message(), TEXT_READ), (None, (Medium.FELICA_IDM, b"\x00\x03" + IDM))]
)
def test_a_felica_card_is_read_as_on_other_readers(
    make: str, message: bytes | None, read: tuple[Medium, bytes]
) -> None:
    with watching(make) as watch:
        watch.hold(card(Type3Tag(IDM, message), make), seconds=0)
        assert watch.wait_for(1) == [read]


def test_a_reader_that_lists_systems_tells_the_first_and_one_that_does_not_tells_any() -> None:
    with watching(OTHER, hold_off_s=0.1) as watch:
        watch.hold(PcscCard(Type3Tag(IDM, None), Carriage.SYSTEM_LIST), seconds=0)
        watch.wait_for(1)
        watch.hold(PcscCard(Type3Tag(IDM, text_message()), Carriage.NONE), seconds=0)
        assert watch.wait_for(2) == [(Medium.FELICA_IDM, b"\x00\x03" + IDM), (Medium.FELICA_IDM, b"\xff\xff" + IDM)]


def test_the_idm_is_that_of_the_system_polled_for() -> None:
    with watching(system_codes=(0xFE00, 0x12FC)) as watch:
        watch.hold(card(Type3Tag(IDM, b"")), seconds=0)
        assert watch.wait_for(1) == [(Medium.FELICA_IDM, b"\x12\xfc\x11" + IDM[1:])]


def test_a_card_held_on_is_one_read() -> None:
    with watching(hold_off_s=0.1) as watch:
        watch.hold(card(Type2Tag(UID, text_message())), seconds=1.5)
        assert len(watch.seen()) == 1


def test_phones_that_change_their_uid_whenever_they_lose_the_field_are_one_read() -> None:
    with watching(hold_off_s=2.0) as watch:
        for _ in range(3):
            watch.hold(card(Type4Tag(b"\x08" + os.urandom(3), None)), seconds=0.9)
        assert watch.seen() == [(Medium.NFC_RANDOM_UID, b"")]


def test_a_flapping_card_is_one_read_and_one_that_was_gone_long_enough_two() -> None:
    shown = card(Type2Tag(UID, text_message()))
    with watching(hold_off_s=1.2) as watch:
        for _ in range(3):
            watch.hold(shown, seconds=0.3)
            watch.lift(seconds=0.2)
        watch.hold(shown, seconds=0.5)
        assert len(watch.wait_for(1)) == 1
        watch.lift(seconds=2.2)
        watch.hold(shown, seconds=0)
        assert watch.wait_for(2) == [TEXT_READ] * 2


def test_a_second_card_laid_on_before_the_hold_off_of_the_first_is_read_too() -> None:
    with watching() as watch:
        watch.hold(card(Type2Tag(UID, None)), seconds=0)
        watch.wait_for(1)
        watch.hold(card(Type2Tag(OTHER_UID, None)), seconds=0)
        assert watch.wait_for(2) == [(Medium.NFC_UID, UID), (Medium.NFC_UID, OTHER_UID)]


def test_the_other_card_in_a_pass_case_is_not_told_when_it_is_the_last_to_lose_the_field() -> None:
    with watching(hold_off_s=2.5) as watch:
        watch.hold(card(Type2Tag(UID, text_message())), seconds=0)
        watch.wait_for(1)
        watch.hold(card(Type3Tag(IDM, None)), seconds=1.2)
        watch.lift()
        assert watch.seen() == [TEXT_READ]


class Interrupted(PcscCard):
    """Is taken away in the middle of its text; something else may be laid there at once."""

    def __init__(self, tag: SoftTag, slot: SoftSlot, then: PcscCard | None = None) -> None:
        super().__init__(tag)
        self._slot, self._then = slot, then

    def answer(self, apdu: bytes) -> bytes | None:
        if apdu == bytes.fromhex("ffb0000410"):
            if self._then is None:
                self._slot.lift()
            else:
                self._slot.lay(self._then)
            return None
        return super().answer(apdu)


def test_a_card_torn_away_before_its_token_is_known_is_no_read_and_is_read_when_it_returns() -> None:
    with watching() as watch:
        watch.hold(Interrupted(Type2Tag(UID, text_message()), watch.field), seconds=1.5)
        assert watch.seen() == []
        watch.hold(card(Type2Tag(UID, text_message())), seconds=0)
        assert watch.wait_for(1) == [TEXT_READ]


def test_a_card_that_loses_the_field_for_a_moment_is_still_read_as_its_token() -> None:
    with watching() as watch:
        whole = card(Type2Tag(UID, text_message()))
        watch.hold(Interrupted(Type2Tag(UID, text_message()), watch.field, whole), seconds=0)
        assert watch.wait_for(1) == [TEXT_READ]


class Altered(PcscCard):
    """Answers some APDUs, those that begin so, in its own way; None: never."""

    def __init__(self, tag: SoftTag, prefix: str, answer: bytes | None) -> None:
        super().__init__(tag, Carriage.DIRECT)
        self._prefix, self._own = prefix, answer

    def answer(self, apdu: bytes) -> bytes | None:
        return self._own if apdu.hex().startswith(self._prefix) else super().answer(apdu)


class Trickle(PcscCard):
    """Hands out its message a byte at a time."""

    def answer(self, apdu: bytes) -> bytes | None:
        answer = super().answer(apdu)
        return answer[:1] + answer[-2:] if answer is not None and len(answer) > 0x20 else answer


class NoBlocksTag(Type3Tag):
    _BLOCKS_A_READ = 0


TYPE_2 = Type2Tag(UID, text_message())
TYPE_3 = Type3Tag(IDM, text_message())
TYPE_4 = Type4Tag(UID, text_message())
UID_READ = (Medium.NFC_UID, UID)
IDM_READ = (Medium.FELICA_IDM, b"\x00\x03" + IDM)
HOSTILE: dict[str, tuple[PcscCard, tuple[Medium, bytes]]] = {
    "asks for time for ever": (Altered(TYPE_4, "00b0", None), UID_READ),
    "never answers a select": (Altered(TYPE_4, "00a4", None), UID_READ),
    "hands out nothing, with success": (Altered(TYPE_4, "00b00002", b"\x90\x00"), UID_READ),
    "hands out one byte a time": (Trickle(Type4Tag(UID, text_message("x" * 600))), UID_READ),
    "answers with half a status word": (Altered(TYPE_4, "00a4", b"\x90"), UID_READ),
    "claims a message longer than its file": (Altered(TYPE_4, "00b0000002", b"\xff\xf0\x90\x00"), UID_READ),
    "claims 64 KB in a TLV": (Altered(TYPE_2, "ffb00004", b"\x03\xff\xff\xf0" * 4 + b"\x90\x00"), UID_READ),
    "cuts its blocks short": (Altered(TYPE_2, "ffb00004", b"\x03\x20\x90\x00"), UID_READ),
    "fails with a strange status word": (Altered(TYPE_2, "ffb0", b"\x00\x00"), UID_READ),
    "allows no blocks a read": (card(NoBlocksTag(IDM, text_message())), IDM_READ),
    "answers reads with a poll": (
        Altered(TYPE_3, "ff0000001010", b"\x12\x01" + IDM + bytes(8) + b"\x90\x00"),
        IDM_READ,
    ),
    "holds a record cut short": (card(Type2Tag(UID, b"\xd1\x01\x40T\x02en")), UID_READ),
    "holds noise": (card(Type4Tag(UID, b"\xff" * 100)), UID_READ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_card_is_read_as_its_number_and_the_next_card_is_read_after_it(name: str) -> None:
    hostile, read = HOSTILE[name]
    with watching() as watch:
        watch.hold(hostile, seconds=0)
        assert watch.wait_for(1) == [read]
        watch.lift()  # vpcd shows no change when a card that hung is swapped
        watch.hold(card(Type2Tag(OTHER_UID, text_message())), seconds=0)
        assert watch.wait_for(2)[1:] == [TEXT_READ]


@given(answers=st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=6))
@settings(max_examples=6, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
def test_a_card_that_answers_anything_at_all_stops_nothing(answers: list[bytes]) -> None:
    class Noise(PcscCard):
        turn = 0

        def answer(self, apdu: bytes) -> bytes | None:
            self.turn += 1
            return answers[self.turn % len(answers)]

    with watching() as watch:
        watch.hold(Noise(TYPE_4), seconds=0.6)
        watch.lift()
        watch.hold(card(Type2Tag(OTHER_UID, text_message())), seconds=0)
        deadline = time.monotonic() + PATIENCE_S
        while TEXT_READ not in watch.seen() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert watch.seen()[-1] == TEXT_READ


@pytest.mark.parametrize("prefix", ["ffca", "ffb0", "00a4"])
def test_closing_does_not_wait_for_a_card_that_never_answers(prefix: str) -> None:
    asked = threading.Event()

    class Mute(PcscCard):
        def answer(self, apdu: bytes) -> bytes | None:
            if apdu.hex().startswith(prefix):
                asked.set()
                return None
            return super().answer(apdu)

    with watching() as watch:
        watch.hold(Mute(TYPE_4 if prefix == "00a4" else TYPE_2), seconds=0)
        assert asked.wait(PATIENCE_S)
    assert watch.seen() == []


def test_closing_does_not_wait_for_a_pcscd_that_hangs() -> None:
    with PcscDaemon() as daemon, watching_over(daemon):
        daemon.signal(signal.SIGSTOP)
        time.sleep(0.3)


def test_cards_that_are_of_no_use_are_not_read() -> None:
    contact = card(TYPE_4)
    contact.atr = bytes.fromhex("3b6500002063cb6800")
    type_b = Altered(Type4Tag(bytes.fromhex("50a1b2c3"), None), "ffca01", b"\x6a\x81")
    type_b.atr = bytes.fromhex("3b888001e1f35e11b381a500") + b"\x4a"
    with watching() as watch:
        for useless in (contact, type_b):
            watch.hold(useless, seconds=1.0)
            watch.lift()
        watch.hold(card(Type2Tag(OTHER_UID, text_message())), seconds=0)
        assert watch.wait_for(1) == [TEXT_READ]


def test_a_pcscd_that_dies_loses_the_reader_and_opening_again_works_once_it_is_back() -> None:
    with PcscDaemon() as daemon:
        with watching_over(daemon) as watch:
            watch.hold(card(Type2Tag(UID, text_message())), seconds=0)
            watch.wait_for(1)
            daemon.kill()
            assert watch.wait_until_lost().reader == "door"
        with pytest.raises(ReaderLost, match=r"apt install pcscd"):
            PcscReader("door").open()
        daemon.start()
        with watching_over(daemon) as watch:
            assert watch.wait_for(1) == [TEXT_READ]


def test_a_pcscd_that_dies_in_the_middle_of_a_text_loses_the_reader() -> None:
    with PcscDaemon() as daemon:

        class Fatal(PcscCard):
            def answer(self, apdu: bytes) -> bytes | None:
                if apdu[:2] == b"\xff\xb0":
                    daemon.kill()
                    return None
                return super().answer(apdu)

        with watching_over(daemon) as watch:
            daemon.slot.lay(Fatal(TYPE_2))
            watch.wait_until_lost()
            assert watch.seen() == []


def test_the_reader_is_the_first_whose_name_begins_as_wanted() -> None:
    with PcscDaemon() as daemon:
        with watching_over(daemon, reader_prefix="ACS ACR1252") as watch:
            watch.hold(card(Type2Tag(UID, text_message())), seconds=0)
            assert watch.wait_for(1) == [TEXT_READ]
        with pytest.raises(ReaderLost, match="'SONY'"):
            PcscReader("door", "SONY").open()
        daemon.kill()
        daemon.start(plugged=False)
        with pytest.raises(ReaderLost, match="shows none"):
            PcscReader("door").open()


def test_nothing_that_a_card_says_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with watching() as watch:
        watch.hold(card(Type2Tag(UID, b"\xd1\x01\x40T\x02en" + TOKEN.encode())), seconds=0)
        watch.wait_for(1)
        watch.hold(card(Type2Tag(OTHER_UID, text_message())), seconds=0)
        watch.wait_for(2)
    assert "nfc tag could not be read" in caplog.text
    for secret in (TOKEN, UID.hex(), repr(UID), OTHER_UID.hex()):
        assert secret not in caplog.text


def test_a_machine_without_pyscard_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hardware.pcsc_link", None)
    with pytest.raises(DriverMissing, match="extra 'pcsc'"):
        PcscReader("door").open()
