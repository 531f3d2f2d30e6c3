"""Domain events: the transition table, ids that identify, and access links that stay private."""

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from bookings.domain.booking import Booking, Kind, Snapshot, merge
from bookings.domain.events import EventType, domain_event
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


# failure matrix: 4
@pytest.mark.parametrize(("before", "after", "expected"), TRANSITIONS.values(), ids=TRANSITIONS)
def test_a_change_is_announced_by_the_transition_table(
    before: dict[str, Any] | None, after: dict[str, Any], expected: EventType | None
) -> None:
    first = snapshot(1, **before) if before else None
    event = domain_event(first, snapshot(2, **after), share_access_links=False)
    assert (event.detail_type if event else None) == expected


def test_an_event_has_metadata_booking_and_previous() -> None:
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


def test_an_absent_field_of_previous_stays_absent() -> None:
    assert detail(None, snapshot())["previous"] is None
    assert detail(snapshot(1, location=None, end=None), snapshot(2))["previous"] == {
        "status": "confirmed",
        "rescheduled": False,
        "start": "2026-11-25T16:00:00Z",
    }


# failure matrix: 27
def test_the_same_change_is_the_same_text() -> None:
    before, after = snapshot(), snapshot(2, title="Zweites Gespräch")
    reordered = replace(after, fields=dict(reversed(after.fields.items())))
    assert announced(before, reordered) == announced(before, after)
    # In UTF-8 and not escaped: an event has an upper size.
    assert "Zweites Gespräch" in announced(before, after).detail


# failure matrix: 46
def test_every_version_gives_a_change_the_same_id() -> None:
    before, after = snapshot(1), Snapshot(snapshot().fields | {"title": "New"}, 2, {Kind.CANCELED: "d" * 64})
    # While versions run side by side, a change that both announce is one event to subscribers. By sha256sum:
    # booking, revision, and `before KIND DIGEST`, `after KIND DIGEST` of each kind, joined by line feeds.
    assert detail(None, before)["metadata"]["id"] == "ce0f70487646cb2f0a9f87a6051c3db3"
    assert detail(before, after)["metadata"]["id"] == "776b13fede70504c09b1c2d79e2d0571"


@pytest.mark.parametrize(
    "other",
    [
        snapshot(2, booking_id="evt-2-0123456789abcdef"),
        snapshot(3),
        Snapshot(snapshot().fields, 2, {Kind.CREATED: "d" * 64}),
        Snapshot(snapshot().fields, 2, {Kind.CANCELED: "c" * 64}),
        Snapshot(snapshot().fields, 2, {Kind.CREATED: "c" * 64, Kind.CANCELED: "c" * 64}),
    ],
    ids=["booking", "revision", "digest", "kind", "one more delivery"],
)
def test_another_change_has_another_id(other: Snapshot) -> None:
    assert detail(None, snapshot(2))["metadata"]["id"] != detail(None, other)["metadata"]["id"]


# failure matrix: 44
def test_a_rebuilt_table_uses_no_id_for_another_event() -> None:
    bodies = [created(T, summary=""), created(T + 1, summary="New"), canceled(T + 2), created(T + 3)]
    seen: dict[str, Envelope] = {}
    for order in itertools.permutations(bodies):
        booking: Booking | None = None
        before: Snapshot | None = None
        for body in order:
            merged = merge(booking, delivery(body))
            if merged is not booking:
                booking = merged
                digests = {kind: event.digest for kind, event in booking.deliveries.items()}
                after = Snapshot(booking.public_fields(), (before.revision if before else 0) + 1, digests)
                event = domain_event(before, after, share_access_links=True)
                before = after
                if event:
                    event_id = json.loads(event.detail)["metadata"]["id"]
                    assert seen.setdefault(event_id, event) == event


def test_a_test_booking_has_a_source_of_its_own() -> None:
    assert announced(None, snapshot(event_id="bookings-check-7")).source == "bookings.check"


# failure matrix: 37
def test_unknown_fields_are_announced_as_they_are() -> None:
    fields: dict[str, Any] = {
        "title": "Zoë 🚗",
        "tracking": {"utm_id": 42, "new": [1.5, True]},
        "payment": {"status": "paid"},
    }
    booking = detail(None, snapshot(**fields))["booking"]
    assert {name: booking[name] for name in fields} == fields


