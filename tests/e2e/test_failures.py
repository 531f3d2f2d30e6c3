"""Services and functions that fail: no booking is lost or doubled, and Zoom gets the right answer."""

import socket

import pytest

from tests.e2e.stack import DELIVERIES, Stack, history, wait_for
from tests.samples import MORNING_MS, canceled, created, message

LATER = MORNING_MS + 60_000


def check_canceled(stack: Stack, event_id: str, *, on_bus: int) -> None:
    assert stack.deliver(created(event_id=event_id)) == "BookingWritten"
    assert stack.deliver(canceled(LATER, event_id=event_id)) == "BookingWritten"
    assert history(stack.events(event_id)) == ["1 BookingCreated", "2 BookingCanceled"]
    assert len(stack.received(event_id, source=DELIVERIES)) == on_bus


# failure matrix: 14
def test_either_destination_alone_is_enough(stack: Stack, event_id: str) -> None:
    with stack.denied("WebhookRole", "events:PutEvents"):
        check_canceled(stack, event_id, on_bus=0)
    with stack.environment("WebhookFunction", FAN_OUT="SQS"):
        check_canceled(stack, f"{event_id}-2", on_bus=0)
        with stack.denied("WebhookRole", "sqs:SendMessage"):
            check_canceled(stack, f"{event_id}-3", on_bus=2)


# failure matrix: 13, 36, 39
def test_delivery_that_nothing_takes_is_answered_503(stack: Stack, event_id: str) -> None:
    valid, invalid = created(event_id=event_id), created(event_id=event_id, summary=7)
    unknown = valid | {"event": "scheduler.new"}
    with stack.denied("WebhookRole", "events:PutEvents"):
        answer = stack.post(unknown)
        assert (answer.status, stack.quarantined(answer)["reason"]) == (200, "not_published")
    with stack.denied("WebhookRole", "events:PutEvents", "sqs:SendMessage"):
        answers = [stack.post(body) for body in (valid, invalid, unknown)]
    assert [answer.status for answer in answers] == [503, 503, 503]
    assert b"Denied" not in b"".join(answer.body for answer in answers)
    assert stack.items(event_id) == []
    assert stack.deliver(valid) == "BookingWritten"  # Zoom's retry


# failure matrix: 11, 13
def test_silent_services_are_answered_in_time(stack: Stack, event_id: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with stack.environment("WebhookFunction", AWS_ENDPOINT_URL_EVENTBRIDGE=url):
            answers = [stack.post(created(event_id=event_id)) for _ in range(2)]
            assert [stack.outcome(answer) for answer in answers] == ["BookingWritten", "Duplicate"]
        both = {"AWS_ENDPOINT_URL_EVENTBRIDGE": url, "AWS_ENDPOINT_URL_SQS": url}
        with stack.environment("WebhookFunction", **both):
            answers += [stack.post(created(event_id=event_id)) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200, 503, 503]
    assert max(answers[n].seconds for n in (1, 3)) < 2.5 + 0.4  # of the emulator; the others start cold


# failure matrix: 19
@pytest.mark.parametrize("stopped", ["Created", "Canceled"])
def test_one_handler_goes_on_without_the_other(stack: Stack, event_id: str, stopped: str) -> None:
    bodies = {"Created": created(event_id=event_id), "Canceled": canceled(LATER, event_id=f"{event_id}-2")}
    with stack.paused(f"Booking{stopped}Function"):
        waiting = stack.post(bodies.pop(stopped))
        assert stack.deliver(*bodies.values()) == "BookingWritten"
        assert len(stack.items(event_id, f"{event_id}-2")) == 1
    assert stack.outcome(waiting) == "BookingWritten"
    assert len(stack.events(event_id, f"{event_id}-2")) == 2


# failure matrix: 18, 19, 20, 21, 45
def test_redriven_dlq_is_merged_by_event_time(stack: Stack, event_id: str) -> None:
    ids = [f"{event_id}-{number}" for number in range(7)]
    good = [message(created(event_id=each, summary="Older")) for each in ids]
    poison = ["no JSON", '{"detail": {}}', message({"event": "meeting.started"})]
    queue, dlq = stack.outputs["BookingCreatedQueueUrl"], stack.outputs["BookingCreatedDLQUrl"]
    broken = stack.environment("BookingCreatedFunction", BOOKINGS_TABLE_NAME="")  # each start fails
    with stack.redelivery(queue, receives=1), broken:
        stack.send(queue, *good[:3], *poison, *good[3:])
        wait_for("all in the DLQ", lambda: stack.messages(dlq) == len(good + poison))
    assert stack.deliver(created(LATER, event_id=ids[0], summary="Newer")) == "BookingWritten"
    with stack.redelivery(queue, receives=1, seconds=2):
        stack.send(queue, *stack.take(dlq))
        wait_for("the poison in the DLQ", lambda: stack.messages(dlq) == len(poison))
    assert sorted(stack.take(dlq)) == sorted(poison)
    titles = {item["event_id"]: (item["title"], item["revision"]) for item in stack.items(*ids)}
    assert titles == dict.fromkeys(ids, ("Older", 1)) | {ids[0]: ("Newer", 1)}
