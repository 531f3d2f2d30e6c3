"""The quarantine message: an authentic delivery that can't be used, whole.

It holds enough to look at and to feed the delivery through the door again, signed anew.
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bookings.clock import utc_text

MAX_ERRORS = 100  # so that a message with the largest body still fits a queue


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field.

    Attributes:
        field: its path, `payload.object.questions_and_answers[0].position`; empty for the body as a whole.
        message: the rule that is broken, never the value that breaks it.
    """

    field: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "message": self.message}


class Quarantine(Protocol):
    def send(self, message: str, timeout_seconds: float) -> None:
        """Keeps the message.

        Raises:
            ServiceError: it was not kept.
        """


def quarantine_message(
    *,
    reason: str,
    errors: list[FieldError],
    received_at: datetime,
    body: bytes,
    request_id: str | None = None,
    timestamp: str | None = None,
    signature: str | None = None,
) -> str:
    return json.dumps(
        {
            "reason": reason,
            "errors": [error.as_dict() for error in errors[:MAX_ERRORS]],
            "received_at": utc_text(received_at),
            "request_id": request_id,
            "timestamp": timestamp,
            "signature": signature,
            "body_base64": base64.b64encode(body).decode(),
        }
    )
