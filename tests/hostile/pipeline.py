"""The whole way of one delivery on strict services, and the judgement that nothing was lost on it.

The product's own `bootstrap` puts the functions together; below them stand the services of `tests/aws` and
the stack of `template.yaml`. A delivery is posted, its handler records it, the stream announces it, each at
once and in this process, and whatever became of it is held against the contract before the next one comes.
"""

import json
from enum import StrEnum
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from bookings import batch, bootstrap
from bookings.counts import Count
from bookings.use_cases.answers import Answer
from bookings.zoom.events import CANCELED, CREATED
from tests.aws import dynamodb
from tests.aws.client import StrictClient
from tests.fakes import InMemoryCounts, VirtualClock
from tests.hostile.gateway import app, signed_event
from tests.samples import SECRET
from tests.simulation.histories import Expected, Webhook
from tests.simulation.mappings import sqs_record
from tests.simulation.oracle import Oracle, kept_of, plain, public_fields
from tests.simulation.scripted import SILENT
from tests.simulation.specification import (
    booking_key,
    expected_state,
    shared_fields,
    wrong_with_event,
)
from tests.simulation.stack import build_stack
from tests.simulation.zoom import quarantined_body

OK, NO_CONTENT, BAD_REQUEST = 200, 204, 400
LAMBDA_MS = 10_000
"""What a handler is told it has left: time does not pass here."""

_SMALLEST, _BEYOND = 1e-129, 1e38
"""Of the numbers that an item holds. Any other is in it as text."""

_TABLE, _QUARANTINE = "BookingsTable", "QuarantineQueue"
_HANDLER_QUEUES = {CREATED: "BookingCreatedQueue", CANCELED: "BookingCanceledQueue"}
_DLQS = ("BookingCreatedDLQ", "BookingCanceledDLQ", "BookingEventsDLQ")


class Lost(AssertionError):
    """A delivery that Zoom signed is not where the contract says it must be."""


class Fate(StrEnum):
    """What became of a signed delivery; there is no other."""

    MERGED = "in the table, and announced"
    PUBLISHED = "on the bus, for subscribers"
    QUARANTINED = "in quarantine, byte for byte"
    TOO_LARGE_FOR_AN_ITEM = "in quarantine, by its handler"
    CHALLENGE_ANSWERED = "a challenge, answered"
    CHALLENGE_REFUSED = "a challenge, refused"
    OTHER_PRODUCT = "of another product, counted"


