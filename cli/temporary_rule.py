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
from typing import Any

from cli.stack import Stack

_STALE_SECONDS = 86_400
_STACK_NAME_LENGTH = 32  # a rule's name has at most 64 characters
_CREATED = re.compile(r"([0-9]{10})-[0-9a-f]{4}")  # the end of a name: epoch seconds, and a random part


class TemporaryRule:
    """A rule on the stack's bus, and the queue of the same name that is its target."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._sqs, self._events = stack, stack.sqs(), stack.event_bridge()
        self._bus_arn = stack.output("EventBusArn")  # arn:aws:events:region:account:event-bus/name
        self._bus = self._bus_arn.rpartition("/")[2]
        self._prefix = f"bookings-listen-{stack.cloudformation_name[:_STACK_NAME_LENGTH]}-"
        self.name = f"{self._prefix}{int(time.time())}-{secrets.token_hex(2)}"
        self._queue_url = ""

    def receive(self, wait_seconds: int) -> list[dict[str, Any]]:
        """Returns the next events in EventBridge's form, or none after that time."""
        with self._stack.errors_explained("receive events"):
            messages = self._sqs.receive_message(
                QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
            ).get("Messages", [])
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    def create(self, pattern: str) -> None:
        rule_arn = f"{self._bus_arn.replace(':event-bus/', ':rule/')}/{self.name}"
        queue_arn = f"{self._bus_arn.rpartition(':')[0].replace(':events:', ':sqs:')}:{self.name}"
        policy = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
        }
        attributes: Any = {
            # The policy comes with the queue: a later one would need up to a minute to take effect.
            "Policy": json.dumps({"Version": "2012-10-17", "Statement": [policy]}),
            "SqsManagedSseEnabled": "true",
            "MessageRetentionPeriod": "3600",  # seconds: events hold personal data
        }
        with self._stack.errors_explained("create a temporary rule on the bus"):
            self._queue_url = self._sqs.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]
            self._events.put_rule(Name=self.name, EventBusName=self._bus, EventPattern=pattern)
            self._events.put_targets(
                Rule=self.name, EventBusName=self._bus, Targets=[{"Id": "queue", "Arn": queue_arn}]
            )

    def remove(self, name: str) -> None:
        """Removes rule and queue of this name, as far as they exist."""
        with self._stack.errors_explained(f"remove the rule and the queue {name}"):
            with suppress(self._events.exceptions.ResourceNotFoundException):
                self._events.remove_targets(Rule=name, EventBusName=self._bus, Ids=["queue"])
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
            if created and time.time() - int(created[1]) > _STALE_SECONDS:
                self.remove(name)


@contextmanager
def temporary_rule(stack: Stack, pattern: str) -> Iterator[TemporaryRule]:
    """Creates a rule for the pattern, and removes it however the block ends: also by Ctrl-C or `kill`.

    A new rule takes effect within a minute. Events before that are missed.
    """
    rule = TemporaryRule(stack)
    rule.remove_stale()
    ends = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in ends}
    try:
        rule.create(pattern)
        yield rule
    finally:
        # A second Ctrl-C would leave the rule behind.
        before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            rule.remove(rule.name)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
