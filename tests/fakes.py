"""Fakes of our own ports, as strict as the services behind them.

A test looks at what a use case leaves in a fake, not at the calls that it makes. Limits are those of AWS's
documentation, read in November 2026.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from bookings.clock import Deadline
from bookings.counts import Count
from bookings.domain.booking import Booking, Tombstone
from bookings.envelope import Envelope
from bookings.errors import RefusedByService, ServiceError, ServiceUnavailable
from bookings.limits import CALL_SECONDS
from bookings.use_cases.ports import BookingTooLarge, RevisionConflict, SecretVersion
from bookings.zoom.events import CANCELED, CREATED

MAX_ENTRY_BYTES = 1_048_576  # of PutEvents; all entries of a call stay below
MAX_SOURCE, MAX_DETAIL_TYPE = 256, 128  # characters

MAX_MESSAGE_BYTES = 1_048_576  # of SQS
MAX_VISIBILITY_SECONDS = 43_200
_REFUSED_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

MAX_ITEM_NESTING = 32  # levels of lists and maps in DynamoDB
MAX_NUMBER_DIGITS = 38

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


class VirtualClock:
    """Time that passes only when somebody says so."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now
        self._seconds = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._seconds += seconds

    def freeze(self, seconds: float) -> None:
        """Lets time pass by a process that is frozen: its monotonic clock may stand still meanwhile."""
        self._now += timedelta(seconds=seconds)


class InMemoryCounts:
    """Counts, and passes each name to another counter if there is one."""

    def __init__(self, also: Callable[[Count], None] | None = None) -> None:
        self.all: Counter[Count] = Counter()
        self._also = also

    def __call__(self, name: Count) -> None:
        self.all[name] += 1
        if self._also:
            self._also(name)


@dataclass(frozen=True)
class Trouble:
    """How a call fails.

    Attributes:
        error: what it fails with; None for a call that succeeds after all.
        seconds: how long it takes; a call that takes longer than its time-out ends as one that hangs.
        took_it: it did what was asked; only the answer was lost.
    """

    error: ServiceError | None = None
    seconds: float = 0.0
    took_it: bool = False


HANGS = Trouble(seconds=3600.0)
THROTTLED = Trouble(ServiceUnavailable("fake: ThrottlingException", answered=True))
DENIED = Trouble(ServiceUnavailable("fake: AccessDeniedException", answered=True))
UNREACHABLE = Trouble(ServiceUnavailable("fake: EndpointConnectionError"))
REFUSES = Trouble(RefusedByService("fake: ValidationException"))


class _Service:
    """A service that can be in trouble, now or for its next calls. A `caller` makes each call itself."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self._clock = clock or VirtualClock()
        self.caller: Callable[[Deadline | None, Callable[[], Any]], Any] | None = None
        self.trouble: Trouble | None = None
        self.next: list[Trouble | None] = []
        self.calls = 0

    def _call[T](self, deadline: Deadline | None, take: Callable[[], T]) -> T:
        """Makes a call that gives up after `CALL_SECONDS`.

        Raises:
            ServiceError: the trouble's error, no answer in time, or no time left to begin.
        """
        if self.caller:
            result: T = self.caller(deadline, take)
            return result
        if deadline and not deadline.allows(CALL_SECONDS):
            raise ServiceUnavailable("fake: no time left")
        self.calls += 1
        trouble = self.next.pop(0) if self.next else self.trouble
        if trouble is None:
            return take()
        taken = [take()] if trouble.took_it else []
        if trouble.seconds > CALL_SECONDS:
            self._clock.advance(CALL_SECONDS)
            raise ServiceUnavailable("fake: no answer in time")
        self._clock.advance(trouble.seconds)
        if trouble.error:
            raise trouble.error
        return taken[0] if taken else take()


class InMemoryBus(_Service):
    """An event bus; refuses what PutEvents refuses."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        super().__init__(clock)
        self.published: list[Envelope] = []
        self.refuses: Callable[[Envelope], ServiceError | None] = lambda _envelope: None

    def publish(self, envelope: Envelope, deadline: Deadline | None = None) -> None:
        self._call(deadline, lambda: self.put(envelope))

    def put(self, envelope: Envelope) -> None:
        check_entry(envelope)
        self.published.append(envelope)

    def publish_all(self, envelopes: Sequence[Envelope]) -> list[ServiceError | None]:
        results: list[ServiceError | None] = []
        for envelope in envelopes:
            try:
                error = self.refuses(envelope)
                if error:
                    raise error
                self.publish(envelope)
            except ServiceError as error:
                results.append(error)
            else:
                results.append(None)
        return results


class InMemoryQueue(_Service):
    """A queue; refuses what SendMessage refuses."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        super().__init__(clock)
        self.messages: list[str] = []

    def send(self, message: str, deadline: Deadline | None = None) -> None:
        self._call(deadline, lambda: self.put(message))

    def put(self, message: str) -> None:
        check_message(message)
        self.messages.append(message)

    @property
    def contents(self) -> list[dict[str, Any]]:
        return [json.loads(message) for message in self.messages]


class InMemoryHandlerQueues:
    """The two handlers' queues."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.queues: Mapping[str, InMemoryQueue] = {
            each: InMemoryQueue(clock) for each in (CREATED, CANCELED)
        }

    def publish(self, envelope: Envelope, deadline: Deadline | None = None) -> None:
        message = envelope.to_message(account="123456789012", region="us-east-1", time=self._clock.now())
        self.queues[envelope.detail_type].send(message, deadline)

    def in_trouble(self, trouble: Trouble | None) -> None:
        for queue in self.queues.values():
            queue.trouble = trouble

    @property
    def contents(self) -> list[dict[str, Any]]:
        return [event for queue in self.queues.values() for event in queue.contents]


