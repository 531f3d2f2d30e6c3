"""Deliveries as Zoom makes them, for the tests on the running stack: the sample story, changed where told.

Whatever could identify a person, or let somebody in, holds the word CANARY, so that the logs of every test
can be searched for it.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from bookings.zoom.events import CANCELED, CREATED, ScheduledEvent
from local.demo import EVENTS

CANARY = "kanarie"
EMAIL = f"{CANARY}.lindqvist@example.com"
HOST = "Hq3vT0xVRkOe7nP2sLwA9g"
JOIN_URL = f"https://zoom.us/j/{CANARY}"
MANAGE_URL = f"https://scheduler.zoom.us/manage/{CANARY}"
PASSCODE = f"{CANARY}481516"

NOON = 1_795_165_200_000  # event time of the first delivery in most tests: 2026-11-20, 09:00 UTC
MINUTE = 60_000

Body = dict[str, Any]


def created(event_id: str, /, *, at: int = NOON, **changes: Any) -> Body:
    """Returns a created delivery; `changes` are as in `canceled`."""
    return _delivery("story/1_created.json", CREATED, event_id, at, changes)


def canceled(event_id: str, /, *, at: int = NOON, **changes: Any) -> Body:
    """Returns a canceled delivery.

    Args:
        at: its event time, in milliseconds.
        changes: fields of `scheduled_event` where it has such a field, else of the object around it.
    """
    return _delivery("story/4_canceled.json", CANCELED, event_id, at, changes)


def unknown(event_id: str) -> Body:
    """Returns an event of a name that Zoom may add some day."""
    return created(event_id) | {"event": "scheduler.scheduled_event_confirmed_by_host"}


def encoded(body: Body) -> bytes:
    """Returns the bytes Zoom would send: letters as they are, no white space."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def padded(body: Body, size: int) -> bytes:
    """Returns the delivery with an unknown field that makes it exactly so many bytes long."""
    body = copy.deepcopy(body)
    body["payload"]["object"]["padding"] = ""
    body["payload"]["object"]["padding"] = "x" * (size - len(encoded(body)))
    return encoded(body)


def scheduled_event(body: Body) -> dict[str, Any]:
    event: dict[str, Any] = body["payload"]["object"]["scheduled_event"]
    return event


def _delivery(file: str, name: str, event_id: str, at: int, changes: dict[str, Any]) -> Body:
    body: Body = json.loads((EVENTS / file).read_bytes())
    body |= {"event": name, "event_ts": at}
    booked = body["payload"]["object"]
    scheduled = booked["scheduled_event"]
    body["payload"]["user_id"] = HOST
    booked |= {
        "invitee_email": EMAIL,
        "invitee_first_name": CANARY,
        "invitee_last_name": CANARY,
        "manage_url": MANAGE_URL,
        "questions_and_answers": [
            {"question": f"{CANARY}?", "position": 1, "answer": [CANARY, "Kalender é"]}
        ],
        "tracking": {"utm_source": CANARY, "salesforce_ids": [{"id": CANARY}]},
        "text_phone_number": f"+46 70 {CANARY}",
        "rescheduled": False,
    }
    scheduled |= {
        "event_id": event_id,
        "attendees": [{"display_name": CANARY, "email": EMAIL}],
        "guests": [f"guest.{EMAIL}"],
        "summary": f"Call {CANARY}",
        "meeting_notes": CANARY,
        "external_location": {
            "kind": "zoom",
            "meeting_id": CANARY,
            "meeting_passcode": PASSCODE,
            "meeting_description": CANARY,
            "meeting_join_url": JOIN_URL,
        },
    }
    if "cancellation" in booked:
        booked["cancellation"] |= {"canceled_by": EMAIL, "reason": CANARY}
    for field, value in changes.items():
        (scheduled if field in ScheduledEvent.model_fields else booked)[field] = value
    return body
