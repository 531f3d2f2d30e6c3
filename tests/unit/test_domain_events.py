"""Domain events: the transition table, ids that identify, and access links that stay at home."""

import dataclasses
import itertools
import json
from typing import Any

import pytest

from bookings.domain.booking import Booking, Kind, merge
from bookings.domain.events import EventType, Snapshot, domain_event
from bookings.envelope import Envelope
from tests.fakes import check_entry
from tests.samples import MORNING_MS, canceled, created, delivery

T = MORNING_MS
CONFIRMED: dict[str, Any] = {"status": "confirmed", "rescheduled": False}
MOVED: dict[str, Any] = {"status": "confirmed", "rescheduled": True}
CANCELED: dict[str, Any] = {"status": "canceled", "rescheduled": False}
REPLACED: dict[str, Any] = {"status": "canceled", "rescheduled": True}


def snapshot(revision: int = 1, **fields: Any) -> Snapshot:
    item = {
        "booking_id": "evt-1-0123456789abcdef",
        "event_id": "evt-1",
        "status": "confirmed",
        "rescheduled": False,
        "title": "First meeting",
        "start": "2026-11-25T16:00:00Z",
        "end": "2026-11-25T16:30:00Z",
        "location": {"kind": "in-person_meeting", "place": {"city": "Bonn"}},
        "updated_at": "2026-11-22T10:00:00Z",
        "request_id": "request-1",
    }
    item = {name: value for name, value in (item | fields).items() if value is not None}
    # Read anew, as each image of the stream is: what is equal is not the same object.
    item = json.loads(json.dumps(item))
    return Snapshot(item, revision, {Kind.CREATED: "c" * 64})


def announced(before: Snapshot | None, after: Snapshot, *, share: bool = False) -> Envelope:
    event = domain_event(before, after, share_access_links=share)
    assert event
    check_entry(event)
    return event


def detail(before: Snapshot | None, after: Snapshot, *, share: bool = False) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(announced(before, after, share=share).detail)
    return read


def test_the_same_change_is_the_same_event_to_the_letter_in_whatever_order_its_fields_were_read() -> None:
    before, after = snapshot(), snapshot(2, title="Zweites Gespräch")
    reversed_after = dataclasses.replace(after, fields=dict(reversed(after.fields.items())))

    assert announced(before, reversed_after) == announced(before, after)
    # In UTF-8 and not escaped: an event has an upper size.
    assert "Zweites Gespräch" in announced(before, after).detail


def test_a_snapshot_stays_as_it_was_read() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot().revision = 2  # type: ignore[misc]  # that is what is tried


def snapshot_of(booking: Booking, revision: int) -> Snapshot:
    return Snapshot(
        booking.public_fields(), revision, {kind: event.digest for kind, event in booking.deliveries.items()}
    )


