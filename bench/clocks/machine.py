"""The clocks of a simulated kiosk against true time: a crystal that drifts, a wall clock that is set by whoever."""

from datetime import UTC, datetime, timedelta

from attendance.clock import ClockReading, ClockState, ManualClock, from_ms

_S = 1_000_000_000
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Machine(ManualClock):
    """One boot of a computer; true time passes by `live`, and its clocks go their own way."""

    def __init__(self, wall: datetime, state: ClockState, *, ppm: float = 0.0, err_ms: int | None = None) -> None:
        """`ppm` is how much too fast the crystal is; `err_ms` the bound that the kernel states."""
        super().__init__(wall, boot_ns=0, state=state)
        self._ppm = ppm
        self._err_ms = err_ms
        self._rest_ns = 0

    def read(self) -> ClockReading:
        """Return what the machine believes."""
        seen = super().read()
        return ClockReading(seen.wall_ms, self._err_ms, seen.boot_ns + self._rest_ns, seen.state)

    def live(self, seconds: float) -> None:
        """Let true time pass."""
        passed_ns = self._rest_ns + round(seconds * (_S + self._ppm * 1000))
        whole_ms, self._rest_ns = divmod(passed_ns, 1_000_000)
        self._wall_ms += whole_ms
        self._boot_ns += whole_ms * 1_000_000

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock by hand; the kernel then holds it for unsynchronised."""
        super().step(seconds)
        self._state, self._err_ms = ClockState.SAVED, None

    def keep(self, wall: datetime, *, err_ms: int | None) -> None:
        """NTP sets the clock, and from now on steadies its crystal."""
        self._wall_ms += (wall - from_ms(self._wall_ms)) // timedelta(milliseconds=1)
        self._state, self._err_ms, self._ppm = ClockState.NTP, err_ms, 0.0
