"""The stack's queues, bus, table and secret as strict services, wired by the template."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from bookings.zoom.body import canonical_json
from tests.aws.client import Service
from tests.aws.dynamodb import DynamoDB
from tests.aws.events import Event, EventBridge, Rule
from tests.aws.secretsmanager import SecretsManager
from tests.aws.sqs import SQS, Message
from tests.kills.stack import BUS, DLQS, HANDLER_QUEUES, QUARANTINE, SECRET_NAME, TABLE, TOKEN

TEMPLATE = Path(__file__).parents[2] / "template.yaml"

DOUBLED = 0.15  # of the events that EventBridge brings to a target, how many come twice
DELAYED = 0.15
MAX_DELAY_SECONDS = 120


@cache
def resources() -> dict[str, Any]:
    found: dict[str, Any] = yaml_parse(TEMPLATE.read_text())["Resources"]
    return found


class Cloud:
    """One account in one region; its clock runs with ours, and jumps where nobody wants to wait."""

    def __init__(self, url: str, seed: int) -> None:
        self._chance = Random(seed)  # noqa: S311 - chance of a test, from a seed that is printed
        self._ahead = timedelta(days=-self._chance.choice((0, 30)))  # the age of the secret
        self._secrets = SecretsManager(self._now)
        self._secrets.create_secret(SECRET_NAME, TOKEN)
        self._ahead = timedelta()
        self._dynamodb = DynamoDB(self._now)
        self._dynamodb.create_table(TABLE)
        self._sqs = SQS(self._now, url)
        self._sqs.choose = self._any_order
        self._queues: dict[str, str] = {}  # URLs by name
        for name in (*DLQS, QUARANTINE, *HANDLER_QUEUES):
            self._queues[name] = self._create_queue(name)
        self._names = {self._sqs.arn(url): name for name, url in self._queues.items()}
        self._events = EventBridge(self._now)
        self._events.create_event_bus(BUS)
        self._events.deliver = self._deliver
        for queue in HANDLER_QUEUES:
            pattern = resources()[queue.replace("Queue", "Rule")]["Properties"]["EventPattern"]
            self._events.put_rule(BUS, queue, pattern, self._sqs.arn(self._queues[queue]))
        self._events.put_rule(BUS, "Subscriber", {"source": ["bookings"]}, "subscriber")
        self._inbox: list[str] = []
        self._taken: set[bytes] = set()
        self._services: dict[str, Service] = {
            "sqs": self._sqs,
            "events": self._events,
            "dynamodb": self._dynamodb,
            "secretsmanager": self._secrets,
        }

    def call(self, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answers a call of a function.

        Raises:
            AWSError: the service refuses it.
        """
        answer = self._services[service].call(operation, parameters)
        if operation == "SendMessage" and parameters["QueueUrl"] in (
            self._queues[queue] for queue in HANDLER_QUEUES
        ):
            self._taken.add(canonical_json(json.loads(parameters["MessageBody"])["detail"]))
        return answer

    # ── what Lambda does ─────────────────────────────────────────────────────────────────────────────────

    def receive(self, queue: str, most: int) -> list[dict[str, Any]]:
        """Receives messages, as the poller of an event source mapping."""
        answer = self._sqs.call(
            "ReceiveMessage",
            {"QueueUrl": self._queues[queue], "MaxNumberOfMessages": most, "AttributeNames": ["All"]},
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    def delete(self, queue: str, handles: list[str]) -> None:
        entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles)]
        self._sqs.call("DeleteMessageBatch", {"QueueUrl": self._queues[queue], "Entries": entries})

    def changes(self, after: int, most: int) -> list[dict[str, Any]]:
        """Returns the records of the table's stream, as Lambda hands them over."""
        return self._dynamodb.stream(TABLE)[after : after + most]

    # ── for whoever drives and judges ────────────────────────────────────────────────────────────────────

    def has(self, body: str) -> bool:
        """Tells whether a delivery is durable: taken for its handler's queue, by whichever way."""
        return canonical_json(json.loads(body)) in self._taken

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)

    def jump(self) -> None:
        """Goes on to when the next message can be received, if none can be now."""
        times = [self._sqs.next_visible_at(self._queues[name]) for name in HANDLER_QUEUES]
        next_at = min((each for each in times if each), default=None)
        if next_at and next_at > self._now():
            self._ahead += next_at - self._now()

    def waiting(self) -> dict[str, Any]:
        """Returns what is yet to be done: messages in the handlers' queues, and changes ever made."""
        queues = {name: len(self._sqs.messages(self._queues[name])) for name in HANDLER_QUEUES}
        return {"queues": queues, "changes": len(self._dynamodb.stream(TABLE))}

    def outcome(self) -> dict[str, Any]:
        """Returns all that is left, to be judged."""
        return {
            "table": self._dynamodb.items(TABLE),
            "changes": self._dynamodb.stream(TABLE),
            "inbox": self._inbox,
            "set_aside": {
                name: [message.body for message in self._sqs.messages(self._queues[name])]
                for name in (*DLQS, QUARANTINE)
            },
        }

    # ── how it is wired ──────────────────────────────────────────────────────────────────────────────────

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def _create_queue(self, name: str) -> str:
        properties = resources()[name]["Properties"]
        redrive = properties.get("RedrivePolicy")
        more = {"max_receives": redrive["maxReceiveCount"]} if redrive else {}
        if redrive:
            more["dead_letters"] = self._queues[name.replace("Queue", "DLQ")]
        return self._sqs.create_queue(
            name,
            visibility_seconds=properties.get("VisibilityTimeout", 30),
            retention_seconds=properties["MessageRetentionPeriod"],
            max_message_bytes=properties.get("MaximumMessageSize", 1_048_576),
            **more,
        )

    def _any_order(self, visible: list[Message]) -> list[Message]:
        return self._chance.sample(visible, len(visible))

    def _deliver(self, event: Event, rule: Rule) -> None:
        for _ in range(2 if self._chance.random() < DOUBLED else 1):
            if rule.target_arn == "subscriber":
                self._inbox.append(event.text)
                continue
            late = self._chance.random() < DELAYED
            url = self._queues[self._names[rule.target_arn]]
            delay = self._chance.randint(1, MAX_DELAY_SECONDS) if late else 0
            self._sqs.call("SendMessage", {"QueueUrl": url, "MessageBody": event.text, "DelaySeconds": delay})
            self._taken.add(canonical_json(event.fields["detail"]))
