"""`merge` as algebra: bookings of one key form a semilattice, whose order is that of what they keep.

A booking is joined with another by merging what the other keeps. That is what a table does with deliveries
that come in any order, in any groups, and more than once.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bookings.domain.booking import Booking, Delivery, Kind, Status, merge
from bookings.limits import MOVE_WINDOW_MS
from tests.histories import BODIES, SECOND
from tests.samples import MORNING_MS, canceled, created, delivery
from tests.simulation.specification import expected_state

T = MORNING_MS


def fold(history: Sequence[Delivery]) -> Booking:
    booking = reduce(merge, history, None)
    assert booking
    return booking


DELIVERIES = BODIES.map(delivery)
BOOKINGS = st.lists(DELIVERIES, min_size=1, max_size=5).map(fold)


def join(one: Booking | None, other: Booking) -> Booking:
    """Returns the booking with all in it that the other keeps."""
    kept = [
        Delivery(booking_id=other.booking_id, kind=kind, event=event)
        for kind, event in other.deliveries.items()
    ]
    booking = reduce(merge, kept, one)
    assert booking
    return booking


def at_least(one: Booking, other: Booking) -> bool:
    """Returns whether one booking keeps nothing older than the other, kind by kind."""
    return all(
        kind in one.deliveries and one.deliveries[kind].order >= event.order
        for kind, event in other.deliveries.items()
    )


# -- Of any histories -------------------------------------------------------------------------------------


@given(BOOKINGS, BOOKINGS)
def test_joining_is_commutative(one: Booking, other: Booking) -> None:
    assert join(one, other) == join(other, one)


@given(BOOKINGS, BOOKINGS, BOOKINGS)
def test_joining_is_associative(one: Booking, other: Booking, third: Booking) -> None:
    assert join(join(one, other), third) == join(one, join(other, third))


@given(BOOKINGS)
def test_joining_is_idempotent_and_nothing_is_its_neutral(booking: Booking) -> None:
    assert join(booking, booking) is booking
    assert join(None, booking) == booking


@given(BOOKINGS, DELIVERIES)
def test_merging_a_delivery_is_joining_the_booking_it_makes_alone(booking: Booking, one: Delivery) -> None:
    assert merge(booking, one) == join(booking, merge(None, one))


@given(st.lists(st.lists(DELIVERIES, min_size=1, max_size=3), min_size=1, max_size=4))
def test_how_a_history_is_grouped_does_not_matter(groups: list[list[Delivery]]) -> None:
    whole = fold([each for group in groups for each in group])
    assert reduce(join, [fold(group) for group in groups], None) == whole


@given(BOOKINGS, DELIVERIES)
def test_what_is_kept_never_gets_older(booking: Booking, one: Delivery) -> None:
    merged = merge(booking, one)
    assert at_least(merged, booking)
    assert at_least(merged, merge(None, one))
    # Either nothing changes at all, or something is newer.
    assert merged is booking or not at_least(booking, merged)


@given(BOOKINGS, BOOKINGS)
def test_a_join_is_the_least_booking_that_is_at_least_both(one: Booking, other: Booking) -> None:
    joined = join(one, other)
    assert at_least(joined, one)
    assert at_least(joined, other)
    for kind, event in joined.deliveries.items():
        assert (
            event
            in {
                each.deliveries[kind].order: each.deliveries[kind]
                for each in (one, other)
                if kind in each.deliveries
            }.values()
        )


@given(st.lists(DELIVERIES, min_size=1, max_size=7), st.randoms(use_true_random=False))
def test_a_delivery_that_is_superseded_in_the_end_might_as_well_never_have_come(
    history: list[Delivery], chance: Any
) -> None:
    booking = fold(history)
    kept = [each for each in history if booking.deliveries[each.kind].order == each.event.order]
    superseded = [each for each in history if each not in kept]
    chance.shuffle(kept)
    assert fold(kept) == booking
    assert all(merge(booking, each) is booking for each in superseded)


# -- Of a small domain, completely ------------------------------------------------------------------------

# Of each kind two, and of the createds two more, so that a tie, both sides of the window, equal, rising and
# falling times, and details that one lacks and another tells all meet.
DOMAIN = [
    created(T, summary="Made", guests=[]),
    created(T, summary="Made at the same time"),
    created(T + MOVE_WINDOW_MS, rescheduled=True, summary="Moved here", created="", invitee_last_name=""),
    created(T + MOVE_WINDOW_MS + 1, rescheduled=True, summary="", guests=[]),
    created(T + 3 * MOVE_WINDOW_MS, summary="Made again", text_phone_number=None),
    canceled(T, cancellation={"reason": "At once"}, text_phone_number="+1"),
    canceled(T + MOVE_WINDOW_MS, cancellation=None, guests=["a@example.com"]),
    canceled(T + 4 * MOVE_WINDOW_MS, cancellation={"reason": "For good"}),
    canceled(T, rescheduled=True, cancellation={"reason": "Moved"}, guests=["b@example.com"]),
    canceled(T, rescheduled=True, cancellation={"reason": "Moved at the same time"}),
    canceled(T + MOVE_WINDOW_MS, rescheduled=True, text_phone_number="+2"),
    canceled(T + 2 * MOVE_WINDOW_MS + 1, rescheduled=True, summary="Moved on"),
]


# failure matrix: 44
@pytest.mark.parametrize("first", range(len(DOMAIN)))
def test_every_order_of_up_to_four_deliveries_of_a_small_domain_makes_what_the_design_says(
    first: int,
) -> None:
    """All multisets whose least member is the parameter, each in every order."""
    known = [delivery(body) for body in DOMAIN]
    for size in range(1, 5):
        for rest in itertools.combinations_with_replacement(range(first, len(DOMAIN)), size - 1):
            some = (first, *rest)
            expected = expected_state([DOMAIN[number] for number in some])
            assert expected
            for order in set(itertools.permutations(some)):
                booking = fold([known[number] for number in order])
                assert booking.public_fields() == expected.fields, order
                assert {
                    str(kind): each.order for kind, each in booking.deliveries.items()
                } == expected.kept, order


# -- Of bookings whose bodies were given up for size --------------------------------------------------------
#
# What is left of a body that was given up is what the item itself tells. The state (status, rescheduled, what
# is kept) follows from event times and digests, which are never given up, so it holds in every order. So does
# every detail that the created tells, or the newest cancel where there is no created. What may then depend on
# the order is only what else stands in the item: a detail that was filled in may come from a delivery that
# has been superseded since, and `cancellation` may be that of the other cancel.


def stored(booking: Booking, given_up: int) -> Booking:
    """Returns the booking as it is read from an item that gave up so many bodies, the oldest first."""
    kept = dict(booking.deliveries)
    for kind, event in sorted(booking.deliveries.items(), key=lambda entry: entry[1].order)[:given_up]:
        kept[kind] = replace(event, body=None, details=None)
    return replace(booking, deliveries=MappingProxyType(kept))


def told_by_primary(history: Sequence[Delivery]) -> dict[str, Any]:
    """Returns what the created tells, or the newest cancel where there is no created."""
    booking = fold(history)
    primary = booking.deliveries.get(Kind.CREATED) or booking.newest
    assert primary.details
    return {name: value for name, value in primary.details.as_dict().items() if name != "cancellation"}


def check_what_holds(history: Sequence[Delivery], given_up: Sequence[int]) -> None:
    booking: Booking | None = None
    for one, some in zip(history, given_up, strict=True):
        merged = merge(booking, one)
        booking = merged if merged is booking else stored(merged, some)
    assert booking
    whole = fold(history)
    assert (booking.status, booking.rescheduled) == (whole.status, whole.rescheduled)
    assert {kind: each.order for kind, each in booking.deliveries.items()} == {
        kind: each.order for kind, each in whole.deliveries.items()
    }
    details = booking.details.as_dict()
    for name, value in told_by_primary(history).items():
        told = details[name]
        assert (value.items() <= told.items()) if name == "invitee" else told == value
    if booking.status is Status.CONFIRMED:
        assert booking.details.cancellation is None
    # Whoever comes again still changes nothing.
    assert all(merge(booking, each) is booking for each in history)


@given(st.lists(st.tuples(DELIVERIES, st.integers(0, 3)), min_size=1, max_size=7))
def test_without_bodies_the_state_and_what_the_created_tells_hold_in_any_order(
    steps: list[tuple[Delivery, int]],
) -> None:
    check_what_holds([one for one, _ in steps], [some for _, some in steps])


def test_without_bodies_the_state_holds_in_every_order_of_three_of_the_small_domain() -> None:
    known = [delivery(body) for body in DOMAIN]
    for order in itertools.permutations(known, 3):
        for given_up in itertools.product([0, 1, 3], repeat=2):
            check_what_holds(order, (*given_up, 0))


@given(st.lists(st.tuples(DELIVERIES, st.integers(0, 3)), min_size=1, max_size=7))
def test_once_every_kept_body_is_there_again_nothing_tells_that_some_were_given_up(
    steps: list[tuple[Delivery, int]],
) -> None:
    newest = delivery(created(T + 9 * MOVE_WINDOW_MS, guests=[]))
    booking: Booking | None = None
    for one, some in steps:
        merged = merge(booking, one)
        booking = merged if merged is booking else stored(merged, some)
    booking = merge(booking, newest)
    assume(all(event.details for event in booking.deliveries.values()))
    assert booking == fold([*(one for one, _ in steps), newest])


def test_what_a_superseded_delivery_had_filled_in_stays_once_bodies_are_given_up() -> None:
    """What depends on the order then, so that whoever changes it notices."""
    history = [
        delivery(created(T, guests=["old@example.com"])),
        delivery(canceled(T + 1, guests=[])),
        delivery(created(T + 2 * SECOND, guests=[])),
    ]
    assert fold(history).details.guests is None
    without = merge(stored(fold(history[:2]), 2), history[2])
    assert without.details.guests == ["old@example.com"]
    assert without.details == replace(fold(history).details, guests=["old@example.com"])


def test_the_cancellation_may_be_the_other_cancels_once_bodies_are_given_up() -> None:
    early, late = {"reason": "Early"}, {"reason": "Late"}
    called_off = delivery(canceled(T + 1, cancellation=early))
    moved_away = delivery(canceled(T + 2, cancellation=late, rescheduled=True))
    moved_here = delivery(created(T, rescheduled=True))
    history = [called_off, moved_away, moved_here]
    # Once its other half is here, the later cancel no longer counts; the earlier one does.
    assert fold(history).details.cancellation == early
    without = merge(stored(fold(history[:2]), 1), moved_here)
    assert (without.status, without.details.cancellation) == (Status.CANCELED, late)
