"""Recording: compare-and-swap until it holds, what is not written and why, what does not fit."""

import base64
import json
import random
from dataclasses import replace
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.counts import Count
from bookings.domain.booking import Booking, Kind, Status, Tombstone, merge
from bookings.envelope import MalformedEnvelope
from bookings.errors import RefusedByService, ServiceError, ServiceUnavailable
from bookings.limits import WRITE_ATTEMPTS
from bookings.use_cases.record import Recorded, Recorder
from bookings.zoom.delivery import NoEventId
from bookings.zoom.events import InvalidEvent, UnknownEvent
from tests.fakes import (
    DENIED,
    THROTTLED,
    UNREACHABLE,
    InMemoryBookingStore,
    InMemoryCounts,
    InMemoryQueue,
    Trouble,
    VirtualClock,
)
from tests.samples import MORNING_MS, REQUEST_ID, canceled, created, delivery, message

T = MORNING_MS
DAY_MS = 86_400_000
BOOKING_ID = "evt-1-5ac5a5633d9fabf4"


class Table:
    """A recorder with what surrounds it."""

    def __init__(self, retention_days: int = 0) -> None:
        self.clock = VirtualClock()
        self.counts = InMemoryCounts()
        self.store = InMemoryBookingStore()
        self.quarantine = InMemoryQueue(self.clock)
        self.recorder = Recorder(
            store=self.store,
            quarantine=self.quarantine,
            retention_days=retention_days,
            clock=self.clock,
            count=self.counts,
        )

    def record(self, body: Any, **how: Any) -> Recorded:
        return self.recorder.record(message(body, **how))


@pytest.fixture
def table() -> Table:
    return Table()


def test_a_first_delivery_is_written_blindly_as_revision_one(table: Table) -> None:
    assert table.record(created()) == Recorded(Count.BOOKING_WRITTEN, BOOKING_ID, REQUEST_ID)
    assert table.store.only == replace(merge(None, delivery(created(), REQUEST_ID)), revision=1)
    assert table.store.expiries == {BOOKING_ID: None}
    assert table.store.attempts == 1
    assert table.counts.all == {Count.BOOKING_WRITTEN: 1}


# failure matrix: 23
def test_a_later_delivery_is_merged_with_what_the_refused_write_gave_back(table: Table) -> None:
    table.record(created(T))
    table.record(canceled(T + 1))
    booking = table.store.only
    assert (booking.status, booking.revision) == (Status.CANCELED, 2)
    assert set(booking.deliveries) == {Kind.CREATED, Kind.CANCELED}
    assert table.store.attempts == 3
    assert table.counts.all == {Count.BOOKING_WRITTEN: 2}


# failure matrix: 1, 16, 20
def test_a_delivery_that_is_already_merged_is_a_duplicate_and_not_written(table: Table) -> None:
    table.record(created())
    again = table.record(created(), request_id="another-request")
    assert again == Recorded(Count.DUPLICATE, BOOKING_ID, "another-request")
    assert table.store.writes == 1
    assert table.counts.all == {Count.BOOKING_WRITTEN: 1, Count.DUPLICATE: 1}


# failure matrix: 6
@pytest.mark.parametrize("make", [created, canceled])
def test_a_delivery_older_than_what_is_kept_is_superseded(table: Table, make: Any) -> None:
    table.record(make(T + 1))
    assert table.record(make(T)).outcome is Count.SUPERSEDED
    assert table.store.writes == 1
    assert table.counts.all == {Count.BOOKING_WRITTEN: 1, Count.SUPERSEDED: 1}


# failure matrix: 7
def test_of_two_bodies_of_one_time_the_same_wins_and_each_time_it_is_a_conflict() -> None:
    bodies = [created(summary="One"), created(summary="Other")]
    low, high = sorted(bodies, key=lambda body: delivery(body).event.digest)
    rising, falling = Table(), Table()
    for body in (low, high):
        rising.record(body)
    for body in (high, low):
        falling.record(body)
    assert rising.store.only.details == falling.store.only.details
    assert rising.store.only.details.title == high["payload"]["object"]["scheduled_event"]["summary"]
    assert rising.counts.all == {Count.BOOKING_WRITTEN: 2, Count.CONFLICT: 1}
    assert falling.counts.all == {Count.BOOKING_WRITTEN: 1, Count.CONFLICT: 1}


