"""The doctor: looks at everything a working server needs, and says what to do about what is wrong."""

from server.doctor.examination import examine

__all__ = ["examine"]
