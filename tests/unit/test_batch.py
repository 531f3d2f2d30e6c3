"""The batch: exactly the bad records come again, each at its time, and nothing stops the others."""

from collections.abc import Callable
from typing import Any

import pytest

from bookings.batch import RecordBatch, delay_seconds
from bookings.counts import Count
from bookings.domain.booking import Booking
from bookings.errors import RefusedByService, ServiceUnavailable
from bookings.limits import FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, RESERVED_SECONDS
from bookings.use_cases.record import Recorder
from tests.fakes import (
    DENIED,
    InMemoryBookingStore,
    InMemoryCounts,
    InMemoryQueue,
    InMemoryRedelivery,
    Trouble,
    VirtualClock,
)
from tests.printed import Printed
from tests.samples import MORNING_MS, REQUEST_ID, canceled, created, message

pytestmark = pytest.mark.usefixtures("printed")

MAX_RECEIVE_COUNT = 10


class Handler:
    """A handler's batch with what surrounds it."""

    def __init__(self) -> None:
        self.counts = InMemoryCounts()
        self.store = InMemoryBookingStore()
        self.redelivery = InMemoryRedelivery()
        self.batch = RecordBatch(
            recorder=Recorder(
                store=self.store,
                quarantine=InMemoryQueue(),
                retention_days=0,
                clock=VirtualClock(),
                count=self.counts,
            ),
            redelivery=self.redelivery,
            count=self.counts,
        )

    def process(
        self, records: list[dict[str, Any]], remaining_ms: Callable[[], int] = lambda: 10_000
    ) -> list[str]:
        """Returns the ids of the messages that must come again."""
        response = self.batch.process({"Records": records}, remaining_ms)
        assert response.keys() == {"batchItemFailures"}
        failures: list[Any] = response["batchItemFailures"]
        return [failure["itemIdentifier"] for failure in failures]


@pytest.fixture
def handler() -> Handler:
    return Handler()


def record(number: int, body: Any = None, *, receives: int = 1) -> dict[str, Any]:
    """Returns a record of a queue as Lambda hands it over; a body that is text stays as it is."""
    text = body if isinstance(body, str) else message(body or created(event_id=f"evt-{number}"))
    return {
        "messageId": f"message-{number}",
        "receiptHandle": f"handle-{number}",
        "body": text,
        "attributes": {
            "ApproximateReceiveCount": str(receives),
            "SentTimestamp": "1795341600000",
            "SenderId": "AIDA",
            "ApproximateFirstReceiveTimestamp": "1795341600001",
        },
        "messageAttributes": {},
        "md5OfBody": "00000000000000000000000000000000",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:BookingCreatedQueue",
        "awsRegion": "us-east-1",
    }


def test_each_record_of_a_batch_is_recorded_and_logged(handler: Handler, printed: Printed) -> None:
    assert handler.process([record(1), record(2)]) == []
    assert len(handler.store.items) == 2
    first, second = printed.logs("recorded")
    assert (first["level"], first["outcome"]) == ("INFO", "BookingWritten")
    assert first["zoom_request_id"] == REQUEST_ID
    assert first["booking_id"].startswith("evt-1-")
    assert second["booking_id"].startswith("evt-2-")
    assert handler.counts.all == {Count.BOOKING_WRITTEN: 2}


# failure matrix: 18
def test_of_any_pattern_of_bad_messages_exactly_the_bad_ones_come_again() -> None:
    good = {number: record(number) for number in range(10)}
    bad = {number: record(number, "no event") for number in range(10)}
    for pattern in range(1024):
        handler = Handler()
        is_bad = [bool(pattern >> number & 1) for number in range(10)]
        records = [(bad if is_bad[number] else good)[number] for number in range(10)]
        assert handler.process(records) == [f"message-{number}" for number in range(10) if is_bad[number]]
        recorded = {
            item.details.event_id for item in handler.store.items.values() if isinstance(item, Booking)
        }
        assert recorded == {f"evt-{number}" for number in range(10) if not is_bad[number]}, bin(pattern)


# failure matrix: 20, 21
@pytest.mark.parametrize(
    "body", ["hello", "{}", message({"event": "scheduler.other"}), message(created(event_id=""))]
)
def test_a_poison_message_fails_alone_and_is_not_delayed(handler: Handler, body: str) -> None:
    assert handler.process([record(1), record(2, body), record(3)]) == ["message-2"]
    assert len(handler.store.items) == 2
    assert handler.redelivery.delayed == []
    assert handler.counts.all[Count.RECORD_FAILED] == 1


# failure matrix: 15
def test_what_a_rule_could_not_send_is_recorded_once_it_is_redriven(handler: Handler) -> None:
    # EventBridge puts the event itself into the target's DLQ, and says beside it why.
    why = {
        "RULE_ARN": "arn:aws:events:us-east-1:123456789012:rule/bookings/BookingCreatedRule",
        "TARGET_ARN": "arn:aws:sqs:us-east-1:123456789012:BookingCreatedQueue",
        "ERROR_CODE": "NO_PERMISSIONS",
    }
    attributes = {name: {"stringValue": value, "dataType": "String"} for name, value in why.items()}
    assert handler.process([record(1) | {"messageAttributes": attributes}]) == []
    assert handler.store.only.revision == 1


