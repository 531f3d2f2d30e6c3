"""Announcing: nothing is lost while the bus is down, and no record holds up its shard."""

import json
from typing import Any

import pytest

from bookings.counts import Count
from bookings.domain.booking import Kind, Snapshot
from bookings.envelope import Envelope
from bookings.errors import RefusedByService, ServiceError, ServiceUnavailable
from bookings.use_cases.announce import Announced, Announcer
from bookings.use_cases.ports import Change, StreamRecord
from tests.fakes import DENIED, REFUSES, THROTTLED, InMemoryBus, InMemoryCounts, InMemoryQueue

DOWN = ServiceUnavailable("EventBridge: InternalFailure", answered=True)
REFUSED = RefusedByService("EventBridge: MalformedDetail")


class Shard:
    """An announcer with what surrounds it; a record's number is also its sequence number."""

    def __init__(self) -> None:
        self.bus = InMemoryBus()
        self.dlq = InMemoryQueue()
        self.counts = InMemoryCounts()
        self.announcer = Announcer(
            bus=self.bus,
            dead_letters=self.dlq,
            parse_change=change_in,
            share_access_links=False,
            count=self.counts,
        )

    def announce(self, *records: StreamRecord) -> Announced:
        return self.announcer.announce(records)

    @property
    def announced(self) -> list[str]:
        return [json.loads(event.detail)["metadata"]["booking_id"] for event in self.bus.published]


@pytest.fixture
def shard() -> Shard:
    return Shard()


def snapshot(number: int, **fields: Any) -> Snapshot:
    item = {
        "booking_id": f"booking-{number}",
        "event_id": f"evt-{number}",
        "status": "confirmed",
        "rescheduled": False,
        "updated_at": "2026-11-22T10:00:00Z",
    }
    return Snapshot(item | fields, 1, {Kind.CREATED: "c" * 64})


def record(number: int, change: Change | None = None) -> StreamRecord:
    """Returns a record in the shape of a stream's; `change_in` reads the change beside it."""
    return {
        "eventID": f"event-{number}",
        "dynamodb": {
            "Keys": {"booking_id": {"S": f"booking-{number}"}},
            "SequenceNumber": f"{number:03}",
            "SizeBytes": 100,
        },
        "change": change or Change(None, snapshot(number)),
    }


def unreadable(number: int) -> StreamRecord:
    return {**record(number), "change": None, "text": "whole"}


def change_in(stream_record: StreamRecord) -> Change:
    change = stream_record["change"]
    if not isinstance(change, Change):
        raise TypeError("canary")
    return change


def fails(*numbers: int, error: ServiceError = DOWN, times: int = 1000) -> Any:
    """Returns what makes the bus fail these bookings' events so many times each."""
    left = {f"booking-{number}": times for number in numbers}

    def refuse(envelope: Envelope) -> ServiceError | None:
        booking_id = json.loads(envelope.detail)["metadata"]["booking_id"]
        if left.get(booking_id, 0) > 0:
            left[booking_id] -= 1
            return error
        return None

    return refuse


def test_changes_are_published_in_order(shard: Shard) -> None:
    assert shard.announce(record(1), record(2), record(3)) == Announced()
    assert shard.announced == ["booking-1", "booking-2", "booking-3"]
    assert [event.detail_type for event in shard.bus.published] == ["BookingCreated"] * 3
    assert shard.counts.all == {Count.EVENT_ANNOUNCED: 3}


@pytest.mark.parametrize(
    "change",
    [
        Change(snapshot(1), None),
        Change(None, None),
        Change(snapshot(1), snapshot(1)),
        Change(snapshot(1, status="canceled"), snapshot(1, status="canceled", title="x")),
    ],
)
def test_a_change_without_news_is_not_published(shard: Shard, change: Change) -> None:
    assert shard.announce(record(1, change)) == Announced()
    assert shard.bus.published == []
    assert shard.counts.all == {}


# failure matrix: 27
def test_a_failed_event_is_sent_again_with_its_id(shard: Shard) -> None:
    attempts: list[Envelope] = []
    fail = fails(2, times=1)

    def watch(envelope: Envelope) -> ServiceError | None:
        attempts.append(envelope)
        error: ServiceError | None = fail(envelope)
        return error

    shard.bus.refuses = watch
    assert shard.announce(record(1), record(2), record(3)) == Announced()
    assert shard.announced == ["booking-1", "booking-3", "booking-2"]
    assert attempts[1] == attempts[3]
    assert shard.counts.all == {Count.EVENT_ANNOUNCED: 3}


# failure matrix: 12, 27
@pytest.mark.parametrize(
    ("numbers", "first"), [((2,), "002"), ((3, 2), "002"), ((4,), "004"), ((1, 4), "001")]
)
def test_the_stream_waits_at_the_first_failure(shard: Shard, numbers: tuple[int, ...], first: str) -> None:
    shard.bus.refuses = fails(*numbers)
    assert shard.announce(*(record(number) for number in range(1, 5))) == Announced(failed_from=first)
    assert shard.counts.all[Count.ANNOUNCEMENT_DELAYED] == 1
    assert shard.dlq.messages == []


