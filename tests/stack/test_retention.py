"""Bookings that may not be kept, or not any longer."""

from __future__ import annotations

import datetime
import time

import pytest

from bookings.aws.table import build_tombstone
from bookings.domain.booking import Tombstone, booking_id_of
from tests.stack.deliveries import EMAIL, MINUTE, NOON, canceled, created
from tests.stack.running import StackUnderTest

pytestmark = pytest.mark.xdist_group("stack")

DAY = 24 * 60 * MINUTE


def seconds(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text).timestamp())


def erase(stack: StackUnderTest, event_id: str, *, at: int, revision: int) -> None:
    """Leaves the tombstone of a booking, as `bookings erase` does."""
    tombstone = Tombstone(booking_id=booking_id_of(event_id, EMAIL), erased_at=at, revision=revision)
    stack.put_item(build_tombstone(tombstone))


def test_a_retention_sets_the_time_to_delete_to_the_later_of_end_and_last_event(
    stack: StackUnderTest, event_id: str
) -> None:
    now = int(time.time() * 1000)

    with stack.parameters(BookingRetentionDays="7"):
        stack.deliver(created(event_id, at=now, end_date_time="2099-01-02T00:00:00Z"))
        stack.deliver(created(f"{event_id}-past", at=now, end_date_time="2020-01-02T00:00:00Z"))

    assert stack.booking(event_id)["expires_at"] == seconds("2099-01-09T00:00:00Z")
    assert stack.booking(f"{event_id}-past")["expires_at"] == now // 1000 + 7 * 24 * 60 * 60
    (announced,) = stack.events(event_id)
    assert "expires_at" not in announced.booking


# failure matrix: 52
def test_a_delivery_past_its_retention_is_counted_and_not_written(
    stack: StackUnderTest, event_id: str
) -> None:
    old = int(time.time() * 1000) - 30 * DAY
    with stack.parameters(BookingRetentionDays="7"):
        outcome = stack.deliver(created(event_id, at=old, end_date_time="2020-01-02T00:00:00Z"))

    assert outcome == "PastRetention"
    assert stack.item(event_id) is None
    assert stack.events(event_id) == []


# failure matrix: 52
def test_an_erased_booking_is_not_brought_back_by_older_deliveries(
    stack: StackUnderTest, event_id: str
) -> None:
    stack.deliver(created(event_id))
    erase(stack, event_id, at=NOON + MINUTE, revision=2)
    tombstone = stack.booking(event_id)

    assert stack.deliver(created(event_id)) == "Erased"
    assert stack.deliver(canceled(event_id, at=NOON + MINUTE)) == "Erased"

    assert stack.booking(event_id) == tombstone
    assert [event.type for event in stack.events(event_id)] == ["BookingCreated"]


def test_a_booking_made_after_the_erasure_is_a_new_one(stack: StackUnderTest, event_id: str) -> None:
    erase(stack, event_id, at=NOON, revision=4)

    assert stack.deliver(created(event_id, at=NOON + MINUTE)) == "BookingWritten"

    assert stack.booking(event_id)["revision"] == 5
    assert [event.type for event in stack.events(event_id)] == ["BookingCreated"]
