"""The secret tokens that count now: the current one, and during a rotation the previous one."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from bookings.clock import Clock, Deadline
from bookings.counts import Count, Counter
from bookings.errors import BookingsError
from bookings.services import ServiceError

GRACE = timedelta(hours=24)
"""How long the previous secret counts after the current one was made."""

MAX_AGE = timedelta(minutes=15)
"""After that the secrets are read again; far below the grace, so that it ends on time."""

MIN_REFRESH = timedelta(minutes=1)
"""Between two refreshes, whatever asks for them. A process that knows no secret reads for each request."""

MIN_LENGTH = 16  # characters; Zoom's tokens have 22


class SecretUnavailable(BookingsError):
    """There is no secret to verify with: not readable, or blank or too short, or perhaps no longer the one.

    Answer 503, never accept.
    """


@dataclass(frozen=True, slots=True)
class SecretVersion:
    value: str = field(repr=False)
    created_at: datetime


class SecretSource(Protocol):
    def current(self, deadline: Deadline) -> SecretVersion:
        """Returns the current version.

        Raises:
            ServiceError: it can't be read.
        """

    def previous(self, deadline: Deadline) -> SecretVersion | None:
        """Returns the version before, None where there is none.

        Raises:
            ServiceError: it can't be read.
        """


class _Known:
    """What was read, and until when which of it counts; made once, for it is asked at each request."""

    def __init__(self, current: SecretVersion, previous: SecretVersion | None, read_at: datetime) -> None:
        self.old_after = read_at + MAX_AGE
        self._grace_ends = current.created_at + GRACE
        self._current = [current.value]
        self._both = [each.value for each in (current, previous) if each is not None and _usable(each)]

    def live(self, now: datetime) -> list[str]:
        return self._both if now < self._grace_ends else self._current


class LiveSecrets:
    """Keeps the secrets for the life of a process and reads them again rarely.

    Ages are by the time of day: a process is frozen between its requests, and its monotonic clock may be too.
    """

    def __init__(self, source: SecretSource, clock: Clock, count: Counter) -> None:
        self._source = source
        self._clock = clock
        self._count = count
        self._known: _Known | None = None
        self._refreshed_at: datetime | None = None
        self._last_read_failed = False

    @property
    def may_be_outdated(self) -> bool:
        """True after a failed refresh: a newer secret may exist."""
        return self._last_read_failed

    def values(self, deadline: Deadline) -> list[str]:
        """Returns the secrets that may have signed a request now, the current one first.

        Raises:
            SecretUnavailable: none is known, and none can be read.
        """
        if self._known is None:
            self._known = self._read(deadline)
        now = self._clock.now()
        if now > self._known.old_after:
            self.refresh(deadline)
        return self._known.live(now)

    def refresh(self, deadline: Deadline) -> bool:
        """Reads the secrets again, at most once a minute; returns whether they were read.

        While they can't be read, those known go on.

        Raises:
            SecretUnavailable: what is stored now is no usable secret.
        """
        now = self._clock.now()
        if self._refreshed_at is not None and now - self._refreshed_at < MIN_REFRESH:
            return False
        self._refreshed_at = now
        try:
            self._known = self._read(deadline)
        except _Unreadable:
            self._count(Count.REFRESH_FAILED)
            return False
        return True

    def _read(self, deadline: Deadline) -> _Known:
        try:
            current = self._source.current(deadline)
            previous = None
            if self._clock.now() - current.created_at < GRACE:
                previous = self._source.previous(deadline)
        except ServiceError as error:
            self._last_read_failed = True
            raise _Unreadable(str(error)) from error
        self._last_read_failed = False
        if not _usable(current):
            self._known = None
            raise SecretUnavailable(f"the stored secret is shorter than {MIN_LENGTH} characters")
        return _Known(current, previous, self._clock.now())


class _Unreadable(SecretUnavailable):
    pass


def _usable(version: SecretVersion) -> bool:
    return len(version.value.strip()) >= MIN_LENGTH