class InMemorySecret(_Service):
    """A secret with its two live versions."""

    def __init__(self, clock: VirtualClock, value: str, *, age: timedelta = timedelta(days=30)) -> None:
        super().__init__(clock)
        self.versions = [SecretVersion(value, clock.now() - age)]

    def store(self, value: str) -> None:
        """Makes a new current version; the one before becomes the previous one."""
        self.versions = [SecretVersion(value, self._clock.now()), self.versions[0]]

    def current(self, deadline: Deadline) -> SecretVersion:
        self._call(deadline, lambda: None)
        return self.versions[0]

    def previous(self, deadline: Deadline) -> SecretVersion | None:
        self._call(deadline, lambda: None)
        return self.versions[1] if len(self.versions) > 1 else None


class InMemoryBookingStore(_Service):
    """A table with conditional writes.

    Attributes:
        before_save: runs before each write, as another writer would.
        given_up: the number of stored bodies that each write says it gave up.
        fits: whether an item can hold the booking.
    """

    def __init__(self, clock: VirtualClock | None = None) -> None:
        super().__init__(clock)
        self.items: dict[str, Booking | Tombstone] = {}
        self.expiries: dict[str, int | None] = {}
        self.writes = 0
        self.attempts = 0
        self.before_save: Callable[[InMemoryBookingStore], None] = lambda _store: None
        self.given_up = 0
        self.fits = True

    def load(self, booking_id: str) -> Booking | Tombstone | None:
        return self._call(None, lambda: self.items.get(booking_id))

    def save(self, booking: Booking, *, replacing: int | None, expires_at: int | None) -> int:
        self.attempts += 1
        self.before_save(self)
        check_storable(booking.public_fields())
        assert expires_at is None or 0 < expires_at < 10**MAX_NUMBER_DIGITS, "a TTL is a number of seconds"
        assert booking.revision == (replacing or 0) + 1, "the revision counts the writes"

        def take() -> int:
            if not self.fits:
                raise BookingTooLarge
            stored = self.items.get(booking.booking_id)
            if (stored.revision if stored else None) != replacing:
                raise RevisionConflict(stored)
            self.items[booking.booking_id] = booking
            self.expiries[booking.booking_id] = expires_at
            self.writes += 1
            return self.given_up

        return self._call(None, take)

    @property
    def only(self) -> Booking:
        (item,) = self.items.values()
        assert isinstance(item, Booking)
        return item


class InMemoryRedelivery:
    """Takes delays as ChangeMessageVisibility does."""

    def __init__(self) -> None:
        self.delayed: list[tuple[str, int]] = []
        self.error: ServiceError | None = None

    def delay(self, messages: Sequence[tuple[str, int]]) -> None:
        assert messages, "a batch call needs an entry"
        assert all(0 <= seconds <= MAX_VISIBILITY_SECONDS for _, seconds in messages)
        if self.error:
            raise self.error
        self.delayed.extend(messages)


def check_message(body: str) -> None:
    """Raises RefusedByService for a message that SendMessage refuses."""
    if not body or _REFUSED_CHARACTER.search(body) or len(body.encode()) > MAX_MESSAGE_BYTES:
        raise RefusedByService("fake: InvalidMessageContents")


def check_entry(envelope: Envelope) -> None:
    """Raises RefusedByService for an entry that PutEvents refuses as malformed or too large."""
    lengths = (len(envelope.source), MAX_SOURCE), (len(envelope.detail_type), MAX_DETAIL_TYPE)
    if not envelope.detail or not all(1 <= length <= most for length, most in lengths):
        raise RefusedByService("fake: InvalidArgument")
    texts = (envelope.source, envelope.detail_type, envelope.detail, *envelope.resources)
    try:
        size = sum(len(text.encode()) for text in texts)
        detail = json.loads(envelope.detail, parse_int=_int64, parse_float=_finite, parse_constant=_finite)
        json.dumps(detail, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError):
        raise RefusedByService("fake: MalformedDetail") from None
    if not isinstance(detail, dict) or size >= MAX_ENTRY_BYTES:
        raise RefusedByService("fake: ValidationException")


def _int64(text: str) -> int:
    if not -(2**63) <= (number := int(text)) < 2**63:
        raise ValueError
    return number


def _finite(text: str) -> float:
    if not isfinite(number := float(text)):
        raise ValueError
    return number


def check_storable(value: Any, depth: int = 0) -> None:
    """Fails on what an item must not hold: null, empty, deep, or a number of too many digits."""
    assert value is not None, "absent, never null"
    assert value not in ("", [], {}), "absent, never empty"
    assert depth <= MAX_ITEM_NESTING, "DynamoDB nests no deeper"
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            check_storable(item, depth + 1)
    elif isinstance(value, int):
        assert abs(value) < 10**MAX_NUMBER_DIGITS
