"""`merge` as algebra: commutative, associative, idempotent, and equal to the specification.

A booking joins another by merging its deliveries. A table does that with deliveries in any order, in any
groups, and more than once.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.domain.booking import Booking, Delivery, merge
from bookings.limits import MOVE_WINDOW_MS
from tests.properties.histories import BODIES
from tests.samples import MORNING_MS, canceled, created, delivery
from tests.simulation.specification import expected_state

T = MORNING_MS
HISTORIES = st.lists(BODIES.map(delivery), min_size=1, max_size=7)


def fold(history: Sequence[Delivery], *, given_up: Sequence[int] = ()) -> Booking:
    """Returns the booking of a history. After each write it may give up bodies, the oldest first."""
    booking: Booking | None = None
    for one, some in itertools.zip_longest(history, given_up, fillvalue=0):
        assert isinstance(one, Delivery)
        merged = merge(booking, one)
        booking = merged if merged is booking else without_bodies(merged, some)
    assert booking
    return booking


def without_bodies(booking: Booking, count: int) -> Booking:
    deliveries = dict(booking.deliveries)
    oldest_first = sorted(deliveries.items(), key=lambda entry: entry[1].order)
    for kind, event in oldest_first[:count]:
        deliveries[kind] = replace(event, body=None)
    return replace(booking, deliveries=deliveries)


# failure matrix: 44
@given(HISTORIES, st.data())
def test_order_and_duplicates_do_not_matter(history: list[Delivery], data: st.DataObject) -> None:
    again = history + data.draw(st.lists(st.sampled_from(history), max_size=5))
    assert fold(data.draw(st.permutations(again))) == fold(history)


# failure matrix: 44
@given(HISTORIES)
def test_replay_into_the_same_booking_changes_nothing(history: list[Delivery]) -> None:
    booking = fold(history)
    assert all(merge(booking, one) is booking for one in history)


# failure matrix: 51
@given(st.lists(st.tuples(BODIES.map(delivery), st.integers(0, 3)), min_size=1, max_size=7), st.data())
def test_given_up_bodies_change_no_field(steps: list[tuple[Delivery, int]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations([one for one, _ in steps]))
    smaller = fold(shuffled, given_up=[count for _, count in steps])
    whole = fold([one for one, _ in steps])
    assert smaller.public_fields() == whole.public_fields()
    assert orders(smaller) == orders(whole)


@given(HISTORIES, BODIES.map(delivery))
def test_a_stored_delivery_never_gets_older(history: list[Delivery], one: Delivery) -> None:
    booking = fold(history)
    merged = merge(booking, one)
    assert all(orders(merged)[kind] >= order for kind, order in orders(booking).items())
    assert merged is booking or orders(merged) != orders(booking)


@given(HISTORIES)
def test_no_public_field_is_null_or_empty(history: list[Delivery]) -> None:
    assert all(value not in (None, "", [], {}) for value in fold(history).public_fields().values())


def orders(booking: Booking) -> dict[str, tuple[int, str]]:
    return {str(kind): event.order for kind, event in booking.deliveries.items()}


# Ties, both sides of the window, equal, rising and falling times, and details that one lacks and another has.
DOMAIN = [
    created(T, summary="Made", guests=[]),
    created(T, summary="Made at the same time"),
    created(T + MOVE_WINDOW_MS, rescheduled=True, summary="Moved here", created="", invitee_last_name=""),
    created(T + MOVE_WINDOW_MS + 1, rescheduled=True, summary="", guests=[]),
    created(T + 3 * MOVE_WINDOW_MS, summary="Made again", payment={"status": "paid"}),
    canceled(T, cancellation={"reason": "At once"}, text_phone_number="+1"),
    canceled(T + MOVE_WINDOW_MS, cancellation=None, guests=["a@example.com"]),
    canceled(T + 4 * MOVE_WINDOW_MS, cancellation={"reason": "For good"}),
    canceled(T, rescheduled=True, cancellation={"reason": "Moved"}, guests=["b@example.com"]),
    canceled(T, rescheduled=True, cancellation={"reason": "Moved at the same time"}),
    canceled(T + MOVE_WINDOW_MS, rescheduled=True, text_phone_number="+2"),
    canceled(T + 2 * MOVE_WINDOW_MS + 1, rescheduled=True, summary="Moved on"),
]


# failure matrix: 4, 5, 44
@pytest.mark.parametrize("first", range(len(DOMAIN)))
def test_every_order_of_four_equals_the_specification(first: int) -> None:
    """All multisets of up to four whose least member is the parameter, each in every order."""
    known = [delivery(body) for body in DOMAIN]
    for size in range(1, 5):
        for rest in itertools.combinations_with_replacement(range(first, len(DOMAIN)), size - 1):
            numbers = (first, *rest)
            expected = expected_state([DOMAIN[number] for number in numbers])
            assert expected
            for order in set(itertools.permutations(numbers)):
                booking: Any = reduce(merge, [known[number] for number in order], None)
                assert booking.public_fields() == expected.fields, order
                assert orders(booking) == expected.orders, order
