"""The batch: exactly the bad records come again, each at its time, and the others are done."""

from collections.abc import Callable
from typing import Any

import pytest

from bookings.batch import RecordBatch, delay_seconds
from bookings.counts import Count
from bookings.errors import RefusedByService, ServiceUnavailable
from bookings.limits import MAX_RECEIVES, RESERVED_SECONDS
from bookings.use_cases.record import Recorder
from tests import fakes
from tests.fakes import DENIED, InMemoryBookingStore, Trouble
from tests.printed import Printed
from tests.samples import MORNING_MS, REQUEST_ID, canceled, created, message

pytestmark = pytest.mark.usefixtures("printed")


class Handler:
    """A handler's batch over in-memory services."""

    def __init__(self) -> None:
        self.counts, self.store = fakes.InMemoryCounts(), InMemoryBookingStore()
        self.redelivery = fakes.InMemoryRedelivery()
        services: Any = {"store": self.store, "quarantine": fakes.InMemoryQueue(), "count": self.counts}
        recorder = Recorder(**services, retention_days=0, clock=fakes.VirtualClock())
        self.batch = RecordBatch(recorder=recorder, redelivery=self.redelivery, count=self.counts)

    def process(self, *records: Any, left_ms: Callable[[], int] = lambda: 10_000) -> list[str]:
        """Returns the ids of the messages that must come again."""
        response = self.batch.process({"Records": list(records)}, left_ms)
        assert response.keys() == {"batchItemFailures"}
        return [str(failure["itemIdentifier"]) for failure in response["batchItemFailures"]]


@pytest.fixture
def handler() -> Handler:
    return Handler()


def record(number: int, body: Any = None, *, receives: int = 1) -> dict[str, Any]:
    """Returns a record of a queue as Lambda passes it. A body that is text stays as it is."""
    return {
        "messageId": f"message-{number}",
        "receiptHandle": f"handle-{number}",
        "body": body if isinstance(body, str) else message(body or created(event_id=f"evt-{number}")),
        "attributes": {"ApproximateReceiveCount": str(receives)},
        # A rule's DLQ holds the event itself, and the reason in attributes.
        "messageAttributes": {"ERROR_CODE": {"stringValue": "NO_PERMISSIONS", "dataType": "String"}},
        "eventSource": "aws:sqs",
    }


# failure matrix: 15
def test_each_record_of_a_batch_is_recorded_and_logged(handler: Handler, printed: Printed) -> None:
    assert handler.process(record(1), record(2)) == []
    lines = printed.logs("recorded")
    assert [line["booking_id"][:6] for line in lines] == ["evt-1-", "evt-2-"]
    assert (lines[0]["level"], lines[0]["zoom_request_id"]) == ("INFO", REQUEST_ID)
    assert handler.counts.all == {Count.DELIVERY_RECEIVED: 2, Count.BOOKING_WRITTEN: 2}


# failure matrix: 18
def test_exactly_the_bad_messages_of_any_pattern_come_again() -> None:
    for pattern in (*range(0, 1024, 5), 1023):
        handler = Handler()
        bad = {at for at in range(10) if pattern >> at & 1}
        failed = handler.process(*(record(at, "no event" if at in bad else None) for at in range(10)))
        assert failed == [f"message-{at}" for at in sorted(bad)]
        recorded = {key[:5] for key in handler.store.items}
        assert recorded == {f"evt-{at}" for at in range(10) if at not in bad}, bin(pattern)


POISON = ({"event": "scheduler.canary"}, created(event_id=""), created(invitee_email=["canary"]))


# failure matrix: 20, 21, 43
@pytest.mark.parametrize("body", ["canary", "{}", *map(message, POISON)])
def test_poison_message_fails_alone_and_unseen(handler: Handler, printed: Printed, body: str) -> None:
    assert handler.process(record(1), record(2, body), record(3)) == ["message-2"]
    assert (len(handler.store.items), handler.redelivery.delayed) == (2, [])
    assert handler.counts.all[Count.RECORD_FAILED] == 1
    (line,) = printed.logs("record failed")
    assert line.keys() >= {"error", "at"}
    assert (line["level"], line["message_id"]) == ("ERROR", "message-2")
    assert "canary" not in printed.text()