# Parts of a location, and what subscribers see of them while ShareAccessLinks is false.
LOCATIONS: dict[str, tuple[Any, Any]] = {
    "join link and passcode": (
        {"meeting_id": "9", "meeting_join_url": "https://zoom.us/j/9", "meeting_passcode": "1"},
        {"meeting_id": "9"},
    ),
    "any spelling": (
        {"Password": "1", "joinURL": "x", "h323_pwd": "1", "accessCode": "1", "Link": "x"},
        None,
    ),
    "PINs": ({"pin": "1", "host_pin": "1", "dialInPin": "1", "PIN": 1, "phone": "+1"}, {"phone": "+1"}),
    "no PINs": ({"shipping": "a", "pinned": True, "opinion": "b"},) * 2,
    "an invitation": ({"meeting_description": "PIN: 1", "description": "Hall"}, {"description": "Hall"}),
    "nested": (
        {"numbers": [{"phone": "+1", "link": "x"}, {"pwd": "1"}, "https://a.example/1"]},
        {"numbers": [{"phone": "+1"}]},
    ),
    "a link in an address": (
        {"address": "Harbour Cafe, 12 Harbour St (map: https://maps.example.com/?q=12+Harbour+St)"},
        {"address": "Harbour Cafe, 12 Harbour St (map: )"},
    ),
    "a link without a scheme": (
        {"a": "Join us02web.zoom.us/j/9, room 5", "b": "MEET.GOOGLE.COM/abc", "c": ".zoom.us/j/9"},
        {"a": "Join , room 5"},
    ),
    "other links": (
        {
            "a": "zoommtg://zoom.us/join?confno=9",
            "b": "https%3A%2F%2Fzoom.us%2Fj%2F9",
            "c": "会議室https://a.jp/1",
        },
        {"c": "会議室"},
    ),
    "links in a row": ({"a": "(https://a.b/c),(https://d.e/f) 2nd floor"}, {"a": "() 2nd floor"}),
    "no links": (
        {"a": "Main St. 5/7", "b": "ring at no.2/back door", "c": "+49 30/123.45", "d": "c/o Ann, 1. floor"},
    )
    * 2,
    "numbers": ({"floor": 0, "fee": 49.9, "open": False},) * 2,
    "only a link": ({"place": "https://a.example/1"}, None),
}


# failure matrix: 43
@pytest.mark.parametrize(("place", "shown"), LOCATIONS.values(), ids=LOCATIONS)
def test_a_location_is_shared_without_access(place: Any, shown: Any) -> None:
    fields = {"manage_url": "https://zoom.us/manage/9", "location": {"place": place}}
    content = detail(snapshot(1, status="canceled", **fields), snapshot(2, **fields))
    expected = None if shown is None else {"place": shown}
    assert content["booking"].get("location") == content["previous"].get("location") == expected
    assert "manage_url" not in content["booking"]


@pytest.mark.parametrize(("place", "_shown"), LOCATIONS.values(), ids=LOCATIONS)
def test_where_shared_a_location_is_whole(place: Any, _shown: Any) -> None:
    fields = {"manage_url": "https://zoom.us/manage/9", "location": {"place": place}}
    after = snapshot(2, **fields)
    content = detail(snapshot(1, status="canceled", **fields), after, share=True)
    assert content["booking"]["location"] == content["previous"]["location"] == {"place": place}
    assert content["booking"]["manage_url"] == "https://zoom.us/manage/9"
    assert after.fields["location"] == {"place": place}


@pytest.mark.parametrize("part", ["a", "a.", "://", "a.bb", "a.bb:1", ")", "a.bb/", "%3a", "-.", "a. "])
def test_a_long_text_is_read_in_linear_time(part: str) -> None:
    # A pattern that goes back for each character would take hours.
    place = {"text": part * (700_000 // len(part)), "floor": 1}
    assert detail(None, snapshot(location={"place": place | {"text": None}}))["booking"]["location"] == {
        "place": {"floor": 1}
    }
    domain_event(None, snapshot(location={"place": place}), share_access_links=False)


IDA, ULF = {"email": "ida@guest.example"}, {"email": "ulf@guest.example"}
# A change of one field, and whether it is a BookingUpdated without and with shared access links.
UPDATES: dict[str, tuple[dict[str, Any], dict[str, Any], bool, bool]] = {
    "manage_url": ({"manage_url": "https://a"}, {"manage_url": "https://b"}, False, False),
    "a join link": (
        {"location": {"online_meeting": {"join_url": "https://a"}}},
        {"location": {"online_meeting": {"join_url": "https://b"}}},
        False,
        True,
    ),
    "a map link": (
        {"location": {"place": {"address": "Hill Rd https://a.example/1"}}},
        {"location": {"place": {"address": "Hill Rd https://a.example/2"}}},
        False,
        True,
    ),
    "an address": (
        {"location": {"place": {"address": "12 Harbour St https://a.example/1"}}},
        {"location": {"place": {"address": "99 Hill Rd https://a.example/2"}}},
        True,
        True,
    ),
    "guests in another order": ({"guests": ["a", "b"]}, {"guests": ["b", "a"]}, False, False),
    "another guest": ({"guests": ["a"]}, {"guests": ["a", "b"]}, True, True),
    "attendees in another order": ({"attendees": [IDA, ULF]}, {"attendees": [ULF, IDA]}, False, False),
    "an attendee less": ({"attendees": [IDA, ULF]}, {"attendees": [IDA]}, True, True),
    "a payment": ({"payment": {"status": "pending"}}, {"payment": {"status": "paid"}}, True, True),
}


@pytest.mark.parametrize(("before", "after", "private", "shared"), UPDATES.values(), ids=UPDATES)
def test_an_update_is_what_subscribers_can_see(
    before: dict[str, Any], after: dict[str, Any], private: bool, shared: bool
) -> None:
    for share, updated in ((False, private), (True, shared)):
        event = domain_event(snapshot(1, **before), snapshot(2, **after), share_access_links=share)
        assert (event.detail_type if event else None) == (EventType.BOOKING_UPDATED if updated else None)
