"""The patterns of rules and archive, matched against events that the code makes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.events.models import EventPattern

from bookings.domain.events import EventType
from bookings.envelope import BOOKINGS as EVENTS
from bookings.envelope import CHECK_EVENT_ID_PREFIX, DELIVERIES, Envelope, source_for
from bookings.zoom.events import CANCELED, CREATED
from tests.template.stacks import BOOKINGS, SUBSCRIBER, stack

REAL, CHECK = "6v1jYq2pRbGmTg9AfQeZ0w", f"{CHECK_EVENT_ID_PREFIX}1"
THEIRS = ["SubscriberRule"]


def event(source: str, name: str, event_id: str = REAL) -> Any:
    envelope = Envelope(source_for(source, event_id), name, "{}", "request-1")
    time = datetime(2026, 11, 22, tzinfo=UTC)
    return json.loads(envelope.to_message(account="123456789012", region="eu-central-1", time=time))


def matches(pattern: dict[str, Any], published: Any) -> bool:
    matcher: Any = EventPattern.load(json.dumps(pattern))
    return bool(matcher.matches_event(published))


@pytest.mark.parametrize(
    ("description", "published", "ours", "theirs"),
    [
        ("created", event(DELIVERIES, CREATED), ["BookingCreatedRule", "DeliveryArchive"], []),
        ("canceled", event(DELIVERIES, CANCELED), ["BookingCanceledRule", "DeliveryArchive"], []),
        ("created test", event(DELIVERIES, CREATED, CHECK), ["BookingCreatedRule"], []),
        ("canceled test", event(DELIVERIES, CANCELED, CHECK), ["BookingCanceledRule"], []),
        ("no handler", event(DELIVERIES, "scheduler.something_new"), ["DeliveryArchive"], []),
        ("created of another source", event("somebody.else", CREATED), [], []),
        ("canceled of another source", event("somebody.else", CANCELED), [], []),
        ("unknown booking event", event(EVENTS, "BookingArchived"), [], []),
        *((name, event(EVENTS, name), [], THEIRS) for name in EventType),
        *((f"test {name}", event(EVENTS, name, CHECK), [], []) for name in EventType),
    ],
)
def test_event_reaches_these_rules(
    description: str, published: Any, ours: list[str], theirs: list[str]
) -> None:
    for path, expected in ((BOOKINGS, ours), (SUBSCRIBER, theirs)):
        found = stack(path).of_type("AWS::Events::Rule") | stack(path).of_type("AWS::Events::Archive")
        patterns = {name: properties["EventPattern"] for name, properties in found.items()}
        assert [name for name, pattern in patterns.items() if matches(pattern, published)] == expected