# failure matrix: 43
@pytest.mark.parametrize(
    "body",
    ["canary", message(created(invitee_email=["canary"])), message({"event": "scheduler.canary"})],
)
def test_what_a_bad_message_holds_is_not_logged(handler: Handler, printed: Printed, body: str) -> None:
    handler.process([record(1, body)])
    (line,) = printed.logs()
    assert (line["level"], line["message"], line["message_id"]) == ("ERROR", "record failed", "message-1")
    assert {"error", "at"} <= line.keys()
    assert "canary" not in printed.text()


# failure matrix: 19
def test_a_bug_fails_its_record_and_no_other(handler: Handler, printed: Printed) -> None:
    def bug(store: InMemoryBookingStore) -> None:
        if store.attempts == 2:
            raise ZeroDivisionError

    handler.store.before_save = bug
    assert handler.process([record(1), record(2), record(3)]) == ["message-2"]
    assert handler.redelivery.delayed == []
    (line,) = printed.logs("record failed")
    assert line["error"] == "ZeroDivisionError"


# failure matrix: 22
def test_a_record_that_fails_because_a_service_is_down_comes_back_later_each_time(handler: Handler) -> None:
    handler.store.next = [DENIED, None, DENIED]
    records = [record(1, receives=1), record(2, receives=2), record(3, receives=9)]
    assert handler.process(records) == ["message-1", "message-3"]
    assert handler.redelivery.delayed == [("handle-1", 60), ("handle-3", 900)]


def test_a_record_that_the_table_refuses_for_itself_is_not_delayed(handler: Handler) -> None:
    handler.store.next = [Trouble(RefusedByService("DynamoDB: ValidationException"))]
    assert handler.process([record(1)]) == ["message-1"]
    assert handler.redelivery.delayed == []


# failure matrix: 22
def test_ten_receives_outlast_an_outage_of_an_hour() -> None:
    delays = [delay_seconds(receives) for receives in range(1, MAX_RECEIVE_COUNT + 1)]
    assert delays == [60, 120, 240, 480, 900, 900, 900, 900, 900, 900]
    assert (delays[0], delays[-1]) == (FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS)
    # The tenth receive comes after nine delays; one that fails then goes to the DLQ.
    assert sum(delays[: MAX_RECEIVE_COUNT - 1]) >= 3600
    assert delay_seconds(10**6) == 900


# failure matrix: 22
def test_an_outage_of_an_hour_leaves_nothing_in_the_dlq(handler: Handler) -> None:
    outage_seconds, now, receives = 3600, 0, 0
    while True:
        receives += 1
        assert receives <= MAX_RECEIVE_COUNT, "it went to the DLQ"
        handler.store.next = [DENIED] if now < outage_seconds else []
        if not handler.process([record(1, receives=receives)]):
            break
        now += handler.redelivery.delayed[-1][1]
    assert len(handler.store.items) == 1


def test_records_come_back_though_they_cannot_be_delayed(handler: Handler, printed: Printed) -> None:
    handler.store.next = [DENIED]
    handler.redelivery.error = ServiceUnavailable("SQS: RequestTimeout")
    assert handler.process([record(1), record(2)]) == ["message-1"]
    assert len(handler.store.items) == 1
    (line,) = printed.logs("redelivery not delayed")
    assert (line["level"], line["reason"]) == ("ERROR", "SQS: RequestTimeout")


# failure matrix: 25
def test_no_record_is_begun_that_might_not_be_finished_in_time(handler: Handler) -> None:
    reserved = int(RESERVED_SECONDS * 1000)
    left = [10_000, reserved, reserved - 1, 0]
    failed = handler.process([record(number) for number in range(4)], lambda: left.pop(0))
    assert failed == ["message-2", "message-3"]
    assert len(handler.store.items) == 2
    assert handler.redelivery.delayed == [("handle-2", 60), ("handle-3", 60)]


# failure matrix: 18
def test_a_batch_that_fails_as_a_whole_is_returned_and_raises_nothing(handler: Handler) -> None:
    handler.store.next = [DENIED] * 10
    records = [record(number) for number in range(10)]
    assert handler.process(records) == [f"message-{number}" for number in range(10)]
    assert len(handler.redelivery.delayed) == 10


def test_one_batch_leaves_nothing_behind_for_the_next(handler: Handler) -> None:
    handler.store.next = [DENIED]
    assert handler.process([record(1)]) == ["message-1"]
    assert handler.process([record(1), record(2)]) == []
    assert handler.redelivery.delayed == [("handle-1", 60)]


# failure matrix: 1
def test_created_and_canceled_and_a_duplicate_in_one_batch_end_in_one_booking(
    handler: Handler, printed: Printed
) -> None:
    bodies = [canceled(MORNING_MS + 1), created(MORNING_MS), created(MORNING_MS)]
    assert handler.process([record(number, body) for number, body in enumerate(bodies)]) == []
    assert handler.store.only.revision == 2
    outcomes = [line["outcome"] for line in printed.logs()]
    assert outcomes == ["BookingWritten", "BookingWritten", "Duplicate"]


# failure matrix: 51
def test_bodies_given_up_for_size_are_logged(handler: Handler, printed: Printed) -> None:
    handler.store.given_up = 1
    handler.process([record(1)])
    (line,) = printed.logs()
    assert line["bodies_given_up"] == 1
