"""Turns Zoom's event into a delivery of the domain. Nothing outside `zoom/` knows Zoom's field names."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bookings.clock import utc_text
from bookings.domain.booking import Delivery, Details, Kind, StoredDelivery, booking_id_of
from bookings.errors import BookingsError
from bookings.limits import MAX_EVENT_ID_BYTES
from bookings.zoom.body import canonical_json, digest
from bookings.zoom.events import CANCELED, CREATED, UnknownEvent, parse_event

EVENT_ID_FIELD = "payload.object.scheduled_event.event_id"
EVENT_TIME_FIELD = "event_ts"
_EVENT_ID_PATH = EVENT_ID_FIELD.split(".")

# Zoom sends milliseconds; its reference has an example in seconds. 10^11 ms is March 1973.
_SECONDS_BELOW = 10**11


class NoEventId(BookingsError):
    """A scheduled event has no usable `event_id`, so its booking is unknown."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a scheduled event and its booking.

    Attributes:
        event: Zoom's name for it.
        event_time: milliseconds since 1970.
    """

    event: str
    event_time: int
    booking_id: str


def event_time_of(event_ts: int) -> int:
    """Returns an event's time in milliseconds since 1970."""
    return event_ts * 1000 if event_ts < _SECONDS_BELOW else event_ts


def event_id_of(body: dict[str, Any]) -> str | None:
    """Returns the `event_id` of any body, None without one."""
    value: Any = body
    for name in _EVENT_ID_PATH:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value.strip() else None


def identify(body: dict[str, Any]) -> Identity:
    """Validates a scheduled event and returns its identity.

    Raises:
        UnknownEvent, InvalidEvent: there is no model for the event, or the body breaks its rules.
        NoEventId: it lacks an `event_id`, or has one too long for a key.
    """
    event = parse_event(body)
    event_id = event_id_of(body)
    if event_id is None:
        raise NoEventId("is needed to identify the booking")
    if len(event_id.encode()) > MAX_EVENT_ID_BYTES:
        raise NoEventId(f"must be at most {MAX_EVENT_ID_BYTES} bytes long")
    return Identity(
        event=event.event,
        event_time=event_time_of(event.event_ts),
        booking_id=booking_id_of(event_id, _booked(body).get("invitee_email")),
    )


def to_delivery(body: dict[str, Any], request_id: str | None = None) -> Delivery:
    """Returns the delivery in a scheduled event.

    Raises:
        UnknownEvent, InvalidEvent, NoEventId: as `identify`.
    """
    identity = identify(body)
    canonical = canonical_json(body)
    rescheduled = _booked(body).get("rescheduled") is True
    if identity.event == CREATED:
        kind = Kind.CREATED
    elif identity.event == CANCELED:
        kind = Kind.CANCELED_BY_RESCHEDULE if rescheduled else Kind.CANCELED
    else:
        raise UnknownEvent(identity.event)
    return Delivery(
        booking_id=identity.booking_id,
        kind=kind,
        event=StoredDelivery(
            event_time=identity.event_time,
            digest=digest(canonical),
            rescheduled=rescheduled,
            request_id=request_id,
            body=canonical,
            details=details_of(body),
        ),
    )


def details_of_stored(body: bytes) -> Details:
    """Returns the details in a stored body, canonical JSON."""
    return details_of(json.loads(body))


def details_of(body: dict[str, Any]) -> Details:
    """Returns the details in the body of a valid event."""
    payload = body.get("payload") or {}
    booked = _booked(body)
    scheduled = booked.get("scheduled_event") or {}
    place = scheduled.get("location") or {}
    online_meeting = scheduled.get("external_location") or {}
    return Details(
        event_id=event_id_of(body),
        account_id=_without_empty(payload.get("account_id")),
        host_user_id=_without_empty(payload.get("user_id")),
        invitee=_without_empty(
            {
                "email": booked.get("invitee_email"),
                "first_name": booked.get("invitee_first_name"),
                "last_name": booked.get("invitee_last_name"),
                "time_zone": booked.get("time_zone"),
                "phone": booked.get("text_phone_number"),
            }
        ),
        title=_without_empty(scheduled.get("summary")),
        start=_utc(scheduled.get("start_date_time")),
        end=_utc(scheduled.get("end_date_time")),
        location=_without_empty(
            {
                "kind": scheduled.get("location_kind") or online_meeting.get("kind") or place.get("kind"),
                "place": place,
                "online_meeting": online_meeting,
            }
        ),
        guests=_without_empty(scheduled.get("guests")),
        attendees=_without_empty(scheduled.get("attendees")),
        answers=_without_empty(booked.get("questions_and_answers")),
        tracking=_without_empty(booked.get("tracking")),
        manage_url=_without_empty(booked.get("manage_url")),
        cancellation=_without_empty(booked.get("cancellation")),
        created_at=_utc(booked.get("created")) or _utc(scheduled.get("created")),
    )


def _booked(body: dict[str, Any]) -> dict[str, Any]:
    return (body.get("payload") or {}).get("object") or {}


def _without_empty(value: Any) -> Any:
    """Returns a value without its null and empty parts. None if nothing is left."""
    if isinstance(value, dict):
        value = {name: part for name, item in value.items() if (part := _without_empty(item)) is not None}
    elif isinstance(value, list):
        value = [part for item in value if (part := _without_empty(item)) is not None]
    return None if value in ("", [], {}) else value


def _utc(text: str | None) -> str | None:
    """Returns a time in the stored form, None for an unreadable one. A time without an offset is UTC.

    Zoom sends `…Z`, `….087Z` and `…+08:00`. The stored body still has the text.
    """
    try:
        moment = datetime.fromisoformat(text or "")
        return utc_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
