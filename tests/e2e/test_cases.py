"""Sequences of deliveries, with the items, domain events and quarantined deliveries that follow from them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.stack import Body, Stack
from tests.samples import EVENTS, canceled, created, raw
from tests.samples import MORNING_MS as T

MINUTE, HOUR = 60_000, 3_600_000

type Fields = dict[str, Any]
"""Dotted names and their values. None: there is no such field."""


@dataclass(frozen=True)
class Case:
    """One sequence. Each delivery is posted when the one before is recorded.

    Attributes:
        deliveries: event ids that begin with `evt-` are replaced, so every row has its own.
        items: fields of every booking at the end, by event id and e-mail.
        events: every domain event in order, its type alone or with fields of its detail.
        quarantined: the number of deliveries that the handlers put into quarantine.
    """

    deliveries: Sequence[Body]
    items: dict[tuple[str, str], Fields]
    events: Sequence[str | tuple[str, Fields]]
    quarantined: int = 0


STORY = ("1_created", "2_moved_canceled", "3_moved_created", "4_canceled")
STORY_ID, MAYA = b"k3v9q2m7x1d8fz6hw4tn0rbc5y", ("evt-1", "maya.lindqvist@example.com")
ANN, ANN_MOVED = ("evt-1", "ann@example.com"), ("evt-2", "ann@example.com")
CONFIRMED, CANCELED = {"status": "confirmed"}, {"status": "canceled"}
MOVED = CONFIRMED | {"rescheduled": True, "start": "2026-12-08T16:00:00Z", "cancellation": None}
NEW_SLOT: Fields = {"start_date_time": "2026-12-08T16:00:00Z", "rescheduled": True}
AWAY = ("BookingCanceled", {"booking.rescheduled": True})  # another slot replaces it, or may
GONE = ("BookingCanceled", {"booking.rescheduled": False})
NEWER = created(T + MINUTE)
HARBOUR, HILL = (
    {"custom_location": f"{each} https://maps.example/1"} for each in ("1 Harbour St", "9 Hill Rd")
)
ADDRESS = "booking.location.place.custom_location"

CASES = {
    "sample story": Case(
        [(EVENTS / f"story/{name}.json").read_bytes().replace(STORY_ID, b"evt-1") for name in STORY],
        {MAYA: {"status": "canceled", "revision": 4, "start": "2026-11-27T09:00:00Z"}},
        ["BookingCreated", AWAY, ("BookingRescheduled", {"previous.start": "2026-11-26T14:00:00Z"}), GONE],
    ),
    "move under one id, created first": Case(  # failure matrix: 5
        [created(), created(T + HOUR + 450, **NEW_SLOT), canceled(T + HOUR, rescheduled=True)],
        {ANN: MOVED},
        ["BookingCreated", ("BookingRescheduled", {"booking.start": "2026-12-08T16:00:00Z"})],
    ),
    "move to a new id, created first": Case(
        [created(), created(T + HOUR, event_id="evt-2", **NEW_SLOT), canceled(T + HOUR, rescheduled=True)],
        {ANN: CANCELED | {"rescheduled": True}, ANN_MOVED: MOVED},
        ["BookingCreated", "BookingCreated", AWAY],
    ),
    # failure matrix: 4
    "canceled before created": Case([canceled(T + MINUTE), created()], {ANN: CANCELED}, [GONE]),
    "retries, late and rewritten": Case(  # failure matrix: 1, 2, 3, 6
        [NEWER, NEWER, created(T - 85 * MINUTE, summary="Older"), json.dumps(NEWER, indent=3).encode()],
        {ANN: CONFIRMED | {"revision": 1, "title": "First meeting"}},
        ["BookingCreated"],
    ),
    # ── Cases of public reports, by their numbers ─────────────────────────────────────────────────────────
    "01 host asks for another time, then the invitee gives up": Case(
        [created(), canceled(T + HOUR, rescheduled=True), canceled(T + 5 * HOUR)],
        {ANN: CANCELED | {"rescheduled": False}},
        ["BookingCreated", AWAY, GONE],
    ),
    "16 address with a map link, then another address": Case(
        [created(location=HARBOUR), created(T + HOUR, location=HILL)],
        {ANN: CONFIRMED},
        [("BookingCreated", {ADDRESS: "1 Harbour St"}), ("BookingUpdated", {ADDRESS: "9 Hill Rd"})],
    ),
    "33 canceled without an e-mail": Case(  # failure matrix: 55
        [created(), canceled(T + 1000, invitee_email=None)],
        {ANN: CONFIRMED | {"revision": 1}},
        ["BookingCreated"],
        quarantined=1,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_deliveries_end_in_items_and_events(stack: Stack, event_id: str, name: str) -> None:
    case = CASES[name]
    quarantined = []
    for body in case.deliveries:
        text = body if isinstance(body, bytes) else raw(body)
        answer = stack.post(text.replace(b'"evt-', f'"{event_id}-'.encode()))
        assert answer.status == 200
        if stack.outcome(answer) == "Quarantined":
            quarantined.append(stack.quarantined(answer))
    assert len(quarantined) == case.quarantined
    expected = {
        (each.replace("evt", event_id), email): fields for (each, email), fields in case.items.items()
    }
    items = stack.items(*(each for each, _ in expected))
    found = {(item["event_id"], item["invitee"]["email"]): item for item in items}
    assert found.keys() == expected.keys()
    events = stack.events(*(each for each, _ in expected))
    announced = [(each, {}) if isinstance(each, str) else each for each in case.events]
    assert [event["type"] for event in events] == [kind for kind, _ in announced]
    pairs = [(found[key], fields) for key, fields in expected.items()]
    pairs += [(event, fields) for event, (_, fields) in zip(events, announced, strict=True)]
    for whole, fields in pairs:
        assert {dotted: value(whole, dotted) for dotted in fields} == fields


def value(found: Any, dotted: str) -> Any:
    for name in dotted.split("."):
        found = (found or {}).get(name)
    return found
