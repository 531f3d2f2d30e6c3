"""What AWS does between the functions: rules deliver, pollers feed queues and the stream to functions.

Delivery is at least once everywhere. Rules: "Amazon EventBridge event retry policy"; pollers: "Using Lambda
with Amazon SQS" and "… with DynamoDB", AWS documentation read in November 2026.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.aws.errors import AWSError
from tests.aws.events import Event, Rule
from tests.simulation.lambdas import Function, Surroundings
from tests.simulation.stack import FunctionSettings

POLLERS = 2  # at once for one queue: `MaximumConcurrency`
STREAM_KEEPS_SECONDS = 86_400.0
LONGEST_STREAM_WAIT_SECONDS = 3_600.0

_DAY = 86_400.0


class Deliveries:
    """EventBridge's way from a rule to its target: late now and then, twice now and then, never lost.

    Attributes:
        forbidden: the rules that may not send to their queue; what they match is in their DLQ at once.
        arrived: is told the URL of a queue something was put into.
    """

    def __init__(self, surroundings: Surroundings, *, chance_of_twice: float, chance_of_late: float) -> None:
        self._surroundings = surroundings
        self._chance_of_twice = chance_of_twice
        self._chance_of_late = chance_of_late
        self.forbidden: set[str] = set()
        self.arrived: Callable[[str], None] = lambda _url: None

    def deliver(self, event: Event, rule: Rule) -> None:
        random, stack = self._surroundings.random, self._surroundings.stack
        queue = next(url for url in stack.queues.values() if stack.sqs.arn(url) == rule.target_arn)
        if rule.name in self.forbidden:
            queue = stack.queues[rule.name.removesuffix("Rule") + "DLQ"]
        for _ in range(2 if random.random() < self._chance_of_twice else 1):
            self._surroundings.timeline.after(self._delay(random), lambda: self._send(queue, event.text))

    def _delay(self, random: Random) -> float:
        if random.random() >= self._chance_of_late:
            return random.random()
        return random.random() * random.choice((60.0, 3_600.0, _DAY))

    def _send(self, queue: str, text: str) -> None:
        around = self._surroundings
        if around.trace:
            around.trace("bus", f"delivers to {queue.rpartition('/')[2]}")
        around.stack.sqs.call("SendMessage", {"QueueUrl": queue, "MessageBody": text})
        self.arrived(queue)


class QueueMapping:
    """Feeds a queue's messages to its handler, in batches, and deletes those that it did."""

    def __init__(
        self,
        surroundings: Surroundings,
        url: str,
        function: Function,
        settings: FunctionSettings,
        *,
        chance_of_again: float,
    ) -> None:
        self._surroundings = surroundings
        self._url = url
        self._function = function
        self._settings = settings
        self._chance_of_again = chance_of_again
        self._running = 0
        self._due_at: float | None = None

    def poke(self) -> None:
        """Looks at the queue as soon as there may be something."""
        timeline = self._surroundings.timeline
        visible_at = self._surroundings.stack.sqs.next_visible_at(self._url)
        if visible_at is None:
            return
        at = max(timeline.seconds, timeline.seconds + (visible_at - timeline.now()).total_seconds())
        if self._due_at is not None and self._due_at <= at:
            return
        self._due_at = at

        def poll() -> None:
            if self._due_at == at:
                self._due_at = None
                self._poll()

        timeline.after(at - timeline.seconds, poll)

    def _poll(self) -> None:
        around = self._surroundings
        if self._running >= POLLERS:
            return  # the one that ends looks again
        most = min(self._settings.batch_size, around.random.choice((1, 2, 3, 10, 10)))
        messages = around.stack.sqs.call(
            "ReceiveMessage",
            {
                "QueueUrl": self._url,
                "MaxNumberOfMessages": most,
                "MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp"],
            },
        ).get("Messages", [])
        if messages:
            self._invoke(messages)
            # A standard queue may give out a message that somebody else is still working on.
            if around.random.random() < self._chance_of_again:
                again = around.random.choice(messages)
                around.timeline.after(around.random.random() * 3.0, lambda: self._invoke([again]))
        self.poke()

    def _invoke(self, messages: list[dict[str, Any]]) -> None:
        around = self._surroundings
        self._running += 1
        if around.trace:
            around.trace("poller", f"{self._url.rpartition('/')[2]}: {len(messages)} messages")

        def end(response: Any, failed: bool) -> None:
            self._running -= 1
            if not failed:
                for message in done(response, messages, partial=self._settings.partial_responses):
                    self._delete(message)
            elif around.trace:
                around.trace("poller", "the invocation failed")
            self.poke()

        self._function.invoke({"Records": [sqs_record(message) for message in messages]}, end)

    def _delete(self, message: dict[str, Any]) -> None:
        around = self._surroundings
        if around.random.random() < self._chance_of_again:
            return  # deleted, and delivered again all the same
        try:
            around.stack.sqs.call(
                "DeleteMessage", {"QueueUrl": self._url, "ReceiptHandle": message["ReceiptHandle"]}
            )
        except AWSError as error:
            if around.trace:
                around.trace("poller", f"DeleteMessage: {error.code}")


