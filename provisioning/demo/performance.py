"""The performance: every process of the line runs, the day is played, and what happened is counted at each station."""

import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from attendance.catalogue import Catalogue
from attendance.clock import NS_IN_MS, NS_IN_S, SystemClock, local_day, now
from attendance.records import Direction, Moved, UnknownCard, read_line
from kiosk.journal_reader import JournalReader
from kiosk.roster_cache import RosterCache
from provisioning.demo import tally
from provisioning.demo.day import Door, Expected, Tap, present_at_end
from provisioning.demo.mailbox import RECEIVED, messages
from provisioning.demo.processes import Ensemble, Process
from provisioning.demo.stage import LOGIN, OFFICE_LOGIN, SITE, Stage, enrol_kiosk, program, write_schedules
from provisioning.demo.watch import StaffPage, Watch
from provisioning.errors import DemoFailed

START_S = 30.0
LEAD_S = 3.0
"""From the first frame of the recorded hand to the day's beginning; both doors are open by then."""
SETTLE_S = 25.0
EARLY_S = 0.3
"""A card can be read while it is still on its way to where it is held."""


class _SiteJson(msgspec.Struct):
    entries: int
    exits: int
    unknown_cards: int


class _DailyJson(msgspec.Struct):
    sites: tuple[_SiteJson, ...]


@dataclass(slots=True)
class Running:
    """What a running demo is counted and measured by."""

    server: Process
    doors: dict[Door, Process]
    soft_card: Process
    page: StaffPage
    watch: Watch


def open_house(stage: Stage, ensemble: Ensemble, words: Catalogue, taps: Sequence[Tap], camera: str | None) -> Running:
    """Start every process and the day itself, once both doors are open. Raises: DemoFailed."""
    python = (sys.executable, "-m")
    server_command = (program("tadaima-server"), "--config", str(stage.server_toml))
    ports = stage.ports
    mail = ensemble.start(
        "mailbox",
        *(*python, "provisioning.demo.mailbox", "--dir", str(stage.mail_dir)),
        *("--smtp-port", str(ports.smtp), "--web-port", str(ports.mailbox), "--language", words.language.value),
    )
    server = ensemble.start("server", *server_command, "run")
    write_schedules(stage, taps, lead_s=LEAD_S)
    mail.wait_for("^listening", timeout_s=START_S)
    server.wait_for("listening", timeout_s=START_S)
    ensemble.start("dispatch", *server_command, "dispatch")
    enrol_kiosk(stage, ensemble, Door.QR, camera or str(stage.folder / "hand.avi"))
    enrol_kiosk(stage, ensemble, Door.NFC, f"udp:127.0.0.1:{ports.nfc}")
    if camera is None:
        ensemble.run(
            *(*python, "hardware.synthetic_hand", "--schedule", str(stage.schedule(Door.QR))),
            *("--out", str(stage.folder / "hand.avi")),
        )
    for door in Door:
        ensemble.start(f"sync-{door}", program("tadaima-kiosk"), "sync", "--config", str(stage.kiosk_toml(door)))
    for door in Door:
        _wait_for_roster(stage.data_dir(door) / "cache.db")
    soft_card = ensemble.start(
        "soft-card",
        *(*python, "hardware.soft_card", "--port", str(ports.nfc)),
        *("--schedule", str(stage.schedule(Door.NFC)), "--wait-start"),
        ends=True,
    )
    soft_card.wait_for("^listening", timeout_s=START_S)
    page = StaffPage(stage.web, stage.live, SITE, login=LOGIN, password=stage.password)
    watch = Watch(page)
    watch.start()
    doors = {}
    for door in (Door.NFC, Door.QR):  # the recorded hand begins to play when its door opens
        doors[door] = ensemble.start(
            f"door-{door}", program("tadaima-kiosk"), "run", "--config", str(stage.kiosk_toml(door))
        )
    opened = doors[Door.QR].wait_for("reader (open|down)", timeout_s=START_S)
    if camera is not None and opened[1] == "down":
        raise DemoFailed(words.text("demo.no_camera", camera=camera))
    soft_card.say("start")
    return Running(server=server, doors=doors, soft_card=soft_card, page=page, watch=watch)


def _wait_for_roster(cache: Path) -> None:
    """Return when a kiosk knows its children, from its first contact with the server. Raises: DemoFailed."""
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        if cache.exists():
            roster = RosterCache.open(cache)
            version, _ = roster.versions()
            roster.close()
            if version:
                return
        time.sleep(0.2)
    raise DemoFailed("a kiosk did not get its roster")


def settle(stage: Stage, running: Running, taps: Sequence[Tap], ensemble: Ensemble) -> tally.Counted:
    """Wait until every station has what the play must give, or is late; return what it has. Raises: DemoFailed."""
    wanted = expected(stage, taps)
    until_s = time.monotonic() + SETTLE_S
    while _still_coming(stage, running, wanted) and time.monotonic() < until_s:
        if dead := ensemble.dead():
            raise DemoFailed(f"ended by itself: {', '.join(dead)}")
        time.sleep(0.3)
    return count(stage, running, taps, ensemble)