# failure matrix: 12
def test_when_the_bus_is_back_the_batch_is_announced(shard: Shard) -> None:
    batch = [record(number) for number in range(1, 5)]
    shard.bus.trouble = DENIED
    assert shard.announce(*batch).failed_from == "001"
    shard.bus.trouble = None
    assert shard.announce(*batch) == Announced()
    assert shard.announced == [f"booking-{number}" for number in range(1, 5)]


# failure matrix: 26
def test_a_refused_event_is_in_the_dlq_and_the_shard_goes_on(
    shard: Shard,
) -> None:
    shard.bus.refuses = fails(2, error=REFUSED)
    change = Change(None, snapshot(2, title="Zoë 🚗", request_id="request-2"))
    assert shard.announce(record(1), record(2, change), record(3)) == Announced(
        refused=[("booking-2", "refused_by_bus")]
    )
    assert shard.announced == ["booking-1", "booking-3"]
    (letter,) = shard.dlq.contents
    assert (letter["reason"], letter["error"]) == ("refused_by_bus", "EventBridge: MalformedDetail")
    assert letter["booking_id"] == "booking-2"
    event = letter["event"]
    assert (event["source"], event["detail-type"]) == ("bookings", "BookingCreated")
    assert event["resources"] == ["zoom-request/request-2"]
    assert event["detail"]["booking"] == change.after.fields if change.after else None
    assert shard.counts.all == {Count.EVENT_ANNOUNCED: 2, Count.EVENT_REFUSED: 1}


# failure matrix: 26
def test_an_unreadable_record_is_in_the_dlq_whole(shard: Shard) -> None:
    assert shard.announce(record(1), unreadable(2), record(3)) == Announced(
        refused=[("booking-2", "unreadable_record")]
    )
    assert shard.announced == ["booking-1", "booking-3"]
    (letter,) = shard.dlq.contents
    assert (letter["reason"], letter["error"]) == ("unreadable_record", "TypeError")
    assert letter["record"] == unreadable(2)
    assert shard.counts.all == {Count.EVENT_ANNOUNCED: 2, Count.EVENT_REFUSED: 1}


def test_a_record_of_no_shape_is_in_the_dlq(shard: Shard) -> None:
    assert shard.announce({"change": None}).refused == [("unknown", "unreadable_record")]
    assert len(shard.dlq.messages) == 1


def test_a_snapshot_without_an_event_is_in_the_dlq(shard: Shard) -> None:
    broken = Change(None, Snapshot({"booking_id": "booking-1"}, 1, {}))
    assert shard.announce(record(1, broken), record(2)).refused == [("booking-1", "unreadable_record")]
    assert shard.announced == ["booking-2"]


# failure matrix: 26
def test_an_event_too_large_for_the_dlq_leaves_its_booking(shard: Shard) -> None:
    shard.bus.refuses = fails(1, error=REFUSED)
    change = Change(None, snapshot(1, title="x" * 1_100_000))
    assert shard.announce(record(1, change)).refused == [("booking-1", "refused_by_bus")]
    assert shard.dlq.contents == [
        {"reason": "refused_by_bus", "error": "EventBridge: MalformedDetail", "booking_id": "booking-1"}
    ]


# failure matrix: 26
@pytest.mark.parametrize("trouble", [DENIED, THROTTLED, REFUSES])
def test_without_the_dlq_a_refused_event_holds_the_shard(shard: Shard, trouble: Any) -> None:
    shard.bus.refuses = fails(2, error=REFUSED)
    shard.dlq.trouble = trouble
    assert shard.announce(record(1), record(2), record(3)) == Announced(failed_from="002")
    assert shard.announced == ["booking-1", "booking-3"]
    assert shard.counts.all == {Count.EVENT_ANNOUNCED: 2, Count.ANNOUNCEMENT_DELAYED: 1}


# failure matrix: 26
def test_without_the_dlq_an_unreadable_record_holds_the_shard(
    shard: Shard,
) -> None:
    shard.dlq.trouble = DENIED
    assert shard.announce(record(1), unreadable(2), record(3)) == Announced(failed_from="002")
    assert shard.announced == ["booking-1"]
    assert shard.counts.all == {Count.EVENT_ANNOUNCED: 1, Count.ANNOUNCEMENT_DELAYED: 1}


def test_the_earlier_of_two_failures_counts(shard: Shard) -> None:
    shard.dlq.trouble = DENIED
    shard.bus.refuses = fails(2)
    assert shard.announce(record(1), record(2), unreadable(3), record(4)).failed_from == "002"


def test_an_empty_batch_is_done(shard: Shard) -> None:
    assert shard.announce() == Announced()


# failure matrix: 43
def test_a_failed_record_is_not_in_the_log(shard: Shard) -> None:
    announced = shard.announce(unreadable(1))
    assert "canary" not in repr(announced)
    assert "canary" not in shard.dlq.messages[0]