def done(response: Any, messages: list[dict[str, Any]], *, partial: bool) -> list[dict[str, Any]]:
    """Returns the messages that a handler's response lets Lambda delete.

    Without `ReportBatchItemFailures` any response is a success. With it an identifier that is empty or
    unknown fails the whole batch.
    """
    if not partial:
        return messages
    failures = (response or {}).get("batchItemFailures") or []
    failed = {failure.get("itemIdentifier") for failure in failures}
    if not failed <= {message["MessageId"] for message in messages}:
        return []
    return [message for message in messages if message["MessageId"] not in failed]


def sqs_record(message: dict[str, Any]) -> dict[str, Any]:
    """Returns what Lambda makes of a message."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue",
        "awsRegion": "us-east-1",
    }


class StreamMapping:
    """Feeds the table's stream to its function, in order, until each record is done or a day old."""

    def __init__(self, surroundings: Surroundings, function: Function, settings: FunctionSettings) -> None:
        self._surroundings = surroundings
        self._function = function
        self._settings = settings
        self._position = 0
        self._running = False
        self._waits_seconds = 0.0
        self.given_up: list[dict[str, Any]] = []

    @property
    def caught_up(self) -> bool:
        stack = self._surroundings.stack
        return not self._running and self._position >= len(stack.dynamodb.stream(stack.table))

    def begin_anew(self) -> None:
        """Starts at the beginning of another table's stream."""
        assert not self._running
        self._position, self._waits_seconds = 0, 0.0

    def poke(self) -> None:
        """Goes on, unless it does already."""
        if not self._running and not self.caught_up:
            self._running = True
            self._surroundings.timeline.after(self._waits_seconds, self._next)

    def _next(self) -> None:
        around, settings = self._surroundings, self._settings
        records = around.stack.dynamodb.stream(around.stack.table)
        while self._position < len(records) and self._too_old(records[self._position]):
            record = records[self._position]
            self._position += 1
            if record["eventName"] in settings.event_names:
                self.given_up.append(record)
                around.stack.sqs.call(
                    "SendMessage",
                    {
                        "QueueUrl": around.stack.queues["BookingEventsDLQ"],
                        "MessageBody": json.dumps({"DDBStreamBatchInfo": {"batchSize": 1}}),
                    },
                )
        most = around.random.choice((1, 2, 3, settings.batch_size))
        batch = records[self._position : self._position + most]
        wanted = [record for record in batch if record["eventName"] in settings.event_names]
        if not wanted:
            self._position += len(batch)
            self._running = False
            self.poke()
            return
        if around.trace:
            around.trace("stream", f"{len(wanted)} records")

        def end(response: Any, failed: bool) -> None:
            position = self._position
            if not failed:
                self._position = self._checkpoint(response, batch)
            self._running = False
            stuck = self._position == position
            self._waits_seconds = (
                min(LONGEST_STREAM_WAIT_SECONDS, max(1.0, self._waits_seconds * 2)) if stuck else 0.0
            )
            self.poke()

        self._function.invoke({"Records": wanted}, end)

    def _checkpoint(self, response: Any, batch: list[dict[str, Any]]) -> int:
        """Returns where the stream goes on: the lowest sequence number that failed, else the batch's end."""
        failures = (response or {}).get("batchItemFailures") or [] if self._settings.partial_responses else []
        numbers = {failure.get("itemIdentifier") for failure in failures}
        for offset, record in enumerate(batch):
            if record["dynamodb"]["SequenceNumber"] in numbers:
                return self._position + offset
        return self._position if numbers else self._position + len(batch)

    def _too_old(self, record: dict[str, Any]) -> bool:
        age = self._surroundings.timeline.now().timestamp() - float(
            record["dynamodb"]["ApproximateCreationDateTime"]
        )
        bound = self._settings.maximum_age_seconds or STREAM_KEEPS_SECONDS
        return age > min(bound, STREAM_KEEPS_SECONDS)
