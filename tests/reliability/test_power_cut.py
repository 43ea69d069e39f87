"""The power goes after every operation that a disk was asked: what was acknowledged is there, whole and once."""

import random
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from bench.faulty_disk.power_cut import Disk
from bench.journal_writer import Task, Variant
from bench.power_cuts import MEMORY, Tally, cut, disk_in_memory, lay_out, record
from kiosk.database import open_database
from kiosk.roster_cache import RosterCache
from kiosk.schema import CACHE
from tests.kiosk.door_parts import BOOT, roster, state

TASK = Task(first=0, commits=100, sessions=3, checkpoint_every=12)
"""Two of these, with the making of the file, nine checkpoints and three openings each."""
SHORT = Task(first=0, commits=30, checkpoint_every=12)
EVERY_THIRD = range(0, 10_000, 3)


def assert_all_well(tally: Tally, commits: int) -> None:
    assert (tally.acknowledged, tally.lost, tally.doubled, tally.wrong) == (commits, 0, 0, 0), tally.examples


@pytest.mark.parametrize("seed", [1, 2])
def test_no_power_cut_loses_doubles_or_spoils_what_was_acknowledged(seed: int) -> None:
    tally = cut(record(TASK), seed=seed)
    assert tally.cuts > 3 * 7 * TASK.commits
    assert_all_well(tally, TASK.commits)


@pytest.mark.parametrize("variant", [Variant.NOT_SYNCED, Variant.TOO_EARLY])
def test_a_journal_that_promises_too_early_is_caught(variant: Variant) -> None:
    tally = cut(record(msgspec.structs.replace(SHORT, variant=variant)), seed=1, cuts=EVERY_THIRD)
    assert tally.acknowledged == SHORT.commits
    assert tally.lost > 0
    assert (tally.doubled, tally.wrong) == (0, 0), tally.examples


def test_a_card_that_lies_about_syncs_is_caught() -> None:
    operations = record(SHORT)
    assert_all_well(cut(operations, seed=1, cuts=EVERY_THIRD), SHORT.commits)
    tally = cut(operations, seed=1, cuts=EVERY_THIRD, lies=True)
    assert tally.lost > 0


def test_no_power_cut_spoils_the_cache_which_may_lose_its_latest() -> None:
    with disk_in_memory() as mounted:
        cache = RosterCache.open(mounted.folder / "cache.db", boot=BOOT)
        with closing(cache):
            for number in range(24):
                cache.store_state(state(roster_part=roster(version=f"r{number}")))
                if number % 6 == 5:
                    assert cache._db is not None
                    cache._db.execute("PRAGMA wal_checkpoint").fetchall()
        operations = mounted.record()
    disk, chance = Disk(), random.Random(1)
    versions: dict[str, set[str]] = defaultdict(set)
    for operation in operations:
        disk.apply(operation)
        for loss, image in (("lost", disk.lost()), ("torn", disk.torn(chance)), ("kept", disk.kept())):
            with TemporaryDirectory(dir=MEMORY) as folder:
                lay_out(image, Path(folder))
                path = Path(folder) / "cache.db"
                # It checks the file, and raises where the cache would quietly begin anew.
                with closing(open_database(path, CACHE)), closing(RosterCache.open(path, boot=BOOT)) as cache:
                    versions[loss].add(cache.versions()[0])
    assert versions["kept"] == {"", *(f"r{number}" for number in range(24))}
    assert len(versions["lost"]) < len(versions["kept"])
