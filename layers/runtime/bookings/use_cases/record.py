"""Records a delivery: merges it into its booking, and writes if nobody wrote in between."""

from dataclasses import dataclass, replace
from datetime import datetime

from bookings.clock import Clock
from bookings.counts import Count, Counter
from bookings.domain.booking import Booking, Delivery, Tombstone, expires_at, merge
from bookings.envelope import parse_message
from bookings.errors import FieldError, ServiceUnavailable
from bookings.limits import WRITE_ATTEMPTS
from bookings.use_cases.ports import BookingStore, BookingTooLarge, MessageQueue, RevisionConflict
from bookings.use_cases.quarantine import quarantine_message
from bookings.zoom.delivery import EMAIL_FIELD, to_delivery


@dataclass(frozen=True, slots=True)
class Recorded:
    """The outcome of a delivery. Every field may be logged.

    Attributes:
        bodies_given_up: the number of stored bodies that did not fit the item.
        unreadable_times: names of the fields that were left out of the booking.
    """

    outcome: Count
    booking_id: str
    request_id: str | None
    bodies_given_up: int = 0
    unreadable_times: tuple[str, ...] = ()


class Recorder:
    """Records deliveries, one at a time. Each of the two handlers has its own."""

    def __init__(
        self,
        *,
        store: BookingStore,
        quarantine: MessageQueue,
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
            MalformedEnvelope, UnknownEvent, InvalidEvent, NoEventId: the message is no valid delivery. A
                retry fails again, so it belongs in the DLQ.
            ServiceError: try again later.
        """
        envelope = parse_message(message)
        delivery = to_delivery(envelope.detail, envelope.request_id)
        outcome, given_up = self._merge_into_table(delivery)
        self._count(outcome)
        for _ in delivery.unreadable_times:
            self._count(Count.TIME_UNREADABLE)
        return Recorded(
            outcome, delivery.booking_id, envelope.request_id, given_up, delivery.unreadable_times
        )

    def _merge_into_table(self, delivery: Delivery) -> tuple[Count, int]:
        """Returns the outcome, and the number of stored bodies that were given up."""
        now = self._clock.now()
        # Most deliveries are a booking's first, so write before reading. A refused write returns the item.
        stored: Booking | Tombstone | None = None
        is_read = False
        for attempt in range(WRITE_ATTEMPTS):
            erased_until = _erased_until(stored)
            if erased_until is not None and delivery.event.event_time <= erased_until:
                return Count.ERASED, 0
            known = stored if isinstance(stored, Booking) else None
            merged = merge(known, delivery)
            if merged is known:
                return _unchanged(known, delivery), 0
            expired = self._past_retention(merged, now)
            unknown = delivery.needs_booking and known is None
            if (expired or unknown) and not is_read:
                # The delivery alone does not decide. The stored booking may end later, or be the one meant.
                stored, is_read = self._store.load(delivery.booking_id), True
                continue
            if expired:
                return Count.PAST_RETENTION, 0
            if unknown:
                error = FieldError(field=EMAIL_FIELD, message="is needed to find the booking")
                self._set_aside(delivery, "no_invitee_email", error, now)
                return Count.QUARANTINED, 0
            try:
                given_up = self._store.save(
                    replace(
                        merged, revision=(stored.revision if stored else 0) + 1, erased_until=erased_until
                    ),
                    replacing=stored.revision if stored else None,
                    expires_at=expires_at(merged, self._retention_days),
                )
            except RevisionConflict as conflict:
                stored, is_read = conflict.stored, True
                if attempt:
                    self._count(Count.CONTENTION)
            except BookingTooLarge:
                error = FieldError(field="", message="the booking does not fit an item of the table")
                self._set_aside(delivery, "too_large", error, now)
                return Count.QUARANTINED, 0
            else:
                for _ in range(given_up):
                    self._count(Count.BODY_GIVEN_UP)
                if known and _same_time(known, delivery):
                    self._count(Count.CONFLICT)
                return Count.BOOKING_WRITTEN, given_up
        raise ServiceUnavailable(f"the booking was written by others {WRITE_ATTEMPTS} times", answered=True)

    def _past_retention(self, booking: Booking, now: datetime) -> bool:
        end = expires_at(booking, self._retention_days)
        return end is not None and end <= now.timestamp()

    def _set_aside(self, delivery: Delivery, reason: str, error: FieldError, now: datetime) -> None:
        """Puts the delivery into quarantine, whole."""
        message = quarantine_message(
            reason=reason,
            errors=[error],
            received_at=now,
            body=delivery.event.body or b"",
            request_id=delivery.event.request_id,
        )
        self._quarantine.send(message)


def _erased_until(stored: Booking | Tombstone | None) -> int | None:
    """Returns the time up to which deliveries are dropped. A booking after an erasure keeps it."""
    if stored is None:
        return None
    return stored.erased_at if isinstance(stored, Tombstone) else stored.erased_until


def _unchanged(booking: Booking, delivery: Delivery) -> Count:
    """Returns why a delivery changes nothing."""
    present = booking.deliveries[delivery.kind]
    if present.digest == delivery.event.digest and present.event_time == delivery.event.event_time:
        return Count.DUPLICATE
    return Count.CONFLICT if _same_time(booking, delivery) else Count.SUPERSEDED


def _same_time(booking: Booking, delivery: Delivery) -> bool:
    present = booking.deliveries.get(delivery.kind)
    return present is not None and present.event_time == delivery.event.event_time
