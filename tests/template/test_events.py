"""The patterns on the bus take what the code publishes, matched as EventBridge matches."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from moto.events.models import EventPattern

from bookings.domain.events import EventType
from bookings.envelope import BOOKINGS as BOOKINGS_SOURCE
from bookings.envelope import CHECK_EVENT_ID_PREFIX, DELIVERIES, Envelope, source_for
from bookings.zoom.events import CANCELED, CREATED
from tests.template.stacks import BOOKINGS, ROOT, SUBSCRIBER, logical, stack

SAMPLES = {
    "scheduled_event_created.json": CREATED,
    "scheduled_event_canceled.json": CANCELED,
    "story/1_created.json": CREATED,
    "story/4_canceled.json": CANCELED,
}
REAL, CHECK = "6v1jYq2pRbGmTg9AfQeZ0w", f"{CHECK_EVENT_ID_PREFIX}1"


def on_the_bus(envelope: Envelope) -> dict[str, Any]:
    message = envelope.to_message(account="123456789012", region="eu-central-1", time=datetime.now(UTC))
    event: dict[str, Any] = json.loads(message)
    return event


def delivery(name: str, event_id: str = REAL, detail: str = "{}") -> dict[str, Any]:
    return on_the_bus(Envelope(source_for(DELIVERIES, event_id), name, detail, "request-1"))


def booking_event(name: str, event_id: str = REAL) -> dict[str, Any]:
    return on_the_bus(Envelope(source_for(BOOKINGS_SOURCE, event_id), name, "{}"))


def matching(path: Path, event: dict[str, Any]) -> list[str]:
    """Returns the rules and archives of a stack that take the event."""
    patterns = {
        name: properties["EventPattern"]
        for kind in ("AWS::Events::Rule", "AWS::Events::Archive")
        for name, properties in stack(path).of_type(kind).items()
    }
    return [name for name, pattern in patterns.items() if matches(pattern, event)]


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    matcher: Any = EventPattern.load(json.dumps(pattern))
    return bool(matcher.matches_event(event))


@pytest.mark.parametrize(("file", "name"), SAMPLES.items())
def test_a_delivery_goes_to_its_queue_and_into_the_archive(file: str, name: str) -> None:
    rule = {CREATED: "BookingCreatedRule", CANCELED: "BookingCanceledRule"}[name]
    event = delivery(name, detail=(ROOT / "events" / file).read_text())

    assert matching(BOOKINGS, event) == [rule, "DeliveryArchive"]
    (target,) = stack(BOOKINGS).properties(rule)["Targets"]
    assert logical(target["Arn"]) == rule.replace("Rule", "Queue")


@pytest.mark.parametrize("name", [CREATED, CANCELED])
def test_a_test_delivery_goes_to_its_queue_and_into_no_archive(name: str) -> None:
    rule = {CREATED: "BookingCreatedRule", CANCELED: "BookingCanceledRule"}[name]

    assert matching(BOOKINGS, delivery(name, CHECK)) == [rule]


def test_a_delivery_that_has_no_handler_is_only_archived() -> None:
    assert matching(BOOKINGS, delivery("scheduler.something_new")) == ["DeliveryArchive"]


@pytest.mark.parametrize("name", [CREATED, CANCELED])
def test_a_delivery_in_name_only_goes_nowhere(name: str) -> None:
    # The bus lets nobody else publish today; whoever will be let, speaks for himself and not for Zoom.
    assert matching(BOOKINGS, on_the_bus(Envelope("somebody.else", name, "{}"))) == []


def test_a_subscriber_hears_of_no_event_that_it_does_not_know() -> None:
    assert matching(SUBSCRIBER, booking_event("BookingArchived")) == []


@pytest.mark.parametrize("event_id", [REAL, CHECK])
@pytest.mark.parametrize("name", EventType)
def test_a_booking_event_never_comes_back_to_us(name: str, event_id: str) -> None:
    assert matching(BOOKINGS, booking_event(name, event_id)) == []


def test_our_rules_and_the_archive_listen_on_the_booking_bus() -> None:
    for rule in stack(BOOKINGS).of_type("AWS::Events::Rule").values():
        assert logical(rule["EventBusName"]) == "BookingBus"
    assert logical(stack(BOOKINGS).properties("DeliveryArchive")["SourceArn"]) == "BookingBus"


@pytest.mark.parametrize("name", EventType)
def test_a_subscriber_hears_of_every_booking_event(name: str) -> None:
    assert matching(SUBSCRIBER, booking_event(name)) == ["BookingEventsRule"]


@pytest.mark.parametrize("name", EventType)
def test_a_subscriber_hears_of_no_test_booking(name: str) -> None:
    assert matching(SUBSCRIBER, booking_event(name, CHECK)) == []


@pytest.mark.parametrize("event_id", [REAL, CHECK])
@pytest.mark.parametrize("name", [CREATED, CANCELED])
def test_a_subscriber_hears_of_no_raw_delivery(name: str, event_id: str) -> None:
    assert matching(SUBSCRIBER, delivery(name, event_id)) == []


# failure matrix: 48
def test_a_subscriber_waits_in_a_queue_of_its_own_and_fails_into_a_dlq_of_its_own() -> None:
    ours, theirs = stack(BOOKINGS), stack(SUBSCRIBER)
    (rule,) = theirs.of_type("AWS::Events::Rule").values()
    (target,) = rule["Targets"]
    queue, dlq = logical(target["Arn"]), logical(target["DeadLetterConfig"]["Arn"])

    # Between the bus and its code stands its own queue, and what it gives up lies in its own DLQ.
    assert {queue, dlq} <= theirs.of_type("AWS::SQS::Queue").keys()
    assert queue != dlq
    assert logical(theirs.properties(str(queue))["RedrivePolicy"]["deadLetterTargetArn"]) == dlq
    assert [logical(each["EventSourceArn"]) for each in theirs.mappings().values()] == [queue]
    # And the bookings stack sends to nobody but its own queues: whoever listens, listens by a rule.
    for name, own in ours.of_type("AWS::Events::Rule").items():
        assert [logical(each["Arn"]) for each in own["Targets"]] == [name.replace("Rule", "Queue")]


def test_the_rule_in_the_readme_takes_booking_events_and_no_test_bookings() -> None:
    pattern = {
        "source": ["bookings"],
        "detail-type": ["BookingCreated", "BookingRescheduled", "BookingCanceled"],
    }
    lines = ["source: [bookings]", "detail-type: [BookingCreated, BookingRescheduled, BookingCanceled]"]

    assert all(line in (ROOT / "README.md").read_text() for line in lines)
    assert matches(pattern, booking_event("BookingCreated"))
    assert not matches(pattern, booking_event("BookingCreated", CHECK))
