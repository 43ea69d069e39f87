"""Which engine looks at which frame."""

import logging
from collections.abc import Callable

import numpy as np
import pytest

from hardware.qr_cascade import Cascade, Step, read_photograph
from hardware.qr_decode import Code, Grey, read_with_pyzbar, read_with_zxing
from hardware.synthetic_frames import Condition, draw_hard_frames

FRAME: Grey = np.zeros((100, 100), dtype=np.uint8)
CORNERS = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))


class Recorded:
    """Engines that say what they were asked, with a clock that they move."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.now_ns = 0

    def step(self, name: str, *, finds: bytes = b"", cost_ms: float = 1.0) -> Step:
        def engine(grey: Grey) -> list[Code]:
            self.asked.append(name)
            self.now_ns += round(cost_ms * 1e6)
            return [Code(finds, CORNERS)] if finds else []

        return Step(name, engine)

    def cascade(
        self,
        *in_turn: Step,
        first: Step | None = None,
        accept: Callable[[bytes], bool] | None = None,
        budget_ms: float = 50,
    ) -> Cascade:
        return Cascade(
            accept=accept,
            budget_s=budget_ms / 1000,
            first=first or self.step("first"),
            rungs=(in_turn,),
            clock_ns=lambda: self.now_ns,
        )


def test_a_frame_costs_one_extra_step_and_they_take_turns() -> None:
    recorded = Recorded()
    cascade = recorded.cascade(recorded.step("a"), recorded.step("b"))
    for _ in range(3):
        cascade.read(FRAME)
    assert recorded.asked == ["first", "a", "first", "b", "first", "a"]


def test_each_rung_tries_one_step_until_one_finds_a_card() -> None:
    recorded = Recorded()
    a, b, c = recorded.step("a"), recorded.step("b", finds=b"T1"), recorded.step("c")
    cascade = Cascade(first=recorded.step("first"), rungs=((a,), (b,), (c,)), clock_ns=lambda: recorded.now_ns)
    assert [code.payload for code in cascade.read(FRAME)] == [b"T1"]
    assert recorded.asked == ["first", "a", "b"]


def test_a_card_found_at_once_needs_no_extra_step() -> None:
    recorded = Recorded()
    cascade = recorded.cascade(recorded.step("a"), first=recorded.step("first", finds=b"T1"))
    assert [code.payload for code in cascade.read(FRAME)] == [b"T1"]
    assert recorded.asked == ["first"]


def test_a_foreign_code_in_view_does_not_keep_a_card_from_the_extra_steps() -> None:
    recorded = Recorded()
    cascade = recorded.cascade(
        recorded.step("a", finds=b"T1"),
        first=recorded.step("first", finds=b"url"),
        accept=lambda payload: payload.startswith(b"T"),
    )
    assert cascade.read(FRAME)[0].payload == b"url"
    assert recorded.asked == ["first", "a"]


def test_a_step_that_does_not_fit_the_budget_is_left_out_for_one_that_does() -> None:
    recorded = Recorded()
    cascade = recorded.cascade(recorded.step("dear", cost_ms=80), recorded.step("cheap"), budget_ms=20)
    for _ in range(4):
        cascade.read(FRAME)
    assert recorded.asked.count("dear") == 1
    assert recorded.asked.count("cheap") == 3


def test_a_step_that_was_slow_once_gets_another_chance() -> None:
    recorded = Recorded()
    cascade = recorded.cascade(recorded.step("dear", cost_ms=30), budget_ms=20)
    for _ in range(30):
        cascade.read(FRAME)
    assert recorded.asked.count("dear") > 1


def test_a_glance_asks_the_first_engine_only() -> None:
    recorded = Recorded()
    recorded.cascade(recorded.step("a")).glance(FRAME)
    assert recorded.asked == ["first"]


def test_the_extra_step_looks_at_the_region_and_says_where_in_the_frame() -> None:
    sizes = []

    def engine(grey: Grey) -> list[Code]:
        sizes.append(grey.shape)
        return [Code(b"T1", CORNERS)]

    recorded = Recorded()
    [found] = recorded.cascade(Step("a", engine)).read(FRAME, region=(0.3, 0.4, 0.8, 1.0))
    assert sizes == [(60, 50)]
    assert found.corners[0] == (30, 40)


@pytest.mark.parametrize("error", [ValueError("torn"), RuntimeError("from C++"), MemoryError()])
def test_an_engine_that_raises_costs_its_own_finds_only_and_is_named_once(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(grey: Grey) -> list[Code]:
        raise error

    recorded = Recorded()
    cascade = recorded.cascade(recorded.step("a", finds=b"T1"), first=Step("broken", broken))
    with caplog.at_level(logging.ERROR):
        finds = [cascade.read(FRAME) for _ in range(3)]
    assert all(find[0].payload == b"T1" for find in finds)
    assert [record.getMessage() for record in caplog.records] == ["decoder failed step=broken"]


def test_the_extra_steps_read_what_the_first_engine_alone_does_not() -> None:
    def read_thrice(grey: Grey) -> set[bytes]:
        cascade = Cascade(budget_s=10)
        return {code.payload for _ in range(4) for code in cascade.read(grey)}

    hard = [frame for frame in draw_hard_frames(12, seed=7) if frame.condition in (Condition.MOTION, Condition.GLARE)]
    alone = {frame.payload for frame in hard if any(code.payload for code in read_with_zxing(frame.grey))}
    ours = {frame.payload for frame in hard if frame.payload.encode() in read_thrice(frame.grey)}
    assert ours > alone


def test_a_photograph_is_read_by_every_engine_that_can() -> None:
    for frame in draw_hard_frames(4, seed=11):
        ours = {code.payload for code in read_photograph(frame.grey)}
        alone = {code.payload for engine in (read_with_zxing, read_with_pyzbar) for code in engine(frame.grey)}
        assert alone <= ours, frame.condition
        assert ours <= {frame.payload.encode()}
