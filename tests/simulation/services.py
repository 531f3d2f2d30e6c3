"""Functions, and fakes of our own ports that share one adversary. Numbers are those of `template.yaml`."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bookings.aws.table import build_item, item_size, parse_item
from bookings.domain.booking import Booking, Tombstone
from bookings.envelope import Envelope
from bookings.errors import ServiceError, ServiceUnavailable
from bookings.limits import ANNOUNCE_ATTEMPTS, ANNOUNCE_READ_SECONDS, CALL_SECONDS, RECORD_SECONDS
from bookings.use_cases.announce import Announced
from bookings.use_cases.ports import RevisionConflict
from tests.fakes import MAX_VISIBILITY_SECONDS, InMemoryBus, InMemoryQueue
from tests.simulation.adversary import BUS, DAY, HOUR, QUEUES, TABLE, Adversary, Process

MAX_RECEIVES, VISIBILITY_SECONDS = 10, 60.0
ANNOUNCE_SECONDS = ANNOUNCE_ATTEMPTS * (CALL_SECONDS + ANNOUNCE_READ_SECONDS)
POLLERS, BATCH_SIZE = 2, 10  # of a handler
FEW_BYTES = 2_200  # of an item

type Item = dict[str, Any]
type Write = tuple[float, str, Item | None, Item | None]
"""Time, key, old and new item."""


class Function:
    """A function. An idle process takes an invocation; else a new one starts, with what `start` returns."""

    def __init__(self, name: str, adversary: Adversary, seconds: float, start: Callable[[], Any]) -> None:
        self._name = name
        self._adversary = adversary
        self._seconds = seconds
        self._start = start
        self._idle: list[Any] = []
        self._running: list[Process] = []

    def invoke(self, event: str, handle: Callable[..., Any], then: Callable[[Any, bool], object]) -> None:
        """Runs `handle` with a process's memory and the milliseconds left; `then` as in `Process`."""
        timeline = self._adversary.timeline
        memory = self._idle.pop() if self._idle else self._start()
        deadline = timeline.seconds + self._seconds

        def end(result: Any, died: bool) -> None:
            self._running.remove(process)
            if not died:
                self._idle.append(memory)
            then(result, died)

        def code() -> Any:
            return handle(memory, lambda: int((deadline - timeline.seconds) * 1000))

        process = Process(f"{self._name} {event}", timeline, code, end)
        self._running.append(process)
        timeline.after(self._seconds, process.kill)
        process.resume()

    def restart(self) -> None:
        """Ends all processes, as a deployment does."""
        self._idle.clear()
        for process in list(self._running):
            process.kill()


@dataclass(slots=True)
class Message:
    """A message in a queue. Before `visible_at`, in virtual seconds, somebody works on it."""

    number: int
    body: str
    visible_at: float = 0.0
    receives: int = 0

    @property
    def handle(self) -> str:
        """The receipt handle of the last receive; older ones are of no use."""
        return f"{self.number}.{self.receives}"

    @property
    def record(self) -> dict[str, Any]:
        """The record that Lambda makes of it."""
        attributes = {"ApproximateReceiveCount": str(self.receives)}
        ids = {"messageId": str(self.number), "receiptHandle": self.handle}
        return ids | {"body": self.body, "attributes": attributes, "eventSource": "aws:sqs"}


