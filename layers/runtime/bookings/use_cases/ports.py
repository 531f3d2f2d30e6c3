"""The protocols that the use cases need from outside. `aws/` implements them, and the tests have fakes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from bookings.clock import Deadline
from bookings.domain.booking import Booking, Snapshot, Tombstone
from bookings.envelope import Envelope
from bookings.errors import BookingsError, ServiceError


class Destination(Protocol):
    """A durable place for events: the bus, or the handlers' queues."""

    def publish(self, envelope: Envelope, deadline: Deadline) -> None:
        """Publishes the event. It is durable when this returns.

        Raises:
            ServiceError: the event was not taken, or not in time.
        """


class EventBus(Protocol):
    def publish_all(self, envelopes: Sequence[Envelope]) -> list[ServiceError | None]:
        """Publishes events. Returns the error of each in their order, None for a published one."""


class MessageQueue(Protocol):
    def send(self, message: str, deadline: Deadline | None = None) -> None:
        """Sends a message. It is durable when this returns.

        Raises:
            RefusedByService: the queue can't hold this message.
            ServiceUnavailable: try again later.
        """


class Redelivery(Protocol):
    def delay(self, messages: Sequence[tuple[str, int]]) -> None:
        """Sets the seconds after which messages, given by receipt handle, are delivered again.

        Raises:
            ServiceError: they are delivered again after the queue's visibility timeout.
        """


class RevisionConflict(BookingsError):
    """Another writer got in first.

    Attributes:
        stored: the present item; None if it was deleted.
    """

    def __init__(self, stored: Booking | Tombstone | None) -> None:
        super().__init__("the booking was written in between")
        self.stored = stored


class BookingTooLarge(BookingsError):
    """The booking does not fit an item, even without the stored bodies."""


class BookingStore(Protocol):
    def load(self, booking_id: str) -> Booking | Tombstone | None:
        """Returns the present item, None if there is none.

        Raises:
            ServiceUnavailable: try again later.
        """

    def save(self, booking: Booking, *, replacing: int | None, expires_at: int | None) -> int:
        """Writes a booking. Returns how many stored bodies it gave up for the item's size.

        Args:
            replacing: the revision of the present item; None if there must be no item.
            expires_at: epoch seconds after which the item may be deleted; None for never.

        Raises:
            RevisionConflict: the present item is another. Merge with it and save again.
            BookingTooLarge: keep the delivery elsewhere.
            ServiceUnavailable: try again later.
        """


@dataclass(frozen=True, slots=True)
class Change:
    """One record of the table's stream.

    Attributes:
        before: None without an item, or for the tombstone of an erased booking.
        after: None for an item that was deleted or erased.
    """

    before: Snapshot | None
    after: Snapshot | None


StreamRecord = Mapping[str, Any]
"""A record as Lambda passes it: attribute values, with base64 for binary ones."""


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
        """Returns the version before the current one, None if there is none.

        Raises:
            ServiceError: it can't be read.
        """
