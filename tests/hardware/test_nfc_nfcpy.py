"""The nfcpy driver against soft cards: honest ones, phones, cards that come and go oddly, and hostile ones."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hardware.errors import DriverMissing, ReaderLost
from hardware.nfc_nfcpy import NfcReader
from hardware.reader import Medium, TagType
from hardware.simulated_nfc import SimulatedAntenna
from hardware.soft_card import SoftField
from hardware.soft_tags import SoftTag, Type2Tag, Type3Tag, Type4Tag, TypeATag, ndef_message
from tests.hardware.nfc_watch import Watch

UID = bytes.fromhex("04a1b2c3d4e580")
OTHER_UID = bytes.fromhex("04ffeeddccbb80")
IDM = bytes.fromhex("012e4c1122334455")
TOKEN = "TDM1KZ4QMXW2E7R5B3YHN6VA"


@contextmanager
def watching(*laid: SoftTag, **settings: Any) -> Iterator[Watch]:
    """Watch a field on which some cards lie before the reader's first look."""
    with SoftField() as field:
        field.lay(*laid)
        watch = Watch(NfcReader("door", f"udp:127.0.0.1:{field.port}", **settings), field)
        try:
            yield watch
        finally:
            watch.end()


def text_message(text: str = TOKEN) -> bytes:
    message = ndef_message(text=text)
    assert message is not None
    return message


@pytest.mark.parametrize(
    ("tag", "read"),
    [
        (Type2Tag(UID, text_message()), (Medium.NFC_TEXT, TOKEN.encode())),
        (Type2Tag(UID, text_message("あ" * 250)), (Medium.NFC_TEXT, ("あ" * 250).encode())),
        (Type2Tag(bytes.fromhex("33a1b2c3"), text_message()), (Medium.NFC_TEXT, TOKEN.encode())),
        (Type3Tag(IDM, text_message()), (Medium.NFC_TEXT, TOKEN.encode())),
        (Type4Tag(UID, text_message()), (Medium.NFC_TEXT, TOKEN.encode())),
        (Type4Tag(UID, text_message("x" * 400)), (Medium.NFC_TEXT, b"x" * 400)),
        (Type2Tag(UID, ndef_message(uri="https://example.org/", text=TOKEN)), (Medium.NFC_TEXT, TOKEN.encode())),
        (Type2Tag(UID, ndef_message(uri="https://example.org/")), (Medium.NFC_UID, UID)),
        (Type2Tag(UID, None), (Medium.NFC_UID, UID)),
        (Type3Tag(IDM, None), (Medium.FELICA_IDM, b"\x00\x03" + IDM)),
        (Type4Tag(UID, None), (Medium.NFC_UID, UID)),
        (Type4Tag(bytes(range(1, 11)), None), (Medium.NFC_UID, bytes(range(1, 11)))),
        (Type4Tag(bytes.fromhex("08112233"), None), (Medium.NFC_RANDOM_UID, b"")),
        (Type4Tag(bytes.fromhex("08112233"), text_message()), (Medium.NFC_TEXT, TOKEN.encode())),
        (Type3Tag(bytes.fromhex("01fe112233445566"), None), (Medium.NFC_RANDOM_UID, b"")),
        (TypeATag(UID), (Medium.NFC_UID, UID)),
    ],
)
def test_a_tag_is_read_as_its_first_text_and_else_as_what_it_is(tag: SoftTag, read: tuple[Medium, bytes]) -> None:
    with watching() as watch:
        watch.hold(tag, seconds=0)
        assert watch.wait_for(1) == [read]


@pytest.mark.parametrize(
    ("shown", "tag"),
    [
        (Type2Tag(UID, text_message()), TagType.TYPE_2),
        (Type3Tag(IDM, None), TagType.TYPE_3),
        (Type4Tag(UID, None), TagType.TYPE_4),
    ],
)
def test_a_read_tells_the_type_of_its_tag(shown: SoftTag, tag: TagType) -> None:
    with watching() as watch:
        watch.hold(shown, seconds=0)
        watch.wait_for(1)
        assert watch.raws[0].tag is tag


