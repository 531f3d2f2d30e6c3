"""Zoom Scheduler's two events as models, field by field as Zoom's reference describes them.

For developers: `make schema` freezes them into `schema.py`, by which the functions validate, and `make
openapi` documents them. They are not in the layer, and nothing there imports them.

Required is only what the reference requires. Every other field may be missing, null or an empty string, and
then reads as None (a text's "" stays ""). Fields and enum values that the reference doesn't know are accepted
and kept: Zoom adds some every year. Lone surrogates pass; they concern the whole body, unknown fields too.

Source: "Scheduler" in Zoom's webhook reference, API version 1.0.0, read on 2026-11-22.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from bookings.zoom.rules import blank_as_none, whole

LOCATION_KINDS = (
    "custom",
    "in-person_meeting",
    "outbound_call",
    "inbound_call",
    "invitee_specified",
    "zoom",
    "google_meet",
    "microsoft_teams",
)
STATUSES = ("confirmed", "cancelled")  # Zoom's spelling
CANCELER_TYPES = ("host", "invitee")


def _open_enum(values: Iterable[str]) -> WithJsonSchema:
    """Says which values are known, and that another string is welcome all the same."""
    return WithJsonSchema({"anyOf": [{"type": "string", "enum": list(values)}, {"type": "string"}]})


# The bounds are int64's, the width that Zoom promises and that EventBridge refuses to exceed.
_Integer = Annotated[
    int, Field(ge=-(2**63), le=2**63 - 1), BeforeValidator(whole), WithJsonSchema({"type": "integer"})
]
_Int64 = Annotated[_Integer, WithJsonSchema({"type": "integer", "format": "int64"})]
_Timestamp = Annotated[
    int,
    Field(ge=0, le=2**63 - 1),
    BeforeValidator(whole),
    WithJsonSchema({"type": "integer", "format": "int64", "minimum": 0}),
]
_BlankAsNone = BeforeValidator(blank_as_none)
_Text = str | None
_Flag = Annotated[bool | None, _BlankAsNone]
_Count = Annotated[_Int64 | None, _BlankAsNone]
_OpenObject = Annotated[dict[str, Any] | None, _BlankAsNone]  # several shapes, none of them documented


class _Wire(BaseModel):
    # Strict: a number sent as a string is a mistake to be seen, not to be mended in silence.
    model_config = ConfigDict(extra="allow", strict=True)


class Answer(_Wire):
    """One question of the booking form and what the invitee answered."""

    question: str = Field(description="The question on the booking page.")
    position: _Integer = Field(description="The question's index; counts from 0 or from 1.")
    answer: list[str] = Field(description="The answers to the question.")


class Attendee(_Wire):
    display_name: _Text = Field(None, description="The attendee's name.")
    email: _Text = Field(None, description="The attendee's e-mail address.")


class InviteeCounters(_Wire):
    total: _Count = Field(None, description="How many invitees the event has in total.")
    active: _Count = Field(None, description="How many of the event's invitees are active.")
    limit: _Count = Field(None, description="The most invitees the event allows.")


class Tracking(_Wire):
    utm_source: _Text = Field(None, description="The site that sent the traffic; always set by UTM links.")
    utm_medium: _Text = Field(None, description="The type of link used, such as pay-per-click or e-mail.")
    utm_campaign: _Text = Field(None, description="The product promotion or strategic campaign.")
    utm_content: _Text = Field(
        None,
        description="What exactly was clicked to reach the site, such as a banner ad or a text link; often "
        "used for A/B tests and content-targeted ads.",
    )
    utm_term: _Text = Field(None, description="The search terms.")
    salesforce_ids: Annotated[list[dict[str, Any]] | None, _BlankAsNone] = Field(
        None, description="Salesforce IDs to track, each an object."
    )


class Cancellation(_Wire):
    canceled_by: _Text = Field(None, description="The name or e-mail address of the canceler.")
    canceler_type: Annotated[str, _open_enum(CANCELER_TYPES)] | None = Field(
        None, description="What kind of user canceled: the host or the invitee."
    )
    cancel_at: _Text = Field(None, description="The date and time at which the scheduled event was canceled.")
    reason: _Text = Field(None, description="The reason for canceling the scheduled event.")


class ScheduledEvent(_Wire):
    """The calendar entry; in a group event shared by the bookings of all its invitees."""

    event_id: _Text = Field(None, description="The event's unique identifier.")
    summary: _Text = Field(None, description="The schedule's name.")
    start_date_time: _Text = Field(None, description="The date and time at which the event starts.")
    end_date_time: _Text = Field(None, description="The date and time at which the event ends.")
    status: Annotated[str, _open_enum(STATUSES)] | None = Field(
        None,
        description="The event's status: confirmed or cancelled. Not a booking's state, which the name of "
        "the event tells: a canceled event can say confirmed here.",
    )
    created: _Text = Field(None, description="The moment the scheduled event was created.")
    updated: _Text = Field(None, description="The moment the scheduled event was updated.")
    attendees: Annotated[list[Attendee] | None, _BlankAsNone] = Field(
        None, description="The event's attendees."
    )
    guests: Annotated[list[str] | None, _BlankAsNone] = Field(
        None, description="The guests, each an e-mail address."
    )
    invitee_counters: Annotated[InviteeCounters | None, _BlankAsNone] = Field(
        None, description="The event's counts of invitees."
    )
    location_kind: Annotated[str, _open_enum(LOCATION_KINDS)] | None = Field(
        None,
        description="The type of location, for location and external_location alike: of an online meeting "
        "external_location tells more, of every other type location does.",
    )
    location: _OpenObject = Field(None, description="Where the event takes place, unless it meets online.")
    external_location: _OpenObject = Field(None, description="The details of the online meeting.")
    meeting_notes: _Text = Field(None, description="The event's meeting notes.")


class CanceledScheduledEvent(ScheduledEvent):
    attendees: Annotated[list[Attendee] | None, _BlankAsNone] = Field(None, description="The event's hosts.")


class CreatedObject(_Wire):
    """One invitee's booking."""

    invitee_email: _Text = Field(None, description="The e-mail address of the user who scheduled the event.")
    invitee_first_name: _Text = Field(None, description="The first name of the user who scheduled the event.")
    invitee_last_name: _Text = Field(None, description="The last name of the user who scheduled the event.")
    text_phone_number: _Text = Field(
        None, description="The invitee's phone number, to which text reminders go."
    )
    time_zone: _Text = Field(None, description="The user's time zone.")
    manage_url: _Text = Field(
        None, description="The URL at which the user reschedules or cancels the scheduled event."
    )
    created: _Text = Field(None, description="The moment the request to schedule was created.")
    rescheduled: _Flag = Field(None, description="Whether this comes from a request to reschedule.")
    questions_and_answers: Annotated[list[Answer] | None, _BlankAsNone] = Field(
        None, description="The questions and answers of the booking form."
    )
    scheduled_event: Annotated[ScheduledEvent | None, _BlankAsNone] = Field(
        None, description="The scheduled event."
    )
    tracking: Annotated[Tracking | None, _BlankAsNone] = Field(
        None, description="Where the invitee came from; there only if UTM parameters were added."
    )


