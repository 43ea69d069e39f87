"""The daily report as JSON, for other programs."""

import json
from dataclasses import asdict
from typing import Any

from attendance.clock import JST, from_ms
from server.reports.daily import ChildLine, DailyReport, SiteReport
from server.reports.figures import Figures


def to_json(report: DailyReport) -> bytes:
    """Return the report as JSON in UTF-8; instants are ISO 8601 at the site's local time."""
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
        "silent_kiosks": each.silent_kiosks,
        "units": [{"unit": part.name, **_figures(part.figures)} for part in each.units],
        "children": [_line(line) for line in each.children],
    }


def _figures(counted: Figures) -> dict[str, Any]:
    values = asdict(counted)
    values["peak_at"] = _instant(values.pop("peak_at_ms"))
    return values


def _line(line: ChildLine) -> dict[str, Any]:
    values = asdict(line)
    values["first_entry"] = _instant(values.pop("first_entry_ms"))
    values["last_exit"] = _instant(values.pop("last_exit_ms"))
    return values


def _instant(at_ms: int | None) -> str | None:
    return None if at_ms is None else from_ms(at_ms).astimezone(JST).isoformat(timespec="seconds")
