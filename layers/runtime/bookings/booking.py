"""A booking, and the one rule by which deliveries become its state.

`merge` is commutative, associative and idempotent: duplicates, retries and any order end in the same booking.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from bookings.clock import utc_text

MOVE_WINDOW_MS = 60_000
"""The two halves of a move carry event times at most this far apart."""

SECONDS_A_DAY = 86_400


class Status(StrEnum):
    CONFIRMED = "confirmed"
    CANCELED = "canceled"


class Kind(StrEnum):
    """What a delivery says of a booking. Of each kind, a booking keeps the newest."""

    CREATED = "created"
    CANCELED = "canceled"
    CANCELED_BY_RESCHEDULE = "canceled_by_reschedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What a delivery tells of a booking, in the form it is stored and announced. What it lacks is None.

    `start`, `end` and `created_at` are UTC texts; the objects and lists are Zoom's, less what is empty.
    """

    event_id: str | None = None
    account_id: str | None = None
    host_user_id: str | None = None
    invitee: dict[str, Any] | None = None
    title: str | None = None
    start: str | None = None
    end: str | None = None
    location: dict[str, Any] | None = None
    guests: list[Any] | None = None
    attendees: list[Any] | None = None
    answers: list[Any] | None = None
    tracking: dict[str, Any] | None = None
    manage_url: str | None = None
    cancellation: dict[str, Any] | None = None
    created_at: str | None = None

    def filled_from(self, other: Details) -> Details:
        """Returns these details, with the other's where these lack something."""
        filled = {
            item.name: getattr(other, item.name)
            for item in dataclasses.fields(self)
            if getattr(self, item.name) is None
        }
        if self.invitee and other.invitee:
            filled["invitee"] = other.invitee | self.invitee
        return dataclasses.replace(self, **filled)

    def as_dict(self) -> dict[str, Any]:
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEvent:
    """One delivery as a booking keeps it.

    Attributes:
        event_time: Zoom's time of the event, milliseconds since 1970.
        digest: SHA-256 of the body as canonical JSON; decides between two bodies of one event time.
        body: the body as canonical JSON, so that no field is ever lost; None once given up for size.
        details: what the body tells; None where the body was given up.
    """

    event_time: int
    digest: str
    rescheduled: bool
    request_id: str | None = None
    body: bytes | None = field(default=None, repr=False)
    details: Details | None = field(default=None, repr=False)

    @property
    def order(self) -> tuple[int, str]:
        return self.event_time, self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One verified delivery about one booking."""

    booking_id: str
    kind: Kind
    event: KeptEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """The state of a booking; what it says follows from `kept` alone.

    Attributes:
        revision: counts the writes; 0 for a booking that was never written.
        erased_until: of a booking that was erased before and made anew: milliseconds since 1970; deliveries
            of that time or before are still dropped.
    """

    booking_id: str
    status: Status
    rescheduled: bool
    details: Details = field(repr=False)
    kept: Mapping[Kind, KeptEvent]
    revision: int = 0
    erased_until: int | None = None

    @property
    def newest(self) -> KeptEvent:
        return max(self.kept.values(), key=lambda event: event.order)

    def public_fields(self) -> dict[str, Any]:
        """Returns the item as subscribers see it: all but what is ours alone to know."""
        fields: dict[str, Any] = {
            "booking_id": self.booking_id,
            "status": str(self.status),
            "rescheduled": self.rescheduled,
            **self.details.as_dict(),
            "updated_at": event_time_text(self.newest.event_time),
        }
        if self.newest.request_id:
            fields["request_id"] = self.newest.request_id
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """What is left of an erased booking, so that older deliveries don't bring it back.

    Attributes:
        erased_at: milliseconds since 1970; deliveries of that time or before are dropped.
    """

    booking_id: str
    erased_at: int
    revision: int


def booking_id_of(event_id: str, email: str | None) -> str:
    """Returns a booking's key: pseudonymous, so fit for logs.

    A group event is one `event_id` with many invitees; without an e-mail the `event_id` alone tells it.
    """
    told_by = f"{event_id}\n{(email or '').lower()}"
    return f"{event_id}-{hashlib.sha256(told_by.encode()).hexdigest()[:16]}"


def event_time_text(event_time: int) -> str:
    return utc_text(datetime.fromtimestamp(event_time / 1000, UTC))


def merge(booking: Booking | None, delivery: Delivery) -> Booking:
    """Returns the booking with the delivery in it; the very same one if the delivery says nothing newer."""
    kept = dict(booking.kept) if booking else {}
    present = kept.get(delivery.kind)
    if booking and present and present.order >= delivery.event.order:
        return booking
    kept[delivery.kind] = delivery.event
    canceled_by = _canceled_by(kept)
    created = kept.get(Kind.CREATED)
    return Booking(
        booking_id=delivery.booking_id,
        status=Status.CANCELED if canceled_by else Status.CONFIRMED,
        rescheduled=(canceled_by or kept[Kind.CREATED]).rescheduled,
        details=_details(kept, created, canceled_by, booking.details if booking else Details()),
        kept=MappingProxyType(kept),
        revision=booking.revision if booking else 0,
        erased_until=booking.erased_until if booking else None,
    )


def expires_at(booking: Booking, retention_days: int) -> int | None:
    """Returns when the booking may be deleted, in epoch seconds; None where bookings are kept for ever."""
    if not retention_days:
        return None
    last = booking.newest.event_time // 1000
    if booking.details.end:
        last = max(last, int(datetime.fromisoformat(booking.details.end).timestamp()))
    # In seconds and not as a datetime: an end in the year 9999 has no date so many days after it.
    return last + retention_days * SECONDS_A_DAY


def _canceled_by(kept: Mapping[Kind, KeptEvent]) -> KeptEvent | None:
    """Returns the newest of the events that cancel the booking, None while it is confirmed."""
    created = kept.get(Kind.CREATED)
    canceled = kept.get(Kind.CANCELED)
    moved = kept.get(Kind.CANCELED_BY_RESCHEDULE)
    canceling = [
        event
        for event in (canceled, moved)
        if event and (created is None or event.event_time >= created.event_time)
    ]
    if moved in canceling and _halves_of_one_move(created, moved):
        canceling.remove(moved)
    return max(canceling, key=lambda event: event.order, default=None)


def _halves_of_one_move(created: KeptEvent | None, moved: KeptEvent | None) -> bool:
    return (
        created is not None
        and moved is not None
        and created.rescheduled
        and abs(moved.event_time - created.event_time) <= MOVE_WINDOW_MS
    )


def _details(
    kept: Mapping[Kind, KeptEvent],
    created: KeptEvent | None,
    canceled_by: KeptEvent | None,
    stored: Details,
) -> Details:
    def details(event: KeptEvent) -> Details:
        # Of an event whose body was given up for size, the item's own fields are what is left.
        return event.details if event.details is not None else stored

    cancels = [event for kind, event in kept.items() if kind is not Kind.CREATED]
    newest_first = sorted(cancels, key=lambda event: event.order, reverse=True)[:1]
    sources = [created, *newest_first] if created else newest_first
    result = details(sources[0])
    for source in sources[1:]:
        result = result.filled_from(details(source))
    created_at = result.created_at or (event_time_text(created.event_time) if created else None)
    cancellation = details(canceled_by).cancellation if canceled_by else None
    return dataclasses.replace(result, created_at=created_at, cancellation=cancellation)