class CanceledObject(CreatedObject):
    """One invitee's booking and how it was canceled."""

    scheduled_event: Annotated[CanceledScheduledEvent | None, _BlankAsNone] = Field(
        None, description="The scheduled event."
    )
    cancellation: Annotated[Cancellation | None, _BlankAsNone] = Field(
        None, description="How the scheduled event was canceled."
    )


class CreatedPayload(_Wire):
    account_id: _Text = Field(None, description="The account ID of the scheduled event's host.")
    user_id: _Text = Field(None, description="The user ID of the scheduled event's host.")
    object: Annotated[CreatedObject | None, _BlankAsNone] = Field(None, description="The booking.")


class CanceledPayload(CreatedPayload):
    object: Annotated[CanceledObject | None, _BlankAsNone] = Field(None, description="The booking.")


class ScheduledEventCreated(_Wire):
    """Somebody made a booking on a booking page, or moved one."""

    event: Literal["scheduler.scheduled_event_created"] = Field(description="The event's name.")
    event_ts: _Timestamp = Field(description="When the event was created, in milliseconds since 1970.")
    payload: CreatedPayload = Field(description="The host and the booking.")


class ScheduledEventCanceled(_Wire):
    """The host or the invitee canceled a booking, or moved it."""

    event: Literal["scheduler.scheduled_event_canceled"] = Field(description="The event's name.")
    event_ts: _Timestamp = Field(description="When the event was created, in milliseconds since 1970.")
    payload: CanceledPayload = Field(description="The host and the booking.")