def test_a_card_held_on_is_one_read() -> None:
    with watching(hold_off_s=0.1) as watch:
        watch.hold(Type2Tag(UID, text_message()), seconds=1.5)
        assert len(watch.seen()) == 1


def test_a_phone_that_changes_its_uid_at_every_look_is_one_read() -> None:
    class Phone(Type4Tag):
        def reset(self) -> None:
            super().reset()
            self.__dict__.update(TypeATag(b"\x08" + os.urandom(3)).__dict__)

    with watching(hold_off_s=0.1) as watch:
        watch.hold(Phone(b"\x08\x00\x00\x00", None), seconds=1.5)
        assert watch.seen() == [(Medium.NFC_RANDOM_UID, b"")]


def test_a_second_card_laid_on_before_the_hold_off_of_the_first_is_read_too() -> None:
    with watching() as watch:
        watch.hold(Type2Tag(UID, None))
        watch.hold(Type2Tag(OTHER_UID, None))
        watch.hold(Type2Tag(UID, None))
        assert watch.seen() == [(Medium.NFC_UID, UID), (Medium.NFC_UID, OTHER_UID)]


def test_a_flapping_card_is_one_read_and_one_that_was_gone_long_enough_two() -> None:
    tag = Type2Tag(UID, text_message())
    with watching(hold_off_s=0.8) as watch:
        for _ in range(4):
            watch.hold(tag, seconds=0.2)
            watch.lift(seconds=0.2)
        assert len(watch.seen()) == 1
        watch.lift(seconds=1.5)
        watch.hold(tag)
        assert len(watch.seen()) == 2


def test_a_card_torn_away_before_its_token_is_known_is_no_read_and_is_read_when_it_returns() -> None:
    tag = Type2Tag(UID, text_message())
    with watching() as watch:
        torn = TornTag(UID, text_message(), lift=watch.field.lift)
        watch.hold(torn, seconds=1.0)
        assert watch.seen() == []
        watch.hold(tag)
        assert watch.seen() == [(Medium.NFC_TEXT, TOKEN.encode())]


def test_a_card_that_stutters_once_is_still_read_as_its_token() -> None:
    with watching() as watch:
        watch.hold(StutteringTag(UID, text_message()), seconds=0)
        assert watch.wait_for(1) == [(Medium.NFC_TEXT, TOKEN.encode())]


def test_the_idm_is_that_of_the_system_polled_for() -> None:
    with watching(system_codes=(0x12FC,)) as watch:
        watch.hold(Type3Tag(IDM, b""), seconds=0)  # an NDEF system with nothing in it
        assert watch.wait_for(1) == [(Medium.FELICA_IDM, b"\x12\xfc\x11" + IDM[1:])]


class TornTag(Type2Tag):
    """Goes out of the field when its second block is read."""

    def __init__(self, uid: bytes, message: bytes, *, lift: Callable[[], None]) -> None:
        super().__init__(uid, message)
        self._lift = lift

    def command(self, frame: bytes) -> bytes | None:
        if frame == b"\x30\x04":
            self._lift()
            return None
        return super().command(frame)


class StutteringTag(Type2Tag):
    """Falls silent after the first block until it is selected anew."""

    selections = 0

    def reset(self) -> None:
        self.selections += 1

    def command(self, frame: bytes) -> bytes | None:
        return None if frame == b"\x30\x04" and self.selections < 3 else super().command(frame)


class EndlessWaitTag(Type4Tag):
    """Asks for more time, for ever."""

    def command(self, frame: bytes) -> bytes | None:
        return super().command(frame) if frame[0] == 0xE0 else b"\xf2\x01"


class EmptyReadTag(Type4Tag):
    """Announces a message and then hands out nothing of it, with a word of success."""

    def apdu(self, command: bytes) -> bytes:
        if command[:2] == b"\x00\xb0" and command[4] > 2 and self._file == self.files[b"\xe1\x04"]:
            return b"\x90\x00"
        return super().apdu(command)