TRANSITIONS: dict[str, tuple[dict[str, Any] | None, dict[str, Any], EventType | None]] = {
    "nothing to confirmed": (None, CONFIRMED, EventType.BOOKING_CREATED),
    "nothing to the new half of a move": (None, MOVED, EventType.BOOKING_CREATED),
    "nothing to canceled": (None, CANCELED, EventType.BOOKING_CANCELED),
    "nothing to replaced": (None, REPLACED, EventType.BOOKING_CANCELED),
    "confirmed to canceled": (CONFIRMED, CANCELED, EventType.BOOKING_CANCELED),
    "confirmed to replaced": (CONFIRMED, REPLACED, EventType.BOOKING_CANCELED),
    "moved to canceled": (MOVED, CANCELED, EventType.BOOKING_CANCELED),
    "canceled to confirmed by a move": (CANCELED, MOVED, EventType.BOOKING_RESCHEDULED),
    "replaced to confirmed by a move": (REPLACED, MOVED, EventType.BOOKING_RESCHEDULED),
    "canceled to booked again": (CANCELED, CONFIRMED, EventType.BOOKING_CREATED),
    "replaced to booked again": (REPLACED, CONFIRMED, EventType.BOOKING_CREATED),
    "start moved": (CONFIRMED, CONFIRMED | {"start": "2026-11-26T16:00:00Z"}, EventType.BOOKING_RESCHEDULED),
    "end moved": (CONFIRMED, CONFIRMED | {"end": "2026-11-25T17:00:00Z"}, EventType.BOOKING_RESCHEDULED),
    "start became unknown": (CONFIRMED, CONFIRMED | {"start": None}, EventType.BOOKING_RESCHEDULED),
    "start and title changed": (
        CONFIRMED,
        MOVED | {"start": "2026-11-26T16:00:00Z", "title": "New"},
        EventType.BOOKING_RESCHEDULED,
    ),
    "title changed": (CONFIRMED, CONFIRMED | {"title": "New"}, EventType.BOOKING_UPDATED),
    "title went": (CONFIRMED, CONFIRMED | {"title": None}, EventType.BOOKING_UPDATED),
    "guests came": (CONFIRMED, CONFIRMED | {"guests": ["g@example.com"]}, EventType.BOOKING_UPDATED),
    "rescheduled alone": (CONFIRMED, MOVED, EventType.BOOKING_UPDATED),
    "nothing differs": (CONFIRMED, CONFIRMED, None),
    "only what is not compared": (
        CONFIRMED,
        CONFIRMED | {"updated_at": "2026-11-22T11:00:00Z", "request_id": "request-2"},
        None,
    ),
    "the request id went": (CONFIRMED, CONFIRMED | {"request_id": None}, None),
    "canceled to canceled": (CANCELED, CANCELED, None),
    "canceled to replaced": (CANCELED, REPLACED, EventType.BOOKING_CANCELED),
    "replaced to canceled for good": (REPLACED, CANCELED, EventType.BOOKING_CANCELED),
    "replaced to replaced": (REPLACED, REPLACED | {"title": "New", "start": None}, None),
}


@pytest.mark.parametrize(("before", "after", "expected"), TRANSITIONS.values(), ids=TRANSITIONS)
def test_a_change_is_announced_by_the_transition_table(
    before: dict[str, Any] | None, after: dict[str, Any], expected: EventType | None
) -> None:
    event = domain_event(
        snapshot(1, **before) if before else None, snapshot(2, **after), share_access_links=False
    )
    assert (event.detail_type if event else None) == expected


def test_an_event_tells_what_happened_what_is_and_what_was() -> None:
    before = snapshot(3)
    after = snapshot(
        4, start="2026-11-26T16:00:00Z", updated_at="2026-11-22T11:00:00Z", request_id="request-2"
    )
    event = announced(before, after)
    assert (event.source, event.detail_type) == ("bookings", "BookingRescheduled")
    assert event.resources == ["zoom-request/request-2"]
    content = json.loads(event.detail)
    assert content.keys() == {"metadata", "booking", "previous"}
    event_id = content["metadata"].pop("id")
    assert len(event_id) == 32
    assert content["metadata"] == {
        "schema_version": "1",
        "booking_id": "evt-1-0123456789abcdef",
        "revision": 4,
        "occurred_at": "2026-11-22T11:00:00Z",
    }
    assert content["booking"] == after.fields
    assert content["previous"] == {
        "status": "confirmed",
        "rescheduled": False,
        "start": "2026-11-25T16:00:00Z",
        "end": "2026-11-25T16:30:00Z",
        "location": {"kind": "in-person_meeting", "place": {"city": "Bonn"}},
    }


def test_a_first_event_has_no_previous_and_an_absent_field_of_it_stays_absent() -> None:
    assert detail(None, snapshot())["previous"] is None
    before = snapshot(1, location=None, end=None)
    assert detail(before, snapshot(2))["previous"] == {
        "status": "confirmed",
        "rescheduled": False,
        "start": "2026-11-25T16:00:00Z",
    }


