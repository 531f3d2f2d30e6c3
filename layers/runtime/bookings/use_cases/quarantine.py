"""The quarantine message: an authentic delivery that can't be used, whole.

It holds enough to inspect the delivery, and to send it through the webhook again, signed anew.
"""

import base64
import json
from datetime import datetime

from bookings.clock import utc_text
from bookings.errors import FieldError
from bookings.limits import MAX_QUARANTINE_ERRORS


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
            "errors": errors[:MAX_QUARANTINE_ERRORS],
            "received_at": utc_text(received_at),
            "request_id": request_id,
            "timestamp": timestamp,
            "signature": signature,
            "body_base64": base64.b64encode(body).decode(),
        }
    )
