"""`bookings quarantine`: why deliveries wait, and replaying or dropping them."""

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

import cli.messages
from bookings.domain.booking import booking_id_of
from bookings.errors import FieldError
from bookings.use_cases.quarantine import quarantine_message
from tests import samples

from .conftest import Deployed, Webhook, on_stack

ERROR = FieldError(field="payload.object.rescheduled", message="must be true or false")
QUARANTINE = "QuarantineQueueUrl"
BOOKED = samples.raw(samples.created(event_id="evt-1", invitee_email="Ann@Example.com"))
NOBODYS = samples.raw(samples.canceled(event_id="evt-1", invitee_email=None))


def put(deployed: Deployed, output: str, body: str, **attributes: str) -> str:
    """Sends a message to a queue of the stack, and returns its id."""
    values: Any = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
    url = deployed.outputs[output]
    sent = boto3.client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageAttributes=values)
    return sent["MessageId"]


def quarantined(deployed: Deployed, body: bytes) -> str:
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    message = quarantine_message(
        reason="invalid_event", errors=[ERROR], received_at=at, body=body, request_id=samples.REQUEST_ID
    )
    return put(deployed, QUARANTINE, message)


def visible(deployed: Deployed, output: str) -> set[str]:
    """The ids of the messages that anybody may receive now."""
    sqs, found = boto3.client("sqs"), set()
    query: Any = {"QueueUrl": deployed.outputs[output], "MaxNumberOfMessages": 10, "VisibilityTimeout": 60}
    while messages := sqs.receive_message(**query).get("Messages", []):
        found |= {message["MessageId"] for message in messages}
    return found


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(cli.messages, "_pause", waited.append)
    return waited


WITH_EMAIL, WITHOUT = booking_id_of("evt-1", "ann@example.com"), booking_id_of("evt-1", None)


@pytest.mark.parametrize(
    ("body", "booking_id"),
    [(BOOKED, WITH_EMAIL), (NOBODYS, WITHOUT), (b"{broken", None)],
    ids=["a booking", "nobody's", "broken"],
)
def test_the_list_says_why_and_nothing_personal(
    deployed: Deployed, body: bytes, booking_id: str | None
) -> None:
    message_id = quarantined(deployed, body)
    [listed] = json.loads(on_stack("quarantine", "list", "--json").stdout)
    sent_at = listed.pop("sent_at")
    assert datetime.fromisoformat(sent_at).tzinfo == UTC
    known = {"queue": "quarantine", "message_id": message_id, "booking_id": booking_id, "receives": 1}
    assert listed == known | {"reason": "invalid_event", "errors": [ERROR]}
    assert on_stack("quarantine", "list").stdout == (
        f"{message_id} in quarantine since {sent_at}, received 2 x\n  invalid_event\n"
        f"  payload.object.rescheduled must be true or false\n  booking {booking_id or 'unknown'}\n"
        "Messages: 1. Each was hidden from other readers for a moment.\n"
    )
    [shown] = json.loads(on_stack("quarantine", "show", message_id).stdout)
    assert shown["content"] == (body.decode() if body == b"{broken" else json.loads(body))
    assert visible(deployed, QUARANTINE) == {message_id}


@pytest.mark.parametrize(
    ("status", "content_type", "outcome", "exit_code"),
    [
        (200, "application/json", "accepted", 0),
        (204, "", "accepted", 0),
        (400, "application/problem+json", "quarantined", 3),
        (400, "text/html", "refused", 1),
        (401, "application/problem+json", "refused", 1),
        (503, "application/problem+json", "refused", 1),
        (None, "", "no answer", 1),
    ],
)
def test_a_replay_deletes_what_is_taken(
    deployed: Deployed, webhook: Webhook, status: int | None, content_type: str, outcome: str, exit_code: int
) -> None:
    deployed.deploy(WebhookUrl=webhook.url if status else "http://127.0.0.1:1")
    webhook.statuses, webhook.content_type = [status or 0], content_type
    message_id, other = quarantined(deployed, BOOKED), quarantined(deployed, b"{broken")

    result = on_stack("quarantine", "replay", message_id, "--json")

    [report] = json.loads(result.stdout)
    assert (report["message_id"], report["outcome"], result.exit_code) == (message_id, outcome, exit_code)
    assert webhook.posted() == ([(samples.REQUEST_ID, BOOKED)] if status else [])
    assert visible(deployed, QUARANTINE) == ({other, message_id} if exit_code == 1 else {other})


def test_number_and_rate_are_bounded(deployed: Deployed, webhook: Webhook, waits: list[float]) -> None:
    deployed.deploy(WebhookUrl=webhook.url)
    for _ in range(13):
        quarantined(deployed, BOOKED)
    on_stack("quarantine", "replay", "--all", "--limit", "12", "--per-second", "4")
    assert (len(webhook.requests), len(visible(deployed, QUARANTINE))) == (12, 1)
    assert waits == [0.25] * 12


def test_a_drop_asks_and_names_the_account(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    call = ("quarantine", "drop", message_id := quarantined(deployed, BOOKED))
    unasked = on_stack(*call)
    assert (unasked.exit_code, unasked.stderr) == (2, "Error: There is no terminal to ask at: say --yes.\n")
    monkeypatch.setattr("cli.stack.at_terminal", lambda: True)
    refused = on_stack(*call, stdin=b"n\n")
    place = "stack bookings-dev (account 123456789012, us-east-1)"
    assert f"Delete {message_id} of quarantine in {place}?" in refused.stderr
    assert (refused.exit_code, on_stack(*call, "--json", stdin=b"y\n").exit_code) == (1, 0)
    assert visible(deployed, QUARANTINE) == set()


@pytest.mark.parametrize(
    ("names", "exit_code", "said"),
    [
        ((), 2, "Error: Say which: ID... or --all.\n"),
        (("some-id", "--all"), 2, "Error: Say which: ID... or --all.\n"),
        (("b", "a"), 1, "Error: Not among the first 100 messages: a, b. See `list`, or raise --limit.\n"),
    ],
)
def test_wrong_names_are_refused(
    deployed: Deployed, names: tuple[str, ...], exit_code: int, said: str
) -> None:
    message_id = quarantined(deployed, BOOKED)
    result = on_stack("quarantine", "drop", *names, "--yes")
    assert (result.exit_code, result.stderr) == (exit_code, said)
    assert visible(deployed, QUARANTINE) == {message_id}