def test_the_rescheduled_mark_tells_a_move_from_a_lost_customer() -> None:
    assert detail(None, snapshot(**MOVED))["booking"]["rescheduled"] is True
    assert detail(snapshot(), snapshot(2, **REPLACED))["booking"]["rescheduled"] is True
    assert detail(snapshot(), snapshot(2, **CANCELED))["booking"]["rescheduled"] is False


# failure matrix: 27
def test_the_same_change_again_is_the_same_event_to_the_letter() -> None:
    assert announced(snapshot(1), snapshot(2, title="New")) == announced(
        snapshot(1), snapshot(2, title="New")
    )


# failure matrix: 46
def test_every_version_gives_a_change_the_same_id() -> None:
    before, after = snapshot(1), Snapshot(snapshot().fields | {"title": "New"}, 2, {Kind.CANCELED: "d" * 64})
    # While versions run side by side, a change that both announce is one event to subscribers. By sha256sum:
    # booking, revision, and `before KIND DIGEST`, `after KIND DIGEST` of each kind, with line breaks between
    # them.
    assert detail(None, before)["metadata"]["id"] == "ce0f70487646cb2f0a9f87a6051c3db3"
    assert detail(before, after)["metadata"]["id"] == "776b13fede70504c09b1c2d79e2d0571"


@pytest.mark.parametrize(
    "other",
    [
        snapshot(2, booking_id="evt-2-0123456789abcdef"),
        snapshot(3),
        Snapshot(snapshot().fields, 2, {Kind.CREATED: "d" * 64}),
        Snapshot(snapshot().fields, 2, {Kind.CANCELED: "c" * 64}),
        Snapshot(snapshot().fields, 2, {Kind.CANCELED_BY_RESCHEDULE: "c" * 64}),
        Snapshot(snapshot().fields, 2, {Kind.CREATED: "c" * 64, Kind.CANCELED: "c" * 64}),
    ],
)
def test_another_booking_revision_or_kept_event_has_another_id(other: Snapshot) -> None:
    assert detail(None, snapshot(2))["metadata"]["id"] != detail(None, other)["metadata"]["id"]


# failure matrix: 44
def test_a_table_rebuilt_in_another_order_uses_no_id_for_another_event() -> None:
    bodies = [
        created(T, summary=""),
        created(T + 1, summary="New"),
        canceled(T + 2),
        created(T + 3, summary=""),  # lacks what the canceled before it tells
    ]
    seen: dict[str, tuple[str, dict[str, Any]]] = {}
    for order in itertools.permutations(bodies):
        booking: Booking | None = None
        revision, before = 0, None
        for body in order:
            merged = merge(booking, delivery(body))
            if merged is booking:
                continue
            booking, revision = merged, revision + 1
            after = snapshot_of(booking, revision)
            event = domain_event(before, after, share_access_links=True)
            before = after
            if event:
                content = json.loads(event.detail)
                told = event.detail_type, content
                assert seen.setdefault(content["metadata"]["id"], told) == told


def test_a_test_booking_is_announced_by_the_sources_twin() -> None:
    assert announced(None, snapshot(event_id="bookings-check-7")).source == "bookings.check"


ONLINE: dict[str, Any] = {
    "kind": "zoom",
    "online_meeting": {
        "kind": "zoom",
        "meeting_id": "94777886776",
        "meeting_passcode": "canary",
        "meeting_join_url": "https://zoom.us/j/canary",
        "meeting_description": "Join at https://zoom.us/j/canary now",
        "Password": "canary",
        "numbers": [{"phone": "+1 2", "link": "canary"}, {"pwd": "canary"}, "https://canary"],
    },
    "place": {"joinUrl": "canary", "city": "Bonn"},
}


