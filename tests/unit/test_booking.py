"""`merge`: every rule of a booking's state, and that no order of deliveries matters."""

import itertools
from dataclasses import FrozenInstanceError, replace
from functools import reduce
from typing import Any

import pytest
from hypothesis import given

from bookings.domain.booking import (
    Booking,
    Delivery,
    Details,
    Kind,
    Status,
    StoredDelivery,
    Tombstone,
    booking_id_of,
    event_time_text,
    expires_at,
    merge,
)
from bookings.limits import MOVE_WINDOW_MS
from bookings.zoom.events import CANCELED, CREATED
from tests.histories import histories
from tests.samples import MORNING_MS, canceled, created, delivery, sample

T = MORNING_MS
SECOND = 1000
MINUTE = 60 * SECOND


def fold(deliveries: list[Delivery] | tuple[Delivery, ...]) -> Booking:
    booking = reduce(merge, deliveries, None)
    assert booking
    return booking


def in_any_order(*bodies: dict[str, Any]) -> Booking:
    """Returns the booking that these deliveries make, having seen that their order does not matter."""
    deliveries = [delivery(body) for body in bodies]
    results = [fold(order) for order in itertools.permutations(deliveries)]
    assert all(result == results[0] for result in results)
    return results[0]


# What was delivered, and the state it makes: status, rescheduled.
CASES = {
    "a created alone": ([created()], Status.CONFIRMED, False),
    "a created by a move, alone": ([created(rescheduled=True)], Status.CONFIRMED, True),
    "a canceled alone": ([canceled()], Status.CANCELED, False),
    "the old half of a move, alone": ([canceled(rescheduled=True)], Status.CANCELED, True),
    "canceled after created": ([created(T), canceled(T + 1)], Status.CANCELED, False),
    "canceled at the very time of created": ([created(T), canceled(T)], Status.CANCELED, False),
    "canceled just before created": ([created(T + 1), canceled(T)], Status.CONFIRMED, False),
    "booked again after a cancel": ([created(T), canceled(T + 1), created(T + 2)], Status.CONFIRMED, False),
    "canceled twice": ([created(T), canceled(T + 1), canceled(T + 9)], Status.CANCELED, False),
    "moved, same time": (
        [created(T, rescheduled=True), canceled(T, rescheduled=True)],
        Status.CONFIRMED,
        True,
    ),
    "moved, the cancel a window later": (
        [created(T, rescheduled=True), canceled(T + MOVE_WINDOW_MS, rescheduled=True)],
        Status.CONFIRMED,
        True,
    ),
    "moved, the cancel a window earlier": (
        [created(T, rescheduled=True), canceled(T - MOVE_WINDOW_MS, rescheduled=True)],
        Status.CONFIRMED,
        True,
    ),
    "a move's cancel more than a window later": (
        [created(T, rescheduled=True), canceled(T + MOVE_WINDOW_MS + 1, rescheduled=True)],
        Status.CANCELED,
        True,
    ),
    "moved away under another id": (
        [created(T), canceled(T + MINUTE, rescheduled=True)],
        Status.CANCELED,
        True,
    ),
    "moved away within a minute of a created that is no move": (
        [created(T), canceled(T + SECOND, rescheduled=True)],
        Status.CANCELED,
        True,
    ),
    "a cancel for good within a minute of a move": (
        [created(T, rescheduled=True), canceled(T + SECOND)],
        Status.CANCELED,
        False,
    ),
    "moved, then canceled for good": (
        [
            created(T),
            canceled(T + MINUTE, rescheduled=True),
            created(T + MINUTE, rescheduled=True),
            canceled(T + 5 * MINUTE),
        ],
        Status.CANCELED,
        False,
    ),
    "moved twice": (
        [
            created(T),
            canceled(T + 10 * MINUTE, rescheduled=True),
            created(T + 10 * MINUTE, rescheduled=True),
            canceled(T + 20 * MINUTE, rescheduled=True),
            created(T + 20 * MINUTE, rescheduled=True),
        ],
        Status.CONFIRMED,
        True,
    ),
    "canceled for good, then moved away": (
        [created(T), canceled(T + 1), canceled(T + 2, rescheduled=True)],
        Status.CANCELED,
        True,
    ),
    "moved away, then canceled for good": (
        [created(T), canceled(T + 2), canceled(T + 1, rescheduled=True)],
        Status.CANCELED,
        False,
    ),
}


@pytest.mark.parametrize(("bodies", "status", "rescheduled"), CASES.values(), ids=CASES)
def test_the_newest_events_decide_the_state_in_any_order(
    bodies: list[dict[str, Any]], status: Status, rescheduled: bool
) -> None:
    booking = in_any_order(*bodies)
    assert (booking.status, booking.rescheduled) == (status, rescheduled)


