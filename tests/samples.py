"""Deliveries for tests: the two samples of Zoom's reference, and made-up bookings of one shape."""

import copy
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from bookings.domain.booking import Delivery
from bookings.use_cases.receive import Request
from bookings.zoom.delivery import to_delivery
from bookings.zoom.events import CANCELED, CREATED
from bookings.zoom.signature import sign

EVENTS = Path(__file__).parents[1] / "events"
SECRET = "a-secret-token-of-22-c"
REQUEST_ID = "0b2c4f6e-1d3a-4b5c-8e7f-9a0b1c2d3e4f"

# 2026-11-22T10:00:00Z, two hours before the fakes' clock.
MORNING_MS = 1_795_341_600_000

_SAMPLES = {
    CREATED: json.loads((EVENTS / "scheduled_event_created.json").read_text()),
    CANCELED: json.loads((EVENTS / "scheduled_event_canceled.json").read_text()),
}


def sample(name: str) -> dict[str, Any]:
    """Returns a copy of the reference's own sample."""
    return copy.deepcopy(_SAMPLES[name])


def created(at: int = MORNING_MS, *, event_id: str = "evt-1", **changes: Any) -> dict[str, Any]:
    """Returns the body of a created booking; `changes` go into the booking or into its scheduled event."""
    return _body(CREATED, at, event_id, changes)


def canceled(at: int = MORNING_MS, *, event_id: str = "evt-1", **changes: Any) -> dict[str, Any]:
    changes = {
        "cancellation": {
            "canceled_by": "Ann Example",
            "canceler_type": "invitee",
            "cancel_at": "2026-11-22T10:00:00Z",
            "reason": "Ill",
        }
    } | changes
    return _body(CANCELED, at, event_id, changes)


def delivery(body: dict[str, Any], request_id: str | None = None) -> Delivery:
    return to_delivery(body, request_id)


def raw(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def signed(
    body: bytes, at: datetime, *, secret: str = SECRET, request_id: str | None = REQUEST_ID
) -> Request:
    """Returns a request as Zoom would send it at that time."""
    timestamp = str(int(at.timestamp()))
    headers = {
        "x-zm-signature": sign(secret, timestamp, body),
        "x-zm-request-timestamp": timestamp,
        "content-type": "application/json; charset=utf-8",
    }
    return Request(headers | ({"x-zm-request-id": request_id} if request_id else {}), body)


def message(body: Any, *, request_id: str | None = REQUEST_ID, source: str = "zoom.scheduler") -> str:
    """Returns a queue message as EventBridge makes it."""
    return json.dumps(
        {
            "version": "0",
            "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "detail-type": (body.get("event") if isinstance(body, dict) else None) or "none",
            "source": source,
            "account": "123456789012",
            "time": "2026-11-22T12:00:00Z",
            "region": "us-east-1",
            "resources": [f"zoom-request/{request_id}"] if request_id else [],
            "detail": body,
        }
    )


def _body(name: str, at: int, event_id: str, changes: dict[str, Any]) -> dict[str, Any]:
    scheduled = {
        "event_id": event_id,
        "summary": "First meeting",
        "start_date_time": "2026-11-25T16:00:00Z",
        "end_date_time": "2026-11-25T16:30:00Z",
        "status": "confirmed",
        "location_kind": "zoom",
        "external_location": {
            "kind": "zoom",
            "meeting_id": "94777886776",
            "meeting_passcode": "958000",
            "meeting_join_url": "https://zoom.us/j/94777886776",
        },
        "attendees": [{"display_name": "Hal Host", "email": "hal@example.com"}],
        "guests": ["guest@example.com"],
    }
    booking = {
        "invitee_email": "ann@example.com",
        "invitee_first_name": "Ann",
        "invitee_last_name": "Example",
        "time_zone": "Europe/Berlin",
        "manage_url": "https://scheduler.zoom.us/manage/m0",
        "questions_and_answers": [{"question": "Topic?", "position": 0, "answer": ["Prices"]}],
        "rescheduled": False,
        "created": "2026-11-20T09:00:00Z",
    }
    of_event = {
        "summary",
        "start_date_time",
        "end_date_time",
        "status",
        "location_kind",
        "location",
        "external_location",
        "attendees",
        "guests",
        "meeting_notes",
    }
    for field, value in changes.items():
        if field in of_event:
            scheduled[field] = value
        elif field not in {"account_id", "user_id"}:
            booking[field] = value
    payload = {"account_id": "account-1", "user_id": "host-1", "object": booking}
    payload |= {name: changes[name] for name in ("account_id", "user_id") if name in changes}
    booking["scheduled_event"] = scheduled
    return {"event": name, "event_ts": at, "payload": payload}
