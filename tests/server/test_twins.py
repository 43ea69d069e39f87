"""A kiosk whose card was copied and which runs twice at once is noticed; one machine never is, whatever comes late."""

import secrets
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Row, delete

from attendance.clock import ClockReading, ClockState, ManualClock
from attendance.wire import OFFER_PATH, Heard, OfferRequest, OfferResponse, encode
from server.doors import doors
from server.store.engine import Store
from server.store.tables import nonce
from server.timeline import DRIFT_PPM, UNHEARD_MS, Anchor, TimeSource, anchor_of_offer
from server.twins import TWIN_MS, are_two_machines, has_twin
from tests.server import factories as make
from tests.server.factories import NOON_MS
from tests.server.kiosk_side import good, offer, send

DAY_MS = 86_400_000
GONE_S = TWIN_MS // 1000 + 60

ways_ms = st.integers(0, 80_000)
drifts_ppm = st.integers(-DRIFT_PPM, DRIFT_PPM)


@dataclass(frozen=True)
class Boot:
    """A boot as it truly was, on the server's clock; its own may run fast or slow."""

    began_ms: int
    drift_ppm: int

    def ns(self, at_ms: int) -> int:
        return (at_ms - self.began_ms) * (1_000_000 + self.drift_ppm)

    def anchor(self, asked_ms: int, there_ms: int, back_ms: int, late_ms: int) -> Anchor:
        """What the server makes of the question after one that was asked and answered then; it is late."""
        told_ms = asked_ms + there_ms
        heard = Heard(self.ns(asked_ms), self.ns(told_ms + back_ms), told_ms)
        again_ms = told_ms + back_ms
        at = ClockReading(wall_ms=0, wall_err_ms=None, boot_ns=self.ns(again_ms), state=ClockState.NONE)
        return anchor_of_offer(at, heard, again_ms + late_ms)


@st.composite
def anchors(draw: st.DrawFn, began_ms: int, within_ms: int) -> tuple[Anchor, int]:
    """An anchor of a boot that began then, and when the machine last asked in it."""
    boot = Boot(began_ms, draw(drifts_ppm))
    asked_ms = began_ms + draw(st.integers(0, within_ms))
    there_ms, back_ms = draw(ways_ms), draw(ways_ms)
    late_ms = draw(st.integers(0, 10 * DAY_MS))
    return boot.anchor(asked_ms, there_ms, back_ms, late_ms), asked_ms + there_ms + back_ms


@given(st.data(), st.integers(0, 2_000))
def test_two_boots_of_one_machine_are_never_two_machines(data: st.DataObject, off_ms: int) -> None:
    first, until_ms = data.draw(anchors(NOON_MS, 30 * DAY_MS))
    second, _ = data.draw(anchors(until_ms + off_ms, 30 * DAY_MS))
    assert not are_two_machines(first, second)
    assert not are_two_machines(second, first)


@given(drifts_ppm, drifts_ppm, st.integers(0, 30 * DAY_MS), st.integers(0, 1_000), st.integers(0, 1_000))
def test_two_boots_that_both_go_on_are_two_machines(
    one_ppm: int, other_ppm: int, between_ms: int, there_ms: int, back_ms: int
) -> None:
    one, other = Boot(NOON_MS, one_ppm), Boot(NOON_MS + between_ms, other_ppm)
    later_ms = other.began_ms + 60_000
    pair = [each.anchor(later_ms, there_ms, back_ms, late_ms=100) for each in (one, other)]
    assert are_two_machines(pair[0], pair[1])
    assert are_two_machines(pair[1], pair[0])


@pytest.mark.parametrize("weak", [{"err_ms": UNHEARD_MS}, {"source": TimeSource.WALL}])
def test_only_an_answer_that_was_heard_shows_that_a_boot_was_up(weak: dict[str, Any]) -> None:
    sure: dict[str, Any] = {"boot_ns": DAY_MS * 10**6, "server_ms": NOON_MS}
    assert are_two_machines(Anchor(**sure), Anchor(**sure))
    assert not are_two_machines(Anchor(**sure), Anchor(**sure | weak))
    assert not are_two_machines(Anchor(**sure | weak), Anchor(**sure))


def test_it_ends_some_time_after_it_was_last_shown() -> None:
    assert not has_twin(None, NOON_MS)
    assert has_twin(NOON_MS, NOON_MS + TWIN_MS)
    assert not has_twin(NOON_MS, NOON_MS + TWIN_MS + 1)
    assert not has_twin(NOON_MS, NOON_MS - TWIN_MS - 1), "the server's clock was set back"


# Over HTTP


@dataclass
class Machine:
    """A machine with a kiosk's card in it: it asks, and remembers the last answer of this boot."""

    client: FlaskClient
    clock: ManualClock
    key: Ed25519PrivateKey
    name: str = field(default_factory=lambda: secrets.token_hex(15))
    boots: int = 0
    began_ns: int = 0
    last: Heard | None = None

    def boot(self) -> None:
        self.boots += 1
        self.began_ns, self.last = self.clock.read().boot_ns, None

    def request(self) -> OfferRequest:
        at = ClockReading(wall_ms=0, wall_err_ms=None, boot_ns=self._ns(), state=ClockState.NONE)
        return offer(boot=f"{self.name}{self.boots:02}", at=at, heard=self.last)

    def ask(self) -> None:
        asked_ns = self._ns()
        answer = self.send(self.request())
        self.last = Heard(asked_ns, self._ns(), answer.time_ms)

    def send(self, request: OfferRequest) -> OfferResponse:
        return good(send(self.client, OFFER_PATH, encode(request), key=self.key), OfferResponse)

    def _ns(self) -> int:
        return self.clock.read().boot_ns - self.began_ns