def _still_coming(stage: Stage, running: Running, wanted: tally.Counted) -> bool:
    entries = {door.value: _journal_entries(stage, door) for door in Door}
    arrived = (entries, running.page.present(), len(messages(stage.mail_dir)))
    return arrived != (wanted.journal_entries, wanted.children_present, wanted.mails_received)


def expected(stage: Stage, taps: Sequence[Tap]) -> tally.Counted:
    """Return what the play must give."""
    return tally.expected_counts(
        taps,
        mails_per_child={child.number: int(child.email is not None) for child in stage.children},
        present=len(present_at_end(taps)),
    )


def count(stage: Stage, running: Running, taps: Sequence[Tap], ensemble: Ensemble) -> tally.Counted:
    """Return what is found at every station now."""
    played = {
        Door.QR.value: sum(tap.door is Door.QR for tap in taps),
        Door.NFC.value: len(running.soft_card.matches(r"^tap index=")),
    }
    movements, unknown_cards = _server_records(stage, ensemble)
    return tally.Counted(
        taps_played=played,
        journal_entries={door.value: _journal_entries(stage, door) for door in Door},
        server_records=movements + unknown_cards,
        server_movements=movements,
        children_present=running.page.present(),
        mails_received=len(messages(stage.mail_dir)),
    )


def measure(
    stage: Stage, running: Running, taps: Sequence[Tap], counted: tally.Counted, seconds: float
) -> tally.Report:
    """Return the report: the counts compared, and how long each tap took to each station."""
    tapped_ns = _tapped_ns(running, taps)
    commits, pages, mails = [], [], []
    seen = {(name, way): at_ns for at_ns, name, way in reversed(running.watch.seen())}
    received = _received_ns(stage)
    for door in Door:
        tapped = [at_ns for tap, at_ns in tapped_ns.items() if tap.door is door]
        committed = [int(m[1]) for m in running.doors[door].matches(r"recorded .*committed_boot_ns=(\d+)")]
        commits += tally.waits_ms(tapped, committed, early_s=EARLY_S)
    for child in stage.children:
        moved = {
            Direction(tap.expected.value): at_ns
            for tap, at_ns in tapped_ns.items()
            if tap.child == child.number and tap.expected is not Expected.AGAIN
        }
        pages += [_ms(at_ns, seen[child.name, way]) for way, at_ns in moved.items() if (child.name, way) in seen]
        if child.email is not None:
            mails += tally.waits_ms(moved.values(), received[child.email])
    return tally.report(
        seconds=seconds,
        counted=counted,
        expected=expected(stage, taps),
        commit_ms=commits,
        page_ms=pages,
        mail_ms=mails,
    )


def addresses(stage: Stage, words: Catalogue) -> list[str]:
    """Return the lines that tell a person where to look and how to log in."""
    return [
        words.text("demo.screens", qr=stage.screen(Door.QR), nfc=stage.screen(Door.NFC)),
        words.text("demo.pin", pin=stage.pin),
        words.text("demo.staff", url=stage.web, login=LOGIN, office=OFFICE_LOGIN, password=stage.password),
        words.text("demo.mailbox", url=stage.mailbox),
    ]


def _server_records(stage: Stage, ensemble: Ensemble) -> tuple[int, int]:
    """Return the movements and the unknown cards that the server's daily report counts."""
    day = local_day(now(SystemClock()))
    said = ensemble.run(
        *(program("tadaima-server"), "--config", str(stage.server_toml), "report", "daily"),
        *("--day", day.isoformat(), "--site", SITE, "--format", "json"),
    )
    site = msgspec.json.decode(said, type=_DailyJson).sites[0]
    return site.entries + site.exits, site.unknown_cards


def _journal_entries(stage: Stage, door: Door) -> int:
    """Count what came of taps: movements and unknown cards."""
    reader = JournalReader(stage.data_dir(door) / "journal.db")
    try:
        lines = [line for head in reader.heads() for line in reader.read(head.session, 0, -1)]
    finally:
        reader.close()
    return sum(isinstance(read_line(line).body, Moved | UnknownCard) for line in lines)


def _tapped_ns(running: Running, taps: Sequence[Tap]) -> Mapping[Tap, int]:
    """Return when each card came to its reader, by CLOCK_BOOTTIME."""
    laid = [tap for tap in taps if tap.door is Door.NFC]
    said = running.soft_card.matches(r"^tap index=(\d+) boot_ns=(\d+)")
    first = running.doors[Door.QR].matches(r"first_frame_boot_ns=(\d+)")
    tapped = {laid[int(match[1])]: int(match[2]) for match in said}
    if first:
        began_ns = int(first[0][1])
        tapped |= {tap: began_ns + round((LEAD_S + tap.at_s) * NS_IN_S) for tap in taps if tap.door is Door.QR}
    return tapped


def _received_ns(stage: Stage) -> defaultdict[str, list[int]]:
    """Return when mail came, by address."""
    received: defaultdict[str, list[int]] = defaultdict(list)
    for message in messages(stage.mail_dir):
        received[str(message["To"])].append(int(message[RECEIVED]))
    return received


def _ms(from_ns: int, to_ns: int) -> float:
    return (to_ns - from_ns) / NS_IN_MS