class Queue(InMemoryQueue):
    """A standard queue with the poller of its handler. `messages` are all that there ever were."""

    def __init__(self, adversary: Adversary, dlq: "Queue | None" = None) -> None:
        super().__init__(adversary.timeline)
        self.caller = partial(adversary.call, QUEUES)
        self.function: Function | None = None
        self.present: list[Message] = []
        self._adversary = adversary
        self._timeline = adversary.timeline
        self._dlq = dlq
        self._running = 0
        self._chance_of_again = adversary.random.choice((0.0, 0.0, 0.02, 0.2))
        self._late_seconds = adversary.random.choice((0.0, 0.0, 1.0, 30.0))  # then batches are larger

    def delay(self, messages: Sequence[tuple[str, int]]) -> None:
        failing = self._adversary.failing_entries(QUEUES, len(messages))
        delays = {handle: seconds for entry, (handle, seconds) in enumerate(messages) if entry not in failing}
        assert all(0 <= seconds <= MAX_VISIBILITY_SECONDS for _, seconds in messages)

        def do() -> None:
            for message in self.present:
                if message.handle in delays:
                    self._hide(message, delays[message.handle])

        self._call(None, do)
        if failing:
            raise ServiceUnavailable("some were not delayed", answered=True)

    def put(self, message: str) -> None:
        super().put(message)
        self.present.append(Message(len(self.messages), message))
        self._hide(self.present[-1], 0.0)

    def take_all(self) -> list[str]:
        """Removes all messages, and returns their bodies."""
        taken, self.present = self.present, []
        return [message.body for message in taken]

    def _hide(self, message: Message, seconds: float) -> None:
        message.visible_at = self._timeline.seconds + seconds
        self._timeline.after(seconds + self._late_seconds, self._poll)

    def _poll(self) -> None:
        random = self._adversary.random
        # With all pollers busy, the first that ends polls again.
        while self.function and self.present and self._running < POLLERS:
            messages = self._receive(random.choice((1, 2, 3, BATCH_SIZE)))
            if not messages:
                return
            self._invoke(messages)
            # A standard queue may hand out a message that somebody works on.
            if random.random() < self._chance_of_again:
                again = partial(self._invoke, [random.choice(messages)])
                self._timeline.after(random.random() * 3.0, again)

    def _receive(self, most: int) -> list[Message]:
        """Returns copies of visible messages. One that was received too often goes to the DLQ."""
        visible = [each for each in self.present if each.visible_at <= self._timeline.seconds][:most]
        for message in visible:
            message.receives += 1
            self._hide(message, VISIBILITY_SECONDS)
            if self._dlq and message.receives > MAX_RECEIVES:
                self.present.remove(message)
                self._dlq.put(message.body)
        return [replace(each) for each in visible if each.receives <= MAX_RECEIVES]

    def _invoke(self, messages: list[Message]) -> None:
        assert self.function
        self._running += 1
        event = {"Records": [message.record for message in messages]}

        def end(response: Any, died: bool) -> None:
            self._running -= 1
            failed = set() if died else {each["itemIdentifier"] for each in response["batchItemFailures"]}
            done = {each.handle for each in messages if not died and str(each.number) not in failed}
            # Now and then a message is delivered once more though it was done.
            if self._adversary.random.random() >= self._chance_of_again:
                self.present = [each for each in self.present if each.handle not in done]
            self._timeline.after(0.0, self._poll)

        name = f"messages {[message.number for message in messages]}"
        self.function.invoke(name, lambda batch, left: batch.process(event, left), end)


class Bus(InMemoryBus):
    """The booking bus with its two rules. A forbidden one may not send to its queue, only to the DLQ."""

    def __init__(self, adversary: Adversary, queues: Mapping[str, Queue], dlqs: Mapping[str, Queue]) -> None:
        super().__init__(adversary.timeline)
        self.caller = partial(adversary.call, BUS)
        self._adversary = adversary
        self._queues = queues
        self._dlqs = dlqs
        self._chance_of_twice = adversary.random.choice((0.0, 0.0, 0.02, 0.3))
        self._chance_of_late = adversary.random.choice((0.0, 0.05, 0.3))
        self.subscriber = Subscriber()
        self.forbidden: set[str] = set()

    def publish_all(self, envelopes: Sequence[Envelope]) -> list[ServiceError | None]:
        failing = self._adversary.failing_entries(BUS, len(envelopes))

        def do() -> None:
            for entry, envelope in enumerate(envelopes):
                if entry not in failing:
                    self.put(envelope)

        try:
            self._adversary.call(BUS, None, do, ANNOUNCE_SECONDS)
        except ServiceError as error:
            return [error] * len(envelopes)
        failed = ServiceUnavailable("this entry failed", answered=True)
        return [failed if entry in failing else None for entry in range(len(envelopes))]

    def put(self, envelope: Envelope) -> None:
        super().put(envelope)
        self.deliver(envelope)

    def deliver(self, envelope: Envelope) -> None:
        """Delivers an event by its rule, as a replay of the archive does: within a day, at times twice."""
        random, detail = self._adversary.random, json.loads(envelope.detail)
        if envelope.source.startswith("bookings"):
            deliver: Callable[[], object] = lambda: self.subscriber.receive(detail)  # noqa: E731 - its type is given
        elif queue := self._queues.get(envelope.detail_type):
            queue = self._dlqs[envelope.detail_type] if envelope.detail_type in self.forbidden else queue
            event = {"source": envelope.source, "detail-type": envelope.detail_type, "detail": detail}
            deliver = partial(queue.put, json.dumps(event | {"resources": envelope.resources}))
        else:
            return
        for _ in range(2 if random.random() < self._chance_of_twice else 1):
            late = random.random() < self._chance_of_late
            longest = random.choice((60.0, HOUR, DAY)) if late else 1.0
            self._adversary.timeline.after(random.random() * longest, deliver)


