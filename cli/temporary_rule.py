"""A temporary rule with a queue, by which a command sees events of the bus while it runs.

A rule that is left behind makes `sam delete` fail, as a bus with rules can't be deleted. So every end of the
command removes it, and the next command removes what a killed one left.
"""

import json
import re
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from cli.stack import Stack

STALE_SECONDS = 86_400

_PREFIX = "bookings-listen-"
_STACK_NAME_LENGTH = 32  # a rule's name has at most 64 characters
_CREATED = re.compile(r"([0-9]{10})-[0-9a-f]{4}")  # the end of a name: epoch seconds, and a random part
_TARGET = "queue"


class TemporaryRule:
    """The rule on the stack's bus, and the queue that is its target."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._sqs = stack.sqs()
        self._events = stack.event_bridge()
        self._bus_arn = stack.output("EventBusArn")  # arn:aws:events:region:account:event-bus/name
        self._bus = self._bus_arn.rpartition("/")[2]
        self._prefix = f"{_PREFIX}{stack.cloudformation_name[:_STACK_NAME_LENGTH]}-"
        self._queue_url = ""

    def receive(self, wait_seconds: int) -> list[dict[str, Any]]:
        """Returns the next events in EventBridge's form, or none after that time."""
        with self._stack.errors_explained("receive events"):
            answer = self._sqs.receive_message(
                QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
            )
            messages = answer.get("Messages", [])
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    def create(self, name: str, pattern: str) -> None:
        rule_arn = f"{self._bus_arn.replace(':event-bus/', ':rule/')}/{name}"
        _, partition, _, region, account, _ = self._bus_arn.split(":", 5)
        queue_arn = f"arn:{partition}:sqs:{region}:{account}:{name}"
        policy = {
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
        with self._stack.errors_explained("create a temporary rule on the bus"):
            # The policy comes with the queue: a later one would need up to a minute to take effect.
            self._queue_url = self._sqs.create_queue(
                QueueName=name,
                Attributes={
                    "Policy": json.dumps(policy),
                    "SqsManagedSseEnabled": "true",
                    "MessageRetentionPeriod": "3600",  # seconds: events hold personal data
                },
            )["QueueUrl"]
            self._events.put_rule(
                Name=name,
                EventBusName=self._bus,
                EventPattern=pattern,
                Description="Temporary, of the bookings command. It can be deleted at any time.",
            )
            self._events.put_targets(
                Rule=name, EventBusName=self._bus, Targets=[{"Id": _TARGET, "Arn": queue_arn}]
            )

    def new_name(self) -> str:
        return f"{self._prefix}{int(time.time())}-{secrets.token_hex(2)}"

    def remove(self, name: str) -> None:
        """Removes rule and queue of this name, as far as they exist."""
        with self._stack.errors_explained(f"remove the rule and the queue {name}"):
            with suppress(self._events.exceptions.ResourceNotFoundException):
                self._events.remove_targets(Rule=name, EventBusName=self._bus, Ids=[_TARGET])
                self._events.delete_rule(Name=name, EventBusName=self._bus)
            with suppress(self._sqs.exceptions.QueueDoesNotExist):
                self._sqs.delete_queue(QueueUrl=self._sqs.get_queue_url(QueueName=name)["QueueUrl"])

    def remove_stale(self) -> None:
        """Removes what earlier commands for this stack left behind over a day ago."""
        with self._stack.errors_explained("look for rules that were left behind"):
            rules = self._events.get_paginator("list_rules").paginate(
                EventBusName=self._bus, NamePrefix=self._prefix
            )
            queues = self._sqs.get_paginator("list_queues").paginate(QueueNamePrefix=self._prefix)
            names = {rule["Name"] for page in rules for rule in page["Rules"]}
            names |= {url.rpartition("/")[2] for page in queues for url in page.get("QueueUrls", [])}
        for name in sorted(names):
            created = _CREATED.fullmatch(name.removeprefix(self._prefix))
            if created and time.time() - int(created[1]) > STALE_SECONDS:
                self.remove(name)


@contextmanager
def temporary_rule(stack: Stack, pattern: str) -> Iterator[TemporaryRule]:
    """Creates a rule for the pattern, and removes it however the block ends: also by Ctrl-C or `kill`.

    A new rule takes effect within a minute. Events before that are missed.
    """
    rule = TemporaryRule(stack)
    rule.remove_stale()
    name = rule.new_name()
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        rule.create(name, pattern)
        yield rule
    finally:
        ctrl_c = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would leave the rule behind
        try:
            rule.remove(name)
        finally:
            for number, handler in (before | {signal.SIGINT: ctrl_c}).items():
                signal.signal(number, handler)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