@pytest.fixture
def door(store: Store) -> tuple[Row[Any], Ed25519PrivateKey]:
    key = Ed25519PrivateKey.generate()
    return make.kiosk(store, key=key), key


@pytest.fixture
def site(app: Flask, clock: ManualClock, store: Store, door: tuple[Row[Any], Ed25519PrivateKey]) -> "Site":
    return Site(app.test_client(), clock, store, *door)


@dataclass
class Site:
    """A site whose kiosk's card is in one machine or in several."""

    client: FlaskClient
    clock: ManualClock
    store: Store
    row: Row[Any]
    key: Ed25519PrivateKey

    def machine(self) -> Machine:
        """A machine that is switched on now."""
        made = Machine(self.client, self.clock, self.key)
        made.boot()
        return made

    def run(self, *machines: Machine, seconds: int = 30, every_s: int = 15) -> None:
        """Let time pass in which these machines are up and ask in turn."""
        for _ in range(0, seconds, every_s):
            self.clock.advance(every_s - 1)
            for each in machines:
                each.ask()
                self.clock.advance(1 / len(machines))

    def runs_twice(self) -> bool:
        with self.store.read() as conn:
            [only] = doors(conn, self.row.site_id, self.clock.read().wall_ms)
        return only.twin


def test_two_machines_with_one_card_are_noticed_within_a_minute_and_no_more_once_one_is_gone(site: Site) -> None:
    first = site.machine()
    site.run(first, seconds=1_800, every_s=60)
    assert not site.runs_twice()
    copy = site.machine()
    site.run(first, copy, seconds=60)
    assert site.runs_twice()
    site.run(first, copy, seconds=3_600, every_s=120)
    assert site.runs_twice(), "as long as both are up"
    site.run(copy, seconds=GONE_S, every_s=60)
    assert not site.runs_twice()


def test_two_machines_that_one_switch_turns_on_are_noticed(site: Site) -> None:
    site.run(site.machine(), site.machine(), seconds=60)
    assert site.runs_twice()


def test_of_three_machines_the_two_that_are_left_are_noticed(site: Site) -> None:
    first, second, third = (site.machine() for _ in range(3))
    site.run(first, second, third, seconds=60)
    site.run(second, third, seconds=GONE_S, every_s=60)
    assert site.runs_twice()


def test_a_copy_that_is_put_in_after_the_first_one_broke_is_none(site: Site) -> None:
    site.run(site.machine(), seconds=60)
    site.run(site.machine(), seconds=60)
    assert not site.runs_twice()


def test_nor_is_one_that_takes_turns_with_the_first(site: Site) -> None:
    for each in (site.machine(), site.machine()) * 3:
        each.boot()
        site.run(each)
    assert not site.runs_twice()


@pytest.mark.parametrize("copies", [1, 3])
def test_nor_are_late_requests_of_the_boot_before(site: Site, copies: int) -> None:
    machine = site.machine()
    site.run(machine, seconds=60)
    late = machine.request()
    site.run(machine)
    later = machine.request()
    machine.boot()
    site.run(machine)
    for each in [late, later] * copies:
        machine.send(each)
        site.run(machine)
    assert not site.runs_twice()


@pytest.mark.parametrize("off_s", [-3_600, 3_600])
def test_nor_a_late_request_that_was_answered_while_the_servers_clock_was_wrong(site: Site, off_s: int) -> None:
    machine = site.machine()
    site.run(machine)
    site.clock.step(off_s)
    site.run(machine)
    late = machine.request()
    site.clock.step(-off_s)
    machine.boot()
    site.run(machine)
    machine.send(late)
    site.run(machine)
    assert not site.runs_twice()


def test_nor_requests_of_long_ago_at_a_server_that_forgot_them(site: Site) -> None:
    machine = site.machine()
    old = []
    for _ in range(2):
        site.run(machine)
        old.append(machine.request())
        machine.boot()
    site.run(machine)
    with site.store.write() as conn:
        conn.execute(delete(nonce))
    for each in old * 2:
        machine.send(each)
        site.run(machine)
    assert not site.runs_twice()


def test_it_ends_when_one_of_the_two_is_enrolled_anew(site: Site) -> None:
    first, copy = site.machine(), site.machine()
    site.run(first, copy, seconds=60)
    assert site.runs_twice()
    copy.key = Ed25519PrivateKey.generate()
    make.kiosk(site.store, key=copy.key)
    site.run(first, copy, seconds=GONE_S, every_s=60)
    assert not site.runs_twice()


def test_a_boot_whose_name_is_too_long_to_be_kept_is_no_trouble(site: Site) -> None:
    machine = site.machine()
    machine.name = "x" * 50
    for _ in range(2):
        site.run(machine)
        machine.boot()
    assert not site.runs_twice()
