"""The events of the running stack fit the contract."""

import json
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from cli.contract import ASYNCAPI, SCHEMAS
from tests.e2e.stack import DELIVERIES, Stack
from tests.samples import MORNING_MS as T
from tests.samples import canceled, created

MINUTE = 60_000
MOVED: dict[str, Any] = {"start_date_time": "2026-11-27T09:00:00Z", "guests": [], "rescheduled": True}


def test_events_fit_their_schemas(stack: Stack, event_id: str) -> None:
    bodies = [
        created(event_id=event_id),
        created(T + MINUTE, event_id=event_id, guests=[]),
        created(T + 2 * MINUTE, event_id=event_id, **MOVED),
        canceled(T + 3 * MINUTE, event_id=event_id),
    ]
    for body in bodies:
        stack.deliver(body)
    events = stack.events(event_id)
    types = ["BookingCreated", "BookingUpdated", "BookingRescheduled", "BookingCanceled"]
    assert [event["type"] for event in events] == types
    for event in events:
        schema: Any = json.loads((SCHEMAS / f"{event['type']}.detail.json").read_text())
        detail = {name: event[name] for name in ("metadata", "booking", "previous")}
        Draft202012Validator(schema).validate(detail)
    schemas = yaml.safe_load(ASYNCAPI.read_text(encoding="utf-8"))["components"]["schemas"]
    raw = stack.events(event_id, source=DELIVERIES)
    for delivery, name in zip(raw, ["Created", "Created", "Created", "Canceled"], strict=True):
        detail = {"$ref": f"#/components/schemas/ScheduledEvent{name}Event/properties/detail"}
        body = {part: delivery[part] for part in ("event", "event_ts", "payload")}
        Draft202012Validator(detail | {"components": {"schemas": schemas}}).validate(body)
