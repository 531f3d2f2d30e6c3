"""`bookings announce`: present states as events, and a bus in trouble."""

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from bookings.aws.table import build_item, parse_change
from bookings.domain.booking import Booking, Tombstone
from bookings.domain.events import domain_event
from bookings.envelope import Envelope
from bookings.errors import RefusedByService, ServiceUnavailable
from cli.announce import Announced, Announcement, OneQueue, publish
from cli.stack import Stack

from .conftest import REQUEST_ID, STACK, Deployed, booked, on_stack

DOWN, NO = ServiceUnavailable("down"), RefusedByService("no")
REST = [(number, "down") for number in range(150, 301)]
ANN = booked(invitee_email="ann@example.com")  # newest event: 2026-11-20T09:12:04Z
BOB = booked("1_created", "4_canceled", revision=7, invitee_email="bob@example.com")  # 2026-11-20T15:05:58Z
IDS = sorted([ANN.booking_id, BOB.booking_id])


def published(deployed: Deployed) -> list[str]:
    return sorted(json.loads(entry["Detail"])["metadata"]["booking_id"] for entry in deployed.published)


# failure matrix: 12
@pytest.mark.parametrize(
    ("booking", "kind", "shared"),
    [(ANN, "BookingCreated", False), (ANN, "BookingCreated", True), (BOB, "BookingCanceled", False)],
)
def test_event_is_the_lost_one(deployed: Deployed, booking: Booking, kind: str, shared: bool) -> None:
    deployed.deploy(ShareAccessLinks=str(shared).lower())
    deployed.put(booking)
    for _ in range(2):
        assert on_stack("announce", booking.booking_id) == (0, "Announced 1 booking.\n", "")
    first_write: Any = parse_change({"dynamodb": {"NewImage": build_item(booking, None)}}).after
    by_the_stream: Any = domain_event(None, first_write, share_access_links=shared)
    bus, resources = deployed.outputs["EventBusArn"], [f"zoom-request/{REQUEST_ID}"]
    entry = {"EventBusName": bus, "Source": "bookings", "DetailType": kind, "Resources": resources}
    assert deployed.published == [entry | {"Detail": by_the_stream.detail}] * 2
    detail = json.loads(by_the_stream.detail)
    assert (detail["metadata"]["revision"], detail["previous"]) == (booking.revision, None)
    assert ("manage_url" in detail["booking"]) is shared


def test_live_bookings_of_the_asked_time_are_announced(deployed: Deployed, subtests: pytest.Subtests) -> None:
    deployed.put(ANN, BOB, Tombstone(booking_id="erased", erased_at=1_795_340_000_000, revision=2))
    deployed.put(booked(), expires_at=1)
    for which, expected in (
        ("--all", IDS),
        ("--updated-since=2026-11-20T09:12:03Z", IDS),
        ("--updated-since=2026-11-20T10:12:04+01:00", IDS),
        ("--updated-since=2026-11-20T09:12:05", [BOB.booking_id]),
        ("--updated-since=46h", [BOB.booking_id]),
        ("--updated-since=1d", []),
    ):
        deployed.published.clear()
        exit_code, shown, _ = on_stack("announce", which, "--yes", "--json")
        with subtests.test(which):
            assert (exit_code, json.loads(shown)) == (0, {"announced": len(expected), "not_announced": []})
            assert published(deployed) == expected


def test_several_must_be_confirmed(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.stack.at_terminal", lambda: True)
    deployed.put(ANN, BOB)
    for typed, exit_code, expected in ((b"n\n", 1, []), (b"y\n", 0, IDS)):
        result = on_stack("announce", *IDS, *IDS, stdin=typed)
        assert (result[0], published(deployed)) == (exit_code, expected)
        assert f"Announce 2 bookings to every subscriber of stack {STACK} (" in result[1] + result[2]


# failure matrix: 12
@pytest.mark.parametrize(
    ("number", "errors", "calls", "failed"),
    [
        (3, [None, DOWN, None, DOWN, None], [[0, 1, 2], [1], [1]], []),
        (3, [None, NO, None], [[0, 1, 2]], [(1, "no")]),
        (3, [None, *[DOWN] * 6], [[0, 1, 2], [1, 2], [1, 2]], [(1, "down"), (2, "down")]),
        (301, [None] * 150 + [DOWN] * 150, [range(100), range(100, 200), *[range(150, 200)] * 2], REST),
    ],
    ids=["failed events again", "one refused for itself", "down", "down, so the rest is not tried"],
)
def test_only_failed_events_are_published_again(
    pauses: list[float], number: int, errors: list[Any], calls: list[Any], failed: list[Any]
) -> None:
    answers, seen = iter(errors), []

    def publish_all(envelopes: list[Envelope]) -> list[Any]:
        seen.append([int(each.detail) for each in envelopes])
        return [next(answers) for _ in envelopes]

    bus: Any = SimpleNamespace(publish_all=publish_all)
    envelopes = [Envelope("bookings", "BookingCreated", str(each)) for each in range(number)]
    result = publish(bus, [Announcement(booking_id=each.detail, envelope=each) for each in envelopes])
    assert seen == [[*call] for call in calls]
    assert result.taken == number - len(failed)
    assert result.not_announced == [(str(each), reason) for each, reason in failed]
    assert pauses == ([1, 2] if DOWN in errors else [])


def test_failed_announcement_is_reported(deployed: Deployed) -> None:
    deployed.put(ANN)
    deployed.fail("PutEvents", "AccessDenied")
    reason = "EventBridge: AccessDenied"
    lines = (
        f"{ANN.booking_id}: not announced, {reason}\n"
        "Announced 0 bookings, 1 not: call this again, as it changes nothing to do so twice.\n"
    )
    assert on_stack("announce", ANN.booking_id) == (1, lines, "")
    exit_code, shown, _ = on_stack("announce", ANN.booking_id, "--json")
    failed = [{"booking_id": ANN.booking_id, "reason": reason}]
    assert (exit_code, json.loads(shown)) == (1, {"announced": 0, "not_announced": failed})


# ── to one subscriber ─────────────────────────────────────────────────────────────────────────────────────


def test_one_queue_gets_the_event_of_eventbridge() -> None:
    outputs = {"EventBusArn": "arn:aws:events:eu-north-1:123456789012:event-bus/bookings-dev"}
    first = Envelope("bookings", "BookingCreated", '{"title": "é"}', "request-1")
    with mock_aws():
        session = boto3.session.Session(region_name="eu-north-1")
        sqs = session.client("sqs")
        url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
        stack = Stack(name="", cloudformation_name="", outputs=outputs, session=session, config=Config())
        announcements = [Announcement(booking_id="a-0", envelope=first)]
        assert publish(OneQueue(stack, url), announcements) == Announced(taken=1)
        [message] = sqs.receive_message(QueueUrl=url)["Messages"]
        [(_, reason)] = publish(OneQueue(stack, f"{url}-absent"), announcements).not_announced
    event = json.loads(message["Body"])
    place = {"account": "123456789012", "region": "eu-north-1", "resources": ["zoom-request/request-1"]}
    assert event | place | {"source": "bookings", "detail": {"title": "é"}} == event
    assert event["detail-type"] == "BookingCreated"
    assert reason.startswith("SQS: AWS.SimpleQueueService.NonExistentQueue")
