"""The quarantine message: the whole delivery, and small enough for SQS."""

import base64
import json
from typing import Any

from bookings.limits import MAX_BODY_BYTES, MESSAGE_BYTES
from bookings.use_cases.quarantine import quarantine_message
from tests.fakes import NOW

ERROR: Any = {"field": "payload.object.questions_and_answers[99999].position", "message": "x" * 60}
FIELDS: dict[str, Any] = {"reason": "invalid_event", "request_id": "r", "timestamp": "1", "signature": "v0=a"}


def test_message_holds_the_delivery_byte_for_byte() -> None:
    body = bytes(range(256))
    message = json.loads(quarantine_message(errors=[ERROR], received_at=NOW, body=body, **FIELDS))
    assert base64.b64decode(message.pop("body_base64")) == body
    assert message == FIELDS | {"errors": [ERROR], "received_at": "2026-11-22T12:00:00Z"}


# failure matrix: 34, 38
def test_largest_message_fits_sqs() -> None:
    fields = FIELDS | {"request_id": "\x01" * 8000}
    text = quarantine_message(errors=[ERROR] * 333, received_at=NOW, body=b"x" * MAX_BODY_BYTES, **fields)
    assert len(text.encode()) <= MESSAGE_BYTES
    assert len(json.loads(text)["errors"]) == 100
