"""The daily report as JSON, for other programs."""

import json
from dataclasses import asdict
from typing import Any

from attendance.clock import local_time
from server.reports.daily import ChildLine, DailyReport, MatterLine, SiteReport
from server.reports.figures import Figures
from server.timeline import BestTime


def to_json(report: DailyReport) -> bytes:
    """Return the report as JSON in UTF-8; instants are ISO 8601 at the site's local time.

    Beside the time of a movement stand its bound in milliseconds (`_err_ms`, null for none) and what it rests on
    (`_source`).
    """
    document = {
        "day": report.day.isoformat(),
        "made_at": _instant(report.made_at_ms),
        "sites": [_site(each) for each in report.sites],
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def _site(each: SiteReport) -> dict[str, Any]:
    return {
        "site": each.code,
        "name": each.name,
        **_figures(each.figures),
        "unknown_cards": each.unknown_cards,
        "unreadable": each.unreadable,
        "silent_kiosks": each.silent_kiosks,
        "units": [{"unit": part.name, **_figures(part.figures)} for part in each.units],
        "children": [_line(line) for line in each.children],
        "closing": [_matter(line) for line in each.closing],
    }


def _figures(counted: Figures) -> dict[str, Any]:
    return _with_times(asdict(counted), peak_at=counted.peak_at)


def _line(line: ChildLine) -> dict[str, Any]:
    return _with_times(asdict(line), first_entry=line.first_entry, last_exit=line.last_exit)


def _matter(line: MatterLine) -> dict[str, Any]:
    matter = line.matter
    values = {
        "key": matter.key,
        "kind": matter.kind,
        "record": matter.record,
        "number": line.number,
        "name": line.name,
        "kana": line.kana,
        "kiosk": matter.kiosk,
        "by": matter.by,
        "card": matter.card,
    }
    return _with_times(values, at=matter.time, before=matter.before)


def _with_times(values: dict[str, Any], **times: BestTime | None) -> dict[str, Any]:
    told = dict(values)
    for name, at in times.items():
        told[name] = None if at is None else _instant(at.at_ms)
        told[f"{name}_err_ms"] = None if at is None else at.err_ms
        told[f"{name}_source"] = None if at is None else at.source
    return told


def _instant(at_ms: int | None) -> str | None:
    return None if at_ms is None else local_time(at_ms).isoformat(timespec="seconds")