def test_created_and_canceled_of_one_time_are_no_conflict(table: Table) -> None:
    table.record(created(T))
    table.record(canceled(T))
    assert Count.CONFLICT not in table.counts.all


# failure matrix: 4, 52
def test_a_late_created_leaves_a_canceled_booking_canceled(table: Table) -> None:
    table.record(canceled(T + 1))
    assert table.record(created(T)).outcome is Count.BOOKING_WRITTEN
    assert table.store.only.status is Status.CANCELED


# failure matrix: 45
def test_a_delivery_from_a_dlq_days_later_is_placed_by_its_event_time(table: Table) -> None:
    table.record(canceled(T + 2))
    table.record(created(T + 3))
    table.clock.advance(13 * 86_400)
    assert table.record(created(T + 1)).outcome is Count.SUPERSEDED
    assert table.record(canceled(T + 4)).outcome is Count.BOOKING_WRITTEN
    assert table.store.only.status is Status.CANCELED


# -- Compare-and-swap -------------------------------------------------------------------------------------


def another_writer(*bodies: dict[str, Any]) -> Any:
    """Returns a hook by which another recorder writes one delivery before each of our own writes."""
    waiting = list(bodies)

    def write(store: InMemoryBookingStore) -> None:
        if waiting:
            hook, store.before_save = store.before_save, lambda _store: None
            other = Table()
            other.recorder._store = store
            other.record(waiting.pop(0))
            store.before_save = hook

    return write


# failure matrix: 17, 23
def test_a_write_that_lost_is_merged_with_the_winner_and_tried_again(table: Table) -> None:
    table.record(created(T))
    table.store.before_save = another_writer(created(T + 1, summary="Theirs"), canceled(T + 3))
    assert table.record(canceled(T + 2)).outcome is Count.SUPERSEDED
    booking = table.store.only
    assert booking.details.title == "Theirs"
    assert booking.deliveries[Kind.CANCELED].event_time == T + 3
    assert booking.revision == 3
    assert table.counts.all[Count.CONTENTION] == 1


# failure matrix: 17
def test_two_handlers_on_one_message_write_it_once(table: Table) -> None:
    table.store.before_save = another_writer(created(T))
    assert table.record(created(T)).outcome is Count.DUPLICATE
    assert table.store.writes == 1
    assert table.store.only.revision == 1


# failure matrix: 23
def test_the_tries_are_bounded_and_then_the_delivery_comes_back(table: Table) -> None:
    table.store.before_save = another_writer(*(canceled(T + at) for at in range(1, 9)))
    with pytest.raises(ServiceUnavailable, match="written by others") as given_up:
        table.record(created(T))
    assert given_up.value.answered
    assert table.counts.all == {Count.CONTENTION: WRITE_ATTEMPTS - 1}
    table.store.before_save = lambda _store: None
    assert table.record(created(T)).outcome is Count.BOOKING_WRITTEN


def test_a_delivery_that_wins_its_last_try_is_recorded(table: Table) -> None:
    table.store.before_save = another_writer(*(canceled(T + at) for at in range(1, WRITE_ATTEMPTS)))
    assert table.record(created(T)).outcome is Count.BOOKING_WRITTEN
    assert set(table.store.only.deliveries) == {Kind.CREATED, Kind.CANCELED}


# failure matrix: 24
@pytest.mark.parametrize("before", [[], [created(T)]])
def test_a_write_whose_answer_was_lost_is_found_as_merged(table: Table, before: list[dict[str, Any]]) -> None:
    for body in before:
        table.record(body)
        table.store.next = [None]  # the read
    table.store.next.append(replace(UNREACHABLE, took_it=True))
    with pytest.raises(ServiceUnavailable):
        table.record(canceled(T + 1))
    revision = table.store.only.revision
    assert table.record(canceled(T + 1)).outcome is Count.DUPLICATE
    assert table.store.only.revision == revision == len(before) + 1


def test_an_item_that_was_deleted_in_between_is_written_anew(table: Table) -> None:
    table.record(created(T))

    def delete_before_the_second(store: InMemoryBookingStore) -> None:
        if store.attempts == 3:
            store.items.clear()

    table.store.before_save = delete_before_the_second
    assert table.record(canceled(T + 1)).outcome is Count.BOOKING_WRITTEN
    assert set(table.store.only.deliveries) == {Kind.CANCELED}
    assert table.store.only.revision == 1


