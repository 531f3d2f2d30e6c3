"""The events of the running stack fit the contract."""

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from cli.contract import ASYNCAPI, SCHEMAS
from tests.stack.deliveries import MINUTE, NOON, canceled, created
from tests.stack.running import StackUnderTest

pytestmark = pytest.mark.xdist_group("stack")


def test_events_fit_their_schemas(stack: StackUnderTest, event_id: str) -> None:
    moved = {"start_date_time": "2026-11-27T09:00:00Z", "guests": []}
    for body in (
        created(event_id),
        created(event_id, at=NOON + MINUTE, guests=[]),
        created(event_id, at=NOON + 2 * MINUTE, rescheduled=True, **moved),
        canceled(event_id, at=NOON + 3 * MINUTE),
    ):
        stack.deliver(body)
    events = [json.loads(event.text) for event in stack.events(event_id)]
    types = [event["detail-type"] for event in events]
    assert types == ["BookingCreated", "BookingUpdated", "BookingRescheduled", "BookingCanceled"]
    for event in events:
        schema: Any = json.loads((SCHEMAS / f"{event['detail-type']}.event.json").read_text())
        Draft202012Validator(schema).validate(event)
    raw = [json.loads(event.text) for event in stack.raw_events(event_id)]
    schemas = yaml.safe_load(ASYNCAPI.read_text(encoding="utf-8"))["components"]["schemas"]
    for event, name in zip(raw, ["Created", "Created", "Created", "Canceled"], strict=True):
        reference = {"$ref": f"#/components/schemas/ScheduledEvent{name}Event"}
        Draft202012Validator(reference | {"components": {"schemas": schemas}}).validate(event)