# failure matrix: 19
def test_bug_fails_its_record_and_no_other(handler: Handler, printed: Printed) -> None:
    def bug(store: InMemoryBookingStore) -> None:
        if store.attempts == 2:
            raise ZeroDivisionError

    handler.store.before_save = bug
    assert handler.process(record(1), record(2), record(3)) == ["message-2"]
    assert printed.logs("record failed")[0]["error"] == "ZeroDivisionError"
    assert handler.redelivery.delayed == []


# failure matrix: 19, 20
@pytest.mark.parametrize("body", [None, "no event"], ids=["table down", "poison"])
def test_a_failure_at_the_last_receive_is_given_up(handler: Handler, body: str | None) -> None:
    for receives in (MAX_RECEIVES - 1, MAX_RECEIVES, MAX_RECEIVES + 1):
        handler.store.next = [] if body else [DENIED]
        assert handler.process(record(1, body, receives=receives)) == ["message-1"]
    assert (handler.counts.all[Count.RECORD_FAILED], handler.counts.all[Count.RECORD_GIVEN_UP]) == (3, 2)


# failure matrix: 18, 22
def test_record_comes_back_later_while_a_service_is_down(handler: Handler) -> None:
    handler.store.next = [DENIED, Trouble(RefusedByService("DynamoDB: ValidationException")), DENIED]
    records = [record(1, receives=1), record(2, receives=2), record(3, receives=9)]
    assert handler.process(*records) == ["message-1", "message-2", "message-3"]
    assert handler.redelivery.delayed == [("handle-1", 60), ("handle-3", 900)]
    assert handler.process(*records) == []  # nothing is left over from the last batch
    assert len(handler.redelivery.delayed) == 2


# failure matrix: 22
def test_ten_receives_outlast_an_outage_of_an_hour(handler: Handler) -> None:
    delays = [delay_seconds(receives) for receives in (*range(1, 11), 10**6)]
    assert delays == [60, 120, 240, 480, *[900] * 7]
    outage_seconds, now, receives = 3600, 0, 1
    handler.store.next = [DENIED]
    while handler.process(record(1, receives=receives)):
        now += handler.redelivery.delayed[-1][1]
        receives += 1
        handler.store.next = [DENIED] if now < outage_seconds else []
    assert receives <= MAX_RECEIVES
    assert len(handler.store.items) == 1


def test_record_comes_back_though_it_cannot_be_delayed(handler: Handler, printed: Printed) -> None:
    handler.store.next = [DENIED]
    handler.redelivery.error = ServiceUnavailable("SQS: RequestTimeout")
    assert handler.process(record(1), record(2)) == ["message-1"]
    (line,) = printed.logs("redelivery not delayed")
    assert line["reason"] == "SQS: RequestTimeout"


# failure matrix: 25
def test_no_record_is_begun_without_time_to_finish(handler: Handler) -> None:
    left = [10_000, int(RESERVED_SECONDS * 1000), int(RESERVED_SECONDS * 1000) - 1, 0]
    failed = handler.process(*map(record, range(4)), left_ms=lambda: left.pop(0))
    assert (failed, len(handler.store.items)) == (["message-2", "message-3"], 2)
    assert handler.redelivery.delayed == [("handle-2", 60), ("handle-3", 60)]


# failure matrix: 1, 51
def test_batch_about_one_booking_ends_in_one_item(handler: Handler, printed: Printed) -> None:
    handler.store.given_up = 1
    bodies = [canceled(MORNING_MS + 1), created(MORNING_MS), created(MORNING_MS)]
    assert handler.process(*(record(number, body) for number, body in enumerate(bodies))) == []
    assert handler.store.only.revision == 2
    outcomes = [(line["outcome"], line["bodies_given_up"]) for line in printed.logs()]
    assert outcomes == [("BookingWritten", 1), ("BookingWritten", 1), ("Duplicate", 0)]