# failure matrix: 22, 47
@pytest.mark.parametrize("trouble", [THROTTLED, DENIED, UNREACHABLE])
def test_while_the_table_is_down_the_delivery_comes_back(table: Table, trouble: Trouble) -> None:
    table.store.next = [trouble]
    with pytest.raises(ServiceUnavailable):
        table.record(created())
    assert table.store.items == {}
    assert table.counts.all == {}
    assert table.record(created()).outcome is Count.BOOKING_WRITTEN


# failure matrix: 44
@given(
    st.lists(
        st.tuples(st.sampled_from([created, canceled]), st.integers(0, 5), st.booleans()),
        min_size=1,
        max_size=8,
    ),
    st.randoms(),
)
def test_a_history_in_any_order_with_duplicates_ends_in_the_same_item(
    history: list[tuple[Any, int, bool]], chance: random.Random
) -> None:
    bodies = [make(T + at * 30_000, rescheduled=rescheduled) for make, at, rescheduled in history]
    expected: Booking | None = reduce(merge, map(delivery, bodies), None)
    table = Table()
    again = bodies + bodies[:3]
    chance.shuffle(again)
    for body in again:
        table.record(body, request_id=None)
    assert replace(table.store.only, revision=0) == expected
    writes = table.store.writes
    for body in again:
        table.record(body)
    assert table.store.writes == writes == table.store.only.revision


# -- Erasure and retention --------------------------------------------------------------------------------


def erased(at: int) -> Tombstone:
    return Tombstone(booking_id=BOOKING_ID, erased_at=at, revision=7)


# failure matrix: 52
@pytest.mark.parametrize("at", [T - 1, T])
def test_a_delivery_of_an_erased_booking_is_dropped_and_counted(table: Table, at: int) -> None:
    table.store.items[BOOKING_ID] = erased(T)
    assert table.record(created(at)).outcome is Count.ERASED
    assert table.store.items == {BOOKING_ID: erased(T)}
    assert table.counts.all == {Count.ERASED: 1}


def test_a_delivery_newer_than_the_erasure_is_a_new_booking(table: Table) -> None:
    table.store.items[BOOKING_ID] = erased(T)
    assert table.record(created(T + 1)).outcome is Count.BOOKING_WRITTEN
    fresh = merge(None, delivery(created(T + 1), REQUEST_ID))
    assert table.store.only == replace(fresh, revision=8, erased_until=T)


# failure matrix: 52
@pytest.mark.parametrize("at", [T - 1, T])
def test_what_was_erased_stays_away_after_a_newer_delivery_has_made_the_booking_anew(
    table: Table, at: int
) -> None:
    table.store.items[BOOKING_ID] = erased(T)
    table.record(created(T + 1, guests=[]))
    table.record(created(T + 2, guests=[]))
    anew = table.store.only
    assert table.record(canceled(at)).outcome is Count.ERASED
    assert table.record(canceled(at, rescheduled=True)).outcome is Count.ERASED
    assert table.store.only == anew
    assert table.record(canceled(T + 3)).outcome is Count.BOOKING_WRITTEN
    assert (table.store.only.status, table.store.only.erased_until) == (Status.CANCELED, T)


def test_when_a_booking_was_erased_before_is_not_for_subscribers(table: Table) -> None:
    table.store.items[BOOKING_ID] = erased(T)
    table.record(created(T + 1))
    assert "erased_until" not in table.store.only.public_fields()


# failure matrix: 52
def test_a_delivery_past_its_retention_is_counted_and_not_written() -> None:
    table = Table(retention_days=30)
    past = created(T - 31 * DAY_MS, end_date_time="2026-10-23T12:00:00Z")
    assert table.record(past).outcome is Count.PAST_RETENTION
    assert table.store.writes == 0
    assert table.counts.all == {Count.PAST_RETENTION: 1}
    # A second later and it would not be past.
    assert table.record(created(T - 31 * DAY_MS, end_date_time="2026-10-23T12:00:01Z")).outcome is (
        Count.BOOKING_WRITTEN
    )


def test_a_late_canceled_that_tells_no_end_cancels_a_booking_that_is_not_past_its_retention() -> None:
    table = Table(retention_days=30)
    table.record(created(T - 40 * DAY_MS))  # ends on 2026-11-25, after the canceled has come
    late = canceled(T - 31 * DAY_MS, end_date_time="")
    assert table.record(late).outcome is Count.BOOKING_WRITTEN
    assert table.store.only.status is Status.CANCELED