class StrictFileTag(Type4Tag):
    """Has a file no longer than its message, says it is longer, and refuses to read past its end."""

    def apdu(self, command: bytes) -> bytes:
        if command[:2] == b"\x00\xb0" and self._file == self.files[b"\xe1\x04"]:
            past_end = int.from_bytes(command[2:4], "big") + command[4] > len(self._file)
            return b"\x67\x00" if past_end else super().apdu(command)
        return super().apdu(command)


class ShortAtsTag(Type4Tag):
    _ATS = b"\x01"


class SlowestTag(Type4Tag):
    """Claims the longest waiting time there is (5 s) and says nothing more."""

    _ATS = bytes.fromhex("057880e002")

    def command(self, frame: bytes) -> bytes | None:
        return super().command(frame) if frame[0] == 0xE0 else None


class NoBlocksTag(Type3Tag):
    _BLOCKS_A_READ = 0


class BlankAnswersTag(Type2Tag):
    def command(self, frame: bytes) -> bytes | None:
        return b""


class EndlessMemoryTag(Type2Tag):
    """Claims 64 KB of message, and has an answer to every READ."""

    def command(self, frame: bytes) -> bytes | None:
        if frame[0] == 0x30 and frame[1] >= 4:
            return b"\x03\xff\xff\xf0" * 4
        return b"\x0a" if frame[0] == 0xC2 else super().command(frame)


HOSTILE_TAGS: list[tuple[SoftTag, tuple[Medium, bytes]]] = [
    (EndlessWaitTag(UID, text_message()), (Medium.NFC_UID, UID)),
    (EmptyReadTag(UID, text_message()), (Medium.NFC_UID, UID)),
    (ShortAtsTag(UID, text_message()), (Medium.NFC_UID, UID)),
    (SlowestTag(UID, text_message()), (Medium.NFC_UID, UID)),
    (NoBlocksTag(IDM, text_message()), (Medium.FELICA_IDM, b"\x00\x03" + IDM)),
    (BlankAnswersTag(UID, text_message()), (Medium.NFC_UID, UID)),
    (EndlessMemoryTag(UID, text_message()), (Medium.NFC_UID, UID)),
    (Type2Tag(UID, b"\xd1\x01\x40T\x02en"), (Medium.NFC_UID, UID)),
    (Type2Tag(UID, b"\xff" * 100), (Medium.NFC_UID, UID)),
    (Type2Tag(UID, b"\xd1\x01\x05T\x02en\xff\xfe"), (Medium.NFC_UID, UID)),
    (Type4Tag(UID, b"\x51\x01\x00T"), (Medium.NFC_UID, UID)),
]


@pytest.mark.parametrize(("tag", "read"), HOSTILE_TAGS, ids=lambda value: type(value).__name__)
def test_a_hostile_tag_is_read_as_its_uid_and_the_next_card_is_read_after_it(
    tag: SoftTag, read: tuple[Medium, bytes]
) -> None:
    with watching() as watch:
        watch.hold(tag, seconds=0)
        assert watch.wait_for(1) == [read]
        watch.hold(Type2Tag(OTHER_UID, text_message()), seconds=0)
        assert watch.wait_for(2)[1:] == [(Medium.NFC_TEXT, TOKEN.encode())]


def test_a_card_that_refuses_to_be_read_past_its_message_is_read_piece_by_piece() -> None:
    with watching() as watch:
        watch.hold(StrictFileTag(UID, text_message()), seconds=0)
        assert watch.wait_for(1) == [(Medium.NFC_TEXT, TOKEN.encode())]


def test_closing_does_not_wait_for_a_hostile_tag() -> None:
    with watching() as watch:
        watch.hold(SlowestTag(UID, text_message()), seconds=0.3)
    assert watch.seen() == []


def test_cards_of_both_technologies_held_together_are_one_card() -> None:
    with watching(Type2Tag(UID, text_message()), Type3Tag(IDM, None), hold_off_s=0.1) as watch:
        time.sleep(1.0)
        assert watch.seen() == [(Medium.NFC_TEXT, TOKEN.encode())]


