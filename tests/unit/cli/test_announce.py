"""`bookings announce`: what subscribers are told of a booking as it stands."""

import dataclasses
import json
from typing import Any

import boto3
import pytest

from bookings.aws.table import build_item, build_tombstone, parse_change
from bookings.domain.booking import Booking, Tombstone
from bookings.domain.events import domain_event
from bookings.errors import RefusedByService, ServiceUnavailable
from bookings.use_cases.announce import Announcer
from cli import announce as announce_module
from cli.announce import Announcement, publish

from ...fakes import DENIED, InMemoryBus, InMemoryCounts, InMemoryQueue
from .conftest import STACK_NAME, Deployed, booked, bookings

CREATED_FILE, CANCELED_FILE = "story/1_created.json", "story/4_canceled.json"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for, in seconds; nothing is."""
    waited: list[float] = []
    monkeypatch.setattr(announce_module, "_pause", waited.append)
    return waited


class Subscriber:
    """A queue with a rule for everything of source `bookings`."""

    def __init__(self) -> None:
        self._sqs = boto3.client("sqs")
        self._url = self._sqs.create_queue(QueueName="subscriber")["QueueUrl"]
        events = boto3.client("events")
        pattern = json.dumps({"source": ["bookings"]})
        events.put_rule(Name="all", EventBusName="bookings-dev", EventPattern=pattern)
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        events.put_targets(Rule="all", EventBusName="bookings-dev", Targets=[{"Id": "queue", "Arn": arn}])

    def received(self) -> list[Any]:
        found = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return sorted(found, key=lambda event: str(event["detail"]["metadata"]["booking_id"]))


@pytest.fixture
def subscriber(deployed: Deployed) -> Subscriber:
    return Subscriber()


def confirmed(name: str = "ann", revision: int = 1) -> Booking:
    return dataclasses.replace(booked(CREATED_FILE, invitee_email=f"{name}@example.com"), revision=revision)


def canceled(name: str = "ann", revision: int = 2) -> Booking:
    return dataclasses.replace(
        booked(CREATED_FILE, CANCELED_FILE, invitee_email=f"{name}@example.com"), revision=revision
    )


def announced_by_the_stream(booking: Booking) -> Any:
    """The detail that the booking's first write announces."""
    bus = InMemoryBus()
    announcer = Announcer(
        bus=bus,
        dead_letters=InMemoryQueue(),
        parse_change=parse_change,
        share_access_links=False,
        count=InMemoryCounts(),
    )
    announcer.announce([{"dynamodb": {"NewImage": build_item(booking, None), "SequenceNumber": "1"}}])
    [envelope] = bus.published
    return json.loads(envelope.detail)


# failure matrix: 12
def test_a_new_bookings_event_is_the_very_one_that_was_lost(
    deployed: Deployed, subscriber: Subscriber
) -> None:
    deployed.put(confirmed())

    result = bookings("announce", confirmed().booking_id, "--stack", STACK_NAME)

    assert (result.exit_code, result.stdout) == (0, "Announced 1 booking.\n"), result.output
    [event] = subscriber.received()
    assert (event["source"], event["detail-type"]) == ("bookings", "BookingCreated")
    assert event["detail"] == announced_by_the_stream(confirmed())
    assert event["resources"] == ["zoom-request/6f1f4f0e_9c55_4f63"]


def test_a_canceled_booking_is_announced_as_canceled_under_its_revision_and_without_a_past(
    deployed: Deployed, subscriber: Subscriber
) -> None:
    deployed.put(canceled(revision=7))

    bookings("announce", canceled().booking_id, "--stack", STACK_NAME)

    [event] = subscriber.received()
    assert event["detail-type"] == "BookingCanceled"
    assert event["detail"]["metadata"]["revision"] == 7
    assert event["detail"]["booking"]["status"] == "canceled"
    assert event["detail"]["previous"] is None


