"""Zoom: the webhooks of one or two bookings, drawn from a seed, and how Zoom sends and retries them."""

import base64
import json
from datetime import timedelta
from enum import IntEnum
from functools import partial
from random import Random
from typing import Any, NamedTuple

from bookings.use_cases.answers import Answer
from tests.samples import canceled, created, signed
from tests.simulation.adversary import HOUR, START, Adversary
from tests.simulation.services import Function

START_MS = int(START.timestamp() * 1000)
RETRIES_AFTER_SECONDS = (300.0, 1_200.0, 3_600.0)

_FORMS: tuple[Any, ...] = ({"ensure_ascii": False}, {"sort_keys": True}, {"indent": 1})
_SLOTS = (
    *("2026-12-01T16:00:00Z", "2026-12-02T09:30:00+01:00", "2026-12-03T07:15:00.500Z"),
    *("2026-12-04 09:00:00", "2026-W50-1", ""),  # local time, unreadable, empty
)
_ANSWERS: tuple[list[Any], ...] = (
    [],
    [{"question": "Topic?", "position": 0, "answer": ["Prices"]}],
    [{"question": "Topic?", "position": 0, "answer": "Prices"}, None, {"question": "?", "position": 1}],
)
_PLACES: tuple[dict[str, Any], ...] = (
    {"location": {"location_type": "in-person_meeting", "note": "Hill Rd (https://maps.example/x) 9"}},
    {"location": {"additional_info": "ring at no.2/back door"}, "location_kind": ""},
    {"external_location": {"kind": "meet", "pin": "1", "meeting_description": "PIN 1", "phone": "+1"}},
    {"location": [], "external_location": None},
)


class Expected(IntEnum):
    """What becomes of a webhook, by its final status."""

    RECORDED = 200
    PUBLISHED = 201  # answered 200; nothing of ours handles it
    IGNORED = 204  # another product's
    QUARANTINED = 400


class Webhook(NamedTuple):
    """One event as Zoom sends it."""

    body: bytes
    content: dict[str, Any]  # the decoded body
    sent_at: float  # virtual seconds
    request_id: str  # the same in all retries
    expected: Expected = Expected.RECORDED


def draw_history(random: Random) -> list[Webhook]:
    webhooks: list[Webhook] = []
    for number in range(random.choice((1, 1, 1, 1, 1, 2))):
        for body, at in _booking(random, f"evt-{number}"):
            late = random.choice((0.0, 0.0, 0.1, 5.0, 900.0, 20_000.0))
            webhooks.append(_sent(random, body, at + random.random() * late))
            while random.random() < 0.1:  # a second subscription, written its own way
                webhooks.append(_sent(random, body, at + random.random() * late))
    if random.random() < 0.06:
        webhooks.append(_something_else(random))
    return webhooks


def _booking(random: Random, event_id: str) -> list[tuple[dict[str, Any], float]]:
    """Returns the bodies of a booking's life, each with the time when Zoom sends it first."""
    now = random.random() * 60.0
    if random.random() < 0.05:
        event_id = f"bookings-check-{event_id}"
    bodies: list[tuple[dict[str, Any], float]] = []
    for step in range(random.choice((1, 1, 1, 1, 2, 2, 3))):
        action = "book" if step == 0 else random.choice(("cancel", "move", "move to", "book", "rise"))
        at = START_MS + int(now * 1000)
        if action in ("book", "cancel"):
            make = created if action == "book" else canceled
            bodies.append((_body(random, make, at, event_id), now))
        elif action == "rise":  # another body of the same event time
            bodies.append((_body(random, created, bodies[-1][0]["event_ts"], event_id), now))
        else:
            apart = random.choice((0, 0, 1, -1, 30_000, 60_000, -60_000, -60_001))
            bodies.append((_body(random, canceled, at, event_id, rescheduled=True), now))
            event_id = event_id if action == "move" else f"{event_id}-{step}"
            half = _body(random, created, max(START_MS, at + apart), event_id, rescheduled=True)
            bodies.append((half, now + 0.5))
        now += random.choice((0.0, 0.001, 1.0, 30.0, 59.0, 61.0, 600.0, 5_000.0))
    email = random.choice(("", None, " ")) if random.random() < 0.1 else "ann@example.com"
    for body, _ in bodies:
        body["payload"]["object"]["invitee_email"] = email
    if random.random() < 0.05:
        del random.choice(bodies)[0]["payload"]["object"]["invitee_email"]
    return bodies


