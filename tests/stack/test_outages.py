"""What is down, slow or forbidden, one after the other: no booking is lost, and Zoom is told the truth."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.stack.deliveries import MINUTE, NOON, canceled, created, encoded, unknown
from tests.stack.running import StackUnderTest, wait_for

pytestmark = pytest.mark.xdist_group("stack")

# The contract's bound on any answer, and what this machine's own HTTP may take beside it.
ANSWER_SECONDS = 2.5 + 0.4


@pytest.fixture
def silent_address() -> Iterator[str]:
    """Where something accepts connections and never answers, as a service does that hangs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


# failure matrix: 14
def test_while_the_bus_refuses_the_queues_carry_both_events_and_only_the_raw_ones_are_missing(
    stack: StackUnderTest, event_id: str
) -> None:
    before = stack.counted("webhook", "FallbackUsed")
    with stack.denied("WebhookRole", "events:PutEvents"):
        stack.deliver(created(event_id))
        stack.deliver(canceled(event_id, at=NOON + MINUTE))

    booking = stack.booking(event_id)
    assert (booking["status"], booking["revision"]) == ("canceled", 2)
    events = stack.events(event_id)
    assert [event.type for event in events] == ["BookingCreated", "BookingCanceled"]
    assert events[-1].resources == [f"zoom-request/{booking['request_id']}"]
    assert stack.raw_events(event_id) == []
    assert stack.counted("webhook", "FallbackUsed") == before + 2

    stack.deliver(created(event_id, at=NOON + 2 * MINUTE))
    assert len(stack.raw_events(event_id)) == 1  # the bus is the first way again


# failure matrix: 11
def test_while_the_bus_hangs_the_queue_takes_the_delivery_within_zooms_patience(
    stack: StackUnderTest, event_id: str, silent_address: str
) -> None:
    with stack.environment("WebhookFunction", AWS_ENDPOINT_URL_EVENTBRIDGE=silent_address):
        cold = stack.post(created(event_id))
        warm = stack.post(canceled(event_id, at=NOON + MINUTE))

    assert (cold.status, warm.status) == (200, 200)
    assert warm.seconds < ANSWER_SECONDS
    assert [stack.outcome(answer) for answer in (cold, warm)] == ["BookingWritten"] * 2
    assert stack.booking(event_id)["status"] == "canceled"


# failure matrix: 13
def test_while_bus_and_queues_hang_zoom_is_told_in_time_to_try_again(
    stack: StackUnderTest, event_id: str, silent_address: str
) -> None:
    silent = {"AWS_ENDPOINT_URL_EVENTBRIDGE": silent_address, "AWS_ENDPOINT_URL_SQS": silent_address}
    with stack.environment("WebhookFunction", **silent):
        answers = [stack.post(created(event_id)) for _ in range(3)]

    assert [answer.status for answer in answers] == [503, 503, 503]
    assert max(answer.seconds for answer in answers[1:]) < ANSWER_SECONDS
    assert answers[-1].content_type == "application/problem+json"
    assert stack.item(event_id) is None
    assert stack.deliver(created(event_id)) == "BookingWritten"  # Zoom's retry


# failure matrix: 13
@pytest.mark.parametrize("fan_out", ["EventBridge", "SQS"])
def test_while_bus_and_queues_refuse_zoom_is_told_to_try_again(
    stack: StackUnderTest, event_id: str, fan_out: str
) -> None:
    before = stack.counted("webhook", "NotDurable")
    with (
        stack.parameters(FanOut=fan_out),
        stack.denied("WebhookRole", "events:PutEvents", "sqs:SendMessage"),
    ):
        answer = stack.post(created(event_id))

    assert answer.status == 503
    assert "policy" not in answer.json["detail"]
    assert stack.counted("webhook", "NotDurable") == before + 1
    assert stack.deliver(created(event_id)) == "BookingWritten"  # Zoom's retry


def test_with_fan_out_sqs_the_queues_come_first_and_the_bus_carries_domain_events_only(
    stack: StackUnderTest, event_id: str
) -> None:
    with stack.parameters(FanOut="SQS"):
        before = stack.counted("webhook", "FallbackUsed")
        stack.deliver(created(event_id))
        stack.deliver(canceled(event_id, at=NOON + MINUTE))
        assert stack.raw_events(event_id) == []
        assert stack.counted("webhook", "FallbackUsed") == before

    assert stack.booking(event_id)["status"] == "canceled"
    assert [event.type for event in stack.events(event_id)] == ["BookingCreated", "BookingCanceled"]


def test_with_fan_out_sqs_the_bus_is_the_fallback(stack: StackUnderTest, event_id: str) -> None:
    body = created(event_id)
    with stack.parameters(FanOut="SQS"), stack.denied("WebhookRole", "sqs:SendMessage"):
        assert stack.deliver(body) == "BookingWritten"

    (raw,) = stack.raw_events(event_id)
    assert raw.detail == body
    assert [event.type for event in stack.events(event_id)] == ["BookingCreated"]


