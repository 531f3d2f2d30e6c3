"""The domain events that subscribers rely on: a change of a booking, in our own versioned shape."""

from __future__ import annotations

import hashlib
import json
import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.experimental.missing_sentinel import MISSING

from bookings.domain.booking import Snapshot
from bookings.envelope import BOOKINGS, Envelope, source_for

SCHEMA_VERSION: Literal["1"] = "1"

_NOT_COMPARED = {"updated_at", "request_id", "manage_url"}
_SETS = {"guests", "attendees"}  # another order is no change

# A link or a passcode lets its bearer into the meeting. Only some shapes of a location are documented, so a
# name decides, in any spelling. A meeting's description repeats its invitation, passcode and PIN included.
_ACCESS_NAMES = ("url", "link", "passcode", "password", "pwd", "accesscode", "meetingdescription")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

# With a scheme, or a host name, a slash and something after it. Possessive quantifiers keep the work linear.
_LINK = re.compile(
    r"(?:(?<![a-z0-9+.-])[a-z0-9+.-]*+(?:://|%3a%2f%2f)"
    r"|(?<![\w.+-])(?:[\w+-]*+\.)++[^\W\d_][\w-]++(?::\d+)?(?:/|%2f)(?=\S))\S*",
    re.IGNORECASE,
)
_BEHIND_LINK = ".,;:!?)]}>\"'"


class EventType(StrEnum):
    """Detail types of source `bookings`."""

    BOOKING_CREATED = "BookingCreated"
    BOOKING_RESCHEDULED = "BookingRescheduled"
    BOOKING_UPDATED = "BookingUpdated"
    BOOKING_CANCELED = "BookingCanceled"


_BOOKING_ID = "k3v9q2m7x1d8fz6hw4tn0rbc5y-0bc914a87713f49e"


def _optional(description: str, *examples: Any) -> Any:
    return Field(MISSING, description=description, examples=list(examples) or None)


_Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class _Part(BaseModel):
    # Strict: a value is announced as it is stored. Only objects of Zoom take unknown fields.
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)


class Metadata(_Part):
    schema_version: Literal["1"] = Field(description="The version of this schema.", examples=["1"])
    id: str = Field(description="Equal in duplicates.", examples=["776b13fede70504c09b1c2d79e2d0571"])
    booking_id: str = Field(description="The booking's key.", examples=[_BOOKING_ID])
    revision: int = Field(description="Orders the events of one booking. It has gaps.", examples=[2])
    occurred_at: _Time = Field(description="`booking.updated_at`.", examples=["2026-11-20T09:12:04Z"])


class Invitee(_Part):
    email: str | MISSING = _optional("The invitee's e-mail address.", "maya.lindqvist@example.com")
    first_name: str | MISSING = _optional("The invitee's first name.", "Maya")
    last_name: str | MISSING = _optional("The invitee's last name.", "Lindqvist")
    time_zone: str | MISSING = _optional("The invitee's time zone.", "Europe/Stockholm")
    phone: str | MISSING = _optional("The phone number for text reminders.", "+46 70 1740633")


class Location(_Part):
    kind: str | MISSING = _optional("Zoom's kind of location.", "zoom", "google_meet", "in-person_meeting")
    place: dict[str, Any] | MISSING = _optional("A place. Its shape varies.", {"city": "Bonn"})
    online_meeting: dict[str, Any] | MISSING = _optional("A meeting. Its shape varies.", {"meeting_id": "98"})


class Attendee(_Part, extra="allow"):
    display_name: str | MISSING = _optional("The attendee's name.", "Omar Haddad")
    email: str | MISSING = _optional("The attendee's e-mail address.", "omar.haddad@example.com")


class Answer(_Part, extra="allow"):
    question: str | MISSING = _optional("The question on the booking page.", "Which calendars do you use?")
    position: int = Field(description="The question's index. It counts from 0 or 1.", examples=[2])
    answer: list[str] | MISSING = _optional("The invitee's answers.", ["Google Calendar", "Outlook"])


