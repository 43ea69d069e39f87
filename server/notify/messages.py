"""The words of a notice: pure, in the guardian's language and the site's local time, and saying so when late."""

from dataclasses import dataclass, field

from babel.dates import format_date, format_time

from attendance.catalogue import Catalogue
from attendance.clock import local_time
from attendance.records import Direction
from server.notify.outbox import UNDONE
from server.notify.transport import Message


@dataclass(frozen=True, slots=True)
class Notice:
    """What a delivery has to say, and to whom."""

    delivery_id: str
    topic: str
    direction: Direction
    at_ms: int
    settled: bool
    """False while the time of the movement is only the kiosk's unproved clock."""
    site_name: str
    child_name: str = field(repr=False)
    address: str = field(repr=False)


def render(notice: Notice, catalogue: Catalogue, *, now_ms: int, late_after_s: float) -> Message:
    """Return the message; a notice later than `late_after_s` after its movement says so, a correction is what it is."""
    at = local_time(notice.at_ms)
    is_correction = notice.topic == UNDONE
    kind = f"{notice.direction}_undone" if is_correction else notice.direction.value
    values = {
        "child": notice.child_name,
        "site": notice.site_name,
        "time": format_time(at, catalogue.text("mail.time"), locale=catalogue.language.html),
        "day": format_date(at, catalogue.text("mail.day"), locale=catalogue.language.html),
    }
    paragraphs = [catalogue.text(f"mail.{kind}.body", **values)]
    if not notice.settled and not is_correction:
        paragraphs.append(catalogue.text("mail.unsettled"))
    if now_ms - notice.at_ms > late_after_s * 1000 and not is_correction:
        paragraphs.append(catalogue.text("mail.late", **values))
    paragraphs.append(catalogue.text("mail.footer", **values))
    return Message(
        delivery_id=notice.delivery_id,
        address=notice.address,
        subject=catalogue.text(f"mail.{kind}.subject", **values),
        body="\n\n".join(paragraphs) + "\n",
        language=catalogue.language.html,
    )
