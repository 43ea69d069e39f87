"""The doctor: whether this kiosk can work, and what to do about what is wrong."""

from attendance.finding import Finding
from kiosk.doctor.examination import examine

__all__ = ["Finding", "examine"]