class Tracking(_Part, extra="allow"):
    utm_source: str | MISSING = _optional("The site that sent the invitee.", "newsletter")
    utm_medium: str | MISSING = _optional("The type of the link.", "email")
    utm_campaign: str | MISSING = _optional("The campaign.", "autumn_onboarding")
    utm_content: str | MISSING = _optional("The part of the page that was clicked.", "book_a_call")
    utm_term: str | MISSING = _optional("The search terms.", "booking page")
    salesforce_ids: list[dict[str, Any]] | MISSING = _optional("Salesforce ids. Their shape varies.")


class Cancellation(_Part, extra="allow"):
    canceled_by: str | MISSING = _optional("The name or e-mail address of the canceler.", "Maya Lindqvist")
    canceler_type: str | MISSING = _optional("The kind of canceler.", "invitee", "host")
    cancel_at: str | MISSING = _optional("The time, in the form that Zoom sent.", "2026-11-20T15:05:58Z")
    reason: str | MISSING = _optional("The reason, in the canceler's words.", "A colleague takes over.")


class State(_Part):
    """The part of a booking that an event also has as it was before."""

    status: Literal["confirmed", "canceled"] = Field(description="The state.", examples=["confirmed"])
    rescheduled: bool = Field(description="Confirmed: it was moved. Canceled: another booking replaces it.")
    start: _Time | MISSING = _optional("The start, in UTC.", "2026-11-26T14:00:00Z")
    end: _Time | MISSING = _optional("The end, in UTC.", "2026-11-26T14:30:00Z")
    location: Location | MISSING = _optional("The place. By default without links, passcodes and PINs.")


class Booking(State):
    """All fields of a booking that subscribers see."""

    booking_id: str = Field(description="The key. It names nobody and may be logged.", examples=[_BOOKING_ID])
    event_id: str | MISSING = _optional("Zoom's id of the calendar event.", "k3v9q2m7x1d8fz6hw4tn0rbc5y")
    account_id: str | MISSING = _optional("Zoom's id of the host's account.", "pJ7rW2nXQ0mE5tKcYb9LfA")
    host_user_id: str | MISSING = _optional("Zoom's id of the host.", "Hq3vT0xVRkOe7nP2sLwA9g")
    invitee: Invitee | MISSING = _optional("The person who booked.")
    title: str | MISSING = _optional("The name of the schedule.", "Onboarding call")
    guests: list[str] | MISSING = _optional("E-mail addresses, in any order.", ["jonas.ek@example.com"])
    attendees: list[Attendee] | MISSING = _optional("The attendees, in any order.")
    answers: list[Answer] | MISSING = _optional("The questions of the booking page, and their answers.")
    tracking: Tracking | MISSING = _optional("The origin of the invitee.")
    payment: dict[str, Any] | MISSING = _optional("The payment. Its shape varies.", {"status": "paid"})
    manage_url: str | MISSING = _optional("The invitee's link to move or cancel. By default left out.")
    cancellation: Cancellation | MISSING = _optional("The cancellation, while the booking is canceled.")
    created_at: _Time | MISSING = _optional("The time of booking, in UTC.", "2026-11-20T09:12:03Z")
    updated_at: _Time = Field(description="The newest delivery's time.", examples=["2026-11-20T09:12:04Z"])
    request_id: str | MISSING = _optional("The newest delivery's id.", "0b2c4f6e-1d3a-4b5c-8e7f-9a0b1c2d3e4f")


class DomainEvent(_Part):
    """A change of a booking. A field without a value is absent, never null."""

    metadata: Metadata = Field(description="The event itself.")
    booking: Booking = Field(description="The booking after the change.")
    previous: State | None = Field(description="The booking before the change. Null: there was none.")


class BookingCreated(DomainEvent):
    """A booking is new, or a canceled one was booked again."""


class BookingRescheduled(DomainEvent):
    """A booking has another time, or a canceled one was moved."""


class BookingUpdated(DomainEvent):
    """A confirmed booking differs in something other than its time."""


class BookingCanceled(DomainEvent):
    """A booking is canceled. If `booking.rescheduled` is true, another one replaces it."""


