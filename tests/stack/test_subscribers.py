"""What subscribers get to see, and what they don't."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bookings.domain.booking import booking_id_of
from local.stack import ROOT
from tests.stack.deliveries import (
    EMAIL,
    JOIN_URL,
    MANAGE_URL,
    MINUTE,
    NOON,
    PASSCODE,
    canceled,
    created,
    encoded,
)
from tests.stack.running import DeployedStack, StackUnderTest, wait_for

pytestmark = pytest.mark.xdist_group("stack")


def test_a_domain_event_tells_the_booking_and_how_it_was_before(stack: StackUnderTest, event_id: str) -> None:
    stack.deliver(created(event_id))
    answer = stack.post(
        created(event_id, at=NOON + MINUTE, rescheduled=True, start_date_time="2026-11-26T15:00:00+02:00")
    )
    stack.outcome(answer)

    first, second = stack.events(event_id)

    booking_id = booking_id_of(event_id, EMAIL)
    assert (first.source, first.type) == ("bookings", "BookingCreated")
    assert first.detail["previous"] is None
    assert (second.type, second.resources) == ("BookingRescheduled", [f"zoom-request/{answer.request_id}"])
    event_metadata = second.metadata
    assert len(event_metadata.pop("id")) == 32
    assert event_metadata == {
        "schema_version": "1",
        "booking_id": booking_id,
        "revision": 2,
        "occurred_at": "2026-11-20T09:01:00Z",
    }
    place = {
        "kind": "zoom",
        "online_meeting": {"kind": "zoom", "meeting_id": "kanarie", "meeting_description": "kanarie"},
    }
    assert second.detail["previous"] == {
        "rescheduled": False,
        "status": "confirmed",
        "start": "2026-11-26T14:00:00Z",
        "end": "2026-11-26T14:30:00Z",
        "location": place,
    }
    item = stack.booking(event_id)
    hidden = {"zoom_events", "revision", "manage_url"}
    assert second.booking == {name: value for name, value in item.items() if name not in hidden} | {
        "location": place
    }
    assert second.booking["start"] == "2026-11-26T13:00:00Z"


def test_access_links_and_passcodes_stay_in_the_table(stack: StackUnderTest, event_id: str) -> None:
    stack.deliver(created(event_id))

    (event,) = stack.events(event_id)

    assert not any(secret in event.text for secret in (MANAGE_URL, JOIN_URL, PASSCODE))
    item = stack.booking(event_id)
    assert item["manage_url"] == MANAGE_URL
    assert item["location"]["online_meeting"]["meeting_passcode"] == PASSCODE


def test_access_links_are_shared_where_the_parameter_says_so(stack: StackUnderTest, event_id: str) -> None:
    with stack.parameters(ShareAccessLinks="true"):
        stack.deliver(created(event_id))
        (event,) = stack.events(event_id)

    assert event.booking["manage_url"] == MANAGE_URL
    assert event.booking["location"]["online_meeting"]["meeting_join_url"] == JOIN_URL
    assert event.booking["location"]["online_meeting"]["meeting_passcode"] == PASSCODE


def test_a_raw_event_is_zooms_body_unchanged(stack: StackUnderTest, event_id: str) -> None:
    # Zoom mixes letters and escapes; what it sent is what goes on, not what a parser makes of it.
    raw = encoded(created(event_id)).replace("é".encode(), b"\\u00e9")

    answer = stack.post(raw)

    (event,) = stack.raw_events(event_id)
    assert answer.body == raw
    assert (event.type, event.detail) == ("scheduler.scheduled_event_created", json.loads(raw))
    assert event.resources == [f"zoom-request/{answer.request_id}"]


@pytest.mark.parametrize("shape", ["has spaces", "a/b", "x" * 129, ""])
def test_a_request_id_of_another_shape_is_left_out(stack: StackUnderTest, event_id: str, shape: str) -> None:
    answer = stack.post(created(event_id), headers={"x-zm-request-id": shape})

    assert answer.status == 200
    (raw,) = stack.raw_events(event_id)
    assert raw.resources == []
    assert "request_id" not in stack.booking(event_id)


def test_test_bookings_go_the_whole_way_and_no_subscriber_sees_them(
    stack: StackUnderTest, event_id: str
) -> None:
    check = f"bookings-check-{event_id}"
    stack.deliver(created(check))
    stack.deliver(canceled(check, at=NOON + MINUTE))

    assert stack.booking(check)["status"] == "canceled"
    assert stack.events(check) == []
    assert stack.raw_events(check) == []
    seen = [(event.source, event.type) for event in stack.checks.about(check)]
    assert [type_ for source, type_ in seen if source == "zoom.scheduler.check"] == [
        "scheduler.scheduled_event_created",
        "scheduler.scheduled_event_canceled",
    ]
    assert [type_ for source, type_ in seen if source == "bookings.check"] == [
        "BookingCreated",
        "BookingCanceled",
    ]


def test_a_test_booking_is_one_on_the_fallback_way_too(stack: StackUnderTest, event_id: str) -> None:
    check = f"bookings-check-{event_id}"
    with stack.denied("WebhookRole", "events:PutEvents"):
        stack.deliver(created(check))

    assert stack.events(check) == []
    assert [event.source for event in stack.checks.about(check)] == ["bookings.check"]


def test_a_role_may_do_no_more_than_its_statements_say(stack: StackUnderTest) -> None:
    # So what works in these tests works by the statements of the template, which the emulator enforces.
    refusals = stack.refused_to(
        "BookingEventsRole",
        lambda client: client("dynamodb").put_item(
            TableName=stack.running.outputs["BookingsTableName"], Item={"booking_id": {"S": "x"}}
        ),
        lambda client: client("sqs").send_message(QueueUrl=stack.created_queue.url, MessageBody="x"),
        lambda client: client("secretsmanager").get_secret_value(
            SecretId=stack.running.outputs["ZoomSecretArn"]
        ),
    )

    assert refusals == ["AccessDeniedException", "AccessDenied", "AccessDeniedException"]


def test_a_booking_is_found_by_its_host(stack: StackUnderTest, event_id: str) -> None:
    host = f"host-{event_id}"
    body = created(event_id)
    body["payload"]["user_id"] = host
    stack.deliver(body)

    found = stack.running.client("dynamodb").query(
        TableName=stack.running.outputs["BookingsTableName"],
        IndexName="by_host",
        KeyConditionExpression="host_user_id = :host AND #start > :start",
        ExpressionAttributeNames={"#start": "start"},
        ExpressionAttributeValues={":host": {"S": host}, ":start": {"S": "2026-11-01"}},
    )["Items"]

    assert [item["booking_id"]["S"] for item in found] == [booking_id_of(event_id, EMAIL)]


@pytest.fixture(scope="module")
def example(stack: StackUnderTest) -> Iterator[DeployedStack]:
    """examples/subscriber/, deployed beside the bookings stack as anybody would deploy it."""
    template = ROOT / "examples/subscriber/template.yaml"
    parameters = {"EventBusName": stack.running.outputs["EventBusName"]}
    with stack.deployed("subscriber", template, parameters) as deployed:
        yield deployed


def test_the_example_subscriber_keeps_the_newest_state_of_each_booking(
    stack: StackUnderTest, example: DeployedStack, event_id: str
) -> None:
    stack.deliver(created(event_id))
    stack.deliver(canceled(event_id, at=NOON + MINUTE))

    def state() -> dict[str, Any]:
        table = example.physical_id("BookingStatesTable")
        key = {"booking_id": booking_id_of(event_id, EMAIL)}
        return stack.read(table, key) or {}

    wait_for("the cancellation at the subscriber", lambda: state().get("revision") == 2)
    last = stack.events(event_id)[-1]
    assert state() == {
        "booking_id": booking_id_of(event_id, EMAIL),
        "revision": 2,
        "status": "canceled",
        "start": last.booking["start"],
        "event_id": last.metadata["id"],
    }


# failure matrix: 48
def test_a_subscriber_that_fails_holds_up_nobody_but_itself(
    stack: StackUnderTest, example: DeployedStack, event_id: str
) -> None:
    dlq = stack.queue_at(example.physical_id("SubscriberDLQ"))
    queue = stack.queue_at(example.physical_id("SubscriberQueue"))
    function = example.physical_id("SubscriberFunction")
    with queue.redelivering(at_most=1), stack.broken(function, ROOT / "examples/subscriber/function/app.py"):
        stack.deliver(created(event_id))
        stack.deliver(canceled(event_id, at=NOON + MINUTE))
        assert [event.type for event in stack.events(event_id)] == ["BookingCreated", "BookingCanceled"]
        letters: list[str] = []

        def given_up() -> list[str]:
            letters.extend(json.loads(text)["detail"]["metadata"]["booking_id"] for text in dlq.take())
            return [booking_id for booking_id in letters if booking_id == booking_id_of(event_id, EMAIL)]

        # In its own DLQ; the pipeline's are empty after every test.
        wait_for("both events in its DLQ", lambda: len(given_up()) == 2)