# failure matrix: 4
def test_a_late_created_does_not_resurrect_a_canceled_booking() -> None:
    first = merge(None, delivery(canceled(T + 1)))
    booking = merge(first, delivery(created(T)))
    assert booking.status is Status.CANCELED


# failure matrix: 5
@pytest.mark.parametrize("rise", [-MINUTE, -SECOND, 0, SECOND, MINUTE])
def test_both_halves_of_a_move_under_one_id_confirm_the_new_slot(rise: int) -> None:
    booking = in_any_order(
        created(T - 60 * MINUTE, start_date_time="2026-11-25T16:00:00Z"),
        canceled(T, rescheduled=True, start_date_time="2026-11-25T16:00:00Z"),
        created(
            T + rise,
            rescheduled=True,
            start_date_time="2026-11-27T09:00:00Z",
            end_date_time="2026-11-27T09:30:00Z",
            questions_and_answers=[{"question": "Topic?", "position": 0, "answer": ["Terms"]}],
        ),
    )
    assert (booking.status, booking.rescheduled) == (Status.CONFIRMED, True)
    assert (booking.details.start, booking.details.end) == ("2026-11-27T09:00:00Z", "2026-11-27T09:30:00Z")
    assert booking.details.answers == [{"question": "Topic?", "position": 0, "answer": ["Terms"]}]
    assert booking.details.cancellation is None


# failure matrix: 5
@pytest.mark.parametrize("rise", [-MINUTE, 0, MINUTE])
def test_the_old_half_of_a_move_under_its_own_id_is_canceled_and_rescheduled(rise: int) -> None:
    old = in_any_order(created(T - 60 * MINUTE), canceled(T, rescheduled=True))
    new = in_any_order(created(T + rise, event_id="evt-2", rescheduled=True))
    assert (old.status, old.rescheduled) == (Status.CANCELED, True)
    assert (new.status, new.rescheduled) == (Status.CONFIRMED, True)
    assert old.booking_id != new.booking_id


def test_the_two_samples_of_the_reference_are_the_halves_of_one_move() -> None:
    booking = in_any_order(sample(CREATED), sample(CANCELED))
    assert (booking.status, booking.rescheduled) == (Status.CONFIRMED, True)


# failure matrix: 6
def test_an_older_created_after_a_newer_one_changes_nothing() -> None:
    booking = merge(None, delivery(created(T + 1, summary="New")))
    assert merge(booking, delivery(created(T, summary="Old"))) is booking


# failure matrix: 1
def test_the_same_delivery_again_gives_the_very_same_booking() -> None:
    booking = merge(None, delivery(created(), "request-1"))
    assert merge(booking, delivery(created(), "request-2")) is booking


# failure matrix: 7
def test_of_two_bodies_of_one_event_time_the_greater_digest_wins_in_either_order() -> None:
    one, other = delivery(created(summary="One")), delivery(created(summary="Other"))
    winner = max(one, other, key=lambda each: each.event.digest)
    assert fold([one, other]) == fold([other, one]) == merge(None, winner)


def test_details_come_from_the_newest_created_and_what_it_lacks_from_the_newest_cancel() -> None:
    booking = in_any_order(
        created(T, summary="Old title", guests=["old@example.com"]),
        created(T + 2, summary="Title", guests=[], text_phone_number="", invitee_last_name=None),
        canceled(
            T + 1, summary="Canceled", guests=["g@example.com"], text_phone_number="+1", time_zone="UTC"
        ),
        canceled(T, summary="Older cancel", meeting_notes="x", tracking={"utm_source": "old"}),
    )
    assert booking.status is Status.CONFIRMED
    assert booking.details.title == "Title"
    assert booking.details.guests == ["g@example.com"]
    assert booking.details.invitee == {
        "email": "ann@example.com",
        "first_name": "Ann",
        "last_name": "Example",
        "time_zone": "Europe/Berlin",
        "phone": "+1",
    }
    assert booking.details.tracking is None


def test_the_newest_cancel_fills_details_whichever_of_the_two_kinds_it_is() -> None:
    booking = in_any_order(
        created(T + 9, guests=[]),
        canceled(T, guests=["x@example.com"]),
        canceled(T + 1, rescheduled=True, guests=["r@example.com"]),
    )
    assert booking.details.guests == ["r@example.com"]


def test_a_booking_without_a_created_has_the_details_of_the_newest_cancel_alone() -> None:
    booking = in_any_order(
        canceled(T, summary="Older", guests=["g@example.com"], rescheduled=True),
        canceled(T + 1, summary="Newer", guests=[]),
    )
    assert booking.details.title == "Newer"
    assert booking.details.guests is None