def _body(random: Random, make: Any, at: int, event_id: str, *, rescheduled: bool = False) -> dict[str, Any]:
    """Returns a body with fields that are missing, empty, unknown, or not quite of their type."""
    details: dict[str, Any] = {
        "start_date_time": random.choice(_SLOTS),
        "questions_and_answers": random.choice(_ANSWERS),
    }
    chance = random.random()
    if chance > 0.8:
        details |= random.choice(_PLACES) | {"guests": ["guest@example.com", None]}
    if chance < 0.3:
        details["summary"] = random.choice(("", None, "Tour 🚲", "First meeting"))
    if chance < 0.15:
        details |= {"text_phone_number": "+1 83798773", "guests": [], "payment": {"amount": 12.50, "n": 1.0}}
        details["field_of_2027"] = [None, "new"]
    if random.random() < 0.1:
        details["user_id"] = ""
    body: dict[str, Any] = make(at, event_id=event_id, rescheduled=rescheduled, **details)
    return body


def _sent(random: Random, body: dict[str, Any], at: float) -> Webhook:
    """Returns a delivery of a body, written in one of the forms of the same JSON."""
    text = json.dumps(body, **random.choices(_FORMS, (70, 15, 15))[0])
    return Webhook(text.encode(), body, at, f"request-{random.getrandbits(40):010x}")


def _something_else(random: Random) -> Webhook:
    at = random.random() * HOUR
    now = START_MS + int(at * 1000)
    body: Any = random.choice((created(now, event_id=" "), created(now) | {"event_ts": "soon"}, "no object"))
    expected = random.choice(tuple(Expected)[1:])
    if expected is Expected.PUBLISHED:
        body = {"event": "scheduler.page_renamed", "payload": {"name": 1.50}}
    if expected is Expected.IGNORED:
        body = created(now) | {"event": "meeting.started"}
    return Webhook(json.dumps(body).encode(), {}, at, "request-something-else", expected)


class Zoom:
    """Sends webhooks, and gives up those that got no 2xx in the end."""

    def __init__(self, adversary: Adversary, function: Function, secret: str, answered: Any) -> None:
        self._adversary = adversary
        self._timeline = adversary.timeline
        self._function = function
        self._answered = answered
        self.secret = secret
        self.is_down = False  # our endpoint
        self.gave_up: list[Webhook] = []

    def send(self, webhook: Webhook) -> None:
        """Sends a webhook at its time, and again until it is answered well or given up."""
        self._timeline.after(webhook.sent_at, partial(self._attempt, webhook, 0))

    def _attempt(self, webhook: Webhook, number: int) -> None:
        def then(status: int | None) -> None:
            again = status is None or status >= 500
            if again and number < len(RETRIES_AFTER_SECONDS):
                once_more = partial(self._attempt, webhook, number + 1)
                self._timeline.after(RETRIES_AFTER_SECONDS[number], once_more)
            elif again or status not in (200, 204):
                self.gave_up.append(webhook)

        self.post(webhook, self.secret, then)

    def post(self, webhook: Webhook, secret: str, then: Any = id, age: float = 0.0) -> None:
        """Sends one request, whose signature has an age in seconds."""
        name, started = webhook.request_id, self._timeline.seconds
        signed_at = START + timedelta(seconds=started - age)
        request = signed(webhook.body, signed_at, secret=secret, request_id=name)

        def end(answer: Answer | None, _died: bool) -> None:
            status = int(answer.status) if answer else None
            self._adversary.trace(name, "is answered", status)
            self._answered(webhook, secret, answer, self._timeline.seconds - started, age)
            then(status)

        if self.is_down:
            end(None, True)
        else:
            self._function.invoke(name, lambda receiver, _: receiver.receive(request), end)


def quarantined_body(message: dict[str, Any]) -> bytes:
    return base64.b64decode(message["body_base64"], validate=True)
