"""From Zoom's event to the domain's delivery. Nothing outside `zoom/` knows Zoom's field names."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bookings.booking import Delivery, Details, KeptEvent, Kind, booking_id_of
from bookings.clock import utc_text
from bookings.errors import BookingsError
from bookings.zoom.body import canonical_json, digest
from bookings.zoom.events import CANCELED, CREATED, UnknownEvent, parse_event

EVENT_ID_FIELD = "payload.object.scheduled_event.event_id"
EVENT_TIME_FIELD = "event_ts"
_EVENT_ID_PATH = EVENT_ID_FIELD.split(".")

# A partition key holds 2,048 bytes and the booking's hash takes 17 of them.
MAX_EVENT_ID_BYTES = 1024

# Zoom sends milliseconds; its reference has an example in seconds. 10^11 ms is March 1973.
_SECONDS_BELOW = 10**11


class NoEventId(BookingsError):
    """A scheduled event has no usable `event_id`, so its booking can't be told."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a scheduled event is about.

    Attributes:
        event: Zoom's name of it.
        event_time: milliseconds since 1970.
    """

    event: str
    event_time: int
    booking_id: str


def event_time_of(event_ts: int) -> int:
    """Returns an event's time in milliseconds since 1970."""
    return event_ts * 1000 if event_ts < _SECONDS_BELOW else event_ts


def event_id_of(body: dict[str, Any]) -> str | None:
    """Returns the `event_id` in any body, None where there is none."""
    value: Any = body
    for name in _EVENT_ID_PATH:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value.strip() else None


def identify(body: dict[str, Any]) -> Identity:
    """Returns what a scheduled event is about, checked as `to_delivery` needs it.

    Raises:
        UnknownEvent, InvalidEvent: the body is none of the two events, or not valid as one.
        NoEventId: it lacks an `event_id`, or has one too long for a key.
    """
    event = parse_event(body)
    event_id = event_id_of(body)
    if event_id is None:
        raise NoEventId("is needed to tell the booking")
    if len(event_id.encode()) > MAX_EVENT_ID_BYTES:
        raise NoEventId(f"must be at most {MAX_EVENT_ID_BYTES} bytes long")
    return Identity(
        event=event.event,
        event_time=event_time_of(event.event_ts),
        booking_id=booking_id_of(event_id, _object(body).get("invitee_email")),
    )


def to_delivery(body: dict[str, Any], request_id: str | None = None) -> Delivery:
    """Returns what a scheduled event says of its booking.

    Raises:
        UnknownEvent, InvalidEvent, NoEventId: as `identify`.
    """
    identity = identify(body)
    canonical = canonical_json(body)
    rescheduled = _object(body).get("rescheduled") is True
    if identity.event == CREATED:
        kind = Kind.CREATED
    elif identity.event == CANCELED:
        kind = Kind.CANCELED_BY_RESCHEDULE if rescheduled else Kind.CANCELED
    else:
        raise UnknownEvent(identity.event)
    return Delivery(
        booking_id=identity.booking_id,
        kind=kind,
        event=KeptEvent(
            event_time=identity.event_time,
            digest=digest(canonical),
            rescheduled=rescheduled,
            request_id=request_id,
            body=canonical,
            details=details_of(body),
        ),
    )


def details_of_kept(body: bytes) -> Details:
    """Returns the details in a body that was kept, as canonical JSON, with its booking."""
    return details_of(json.loads(body))


def details_of(body: dict[str, Any]) -> Details:
    """Returns the details in the body of a valid event."""
    payload = body.get("payload") or {}
    booked = _object(body)
    scheduled = booked.get("scheduled_event") or {}
    place = scheduled.get("location") or {}
    online_meeting = scheduled.get("external_location") or {}
    return Details(
        event_id=event_id_of(body),
        account_id=_kept(payload.get("account_id")),
        host_user_id=_kept(payload.get("user_id")),
        invitee=_kept(
            {
                "email": booked.get("invitee_email"),
                "first_name": booked.get("invitee_first_name"),
                "last_name": booked.get("invitee_last_name"),
                "time_zone": booked.get("time_zone"),
                "phone": booked.get("text_phone_number"),
            }
        ),
        title=_kept(scheduled.get("summary")),
        start=_utc(scheduled.get("start_date_time")),
        end=_utc(scheduled.get("end_date_time")),
        location=_kept(
            {
                "kind": scheduled.get("location_kind") or online_meeting.get("kind") or place.get("kind"),
                "place": place,
                "online_meeting": online_meeting,
            }
        ),
        guests=_kept(scheduled.get("guests")),
        attendees=_kept(scheduled.get("attendees")),
        answers=_kept(booked.get("questions_and_answers")),
        tracking=_kept(booked.get("tracking")),
        manage_url=_kept(booked.get("manage_url")),
        cancellation=_kept(booked.get("cancellation")),
        created_at=_utc(booked.get("created")) or _utc(scheduled.get("created")),
    )


def _object(body: dict[str, Any]) -> dict[str, Any]:
    return (body.get("payload") or {}).get("object") or {}


def _kept(value: Any) -> Any:
    """Returns a value without what is null or empty in it; None where nothing is left."""
    if isinstance(value, dict):
        value = {name: kept for name, item in value.items() if (kept := _kept(item)) is not None}
    elif isinstance(value, list):
        value = [kept for item in value if (kept := _kept(item)) is not None]
    return None if value in ("", [], {}) else value


def _utc(text: str | None) -> str | None:
    """Returns a time in the stored form, None for what is no time; one without an offset is taken as UTC.

    Zoom sends `…Z`, `….087Z` and `…+08:00`. The text itself is never lost: the body is kept.
    """
    try:
        moment = datetime.fromisoformat(text or "")
        return utc_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
