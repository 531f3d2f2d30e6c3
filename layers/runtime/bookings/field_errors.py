"""What is wrong with a field, as answers and quarantine messages tell it."""

from typing import TypedDict


class FieldError(TypedDict):
    """One field and the rule it breaks.

    Attributes:
        field: its path, `payload.object.questions_and_answers[0].position`; empty for the body as a whole.
        message: the rule, never the value that breaks it: that may be personal data.
    """

    field: str
    message: str