def test_announced_twice_it_is_a_duplicate_to_the_letter(deployed: Deployed, subscriber: Subscriber) -> None:
    deployed.put(canceled())
    for _ in range(2):
        bookings("announce", canceled().booking_id, "--stack", STACK_NAME)

    first, second = subscriber.received()
    assert first["detail"] == second["detail"]


@pytest.mark.parametrize("shared", [True, False])
def test_access_links_are_shared_as_the_stack_is_set(
    deployed: Deployed, subscriber: Subscriber, shared: bool
) -> None:
    if shared:
        deployed.update(ShareAccessLinks="true")
    deployed.put(confirmed())

    bookings("announce", confirmed().booking_id, "--stack", STACK_NAME)

    [event] = subscriber.received()
    assert ("manage_url" in event["detail"]["booking"]) is shared


def test_all_bookings_are_announced_but_those_expired_or_erased(
    deployed: Deployed, subscriber: Subscriber
) -> None:
    for name in ("ann", "bob"):
        deployed.put(confirmed(name))
    deployed.put(confirmed("expired"), expires_at=1)
    erased = confirmed("erased").booking_id
    deployed.put_item(build_tombstone(Tombstone(booking_id=erased, erased_at=5, revision=2)))

    result = bookings("announce", "--all", "--yes", "--stack", STACK_NAME, "--json")

    assert json.loads(result.stdout) == {"announced": 2, "not_announced": []}
    told = [event["detail"]["metadata"]["booking_id"] for event in subscriber.received()]
    assert told == sorted(confirmed(name).booking_id for name in ("ann", "bob"))


@pytest.mark.parametrize(
    ("since", "told"),
    [
        ("2026-11-20T09:12:03Z", ["BookingCanceled", "BookingCreated"]),
        ("2026-11-20T10:12:04+01:00", ["BookingCanceled", "BookingCreated"]),
        ("2026-11-20T09:12:05", ["BookingCanceled"]),
        ("2027-01-01", []),
    ],
)
def test_since_a_time_those_are_announced_whose_newest_event_is_of_then_or_later(
    deployed: Deployed, subscriber: Subscriber, since: str, told: list[str]
) -> None:
    deployed.put(confirmed("ann"))
    deployed.put(canceled("bob"))
    assert confirmed().public_fields()["updated_at"] == "2026-11-20T09:12:04Z"

    result = bookings("announce", "--updated-since", since, "--yes", "--stack", STACK_NAME)

    assert result.exit_code == 0, result.output
    assert sorted(event["detail-type"] for event in subscriber.received()) == told


def test_several_are_announced_only_if_that_is_confirmed(deployed: Deployed, subscriber: Subscriber) -> None:
    ids = [confirmed(name).booking_id for name in ("ann", "bob")]
    for name in ("ann", "bob"):
        deployed.put(confirmed(name))

    refused = bookings("announce", *ids, *ids, "--stack", STACK_NAME, stdin=b"n\n")
    assert refused.exit_code == 1
    assert "Announce 2 bookings of stack bookings-dev to every subscriber?" in refused.output
    assert subscriber.received() == []

    assert bookings("announce", *ids, *ids, "--stack", STACK_NAME, stdin=b"y\n").exit_code == 0
    assert len(subscriber.received()) == 2

    as_json = bookings("announce", *ids, "--stack", STACK_NAME, "--json")
    assert as_json.exit_code == 2
    assert "--yes" in as_json.stderr
    assert subscriber.received() == []


@pytest.mark.parametrize("which", ["unknown", "expired", "erased"])
def test_without_one_of_the_bookings_asked_for_none_is_announced(
    deployed: Deployed, subscriber: Subscriber, which: str
) -> None:
    deployed.put(confirmed())
    other = confirmed(which)
    if which == "expired":
        deployed.put(other, expires_at=1)
    if which == "erased":
        tombstone = Tombstone(booking_id=other.booking_id, erased_at=1_795_300_000_000, revision=2)
        deployed.put_item(build_tombstone(tombstone))

    result = bookings("announce", confirmed().booking_id, other.booking_id, "--yes", "--stack", STACK_NAME)

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: Booking {other.booking_id} was erased (2026-11-21T22:26:40Z).\n"
        if which == "erased"
        else f"Error: There is no booking {other.booking_id} in stack {STACK_NAME}.\n"
    )
    assert subscriber.received() == []


