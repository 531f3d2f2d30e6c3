"""Zoom Scheduler's two events: their names, and what a body breaks of their rules.

The rules are the models', frozen in `schema.py`: pydantic's compiled core reads them, and pydantic itself is
for developers.
"""

from collections.abc import Mapping
from typing import Any

from bookings.errors import BookingsError
from bookings.field_errors import FieldError
from bookings.zoom.compiled import SchemaValidator, ValidationError
from bookings.zoom.schema import SCHEDULED_EVENT_CANCELED, SCHEDULED_EVENT_CREATED

CREATED = "scheduler.scheduled_event_created"
CANCELED = "scheduler.scheduled_event_canceled"

MAX_TOLD = 1000  # errors of one body

_VALIDATORS = {
    CREATED: SchemaValidator(SCHEDULED_EVENT_CREATED),
    CANCELED: SchemaValidator(SCHEDULED_EVENT_CANCELED),
}


class UnknownEvent(BookingsError):
    """There is no model for an event of this name."""

    def __init__(self, name: str) -> None:
        super().__init__("there is no model for an event of this name")
        self.name = name


class InvalidEvent(BookingsError):
    """A body breaks the rules of its event.

    Attributes:
        errors: each refused field and the rule it broke, never what was sent: that may be personal data. Of a
            body that is wrong everywhere only how often: telling hundreds of thousands of errors takes longer
            than Zoom waits for its answer.
    """

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("the body is not valid as the event it names")
        self.errors = errors


def parse_event(body: Mapping[str, Any]) -> dict[str, Any]:
    """Reads a decoded body by the rules of the event that its `event` names.

    Returns the body as it was sent, with unknown fields, but 1.0 as the integer 1, and "" as None where no
    text stands.

    Raises:
        UnknownEvent: `event` is a string, but neither of the two names.
        InvalidEvent: a field is missing or of the wrong type.
    """
    name = body.get("event")
    if isinstance(name, str) and name not in _VALIDATORS:
        raise UnknownEvent(name)
    # A name that is missing, or no string, is refused with whatever else is wrong.
    validator = _VALIDATORS[CANCELED if name == CANCELED else CREATED]
    try:
        event: dict[str, Any] = validator.validate_python(body)
    except ValidationError as error:
        raise InvalidEvent(field_errors(error)) from None
    return event


def field_errors(error: ValidationError) -> list[FieldError]:
    """Returns what is told of the core's error, see `InvalidEvent`."""
    if error.error_count() > MAX_TOLD:
        return [{"field": "", "message": f"breaks the rules at {error.error_count()} places"}]
    return [
        {"field": _path(found["loc"]), "message": _RULES.get(found["type"], "is not valid")}
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]


_RULES = {
    "missing": "is required",
    "literal_error": "must be the name of a Scheduler event",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be an integer",
    "greater_than_equal": "is below the lowest value allowed",
    "less_than_equal": "is above the highest value allowed",
    "list_type": "must be an array",
    "dict_type": "must be an object",
}


def _path(location: tuple[int | str, ...]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".")
