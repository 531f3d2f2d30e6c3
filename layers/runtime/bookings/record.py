"""A delivery becomes the state of its booking: read, merge, write if nobody wrote in between."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from bookings.booking import Booking, Delivery, Tombstone, expires_at, merge
from bookings.clock import Clock
from bookings.counts import Count, Counter
from bookings.envelope import parse_message
from bookings.errors import BookingsError
from bookings.field_errors import FieldError
from bookings.quarantine import Quarantine, quarantine_message
from bookings.services import ServiceUnavailable
from bookings.zoom.delivery import to_delivery

MAX_ATTEMPTS = 5  # a retry is only needed when another writer got in first

_NO_REVISION = 0  # no item has it: to replace it is always refused, so it only reads


class RevisionConflict(BookingsError):
    """Somebody wrote the booking since it was read.

    Attributes:
        stored: what stands in the table now; None when it was deleted.
    """

    def __init__(self, stored: Booking | Tombstone | None) -> None:
        super().__init__("the booking was written in between")
        self.stored = stored


class BookingTooLarge(BookingsError):
    """The booking does not fit an item, even without the bodies that are kept with it."""


class BookingStore(Protocol):
    def save(self, booking: Booking, *, replacing: int | None, expires_at: int | None) -> int:
        """Writes the booking and returns how many of its kept bodies had to be given up for size.

        Args:
            replacing: the revision that must stand in the table; None where there must be no item.
            expires_at: epoch seconds after which it may be deleted; None for never.

        Raises:
            RevisionConflict: another revision stands there; merge with that one and save again.
            BookingTooLarge: keep the delivery elsewhere.
            ServiceUnavailable: try again later.
        """


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a delivery, fit for a log.

    Attributes:
        bodies_given_up: how many of the booking's kept bodies its item had no room for.
    """

    outcome: Count
    booking_id: str
    request_id: str | None
    bodies_given_up: int = 0


class Recorder:
    """Records deliveries, one at a time; both handlers use one of their own."""

    def __init__(
        self,
        *,
        store: BookingStore,
        quarantine: Quarantine,
        retention_days: int,
        clock: Clock,
        count: Counter,
    ) -> None:
        self._store = store
        self._quarantine = quarantine
        self._retention_days = retention_days
        self._clock = clock
        self._count = count

    def record(self, message: str) -> Recorded:
        """Records the delivery in a queue message.

        Raises:
            MalformedEnvelope, UnknownEvent, InvalidEvent, NoEventId: the message is no delivery; only
                its sender can mend that, so it belongs in the DLQ.
            ServiceError: try again later.
        """
        envelope = parse_message(message)
        delivery = to_delivery(envelope.detail, envelope.request_id)
        outcome, given_up = self._merge_into_table(delivery)
        self._count(outcome)
        return Recorded(outcome, delivery.booking_id, envelope.request_id, given_up)

    def _merge_into_table(self, delivery: Delivery) -> tuple[Count, int]:
        """Returns what became of the delivery, and how many kept bodies were given up for it."""
        now = self._clock.now()
        # Most deliveries are a booking's first, so the first attempt is a write, and its refusal the read.
        stored: Booking | Tombstone | None = None
        for attempt in range(MAX_ATTEMPTS):
            erased_until = _erased_until(stored)
            if erased_until is not None and delivery.event.event_time <= erased_until:
                return Count.ERASED, 0
            known = stored if isinstance(stored, Booking) else None
            merged = merge(known, delivery)
            if merged is known:
                return _unchanged(known, delivery), 0
            # Past its retention by what it tells itself, it may still be news of a booking that is not.
            past_retention = self._past_retention(merged, now)
            if past_retention and attempt:
                return Count.PAST_RETENTION, 0
            try:
                given_up = self._store.save(
                    replace(
                        merged, revision=(stored.revision if stored else 0) + 1, erased_until=erased_until
                    ),
                    replacing=_NO_REVISION if past_retention else stored.revision if stored else None,
                    expires_at=expires_at(merged, self._retention_days),
                )
            except RevisionConflict as conflict:
                stored = conflict.stored
                if attempt:
                    self._count(Count.CONTENTION)
            except BookingTooLarge:
                self._set_aside(delivery, now)
                return Count.QUARANTINED, 0
            else:
                for _ in range(given_up):
                    self._count(Count.BODY_GIVEN_UP)
                if known and _same_time(known, delivery):
                    self._count(Count.CONFLICT)
                return Count.BOOKING_WRITTEN, given_up
        raise ServiceUnavailable(f"the booking was written by others {MAX_ATTEMPTS} times", answered=True)

    def _past_retention(self, booking: Booking, now: datetime) -> bool:
        end = expires_at(booking, self._retention_days)
        return end is not None and end <= now.timestamp()

    def _set_aside(self, delivery: Delivery, now: datetime) -> None:
        message = quarantine_message(
            reason="too_large",
            errors=[FieldError(field="", message="the booking does not fit an item of the table")],
            received_at=now,
            body=delivery.event.body or b"",
            request_id=delivery.event.request_id,
        )
        self._quarantine.send(message)


def _erased_until(stored: Booking | Tombstone | None) -> int | None:
    """Returns until when deliveries are dropped; what is made anew over a tombstone remembers it."""
    if stored is None:
        return None
    return stored.erased_at if isinstance(stored, Tombstone) else stored.erased_until


def _unchanged(booking: Booking, delivery: Delivery) -> Count:
    """Returns why a delivery changed nothing."""
    present = booking.kept[delivery.kind]
    if present.digest == delivery.event.digest and present.event_time == delivery.event.event_time:
        return Count.DUPLICATE
    return Count.CONFLICT if _same_time(booking, delivery) else Count.SUPERSEDED


def _same_time(booking: Booking, delivery: Delivery) -> bool:
    present = booking.kept.get(delivery.kind)
    return present is not None and present.event_time == delivery.event.event_time
