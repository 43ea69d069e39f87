"""Which engine looks at which frame."""

import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, repeat

import numpy as np
import pytest

from hardware.qr_cascade import KNOWN_FRAMES, PATIENCE_TURNS, Cascade, Step, read_photograph, sharpen
from hardware.qr_decode import Code, Grey, read_with_pyzbar, read_with_zxing
from hardware.synthetic_card import draw_card
from hardware.synthetic_frames import Condition, draw_hard_frames
from hardware.synthetic_scene import Pose, Scene

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


def test_the_budget_is_held_whatever_the_steps_cost_and_however_it_is_set() -> None:
    recorded = Recorded()
    steps = [recorded.step(str(cost_ms), cost_ms=cost_ms) for cost_ms in (2, 9, 30, 45, 200)]
    for budget_ms in (5.0, 20.0, 60.0):
        cascade = recorded.cascade(*steps, budget_ms=budget_ms)
        over = 0
        for _ in range(400):
            started_ns = recorded.now_ns
            cascade.read(FRAME)
            over += recorded.now_ns - started_ns > budget_ms * 1e6
        # Each step may be over once until its cost is known, and once more every PATIENCE_TURNS.
        assert over <= 2 * len(steps), budget_ms


def test_a_step_that_is_known_to_be_dear_is_not_tried_to_find_out() -> None:
    recorded = Recorded()
    dear = replace(recorded.step("dear", cost_ms=300), guess=30.0)
    cascade = recorded.cascade(dear, first=recorded.step("first", cost_ms=10), budget_ms=60)
    for _ in range(20):
        cascade.read(FRAME)
    assert "dear" not in recorded.asked


def test_a_step_that_was_slow_once_because_the_machine_was_busy_comes_back_to_its_turn() -> None:
    recorded = Recorded()
    costs_ms = chain([30], repeat(3))

    def engine(_: Grey) -> list[Code]:
        recorded.asked.append("unlucky")
        recorded.now_ns += round(next(costs_ms) * 1e6)
        return []

    cascade = recorded.cascade(Step("unlucky", engine), budget_ms=20)
    for _ in range(PATIENCE_TURNS + 20):
        cascade.read(FRAME)
    assert recorded.asked.count("unlucky") > 10


def at(left: float, top: float, side: float = 20.0) -> tuple[tuple[float, float], ...]:
    return ((left, top), (left + side, top), (left + side, top + side), (left, top + side))


def pair_cascade(recorded: Recorded, asked: list[tuple[int, ...]]) -> Cascade:
    """The first step finds one card at the left; the step beside it another, in whatever it is given."""

    def beside(grey: Grey) -> list[Code]:
        asked.append(grey.shape)
        return [Code(b"T2", at(5, 5))]

    first = Step("first", lambda _: [Code(b"T1", at(10, 40))])
    return Cascade(first=first, beside_rung=(Step("beside", beside),), clock_ns=lambda: recorded.now_ns)


def test_a_new_card_is_told_before_another_is_looked_for() -> None:
    asked: list[tuple[int, ...]] = []
    assert [code.payload for code in pair_cascade(Recorded(), asked).read(FRAME)] == [b"T1"]
    assert asked == []


def test_beside_a_card_that_is_held_on_another_is_looked_for_where_there_is_room() -> None:
    asked: list[tuple[int, ...]] = []
    cascade = pair_cascade(Recorded(), asked)
    cascade.read(FRAME)
    first, second = cascade.read(FRAME)
    assert (first.payload, second.payload) == (b"T1", b"T2")
    assert asked == [(100, 65)]  # what is right of the card and its margin
    assert second.corners[0] == (40, 5)


def test_where_the_change_holds_no_more_than_the_known_card_nothing_else_is_tried() -> None:
    asked: list[tuple[int, ...]] = []
    cascade = pair_cascade(Recorded(), asked)
    for _ in range(3):
        cascade.read(FRAME, region=(0.05, 0.35, 0.38, 0.7))
    assert asked == []


def test_a_card_that_comes_back_after_a_while_is_told_before_another_is_looked_for() -> None:
    seen = chain([[Code(b"T1", at(10, 40))]], repeat([], KNOWN_FRAMES), repeat([Code(b"T1", at(10, 40))]))
    recorded = Recorded()
    cascade = Cascade(
        first=Step("first", lambda _: next(seen)), rungs=(), beside_rung=(recorded.step("beside"),), clock_ns=lambda: 0
    )
    for _ in range(KNOWN_FRAMES + 2):
        cascade.read(FRAME)
    assert recorded.asked == []
    cascade.read(FRAME)
    assert recorded.asked == ["beside"]


def test_a_hard_card_beside_an_easy_one_is_read_as_zxing_alone_does_not() -> None:
    left_halves = ((frame.payload.encode(), frame.grey[:, 120:520]) for frame in draw_hard_frames(12, seed=7))
    payload, hard = next(
        (payload, half)
        for payload, half in left_halves
        if not read_with_zxing(half) and (read_with_zxing(sharpen(half)) or read_with_pyzbar(half))
    )
    easy = Scene().render(draw_card("TEASY"), Pose(size=0.28))
    pair = np.ascontiguousarray(np.hstack([hard, easy[:, 120:520]]))
    cascade = Cascade(budget_s=10)
    found = {code.payload for _ in range(8) for code in cascade.read(pair)}
    assert found == {payload, b"TEASY"}


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
