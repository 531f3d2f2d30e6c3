"""The stack's resources as moto keeps them."""

import json
from dataclasses import dataclass
from typing import Any

import boto3

from bookings.clock import Deadline, SystemClock
from bookings.settings import FanOut

TOKEN = "token-of-the-tests-22c"


def in_time() -> Deadline:
    """Returns a deadline that no call misses."""
    return Deadline(SystemClock(), 60.0)


class Queue:
    """One queue, and what came to it."""

    def __init__(self, name: str) -> None:
        self.client = boto3.client("sqs")
        self.url: str = self.client.create_queue(
            QueueName=name, Attributes={"MaximumMessageSize": "1048576"}
        )["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"

    def receive(self) -> list[dict[str, Any]]:
        answer = self.client.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        return [dict(message) for message in answer.get("Messages", [])]

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(message["Body"]) for message in self.receive()]


class Bus:
    """The booking bus; each rule sends to a queue of its own."""

    def __init__(self) -> None:
        self.client = boto3.client("events")
        self.arn: str = self.client.create_event_bus(Name="bookings")["EventBusArn"]

    def subscribe(self, queue: Queue, pattern: dict[str, Any]) -> None:
        name = queue.arn.rpartition(":")[2]
        self.client.put_rule(Name=name, EventBusName="bookings", EventPattern=json.dumps(pattern))
        self.client.put_targets(
            Rule=name, EventBusName="bookings", Targets=[{"Id": "queue", "Arn": queue.arn}]
        )


@dataclass
class Stack:
    """What the functions find in their environment."""

    bus: Bus
    created: Queue
    canceled: Queue
    quarantine: Queue
    events_dlq: Queue
    subscriber: Queue
    table_name: str
    secret_arn: str

    def environment(self, *, fan_out: FanOut = FanOut.EVENT_BRIDGE) -> dict[str, str]:
        return {
            "EVENT_BUS_ARN": self.bus.arn,
            "FAN_OUT": str(fan_out),
            "BOOKING_CREATED_QUEUE_URL": self.created.url,
            "BOOKING_CANCELED_QUEUE_URL": self.canceled.url,
            "QUARANTINE_QUEUE_URL": self.quarantine.url,
            "ZOOM_SECRET_ARN": self.secret_arn,
            "SIGNATURE_TOLERANCE_SECONDS": "300",
            "BOOKINGS_TABLE_NAME": self.table_name,
            "BOOKING_RETENTION_DAYS": "0",
            "QUEUE_URL": self.created.url,
            "BOOKING_EVENTS_DLQ_URL": self.events_dlq.url,
            "SHARE_ACCESS_LINKS": "false",
        }
