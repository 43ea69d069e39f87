"""The simulated antenna under the whole of nfcpy: it knows what lies on it, and takes the time it claims to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hardware.nfc_nfcpy import NfcReader
from hardware.reader import Medium, RawRead
from hardware.simulated_nfc import SimulatedAntenna
from hardware.soft_tags import SoftTag, Type2Tag, Type3Tag, Type4Tag, ndef_message

UID = bytes.fromhex("04a1b2c3d4e580")
IDM = bytes.fromhex("012e4c1122334455")
MESSAGE = ndef_message(text="TOKEN")
PATIENCE_S = 15.0


class CountedAntenna(SimulatedAntenna):
    """An antenna that does not wait, and adds up how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.polls = self.exchanges = 0

    def _sleep_until(self, instant_s: float) -> None:
        self._closed.wait(0.001)

    def sense_tta(self, target: object) -> object:
        self.polls += 1
        return super().sense_tta(target)

    def sense_ttf(self, target: object) -> object:
        self.polls += 1
        return super().sense_ttf(target)

    def send_cmd_recv_rsp(self, target: object, data: bytes, timeout: float) -> bytearray:
        self.exchanges += 1
        return super().send_cmd_recv_rsp(target, data, timeout)


@contextmanager
def next_read(antenna: SimulatedAntenna) -> Iterator[list[RawRead]]:
    """What is read until the first read has come."""
    reader = NfcReader("door", "usb", connect=antenna.connect)
    raws: list[RawRead] = []
    came = threading.Event()

    def read() -> None:
        for raw in reader.reads():
            raws.append(raw)
            came.set()

    reader.open()
    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield raws
        assert came.wait(PATIENCE_S)
    finally:
        reader.close()
        thread.join(PATIENCE_S)


@pytest.mark.parametrize(
    ("tag", "medium", "polls", "exchanges"),
    [
        (Type2Tag(UID, MESSAGE), Medium.NFC_TEXT, 1, 2),
        (Type3Tag(IDM, MESSAGE), Medium.NFC_TEXT, 2, 3),
        (Type4Tag(UID, MESSAGE), Medium.NFC_TEXT, 1, 6),
        (Type2Tag(UID, None), Medium.NFC_UID, 1, 2),
        (Type3Tag(IDM, None), Medium.FELICA_IDM, 2, 3),
        (Type4Tag(UID, None), Medium.NFC_UID, 1, 3),
    ],
)
def test_a_tag_is_read_in_one_round_of_polls_and_few_exchanges(
    tag: SoftTag, medium: Medium, polls: int, exchanges: int
) -> None:
    antenna = CountedAntenna()
    antenna.lay(tag)
    seen = []
    with next_read(antenna) as raws:
        while not raws:
            threading.Event().wait(0.001)
            seen.append((antenna.polls, antenna.exchanges))
    assert raws[0].medium is medium
    assert antenna.exchanges == exchanges
    assert min(polled for polled, exchanged in seen if exchanged) == polls


def test_a_tag_that_comes_or_goes_during_a_poll_is_not_seen_by_it() -> None:
    from nfc.clf import RemoteTarget

    class HastyAntenna(SimulatedAntenna):
        def _sleep_until(self, instant_s: float) -> None:
            self.lift()

    antenna = HastyAntenna()
    antenna.lay(Type2Tag(UID, MESSAGE))
    assert antenna.sense_tta(RemoteTarget("106A")) is None
    assert SimulatedAntenna(sense_s=0).sense_tta(RemoteTarget("106A")) is None


def test_only_the_tag_asked_for_answers() -> None:
    from nfc.clf import RemoteTarget

    antenna = SimulatedAntenna(sense_s=0)
    antenna.lay(Type2Tag(UID, MESSAGE))
    found = antenna.sense_tta(RemoteTarget("106A", sel_req=bytearray(UID)))
    assert bytes(found.sdd_res) == UID
    assert antenna.sense_tta(RemoteTarget("106A", sel_req=bytearray(b"\x04" * 7))) is None
    assert antenna.sense_ttf(RemoteTarget("212F", sensf_req=bytearray.fromhex("00ffff0100"))) is None
    assert antenna.sense_ttb(RemoteTarget("106B")) is None
