"""A booking, and the one rule by which deliveries become its state.

`merge` is commutative, associative and idempotent: duplicates, retries and any order end in the same booking.
"""

from __future__ import annotations

import dataclasses
import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from bookings.clock import utc_text
from bookings.limits import MOVE_WINDOW_MS

SECONDS_A_DAY = 86_400


class Status(StrEnum):
    CONFIRMED = "confirmed"
    CANCELED = "canceled"


class Kind(StrEnum):
    """The kinds of deliveries. A booking stores the newest of each kind."""

    CREATED = "created"
    CANCELED = "canceled"
    CANCELED_BY_RESCHEDULE = "canceled_by_reschedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """The details of a booking as they are stored and announced. A missing one is None.

    `start`, `end` and `created_at` are UTC texts. Objects and lists have no empty values.
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
    payment: dict[str, Any] | None = None
    manage_url: str | None = None
    created_at: str | None = None

    def as_dict(self) -> dict[str, Any]:
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDelivery:
    """One delivery as a booking stores it.

    Attributes:
        event_time: milliseconds since 1970, by Zoom's clock.
        digest: SHA-256 of the canonical body. It orders two bodies with one event time.
        body: canonical JSON, with every field. None once it was given up for the item's size.
    """

    event_time: int
    digest: str
    rescheduled: bool
    request_id: str | None = None
    cancellation: dict[str, Any] | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)

    @property
    def order(self) -> tuple[int, str]:
        return self.event_time, self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One verified delivery about one booking.

    Attributes:
        names_invitee: false without an e-mail. Such a cancel only changes a booking that is there.
        unreadable_times: names of the fields whose time can't be read. The details lack these times.
    """

    booking_id: str
    kind: Kind
    event: StoredDelivery
    details: Details = field(repr=False)
    names_invitee: bool = True
    unreadable_times: tuple[str, ...] = ()

    @property
    def needs_booking(self) -> bool:
        """Whether nobody can tell whose booking it is, unless there is one under its key."""
        return self.kind is not Kind.CREATED and not self.names_invitee


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """The state of a booking.

    Attributes:
        details: all from the newest created delivery, or without one from the newest cancel.
        revision: number of writes. 0 before the first.
        erased_until: set on a booking that was erased and booked anew. Milliseconds since 1970. Deliveries
            of that time or before are dropped.
    """

    booking_id: str
    status: Status
    rescheduled: bool
    details: Details = field(repr=False)
    deliveries: Mapping[Kind, StoredDelivery]
    revision: int = 0
    erased_until: int | None = None

    @property
    def newest(self) -> StoredDelivery:
        return max(self.deliveries.values(), key=lambda event: event.order)

    @property
    def cancellation(self) -> dict[str, Any] | None:
        """The cancellation of the delivery that cancels the booking, None while it is confirmed."""
        canceled_by = _canceled_by(self.deliveries)
        return canceled_by.cancellation if canceled_by else None

    def public_fields(self) -> dict[str, Any]:
        """Returns the fields that subscribers may see. `events.Booking` describes them."""
        fields: dict[str, Any] = {
            "booking_id": self.booking_id,
            "status": str(self.status),
            "rescheduled": self.rescheduled,
            **self.details.as_dict(),
            "updated_at": event_time_text(self.newest.event_time),
        }
        if self.cancellation:
            fields["cancellation"] = self.cancellation
        if self.newest.request_id:
            fields["request_id"] = self.newest.request_id
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """The rest of an erased booking. Older deliveries don't bring it back.

    Attributes:
        erased_at: milliseconds since 1970. Deliveries of that time or before are dropped.
    """

    booking_id: str
    erased_at: int
    revision: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One revision of a booking in the table.

    Attributes:
        fields: the public ones. `events.Booking` ignores others.
        digests: of each stored delivery.
    """

    fields: dict[str, Any]
    revision: int
    digests: dict[Kind, str]

    @property
    def booking_id(self) -> str:
        return str(self.fields["booking_id"])


def booking_id_of(event_id: str, email: str | None) -> str:
    """Returns a booking's key. It is pseudonymous and may be logged.

    All invitees of a group event share one `event_id`. White space around an e-mail, its case and its Unicode
    form don't make another person.
    """
    identity = f"{event_id}\n{unicodedata.normalize('NFC', (email or '').strip().lower())}"
    return f"{event_id}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def event_time_text(event_time: int) -> str:
    return utc_text(datetime.fromtimestamp(event_time / 1000, UTC))


def merge(booking: Booking | None, delivery: Delivery) -> Booking:
    """Returns the booking with the delivery merged. The same object means that the delivery is not newer."""
    deliveries = dict(booking.deliveries) if booking else {}
    present = deliveries.get(delivery.kind)
    if booking and present and present.order >= delivery.event.order:
        return booking
    deliveries[delivery.kind] = delivery.event
    canceled_by = _canceled_by(deliveries)
    newest = max(deliveries.values(), key=lambda event: event.order)
    source = deliveries.get(Kind.CREATED, newest)
    return Booking(
        booking_id=delivery.booking_id,
        status=Status.CANCELED if canceled_by else Status.CONFIRMED,
        rescheduled=(canceled_by or deliveries[Kind.CREATED]).rescheduled,
        # Only the new delivery can become the source, so no stored body is read.
        details=booking.details if booking and source is not delivery.event else delivery.details,
        deliveries=MappingProxyType(deliveries),
        revision=booking.revision if booking else 0,
        erased_until=booking.erased_until if booking else None,
    )


def expires_at(booking: Booking, retention_days: int) -> int | None:
    """Returns the epoch seconds after which the booking may be deleted. None without a retention."""
    if not retention_days:
        return None
    last = booking.newest.event_time // 1000
    if booking.details.end:
        last = max(last, int(datetime.fromisoformat(booking.details.end).timestamp()))
    # Not as a datetime: for an end in the year 9999 it would overflow.
    return last + retention_days * SECONDS_A_DAY


def _canceled_by(deliveries: Mapping[Kind, StoredDelivery]) -> StoredDelivery | None:
    """Returns the newest delivery that cancels the booking, None while it is confirmed."""
    created = deliveries.get(Kind.CREATED)
    canceled = deliveries.get(Kind.CANCELED)
    moved = deliveries.get(Kind.CANCELED_BY_RESCHEDULE)
    canceling = [
        event
        for event in (canceled, moved)
        if event and (created is None or event.event_time >= created.event_time)
    ]
    if moved in canceling and _halves_of_one_move(created, moved):
        canceling.remove(moved)
    return max(canceling, key=lambda event: event.order, default=None)


def _halves_of_one_move(created: StoredDelivery | None, moved: StoredDelivery | None) -> bool:
    return (
        created is not None
        and moved is not None
        and created.rescheduled
        and abs(moved.event_time - created.event_time) <= MOVE_WINDOW_MS
    )