# failure matrix: 14, 36
def test_an_event_without_a_handler_goes_to_quarantine_while_the_bus_refuses(
    stack: StackUnderTest, event_id: str
) -> None:
    with stack.denied("WebhookRole", "events:PutEvents"):
        answer = stack.post(unknown(event_id))

    assert answer.status == 200
    assert stack.quarantined(answer)["reason"] == "not_published"


# failure matrix: 39
def test_what_cant_be_kept_in_quarantine_either_is_asked_for_again(
    stack: StackUnderTest, event_id: str
) -> None:
    invalid, homeless = created(event_id, summary=7), unknown(event_id)
    with stack.denied("WebhookRole", "sqs:SendMessage", "events:PutEvents"):
        answers = [stack.post(invalid), stack.post(homeless), stack.post(b"not JSON")]

    assert [answer.status for answer in answers] == [503, 503, 503]
    assert stack.quarantined(stack.post(invalid))["reason"] == "invalid_event"


# failure matrix: 12
def test_while_the_bus_is_down_for_announcements_the_table_is_current_and_the_events_follow_by_themselves(
    stack: StackUnderTest, event_id: str
) -> None:
    others = [f"{event_id}-{number}" for number in range(3)]
    with stack.denied("BookingEventsRole", "events:PutEvents"):
        stack.deliver(created(event_id))
        stack.deliver(canceled(event_id, at=NOON + MINUTE))
        for other in others:
            stack.deliver(created(other))
        assert stack.booking(event_id)["status"] == "canceled"
        since = stack.now()
        wait_for(
            "another attempt that fails",
            lambda: any(
                line.get("message") == "bus unavailable, the stream waits"
                for line in stack.log_lines("booking-events", since=since)
            ),
        )
        assert stack.domain_events.about(event_id) == []

    events = stack.events(event_id)
    assert [event.type for event in events] == ["BookingCreated", "BookingCanceled"]
    assert [event.metadata["revision"] for event in events] == [1, 2]
    assert all(len(stack.domain_events.about(other)) == 1 for other in others)
    assert stack.events_dlq.waiting == 0


# failure matrix: 22
def test_while_the_table_refuses_deliveries_wait_in_their_queue_and_are_recorded_afterwards(
    stack: StackUnderTest, event_id: str
) -> None:
    # Without the permission to have a record come back in a minute it comes back when the queue says so.
    actions = ("dynamodb:PutItem", "sqs:ChangeMessageVisibility")
    with stack.created_queue.redelivering(), stack.denied("BookingCreatedRole", *actions):
        answer = stack.post(created(event_id))
        assert answer.status == 200
        wait_for(
            "two attempts that fail",
            lambda: (
                sum(
                    line.get("reason", "").startswith("DynamoDB: AccessDeniedException")
                    for line in stack.log_lines("booking-created", since=answer.sent_at)
                )
                >= 2
            ),
        )
        assert stack.item(event_id) is None
        # The twin has its own role: what it records does not wait.
        assert stack.deliver(canceled(f"{event_id}-other")) == "BookingWritten"

    assert stack.outcome(answer) == "BookingWritten"
    assert stack.created_dlq.waiting == 0


# failure matrix: 22
def test_a_record_that_waits_for_the_table_comes_back_later_than_its_queue_says(
    stack: StackUnderTest, event_id: str
) -> None:
    with (
        stack.created_queue.redelivering(at_most=3),
        stack.denied("BookingCreatedRole", "dynamodb:PutItem"),
    ):
        answer = stack.post(created(event_id))
        # A poison message keeps the queue's own time, so it counts what the record could have come back.
        stack.created_queue.send("poison")
        wait_for("three receives of the poison", lambda: stack.created_dlq.waiting)
        failures = [
            line["error"]
            for line in stack.log_lines("booking-created", since=answer.sent_at)
            if line.get("message") == "record failed"
        ]

    assert sorted(failures) == ["MalformedEnvelope"] * 3 + ["ServiceUnavailable"]
    assert stack.created_dlq.take() == ["poison"]
    assert stack.created_queue.in_flight == 1  # for a minute
    stack.created_queue.purge()


# failure matrix: 51
def test_a_booking_too_large_for_the_table_waits_while_quarantine_refuses(
    stack: StackUnderTest, event_id: str
) -> None:
    actions = ("sqs:SendMessage", "sqs:ChangeMessageVisibility")
    with stack.created_queue.redelivering(), stack.denied("BookingCreatedRole", *actions):
        answer = stack.post(encoded(created(event_id, summary="x" * 600_000)))
        wait_for(
            "an attempt that fails",
            lambda: any(
                line.get("message") == "record failed"
                for line in stack.log_lines("booking-created", since=answer.sent_at)
            ),
        )

    assert stack.outcome(answer) == "Quarantined"
    assert stack.quarantined(answer)["reason"] == "too_large"