def test_the_other_card_in_a_pass_case_is_not_told_when_it_is_the_last_to_lose_the_field() -> None:
    token, train_pass = Type2Tag(UID, text_message()), Type3Tag(IDM, None)
    with watching(token, train_pass) as watch:
        watch.wait_for(1)
        watch.hold(train_pass)
        watch.lift()
        assert watch.seen() == [(Medium.NFC_TEXT, TOKEN.encode())]


def test_a_card_of_another_kind_laid_on_at_once_is_told_when_the_first_has_been_gone_for_the_hold_off() -> None:
    with watching() as watch:
        watch.hold(Type2Tag(UID, text_message()))
        watch.hold(Type3Tag(IDM, None), seconds=0)
        assert watch.wait_for(2)[1:] == [(Medium.FELICA_IDM, b"\x00\x03" + IDM)]


def test_a_phone_that_is_a_felica_card_too_is_known_as_that() -> None:
    with watching() as watch:
        watch.hold(Type4Tag(bytes.fromhex("08112233"), None), Type3Tag(IDM, None), seconds=0)
        assert watch.wait_for(1) == [(Medium.FELICA_IDM, b"\x00\x03" + IDM)]


def test_noise_on_the_wire_is_no_card_and_stops_nothing() -> None:
    class Noise(TypeATag):
        def answer(self, frame: bytes) -> bytes | None:
            return os.urandom(1)

    with watching() as watch:
        watch.hold(Noise(UID), seconds=0.5)
        watch.hold(Type2Tag(UID, text_message()), seconds=0)
        assert watch.wait_for(1)[-1] == (Medium.NFC_TEXT, TOKEN.encode())


def test_a_reader_unplugged_while_reading_is_lost_and_can_be_opened_again_once_back() -> None:
    antenna = SimulatedAntenna(sense_s=0.001)
    reader = NfcReader("door", "usb:054c:06c3", connect=antenna.connect)
    reader.open()
    threading.Timer(0.1, antenna.unplug).start()
    with pytest.raises(ReaderLost, match="No such device"):
        list(reader.reads())
    with pytest.raises(ReaderLost, match="nothing at usb:054c:06c3"):
        reader.open()
    antenna.plug()
    reader.open()
    reader.close()


@pytest.mark.parametrize(
    "path", ["usb", "usb:054c", "usb:054C:06c3", "usb:001:023", "tty:AMA0:pn532", "udp:localhost:5000"]
)
def test_paths_that_nfcpy_understands_are_taken(path: str) -> None:
    NfcReader("door", path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "hid",
        "usb:xyz",
        "tty:S0",
        "tty:S0:unknown",
        "udp:127.0.0.1",
        "udp:h:x",
        "udp:h:0",
        "udp:h:65536",
        "com:COM1:pn532",
        "USB",
        "UDP:127.0.0.1:5000",
    ],
)
def test_other_paths_are_refused_before_anything_is_opened(path: str) -> None:
    with pytest.raises(ValueError, match="not an nfcpy path"):
        NfcReader("door", path)


@pytest.mark.parametrize("captured", [True, False])
def test_nfcpy_neither_takes_over_the_warnings_of_the_process_nor_logs_what_cards_say(captured: bool) -> None:
    program = f"""if True:
        import logging, warnings
        logging.basicConfig(level=0)
        logging.captureWarnings({captured})
        before = warnings.showwarning
        from hardware.nfc_nfcpy import NfcReader
        reader = NfcReader("door", "udp:127.0.0.1:9")
        reader.open()
        reader.close()
        assert warnings.showwarning is before
        assert not logging.getLogger("nfc.clf").isEnabledFor(logging.ERROR)
    """
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)


def test_a_machine_without_nfcpy_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hardware.nfc_frontend", None)
    with pytest.raises(DriverMissing, match="extra 'kiosk'"):
        NfcReader("door", "usb").open()
