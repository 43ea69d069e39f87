"""What a kiosk's trouble means for staff: from the codes that it told (server.offer) to ids of sentences; pure."""

from dataclasses import dataclass

from attendance.wire import DoorProblem, SyncProblem

_SENTENCES: dict[str, str] = {
    DoorProblem.DOOR_SILENT: "web.trouble.door_silent",
    DoorProblem.JOURNAL_UNWRITABLE: "web.trouble.journal_unwritable",
    DoorProblem.DISK_FULL: "web.trouble.disk_full",
    # Whatever of these it is, staff can do the same about it: the office must look, and figures may be short.
    SyncProblem.CHAIN_DIFFERS: "web.trouble.records_held",
    SyncProblem.ENTRY_REFUSED: "web.trouble.records_held",
    SyncProblem.JOURNAL_UNREADABLE: "web.trouble.records_held",
    SyncProblem.CACHE_UNUSABLE: "web.trouble.cache_unusable",
    SyncProblem.NAMES_KEY_UNWRITABLE: "web.trouble.names_key_unwritable",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something to tell staff of a kiosk: the sentence `message`, in which `code` and `reader` may stand."""

    message: str
    code: str
    reader: str = ""


TWIN = Trouble("web.trouble.twin", "two_machines")
"""Two machines run under one kiosk's name; neither can tell, this server does."""


def troubles(codes: str) -> tuple[Trouble, ...]:
    """Return what to tell of the codes of a kiosk, each sentence once; a code that is not known has a general one."""
    found = [_trouble(code) for code in codes.split()]
    if any(each.code == DoorProblem.DOOR_SILENT for each in found):
        # What it said of its readers before is old, and there is one thing to do.
        found = [each for each in found if not each.reader]
    told: dict[tuple[str, str], Trouble] = {}
    for each in found:
        told.setdefault((each.message, each.reader), each)
    return tuple(told.values())


def _trouble(code: str) -> Trouble:
    kind, _, rest = code.partition(":")
    reader = rest.rpartition(":")[0]
    if kind == "reader" and reader:
        return Trouble("web.trouble.reader", code, reader)
    return Trouble(_SENTENCES.get(code, "web.trouble.other"), code)
