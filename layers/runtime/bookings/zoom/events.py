"""The models of Zoom Scheduler's two events, field by field as in Zoom's reference.

Required are `event`, `event_ts` and `payload`, and of an answer `question` and `position`. Any other field
may be missing, null or empty, and reads as None then (an empty text stays ""). A null inside a list is
dropped. Unknown fields and enum values are accepted: Zoom adds some every year. `body` refuses lone
surrogates, for the whole body.

Source: "Scheduler" in Zoom's webhook reference, API version 1.0.0, read on 2026-11-22.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

from bookings.errors import BookingsError, FieldError
from bookings.limits import INT64_MAX, INT64_MIN, MAX_VALIDATION_ERRORS

SCHEDULER_PREFIX = "scheduler."
CREATED = "scheduler.scheduled_event_created"
CANCELED = "scheduler.scheduled_event_canceled"

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


def _whole(value: object) -> object:
    """Reads 1.0 as the integer 1: JSON has one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _blank_as_none(value: object) -> object:
    return None if value == "" else value


def _empty_as_none(value: object) -> object:
    """Reads an empty text or list as nothing, where an object belongs."""
    return None if value in ("", []) else value


def _without_nulls[T](items: list[T | None] | None) -> list[T | None] | None:
    return None if items is None else [item for item in items if item is not None]


def _answers(value: object) -> object:
    """Reads a text as a list of one, and null as an empty list."""
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) else value


def _open_enum(values: Iterable[str]) -> WithJsonSchema:
    """Documents the known values. Any other string is valid too."""
    return WithJsonSchema({"anyOf": [{"type": "string", "enum": list(values)}, {"type": "string"}]})


_Integer = Annotated[
    int, Field(ge=INT64_MIN, le=INT64_MAX), BeforeValidator(_whole), WithJsonSchema({"type": "integer"})
]
_Int64 = Annotated[_Integer, WithJsonSchema({"type": "integer", "format": "int64"})]
_Timestamp = Annotated[
    int,
    Field(ge=0, le=INT64_MAX),
    BeforeValidator(_whole),
    WithJsonSchema({"type": "integer", "format": "int64", "minimum": 0}),
]
_BlankAsNone = BeforeValidator(_blank_as_none)
_Text = str | None
_Flag = Annotated[bool | None, _BlankAsNone]
_Count = Annotated[_Int64 | None, _BlankAsNone]
_EmptyAsNone = BeforeValidator(_empty_as_none)
_WithoutNulls = AfterValidator(_without_nulls)  # after the items, so that errors name their index in the body
_OpenObject = Annotated[dict[str, Any] | None, _EmptyAsNone]  # several shapes, hardly any of them documented


class _Wire(BaseModel):
    # Strict: a number sent as a string is an error, not converted in silence.
    model_config = ConfigDict(extra="allow", strict=True, hide_input_in_errors=True)


class Answer(_Wire):
    """One question of the booking form and what the invitee answered."""

    question: str = Field(description="The question on the booking page.")
    position: _Integer = Field(description="The question's index; counts from 0 or from 1.")
    answer: Annotated[list[str | None], BeforeValidator(_answers), _WithoutNulls] = Field(
        default_factory=list, description="The answers to the question."
    )


_Answers = Annotated[list[Annotated[Answer | None, _EmptyAsNone]] | None, _BlankAsNone, _WithoutNulls]


class Attendee(_Wire):
    display_name: _Text = Field(None, description="The attendee's name.")
    email: _Text = Field(None, description="The attendee's e-mail address.")


_Attendees = Annotated[list[Annotated[Attendee | None, _EmptyAsNone]] | None, _BlankAsNone, _WithoutNulls]


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
    salesforce_ids: Annotated[list[_OpenObject] | None, _BlankAsNone, _WithoutNulls] = Field(
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
    attendees: _Attendees = Field(None, description="The event's attendees.")
    guests: Annotated[list[str | None] | None, _BlankAsNone, _WithoutNulls] = Field(
        None, description="The guests, each an e-mail address."
    )
    invitee_counters: Annotated[InviteeCounters | None, _EmptyAsNone] = Field(
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
    attendees: _Attendees = Field(None, description="The event's hosts.")


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
    questions_and_answers: _Answers = Field(None, description="The booking form's questions and answers.")
    scheduled_event: Annotated[ScheduledEvent | None, _EmptyAsNone] = Field(
        None, description="The scheduled event."
    )
    tracking: Annotated[Tracking | None, _EmptyAsNone] = Field(
        None, description="Where the invitee came from; there only if UTM parameters were added."
    )
    payment: Any = Field(
        None, description="The payment for the booking. Its type is not documented (added in November 2026)."
    )


class CanceledObject(CreatedObject):
    """One invitee's booking and how it was canceled."""

    scheduled_event: Annotated[CanceledScheduledEvent | None, _EmptyAsNone] = Field(
        None, description="The scheduled event."
    )
    cancellation: Annotated[Cancellation | None, _EmptyAsNone] = Field(
        None, description="How the scheduled event was canceled."
    )


class CreatedPayload(_Wire):
    account_id: _Text = Field(None, description="The account ID of the scheduled event's host.")
    user_id: _Text = Field(None, description="The user ID of the scheduled event's host.")
    object: Annotated[CreatedObject | None, _EmptyAsNone] = Field(None, description="The booking.")


class CanceledPayload(CreatedPayload):
    object: Annotated[CanceledObject | None, _EmptyAsNone] = Field(None, description="The booking.")


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


_MODELS: dict[str, type[ScheduledEventCreated | ScheduledEventCanceled]] = {
    CREATED: ScheduledEventCreated,
    CANCELED: ScheduledEventCanceled,
}


class UnknownEvent(BookingsError):
    """There is no model for an event of this name."""

    def __init__(self, name: str) -> None:
        super().__init__("there is no model for an event of this name")
        self.name = name


class InvalidEvent(BookingsError):
    """A body breaks the rules of its event.

    Attributes:
        errors: each wrong field and the rule it breaks, never the value: that may be personal data. A body
            with more than `MAX_VALIDATION_ERRORS` has one error with their number: a list takes too long.
    """

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("the body is not valid as the event it names")
        self.errors = errors


def parse_event(body: Mapping[str, Any]) -> ScheduledEventCreated | ScheduledEventCanceled:
    """Validates a decoded body by the model of the event that it names.

    Raises:
        UnknownEvent: there is no model for the event.
        InvalidEvent: a field is missing or of the wrong type.
    """
    name = body.get("event")
    if not isinstance(name, str):
        raise InvalidEvent([{"field": "event", "message": "must be the name of a Scheduler event"}])
    model = _MODELS.get(name)
    if model is None:
        raise UnknownEvent(name)
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise InvalidEvent(_field_errors(error)) from None


def _field_errors(error: ValidationError) -> list[FieldError]:
    if error.error_count() > MAX_VALIDATION_ERRORS:
        return [{"field": "", "message": f"breaks the rules at {error.error_count()} places"}]
    return [
        {"field": _path(found["loc"]), "message": _RULES.get(found["type"], "is not valid")}
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]


_RULES = {
    "missing": "is required",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be an integer",
    "greater_than_equal": "is below the lowest value allowed",
    "less_than_equal": "is above the highest value allowed",
    "list_type": "must be an array",
    "dict_type": "must be an object",
    "model_type": "must be an object",
}


def _path(location: tuple[int | str, ...]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".")
