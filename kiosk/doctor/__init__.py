"""The doctor: whether this kiosk can work, and what to do about what is wrong."""

from kiosk.doctor.examination import examine, wrong_user
from kiosk.doctor.finding import Finding

__all__ = ["Finding", "examine", "wrong_user"]
