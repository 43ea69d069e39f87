"""The screen served for real: streams over sockets, slow and vanished pages, an end in time."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

import pytest

from kiosk.answer import AnswerKind
from kiosk.errors import ScreenError
from kiosk.screen import Screen, ScreenServer
from kiosk.screen.screen import PAGES_MAX
from tests.kiosk.screen_parts import answer, screen

GIVE_UP_S = 20


@pytest.fixture
def shown() -> Screen:
    return screen()


@pytest.fixture
def server(shown: Screen) -> Iterator[ScreenServer]:
    serving = ScreenServer(shown, "127.0.0.1", 0)
    serving.start()
    yield serving
    serving.stop()


@contextmanager
def stream(server: ScreenServer) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=GIVE_UP_S)
    connection.request("GET", "/events")
    response = connection.getresponse()
    try:
        yield response
    finally:
        response.close()
        connection.close()


def views(response: http.client.HTTPResponse) -> Iterator[dict[str, object]]:
    while line := response.readline():
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + GIVE_UP_S
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_body_that_no_page_sends_is_not_waited_for(server: ScreenServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=GIVE_UP_S) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 300000000\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_page_sees_an_answer_shown_while_it_watches(shown: Screen, server: ScreenServer) -> None:
    with stream(server) as response:
        coming = views(response)
        assert next(coming)["kind"] == "idle"
        shown.show(answer(3))
        assert any(each["answer"] == 3 for each in coming)


def test_a_page_that_comes_later_sees_what_is_shown(shown: Screen, server: ScreenServer) -> None:
    shown.show(answer(3, AnswerKind.OUT))
    with stream(server) as response:
        assert next(views(response))["kind"] == "out"


def test_the_heart_beats_while_nothing_happens(server: ScreenServer) -> None:
    with stream(server) as response:
        coming = views(response)
        assert next(coming) == next(coming)


def test_two_pages_see_the_same(shown: Screen, server: ScreenServer) -> None:
    with stream(server) as one, stream(server) as other:
        pages = views(one), views(other)
        for coming in pages:
            next(coming)
        shown.show(answer(3))
        assert all(any(each["answer"] == 3 for each in coming) for coming in pages)


def test_a_page_that_goes_away_gives_its_thread_back(shown: Screen, server: ScreenServer) -> None:
    with stream(server) as response:
        next(views(response))
        assert shown.pages == 1
    assert eventually(lambda: shown.pages == 0)


def test_a_page_that_does_not_read_never_holds_up_the_door(shown: Screen, server: ScreenServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as deaf:
        deaf.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert eventually(lambda: shown.pages == 1)
        for number in range(2000):
            shown.show(answer(number))
        with stream(server) as response:
            assert next(views(response))["answer"] == 1999


def test_more_pages_than_there_is_room_for_let_the_first_go(shown: Screen, server: ScreenServer) -> None:
    with stream(server) as first:
        assert next(views(first))
        held = [stream(server) for _ in range(PAGES_MAX)]
        newer = [each.__enter__() for each in held]
        assert all(next(views(response)) for response in newer)
        assert len(list(islice(views(first), 50))) < 50, "the first page is still served"
        assert shown.pages == PAGES_MAX
        for each in held:
            each.__exit__(None, None, None)


def test_stopping_ends_open_streams_and_all_threads(shown: Screen) -> None:
    before = set(threading.enumerate())
    server = ScreenServer(shown, "127.0.0.1", 0)
    server.start()
    with stream(server) as response:
        next(views(response))
        server.stop()
        assert list(views(response)) == []
    assert set(threading.enumerate()) - before == set()


def test_stopping_twice_or_before_the_start_is_nothing(shown: Screen) -> None:
    server = ScreenServer(shown, "127.0.0.1", 0)
    server.stop()
    server.start()
    server.stop()
    server.stop()


def test_a_port_that_is_taken_is_said(server: ScreenServer, shown: Screen) -> None:
    with pytest.raises(ScreenError, match=str(server.port)):
        ScreenServer(shown, "127.0.0.1", server.port).start()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "localhost", "kiosk.example"])
def test_names_of_children_are_not_served_to_other_machines(shown: Screen, host: str) -> None:
    with pytest.raises(ScreenError, match=r"127\.0\.0\.1"):
        ScreenServer(shown, host, 0)


def test_a_screen_answers_on_ipv6_too(shown: Screen) -> None:
    server = ScreenServer(shown, "::1", 0)
    server.start()
    assert server.url == f"http://[::1]:{server.port}/"
    server.stop()
