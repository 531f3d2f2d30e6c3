"""Subscribes to the domain events as any team would: a rule on the booking bus, and a queue."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from local.stack import RunningStack

_NAME = "demo-subscriber"


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """A domain event: EventBridge's detail-type and detail."""

    type: str
    detail: dict[str, Any]

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
    """Receives each domain event once. EventBridge may deliver an event twice, with the same id."""

    def __init__(self, stack: RunningStack) -> None:
        events = stack.client("events")
        bus = stack.outputs["EventBusName"]
        self._sqs = stack.client("sqs")
        self._queue_url = self._sqs.create_queue(QueueName=_NAME)["QueueUrl"]
        queue_arn = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]
        pattern = json.dumps({"source": ["bookings"]})
        events.put_rule(Name=_NAME, EventBusName=bus, EventPattern=pattern)
        events.put_targets(Rule=_NAME, EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue_arn}])
        self._seen: set[str] = set()

    def receive(self, wait_seconds: int) -> list[DomainEvent]:
        """Returns the new events in the order of arrival, or none after that time."""
        messages = self._sqs.receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
        ).get("Messages", [])
        received = []
        for message in messages:
            self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
            envelope = json.loads(message["Body"])
            event = DomainEvent(envelope["detail-type"], envelope["detail"])
            event_id = event.detail["metadata"]["id"]
            if event_id not in self._seen:
                self._seen.add(event_id)
                received.append(event)
        return received

    def receive_count(self, count: int, timeout_seconds: float) -> list[DomainEvent]:
        """Returns that many new events, or fewer after the time-out."""
        deadline = time.monotonic() + timeout_seconds
        received: list[DomainEvent] = []
        while len(received) < count and time.monotonic() < deadline:
            received += self.receive(wait_seconds=1)
        return received