@pytest.mark.parametrize(
    "which", [[], ["--all", "a-0"], ["--all", "--updated-since", "1d"], ["a-0", "--updated-since", "1d"]]
)
def test_what_to_announce_is_said_in_one_way(which: list[str]) -> None:
    result = bookings("announce", *which, "--yes", "--stack", STACK_NAME)
    assert result.exit_code == 2
    assert result.stderr == "Error: Say which: BOOKING_ID..., --all or --updated-since TIME.\n"


def test_what_is_no_time_is_a_wrong_call() -> None:
    result = bookings("announce", "--updated-since", "lately", "--stack", STACK_NAME)
    assert result.exit_code == 2
    assert "--updated-since is a span before now" in result.stderr


def test_a_bus_that_refuses_ends_it_with_1_and_says_which_and_why(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed.put(confirmed())
    bus = InMemoryBus()
    bus.trouble = DENIED
    monkeypatch.setattr(announce_module, "_bus", lambda _: bus)
    arguments = ("announce", confirmed().booking_id, "--stack", STACK_NAME)

    told = bookings(*arguments)
    assert told.exit_code == 1
    assert told.stdout.splitlines() == [
        f"{confirmed().booking_id}: not announced, fake: AccessDeniedException",
        "Announced 0 bookings, 1 not: call this again, as it changes nothing to do so twice.",
    ]
    as_json = bookings(*arguments, "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout) == {
        "announced": 0,
        "not_announced": [{"booking_id": confirmed().booking_id, "reason": "fake: AccessDeniedException"}],
    }


# ── the bus in trouble ────────────────────────────────────────────────────────────────────────────────────


def announcements(number: int) -> list[Announcement]:
    made = []
    for index in range(number):
        snapshot = parse_change({"dynamodb": {"NewImage": build_item(confirmed(f"{index}"), None)}}).after
        assert snapshot
        envelope = domain_event(None, snapshot, share_access_links=False)
        assert envelope
        made.append(Announcement(booking_id=snapshot.booking_id, envelope=envelope))
    return made


# failure matrix: 12
def test_what_the_bus_failed_is_tried_again_and_nothing_else(pauses: list[float]) -> None:
    first, second, third = announcements(3)
    bus = InMemoryBus()
    bus.next = [None, DENIED, None, DENIED, None]

    result = publish(bus, [first, second, third])

    assert (result.taken, result.not_announced) == (3, [])
    assert bus.published == [each.envelope for each in (first, third, second)]
    assert pauses == [1, 2]


def test_an_event_that_the_bus_refuses_for_itself_holds_up_no_other(pauses: list[float]) -> None:
    first, second, third = announcements(3)
    bus = InMemoryBus()
    bus.refuses = lambda envelope: RefusedByService("no") if envelope is second.envelope else None

    result = publish(bus, [first, second, third])

    assert (result.taken, result.not_announced) == (2, [(second.booking_id, "no")])
    assert pauses == []


def test_a_bus_that_is_down_is_not_asked_for_the_rest(pauses: list[float]) -> None:
    many = announcements(201)
    bus = InMemoryBus()
    calls = 0

    def down(_: object) -> ServiceUnavailable | None:
        nonlocal calls
        calls += 1
        return ServiceUnavailable("down") if calls > 150 else None

    bus.refuses = down

    result = publish(bus, many)

    assert result.taken == 150
    assert [booking_id for booking_id, _ in result.not_announced] == [each.booking_id for each in many[150:]]
    assert {reason for _, reason in result.not_announced} == {"down"}
    assert pauses == [1, 2]
    assert calls == 200 + 50 + 50
