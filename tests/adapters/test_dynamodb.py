"""DynamoDBBookingStore: bookings in the table, the conditional write, the size, the stream's records."""

import dataclasses
import itertools
import random
from decimal import Decimal
from functools import reduce
from typing import Any

import boto3
import pytest

from bookings.aws.table import DynamoDBBookingStore, build_item, build_tombstone, item_size, parse_change
from bookings.domain.booking import Booking, Kind, Snapshot, Tombstone, merge
from bookings.limits import ITEM_BYTES
from bookings.use_cases.ports import Change, RevisionConflict
from bookings.zoom.events import CANCELED, CREATED
from tests.adapters.conftest import stream_event
from tests.samples import MORNING_MS, REQUEST_ID, canceled, created, delivery, sample


def booking_of(*bodies: dict[str, Any], revision: int = 1) -> Booking:
    """Returns the booking of some deliveries, ready for its write."""
    merged: Any = reduce(merge, (delivery(body, REQUEST_ID) for body in bodies), None)
    booking: Booking = dataclasses.replace(merged, revision=revision)
    return booking


FIRST = booking_of(created())
SECOND = booking_of(created(), canceled(MORNING_MS + 1), revision=2)
TOMBSTONE = Tombstone(booking_id=FIRST.booking_id, erased_at=MORNING_MS, revision=3)


@pytest.fixture
def store(bookings: None) -> DynamoDBBookingStore:
    return DynamoDBBookingStore(boto3.client("dynamodb"), "bookings")


def saved(store: DynamoDBBookingStore, booking: Booking) -> tuple[Booking, int]:
    """Saves a booking. Returns it as it is loaded, and the number of bodies that it gave up."""
    given_up = store.save(booking, replacing=None, expires_at=1_800_000_000)
    found = store.load(booking.booking_id)
    assert isinstance(found, Booking)
    return found, given_up


def put(item: dict[str, Any]) -> None:
    boto3.client("dynamodb").put_item(TableName="bookings", Item=item)


def rows() -> list[dict[str, Any]]:
    """Returns the items as another program reads them."""
    table: Any = boto3.resource("dynamodb").Table("bookings")
    return list(table.scan()["Items"])


@pytest.mark.parametrize("bodies", [[sample(CREATED)], [sample(CANCELED)], [created(), canceled()]])
def test_booking_is_loaded_as_it_was_saved(
    store: DynamoDBBookingStore, table: dict[str, Any], bodies: list[dict[str, Any]]
) -> None:
    booking = booking_of(*bodies)
    assert store.load(booking.booking_id) is None
    assert saved(store, booking) == (booking, 0)
    (row,) = rows()
    assert row[table["TimeToLiveSpecification"]["AttributeName"]] == 1_800_000_000


AS_NUMBER = [0, -0.0, -5, 2**63 - 1, -(2**63), 0.1, 1.2345678901234567, 1e20, -1e37, 9.999999999999998e37]
SMALLEST = [1e-129, -1.2345678901234567e-128]
# A decimal of 38 digits, zeros included, can't hold these.
AS_TEXT = [1e38, -2.5e100, 1.7976931348623157e308, 9.9e-130, -5e-324]


def test_numbers_are_read_by_us_and_by_boto3(store: DynamoDBBookingStore) -> None:
    numbers = {repr(number): number for number in AS_NUMBER + SMALLEST + AS_TEXT}
    item = build_item(booking_of(created(location=numbers)), None)
    for value in item["location"]["M"]["place"]["M"].values():
        if "N" in value:
            value["N"] = f"{Decimal(value['N']):f}"  # DynamoDB writes all zeros
    put(item)
    expected = {name: name if number in AS_TEXT else number for name, number in numbers.items()}
    booking = store.load(FIRST.booking_id)
    assert isinstance(booking, Booking)
    read = (booking.details.location or {})["place"]
    assert read == expected
    # EventBridge refuses integers of more than 64 bits.
    assert all(-(2**63) <= number < 2**63 for number in read.values() if isinstance(number, int))
    (row,) = rows()
    assert row["location"]["place"] == {
        name: each if isinstance(each, str) else Decimal(repr(each)) for name, each in expected.items()
    }


