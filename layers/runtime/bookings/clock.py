"""Time, as the use cases are given it."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Returns the time of day, aware and UTC."""

    def monotonic(self) -> float:
        """Returns seconds from an arbitrary start; never goes back."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class Deadline:
    """The end of a time budget that several calls share."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    def allows(self, seconds: float) -> bool:
        """Whether a call that takes so long would end in time."""
        return self._clock.monotonic() + seconds <= self._end


def utc_text(moment: datetime) -> str:
    """Returns the one form in which times are stored and sent: `2026-11-22T16:00:00Z`."""
    # Not strftime: it writes the year 999 with three digits, which nothing reads back.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
