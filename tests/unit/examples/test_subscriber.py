"""The subscriber example: messages, duplicates, order, partial failures, and nothing personal in the log."""

import contextlib
import json
from collections.abc import Iterator
from http.client import HTTPMessage
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import boto3
import pytest
from moto import mock_aws
from pydantic import TypeAdapter

import app
import booking_events
from bookings.domain.events import SCHEMA_VERSION, DomainEvent, EventType

CANARY = "jill.canary@example.com"
URL = "https://chat.example.com/hooks/canary"


class Chat:
    """Takes the messages. `refusing` lets it answer 429."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.refusing = False

    def open(self, request: Request, timeout: float) -> contextlib.AbstractContextManager[None]:
        assert (request.full_url, request.get_method(), timeout) == (URL, "POST", 3)
        assert isinstance(request.data, bytes)
        if self.refusing:
            raise HTTPError(URL, 429, CANARY, HTTPMessage(), None)
        self.texts.append(json.loads(request.data)["text"])
        return contextlib.nullcontext()


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    opened = Chat()
    monkeypatch.setenv("TABLE_NAME", "revisions")
    monkeypatch.setenv("CHAT_WEBHOOK_URL", URL)
    monkeypatch.setattr(app, "urlopen", opened.open)
    app.table.cache_clear()
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="revisions",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "booking_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "booking_id", "KeyType": "HASH"}],
        )
        yield opened
    app.table.cache_clear()


def event(revision: int, kind: str = "BookingCreated", version: str = SCHEMA_VERSION, **booking: Any) -> str:
    metadata = {"schema_version": version, "id": f"id-{revision}", "booking_id": "b-1", "revision": revision}
    detail = {"metadata": metadata, "booking": {"rescheduled": False, "title": f"{revision}"} | booking}
    return json.dumps({"detail-type": kind, "detail": detail})


def deliver(*bodies: str) -> list[str]:
    """Delivers events as one batch. Returns the ids of the messages that come back: m0, m1, …"""
    records = [{"messageId": f"m{number}", "body": body} for number, body in enumerate(bodies)]
    response = app.lambda_handler({"Records": records}, None)
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


NINE, TEN, OTHER_SCHEMA = event(9), event(10), event(11, version=CANARY)
BATCHES: dict[str, tuple[list[str], list[str], list[int]]] = {
    "duplicate": ([NINE, NINE], ["posted", "old"], [9]),
    "newer": ([NINE, TEN], ["posted", "posted"], [9, 10]),
    "older": ([TEN, NINE], ["posted", "old"], [10]),
    "bad": (["no json", NINE, OTHER_SCHEMA, "{}"], ["failed", "posted", "failed", "failed"], [9]),
}


# failure matrix: 43, 48
@pytest.mark.parametrize(("bodies", "outcomes", "posted"), BATCHES.values(), ids=BATCHES)
def test_news_is_posted_once(
    chat: Chat, capsys: pytest.CaptureFixture[str], bodies: list[str], outcomes: list[str], posted: list[int]
) -> None:
    failed = [f"m{number}" for number, outcome in enumerate(outcomes) if outcome == "failed"]
    assert deliver(*bodies) == failed
    shown = capsys.readouterr().out
    assert [json.loads(line)["outcome"] for line in shown.splitlines()] == outcomes
    assert chat.texts == [f"New booking: {revision}" for revision in posted]
    assert CANARY not in shown


# failure matrix: 43, 48
def test_refused_message_is_posted_later(chat: Chat, capsys: pytest.CaptureFixture[str]) -> None:
    chat.refusing = True
    assert deliver(NINE) == ["m0"]
    line = {"outcome": "failed", "message_id": "m0", "error": "HTTPError", "status": 429}
    assert json.loads(capsys.readouterr().out) == line
    chat.refusing = False
    assert deliver(NINE, event(8)) == []
    assert chat.texts == ["New booking: 9"]


def test_without_a_chat_only_ids_are_logged(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHAT_WEBHOOK_URL", "")
    assert deliver(NINE) == []
    line = {"outcome": "logged", "event": "BookingCreated", "booking_id": "b-1", "revision": 9}
    assert (json.loads(capsys.readouterr().out), chat.texts) == (line, [])


def test_newer_revision_stays(chat: Chat) -> None:
    metadata: Any = json.loads(TEN)["detail"]["metadata"]
    stored = [app.remember(metadata | {"revision": number}) for number in (10, 11, 11, 10)]
    assert stored == [True, True, False, False]


BOOKED = {"title": "Tour", "start": "2026-12-01T16:00:00Z", "invitee": {"email": "b", "first_name": "<!all>"}}


@pytest.mark.parametrize(
    ("kind", "booking", "text"),
    [
        ("BookingCreated", BOOKED, "New booking: Tour, 2026-12-01T16:00:00Z, &lt;!all&gt;"),
        ("BookingRescheduled", {"invitee": {"email": "b"}}, "Moved: 1, b"),
        ("BookingUpdated", {"invitee": {"first_name": "Jo", "last_name": "Ek"}}, "Changed: 1, Jo Ek"),
        ("BookingCanceled", {}, "Canceled: 1"),
        ("BookingCanceled", {"rescheduled": True}, "Canceled for another time: 1"),
    ],
)
def test_text_says_what_happened(chat: Chat, kind: str, booking: dict[str, Any], text: str) -> None:
    assert deliver(event(1, kind, **booking)) == []
    assert chat.texts == [text]


def fields(schema: Any) -> Any:
    """Returns a schema without words, formats and the leave for unknown fields."""
    if isinstance(schema, list):
        return [fields(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    left_out = {"title", "description", "examples", "format", "additionalProperties"}
    return {
        key: fields(each) for key, each in schema.items() if key not in left_out or isinstance(each, dict)
    }


def test_copy_of_the_models_equals_the_models() -> None:
    copy = TypeAdapter(booking_events.DomainEvent).json_schema()
    assert fields(copy) == fields(DomainEvent.model_json_schema())
    assert app.HEADLINES.keys() == {*EventType}