@pytest.mark.parametrize(
    ("stored", "replacing"),
    [(None, 1), (FIRST, None), (FIRST, 2), (SECOND, 1), (TOMBSTONE, None), (TOMBSTONE, 2)],
    ids=["gone", "there", "older", "newer", "erased", "erased since"],
)
def test_refused_write_raises_with_the_present_item(
    store: DynamoDBBookingStore, stored: Booking | Tombstone | None, replacing: int | None
) -> None:
    # failure matrix: 17, 23, 52
    if stored:
        put(build_tombstone(stored) if isinstance(stored, Tombstone) else build_item(stored, None))
    with pytest.raises(RevisionConflict) as conflict:
        store.save(SECOND, replacing=replacing, expires_at=None)
    assert conflict.value.stored == stored
    assert store.load(FIRST.booking_id) == stored


def four_byte_text(length: int, seed: int) -> str:
    """Returns text that compresses badly, of four bytes a character in UTF-8."""
    chance = random.Random(seed)  # noqa: S311 - data, not a secret
    return "".join(chr(chance.randrange(0x10000, 0x110000)) for _ in range(length))


@pytest.mark.parametrize(
    ("bodies", "stored"),
    [
        ([(created, 1, 50_000), (canceled, 2, 50_000)], {Kind.CREATED, Kind.CANCELED}),
        ([(created, 1, 100_000), (canceled, 2, 100_000)], {Kind.CANCELED}),
        ([(created, 2, 100_000), (canceled, 1, 100_000)], {Kind.CREATED}),
        ([(created, 1, 175_000)], set()),
    ],
    ids=["all fit", "created is older", "canceled is older", "one is too large"],
)
def test_item_gives_up_its_oldest_bodies(
    store: DynamoDBBookingStore, bodies: list[tuple[Any, int, int]], stored: set[Kind]
) -> None:
    # failure matrix: 51
    booking = booking_of(
        *(make(MORNING_MS + at, meeting_notes=four_byte_text(length, at)) for make, at, length in bodies)
    )  # only the body has the notes
    found, given_up = saved(store, booking)
    assert {kind for kind, event in found.deliveries.items() if event.body} == stored
    assert given_up == len(bodies) - len(stored)
    for kind, event in booking.deliveries.items():
        assert dataclasses.replace(found.deliveries[kind], body=event.body) == event


def test_form_at_its_limits_fits_and_keeps_its_details(store: DynamoDBBookingStore) -> None:
    # failure matrix: 51
    answers = [
        {"question": four_byte_text(8192, at), "position": at, "answer": [four_byte_text(1024, -at)]}
        for at in range(10)
    ]
    form: Any = {"questions_and_answers": answers, "summary": four_byte_text(256, 10)}
    booking = booking_of(created(**form), canceled(**form))
    found, given_up = saved(store, booking)
    assert (found.details, given_up) == (booking.details, 2)
    assert found.details.answers == answers
    assert item_size(build_item(found, None)) <= ITEM_BYTES < 400 * 1024  # DynamoDB's limit


def snapshot_of(booking: Booking) -> Snapshot:
    digests = {kind: event.digest for kind, event in booking.deliveries.items()}
    return Snapshot(fields=booking.public_fields(), revision=booking.revision, digests=digests)


def test_stream_holds_the_booking_before_and_after(store: DynamoDBBookingStore) -> None:
    # failure matrix: 52
    store.save(FIRST, replacing=None, expires_at=None)
    store.save(SECOND, replacing=1, expires_at=1_900_000_000)
    put(build_tombstone(TOMBSTONE))
    again = booking_of(created(MORNING_MS + 1), revision=4)
    store.save(again, replacing=3, expires_at=None)
    boto3.client("dynamodb").delete_item(TableName="bookings", Key={"booking_id": {"S": FIRST.booking_id}})
    first, second, third = (snapshot_of(booking) for booking in (FIRST, SECOND, again))
    states = [None, first, second, None, third, None]
    changes = [parse_change(record) for record in stream_event()["Records"]]
    assert changes == [Change(*pair) for pair in itertools.pairwise(states)]
