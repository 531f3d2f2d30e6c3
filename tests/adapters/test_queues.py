"""The queues' adapter: what is sent, how large it may be, when it comes again."""

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from bookings.aws.bus import EventBridgeBus
from bookings.aws.queues import SQSHandlerQueues, SQSQueue, SQSRedelivery
from bookings.clock import SystemClock
from bookings.envelope import Envelope, parse_message
from bookings.errors import RefusedByService, ServiceError, ServiceUnavailable
from bookings.limits import MAX_BODY_BYTES, MAX_QUARANTINE_ERRORS, MESSAGE_BYTES
from bookings.use_cases.quarantine import quarantine_message
from bookings.zoom.events import CANCELED, CREATED
from tests.adapters.deliveries import NOW, sample
from tests.adapters.resources import Bus, Queue, in_time

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/q"


def sqs_queue(queue: Queue) -> SQSQueue:
    return SQSQueue(queue.client, queue.url)


# ── one message ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_arrives_to_the_character(aws: None) -> None:
    queue = Queue("quarantine")
    text = 'Grüße 🏝\t\r\n"\\u0000"'
    sqs_queue(queue).send(text)
    assert [message["Body"] for message in queue.receive()] == [text]


def test_a_message_of_exactly_a_mebibyte_is_sent_and_one_byte_more_is_refused_without_a_call(
    aws: None,
) -> None:
    queue = Queue("quarantine")
    largest = "é" * (MESSAGE_BYTES // 2)
    sqs_queue(queue).send(largest)
    assert [message["Body"] for message in queue.receive()] == [largest]
    unreachable = SQSQueue(None, URL)
    with pytest.raises(RefusedByService, match="over 1,048,576 bytes"):
        unreachable.send(largest + "x")


def test_the_largest_body_with_the_most_to_say_of_it_still_fits_the_quarantine(aws: None) -> None:
    # failure matrix: 34
    queue = Queue("quarantine")
    body = b"\xff" * MAX_BODY_BYTES
    deepest = "payload.object.questions_and_answers[999].answer[999]"
    message = quarantine_message(
        reason="invalid_event",
        errors=[{"field": deepest, "message": "must be a string"}] * (MAX_QUARANTINE_ERRORS + 1),
        received_at=NOW,
        body=body,
        request_id="r" * 4000,
        timestamp="1" * 3000,
        signature="v" * 3000,
    )
    sqs_queue(queue).send(message)
    assert [message["Body"] for message in queue.receive()] == [message]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AWS.SimpleQueueService.NonExistentQueue", ServiceUnavailable),
        ("AccessDenied", ServiceUnavailable),
        ("KMS.AccessDeniedException", ServiceUnavailable),
        ("RequestThrottled", ServiceUnavailable),
        ("InvalidMessageContents", RefusedByService),
    ],
)
def test_a_message_that_is_not_taken_is_told_by_its_code(code: str, kind: type[ServiceError]) -> None:
    # failure matrix: 39, 47
    sqs: Any = boto3.client("sqs")
    with Stubber(sqs) as stub:
        stub.add_client_error("send_message", code, "canary")
        with pytest.raises(kind) as raised:
            SQSQueue(sqs, URL).send("text")
    assert str(raised.value) == f"SQS: {code}"


# ── the handlers' queues ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("request_id", ["abc_1-2", None])
def test_a_handler_sees_no_difference_between_the_two_ways_of_an_event(
    aws: None, request_id: str | None
) -> None:
    # failure matrix: 11
    bus, by_bus, direct = Bus(), Queue("by-bus"), Queue("direct")
    bus.subscribe(by_bus, {"source": ["zoom.scheduler"]})
    body = json.dumps(sample("created"))
    sent = Envelope("zoom.scheduler", CREATED, body, request_id=request_id)
    EventBridgeBus(boto3.client("events"), bus.arn).publish(sent, in_time())
    SQSHandlerQueues({CREATED: sqs_queue(direct)}, bus.arn, SystemClock()).publish(sent, in_time())

    (one,), (other,) = by_bus.receive(), direct.receive()
    assert parse_message(one["Body"]) == parse_message(other["Body"])
    bridged, written = json.loads(one["Body"]), json.loads(other["Body"])
    # EventBridge's event names the account too; moto leaves it out.
    assert written.keys() == bridged.keys() | {"account"}
    assert written["account"] == bus.arn.split(":")[4]
    same = bridged.keys() - {"id", "time"}
    assert {name: written[name] for name in same} == {name: bridged[name] for name in same}
    assert (len(written["id"]), len(written["time"])) == (len(bridged["id"]), len(bridged["time"]))


def test_each_event_goes_to_the_queue_of_its_own_handler(aws: None) -> None:
    created, canceled = Queue("created"), Queue("canceled")
    queues = SQSHandlerQueues(
        {CREATED: sqs_queue(created), CANCELED: sqs_queue(canceled)}, Bus().arn, SystemClock()
    )
    queues.publish(Envelope("zoom.scheduler", CANCELED, json.dumps(sample("canceled"))), in_time())
    assert [message["detail-type"] for message in canceled.bodies()] == [CANCELED]
    assert created.bodies() == []


def test_an_event_without_a_handler_of_ours_has_no_queue() -> None:
    queues = SQSHandlerQueues({}, "arn:aws:events:us-east-1:123456789012:event-bus/b", SystemClock())
    with pytest.raises(RefusedByService, match="no handler's queue"):
        queues.publish(Envelope("zoom.scheduler", "scheduler.new", "{}"), in_time())


# ── coming again ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_delayed_message_comes_again_when_it_is_told_to(aws: None) -> None:
    # failure matrix: 22
    queue = Queue("created")
    for number in range(2):
        sqs_queue(queue).send(str(number))
    handles = {message["Body"]: message["ReceiptHandle"] for message in queue.receive()}
    SQSRedelivery(queue.client, queue.url).delay([(handles["0"], 0), (handles["1"], 900)])
    assert [message["Body"] for message in queue.receive()] == ["0"]


def test_more_messages_than_a_call_takes_are_delayed_in_calls_of_ten() -> None:
    sqs: Any = boto3.client("sqs")
    with Stubber(sqs) as stub:
        for start, stop in ((0, 10), (10, 12)):
            stub.add_response(
                "change_message_visibility_batch",
                {"Successful": [], "Failed": []},
                {
                    "QueueUrl": URL,
                    "Entries": [
                        {
                            "Id": str(number - start),
                            "ReceiptHandle": f"handle-{number}",
                            "VisibilityTimeout": 60 + number,
                        }
                        for number in range(start, stop)
                    ],
                },
            )
        SQSRedelivery(sqs, URL).delay([(f"handle-{number}", 60 + number) for number in range(12)])
        stub.assert_no_pending_responses()


def test_a_message_that_could_not_be_delayed_is_told_although_sqs_answered_200(aws: None) -> None:
    queue = Queue("created")
    with pytest.raises(ServiceUnavailable, match=r"^SQS: ReceiptHandleIsInvalid$"):
        SQSRedelivery(queue.client, queue.url).delay([("no-handle", 60)])


def test_a_queue_that_is_down_delays_nothing() -> None:
    sqs: Any = boto3.client("sqs")
    with Stubber(sqs) as stub:
        stub.add_client_error("change_message_visibility_batch", "ServiceUnavailable", "canary")
        with pytest.raises(ServiceUnavailable, match=r"^SQS: ServiceUnavailable$"):
            SQSRedelivery(sqs, URL).delay([("handle", 60)])
