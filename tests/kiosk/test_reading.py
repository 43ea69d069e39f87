import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from attendance.clock import ManualClock
from hardware.errors import DriverMissing, ReaderLost, SignalLost
from hardware.fake import FakeReader, FakeSignal
from hardware.reader import CardReader, Medium, RawRead, boot_ns
from hardware.signal import Cue
from kiosk.announce import Announcer, cue
from kiosk.answer import Answer, AnswerKind, DoorStatus
from kiosk.backoff import Backoff
from kiosk.consumer import Consumer
from kiosk.reading import ReaderThread, stop_all
from tests.kiosk.door_parts import AFTERNOON, HANAS_TOKEN, STRANGE_TOKEN, TAROS_TOKEN, Shown, door_rig

WAIT_S = 10.0
QUICK = (0.001, 0.002)


class Brittle:
    """A reader that fails in the given ways, one at each opening, and then reads one card and blocks."""

    def __init__(self, name: str, *failures: Exception) -> None:
        self.name = name
        self.opened = 0
        self._failures = list(failures)
        self._closed = threading.Event()

    def open(self) -> None:
        self.opened += 1
        if self._failures:
            raise self._failures.pop(0)

    def reads(self) -> Iterator[RawRead]:
        yield RawRead(Medium.QR, b"card", self.name, 1)
        self._closed.wait(WAIT_S)

    def close(self) -> None:
        if not self._failures and self.opened:
            self._closed.set()


class Reads:
    """Takes reads and lets a test wait for them."""

    def __init__(self) -> None:
        self.taken: list[RawRead] = []
        self._arrived = threading.Semaphore(0)

    def take(self, raw: RawRead) -> None:
        self.taken.append(raw)
        self._arrived.release()

    def wait(self) -> RawRead:
        assert self._arrived.acquire(timeout=WAIT_S)
        return self.taken[-1]


def running(reader: CardReader, reads: Reads) -> ReaderThread:
    thread = ReaderThread(reader, reads.take, Backoff(*QUICK))
    thread.start()
    return thread


def clock_now() -> ManualClock:
    """Readers stamp their reads with this machine's CLOCK_BOOTTIME."""
    return ManualClock(AFTERNOON, boot_ns=boot_ns())


def is_down(thread: ReaderThread) -> bool:
    return thread.down


def end(thread: ReaderThread) -> None:
    thread.stop()
    thread.join(WAIT_S)


def feed(reader: FakeReader, line: str) -> None:
    """Tap once the thread has the reader open."""
    until = threading.Event()
    for _ in range(2000):
        try:
            reader.feed(line)
        except ReaderLost:
            until.wait(0.005)
        else:
            return
    pytest.fail("the reader was not opened")


