"""A scanner that types like a keyboard: from key events to reads."""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.errors import ReaderLost
from hardware.key_scanner import EV_KEY, LONGEST_LINE, KeyEvent, KeyScanner, typed_lines
from hardware.reader import Medium
from tests.hardware.keystrokes import ENTER, KEYS, LEFT_SHIFT, encoded, key, typed

TAB, RIGHT_SHIFT, CAPS_LOCK, SEMICOLON, SLASH = 15, 54, 58, 39, 53


def write_events(path: Path, events: Iterable[KeyEvent]) -> Path:
    path.write_bytes(encoded(events))
    return path


@given(st.lists(st.text(alphabet=sorted(KEYS), min_size=1, max_size=40), max_size=5))
def test_every_line_that_was_typed_comes_out_whole(lines: list[str]) -> None:
    assert list(typed_lines(event for line in lines for event in typed(line))) == lines


@given(st.lists(st.builds(KeyEvent, st.integers(0, 4), st.integers(0, 300), st.integers(-1, 3)), max_size=200))
def test_no_event_a_device_can_send_breaks_the_parser(events: list[KeyEvent]) -> None:
    assert all(line and line == line.upper() for line in typed_lines(events))


@pytest.mark.parametrize("end", [ENTER, TAB, 96])
def test_enter_tab_and_keypad_enter_end_a_line(end: int) -> None:
    assert list(typed_lines(typed("AB2", end))) == ["AB2"]


@pytest.mark.parametrize("shift", [LEFT_SHIFT, RIGHT_SHIFT])
def test_shift_reaches_the_upper_signs_and_letters_stay_upper_case(shift: int) -> None:
    held = [KeyEvent(EV_KEY, shift, 1), *key(SEMICOLON), *key(KEYS["A"]), KeyEvent(EV_KEY, shift, 0)]
    assert list(typed_lines([*held, *key(SLASH), *key(KEYS["B"]), *key(ENTER)])) == [":A/B"]


def test_caps_lock_makes_no_difference() -> None:
    assert list(typed_lines([*key(CAPS_LOCK), *typed("TOKEN")])) == ["TOKEN"]


def test_a_key_that_repeats_itself_is_typed_once() -> None:
    repeated = [KeyEvent(EV_KEY, KEYS["A"], value) for value in (1, 2, 2, 0)]
    assert list(typed_lines([*repeated, *key(ENTER)])) == ["A"]


def test_an_empty_line_is_no_scan() -> None:
    assert list(typed_lines(key(ENTER) * 3)) == []


def test_a_line_longer_than_any_code_is_dropped_and_the_next_one_read() -> None:
    assert list(typed_lines([*typed("A" * (LONGEST_LINE + 1)), *typed("B")])) == ["B"]


def test_recorded_events_are_read_to_their_end(tmp_path: Path) -> None:
    scanner = KeyScanner("desk", str(write_events(tmp_path / "events", [*typed("FIRST"), *typed("SECOND")])))
    scanner.open()
    reads = list(scanner.reads())
    scanner.close()
    assert [(read.medium, read.payload, read.reader) for read in reads] == [
        (Medium.KEYS, b"FIRST", "desk"),
        (Medium.KEYS, b"SECOND", "desk"),
    ]


def test_a_recording_cut_in_the_middle_of_an_event_ends_quietly(tmp_path: Path) -> None:
    path = write_events(tmp_path / "events", typed("FIRST"))
    path.write_bytes(path.read_bytes() + b"\0" * 7)
    scanner = KeyScanner("desk", str(path))
    scanner.open()
    assert [read.payload for read in scanner.reads()] == [b"FIRST"]
    scanner.close()


def test_the_same_code_scanned_on_and_on_is_read_once_until_it_has_been_gone(tmp_path: Path) -> None:
    path = write_events(tmp_path / "events", typed("SAME") * 5)
    times_s = iter([0.0, 0.5, 1.2, 2.1, 3.2])
    scanner = KeyScanner("desk", str(path), hold_off_s=1.0, clock_ns=lambda: round(next(times_s) * 1e9) + 10**12)
    scanner.open()
    assert [read.read_at_ns - 10**12 for read in scanner.reads()] == [0, 3_200_000_000]
    scanner.close()


def test_a_scanner_that_is_not_there_is_lost(tmp_path: Path) -> None:
    with pytest.raises(ReaderLost, match="No such file"):
        KeyScanner("desk", str(tmp_path / "none")).open()


def test_a_character_device_that_is_no_keyboard_is_lost() -> None:
    with pytest.raises(ReaderLost, match="cannot be taken"):
        KeyScanner("desk", "/dev/null").open()


@contextmanager
def used_scanner(path: Path) -> Iterator[tuple[KeyScanner, int]]:
    """An open scanner on a FIFO, and the descriptor through which it is typed on."""
    os.mkfifo(path)
    scanner = KeyScanner("desk", str(path))
    scanner.open()
    writer = os.open(path, os.O_WRONLY)
    try:
        yield scanner, writer
    finally:
        os.close(writer)
        scanner.close()


def test_closing_ends_a_read_that_waits(tmp_path: Path) -> None:
    with used_scanner(tmp_path / "pipe") as (scanner, writer):
        os.write(writer, encoded(typed("ONE")))
        reads = scanner.reads()
        assert next(reads).payload == b"ONE"
        closing = threading.Timer(0.1, scanner.close)
        closing.start()
        assert list(reads) == []
        closing.join()


def test_a_scanner_that_was_read_from_lets_go_of_its_device_when_it_is_closed(tmp_path: Path) -> None:
    with used_scanner(tmp_path / "pipe") as (scanner, writer):
        os.write(writer, encoded(typed("ONE")))
        reads = scanner.reads()
        assert next(reads).payload == b"ONE"
        scanner.close()
        with pytest.raises(BrokenPipeError):
            os.write(writer, encoded(typed("TWO")))


def test_reading_what_was_never_opened_yields_nothing_and_closing_it_twice_does_no_harm() -> None:
    scanner = KeyScanner("desk", "/dev/null")
    scanner.close()
    scanner.close()
    assert list(scanner.reads()) == []
