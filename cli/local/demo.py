"""The story that `make run` and `make demo` tell: the samples of `events/`, posted as Zoom posts them.

Each delivery is waited for in the table before the next one goes, so that the story is the same every time.
What should have come and didn't is a problem; `make demo` succeeds only without one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

from boto3.dynamodb.types import TypeDeserializer

from bookings.zoom.signature import hash_token
from cli.local.stack import ROOT, RunningStack
from cli.local.subscriber import DomainEvent, Subscriber
from cli.posting import Sent, post

EVENTS = ROOT / "events"

_ARRIVAL_SECONDS = 15
_SETTLE_SECONDS = 1  # an event too many would have come by then


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One file, and what should become of it.

    Attributes:
        status: the booking's afterwards.
        events: the domain events it makes, in order.
        remark: why, where it isn't plain.
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
            Delivery(
                file="scheduled_event_created.json",
                status="confirmed",
                events=("BookingCreated",),
            ),
            Delivery(
                file="scheduled_event_canceled.json",
                status="confirmed",
                remark=(
                    "Both say `rescheduled` at one event time: they are the two halves of one move. The old "
                    "slot was canceled and the new one stands, whichever half comes first: still confirmed."
                ),
            ),
        ),
    ),
    Chapter(
        "Maya books an onboarding call",
        (Delivery(file="story/1_created.json", status="confirmed", events=("BookingCreated",)),),
    ),
    Chapter(
        "She moves it to another day",
        (
            Delivery(
                file="story/2_moved_canceled.json",
                status="canceled",
                events=("BookingCanceled",),
                remark="Zoom sends a move as two deliveries; by this half, another slot replaces this one.",
            ),
            Delivery(file="story/3_moved_created.json", status="confirmed", events=("BookingRescheduled",)),
        ),
    ),
    Chapter(
        "She cancels it",
        (Delivery(file="story/4_canceled.json", status="canceled", events=("BookingCanceled",)),),
    ),
)
CHALLENGE = "url_validation.json"


@dataclass(slots=True)
class Told:
    """What became of one delivery."""

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
    told: list[Told] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Listener(Protocol):
    """Is told the story while it happens."""

    def challenged(self, sent: Sent, problems: list[str]) -> None: ...

    def chapter(self, title: str) -> None: ...

    def delivered(self, told: Told) -> None: ...


def tell(stack: RunningStack, secret: str, subscriber: Subscriber, listener: Listener) -> Outcome:
    """Posts every sample and waits for what should become of it.

    Ends with the first delivery that has a problem: what follows would only wait for the same in vain.
    """
    outcome = Outcome()
    sent, outcome.problems = _challenge(stack, secret)
    listener.challenged(sent, outcome.problems)
    for chapter in STORY:
        if outcome.problems:
            return outcome
        listener.chapter(chapter.title)
        for delivery in chapter.deliveries:
            told = _deliver(stack, secret, subscriber, delivery)
            listener.delivered(told)
            outcome.told.append(told)
            outcome.problems += told.problems
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


def _deliver(stack: RunningStack, secret: str, subscriber: Subscriber, delivery: Delivery) -> Told:
    body = (EVENTS / delivery.file).read_bytes()
    content = json.loads(body)
    event_id = content["payload"]["object"]["scheduled_event"]["event_id"]
    before = find_booking(stack, event_id)
    began = time.perf_counter()
    told = Told(delivery, post(stack.webhook_url, body, secret), before, after=before)
    if told.sent.status != HTTPStatus.OK or told.sent.as_dict()["body"] != content:
        told.problems.append(f"{delivery.file}: answered {told.sent.status}, not 200 with the event")
        return told
    known = before["revision"] if before else 0

    def written() -> bool:
        told.after = find_booking(stack, event_id)
        return told.after is not None and told.after["revision"] > known

    if wait_for(written, _ARRIVAL_SECONDS):
        told.in_table_seconds = time.perf_counter() - began
    else:
        told.problems.append(f"{delivery.file}: not in the table after {_ARRIVAL_SECONDS} s")
    status = told.after["status"] if told.after else "not there"
    if status != delivery.status:
        told.problems.append(f"{delivery.file}: the booking is {status}, not {delivery.status}")
    told.events = subscriber.receive_count(len(delivery.events), _ARRIVAL_SECONDS)
    if told.events:
        told.announced_seconds = time.perf_counter() - began
    types = tuple(event.type for event in told.events)
    if types != delivery.events:
        told.problems.append(
            f"{delivery.file}: the subscriber received {_list(types)}, not {_list(delivery.events)}"
        )
    return told


def find_booking(stack: RunningStack, event_id: str) -> dict[str, Any] | None:
    """The booking of that event, as plain values; None where there is none. The samples have one each."""
    items = stack.client("dynamodb").scan(
        TableName=stack.outputs["BookingsTableName"],
        FilterExpression="event_id = :event_id",
        ExpressionAttributeValues={":event_id": {"S": event_id}},
        ConsistentRead=True,
    )["Items"]
    deserialize = TypeDeserializer().deserialize
    return next(({name: deserialize(value) for name, value in item.items()} for item in items), None)


def wait_for(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def samples() -> list[Path]:
    """Every file that is posted, in order."""
    return [EVENTS / CHALLENGE, *(EVENTS / item.file for chapter in STORY for item in chapter.deliveries)]


def _list(types: tuple[str, ...]) -> str:
    return ", ".join(types) or "nothing"