def test_waits_double_up_to_the_longest_and_begin_anew() -> None:
    backoff = Backoff()
    assert [backoff.next_s() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.next_s() == 1


def test_reads_are_passed_on() -> None:
    reader, reads = FakeReader("front"), Reads()
    thread = running(reader, reads)
    feed(reader, "qr hello")
    assert reads.wait().payload == b"hello"
    assert not is_down(thread)
    end(thread)


def test_a_reader_that_is_missing_is_tried_again_whatever_ails_it(caplog: pytest.LogCaptureFixture) -> None:
    bug = ValueError("private: 04a1b2c3")
    reader = Brittle("front", ReaderLost("front", "no device"), DriverMissing("nfcpy", "install it"), bug)
    reads = Reads()
    thread = ReaderThread(reader, reads.take, Backoff(*QUICK))
    thread.start()
    reads.wait()
    assert reader.opened == 4
    assert not is_down(thread)
    end(thread)
    assert caplog.text.count("reader down") == 1, "told when it changes, not at every try"
    assert "04a1b2c3" not in caplog.text


class Slow(FakeReader):
    """A reader that opens when it is let."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.let = threading.Event()

    def open(self) -> None:
        assert self.let.wait(WAIT_S)
        super().open()


@pytest.mark.parametrize(("opening_s", "told"), [(3600.0, False), (0.0, True)])
def test_a_reader_is_down_before_it_opened_only_when_it_takes_too_long(opening_s: float, *, told: bool) -> None:
    reader, reads = Slow("front"), Reads()
    thread = ReaderThread(reader, reads.take, opening_s=opening_s)
    assert not is_down(thread), "nobody wants it yet"
    thread.start()
    assert is_down(thread) is told
    reader.let.set()
    feed(reader, "qr one")
    reads.wait()
    assert not is_down(thread)
    end(thread)


def test_a_reader_that_is_opening_when_it_is_stopped_ends_all_the_same() -> None:
    reader = Slow("front")
    thread = ReaderThread(reader, Reads().take)
    thread.start()
    thread.stop()
    reader.let.set()
    thread.join(WAIT_S)
    with pytest.raises(ReaderLost, match="not open"):
        reader.feed("qr one")


class Late(FakeReader):
    """A reader in whose process more was read by the time it is closed."""

    def reads(self) -> Iterator[RawRead]:
        yield from super().reads()
        yield from [RawRead(Medium.QR, b"late", self.name, 1)] * 2


def test_what_a_reader_had_read_when_it_is_stopped_is_still_taken() -> None:
    reader, reads = Late("front"), Reads()
    thread = running(reader, reads)
    feed(reader, "qr early")
    reads.wait()
    end(thread)
    assert [raw.payload for raw in reads.taken] == [b"early", b"late", b"late"]


def test_a_reader_that_fails_is_down_at_once() -> None:
    reader = Brittle("front", ReaderLost("front", "no device"))
    thread = ReaderThread(reader, Reads().take, Backoff(3600, 3600))
    thread.start()
    for _ in range(2000):
        if thread.down:
            break
        threading.Event().wait(0.005)
    assert is_down(thread)
    end(thread)


def test_a_reader_that_is_unplugged_is_down_until_it_is_back() -> None:
    reader, reads = FakeReader("front"), Reads()
    thread = running(reader, reads)
    feed(reader, "qr one")
    reads.wait()
    reader.unplug()
    for _ in range(2000):
        if thread.down:
            break
        threading.Event().wait(0.005)
    assert is_down(thread)
    reader.replug()
    feed(reader, "qr two")
    assert reads.wait().payload == b"two"
    end(thread)


class Lingering:
    """A reader that ends only when others are being closed as well."""

    def __init__(self, name: str, together: threading.Barrier) -> None:
        self.name = name
        self._together = together
        self._reading, self._closed = threading.Event(), threading.Event()

    def open(self) -> None:
        """It is there at once."""

    def reads(self) -> Iterator[RawRead]:
        self._reading.set()
        self._closed.wait(WAIT_S)
        yield from ()

    def close(self) -> None:
        if self._reading.is_set() and not self._closed.is_set():
            self._together.wait(WAIT_S)
            self._closed.set()

    def wait(self) -> None:
        assert self._reading.wait(WAIT_S)


def test_readers_that_take_their_time_to_end_do_so_side_by_side() -> None:
    together = threading.Barrier(3)
    readers = [Lingering(name, together) for name in ("left", "right", "table")]
    threads = [ReaderThread(reader, Reads().take) for reader in readers]
    for thread, reader in zip(threads, readers, strict=True):
        thread.start()
        reader.wait()
    stop_all(threads, 2 * WAIT_S)
    assert not together.broken
    assert not {f"reader-{reader.name}" for reader in readers} & {each.name for each in threading.enumerate()}


def test_a_reader_waiting_for_its_next_try_ends_at_once() -> None:
    reader = Brittle("front", *[ReaderLost("front", "gone")] * 100)
    thread = ReaderThread(reader, Reads().take, Backoff(3600, 3600))
    thread.start()
    while not reader.opened:
        pass
    end(thread)
    assert not thread._thread.is_alive()


def test_a_dead_reader_does_not_take_the_others_down(tmp_path: Path) -> None:
    good, dead = FakeReader("good"), FakeReader("dead")
    dead.unplug()
    with door_rig(tmp_path, clock=clock_now()) as rig:
        consumer = Consumer(rig.door, [dead, good], rig.shown)
        consumer.start()
        feed(good, f"qr {HANAS_TOKEN.text}")
        wait_for(rig.shown, answers=1)
        consumer.stop()
        assert [answer.kind for answer in rig.shown.answers] == [AnswerKind.IN]
        assert rig.shown.statuses[-1].readers_down == ("dead",)


def test_every_read_of_two_readers_is_answered_in_turn(tmp_path: Path) -> None:
    readers = [FakeReader("left"), FakeReader("right")]
    with door_rig(tmp_path, clock=clock_now()) as rig:
        consumer = Consumer(rig.door, readers, rig.shown)
        consumer.start()
        for number in range(60):
            token = (HANAS_TOKEN, TAROS_TOKEN, STRANGE_TOKEN)[number % 3]
            feed(readers[number % 2], f"nfc_text {token.text}")
        wait_for(rig.shown, answers=60)
        consumer.stop()
        assert [answer.id for answer in rig.shown.answers] == list(range(1, 61))
        assert rig.kinds().count("movement") == 2


def test_what_was_read_before_the_end_is_still_recorded(tmp_path: Path) -> None:
    with door_rig(tmp_path, clock=clock_now()) as rig:
        consumer = Consumer(rig.door, [], rig.shown)
        for token in (HANAS_TOKEN, TAROS_TOKEN):
            consumer.take(rig.read(token))
        consumer.start()
        consumer.stop()
        assert rig.kinds() == ["session", "movement", "movement"]


def test_staff_are_told_how_the_door_is_without_a_card(tmp_path: Path) -> None:
    with door_rig(tmp_path, clock=clock_now()) as rig:
        consumer = Consumer(rig.door, [FakeReader("front")], rig.shown)
        consumer.start()
        wait_for(rig.shown, statuses=2)
        consumer.stop()
        assert rig.shown.answers == []


def wait_for(shown: Shown, *, answers: int = 0, statuses: int = 0) -> None:
    for _ in range(2000):
        if len(shown.answers) >= answers and len(shown.statuses) >= statuses:
            return
        threading.Event().wait(0.005)
    pytest.fail("the door did not answer")


def test_every_answer_has_a_cue_and_in_and_out_differ() -> None:
    cues = {kind: cue(kind) for kind in AnswerKind}
    assert set(cues.values()) == set(Cue)
    assert cues[AnswerKind.BROKEN] is Cue.BROKEN
    assert cues[AnswerKind.IN] is not cues[AnswerKind.OUT]


def played(signal: FakeSignal, number: int) -> list[Cue]:
    for _ in range(2000):
        if len(signal.played) >= number:
            break
        threading.Event().wait(0.005)
    return [each for each, _ in signal.played]


def test_displays_and_signals_all_get_the_answer() -> None:
    signals, shown = [FakeSignal("light"), FakeSignal("sound")], Shown()
    announcer = Announcer(signals)
    announcer.add(shown)
    announcer.start()
    announcer.show(Answer(1, AnswerKind.IN))
    assert [played(signal, 1) for signal in signals] == [[Cue.IN], [Cue.IN]]
    announcer.stop()
    assert [answer.id for answer in shown.answers] == [1]


def test_a_display_that_fails_does_not_keep_the_answer_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def show(self, answer: Answer) -> None:
            raise RuntimeError("Hana")

        def status(self, status: DoorStatus) -> None:
            raise RuntimeError("Hana")

    shown, announcer = Shown(), Announcer()
    announcer.add(Broken())
    announcer.add(shown)
    announcer.show(Answer(1, AnswerKind.IN))
    announcer.status(DoorStatus(0, 0, connected=True, readers_down=(), broken=False))
    assert len(shown.answers) == len(shown.statuses) == 1
    assert "Hana" not in caplog.text


def test_a_signal_that_is_missing_is_told_once_and_stays_out_of_the_way(caplog: pytest.LogCaptureFixture) -> None:
    class Missing(FakeSignal):
        tries = 0

        def open(self) -> None:
            self.tries += 1
            raise SignalLost(self.name, "unplugged")

    signal = Missing("sound")
    announcer = Announcer([signal])
    announcer.start()
    announcer.show(Answer(1, AnswerKind.IN))
    while not signal.tries:
        pass
    announcer.stop()
    assert signal.played == []
    assert caplog.text.count("signal down") <= 1


def test_a_signal_whose_driver_fails_in_an_unexpected_way_plays_the_next_answer() -> None:
    class Faulty(FakeSignal):
        failing = True

        def play(self, cue: Cue) -> None:
            if self.failing:
                self.failing = False
                raise ZeroDivisionError
            super().play(cue)

    signal = Faulty("light")
    announcer = Announcer([signal])
    announcer.start()
    announcer.show(Answer(1, AnswerKind.IN))
    for number in range(2, 400):
        if signal.played:
            break
        threading.Event().wait(0.02)
        announcer.show(Answer(number, AnswerKind.IN))
    announcer.stop()
    assert signal.played


def test_a_door_that_fails_each_second_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Shown):
        def status(self, status: DoorStatus) -> None:
            super().status(status)
            raise ZeroDivisionError

    shown = Failing()
    with door_rig(tmp_path, clock=clock_now()) as rig:
        consumer = Consumer(rig.door, [], shown)
        consumer.start()
        wait_for(shown, statuses=2)
        consumer.stop()
    assert caplog.text.count("door thread failed") == 1
