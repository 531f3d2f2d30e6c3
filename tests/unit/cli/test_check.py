"""`bookings check`: every step, the first that fails, and nothing left behind."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

import cli.check
from bookings.zoom.challenge import answer_challenge
from bookings.zoom.delivery import identify
from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, SignatureError, check_form, verify
from cli.bookings_table import BookingsTable

from ...zoom_api import Reply, Request, served
from .conftest import NOW, SECRET, Deployed, on_stack
from .test_listen import BUS, left_behind

STEPS = [
    *("challenge answered", "malformed signature refused", "stale request refused"),
    *("temporary rule in effect", "test booking accepted", "booking in the table", "event on the bus"),
]


@dataclass(kw_only=True)
class Endpoint:
    """A webhook with its pipeline behind it, and with a fault."""

    deployed: Deployed
    fault: str = ""
    refused: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        signature, timestamp = (request.headers[name] for name in (SIGNATURE_HEADER, TIMESTAMP_HEADER))
        try:
            verify([SECRET], *check_form(signature, timestamp, NOW, 300), request.body)
        except SignatureError as error:
            self.refused.append(type(error).__name__)
            return (200 if self.fault == type(error).__name__ else 401), {}, b""
        body = json.loads(request.body)
        if body["event"] == "endpoint.url_validation":
            secret = "another" if self.fault == "another secret" else SECRET
            return 200, {}, json.dumps(answer_challenge(body, secret)).encode()
        if self.fault != "not recorded":
            self.deployed.put({"booking_id": {"S": identify(body).booking_id}})
        if self.fault != "not announced":
            booking = {"event_id": body["payload"]["object"]["scheduled_event"]["event_id"]}
            entry: Any = {"Source": "bookings.check", "Detail": json.dumps({"booking": booking})}
            entry |= {"EventBusName": BUS, "DetailType": "BookingCreated"}
            boto3.client("events").put_events(Entries=[entry])
        return (503 if self.fault == "not accepted" else 200), {}, request.body


@pytest.fixture
def endpoint(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    for name, value in (("_BOOKING_SECONDS", 0), ("_LATE_SECONDS", 0), ("_pause", lambda _: None)):
        monkeypatch.setattr(cli.check, name, value)
    endpoint = Endpoint(deployed=deployed)
    with served(endpoint.answer) as url:
        deployed.deploy(WebhookUrl=f"{url}/webhooks/zoom")
        yield endpoint
    items = boto3.client("dynamodb").scan(TableName=deployed.outputs["BookingsTableName"])["Items"]
    assert (items, left_behind()) == ([], [])


@pytest.mark.parametrize(
    ("fault", "failed", "problem"),
    [
        ("", 7, None),
        ("another secret", 0, "the answer is not the one that the stored secret gives"),
        ("SignatureMalformed", 1, "the answer is 200, not 401"),
        ("TimestampOutsideWindow", 2, "the answer is 200, not 401"),
        ("not accepted", 4, "the answer is 503, not 200"),
        ("not recorded", 5, "after 0 s it is not: see the log"),
        ("not announced", 6, "after 0 s there is none: see the log of booking-events"),
    ],
)
def test_it_ends_at_the_first_step_that_fails(
    endpoint: Endpoint, fault: str, failed: int, problem: str | None
) -> None:
    endpoint.fault = fault
    result = on_stack("check", "--json")
    report = json.loads(result.stdout)
    limits = [3.0, 3.0, 3.0, None, 3.0, None, None][: failed + 1]
    assert [each["step"] for each in report["steps"]] == STEPS[: failed + 1]
    assert [each["limit"] for each in report["steps"]] == limits
    assert [each["problem"] for each in report["steps"]] == [None] * (len(limits) - 1) + [problem]
    assert (report["passed"], result.exit_code) == (problem is None, 0 if problem is None else 1)
    # Neither counts as SignatureMismatch, whose alarm rings at the second one of a day.
    assert endpoint.refused == ["SignatureMalformed", "TimestampOutsideWindow"][:failed]


def test_a_slow_answer_fails_the_check(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.check, "_ZOOM_SECONDS", 1e-6)
    result = on_stack("check")
    assert (result.exit_code, result.stdout[:26]) == (1, "FAILED challenge answered:")
    assert result.stdout.endswith(" of 1e-06 s\n       too slow for Zoom\n")


def test_ctrl_c_leaves_nothing_behind(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    interruptions = [KeyboardInterrupt]

    def has(_table: BookingsTable, booking_id: str) -> bool:
        if interruptions:
            raise interruptions.pop()
        return booking_id.startswith("bookings-check-")

    monkeypatch.setattr(BookingsTable, "has", has)
    assert on_stack("check").exit_code == 130
