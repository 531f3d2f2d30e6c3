"""The specification and the product say the same, of histories, of changes and of links."""

import json
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.domain.booking import Booking, merge
from bookings.domain.events import Snapshot, domain_event
from bookings.zoom.events import CANCELED, CREATED
from tests.properties.histories import BODIES
from tests.samples import MORNING_MS, canceled, created, delivery, sample
from tests.simulation import specification
from tests.simulation.specification import ExpectedBooking, expected_state, wrong_with_event

T = MORNING_MS
HISTORIES = st.lists(BODIES, min_size=1, max_size=7)


def fold(bodies: list[dict[str, Any]]) -> Booking:
    booking = reduce(merge, map(delivery, bodies), None)
    assert booking
    return booking


def of(booking: Booking) -> ExpectedBooking:
    return ExpectedBooking(
        status=str(booking.status),
        rescheduled=booking.rescheduled,
        kept={str(kind): event.order for kind, event in booking.deliveries.items()},
        fields=booking.public_fields(),
        newest=booking.newest.order,
    )


def snapshot(booking: Booking, revision: int) -> Snapshot:
    return Snapshot(
        booking.public_fields(), revision, {kind: each.digest for kind, each in booking.deliveries.items()}
    )


@given(HISTORIES)
def test_the_fold_of_a_history_is_what_the_specification_says_of_it(bodies: list[dict[str, Any]]) -> None:
    assert of(fold(bodies)) == expected_state(bodies)
    assert fold(bodies).booking_id == specification.booking_key(bodies[0])


@given(HISTORIES, st.sampled_from([T - 1, T, T + 60_000, T + 120_000]))
def test_what_an_erasure_covers_counts_as_never_sent(bodies: list[dict[str, Any]], until: int) -> None:
    newer = [body for body in bodies if body["event_ts"] > until]
    assert expected_state(bodies, erased_until=until) == expected_state(newer)
    assert expected_state([]) is None


@given(HISTORIES, st.booleans())
def test_every_change_of_a_history_is_announced_as_the_specification_says(
    bodies: list[dict[str, Any]], share: bool
) -> None:
    before: Booking | None = None
    for revision, body in enumerate(bodies, 1):
        after = merge(before, delivery(body))
        event = domain_event(
            snapshot(before, revision - 1) if before else None,
            snapshot(after, revision),
            share_access_links=share,
        )
        shown = [
            specification.shared_fields(each.public_fields(), share_access_links=share) if each else None
            for each in (before, after)
        ]
        type_ = event.detail_type if event else None
        detail = json.loads(event.detail) if event else None
        assert wrong_with_event(type_, detail, *shown, revision=revision) is None
        before = after


@pytest.mark.parametrize("name", [CREATED, CANCELED])
def test_the_samples_of_the_reference_are_read_alike(name: str) -> None:
    assert of(fold([sample(name)])) == expected_state([sample(name)])


def test_seconds_are_taken_for_seconds_by_both() -> None:
    bodies = [created(1_795_341_600), canceled(T + 1)]
    assert of(fold(bodies)) == expected_state(bodies)


@pytest.mark.parametrize(
    "changes",
    [
        {"location": {"note": 1.0}},
        {"location": {"note": -0.0}},
        {"location": {"note": 1e300}},
        {"location": {"name": 2.5, "ä": "\u2028", "deep": [[], [None, {"x": ""}]]}},
        {"created": "2026-11-22T10:00:00.087+08:00"},
        {"start_date_time": "0001-01-01T00:00:00+14:00"},
        {"end_date_time": "2026-11-22 10:00"},
    ],
)
def test_rare_forms_are_read_alike(changes: dict[str, Any]) -> None:
    assert of(fold([created(**changes)])) == expected_state([created(**changes)])


LINKS = st.lists(st.sampled_from([*"ab.-/ :K", "zoom.us/j", "://"]), max_size=9).map("".join)


@given(st.dictionaries(st.sampled_from(["kind", "note", "join_url", "PassCode"]), LINKS | st.lists(LINKS)))
def test_both_take_the_same_texts_for_links(place: dict[str, Any]) -> None:
    body = created(location=place)
    booking = fold([body])
    event = domain_event(None, snapshot(booking, 1), share_access_links=False)
    assert event
    shown = specification.shared_fields(booking.public_fields(), share_access_links=False)
    assert json.loads(event.detail)["booking"] == shown


def test_each_difference_of_an_event_is_found() -> None:
    after = fold([created()]).public_fields()
    detail = specification.expected_detail(None, after, revision=1)
    detail["metadata"]["id"] = "0" * 32
    assert wrong_with_event("BookingCreated", detail, None, after, revision=1) is None
    assert wrong_with_event("BookingUpdated", detail, None, after, revision=1)
    assert wrong_with_event(None, None, None, after, revision=1)
    assert wrong_with_event("BookingCreated", None, None, after, revision=1)
    assert wrong_with_event("BookingCreated", detail, None, None, revision=1)
    assert wrong_with_event("BookingCreated", detail, None, after, revision=2)
    assert wrong_with_event("BookingCreated", detail | {"more": 1}, None, after, revision=1)
    assert wrong_with_event("BookingCreated", detail | {"previous": {}}, None, after, revision=1)
    nameless = detail | {"metadata": {**detail["metadata"], "id": ""}}
    assert wrong_with_event("BookingCreated", nameless, None, after, revision=1)
