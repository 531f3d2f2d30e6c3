"""Follows a signed delivery through receiver, handler and item."""

import json
from typing import Any

from bookings.aws.table import build_item
from bookings.counts import Count
from bookings.domain.booking import Booking, Snapshot
from bookings.domain.events import domain_event
from bookings.use_cases.record import Recorder
from tests.fakes import InMemoryBookingStore, InMemoryQueue, check_entry
from tests.receiving import ReceiverUnderTest, problem_of


def assert_not_lost(body: bytes) -> list[str]:
    """Posts a signed body, and records the event if it was published. Returns the fields that a 400 names.

    Raises:
        AssertionError: the body is not where the contract says, or not as it was sent.
    """
    under_test = ReceiverUnderTest()
    answer = under_test.post(body)
    published = [event.detail.encode() for event in under_test.bus.published]
    assert under_test.queues.contents == []
    match answer.status, answer.log["outcome"]:
        case 200, "published":
            assert (published, under_test.quarantined) == ([body], [])
            assert (answer.body or "").encode() == body
            event = json.loads(body)
            if event["event"] in under_test.queues.queues:
                _record(under_test, event)
        case 400, "quarantined":
            assert (published, under_test.quarantined) == ([], [body])
            assert under_test.counts.all == {Count.QUARANTINED: 1}
            errors = problem_of(answer, 400)["errors"]
            assert errors
            assert all(error["message"] for error in errors)
            return [error["field"] for error in errors]
        case (204, "other_product") | (200, "challenge_answered") | (400, "challenge_refused"):
            assert (published, under_test.quarantined) == ([], [])
            assert not json.loads(body)["event"].startswith("scheduler.")
        case status, outcome:
            raise AssertionError(f"{status} {outcome}")
    return []


def _record(under_test: ReceiverUnderTest, event: dict[str, Any]) -> None:
    """Records the published event as its handler does: in the table, or else in quarantine."""
    store, quarantine = InMemoryBookingStore(), InMemoryQueue()
    recorder = Recorder(
        store=store, quarantine=quarantine, retention_days=0, clock=under_test.clock, count=under_test.counts
    )
    (envelope,) = under_test.bus.published
    message = envelope.to_message(account="1", region="r", time=under_test.clock.now())
    recorded = recorder.record(message)
    if recorded.outcome == Count.QUARANTINED:
        assert len(quarantine.messages) == 1
        return
    assert recorded.outcome == Count.BOOKING_WRITTEN
    booking = store.items[recorded.booking_id]
    assert isinstance(booking, Booking)
    ((kind, delivery),) = booking.deliveries.items()
    assert json.loads(delivery.body or b"") == event
    build_item(booking, None)
    snapshot = Snapshot(booking.public_fields(), 1, {kind: delivery.digest})
    announced = domain_event(None, snapshot, share_access_links=True)
    assert announced
    check_entry(announced)
