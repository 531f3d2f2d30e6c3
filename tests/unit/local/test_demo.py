"""The story of `make demo`: what it posts, and which results are problems."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bookings.zoom.events import CANCELED, CREATED
from cli.posting import Sent
from local import demo
from local.demo import EVENTS, STORY, Delivery
from local.stack import RunningStack
from local.subscriber import DomainEvent

STACK = RunningStack(
    endpoint_url="",
    region="",
    webhook_url="http://127.0.0.1:1/webhooks/zoom",
    outputs={},
    credentials={},
    pid=1,
)
SECRET = "a-secret-token-of-this-test"
FIRST = STORY[0].deliveries[0]
SAMPLES = [EVENTS / demo.CHALLENGE, *(EVENTS / item.file for chapter in STORY for item in chapter.deliveries)]


class Silent:
    def challenged(self, sent: Sent, problems: list[str]) -> None: ...

    def chapter(self, title: str) -> None: ...

    def delivered(self, result: demo.Result) -> None: ...


class ScriptedSubscriber:
    """Receives what the test says, whatever happened."""

    def __init__(self, *types: str) -> None:
        self.types = types

    def receive_count(self, count: int, timeout_seconds: float) -> list[DomainEvent]:
        return [DomainEvent(kind, {}) for kind in self.types]

    def receive(self, wait_seconds: int) -> list[DomainEvent]:
        return []


def test_every_sample_is_posted_once() -> None:
    assert sorted(SAMPLES) == sorted(
        path for path in EVENTS.rglob("*.json") if path.parent.name in {"events", "story"}
    )


def test_story_has_both_zoom_events_and_every_domain_event() -> None:
    names = {json.loads(path.read_bytes())["event"] for path in SAMPLES}
    assert names == {"endpoint.url_validation", CREATED, CANCELED}
    events = {event for chapter in STORY for delivery in chapter.deliveries for event in delivery.events}
    assert events == {"BookingCreated", "BookingRescheduled", "BookingCanceled"}


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets the first delivery have this answer and this booking afterwards, without a stack."""

    def arrange(*, status: int = 200, echoed: bool = True, booking: dict[str, Any] | None) -> None:
        def post(url: str, body: bytes, secret: str) -> Sent:
            return Sent(
                url=url,
                request_id="",
                status=status,
                reason="",
                content_type=None,
                body=body.decode() if echoed else "{}",
                elapsed_ms=1,
            )

        found = iter([None])
        monkeypatch.setattr(demo, "post", post)
        monkeypatch.setattr(demo, "find_booking", lambda *_: next(found, booking))
        monkeypatch.setattr(demo, "_ARRIVAL_SECONDS", 0)

    return arrange


def problems(delivery: Delivery, *received: str) -> list[str]:
    subscriber: Any = ScriptedSubscriber(*received)
    return demo._deliver(STACK, SECRET, subscriber, delivery).problems


def test_delivery_that_arrives_everywhere_is_no_problem(pretend: Callable[..., None]) -> None:
    pretend(booking={"revision": 1, "status": "confirmed"})
    assert problems(FIRST, "BookingCreated") == []


def test_any_answer_but_200_with_the_event_is_a_problem(pretend: Callable[..., None]) -> None:
    pretend(status=503, booking=None)
    assert problems(FIRST) == [f"{FIRST.file}: answered 503, not 200 with the event"]
    pretend(echoed=False, booking=None)
    assert problems(FIRST) == [f"{FIRST.file}: answered 200, not 200 with the event"]


def test_booking_missing_from_the_table_is_a_problem(pretend: Callable[..., None]) -> None:
    pretend(booking=None)
    assert problems(FIRST, "BookingCreated") == [
        f"{FIRST.file}: not in the table after 0 s",
        f"{FIRST.file}: the booking is not there, not confirmed",
    ]


def test_booking_in_another_state_is_a_problem(pretend: Callable[..., None]) -> None:
    pretend(booking={"revision": 1, "status": "canceled"})
    assert problems(FIRST, "BookingCreated") == [f"{FIRST.file}: the booking is canceled, not confirmed"]


@pytest.mark.parametrize("received", [(), ("BookingUpdated",), ("BookingCreated", "BookingUpdated")])
def test_unexpected_domain_events_are_a_problem(
    pretend: Callable[..., None], received: tuple[str, ...]
) -> None:
    pretend(booking={"revision": 1, "status": "confirmed"})
    said = ", ".join(received) or "nothing"
    assert problems(FIRST, *received) == [f"{FIRST.file}: the subscriber received {said}, not BookingCreated"]


def test_wrong_answer_to_the_challenge_ends_the_story(
    pretend: Callable[..., None],
) -> None:
    pretend(booking=None)  # the challenge is echoed, and not answered
    subscriber: Any = ScriptedSubscriber()
    outcome = demo.play(STACK, SECRET, subscriber, Silent())
    assert outcome.problems == ["url_validation.json: answered 200, not with the token and its hash"]
    assert outcome.results == []