def test_the_cancellation_is_told_only_while_canceled_and_by_the_cancel_that_counts() -> None:
    ill, moved = {"reason": "Ill"}, {"reason": "Moved"}
    alone = in_any_order(created(T), canceled(T + 1, cancellation=ill))
    assert alone.details.cancellation == ill
    both = in_any_order(
        created(T), canceled(T + 1, cancellation=ill), canceled(T + 2, cancellation=moved, rescheduled=True)
    )
    assert both.details.cancellation == moved
    # The newer cancel is the other half of the move; the one that cancels is the older.
    halves = in_any_order(
        created(T, rescheduled=True),
        canceled(T + 1, cancellation=ill),
        canceled(T + 2, cancellation=moved, rescheduled=True),
    )
    assert (halves.status, halves.details.cancellation) == (Status.CANCELED, ill)
    again = in_any_order(created(T), canceled(T + 1, cancellation=ill), created(T + 2))
    assert again.details.cancellation is None
    # Even where Zoom sends one with a created.
    assert in_any_order(created(T, cancellation=ill)).details.cancellation is None


def test_creation_time_is_zooms_own_or_absent() -> None:
    assert in_any_order(created(T)).details.created_at == "2026-11-20T09:00:00Z"
    assert in_any_order(created(T, created="")).details.created_at is None
    assert in_any_order(canceled(T, created=None)).details.created_at is None


def test_the_public_fields_are_the_item_as_subscribers_see_it() -> None:
    booking = fold([delivery(created(T), "request-1"), delivery(canceled(T + 1000), "request-2")])
    fields = booking.public_fields()
    assert fields == booking.details.as_dict() | {
        "booking_id": booking.booking_id,
        "status": "canceled",
        "rescheduled": False,
        "updated_at": "2026-11-22T10:00:01Z",
        "request_id": "request-2",
    }
    assert {"event_id", "title", "start", "end", "invitee", "host_user_id", "account_id"} <= fields.keys()
    assert "request_id" not in fold([delivery(created(T))]).public_fields()


# failure matrix: 3
def test_the_booking_is_updated_at_its_newest_delivery_whatever_came_last() -> None:
    booking = fold([delivery(canceled(T + 5000), "newest"), delivery(created(T), "late")])
    assert booking.public_fields()["updated_at"] == event_time_text(T + 5000) == "2026-11-22T10:00:05Z"
    assert booking.public_fields()["request_id"] == "newest"


def test_merging_leaves_the_revision_and_the_booking_before_as_they_were() -> None:
    before = replace(fold([delivery(created(T))]), revision=4)
    kept = dict(before.deliveries)
    after = merge(before, delivery(canceled(T + 1)))
    assert after.revision == before.revision == 4
    assert dict(before.deliveries) == kept


def test_a_booking_whose_bodies_were_given_up_keeps_the_details_its_item_has() -> None:
    booking = fold([delivery(created(T)), delivery(canceled(T - 1, cancellation={"reason": "Early"}))])
    kept = {kind: replace(event, body=None, details=None) for kind, event in booking.deliveries.items()}
    after = merge(replace(booking, deliveries=kept), delivery(canceled(T + 1)))
    assert after.status is Status.CANCELED
    told = delivery(canceled()).event.details
    assert told is not None
    assert after.details == replace(booking.details, cancellation=told.cancellation)


def test_the_key_is_the_event_and_a_hash_of_it_with_the_lower_cased_email() -> None:
    # printf 'evt-1\nann@example.com' | sha256sum
    assert booking_id_of("evt-1", "ANN@example.com") == "evt-1-5ac5a5633d9fabf4"
    assert booking_id_of("evt-1", None) == booking_id_of("evt-1", "")
    assert "ann" not in booking_id_of("evt-1", "ann@example.com")


@pytest.mark.parametrize(
    ("end", "days", "expected"),
    [
        ("2026-11-25T16:30:00Z", 30, "2026-12-25T16:30:00Z"),
        ("2026-11-01T00:00:00Z", 30, "2026-12-22T10:00:00Z"),
        (None, 1, "2026-11-23T10:00:00Z"),
    ],
)
def test_a_booking_expires_days_after_its_end_or_its_last_event_whichever_is_later(
    end: str | None, days: int, expected: str
) -> None:
    at = expires_at(fold([delivery(created(T, end_date_time=end))]), days)
    assert at is not None
    assert event_time_text(at * 1000) == expected


def test_a_booking_without_a_retention_never_expires() -> None:
    assert expires_at(fold([delivery(created(T))]), 0) is None


