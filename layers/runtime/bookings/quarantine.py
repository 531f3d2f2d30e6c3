"""The quarantine message: an authentic delivery that can't be used, whole.

It holds enough to look at and to feed the delivery through the door again, signed anew.
"""

import base64
import json
from datetime import datetime
from typing import Protocol

from bookings.clock import Deadline, utc_text
from bookings.field_errors import FieldError

MAX_ERRORS = 100  # so that a message with the largest body still fits a queue


class Quarantine(Protocol):
    def send(self, message: str, deadline: Deadline | None = None) -> None:
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
            "errors": errors[:MAX_ERRORS],
            "received_at": utc_text(received_at),
            "request_id": request_id,
            "timestamp": timestamp,
            "signature": signature,
            "body_base64": base64.b64encode(body).decode(),
        }
    )
