"""The example subscriber: duplicates, order, partial failures, nothing of a person in its log or table."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from examples.subscriber.function import app

TABLE = "states"
CANARY = "jill.canary@example.com"


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("TABLE_NAME", TABLE)
    app.table.cache_clear()
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "booking_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "booking_id", "KeyType": "HASH"}],
        )
        yield client
    app.table.cache_clear()


def booking_event(revision: int = 1, status: str = "confirmed", **changes: Any) -> dict[str, Any]:
    metadata = {
        "schema_version": "1",
        "id": f"{revision:032x}",
        "booking_id": "abc-0123456789abcdef",
        "revision": revision,
        "occurred_at": "2026-11-20T09:30:00Z",
    }
    booking = {"booking_id": "abc-0123456789abcdef", "status": status, "invitee": {"email": CANARY}}
    return {
        "source": "bookings",
        "detail-type": "BookingCreated" if status == "confirmed" else "BookingCanceled",
        "detail": {"metadata": metadata | changes, "booking": booking, "previous": None},
    }


def deliver(*events: dict[str, Any] | str) -> list[str]:
    """Delivers events as one batch; returns the ids of the messages that come back, m0, m1, …"""
    records = [
        {"messageId": f"m{place}", "body": event if isinstance(event, str) else json.dumps(event)}
        for place, event in enumerate(events)
    ]
    response = app.lambda_handler({"Records": records}, None)
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def kept(states: Any) -> dict[str, str]:
    (item,) = states.scan(TableName=TABLE)["Items"]
    return {name: next(iter(value.values())) for name, value in item.items()}


def test_an_event_is_kept_as_the_state_of_its_booking(states: Any) -> None:
    assert deliver(booking_event()) == []

    assert kept(states) == {
        "booking_id": "abc-0123456789abcdef",
        "revision": "1",
        "status": "confirmed",
        "event_id": f"{1:032x}",
    }


def test_an_event_that_comes_twice_is_kept_once(states: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    assert deliver(booking_event(), booking_event()) == []

    assert [record.message for record in caplog.records if "booking_id" in record.__dict__] == [
        "kept",
        "seen or overtaken",
    ]


def test_an_older_event_does_not_undo_a_newer_one(states: Any) -> None:
    assert deliver(booking_event(2, "canceled"), booking_event(1)) == []

    assert (kept(states)["revision"], kept(states)["status"]) == ("2", "canceled")


def test_a_newer_event_replaces_an_older_one(states: Any) -> None:
    deliver(booking_event(9))
    deliver(booking_event(10, "canceled"))

    assert (kept(states)["revision"], kept(states)["status"]) == ("10", "canceled")


# failure matrix: 48
def test_only_what_fails_comes_back(states: Any) -> None:
    assert deliver("no json", booking_event(1), booking_event(2, schema_version="2"), "{}") == [
        "m0",
        "m2",
        "m3",
    ]

    assert kept(states)["revision"] == "1"


# failure matrix: 48
def test_an_event_comes_back_while_the_table_is_down(states: Any) -> None:
    states.delete_table(TableName=TABLE)

    assert deliver(booking_event()) == ["m0"]


def test_neither_log_nor_table_holds_anything_of_a_person(
    states: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="root")

    deliver(booking_event(), json.dumps(booking_event(2, schema_version=CANARY)))

    ours = [record for record in caplog.records if record.name == "root"]
    assert len(ours) == 2
    assert not any(CANARY in str(record.__dict__) for record in ours)
    assert CANARY not in str(states.scan(TableName=TABLE)["Items"])
