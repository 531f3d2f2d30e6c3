"""Deliveries and bookings for the tests of the adapters, made from the samples in `events/`."""

import copy
import dataclasses
import functools
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bookings.domain.booking import Booking, merge
from bookings.zoom.delivery import to_delivery

ROOT = Path(__file__).parents[2]

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EVENT_TS = int(NOW.timestamp() * 1000)


def sample(name: str, *, event_ts: int = EVENT_TS) -> dict[str, Any]:
    """Returns one of the two samples, `created` or `canceled`, at an event time of these days."""
    body: dict[str, Any] = json.loads((ROOT / f"events/scheduled_event_{name}.json").read_text())
    return body | {"event_ts": event_ts}


def with_object(body: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Returns the body with fields of `payload.object` set, a nested one by `scheduled_event__summary`."""
    changed = copy.deepcopy(body)
    for path, value in fields.items():
        *parents, name = path.split("__")
        place = functools.reduce(lambda outer, key: outer[key], parents, changed["payload"]["object"])
        place[name] = value
    return changed


def booking_of(*bodies: dict[str, Any], revision: int = 1, request_id: str | None = None) -> Booking:
    """Returns the booking that some deliveries end in, as it would be written."""
    first, *others = bodies
    booking = merge(None, to_delivery(first, request_id))
    for body in others:
        booking = merge(booking, to_delivery(body, request_id))
    return dataclasses.replace(booking, revision=revision)


def four_byte_text(length: int, seed: int) -> str:
    """Returns so many characters of four bytes in UTF-8, hard to compress, the same each time."""
    chance = random.Random(seed)  # noqa: S311 - data, not a secret
    return "".join(chr(chance.randrange(0x10000, 0x110000)) for _ in range(length))


def form_at_its_limits(name: str, *, event_ts: int = EVENT_TS) -> dict[str, Any]:
    """Returns a booking form filled to each of its limits, in characters of four bytes."""
    return with_object(
        sample(name, event_ts=event_ts),
        scheduled_event__summary=four_byte_text(256, 1),
        scheduled_event__meeting_notes=four_byte_text(1024, 2),
        questions_and_answers=[
            {
                "question": four_byte_text(8192, 10 + number),
                "position": number,
                "answer": [four_byte_text(1024, 30 + number)],
            }
            for number in range(10)
        ],
    )