def test_an_expiry_has_whole_seconds() -> None:
    # DynamoDB deletes by whole seconds; an item with another number lives on for ever.
    at = expires_at(fold([delivery(created(T + 500, end_date_time=None))]), 1)
    assert (at, type(at)) == (T // 1000 + 86_400, int)


def test_an_end_in_the_last_year_of_all_has_an_expiry_too() -> None:
    booking = fold([delivery(created(T, end_date_time="9999-12-31T23:59:59Z"))])
    assert expires_at(booking, 3650) == 253_402_300_799 + 3650 * 86_400


def test_an_end_in_the_first_year_of_all_has_an_expiry_too() -> None:
    booking = fold([delivery(created(T, end_date_time="0001-01-01T00:00:00Z"))])
    assert expires_at(booking, 1) == T // 1000 + 86_400


# failure matrix: 44
@given(histories())
def test_any_order_and_any_duplication_of_a_history_ends_in_the_same_booking(
    both: tuple[list[Delivery], list[Delivery]],
) -> None:
    history, again = both
    assert fold(again) == fold(history)


# failure matrix: 44
@given(histories())
def test_a_history_replayed_into_its_own_booking_changes_nothing(
    both: tuple[list[Delivery], list[Delivery]],
) -> None:
    history, again = both
    booking = fold(history)
    assert all(merge(booking, each) is booking for each in again)


# failure matrix: 4, 5
@given(histories())
def test_the_state_follows_from_the_three_maxima_by_the_rule(
    both: tuple[list[Delivery], list[Delivery]],
) -> None:
    """The rule once more, from the whole history, in other words than the code's."""
    history, _ = both

    def newest(kind: Kind) -> StoredDelivery | None:
        return max((d.event for d in history if d.kind is kind), key=lambda event: event.order, default=None)

    c, x, r = newest(Kind.CREATED), newest(Kind.CANCELED), newest(Kind.CANCELED_BY_RESCHEDULE)
    by_x = x is not None and (c is None or x.event_time >= c.event_time)
    by_r = r is not None and (
        c is None
        or (r.event_time >= c.event_time and not (c.rescheduled and r.event_time - c.event_time <= 60_000))
    )
    booking = fold(history)
    assert booking.status == (Status.CANCELED if by_x or by_r else Status.CONFIRMED)
    canceling = [event for event, counts in ((x, by_x), (r, by_r)) if event and counts]
    decisive = max(canceling, key=lambda event: event.order) if canceling else c
    assert decisive
    assert booking.rescheduled is decisive.rescheduled
    assert booking.deliveries == {
        kind: event
        for kind, event in ((Kind.CREATED, c), (Kind.CANCELED, x), (Kind.CANCELED_BY_RESCHEDULE, r))
        if event
    }


@given(histories())
def test_no_detail_of_a_booking_is_null_or_empty(both: tuple[list[Delivery], list[Delivery]]) -> None:
    fields = fold(both[0]).public_fields()
    assert all(value not in (None, "", [], {}) for value in fields.values())


def test_details_fill_only_what_is_missing() -> None:
    one = Details(title="one", invitee={"email": "a", "phone": "1"})
    other = Details(title="other", start="2026", invitee={"email": "b", "last_name": "c"})
    assert one.filled_from(other) == Details(
        title="one", start="2026", invitee={"email": "a", "phone": "1", "last_name": "c"}
    )
    assert Details(title="one").filled_from(other).invitee == other.invitee
    assert one.filled_from(Details(title="other")) == one


# -- What it is made of -----------------------------------------------------------------------------------

VALUES: dict[type, Any] = {
    Details: Details(title="First meeting"),
    StoredDelivery: StoredDelivery(
        event_time=T, digest="d", rescheduled=False, body=b"{}", details=Details(title="First")
    ),
    Delivery: delivery(created(T)),
    Booking: fold([delivery(created(T))]),
    Tombstone: Tombstone(booking_id="b", erased_at=T, revision=1),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=lambda value: type(value).__name__)
def test_a_value_can_neither_be_changed_nor_made_by_the_order_of_its_parts(value: Any) -> None:
    # Merging shares them between bookings; and two of their texts could change places unseen.
    names = list(type(value).__dataclass_fields__)
    with pytest.raises(FrozenInstanceError):
        setattr(value, names[0], None)
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        type(value)(*(getattr(value, name) for name in names))


@pytest.mark.parametrize("kind", [StoredDelivery, Delivery, Booking])
def test_nothing_of_a_person_is_in_what_a_log_or_a_traceback_would_show(kind: type) -> None:
    shown = repr(VALUES[kind])

    assert "Details" not in shown
    assert "body" not in shown
    assert str(sample(CREATED)["payload"]["object"]["invitee_email"]) not in shown


def test_a_booking_keeps_its_events_as_they_are() -> None:
    with pytest.raises(TypeError):
        fold([delivery(created(T))]).deliveries[Kind.CANCELED] = VALUES[StoredDelivery]  # type: ignore[index]  # tried here


def test_a_booking_that_was_never_written_has_the_revision_nothing() -> None:
    kept = {Kind.CREATED: VALUES[StoredDelivery]}
    booking = Booking(
        booking_id="b", status=Status.CONFIRMED, rescheduled=False, details=Details(), deliveries=kept
    )

    assert (booking.revision, booking.erased_until) == (0, None)
