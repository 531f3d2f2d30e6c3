"""A subscriber as any team would make one: a rule on the booking bus for source `bookings`, and a queue."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from cli.local.stack import RunningStack

_NAME = "demo-subscriber"


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """One event as it came: its EventBridge detail-type, and the detail."""

    type: str
    detail: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.detail["metadata"]["id"])

    @property
    def booking_id(self) -> str:
        return str(self.detail["metadata"]["booking_id"])

    @property
    def revision(self) -> int:
        return int(self.detail["metadata"]["revision"])

    @property
    def booking(self) -> dict[str, Any]:
        booking: dict[str, Any] = self.detail["booking"]
        return booking


class Subscriber:
    """Receives domain events, each distinct one once: EventBridge may deliver twice, the id tells."""

    def __init__(self, stack: RunningStack) -> None:
        sqs = stack.client("sqs")
        events = stack.client("events")
        bus = stack.outputs["EventBusName"]
        self._sqs = sqs
        self._queue_url = sqs.create_queue(QueueName=_NAME)["QueueUrl"]
        queue_arn = sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]
        rule_arn = events.put_rule(
            Name=_NAME, EventBusName=bus, EventPattern=json.dumps({"source": ["bookings"]})
        )["RuleArn"]
        sqs.set_queue_attributes(
            QueueUrl=self._queue_url, Attributes={"Policy": _policy(queue_arn, rule_arn)}
        )
        events.put_targets(Rule=_NAME, EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue_arn}])
        self._seen: set[str] = set()

    def receive(self, wait_seconds: int) -> list[DomainEvent]:
        """The new events, in the order they came; empty when none came in that time."""
        messages = self._sqs.receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
        ).get("Messages", [])
        received = []
        for message in messages:
            self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
            envelope = json.loads(message["Body"])
            event = DomainEvent(envelope["detail-type"], envelope["detail"])
            if event.id not in self._seen:
                self._seen.add(event.id)
                received.append(event)
        return received

    def receive_count(self, count: int, timeout_seconds: float) -> list[DomainEvent]:
        """That many new events, or fewer when time is up."""
        deadline = time.monotonic() + timeout_seconds
        received: list[DomainEvent] = []
        while len(received) < count and time.monotonic() < deadline:
            received += self.receive(wait_seconds=1)
        return received


def _policy(queue_arn: str, rule_arn: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue_arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
                }
            ],
        }
    )
