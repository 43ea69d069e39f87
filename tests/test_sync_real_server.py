"""Kiosk and server meet for the first time: enrolment and sync against `tadaima-server run`, over HTTP alone."""

import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import IO

import pytest
from sqlalchemy import func, select

from attendance.clock import SystemClock, now
from attendance.names import unseal
from attendance.presence import fold
from attendance.records import Direction, Undone
from bench.postgresql import Cluster
from kiosk.errors import UplinkError
from kiosk.identity import load_identity, load_key
from kiosk.sync import LONGEST_BACKOFF_S
from provisioning.enrol import enrol
from provisioning.errors import EnrolmentFailed, EnrolmentTrouble
from server.doctor.kiosks import check_kiosks
from server.notify.outbox import TOLD_EARLIER
from server.store.engine import sqlite_url, using_store
from server.store.tables import delivery, guardian, guardianship, movement
from tests.kiosk.sync_parts import BOOT, KEY, Kiosk, kiosk_at, moved, uplink_to
from tests.kiosk.test_salvage import page_of, spoil

pytestmark = pytest.mark.xdist_group("real server")
PATIENCE_S = 60.0
OTHER_BOOT = "c0b7" * 8


class RealServer:
    """A server with a site and its children in a folder of its own."""

    def __init__(self, folder: Path, *, database_url: str = "") -> None:
        self.data = folder / "data"
        self.store_url = database_url or sqlite_url(self.data / "tadaima.db")
        self._command = [str(Path(sys.executable).with_name("tadaima-server")), "--config", str(folder / "server.toml")]
        self._log = folder / "log"
        (folder / "server.toml").write_text(
            f'data_dir = "{self.data}"\ndatabase_url = "{database_url}"\n[bind]\nport = 0\n[live]\nport = 0\n'
        )
        self.command("init")
        self.command("sites", "add", "sakura", "Sakura")
        roster = folder / "roster.csv"
        roster.write_bytes((resources.files("provisioning.demo") / "roster.csv").read_bytes())
        self.command("roster", "import", str(roster), "--site", "sakura", "--apply")
        self.start()

    def command(self, *arguments: str) -> str:
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, "run", "--only", "web"], stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        self.url = self._address(self._process.stdout)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=PATIENCE_S)

    def notices_of(self, child: str) -> int:
        """How many notices of a child's movements this life of the server has queued or sent."""
        with using_store(self.store_url) as store, store.read() as conn:
            asked = select(func.count()).select_from(delivery).join(movement).where(movement.c.child_id == child)
            asked = asked.where(delivery.c.reason.is_distinct_from(TOLD_EARLIER))
            return int(conn.execute(asked).scalar_one())

    def to_be_told_of(self, children: list[str]) -> list[str]:
        """Those of the children who have a guardian that wants notices."""
        with using_store(self.store_url) as store, store.read() as conn:
            asked = select(guardianship.c.child_id).join(guardian).where(guardian.c.consented_at_ms.is_not(None))
            told = set(conn.execute(asked).scalars())
        return [each for each in children if each in told]

    def movements(self) -> Counter[str]:
        """How many movements of each child it holds."""
        with using_store(self.store_url) as store, store.read() as conn:
            return Counter(conn.execute(select(movement.c.child_id)).scalars())

    def is_troubled_by(self, code: str) -> bool:
        """Whether the doctor finds this of the kiosks."""
        with using_store(self.store_url) as store, store.read() as conn:
            return code in {each.code for each in check_kiosks(conn, SystemClock().read().wall_ms)}

    def _address(self, said: IO[str]) -> str:
        line = said.readline().split()
        assert line[:1] == ["listening"], self._log.read_text()
        return line[1].removeprefix("web=")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    running = RealServer(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


def enrolled(server: RealServer, folder: Path) -> Path:
    code = server.command("kiosks", "code", "sakura", folder.name).strip()
    enrol(server.url, code, folder, clock=SystemClock())
    return folder


@contextmanager
def kiosk_in(folder: Path, url: str, *, boot: str = BOOT) -> Iterator[Kiosk]:
    """The kiosk that was enrolled in a folder; its clock stands still at now."""
    name, key, at = load_identity(folder).kiosk, load_key(folder), now(SystemClock())
    with kiosk_at(folder, url, name=name, key=key, at=at, boot=boot) as kiosk:
        kiosk.settle()
        yield kiosk


def children(kiosk: Kiosk) -> list[str]:
    pack = kiosk.cache.sealed_names()
    assert pack is not None
    return sorted(unseal(pack, kiosk.names_key.read_bytes()))


def unmoved(server: RealServer, kiosk: Kiosk) -> list[str]:
    """Children of the roster for whom the server, which the tests of this file share, holds no movement yet."""
    moved_already = server.movements()
    return [each for each in children(kiosk) if each not in moved_already]


def present(kiosk: Kiosk) -> set[str]:
    """Who is in, as the server tells the kiosk at the next question."""
    kiosk.settle()
    kiosk.sync.step()
    part = kiosk.cache.presence()
    assert part is not None
    return {child for child, state in fold(part.movements).items() if state.present}


def test_a_kiosk_is_enrolled_learns_the_roster_and_brings_its_taps(server: RealServer, tmp_path: Path) -> None:
    with kiosk_in(enrolled(server, tmp_path / "only"), server.url) as kiosk:
        came, stayed, left, *_ = unmoved(server, kiosk)
        assert kiosk.cache.holder(came) is not None
        kiosk.append(moved(child=came), moved(child=stayed), moved(child=left))
        kiosk.append(moved(child=stayed, direction=Direction.EXIT), Undone(seq=4))
        kiosk.append(moved(child=left, direction=Direction.EXIT))
        assert present(kiosk) & {came, stayed, left} == {came, stayed}
        assert kiosk.cache.acks() == kiosk.reader.heads()


def test_a_server_on_postgresql_takes_and_tells_the_same(postgresql: Cluster, tmp_path: Path) -> None:
    with postgresql.empty_database() as url:
        running = RealServer(tmp_path, database_url=url)
        try:
            test_a_kiosk_is_enrolled_learns_the_roster_and_brings_its_taps(running, tmp_path)
            test_two_doors_learn_of_each_other(running, tmp_path)
        finally:
            running.stop()


def test_two_doors_learn_of_each_other(server: RealServer, tmp_path: Path) -> None:
    with (
        kiosk_in(enrolled(server, tmp_path / "north"), server.url) as north,
        kiosk_in(enrolled(server, tmp_path / "south"), server.url) as south,
    ):
        child = unmoved(server, north)[0]
        north.append(moved(child=child))
        north.settle()
        assert child in present(south)
        assert south.cache.policy().kiosks_at_site >= 2


def test_a_server_restored_from_a_backup_asks_for_what_it_lacks(server: RealServer, tmp_path: Path) -> None:
    folder = enrolled(server, tmp_path / "restored")
    with kiosk_in(folder, server.url) as kiosk:
        before, after = server.to_be_told_of(unmoved(server, kiosk))[:2]
        kiosk.append(moved(child=before))
        kiosk.settle()
        server.stop()
        shutil.copytree(server.data, tmp_path / "backup")
        server.start()
    with kiosk_in(folder, server.url) as kiosk:
        kiosk.append(moved(child=after))
        assert {before, after} <= present(kiosk)
        assert server.notices_of(after) > 0
        server.stop()
        shutil.rmtree(server.data)
        shutil.copytree(tmp_path / "backup", server.data)
        server.start()
    with kiosk_in(folder, server.url) as kiosk:
        assert {before, after} <= present(kiosk)
        assert kiosk.cache.acks() == sorted(kiosk.reader.heads())
        assert server.notices_of(after) == 0, "the guardians had theirs"
        kiosk.append(moved(child=after, direction=Direction.EXIT))
        assert after not in present(kiosk)
        assert server.notices_of(after) > 0, "what is new is told"


def test_a_kiosk_that_is_enrolled_anew_brings_all_it_wrote_before(server: RealServer, tmp_path: Path) -> None:
    folder = enrolled(server, tmp_path / "anew")
    with kiosk_in(folder, server.url) as kiosk:
        sent, unsent, offline = unmoved(server, kiosk)[:3]
        kiosk.append(moved(child=sent))
        kiosk.settle()
        kiosk.append(moved(child=unsent))
        kiosk.reopen()
        kiosk.append(moved(child=offline))
    code = server.command("kiosks", "code", "sakura", "anew").strip()
    enrol(server.url, code, folder, clock=SystemClock(), replace=True)
    with kiosk_in(folder, server.url) as kiosk:
        assert {sent, unsent, offline} <= present(kiosk)
        assert kiosk.cache.acks() == sorted(kiosk.reader.heads())


def test_a_copied_card_that_runs_twice_loses_and_doubles_nothing_and_is_told_of_until_enrolled_anew(
    server: RealServer, tmp_path: Path
) -> None:
    def meet_and_agree(*kiosks: Kiosk) -> None:
        for kiosk in kiosks:
            kiosk.settle()
        for kiosk in kiosks:
            assert came <= present(kiosk)
            assert kiosk.cache.acks() == sorted(kiosk.reader.heads())
            assert kiosk.sync.report(kiosk.sync.step()).problems == ()

    folder, copied = enrolled(server, tmp_path / "card"), tmp_path / "copy"
    with kiosk_in(folder, server.url) as first:
        sent, unsent, later, at_copy, last = unmoved(server, first)[:5]
        before = server.movements()
        first.append(moved(child=sent))
        first.settle()
        first.append(moved(child=unsent))
        shutil.copytree(folder, copied)
        first.append(moved(child=later))  # in a session of which the copy holds the beginning
        with kiosk_in(copied, server.url, boot=OTHER_BOOT) as copy:
            copy.append(moved(child=at_copy))
            assert not server.is_troubled_by("kiosks_twin")
            came = {sent, unsent, later, at_copy}
            meet_and_agree(first, copy)
            for kiosk in (first, copy):  # no clock was moved since they were answered last
                kiosk.sync.step()
            assert server.is_troubled_by("kiosks_twin")
            copy.append(moved(child=last))
        code = server.command("kiosks", "code", "sakura", "copy").strip()
        enrol(server.url, code, copied, clock=SystemClock(), replace=True)
        with kiosk_in(copied, server.url, boot=OTHER_BOOT) as copy:
            assert copy.name != first.name
            came.add(last)
            meet_and_agree(copy, first)
    assert server.movements() - before == Counter(came)


def test_codes_keys_and_revocation_are_the_servers_word(server: RealServer, tmp_path: Path) -> None:
    with pytest.raises(EnrolmentFailed) as failed:
        enrol(server.url, "WRONGCODE2", tmp_path / "other", clock=SystemClock())
    assert failed.value.trouble is EnrolmentTrouble.CODE_REFUSED
    with uplink_to(server.url, key=KEY) as stranger, pytest.raises(UplinkError) as refused:
        stranger.state(roster_version="", presence_version="", boot="b")
    assert refused.value.code == "signature_refused"
    with kiosk_in(enrolled(server, tmp_path / "stolen"), server.url) as kiosk:
        assert children(kiosk)
        server.command("kiosks", "revoke", kiosk.name)
        assert kiosk.sync.step().wait_s >= LONGEST_BACKOFF_S / 2
        assert kiosk.cache.sealed_names() is None
        assert not kiosk.names_key.exists()
        assert len(kiosk.held()) == 1


@pytest.mark.parametrize("beginning_lost", [False, True])
def test_what_lies_behind_a_hole_in_a_damaged_journal_counts_at_the_server(
    server: RealServer, tmp_path: Path, *, beginning_lost: bool
) -> None:
    with kiosk_in(enrolled(server, tmp_path / f"damaged-{beginning_lost}"), server.url) as kiosk:
        child = unmoved(server, kiosk)[0]
        for direction in [Direction.ENTRY, Direction.EXIT] * 20:
            kiosk.append(moved(child=child, direction=direction))
        kiosk.append(moved(child=child))
        kiosk.reader.close()
        kiosk.journal.close()  # the last one writes the log into the file
        path = kiosk.folder / "journal.db"
        spoil(path, 0, page_of(path, '"kind":"session"' if beginning_lost else '"seq":20'))
        kiosk.reopen()
        kiosk.journal.salvage()
        assert child in present(kiosk)
        assert kiosk.cache.acks() == sorted(kiosk.reader.heads())
        assert kiosk.sync.report(kiosk.sync.step()).problems == ()
