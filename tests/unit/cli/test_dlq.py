"""`bookings dlq`: the three dead-letter queues, why messages are there, and redriving them."""

import json
from typing import Any

import boto3
import pytest

import cli.messages
from bookings.domain.booking import booking_id_of
from tests import samples

from .conftest import Deployed, on_stack
from .test_quarantine import put, visible

BOOKING_ID = booking_id_of("evt-1", "ann@example.com")
HEAD = {"resources": [f"zoom-request/{samples.REQUEST_ID}"], "source": "zoom.scheduler", "detail-type": "c"}
DELIVERY = HEAD | {"detail": samples.created(event_id="evt-1", invitee_email="ann@example.com")}
DETAIL = {"metadata": {"booking_id": BOOKING_ID, "id": "1"}, "booking": {"title": "Café"}}
EVENT = HEAD | {"source": "bookings", "detail-type": "BookingCreated", "detail": DETAIL}
REFUSED = {"reason": "refused_by_bus", "error": "EventBridge: MalformedDetail", "booking_id": BOOKING_ID}
POSITIONS = {"requestContext": {"condition": "RecordAgeExceeded"}, "DDBStreamBatchInfo": {"batchSize": 2}}

BY_HANDLER = "given up by its handler, whose log has the cause"
BY_RULE = "not delivered by its rule: NO_PERMISSIONS, Denied."
BY_BUS = "refused_by_bus: EventBridge: MalformedDetail"
BY_STREAM = "given up by the stream; only positions of records are left"
ERROR = {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "Denied.", "RULE_ARN": "arn"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.messages, "_pause", lambda _: None)


@pytest.mark.parametrize(
    ("queue", "body", "attributes", "reason", "booking_id"),
    [
        ("created", DELIVERY, {}, BY_HANDLER, BOOKING_ID),
        ("canceled", DELIVERY, ERROR, BY_RULE, BOOKING_ID),
        ("canceled", "no object", {}, BY_HANDLER, None),
        ("events", REFUSED | {"event": EVENT}, {}, BY_BUS, BOOKING_ID),
        ("events", POSITIONS, {}, BY_STREAM, None),
    ],
    ids=["handler", "rule", "unreadable", "bus", "stream"],
)
def test_the_list_says_why(
    deployed: Deployed, queue: str, body: Any, attributes: dict[str, str], reason: str, booking_id: str | None
) -> None:
    message_id = put(deployed, f"Booking{queue.title()}DLQUrl", json.dumps(body), **attributes)
    for names in ((), (queue,)):
        [listed] = json.loads(on_stack("dlq", "list", *names, "--json").stdout)
        assert (listed["queue"], listed["message_id"]) == (queue, message_id)
        assert (listed["reason"], listed["booking_id"]) == (reason, booking_id)
    [shown] = json.loads(on_stack("dlq", "show", message_id).stdout)
    assert shown["content"] in (body, json.dumps(body), body["detail"] if body is DELIVERY else None)
    others = {"created", "canceled", "events"} - {queue}
    assert on_stack("dlq", "list", *others, "--json").stdout == "[]\n"


@pytest.mark.parametrize("queue", ["Created", "Canceled"])
def test_a_delivery_goes_to_its_handler_again(deployed: Deployed, queue: str) -> None:
    message_id = put(deployed, f"Booking{queue}DLQUrl", json.dumps(DELIVERY))
    result = on_stack("dlq", "redrive", message_id)
    assert (result.exit_code, result.stdout) == (0, f"{message_id}: sent to its handler\n")
    [sent] = boto3.client("sqs").receive_message(QueueUrl=deployed.outputs[f"Booking{queue}QueueUrl"])[
        "Messages"
    ]
    assert (json.loads(sent["Body"]), visible(deployed, f"Booking{queue}DLQUrl")) == (DELIVERY, set())


@pytest.mark.parametrize(
    ("body", "advice"),
    [(POSITIONS, "--updated-since 2d"), (REFUSED, f"-- {BOOKING_ID}"), (REFUSED | {"event": EVENT}, "")],
    ids=["positions", "without event", "event"],
)
def test_only_an_event_is_published_again(deployed: Deployed, body: dict[str, Any], advice: str) -> None:
    message_id = put(deployed, "BookingEventsDLQUrl", json.dumps(body))
    result = on_stack("dlq", "redrive", "events", "--all")
    stays = f"stays, as it holds no event: `bookings announce {advice}`, then drop it"
    assert result.stdout == f"{message_id}: {stays if advice else 'published'}\n"
    assert result.exit_code == (1 if advice else 0)
    published = [
        (entry["Source"], entry["DetailType"], json.loads(entry["Detail"])) for entry in deployed.published
    ]
    assert published == ([] if advice else [("bookings", "BookingCreated", DETAIL)])
    assert visible(deployed, "BookingEventsDLQUrl") == ({message_id} if advice else set())


def test_all_of_one_dlq_are_dropped(deployed: Deployed) -> None:
    other = put(deployed, "BookingCanceledDLQUrl", "{}")
    put(deployed, "BookingCreatedDLQUrl", "{}")
    assert on_stack("dlq", "drop", "created", "--all", "--yes").exit_code == 0
    assert visible(deployed, "BookingCreatedDLQUrl") == set()
    assert visible(deployed, "BookingCanceledDLQUrl") == {other}
