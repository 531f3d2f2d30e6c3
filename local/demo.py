"""Plays the story of `make run` and `make demo`: posts the samples of `events/` as Zoom does.

The table shows each delivery before the next one is posted, so every run is the same. A missing, wrong or
extra result is a problem, and `make demo` fails with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from boto3.dynamodb.types import TypeDeserializer

from bookings.zoom.signature import hash_token
from cli.posting import Sent, post
from local.stack import ROOT, RunningStack
from local.subscriber import DomainEvent, Subscriber

EVENTS = ROOT / "events"
CHALLENGE = "url_validation.json"

_ARRIVAL_SECONDS = 15
_SETTLE_SECONDS = 1  # enough for an extra event to arrive


@dataclass(frozen=True, slots=True)
class Delivery:
    """A file and its expected effect.

    Attributes:
        status: the booking's status afterwards.
        events: the domain events, in order.
        remark: the reason, where it isn't obvious.
    """

    file: str
    status: str
    events: tuple[str, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Chapter:
    title: str
    deliveries: tuple[Delivery, ...]


STORY = (
    Chapter(
        "The two examples of Zoom's reference",
        (
            Delivery("scheduled_event_created.json", "confirmed", ("BookingCreated",)),
            Delivery(
                "scheduled_event_canceled.json",
                "confirmed",
                remark="Both say `rescheduled` at one event time: they are the two halves of one move. "
                "The move canceled the old slot and booked the new one, so the booking is still confirmed.",
            ),
        ),
    ),
    Chapter(
        "Maya books an onboarding call",
        (Delivery("story/1_created.json", "confirmed", ("BookingCreated",)),),
    ),
    Chapter(
        "She moves it to another day",
        (
            Delivery(
                "story/2_moved_canceled.json",
                "canceled",
                ("BookingCanceled",),
                remark="Zoom sends a move as two deliveries. This one cancels the old slot.",
            ),
            Delivery("story/3_moved_created.json", "confirmed", ("BookingRescheduled",)),
        ),
    ),
    Chapter(
        "She cancels it",
        (Delivery("story/4_canceled.json", "canceled", ("BookingCanceled",)),),
    ),
)


@dataclass(slots=True)
class Result:
    """The actual effect of a delivery. The seconds count from the post."""

    delivery: Delivery
    sent: Sent
    before: dict[str, Any] | None
    after: dict[str, Any] | None = None
    in_table_seconds: float | None = None
    events: list[DomainEvent] = field(default_factory=list)
    announced_seconds: float | None = None
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    results: list[Result] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Listener(Protocol):
    """Follows the story."""

    def challenged(self, sent: Sent, problems: list[str]) -> None: ...

    def chapter(self, title: str) -> None: ...

    def delivered(self, result: Result) -> None: ...


def play(stack: RunningStack, secret: str, subscriber: Subscriber, listener: Listener) -> Outcome:
    """Posts every sample and waits for its effect. Ends after the first delivery with a problem."""
    outcome = Outcome()
    sent, outcome.problems = _challenge(stack, secret)
    listener.challenged(sent, outcome.problems)
    for chapter in STORY:
        if outcome.problems:
            return outcome
        listener.chapter(chapter.title)
        for delivery in chapter.deliveries:
            result = _deliver(stack, secret, subscriber, delivery)
            listener.delivered(result)
            outcome.results.append(result)
            outcome.problems += result.problems
            if outcome.problems:
                return outcome
    outcome.problems += [
        f"{event.type} of {event.booking_id} came, and nothing had happened"
        for event in subscriber.receive(_SETTLE_SECONDS)
    ]
    return outcome


def _challenge(stack: RunningStack, secret: str) -> tuple[Sent, list[str]]:
    body = (EVENTS / CHALLENGE).read_bytes()
    token = json.loads(body)["payload"]["plainToken"]
    expected = {"plainToken": token, "encryptedToken": hash_token(secret, token)}
    sent = post(stack.webhook_url, body, secret)
    if sent.status == HTTPStatus.OK and sent.as_dict()["body"] == expected:
        return sent, []
    return sent, [f"{CHALLENGE}: answered {sent.status}, not with the token and its hash"]


def _deliver(stack: RunningStack, secret: str, subscriber: Subscriber, delivery: Delivery) -> Result:
    body = (EVENTS / delivery.file).read_bytes()
    content = json.loads(body)
    event_id = content["payload"]["object"]["scheduled_event"]["event_id"]
    before = find_booking(stack, event_id)
    began = time.perf_counter()
    result = Result(delivery, post(stack.webhook_url, body, secret), before, after=before)
    if result.sent.status != HTTPStatus.OK or result.sent.as_dict()["body"] != content:
        result.problems.append(f"{delivery.file}: answered {result.sent.status}, not 200 with the event")
        return result
    known = before["revision"] if before else 0

    def written() -> bool:
        result.after = find_booking(stack, event_id)
        return result.after is not None and result.after["revision"] > known

    if _comes_true(written, _ARRIVAL_SECONDS):
        result.in_table_seconds = time.perf_counter() - began
    else:
        result.problems.append(f"{delivery.file}: not in the table after {_ARRIVAL_SECONDS} s")
    status = result.after["status"] if result.after else "not there"
    if status != delivery.status:
        result.problems.append(f"{delivery.file}: the booking is {status}, not {delivery.status}")
    result.events = subscriber.receive_count(len(delivery.events), _ARRIVAL_SECONDS)
    if result.events:
        result.announced_seconds = time.perf_counter() - began
    types = tuple(event.type for event in result.events)
    if types != delivery.events:
        result.problems.append(
            f"{delivery.file}: the subscriber received {_list(types)}, not {_list(delivery.events)}"
        )
    return result


def find_booking(stack: RunningStack, event_id: str) -> dict[str, Any] | None:
    """Returns the booking of an event as plain values. Each event of the samples has at most one."""
    items = stack.client("dynamodb").scan(
        TableName=stack.outputs["BookingsTableName"],
        FilterExpression="event_id = :event_id",
        ExpressionAttributeValues={":event_id": {"S": event_id}},
        ConsistentRead=True,
    )["Items"]
    deserialize = TypeDeserializer().deserialize
    return next(({name: deserialize(value) for name, value in item.items()} for item in items), None)


def _comes_true(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _list(types: tuple[str, ...]) -> str:
    return ", ".join(types) or "nothing"
