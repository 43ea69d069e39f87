"""The rules of a site's door, set on the server, shown on one page for all sites, and carried to its kiosks."""

from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType


class WayMode(StrEnum):
    """How a kiosk decides which way a child goes."""

    AUTO = "auto"
    ENTRY = "entry"
    EXIT = "exit"
    ASK = "ask"


class Policy(msgspec.Struct, frozen=True):
    """What a kiosk must know to decide; every field has the default of a new site."""

    way: WayMode = WayMode.AUTO
    repeat_window_s: int = 60
    """A card shown again within this time is answered kindly and not recorded twice."""
    undo_s: int = 8
    """How long a child can take a movement back."""
    reentry_allowed: bool = True
    """Whether a child who left may come in again on the same day without staff."""
    kiosks_at_site: int = 1
    contact_lost_s: int = 300
    """With other kiosks at the site and no contact for this long, `auto` becomes `ask`."""
    staff_pin: str | UnsetType = UNSET
    """The hash of the site's PIN (attendance.staff_pin), with which staff enter a child by hand; left out for none."""
