"""The subscriber example: duplicates, order, partial failures, and nothing personal in log or table."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from examples.subscriber.function import app

CANARY = "jill.canary@example.com"


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("TABLE_NAME", "states")
    app.table.cache_clear()
    with mock_aws():
        client = boto3.client("dynamodb")
        key: Any = {
            "AttributeDefinitions": [{"AttributeName": "booking_id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "booking_id", "KeyType": "HASH"}],
        }
        client.create_table(TableName="states", BillingMode="PAY_PER_REQUEST", **key)
        yield client
    app.table.cache_clear()


def event(revision: int, status: str = "confirmed", version: str = "1") -> str:
    metadata = {"schema_version": version, "id": f"id-{revision}", "booking_id": "b-1", "revision": revision}
    booking = {"status": status, "invitee": {"email": CANARY}}
    return json.dumps({"detail-type": "Booking", "detail": {"metadata": metadata, "booking": booking}})


def deliver(*bodies: str) -> list[str]:
    """Delivers events as one batch. Returns the ids of the messages that come back: m0, m1, …"""
    records = [{"messageId": f"m{number}", "body": body} for number, body in enumerate(bodies)]
    response = app.lambda_handler({"Records": records}, None)
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


CONFIRMED, CANCELED, OTHER_SCHEMA = event(9), event(10, "canceled"), event(11, version=CANARY)
BATCHES: dict[str, tuple[list[str], int, list[str]]] = {
    "first": ([CONFIRMED], 9, ["kept"]),
    "duplicate": ([CONFIRMED, CONFIRMED], 9, ["kept", "seen or overtaken"]),
    "newer": ([CONFIRMED, CANCELED], 10, ["kept", "kept"]),
    "older": ([CANCELED, CONFIRMED], 10, ["kept", "seen or overtaken"]),
    "bad": (["no json", CONFIRMED, OTHER_SCHEMA, "{}"], 9, ["event failed", "kept", *["event failed"] * 2]),
}


@pytest.mark.parametrize(("bodies", "revision", "outcomes"), BATCHES.values(), ids=BATCHES)
def test_newest_state_is_stored(
    states: Any, caplog: pytest.LogCaptureFixture, bodies: list[str], revision: int, outcomes: list[str]
) -> None:
    # failure matrix: 43, 48
    caplog.set_level(logging.DEBUG, logger="root")
    failed = [f"m{number}" for number, outcome in enumerate(outcomes) if outcome == "event failed"]
    assert deliver(*bodies) == failed
    (item,) = states.scan(TableName="states")["Items"]
    assert item == {
        "booking_id": {"S": "b-1"},
        "revision": {"N": f"{revision}"},
        "status": {"S": {9: "confirmed", 10: "canceled"}[revision]},
        "event_id": {"S": f"id-{revision}"},
    }
    ours = [record for record in caplog.records if record.name == "root"]
    assert [record.message for record in ours] == outcomes
    assert not any(CANARY in str(record.__dict__) for record in ours)


def test_event_returns_while_the_table_is_down(states: Any) -> None:
    # failure matrix: 48
    states.delete_table(TableName="states")
    assert deliver(CONFIRMED) == ["m0"]
