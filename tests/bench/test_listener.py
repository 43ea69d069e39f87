from contextlib import closing
from pathlib import Path

import pytest

from attendance.policy import Policy
from bench.listener import Listener
from bench.practice_door import PracticeDoor, new_tokens
from hardware.reader import Medium, RawRead, boot_ns
from kiosk.screen import ScreenServer


def test_an_answer_is_told_when_it_came_and_an_end_without_one_too(tmp_path: Path) -> None:
    tokens = new_tokens(1)
    with closing(PracticeDoor(tmp_path, tokens, Policy())) as door:
        server = ScreenServer(door.screen, "127.0.0.1", 0)
        server.start()
        door.consumer.start()
        with Listener(server.port) as page:
            door.watch.expect()
            read_at_ns = boot_ns()
            door.consumer.take(RawRead(Medium.NFC_TEXT, tokens[0].text.encode(), "door", read_at_ns))
            assert door.watch.settled.wait(20)
            assert read_at_ns < page.came_at_ns(door.watch.answer_id) < boot_ns()
            server.stop()
            with pytest.raises(RuntimeError, match="not told"):
                page.came_at_ns(door.watch.answer_id + 1)
