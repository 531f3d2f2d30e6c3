"""The adapters to SQS: messages, their limits, and the delay of their redelivery."""

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from bookings.aws.bus import EventBridgeBus
from bookings.aws.queues import SQSHandlerQueues, SQSQueue, SQSRedelivery
from bookings.clock import SystemClock
from bookings.envelope import Envelope, parse_message
from bookings.errors import RefusedByService, ServiceUnavailable
from bookings.limits import MAX_BODY_BYTES, MAX_QUARANTINE_ERRORS, MESSAGE_BYTES
from bookings.use_cases.quarantine import quarantine_message
from bookings.zoom.events import CANCELED, CREATED
from tests.adapters.conftest import Bus, Queue, in_time
from tests.fakes import NOW
from tests.samples import created

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/q"
LARGEST_QUARANTINE_MESSAGE = quarantine_message(
    reason="invalid_event",
    errors=[{"field": "x" * 60, "message": "must be a string"}] * MAX_QUARANTINE_ERRORS,
    received_at=NOW,
    body=b"\xff" * MAX_BODY_BYTES,
    signature="v" * 10_000,  # the HTTP API takes headers of 10 KB in all
)


def adapter_of(queue: Queue) -> SQSQueue:
    return SQSQueue(queue.client, queue.url)


@pytest.mark.parametrize(
    "text",
    ['Grüße 🏝\t\r\n"\\u0000"', "é" * (MESSAGE_BYTES // 2), LARGEST_QUARANTINE_MESSAGE],
    ids=["any script", "the most bytes", "largest quarantine message"],
)
def test_message_arrives_unchanged(aws: None, text: str) -> None:
    # failure matrix: 34
    queue = Queue("quarantine")
    adapter_of(queue).send(text)
    assert [message["Body"] for message in queue.receive()] == [text]


def test_message_over_a_mebibyte_is_refused_without_a_call() -> None:
    with pytest.raises(RefusedByService, match=r"^SQS: over 1,048,576 bytes$"):
        SQSQueue(None, URL).send("é" * (MESSAGE_BYTES // 2) + "x")


@pytest.mark.parametrize("request_id", ["abc_1-2", None])
def test_queue_message_equals_that_of_the_bus(aws: None, request_id: str | None) -> None:
    # failure matrix: 11
    bus, queues = Bus(), {name: Queue(name.rpartition("_")[2]) for name in (CREATED, CANCELED)}
    by_bus = bus.subscribe("by-bus", {"source": ["zoom.scheduler"]})
    sent = Envelope("zoom.scheduler", CREATED, json.dumps(created()), request_id=request_id)
    EventBridgeBus(bus.client, bus.arn).publish(sent, in_time())
    adapters = {name: adapter_of(queue) for name, queue in queues.items()}
    handlers = SQSHandlerQueues(adapters, bus.arn, SystemClock())
    handlers.publish(sent, in_time())
    (bridged,), (written,) = by_bus.bodies(), queues[CREATED].bodies()
    assert queues[CANCELED].bodies() == []
    assert parse_message(json.dumps(bridged)) == parse_message(json.dumps(written))
    assert (len(written["id"]), len(written["time"])) == (len(bridged["id"]), len(bridged["time"]))
    # EventBridge names the account too. moto leaves it out.
    own = {"account": bus.arn.split(":")[4], "id": written["id"], "time": written["time"]}
    assert written == bridged | own
    with pytest.raises(RefusedByService, match=r"^SQS: no handler's queue for this event$"):
        handlers.publish(Envelope("zoom.scheduler", "scheduler.new", "{}"), in_time())


def test_delays_go_in_calls_of_ten() -> None:
    # failure matrix: 22
    sqs: Any = boto3.client("sqs")
    delays = [(f"handle-{number}", 60 + number) for number in range(12)]
    failed = [{"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}]
    with Stubber(sqs) as stub:
        for part, answered in ((delays[:10], failed), (delays[10:], [])):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
                for number, (handle, seconds) in enumerate(part)
            ]
            answer = {"Successful": [], "Failed": answered}
            stub.add_response(
                "change_message_visibility_batch", answer, {"QueueUrl": URL, "Entries": entries}
            )
        # A failure in the first call does not stop the second call.
        with pytest.raises(ServiceUnavailable, match=r"^SQS: ReceiptHandleIsInvalid$"):
            SQSRedelivery(sqs, URL).delay(delays)
        stub.assert_no_pending_responses()
