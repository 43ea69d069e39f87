"""Errors of the hardware package."""


class HardwareError(Exception):
    """Base of every error this package raises."""


class ReaderLost(HardwareError, OSError):
    """A reader is missing, was unplugged, or stopped answering; opening it again later may help."""

    def __init__(self, reader: str, reason: str) -> None:
        super().__init__(f"reader {reader!r} lost: {reason}")
        self.reader = reader
        self.reason = reason


class DriverMissing(HardwareError, ImportError):
    """A driver's library or system package is not installed."""

    def __init__(self, driver: str, remedy: str) -> None:
        super().__init__(f"driver {driver!r} cannot load: {remedy}")
        self.driver = driver
        self.remedy = remedy


class SignalLost(HardwareError, OSError):
    """A light, buzzer or sound device is missing or stopped answering."""

    def __init__(self, signal: str, reason: str) -> None:
        super().__init__(f"signal {signal!r} lost: {reason}")
        self.signal = signal
        self.reason = reason
