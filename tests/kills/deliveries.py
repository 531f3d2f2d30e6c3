"""What Zoom sends in one round: a few bookings, made, moved and canceled, out of order, some twice."""

import json
import time
from random import Random
from typing import Any

from bookings.zoom.body import canonical_json, digest
from bookings.zoom.signature import sign
from tests import samples
from tests.kills.stack import TOKEN

BOOKINGS = (2, 5)  # of a round; the fewer, the more is written to one at the same time
TWICE = 0.25  # of the deliveries, how many Zoom sends again though they were taken
STEP_MS = (0, 1, 1000, 30_000, 60_000, 3_600_000)  # between two events of a booking


def draw(chance: Random, number: int) -> list[str]:
    """Returns the bodies of a round; `number` makes its bookings new ones."""
    posts = []
    for booking in range(chance.choice(BOOKINGS)):
        bodies = [json.dumps(body) for body in _history(chance, f"event-{number}-{booking}")]
        posts += bodies + [body for body in bodies if chance.random() < TWICE]
    chance.shuffle(posts)
    return posts


def request_id_of(body: str) -> str:
    """Returns Zoom's id of a delivery, the same at each of its retries."""
    return digest(canonical_json(json.loads(body)))[:32]


def http_event(body: str) -> dict[str, Any]:
    """Returns a delivery as the HTTP API hands it over, signed now."""
    timestamp = str(int(time.time()))
    headers = {
        "content-type": "application/json; charset=utf-8",
        "x-zm-request-id": request_id_of(body),
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": sign(TOKEN, timestamp, body.encode()),
    }
    return {
        "version": "2.0",
        "routeKey": "POST /webhooks/zoom",
        "rawPath": "/webhooks/zoom",
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {"http": {"method": "POST", "path": "/webhooks/zoom"}, "stage": "$default"},
        "body": body,
        "isBase64Encoded": False,
    }


def _history(chance: Random, event_id: str) -> list[dict[str, Any]]:
    """Returns one to seven bodies about one booking."""
    at = int(time.time() * 1000) - 86_400_000
    history = [samples.created(at, event_id=event_id)]
    for step in range(chance.choice((0, 1, 1, 2, 3))):
        at += chance.choice(STEP_MS)
        slot = f"2026-12-{chance.randint(10, 28)}T1{step}:00:00Z"
        match chance.choice(("moved", "canceled", "again")):
            case "moved":
                halves = [at, at + chance.choice((-1000, 0, 1000))]
                history += [
                    samples.canceled(halves[0], event_id=event_id, rescheduled=True),
                    samples.created(halves[1], event_id=event_id, rescheduled=True, start_date_time=slot),
                ]
            case "canceled":
                history.append(samples.canceled(at, event_id=event_id))
            case _:
                history.append(samples.created(at, event_id=event_id, summary=f"Meeting {step}"))
    return history
