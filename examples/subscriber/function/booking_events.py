"""Types of the booking events, schema version 1. A copy of the bookings stack's models, without pydantic.

Copy this file into your service. docs/subscribers.md explains each field. A field that is `NotRequired` is
absent when it has no value, never null. A version may get new fields, so ignore those you don't know.
"""

from typing import Any, Literal, NotRequired, TypedDict

Time = str
"""RFC 3339, in UTC: 2026-11-26T14:00:00Z. Such texts sort by time."""


class Metadata(TypedDict):
    schema_version: Literal["1"]
    id: str
    booking_id: str
    revision: int
    occurred_at: Time


class Invitee(TypedDict):
    email: NotRequired[str]
    first_name: NotRequired[str]
    last_name: NotRequired[str]
    time_zone: NotRequired[str]
    phone: NotRequired[str]


class Location(TypedDict):
    kind: NotRequired[str]
    place: NotRequired[dict[str, Any]]
    online_meeting: NotRequired[dict[str, Any]]


class Attendee(TypedDict):
    display_name: NotRequired[str]
    email: NotRequired[str]


class Answer(TypedDict):
    question: NotRequired[str]
    position: int
    answer: NotRequired[list[str]]


class Tracking(TypedDict):
    utm_source: NotRequired[str]
    utm_medium: NotRequired[str]
    utm_campaign: NotRequired[str]
    utm_content: NotRequired[str]
    utm_term: NotRequired[str]
    salesforce_ids: NotRequired[list[dict[str, Any]]]


class Cancellation(TypedDict):
    canceled_by: NotRequired[str]
    canceler_type: NotRequired[str]
    cancel_at: NotRequired[str]
    reason: NotRequired[str]


class State(TypedDict):
    status: Literal["confirmed", "canceled"]
    rescheduled: bool
    start: NotRequired[Time]
    end: NotRequired[Time]
    location: NotRequired[Location]


class Booking(State):
    booking_id: str
    event_id: NotRequired[str]
    account_id: NotRequired[str]
    host_user_id: NotRequired[str]
    invitee: NotRequired[Invitee]
    title: NotRequired[str]
    guests: NotRequired[list[str]]
    attendees: NotRequired[list[Attendee]]
    answers: NotRequired[list[Answer]]
    tracking: NotRequired[Tracking]
    payment: NotRequired[dict[str, Any]]
    manage_url: NotRequired[str]
    cancellation: NotRequired[Cancellation]
    created_at: NotRequired[Time]
    updated_at: Time
    request_id: NotRequired[str]


class DomainEvent(TypedDict):
    metadata: Metadata
    booking: Booking
    previous: State | None


type EventType = Literal["BookingCreated", "BookingRescheduled", "BookingUpdated", "BookingCanceled"]

BookingEvent = TypedDict("BookingEvent", {"detail-type": EventType, "detail": DomainEvent})
"""The EventBridge event in a queue message, without the fields that a subscriber seldom needs."""
