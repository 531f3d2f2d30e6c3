"""Stand-ins for what surrounds the use cases, as strict as the services they stand for.

Fakes and not mocks: a use case is judged by what it leaves behind in them, not by the calls it makes. What
the services refuse is said in `tests/aws` and nowhere else.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bookings.clock import Deadline
from bookings.counts import Count
from bookings.domain.booking import Booking, Tombstone
from bookings.envelope import Envelope
from bookings.errors import RefusedByService, ServiceError, ServiceUnavailable
from bookings.limits import CALL_SECONDS
from bookings.use_cases.ports import BookingTooLarge, RevisionConflict, SecretVersion
from bookings.zoom.events import CANCELED, CREATED
from tests.aws import dynamodb, events, sqs
from tests.aws.errors import AWSError

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
            try:
                sqs.check_body(message)
            except AWSError as error:
                raise RefusedByService(f"fake: {error.code}") from None
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
        if expires_at is not None and not 0 < expires_at < 10**dynamodb.MAX_NUMBER_DIGITS:
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
        assert all(0 <= seconds <= sqs.MAX_VISIBILITY_SECONDS for _, seconds in messages)
        if self.error:
            raise self.error
        self.delayed.extend(messages)


def check_entry(envelope: Envelope) -> None:
    """Refuses what EventBridge refuses in one entry.

    Raises:
        RefusedByService: the entry is malformed or too large.
    """
    entry = {
        "Source": envelope.source,
        "DetailType": envelope.detail_type,
        "Detail": envelope.detail,
        "Resources": envelope.resources,
    }
    try:
        events.check_entry(entry)
    except events.Refused as refusal:
        raise RefusedByService(f"fake: {refusal.code}") from None
    if events.entry_size(entry) >= events.MAX_ENTRIES_BYTES:
        raise RefusedByService("fake: ValidationException")


def check_storable(value: Any, depth: int = 0) -> None:
    """Fails on what an item must not hold: null, empty, deep, or a number of too many digits."""
    assert value is not None, "absent, never null"
    assert value not in ("", [], {}), "absent, never empty"
    assert depth <= dynamodb.MAX_NESTING, "DynamoDB nests no deeper"
    if isinstance(value, dict):
        for name, item in value.items():
            assert isinstance(name, str)
            check_storable(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            check_storable(item, depth + 1)
    elif isinstance(value, int):
        assert abs(value) < 10**dynamodb.MAX_NUMBER_DIGITS
