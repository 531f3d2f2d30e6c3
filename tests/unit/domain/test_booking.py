"""`merge`: every rule of a booking's state. `properties/test_merge.py` has its algebra."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

import pytest

from bookings.domain.booking import Booking, Delivery, Kind, Status, booking_id_of, expires_at, merge
from bookings.limits import MOVE_WINDOW_MS
from bookings.zoom.events import CANCELED, CREATED
from tests.samples import MORNING_MS, canceled, created, delivery, sample

T = MORNING_MS
SECOND = 1000
MINUTE = 60 * SECOND


def fold(deliveries: list[Delivery] | tuple[Delivery, ...]) -> Booking:
    booking = reduce(merge, deliveries, None)
    assert booking
    return booking


def in_any_order(*bodies: dict[str, Any]) -> Booking:
    """Returns the booking of these deliveries. It is the same in every order."""
    results = [fold(order) for order in itertools.permutations([delivery(body) for body in bodies])]
    assert all(result == results[0] for result in results)
    return results[0]


# The deliveries, and the state they make: status, rescheduled.
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


# failure matrix: 4, 5
@pytest.mark.parametrize(("bodies", "status", "rescheduled"), CASES.values(), ids=CASES)
def test_the_newest_events_decide_the_state(
    bodies: list[dict[str, Any]], status: Status, rescheduled: bool
) -> None:
    booking = in_any_order(*bodies)
    assert (booking.status, booking.rescheduled) == (status, rescheduled)


# failure matrix: 5
@pytest.mark.parametrize("shift_ms", [-MINUTE, -SECOND, 0, SECOND, MINUTE])
def test_both_halves_of_a_move_confirm_the_new_slot(shift_ms: int) -> None:
    new_slot = {"start_date_time": "2026-11-27T09:00:00Z", "end_date_time": "2026-11-27T09:30:00Z"}
    booking = in_any_order(
        created(T - 60 * MINUTE),
        canceled(T, rescheduled=True, text_phone_number="+1"),
        created(T + shift_ms, rescheduled=True, guests=[], **new_slot),
    )
    assert (booking.status, booking.rescheduled) == (Status.CONFIRMED, True)
    assert (booking.details.start, booking.details.end) == ("2026-11-27T09:00:00Z", "2026-11-27T09:30:00Z")
    assert booking.details.guests is None
    assert "phone" not in (booking.details.invitee or {})
    assert booking.cancellation is None


# failure matrix: 5
@pytest.mark.parametrize("shift_ms", [-MINUTE, 0, MINUTE])
def test_a_move_to_another_id_cancels_the_old_booking(shift_ms: int) -> None:
    old = in_any_order(created(T - 60 * MINUTE), canceled(T, rescheduled=True))
    new = in_any_order(created(T + shift_ms, event_id="evt-2", rescheduled=True))
    assert (old.status, old.rescheduled) == (Status.CANCELED, True)
    assert (new.status, new.rescheduled) == (Status.CONFIRMED, True)
    assert old.booking_id != new.booking_id


def test_the_two_samples_are_the_halves_of_one_move() -> None:
    booking = in_any_order(sample(CREATED), sample(CANCELED))
    assert (booking.status, booking.rescheduled) == (Status.CONFIRMED, True)


# failure matrix: 1, 6
@pytest.mark.parametrize("again", [created(T), created(T - 1, summary="Old")], ids=["same", "older"])
def test_a_delivery_without_news_gives_the_same_object(again: dict[str, Any]) -> None:
    booking = merge(None, delivery(created(T), "request-1"))
    assert merge(booking, delivery(again, "request-2")) is booking


# failure matrix: 7
def test_one_event_time_has_one_winner_in_either_order() -> None:
    one, other = delivery(created(summary="One")), delivery(created(summary="Other"))
    winner = max(one, other, key=lambda each: each.event.digest)
    assert fold([one, other]) == fold([other, one]) == merge(None, winner)


LATE_CANCEL: dict[str, Any] = {"guests": ["late@example.com"], "text_phone_number": "+1"}
SOURCES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "the newest created": (
        [created(T, summary="Old"), created(T + 2, summary="New"), canceled(T + 9, **LATE_CANCEL)],
        created(summary="New"),
    ),
    "nothing filled in": (
        [created(T), created(T + 2, questions_and_answers=None, tracking=None), canceled(T + 1)],
        created(questions_and_answers=[]),
    ),
    "an older created before a newer cancel": (
        [created(T, guests=[]), canceled(T + 5, rescheduled=True, **LATE_CANCEL)],
        created(guests=[]),
    ),
    "without a created the newest cancel": (
        [canceled(T, summary="Older"), canceled(T + 1, rescheduled=True, summary="Newer", guests=[])],
        canceled(summary="Newer", guests=[]),
    ),
    "without an end there is none": (
        [
            canceled(T, rescheduled=True),
            created(T, rescheduled=True, start_date_time="2026-12-08T15:00:00Z", end_date_time=None),
        ],
        created(start_date_time="2026-12-08T15:00:00Z", end_date_time=None),
    ),
}


@pytest.mark.parametrize(("bodies", "source"), SOURCES.values(), ids=SOURCES)
def test_all_details_come_from_one_delivery(bodies: list[dict[str, Any]], source: dict[str, Any]) -> None:
    assert in_any_order(*bodies).details == delivery(source).details


ILL, MOVED = {"reason": "Ill"}, {"reason": "Moved"}
CANCELLATIONS: dict[str, tuple[list[dict[str, Any]], Mapping[str, Any] | None]] = {
    "of the cancel": ([created(T), canceled(T + 1, cancellation=ILL)], ILL),
    "of the newer cancel": (
        [
            created(T),
            canceled(T + 1, cancellation=ILL),
            canceled(T + 2, cancellation=MOVED, rescheduled=True),
        ],
        MOVED,
    ),
    "of the cancel that is no half of the move": (
        [
            created(T, rescheduled=True),
            canceled(T + 1, cancellation=ILL),
            canceled(T + 2, cancellation=MOVED, rescheduled=True),
        ],
        ILL,
    ),
    "none while confirmed": ([created(T), canceled(T + 1, cancellation=ILL), created(T + 2)], None),
    "none of a created": ([created(T, cancellation=ILL)], None),
}


@pytest.mark.parametrize(("bodies", "expected"), CANCELLATIONS.values(), ids=CANCELLATIONS)
def test_the_cancellation_is_the_canceling_deliverys(
    bodies: list[dict[str, Any]], expected: Mapping[str, Any] | None
) -> None:
    booking = in_any_order(*bodies)
    assert booking.cancellation == booking.public_fields().get("cancellation") == expected


# failure matrix: 3
def test_the_public_fields_are_what_subscribers_may_see() -> None:
    booking = fold([delivery(canceled(T + 5000), "newest"), delivery(created(T), "late")])
    assert booking.public_fields() == booking.details.as_dict() | {
        "booking_id": booking.booking_id,
        "status": "canceled",
        "rescheduled": False,
        "cancellation": canceled()["payload"]["object"]["cancellation"],
        "updated_at": "2026-11-22T10:00:05Z",
        "request_id": "newest",
    }
    assert "request_id" not in fold([delivery(created(T))]).public_fields()


def test_merging_leaves_revision_and_earlier_booking() -> None:
    before = replace(fold([delivery(created(T))]), revision=4, erased_until=T - 9)
    after = merge(before, delivery(canceled(T + 1)))
    assert (after.revision, after.erased_until) == (4, T - 9)
    assert set(before.deliveries) == {Kind.CREATED}


# failure matrix: 56
@pytest.mark.parametrize(
    ("email", "key"),
    [
        # printf 'evt-1\nann@example.com' | sha256sum
        ("ann@example.com", "evt-1-5ac5a5633d9fabf4"),
        ("ANN@Example.com", "evt-1-5ac5a5633d9fabf4"),
        (" ann@example.com\t", "evt-1-5ac5a5633d9fabf4"),
        # printf 'evt-1\nzo\u00eb@example.com' | sha256sum
        ("ZO\u00cb@example.com", "evt-1-3c416c04b19709de"),
        ("zoe\u0308@example.com", "evt-1-3c416c04b19709de"),
        # printf 'evt-1\n' | sha256sum
        (None, "evt-1-9f03a5344864d39f"),
        (" ", "evt-1-9f03a5344864d39f"),
    ],
)
def test_the_key_hides_the_email_and_its_spelling(email: str | None, key: str) -> None:
    assert booking_id_of("evt-1", email) == key


LAST_SECOND = 253_402_300_799  # of the year 9999


@pytest.mark.parametrize(
    ("at", "end", "days", "expected"),
    [
        pytest.param(T, "2026-11-25T16:30:00Z", 30, 1_798_216_200, id="after the end"),
        pytest.param(T, "2026-11-01T00:00:00Z", 30, T // 1000 + 30 * 86_400, id="after the last event"),
        pytest.param(T + 500, None, 1, T // 1000 + 86_400, id="in whole seconds"),
        pytest.param(T, "9999-12-31T23:59:59Z", 3650, LAST_SECOND + 3650 * 86_400, id="the last year"),
        pytest.param(T, "0001-01-01T00:00:00Z", 1, T // 1000 + 86_400, id="the first year"),
        pytest.param(T, "2026-11-25T16:30:00Z", 0, None, id="no retention"),
    ],
)
def test_a_booking_expires_after_end_and_last_event(
    at: int, end: str | None, days: int, expected: int | None
) -> None:
    seconds = expires_at(fold([delivery(created(at, end_date_time=end))]), days)
    assert (seconds, type(seconds)) == (expected, type(expected))


# failure matrix: 43
@pytest.mark.parametrize(
    "shown", [delivery(created()), delivery(created()).event, fold([delivery(created())])]
)
def test_nothing_personal_is_in_a_repr(shown: object) -> None:
    assert not any(word in repr(shown) for word in ("ann", "Ann", "example.com", "First meeting"))
