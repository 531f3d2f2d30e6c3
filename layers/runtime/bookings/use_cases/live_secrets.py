"""The live secrets: the current version, and during a rotation the previous one."""

from datetime import datetime

from bookings.clock import Clock, Deadline
from bookings.counts import Count, Counter
from bookings.errors import BookingsError, ServiceError
from bookings.limits import SECRET_GRACE, SECRET_MAX_AGE, SECRET_MIN_LENGTH, SECRET_REFRESH_INTERVAL
from bookings.use_cases.ports import SecretSource, SecretVersion


class SecretUnavailable(BookingsError):
    """No secret can verify a request: it can't be read, is too short, or may be outdated. Answer 503."""


class _Known:
    """The versions as they were read, and how long each is valid."""

    def __init__(self, current: SecretVersion, previous: SecretVersion | None, read_at: datetime) -> None:
        self.old_after = read_at + SECRET_MAX_AGE
        self._grace_ends = current.created_at + SECRET_GRACE
        self._current = [current.value]
        self._both = [each.value for each in (current, previous) if each and not unusable(each.value)]

    def live(self, now: datetime) -> list[str]:
        return self._both if now < self._grace_ends else self._current


class LiveSecrets:
    """Caches the secret for the life of a process.

    Ages use the time of day: Lambda freezes a process between requests, and perhaps its monotonic clock.
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
        """Returns the secrets that are valid now, the current one first.

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
        """Reads the secret again, at most once a minute. Returns whether it was read.

        After a failed read the known versions stay in use.

        Raises:
            SecretUnavailable: the stored secret is unusable.
        """
        now = self._clock.now()
        if self._refreshed_at is not None and now - self._refreshed_at < SECRET_REFRESH_INTERVAL:
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
            if self._clock.now() - current.created_at < SECRET_GRACE:
                previous = self._source.previous(deadline)
        except ServiceError as error:
            self._last_read_failed = True
            raise _Unreadable(str(error)) from error
        self._last_read_failed = False
        if problem := unusable(current.value):
            self._known = None
            raise SecretUnavailable(problem)
        return _Known(current, previous, self._clock.now())


class _Unreadable(SecretUnavailable):
    pass


def unusable(secret: str) -> str | None:
    """Returns why a stored secret can't be a token, None if it can."""
    if secret.lstrip().startswith("{"):
        # The console's default form, "Key/value", stores a JSON object.
        return "the stored secret is a JSON object; store the token alone, as plain text"
    if len(secret.strip()) < SECRET_MIN_LENGTH:
        return f"the stored secret is shorter than {SECRET_MIN_LENGTH} characters"
    return None