# failure matrix: 43
def test_unless_shared_an_event_has_no_link_and_no_passcode() -> None:
    after = snapshot(2, manage_url="https://zoom.us/manage/canary", location=ONLINE)
    before = snapshot(1, manage_url="https://zoom.us/manage/canary", location=ONLINE, status="canceled")
    event = announced(before, after)
    assert "canary" not in event.detail
    shared = {
        "kind": "zoom",
        "online_meeting": {"kind": "zoom", "meeting_id": "94777886776", "numbers": [{"phone": "+1 2"}]},
        "place": {"city": "Bonn"},
    }
    content = json.loads(event.detail)
    assert content["booking"]["location"] == content["previous"]["location"] == shared
    assert "manage_url" not in content["booking"]


def test_where_shared_an_event_has_every_link() -> None:
    fields = {"manage_url": "https://zoom.us/manage/m0", "location": ONLINE}
    content = detail(snapshot(1, status="canceled", **fields), snapshot(2, **fields), share=True)
    assert content["booking"]["location"] == content["previous"]["location"] == ONLINE
    assert content["booking"]["manage_url"] == "https://zoom.us/manage/m0"


def test_a_location_that_is_all_links_is_absent() -> None:
    content = detail(None, snapshot(location={"place": {"url": "https://example.com"}}))
    assert "location" not in content["booking"]


def test_change_of_the_manage_link_alone_is_no_event() -> None:
    before, after = snapshot(1, manage_url="https://a"), snapshot(2, manage_url="https://b")
    assert domain_event(before, after, share_access_links=False) is None
    assert domain_event(before, after, share_access_links=True) is None


def test_join_link_alone_is_announced_only_where_links_are_shared() -> None:
    before = snapshot(1, location={"kind": "zoom", "online_meeting": {"join_url": "https://a"}})
    after = snapshot(2, location={"kind": "zoom", "online_meeting": {"join_url": "https://b"}})
    assert domain_event(before, after, share_access_links=False) is None
    assert announced(before, after, share=True).detail_type == EventType.BOOKING_UPDATED


@pytest.mark.parametrize("field", ["guests", "attendees"])
def test_another_order_of_people_is_no_event(field: str) -> None:
    ida, ulf = {"email": "ida@guest.example"}, {"email": "ulf@guest.example"}
    before = snapshot(1, **{field: [ida, ulf]})
    assert domain_event(before, snapshot(2, **{field: [ulf, ida]}), share_access_links=False) is None
    assert announced(before, snapshot(2, **{field: [ida]})).detail_type == EventType.BOOKING_UPDATED


# failure matrix: 37
def test_fields_that_nobody_knows_yet_are_announced_as_they_are() -> None:
    content = detail(None, snapshot(title="Zoë 🚗", tracking={"utm_id": 42, "new": [1.5, True]}))
    assert content["booking"]["title"] == "Zoë 🚗"
    assert content["booking"]["tracking"] == {"utm_id": 42, "new": [1.5, True]}


def test_making_an_event_leaves_the_snapshot_as_it_was() -> None:
    after = snapshot(location=ONLINE, manage_url="https://a")
    before = json.dumps(after.fields)
    announced(None, after)
    assert json.dumps(after.fields) == before


@pytest.mark.parametrize(
    "link", ["zoom.us/j/1?pwd=canary", "Join: us02web.zoom.us/j/canary", "MEET.GOOGLE.COM/canary"]
)
def test_unless_shared_a_link_without_its_scheme_stays_at_home(link: str) -> None:
    place = {"kind": "custom", "address": link, "city": "Bonn"}
    content = detail(None, snapshot(location={"kind": "custom", "place": place}))
    assert content["booking"]["location"] == {"kind": "custom", "place": {"kind": "custom", "city": "Bonn"}}


@pytest.mark.parametrize("address", ["Main St. 5/7", "No.5/7 Hill Rd.", "c/o Ann, 1. floor", "+49 30/123.45"])
def test_an_address_with_dots_and_slashes_is_no_link(address: str) -> None:
    place = {"kind": "in-person_meeting", "address": address}
    content = detail(None, snapshot(location={"kind": "in-person_meeting", "place": place}))
    assert content["booking"]["location"]["place"] == place