class Pipeline:
    """Takes deliveries, one at a time; each finds an empty table and empty queues."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.counts = InMemoryCounts()
        self._stack = build_stack(self.clock.now, SECRET)
        self._stack.events.deliver = lambda event, rule: self._send(rule.target_arn, event.text)
        self._receiver = self._put_together("Webhook", "receiver")
        self._handlers = {
            name: self._put_together(queue.removesuffix("Queue"), "record_batch")
            for name, queue in _HANDLER_QUEUES.items()
        }
        self._announcer = self._put_together("BookingEvents", "announcer")

    def deliver(self, body: bytes) -> Fate:
        """Posts a body, correctly signed, follows it to its end and returns which one it was.

        Raises:
            Lost: it is not where the contract says; or whatever else the product let escape.
        """
        self.counts.all.clear()
        event = signed_event(body, self.clock.now())
        # What the function does inside its catch, so that an error nobody thought of is seen as it was.
        answer = self._receiver.receive(app.to_request(event))
        response = app.to_response(answer)
        json.dumps(response, allow_nan=False).encode()  # what the runtime client does with it
        try:
            return self._fate(body, answer)
        finally:
            self._tidy()

    # ── judgement ────────────────────────────────────────────────────────────────────────────────────────

    def _fate(self, body: bytes, answer: Answer) -> Fate:
        accepted = self._stack.events.accepted[self._stack.bus_arn]
        kept = self._messages(_QUARANTINE)
        status = int(answer.status)
        if status == BAD_REQUEST:
            _demand(not accepted, "refused, and published all the same")
            if answer.log["outcome"] == "challenge_refused":
                _demand(not kept, "a challenge is in quarantine")
                return Fate.CHALLENGE_REFUSED
            _demand(
                [quarantined_body(message) for message in kept] == [body], "not in quarantine byte for byte"
            )
            _demand(self.counts.all[Count.QUARANTINED] == 1, "in quarantine and not counted")
            return Fate.QUARANTINED
        _demand(not kept, "in quarantine, and not answered 400")
        decoded = json.loads(body)
        name = decoded["event"]
        if status == NO_CONTENT:
            _demand(
                not name.startswith("scheduler."), "an event of Scheduler was taken for another product's"
            )
            _demand(not accepted, "another product's event was published")
            return Fate.OTHER_PRODUCT
        _demand(status == OK, f"answered {status}")
        if name == "endpoint.url_validation":
            _demand(not accepted, "a challenge was published")
            return Fate.CHALLENGE_ANSWERED
        _demand((answer.body or "").encode() == body, "not answered with itself")
        _demand([each.fields["detail"] for each in accepted] == [decoded], "not on the bus as it was sent")
        if name not in _HANDLER_QUEUES:
            _demand(not any(map(self._messages, _HANDLER_QUEUES.values())), "in a handler's queue")
            return Fate.PUBLISHED
        return self._record(name, decoded, body)

    def _record(self, name: str, decoded: dict[str, Any], body: bytes) -> Fate:
        """Lets the event's handler record it and the stream announce it."""
        url = self._stack.queues[_HANDLER_QUEUES[name]]
        received = self._receive(url)
        _demand(len(received) == 1, "not in its handler's queue")
        (message,) = received
        with patch.object(batch, "logger", SILENT):
            response = self._handlers[name].process({"Records": [sqs_record(message)]}, lambda: LAMBDA_MS)
        _demand(response == {"batchItemFailures": []}, "its handler could not record it")
        items = self._stack.dynamodb.items(_TABLE)
        if self.counts.all[Count.QUARANTINED]:
            (kept,) = self._messages(_QUARANTINE)
            _demand(json.loads(quarantined_body(kept)) == decoded, "another body is in quarantine")
            _demand(not items, "in the table and in quarantine")
            return Fate.TOO_LARGE_FOR_AN_ITEM
        if _fits_an_item(decoded):
            webhook = Webhook(body, 0.0, "unnamed", Expected.RECORDED)
            Oracle(share_access_links=False).check_table(items, [webhook], {})
        else:
            ((key, item),) = items.items()
            _demand(key == booking_key(decoded), "under another booking's key")
            expected = expected_state([decoded])
            _demand(expected is not None and kept_of(plain(item)) == expected.kept, "not kept in its item")
        (change,) = self._stack.dynamodb.stream(_TABLE)
        announced = self._announcer.announce([change])
        _demand(announced.failed_from is None and not announced.refused, "its change was not announced")
        after = public_fields(plain(change["dynamodb"]["NewImage"]))
        event = self._stack.events.accepted[self._stack.bus_arn][-1].fields
        wrong = wrong_with_event(
            event["detail-type"],
            event["detail"],
            None,
            shared_fields(after, share_access_links=False),
            revision=1,
        )
        _demand(wrong is None, f"its change was announced wrongly: {wrong}")
        _demand(not any(map(self._messages, _DLQS)), "in a DLQ")
        return Fate.MERGED

    # ── what surrounds the product ───────────────────────────────────────────────────────────────────────

    def _put_together(self, function: str, factory: str) -> Any:
        """Returns what `bootstrap` makes for a function; its calls are answered at once, in this thread."""
        environment = self._stack.environment(function)
        with patch.multiple(
            bootstrap,
            client=lambda service, **_: StrictClient(service, self._stack.services[service]),
            SystemClock=lambda: self.clock,
            count=self.counts,
            os=SimpleNamespace(environ=environment),
        ):
            return getattr(bootstrap, factory)()

    def _send(self, target_arn: str, text: str) -> None:
        self._stack.sqs.call(
            "SendMessage", {"QueueUrl": self._stack.sqs.url(target_arn), "MessageBody": text}
        )

    def _messages(self, queue: str) -> list[str]:
        return [message.body for message in self._stack.sqs.messages(self._stack.queues[queue])]

    def _tidy(self) -> None:
        """Empties everything, as if the delivery had never been."""
        self._stack.events.accepted[self._stack.bus_arn].clear()
        for key in list(self._stack.dynamodb.items(_TABLE)):
            self._stack.dynamodb.call("DeleteItem", {"TableName": _TABLE, "Key": {"booking_id": {"S": key}}})
        self._stack.dynamodb.stream(_TABLE).clear()
        for url in self._stack.queues.values():
            while received := self._receive(url):
                for message in received:
                    handle = message["ReceiptHandle"]
                    self._stack.sqs.call("DeleteMessage", {"QueueUrl": url, "ReceiptHandle": handle})

    def _receive(self, url: str) -> list[dict[str, Any]]:
        answer = self._stack.sqs.call(
            "ReceiveMessage",
            {
                "QueueUrl": url,
                "MaxNumberOfMessages": 10,
                "VisibilityTimeout": 0,
                "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
            },
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages


def _fits_an_item(value: Any) -> bool:
    """Whether DynamoDB has a form for everything in it: else only the kept body says it, which is enough."""
    if isinstance(value, dict):
        return all(0 < len(name.encode()) <= dynamodb.MAX_NAME_BYTES for name in value) and all(
            map(_fits_an_item, value.values())
        )
    if isinstance(value, list):
        return all(map(_fits_an_item, value))
    return not isinstance(value, float) or value == 0 or _SMALLEST <= abs(value) < _BEYOND


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Lost(otherwise)
