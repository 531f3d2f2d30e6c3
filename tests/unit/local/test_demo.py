"""The story of `make demo`: its deliveries, and the results that are problems."""

import json
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from bookings.zoom.signature import hash_token
from cli.posting import Sent
from local import demo
from local.demo import CHALLENGE, STORY, Chapter
from local.subscriber import DomainEvent

FIRST = STORY[0].deliveries[:1]
FILE = FIRST[0].file
GOOD = {"challenge": 200, "answer": 200, "garbled": "", "status": "confirmed", "late": ""}
ABSENT = [f"{FILE}: not in the table after 0 s", f"{FILE}: the booking is not there, not confirmed"]


@pytest.mark.parametrize(
    ("results", "chapters", "problems"),
    [
        ({}, 2, []),
        ({"challenge": 503}, 0, [f"{CHALLENGE}: answered 503, not with the token and its hash"]),
        ({"garbled": "challenge"}, 0, [f"{CHALLENGE}: answered 200, not with the token and its hash"]),
        ({"garbled": "event"}, 1, [f"{FILE}: answered 200, not 200 with the event"]),
        ({"answer": 503}, 1, [f"{FILE}: answered 503, not 200 with the event"]),
        ({"status": "canceled"}, 1, [f"{FILE}: the booking is canceled, not confirmed"]),
        ({"status": None}, 1, ABSENT),
        ({"events": ""}, 1, [f"{FILE}: the subscriber received nothing, not BookingCreated"]),
        ({"events": "A B"}, 1, [f"{FILE}: the subscriber received A, B, not BookingCreated"]),
        ({"late": "A"}, 2, ["A of b-1 came, and nothing had happened"]),
    ],
)
def test_first_wrong_result_ends_the_story(
    monkeypatch: pytest.MonkeyPatch, results: dict[str, Any], chapters: int, problems: list[str]
) -> None:
    given = SimpleNamespace(**{**GOOD, "events": "BookingCreated", **results})

    def post(url: str, body: bytes, secret: str) -> Sent:
        token = json.loads(body)["payload"].get("plainToken")
        hashed = json.dumps({"plainToken": token, "encryptedToken": hash_token(secret, token or "")})
        status, text = (given.challenge, hashed) if token else (given.answer, body.decode())
        garbled = given.garbled == ("challenge" if token else "event")
        answer = {"status": status, "body": "{}" if garbled else text}
        return Sent(url=url, request_id="", reason="", content_type=None, elapsed_ms=1, **answer)

    found = iter([None])
    booking = {"revision": 1, "status": given.status} if given.status else None
    monkeypatch.setattr(demo, "post", post)
    monkeypatch.setattr(demo, "find_booking", lambda *_: next(found, booking))
    monkeypatch.setattr(demo, "_ARRIVAL_SECONDS", 0)
    monkeypatch.setattr(demo, "STORY", (Chapter("one", FIRST * (3 - chapters)), Chapter("two", ())))
    subscriber, listener = Mock(), Mock()
    for method, types in ((subscriber.receive_count, given.events), (subscriber.receive, given.late)):
        received = [DomainEvent(each, {"metadata": {"booking_id": "b-1"}}) for each in types.split()]
        method.return_value = received
    assert demo.play(Mock(), "a-secret-token", subscriber, listener).problems == problems
    assert (listener.chapter.call_count, listener.delivered.call_count) == (chapters, min(chapters, 1))