class Subscriber:
    """A service behind the bus. It drops duplicates by `metadata.id`, and orders by `metadata.revision`."""

    def __init__(self) -> None:
        self.latest: dict[str, dict[str, Any]] = {}
        self._seen: set[str] = set()

    def receive(self, detail: dict[str, Any]) -> None:
        metadata = detail["metadata"]
        known = self.latest.get(metadata["booking_id"])
        newer = known is None or known["metadata"]["revision"] < metadata["revision"]
        if newer and metadata["id"] not in self._seen:
            self.latest[metadata["booking_id"]] = detail
        self._seen.add(metadata["id"])


class Table:
    """The bookings table and the poller of its stream: a `BookingStore` whose items have their stored form.

    Attributes:
        gave_up: whether a record was a day old before it was done.
    """

    def __init__(self, adversary: Adversary, function: Function) -> None:
        self._adversary = adversary
        self._timeline = adversary.timeline
        self._function = function
        self._is_tight = adversary.random.random() < 0.1
        self._wait_seconds = 0.0
        self._running = self.gave_up = False
        self.items: dict[str, Item] = {}
        self.stream: list[Write] = []
        self.announced = 0  # records of the stream

    def load(self, booking_id: str) -> Booking | Tombstone | None:
        return self._adversary.call(TABLE, None, lambda: self.present(booking_id), RECORD_SECONDS)

    def save(self, booking: Booking, *, replacing: int | None, expires_at: int | None) -> int:
        def do() -> int:
            stored = self.items.get(booking.booking_id)
            if (int(stored["revision"]["N"]) if stored else None) != replacing:
                raise RevisionConflict(self.present(booking.booking_id))
            item, given_up = self._fitting_item(booking, expires_at)
            self.put(booking.booking_id, item)
            return given_up

        return self._adversary.call(TABLE, None, do, RECORD_SECONDS)

    def present(self, key: str) -> Booking | Tombstone | None:
        return parse_item(self.items[key]) if key in self.items else None

    def put(self, key: str, item: Item | None) -> None:
        """Writes an item, or deletes it."""
        self.stream.append((self._timeline.seconds, key, self.items.pop(key, None), item))
        if item is not None:
            self.items[key] = item
        self._look()

    def _fitting_item(self, booking: Booking, expires_at: int | None) -> tuple[Item, int]:
        """Returns the item, and how many bodies it gave up, the oldest first."""
        item, given_up = build_item(booking, expires_at), 0
        for kind, event in sorted(booking.deliveries.items(), key=lambda entry: entry[1].order):
            if self._is_tight and event.body is not None and item_size(item) > FEW_BYTES:
                booking = replace(booking, deliveries={**booking.deliveries, kind: replace(event, body=None)})
                item, given_up = build_item(booking, expires_at), given_up + 1
        return item, given_up

    def _look(self) -> None:
        if not self._running and self.announced < len(self.stream):
            self._running = True
            self._timeline.after(self._wait_seconds, self._next)

    def _next(self) -> None:
        start = self.announced
        while start < len(self.stream) and self._timeline.seconds - self.stream[start][0] > DAY:
            self.gave_up |= self.stream[start][3] is not None
            start += 1
        batch = self.stream[start:][: self._adversary.random.choice((1, 2, 3, BATCH_SIZE))]
        numbered = enumerate(batch, start)
        # The event source has a filter: a deletion is no event.
        records = [stream_record(number, *write) for number, write in numbered if write[3] is not None]

        def end(announced: Announced, died: bool) -> None:
            failed_from = start if died else announced.failed_from
            self.announced = start + len(batch) if failed_from is None else int(failed_from)
            stuck = self.announced == start
            self._wait_seconds = min(HOUR, max(1.0, self._wait_seconds * 2)) if stuck else 0.0
            self._running = False
            self._look()

        if records:
            self._function.invoke(f"records from {start}", lambda events, _: events.announce(records), end)
        else:
            end(Announced(), False)


def stream_record(number: int, _at: float, key: str, old: Item | None, new: Item | None) -> dict[str, Any]:
    """Returns what Lambda makes of a write: JSON, with base64 for binary values."""
    images = {name: image for name, image in (("OldImage", old), ("NewImage", new)) if image}
    change = {"Keys": {"booking_id": {"S": key}}, "SequenceNumber": str(number), **images}
    text = json.dumps(change, default=lambda binary: base64.b64encode(binary).decode())
    return {"eventName": "MODIFY" if old else "INSERT", "dynamodb": json.loads(text)}
