"""Turns Zoom's event into a delivery of the domain. Nothing outside `zoom/` knows Zoom's field names."""

from dataclasses import dataclass
from typing import Any

from bookings.domain.booking import Delivery, Details, Kind, StoredDelivery, booking_id_of
from bookings.errors import BookingsError
from bookings.limits import MAX_EVENT_ID_BYTES
from bookings.zoom.body import canonical_json, digest
from bookings.zoom.events import (
    CANCELED,
    CREATED,
    ScheduledEventCanceled,
    ScheduledEventCreated,
    UnknownEvent,
    parse_event,
)
from bookings.zoom.times import TimeUnreadable, parse_time

EVENT_ID_FIELD = "payload.object.scheduled_event.event_id"
EMAIL_FIELD = "payload.object.invitee_email"
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
    return _identify(parse_event(body))


def to_delivery(body: dict[str, Any], request_id: str | None = None) -> Delivery:
    """Returns the delivery in a scheduled event.

    Raises:
        UnknownEvent, InvalidEvent, NoEventId: as `identify`.
    """
    event = parse_event(body)
    identity = _identify(event)
    # The models have read near misses as what they mean, such as an answer that is a text.
    payload = _without_empty(event.payload.model_dump()) or {}
    booked = payload.get("object") or {}
    rescheduled = booked.get("rescheduled") is True
    if identity.event == CREATED:
        kind = Kind.CREATED
    elif identity.event == CANCELED:
        kind = Kind.CANCELED_BY_RESCHEDULE if rescheduled else Kind.CANCELED
    else:
        raise UnknownEvent(identity.event)
    canonical = canonical_json(body)
    times = _Times(booked.get("time_zone"))
    return Delivery(
        booking_id=identity.booking_id,
        kind=kind,
        event=StoredDelivery(
            event_time=identity.event_time,
            digest=digest(canonical),
            rescheduled=rescheduled,
            request_id=request_id,
            cancellation=booked.get("cancellation"),
            body=canonical,
        ),
        details=_details(payload, times),
        names_invitee=bool((booked.get("invitee_email") or "").strip()),
        unreadable_times=tuple(times.unreadable),
    )


class _Times:
    """Reads the times of one delivery, and collects the names of the fields that it can't read."""

    def __init__(self, time_zone: str | None) -> None:
        self._time_zone = time_zone
        self.unreadable: list[str] = []

    def read(self, fields: dict[str, Any], name: str) -> str | None:
        text = fields.get(name)
        if text is None:
            return None
        try:
            return parse_time(text, self._time_zone)
        except TimeUnreadable:
            self.unreadable.append(name)
            return None


def _identify(event: ScheduledEventCreated | ScheduledEventCanceled) -> Identity:
    booked = event.payload.object
    event_id = booked.scheduled_event.event_id if booked and booked.scheduled_event else None
    if booked is None or event_id is None or not event_id.strip():
        raise NoEventId("is needed to identify the booking")
    if len(event_id.encode()) > MAX_EVENT_ID_BYTES:
        raise NoEventId(f"must be at most {MAX_EVENT_ID_BYTES} bytes long")
    return Identity(
        event=event.event,
        event_time=event_time_of(event.event_ts),
        booking_id=booking_id_of(event_id, booked.invitee_email),
    )


def _details(payload: dict[str, Any], times: _Times) -> Details:
    """Returns the details in a validated payload without empty values."""
    booked = payload.get("object") or {}
    scheduled = booked.get("scheduled_event") or {}
    place = scheduled.get("location") or {}
    online_meeting = scheduled.get("external_location") or {}
    kinds = (scheduled.get("location_kind"), place.get("location_type"), online_meeting.get("kind"))
    return Details(
        event_id=scheduled.get("event_id"),
        account_id=payload.get("account_id"),
        host_user_id=payload.get("user_id"),
        invitee=_without_empty(
            {
                "email": booked.get("invitee_email"),
                "first_name": booked.get("invitee_first_name"),
                "last_name": booked.get("invitee_last_name"),
                "time_zone": booked.get("time_zone"),
                "phone": booked.get("text_phone_number"),
            }
        ),
        title=scheduled.get("summary"),
        start=times.read(scheduled, "start_date_time"),
        end=times.read(scheduled, "end_date_time"),
        location=_without_empty(
            {
                "kind": next((kind for kind in kinds if isinstance(kind, str)), None),
                "place": place,
                "online_meeting": online_meeting,
            }
        ),
        guests=scheduled.get("guests"),
        attendees=scheduled.get("attendees"),
        answers=booked.get("questions_and_answers"),
        tracking=booked.get("tracking"),
        payment=payment if isinstance(payment := booked.get("payment"), dict) else None,
        manage_url=booked.get("manage_url"),
        created_at=times.read(booked, "created") or times.read(scheduled, "created"),
    )


def _without_empty(value: Any) -> Any:
    """Returns a value without its null and empty parts. None if nothing is left."""
    if isinstance(value, dict):
        value = {name: part for name, item in value.items() if (part := _without_empty(item)) is not None}
    elif isinstance(value, list):
        value = [part for item in value if (part := _without_empty(item)) is not None]
    return None if value in ("", [], {}) else value