# failure matrix: 52
def test_a_delivery_past_its_retention_does_not_renew_a_booking_that_is_past_it_too() -> None:
    table = Table(retention_days=30)
    past = delivery(created(T - 60 * DAY_MS, end_date_time="2026-10-01T12:00:00Z"))
    expired = replace(merge(None, past), revision=4)  # not deleted yet
    table.store.items[BOOKING_ID] = expired
    assert table.record(canceled(T - 31 * DAY_MS, end_date_time="")).outcome is Count.PAST_RETENTION
    assert table.store.only is expired


# failure matrix: 22, 47
@pytest.mark.parametrize("trouble", [THROTTLED, DENIED, UNREACHABLE])
def test_a_delivery_past_its_retention_comes_back_while_its_booking_cannot_be_read(trouble: Trouble) -> None:
    table = Table(retention_days=30)
    table.record(created(T - 40 * DAY_MS))
    table.store.next = [trouble]
    late = canceled(T - 31 * DAY_MS, end_date_time="")
    with pytest.raises(ServiceUnavailable):
        table.record(late)
    assert table.counts.all == {Count.BOOKING_WRITTEN: 1}
    assert table.record(late).outcome is Count.BOOKING_WRITTEN


def test_a_booking_expires_with_its_retention_after_the_later_of_end_and_last_event() -> None:
    table = Table(retention_days=30)
    table.record(created(T))
    end = 1_795_624_200  # 2026-11-25T16:30:00Z
    assert table.store.expiries == {BOOKING_ID: end + 30 * 86_400}
    table.record(canceled(T + 5 * DAY_MS))
    assert table.store.expiries == {BOOKING_ID: (T + 5 * DAY_MS) // 1000 + 30 * 86_400}


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "never", ""])
def test_with_a_retention_an_end_at_the_ends_of_time_is_recorded(end: str) -> None:
    table = Table(retention_days=3650)
    assert table.record(created(T, end_date_time=end)).outcome is Count.BOOKING_WRITTEN


# -- Size -------------------------------------------------------------------------------------------------


# failure matrix: 51
def test_bodies_given_up_for_size_are_counted_and_told(table: Table) -> None:
    table.store.given_up = 2
    recorded = table.record(created())
    assert recorded == Recorded(Count.BOOKING_WRITTEN, BOOKING_ID, REQUEST_ID, bodies_given_up=2)
    assert table.counts.all == {Count.BOOKING_WRITTEN: 1, Count.BODY_GIVEN_UP: 2}


# failure matrix: 51
def test_a_booking_that_does_not_fit_is_in_quarantine_whole(table: Table) -> None:
    table.store.fits = False
    body = created(summary="Zoë 🚗")
    assert table.record(body) == Recorded(Count.QUARANTINED, BOOKING_ID, REQUEST_ID)
    (kept,) = table.quarantine.contents
    assert json.loads(base64.b64decode(kept["body_base64"])) == body
    assert (kept["reason"], kept["request_id"]) == ("too_large", REQUEST_ID)
    assert kept["received_at"] == "2026-11-22T12:00:00Z"
    assert [error["field"] for error in kept["errors"]] == [""]
    assert table.store.items == {}
    assert table.counts.all == {Count.QUARANTINED: 1}


@pytest.mark.parametrize("trouble", [DENIED, Trouble(RefusedByService("fake"))])
def test_a_booking_that_neither_table_nor_quarantine_takes_comes_back(table: Table, trouble: Trouble) -> None:
    table.store.fits = False
    table.quarantine.trouble = trouble
    with pytest.raises(ServiceError):
        table.record(created())
    assert table.counts.all == {}


# -- Messages that are no delivery ------------------------------------------------------------------------


# failure matrix: 20, 21
@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("hello", MalformedEnvelope),
        ('{"source": "zoom.scheduler"}', MalformedEnvelope),
        (message({"event": "scheduler.other"}), UnknownEvent),
        (message({}), InvalidEvent),
        (message(created() | {"event_ts": "now"}), InvalidEvent),
        (message(created(event_id="")), NoEventId),
    ],
)
def test_a_message_that_is_no_delivery_is_refused_by_itself(
    table: Table, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        table.recorder.record(text)
    assert table.store.attempts == 0
    assert table.quarantine.messages == []


def test_a_test_booking_is_recorded_like_any_other(table: Table) -> None:
    body = created(event_id="bookings-check-1")
    assert table.record(body, source="zoom.scheduler.check").outcome is Count.BOOKING_WRITTEN
