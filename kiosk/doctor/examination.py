"""Looking at everything a working kiosk needs: first what records rest on, and causes before what comes of them."""

from collections.abc import Callable, Iterator
from functools import partial

from attendance.clock import Clock
from attendance.faults import where
from attendance.finding import Finding
from attendance.process_owner import wrong_user
from kiosk.beside import look_up
from kiosk.config import KioskSettings
from kiosk.doctor.answers import check_answers
from kiosk.doctor.backlog import check_backlog
from kiosk.doctor.clocks import check_clock
from kiosk.doctor.identity import check_identity, check_secrets
from kiosk.doctor.network import check_server
from kiosk.doctor.processes import check_door, check_sync
from kiosk.doctor.readers import check_readers
from kiosk.doctor.record import check_record
from kiosk.doctor.roster import check_roster
from kiosk.doctor.storage import check_ballast, check_storage
from kiosk.timekeeping import boot_id
from kiosk.version import version


def examine(settings: KioskSettings, clock: Clock, boot: str | None = None) -> Iterator[Finding]:
    """Yield the findings one by one, each as soon as it is known; changes nothing but a probe file.

    `boot` is the kernel's id of this boot unless it is given. Run as somebody else than the kiosk, it would judge
    another's permissions and leave files that the kiosk cannot open, so that it looks no further then.
    """
    yield Finding("program", values={"version": version()})
    stranger = wrong_user(settings.data_dir)
    if stranger is not None:
        yield stranger
        return
    boot = boot_id() if boot is None else boot
    known = look_up(settings, boot)
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        partial(check_identity, settings),
        partial(check_storage, settings),
        partial(check_record, settings, known),
        partial(check_door, settings, clock),
        partial(check_readers, settings),
        partial(check_answers, settings),
        partial(check_server, settings, clock, boot, known),
        partial(check_sync, settings, clock, known),
        partial(check_backlog, settings, clock, boot, known),
        partial(check_roster, settings, known),
        partial(check_clock, settings, clock, boot, known),
        partial(check_ballast, settings),
        partial(check_secrets, settings),
    )
    for check in checks:
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001 - what one check stumbles over must not hide what the others find
            yield Finding("doctor_fault", wrong=True, values={"reason": type(error).__name__, "where": where(error)})
