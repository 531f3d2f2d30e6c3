"""Recording: conditional writes, deliveries that are not written, bookings that do not fit."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from bookings.counts import Count
from bookings.domain.booking import Booking, Kind, Status, Tombstone, booking_id_of, merge
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


def test_a_first_delivery_is_one_write(table: Table) -> None:
    assert table.record(created()) == Recorded(Count.BOOKING_WRITTEN, BOOKING_ID, REQUEST_ID)
    assert table.store.only == replace(merge(None, delivery(created(), REQUEST_ID)), revision=1)
    assert table.store.expiries == {BOOKING_ID: None}
    assert table.store.attempts == 1
    assert table.counts.all == {Count.BOOKING_WRITTEN: 1}


# failure matrix: 23
def test_a_refused_write_returns_the_booking_to_merge(table: Table) -> None:
    table.record(created(T))
    table.record(canceled(T + 1))
    booking = table.store.only
    assert (booking.status, booking.revision) == (Status.CANCELED, 2)
    assert set(booking.deliveries) == {Kind.CREATED, Kind.CANCELED}
    assert table.store.attempts == 3
    assert table.counts.all == {Count.BOOKING_WRITTEN: 2}


# failure matrix: 1, 16, 20
def test_a_duplicate_is_not_written(table: Table) -> None:
    table.record(created())
    again = table.record(created(), request_id="another-request")
    assert again == Recorded(Count.DUPLICATE, BOOKING_ID, "another-request")
    assert table.store.writes == 1
    assert table.counts.all == {Count.BOOKING_WRITTEN: 1, Count.DUPLICATE: 1}


# failure matrix: 6
@pytest.mark.parametrize("make", [created, canceled])
def test_an_older_delivery_is_superseded(table: Table, make: Any) -> None:
    table.record(make(T + 1))
    assert table.record(make(T)).outcome is Count.SUPERSEDED
    assert table.store.writes == 1
    assert table.counts.all == {Count.BOOKING_WRITTEN: 1, Count.SUPERSEDED: 1}


# failure matrix: 7
def test_two_bodies_of_one_time_are_a_conflict() -> None:
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
def test_late_created_does_not_resurrect_booking(table: Table) -> None:
    table.record(canceled(T + 1))
    assert table.record(created(T)).outcome is Count.BOOKING_WRITTEN
    assert table.store.only.status is Status.CANCELED


# failure matrix: 45
def test_a_redrive_days_later_is_merged_by_event_time(table: Table) -> None:
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
def test_a_lost_write_is_merged_again(table: Table) -> None:
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
def test_write_attempts_are_bounded(table: Table) -> None:
    table.store.before_save = another_writer(*(canceled(T + at) for at in range(1, 9)))
    with pytest.raises(ServiceUnavailable, match="written by others") as given_up:
        table.record(created(T))
    assert given_up.value.answered
    assert table.counts.all == {Count.CONTENTION: WRITE_ATTEMPTS - 1}
    table.store.before_save = lambda _store: None
    assert table.record(created(T)).outcome is Count.BOOKING_WRITTEN


def test_the_last_attempt_may_succeed(table: Table) -> None:
    table.store.before_save = another_writer(*(canceled(T + at) for at in range(1, WRITE_ATTEMPTS)))
    assert table.record(created(T)).outcome is Count.BOOKING_WRITTEN
    assert set(table.store.only.deliveries) == {Kind.CREATED, Kind.CANCELED}


# failure matrix: 24
@pytest.mark.parametrize("before", [[], [created(T)]])
def test_a_write_with_a_lost_answer_is_a_duplicate_later(table: Table, before: list[dict[str, Any]]) -> None:
    for body in before:
        table.record(body)
        table.store.next = [None]  # the read
    table.store.next.append(replace(UNREACHABLE, took_it=True))
    with pytest.raises(ServiceUnavailable):
        table.record(canceled(T + 1))
    revision = table.store.only.revision
    assert table.record(canceled(T + 1)).outcome is Count.DUPLICATE
    assert table.store.only.revision == revision == len(before) + 1


def test_an_item_deleted_in_between_is_written_anew(table: Table) -> None:
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


# -- Erasure and retention --------------------------------------------------------------------------------


def erased(at: int) -> Tombstone:
    return Tombstone(booking_id=BOOKING_ID, erased_at=at, revision=7)


# failure matrix: 52
@pytest.mark.parametrize("at", [T - 1, T])
def test_an_old_delivery_of_an_erased_booking_is_dropped(table: Table, at: int) -> None:
    table.store.items[BOOKING_ID] = erased(T)
    assert table.record(created(at)).outcome is Count.ERASED
    assert table.store.items == {BOOKING_ID: erased(T)}
    assert table.counts.all == {Count.ERASED: 1}


def test_a_delivery_after_the_erasure_is_a_new_booking(table: Table) -> None:
    table.store.items[BOOKING_ID] = erased(T)
    assert table.record(created(T + 1)).outcome is Count.BOOKING_WRITTEN
    fresh = merge(None, delivery(created(T + 1), REQUEST_ID))
    assert table.store.only == replace(fresh, revision=8, erased_until=T)


# failure matrix: 52
@pytest.mark.parametrize("at", [T - 1, T])
def test_erased_deliveries_stay_away_from_the_new_booking(table: Table, at: int) -> None:
    table.store.items[BOOKING_ID] = erased(T)
    table.record(created(T + 1, guests=[]))
    table.record(created(T + 2, guests=[]))
    anew = table.store.only
    assert table.record(canceled(at)).outcome is Count.ERASED
    assert table.record(canceled(at, rescheduled=True)).outcome is Count.ERASED
    assert table.store.only == anew
    assert table.record(canceled(T + 3)).outcome is Count.BOOKING_WRITTEN
    assert (table.store.only.status, table.store.only.erased_until) == (Status.CANCELED, T)


# failure matrix: 52
def test_past_its_retention_a_delivery_is_not_written() -> None:
    table = Table(retention_days=30)
    past = created(T - 31 * DAY_MS, end_date_time="2026-10-23T12:00:00Z")
    assert table.record(past).outcome is Count.PAST_RETENTION
    assert table.store.writes == 0
    assert table.counts.all == {Count.PAST_RETENTION: 1}
    # A second later and it would not be past.
    assert table.record(created(T - 31 * DAY_MS, end_date_time="2026-10-23T12:00:01Z")).outcome is (
        Count.BOOKING_WRITTEN
    )


def test_a_late_cancel_is_judged_by_the_stored_end() -> None:
    table = Table(retention_days=30)
    table.record(created(T - 40 * DAY_MS))  # ends on 2026-11-25, after the canceled has come
    late = canceled(T - 31 * DAY_MS, end_date_time="")
    assert table.record(late).outcome is Count.BOOKING_WRITTEN
    assert table.store.only.status is Status.CANCELED


# failure matrix: 52
def test_a_late_delivery_does_not_renew_an_expired_booking() -> None:
    table = Table(retention_days=30)
    past = delivery(created(T - 60 * DAY_MS, end_date_time="2026-10-01T12:00:00Z"))
    expired = replace(merge(None, past), revision=4)  # not deleted yet
    table.store.items[BOOKING_ID] = expired
    assert table.record(canceled(T - 31 * DAY_MS, end_date_time="")).outcome is Count.PAST_RETENTION
    assert table.store.only is expired


# failure matrix: 22, 47
@pytest.mark.parametrize("trouble", [THROTTLED, DENIED, UNREACHABLE])
def test_a_late_delivery_comes_back_if_the_read_fails(trouble: Trouble) -> None:
    table = Table(retention_days=30)
    table.record(created(T - 40 * DAY_MS))
    table.store.next = [trouble]
    late = canceled(T - 31 * DAY_MS, end_date_time="")
    with pytest.raises(ServiceUnavailable):
        table.record(late)
    assert table.counts.all == {Count.BOOKING_WRITTEN: 1}
    assert table.record(late).outcome is Count.BOOKING_WRITTEN


def test_the_expiry_follows_end_and_last_event() -> None:
    table = Table(retention_days=30)
    table.record(created(T))
    end = 1_795_624_200  # 2026-11-25T16:30:00Z
    assert table.store.expiries == {BOOKING_ID: end + 30 * 86_400}
    table.record(canceled(T + 5 * DAY_MS))
    assert table.store.expiries == {BOOKING_ID: (T + 5 * DAY_MS) // 1000 + 30 * 86_400}


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "never", ""])
def test_an_extreme_end_is_recorded_with_a_retention(end: str) -> None:
    table = Table(retention_days=3650)
    assert table.record(created(T, end_date_time=end)).outcome is Count.BOOKING_WRITTEN


# -- A cancel without an e-mail ----------------------------------------------------------------------------

NOBODY_ID = booking_id_of("evt-1", None)


def nobody(make: Any, at: int, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = make(at, invitee_email=None, **changes)
    return body


# failure matrix: 55
@pytest.mark.parametrize("rescheduled", [False, True])
def test_a_cancel_without_email_and_booking_waits(table: Table, rescheduled: bool) -> None:
    table.record(created(T))  # another one's seat
    body = nobody(canceled, T + 1, rescheduled=rescheduled)
    assert table.record(body) == Recorded(Count.QUARANTINED, NOBODY_ID, REQUEST_ID)
    (waiting,) = table.quarantine.contents
    assert json.loads(base64.b64decode(waiting["body_base64"])) == body
    assert waiting["reason"] == "no_invitee_email"
    assert waiting["errors"] == [
        {"field": "payload.object.invitee_email", "message": "is needed to find the booking"}
    ]
    assert table.store.only.status is Status.CONFIRMED
    assert table.counts.all == {Count.BOOKING_WRITTEN: 1, Count.QUARANTINED: 1}
    # A replay after the created one.
    table.record(nobody(created, T))
    assert table.record(body).outcome is Count.BOOKING_WRITTEN
    canceled_booking = table.store.items[NOBODY_ID]
    assert isinstance(canceled_booking, Booking)
    assert canceled_booking.status is Status.CANCELED
    assert len(table.quarantine.messages) == 1


def test_a_created_without_email_is_recorded(table: Table) -> None:
    assert table.record(nobody(created, T)).outcome is Count.BOOKING_WRITTEN
    assert set(table.store.items) == {NOBODY_ID}


# failure matrix: 52, 55
@pytest.mark.parametrize(
    ("at", "outcome"), [(T - 1, Count.ERASED), (T, Count.ERASED), (T + 1, Count.QUARANTINED)]
)
def test_erasure_comes_before_quarantine(table: Table, at: int, outcome: Count) -> None:
    table.store.items[NOBODY_ID] = Tombstone(booking_id=NOBODY_ID, erased_at=T, revision=7)
    assert table.record(nobody(canceled, at)).outcome is outcome
    assert table.store.writes == 0
    assert len(table.quarantine.messages) == (outcome is Count.QUARANTINED)


# failure matrix: 52, 55
def test_retention_comes_before_quarantine() -> None:
    table = Table(retention_days=30)
    late = nobody(canceled, T - 31 * DAY_MS, end_date_time="")
    assert table.record(late).outcome is Count.PAST_RETENTION
    assert table.quarantine.messages == []


# failure matrix: 22, 39
def test_a_cancel_without_email_comes_back_while_down(table: Table) -> None:
    for service in (table.store, table.quarantine):
        service.next = [THROTTLED]
        with pytest.raises(ServiceUnavailable):
            table.record(nobody(canceled, T))
    assert table.record(nobody(canceled, T)).outcome is Count.QUARANTINED


# failure matrix: 58
def test_unreadable_times_are_counted_and_named(table: Table) -> None:
    recorded = table.record(created(T, start_date_time="2026-12-07", end_date_time="soon"))
    assert recorded.unreadable_times == ("start_date_time", "end_date_time")
    assert table.store.only.details.start is None
    assert table.counts.all == {Count.BOOKING_WRITTEN: 1, Count.TIME_UNREADABLE: 2}


# -- Size -------------------------------------------------------------------------------------------------


# failure matrix: 51
def test_bodies_given_up_are_counted(table: Table) -> None:
    table.store.given_up = 2
    recorded = table.record(created())
    assert recorded == Recorded(Count.BOOKING_WRITTEN, BOOKING_ID, REQUEST_ID, bodies_given_up=2)
    assert table.counts.all == {Count.BOOKING_WRITTEN: 1, Count.BODY_GIVEN_UP: 2}


# failure matrix: 51
def test_a_booking_too_large_is_in_quarantine_whole(table: Table) -> None:
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
def test_without_table_and_quarantine_it_comes_back(table: Table, trouble: Trouble) -> None:
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
def test_a_message_that_is_no_delivery_is_refused(table: Table, text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        table.recorder.record(text)
    assert table.store.attempts == 0
    assert table.quarantine.messages == []


def test_a_test_booking_is_recorded_like_any_other(table: Table) -> None:
    body = created(event_id="bookings-check-1")
    assert table.record(body, source="zoom.scheduler.check").outcome is Count.BOOKING_WRITTEN
