"""Stand-ins for what surrounds the use cases, as strict as the services they stand for.

Fakes and not mocks: a use case is judged by what it leaves behind in them, not by the calls it makes.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from bookings.clock import Deadline
from bookings.counts import Count
from bookings.domain.booking import Booking, Tombstone
from bookings.envelope import Envelope
from bookings.errors import RefusedByService, ServiceError, ServiceUnavailable
from bookings.limits import CALL_SECONDS
from bookings.use_cases.ports import BookingTooLarge, RevisionConflict, SecretVersion
from bookings.zoom.events import CANCELED, CREATED

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)

# The API references of SQS, EventBridge and DynamoDB, read in November 2026.
MAX_MESSAGE_BYTES = 1_048_576
MAX_VISIBILITY_SECONDS = 43_200
REFUSED_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MAX_ENTRY_BYTES = 1_048_576  # an entry stays under it
MAX_SOURCE, MAX_DETAIL_TYPE = 256, 128
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
MAX_LEVELS = 32  # of lists and maps in an item
MAX_DIGITS = 38


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
    """Counts, and tells another counter if there is one."""

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
    """A service that can be in trouble, for good or for the next calls."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self._clock = clock or VirtualClock()
        self.trouble: Trouble | None = None
        self.next: list[Trouble | None] = []
        self.calls = 0

    def _call(self, deadline: Deadline | None, take: Callable[[], None]) -> None:
        """Does what is asked, as a call does that gives up after `CALL_SECONDS`.

        Raises:
            ServiceError: as the trouble says, there was no answer in time, or no time left to begin.
        """
        if deadline and not deadline.allows(CALL_SECONDS):
            raise ServiceUnavailable("fake: no time left")
        self.calls += 1
        trouble = self.next.pop(0) if self.next else self.trouble
        if trouble is None:
            take()
            return
        if trouble.took_it:
            take()
        if trouble.seconds > CALL_SECONDS:
            self._clock.advance(CALL_SECONDS)
            raise ServiceUnavailable("fake: no answer in time")
        self._clock.advance(trouble.seconds)
        if trouble.error:
            raise trouble.error
        if not trouble.took_it:
            take()


class InMemoryBus(_Service):
    """An event bus; refuses what PutEvents refuses."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        super().__init__(clock)
        self.published: list[Envelope] = []
        self.refuses: Callable[[Envelope], ServiceError | None] = lambda _envelope: None

    def publish(self, envelope: Envelope, deadline: Deadline | None = None) -> None:
        def take() -> None:
            check_entry(envelope)
            self.published.append(envelope)

        self._call(deadline, take)

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
        def take() -> None:
            check_message(message)
            self.messages.append(message)

        self._call(deadline, take)

    @property
    def contents(self) -> list[dict[str, Any]]:
        return [json.loads(message) for message in self.messages]


class InMemoryHandlerQueues:
    """The two handlers' queues."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.queues = {CREATED: InMemoryQueue(clock), CANCELED: InMemoryQueue(clock)}

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


@dataclass
class InMemoryBookingStore:
    """A table with conditional writes.

    Attributes:
        before_save: runs before each write, as another writer would.
        given_up: how many kept bodies each write says it gave up.
        fits: whether an item can hold the booking.
    """

    items: dict[str, Booking | Tombstone] = field(default_factory=dict)
    expiries: dict[str, int | None] = field(default_factory=dict)
    writes: int = 0
    attempts: int = 0
    before_save: Callable[["InMemoryBookingStore"], None] = lambda _store: None
    given_up: int = 0
    fits: bool = True
    next: list[Trouble | None] = field(default_factory=list)

    def load(self, booking_id: str) -> Booking | Tombstone | None:
        trouble = self.next.pop(0) if self.next else None
        if trouble and trouble.error:
            raise trouble.error
        return self.items.get(booking_id)

    def save(self, booking: Booking, *, replacing: int | None, expires_at: int | None) -> int:
        self.attempts += 1
        self.before_save(self)
        check_storable(booking.public_fields())
        if expires_at is not None and not 0 < expires_at < 10**MAX_DIGITS:
            raise AssertionError("a TTL is a number of seconds")
        trouble = self.next.pop(0) if self.next else None
        if trouble and not trouble.took_it:
            assert trouble.error
            raise trouble.error
        if not self.fits:
            raise BookingTooLarge
        stored = self.items.get(booking.booking_id)
        if (stored.revision if stored else None) != replacing:
            raise RevisionConflict(stored)
        if booking.revision != (replacing or 0) + 1:
            raise AssertionError("the revision counts the writes")
        self.items[booking.booking_id] = booking
        self.expiries[booking.booking_id] = expires_at
        self.writes += 1
        if trouble and trouble.error:
            raise trouble.error
        return self.given_up

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


def check_entry(envelope: Envelope) -> None:
    """Refuses what EventBridge refuses in one entry.

    Raises:
        RefusedByService: the entry is malformed or too large.
    """
    for text, longest in ((envelope.source, MAX_SOURCE), (envelope.detail_type, MAX_DETAIL_TYPE)):
        if not 0 < len(text) <= longest:
            raise RefusedByService("fake: InvalidArgument")
    try:
        detail = json.loads(envelope.detail, parse_int=_integer, parse_float=_float, parse_constant=_refuse)
        if not isinstance(detail, dict):
            raise TypeError("no object")
        json.dumps(detail, ensure_ascii=False).encode()  # an escaped half of a surrogate pair is no text
    except (TypeError, ValueError, RecursionError):
        raise RefusedByService("fake: MalformedDetail") from None
    texts = (envelope.source, envelope.detail_type, envelope.detail, *envelope.resources)
    if sum(len(text.encode()) for text in texts) >= MAX_ENTRY_BYTES:
        raise RefusedByService("fake: ValidationException")


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)  # NaN and Infinity are Python's own, not JSON


def _integer(text: str) -> int:
    number = int(text)
    return number if MIN_INTEGER <= number <= MAX_INTEGER else _refuse(text)


def _float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def check_message(message: str) -> None:
    """Refuses what SQS refuses in a message.

    Raises:
        RefusedByService: it is empty, too large, or has a character that SQS doesn't take.
    """
    if not message:
        raise RefusedByService("fake: MissingParameter")
    if REFUSED_CHARACTER.search(message):
        raise RefusedByService("fake: InvalidMessageContents")
    if len(message.encode()) > MAX_MESSAGE_BYTES:
        raise RefusedByService("fake: InvalidParameterValue")


def check_storable(value: Any, depth: int = 0) -> None:
    """Fails on what an item must not hold: null, empty, deep, or a number of too many digits."""
    assert value is not None, "absent, never null"
    assert value not in ("", [], {}), "absent, never empty"
    assert depth <= MAX_LEVELS, "DynamoDB nests no deeper"
    if isinstance(value, dict):
        for name, item in value.items():
            assert isinstance(name, str)
            check_storable(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            check_storable(item, depth + 1)
    elif isinstance(value, int):
        assert abs(value) < 10**MAX_DIGITS