DOMAIN_EVENTS: dict[EventType, type[DomainEvent]] = {
    EventType(model.__name__): model
    for model in (BookingCreated, BookingRescheduled, BookingUpdated, BookingCanceled)
}


def domain_event(before: Snapshot | None, after: Snapshot, *, share_access_links: bool) -> Envelope | None:
    """Returns the event that a write announces, None if subscribers would see no difference.

    The same two snapshots always give the same event, `metadata.id` included.
    """
    booking = _shared(after, share_access_links)
    previous = _shared(before, share_access_links) if before else None
    event_type = _event_type(previous, booking)
    if event_type is None:
        return None
    metadata = Metadata(
        schema_version=SCHEMA_VERSION,
        id=_event_id(before, after),
        booking_id=after.booking_id,
        revision=after.revision,
        occurred_at=booking.updated_at,
    )
    # The whole booking before, of which the model writes a `State`.
    event = DOMAIN_EVENTS[event_type](metadata=metadata, booking=booking, previous=previous)
    return Envelope(
        source=source_for(BOOKINGS, after.fields.get("event_id")),
        detail_type=str(event_type),
        detail=json.dumps(event.model_dump(), ensure_ascii=False, sort_keys=True),
        request_id=after.fields.get("request_id"),
    )


def _event_type(before: Booking | None, after: Booking) -> EventType | None:
    if after.status == "canceled":
        # A cancel after a cancel is news if it tells a lost customer from a moved one.
        same = before and (before.status, before.rescheduled) == (after.status, after.rescheduled)
        return None if same else EventType.BOOKING_CANCELED
    if before is None:
        return EventType.BOOKING_CREATED
    if before.status == "canceled":
        return EventType.BOOKING_RESCHEDULED if after.rescheduled else EventType.BOOKING_CREATED
    if (before.start, before.end) != (after.start, after.end):
        return EventType.BOOKING_RESCHEDULED
    return EventType.BOOKING_UPDATED if _compared(before) != _compared(after) else None


def _compared(booking: Booking) -> dict[str, Any]:
    """Returns the fields in which a difference is a BookingUpdated."""
    return {
        name: sorted(json.dumps(item, sort_keys=True) for item in value) if name in _SETS else value
        for name, value in booking.model_dump(exclude=_NOT_COMPARED).items()
    }


def _event_id(before: Snapshot | None, after: Snapshot) -> str:
    """Returns the id that identifies duplicates, 32 hex digits.

    It covers the booking before the change too. A table that is rebuilt in another order can reach the same
    booking and revision by another change. That is another event.
    """
    parts = [after.booking_id, str(after.revision)]
    for name, snapshot in (("before", before), ("after", after)):
        digests = snapshot.digests if snapshot else {}
        # Only the kinds that are there: a new kind must not change the ids of old events.
        parts += [f"{name} {kind} {digests[kind]}" for kind in sorted(digests)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _shared(snapshot: Snapshot, share_access_links: bool) -> Booking:
    fields = dict(snapshot.fields)
    if not share_access_links:
        fields.pop("manage_url", None)
        location = _without_access(fields.pop("location", None))
        if location:
            fields["location"] = location
    return Booking.model_validate(fields)


def _without_access(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: shared
            for name, item in value.items()
            if not _gives_access(name) and (shared := _without_access(item)) not in (None, {}, [])
        }
    if isinstance(value, list):
        return [shared for item in value if (shared := _without_access(item)) not in (None, {}, [])]
    return _without_links(value) if isinstance(value, str) else value


def _gives_access(name: str) -> bool:
    plain = "".join(filter(str.isalnum, name)).lower()
    return any(word in plain for word in _ACCESS_NAMES) or "pin" in map(str.lower, _WORDS.findall(name))


def _without_links(text: str) -> str | None:
    """Returns a text without its links. None if no letter or digit is left."""
    cut, links = _LINK.subn(lambda link: link[0][len(link[0].rstrip(_BEHIND_LINK)) :], text)
    if not links:
        return text
    return cut.strip() if any(map(str.isalnum, cut)) else None
