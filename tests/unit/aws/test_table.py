"""The item of a booking in the table: its attributes, other versions of it, its size."""

import base64
import dataclasses
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from bookings.aws.table import DynamoDBBookingStore, build_item, item_size, parse_change, parse_item
from bookings.domain.booking import Booking, Kind, Status, merge
from bookings.limits import ATTRIBUTE_NAME_BYTES, ITEM_BYTES, KEY_BYTES
from bookings.use_cases.ports import BookingTooLarge
from bookings.zoom.events import CANCELED, CREATED
from tests.samples import REQUEST_ID, created, delivery, sample

FIRST_VERSION = Path(__file__).parents[2] / "data/booking_item.json"


def item_of(**changes: Any) -> dict[str, Any]:
    return build_item(merge(None, delivery(created(**changes), REQUEST_ID)), expires_at=None)


def test_item_has_the_attributes_of_the_contract() -> None:
    types = {
        "S": "booking_id status event_id account_id host_user_id title start end manage_url created_at "
        "updated_at request_id",
        "M": "invitee location zoom_events",
        "L": "guests attendees answers",
        "N": "revision",
        "BOOL": "rescheduled",
    }
    assert {name: next(iter(value)) for name, value in item_of().items()} == {
        name: kind for kind, names in types.items() for name in names.split()
    }


@pytest.mark.parametrize(
    ("host", "is_stored"),
    [("h" * KEY_BYTES, True), ("é" * (KEY_BYTES // 2) + "x", False), ("", False)],
    ids=["longest", "too long", "empty"],
)
def test_host_that_no_index_takes_is_left_out(host: str, is_stored: bool) -> None:
    # failure matrix: 54
    assert ("host_user_id" in item_of(user_id=host)) is is_stored


def test_names_that_dynamodb_refuses_stay_in_the_body() -> None:
    longest = "é" * (ATTRIBUTE_NAME_BYTES // 2) + "n"
    location = {"": "nameless", longest + "n": "too long", longest: "fits", "name": "Room 4"}
    booking = parse_item(item_of(location=location))
    assert isinstance(booking, Booking)
    assert (booking.details.location or {})["place"] == {longest: "fits", "name": "Room 4"}
    assert longest.encode() + b"n" in (booking.deliveries[Kind.CREATED].body or b"")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        # DynamoDB writes 1e38 with all zeros, which boto3 refuses (boto/boto3 issue 2500).
        ({"N": "1" + "0" * 38}, 1e38),
        ({"N": "-25" + "0" * 99}, -2.5e100),
        ({"NULL": True}, None),
    ],
    ids=["1e38", "-2.5e100", "null"],
)
def test_value_that_only_others_write_is_read(value: dict[str, Any], read: object) -> None:
    item = item_of() | {"location": {"M": {"one": value, "all": {"L": [value]}}}}
    after, booking = parse_change({"dynamodb": {"NewImage": item}}).after, parse_item(item)
    assert after
    assert isinstance(booking, Booking)
    assert after.fields["location"] == booking.details.location == {"one": read, "all": [read]}


def test_versions_read_what_the_other_wrote() -> None:
    # failure matrix: 46
    bodies = [
        sample(CREATED) | {"event_ts": 1_795_000_000_000},
        sample(CANCELED) | {"event_ts": 1_795_000_100_000},
    ]
    booking = merge(merge(None, delivery(bodies[0])), delivery(bodies[1]))
    first: dict[str, Any] = json.loads(FIRST_VERSION.read_text())
    present = build_item(dataclasses.replace(booking, revision=1), expires_at=None)
    for event in first["zoom_events"]["M"].values():
        event["M"]["body"] = {"B": base64.b64decode(event["M"]["body"]["B"])}
    read = parse_item(first)
    assert isinstance(read, Booking)
    assert read == parse_item(present)
    for body in bodies:
        assert merge(read, delivery(body)) is read
    later = merge(read, delivery(sample(CREATED) | {"event_ts": 1_795_000_400_000}))
    assert (read.status, later.status) == (Status.CANCELED, Status.CONFIRMED)
    # The first version finds all that it reads.
    for item in (first, present):
        for event in item["zoom_events"]["M"].values():
            event["M"]["body"] = zlib.decompress(event["M"]["body"]["B"])
    assert present["zoom_events"]["M"].items() >= first.pop("zoom_events")["M"].items()
    assert present.items() >= first.items()


def test_attributes_of_a_newer_version_are_ignored() -> None:
    # failure matrix: 46
    item = item_of() | {"added_later": {"M": {"x": {"N": "1"}}}}
    item["zoom_events"]["M"]["created"]["M"]["added_later"] = {"S": "y"}
    assert parse_item(item) == parse_item(item_of())


def test_booking_that_does_not_fit_without_bodies_is_refused() -> None:
    # failure matrix: 51
    booking = merge(None, delivery(created(location={"plan": "x" * ITEM_BYTES})))
    with pytest.raises(BookingTooLarge):
        DynamoDBBookingStore(None, "bookings").save(booking, replacing=None, expires_at=None)


def test_item_size_is_never_below_the_documented_size() -> None:
    # "DynamoDB item sizes and formats", Amazon DynamoDB developer guide, read in November 2026.
    sizes: list[tuple[dict[str, Any], int]] = [
        ({"S": "Zoë 🚗"}, 9),
        ({"B": b"1234567"}, 7),
        ({"N": "0"}, 1),
        ({"N": "-12345"}, 5),
        ({"N": "9" * 38}, 20),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": [{"S": "ab"}, {"L": []}]}, 3 + 3 + 4),
        ({"M": {"é": {"S": "ab"}, "b": {"M": {}}}}, 3 + 5 + 5),
    ]
    for value, documented in sizes:
        assert 0 <= item_size({"name": value}) - len("name") - documented <= 2, value
