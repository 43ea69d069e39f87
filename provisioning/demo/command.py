"""`tadaima-provision demo`: sets the stage, plays the day, says where to look, and counts."""

import os
import signal
import tempfile
import time
from pathlib import Path

import click
import msgspec

from attendance.catalogue import Catalogue, Language
from attendance.clock import Clock, SystemClock, day_bounds, local_day, now
from provisioning.catalogues import catalogues
from provisioning.demo.day import play
from provisioning.demo.performance import LEAD_S, addresses, measure, open_house, settle
from provisioning.demo.processes import Ensemble
from provisioning.demo.stage import UNDO_S, Ports, claimed_ports, set_up
from provisioning.demo.tally import Report
from provisioning.errors import DemoFailed

DAY_S = 90.0
SEED = 20261124
SETTLING_S = 60.0


@click.command()
@click.option("--seconds", type=click.FloatRange(min=10), help="Play a day this long, count, and end.")
@click.option("--json", "report_file", type=click.Path(path_type=Path), help="Write the counts and waits to this file.")
@click.option("--camera", help="Use a real camera at the QR door: its number or path. Nothing is counted then.")
@click.option(
    "--language",
    type=click.Choice([language.value for language in Language]),
    default=Language.JA.value,
    help="Of what is printed.",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Keep everything in this new folder.")
def demo(
    seconds: float | None, report_file: Path | None, camera: str | None, language: str, folder: Path | None
) -> None:
    """A day at a site on this computer, with invented children."""
    words = catalogues()[Language(language)]
    _refuse_what_cannot_work(words, seconds, report_file, camera, folder)
    for number in (signal.SIGINT, signal.SIGTERM):  # also when a shell started it in the background
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="tadaima-demo-") as temporary:
        chosen = folder or Path(temporary)
        chosen.mkdir(parents=True, exist_ok=True)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TADAIMA_")}
        with claimed_ports() as ports, Ensemble(log_dir=chosen / "logs", environ=environ) as ensemble:
            try:
                report = _perform(chosen, ports, ensemble, words, seconds, camera)
            except DemoFailed as error:
                raise click.ClickException(str(error)) from error
            except KeyboardInterrupt:
                click.echo(words.text("demo.ended"))
                if seconds is None:
                    return
                raise click.Abort from None
    if report is None:
        return
    if report_file is not None:
        report_file.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    _tell(report, words)
    if not report.agrees:
        raise click.exceptions.Exit(1)


def _refuse_what_cannot_work(
    words: Catalogue, seconds: float | None, report_file: Path | None, camera: str | None, folder: Path | None
) -> None:
    """Say so now, not when the day has been played. Raises: click.UsageError."""
    if folder is not None and folder.exists():
        raise click.BadParameter(words.text("demo.folder_exists", folder=folder), param_hint="--folder")
    if camera is not None and seconds is not None:
        raise click.UsageError(words.text("demo.camera_or_seconds"))
    if report_file is not None and not report_file.absolute().parent.is_dir():
        raise click.BadParameter(words.text("demo.no_folder", folder=report_file.parent), param_hint="--json")


def _perform(
    folder: Path, ports: Ports, ensemble: Ensemble, words: Catalogue, seconds: float | None, camera: str | None
) -> Report | None:
    """Play the day; with `seconds` return the report, else stay until interrupted."""
    day_s = seconds or DAY_S
    click.echo(words.text("demo.setting_up"))
    _wait_out_midnight(SystemClock(), day_s + SETTLING_S, words)
    stage = set_up(folder, ports, ensemble, words)
    taps = play([child.number for child in stage.children], day_s=day_s, seed=SEED)
    running = open_house(stage, ensemble, words, taps, camera)
    for line in addresses(stage, words):
        click.echo(line)
    click.echo(words.text("demo.playing", taps=len(taps), seconds=round(day_s)))
    time.sleep(LEAD_S + day_s)
    if camera is not None:
        _stay(words)
    counted = settle(stage, running, taps, ensemble)
    report = measure(stage, running, taps, counted, day_s)
    if seconds is None:
        _tell(report, words)
        _stay(words)
    running.page.close()
    return report


def _tell(report: Report, words: Catalogue) -> None:
    """Print the counts and waits."""
    counted, expected = report.counted, report.expected
    for name in counted.__struct_fields__:
        what = words.text(f"demo.{name}")
        click.echo(
            words.text(
                "demo.count", what=what, got=_number(getattr(counted, name)), want=_number(getattr(expected, name))
            )
        )
    for name in ("tap_to_commit", "tap_to_staff_page", "tap_to_mail"):
        wait = getattr(report, name)
        what = words.text(f"demo.{name}", undo=UNDO_S)
        click.echo(words.text("demo.wait", what=what, p50=wait.p50_ms, p99=wait.p99_ms, n=wait.n))
    click.echo(words.text("demo.agrees" if report.agrees else "demo.differs"))


def _number(value: int | dict[str, int]) -> str:
    """Return a count as text; one for each door as `12 (qr) + 9 (nfc)`."""
    return str(value) if isinstance(value, int) else " + ".join(f"{number} ({door})" for door, number in value.items())


def _stay(words: Catalogue) -> None:
    """Keep everything up until Ctrl-C. Raises: KeyboardInterrupt."""
    click.echo(words.text("demo.stays"))
    while True:
        time.sleep(3600)


def _wait_out_midnight(clock: Clock, needed_s: float, words: Catalogue) -> None:
    """A day of the play must lie within one local day; start after midnight when it would not."""
    at = now(clock)
    left_s = (day_bounds(local_day(at))[1] - at).total_seconds()
    if left_s < needed_s:
        click.echo(words.text("demo.midnight", seconds=round(left_s)))
        time.sleep(left_s + 1)
