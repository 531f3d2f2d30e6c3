"""The bookings table in DynamoDB: its item, its conditional write, its stream."""

import dataclasses
import zlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from bookings.aws.clients import call, translated_errors
from bookings.domain.booking import (
    Booking,
    Details,
    Kind,
    Snapshot,
    Status,
    StoredDelivery,
    Tombstone,
)
from bookings.limits import ATTRIBUTE_NAME_BYTES, INT64_MAX, INT64_MIN, ITEM_BYTES, KEY_BYTES
from bookings.use_cases.ports import BookingTooLarge, Change, RevisionConflict, StreamRecord

_SERVICE = "DynamoDB"

# DynamoDB's numbers go down to 10^-130. It writes a large one with all its zeros, and boto3 refuses to read
# more than 38 digits. Only a field that Zoom may add could hold such a number.
_SMALLEST, _BEYOND = 1e-129, 1e38

_OURS = {"revision", "zoom_events", "expires_at", "erased_until"}  # the attributes that no subscriber sees

_serialize = TypeSerializer().serialize


class DynamoDBBookingStore:
    """Reads and writes bookings."""

    def __init__(self, client: Any, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def load(self, booking_id: str) -> Booking | Tombstone | None:
        with translated_errors(_SERVICE):
            answer = call(
                self._client.get_item,
                TableName=self._table_name,
                Key={"booking_id": {"S": booking_id}},
                ConsistentRead=True,
            )
        return parse_item(answer["Item"]) if "Item" in answer else None

    def save(self, booking: Booking, *, replacing: int | None, expires_at: int | None) -> int:
        item, given_up = _fitting_item(booking, expires_at)
        if replacing is None:
            condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(booking_id)"}
        else:
            condition = {
                "ConditionExpression": "revision = :revision",
                "ExpressionAttributeValues": {":revision": {"N": str(replacing)}},
            }
        with translated_errors(_SERVICE):
            try:
                call(
                    self._client.put_item,
                    TableName=self._table_name,
                    Item=item,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **condition,
                )
            except self._client.exceptions.ConditionalCheckFailedException as refusal:
                stored = refusal.response.get("Item")
                raise RevisionConflict(parse_item(stored) if stored else None) from None
        return given_up


def build_item(booking: Booking, expires_at: int | None) -> dict[str, Any]:
    """Returns the item of a booking in attribute-value form. An absent value has no attribute."""
    values = booking.public_fields() | {
        "revision": booking.revision,
        "zoom_events": {
            str(kind): {
                name: value
                for name, value in (
                    ("event_time", event.event_time),
                    ("digest", event.digest),
                    ("rescheduled", event.rescheduled),
                    ("request_id", event.request_id),
                    ("cancellation", event.cancellation),
                    ("body", None if event.body is None else zlib.compress(event.body)),
                )
                if value is not None
            }
            for kind, event in booking.deliveries.items()
        },
    }
    if expires_at is not None:
        values["expires_at"] = expires_at
    if booking.erased_until is not None:
        values["erased_until"] = booking.erased_until
    if len(values.get("host_user_id", "").encode()) > KEY_BYTES:
        del values["host_user_id"]  # DynamoDB would refuse the item for a longer key of its index
    return {name: _serialize(part) for name, item in values.items() if (part := _storable(item)) is not None}


def build_tombstone(tombstone: Tombstone) -> dict[str, Any]:
    """Returns the item of an erased booking, in attribute-value form."""
    values = {
        "booking_id": tombstone.booking_id,
        "revision": tombstone.revision,
        "erased_at": tombstone.erased_at,
    }
    return {name: _serialize(value) for name, value in values.items()}


def parse_item(item: Mapping[str, Any]) -> Booking | Tombstone:
    """Returns the booking or tombstone in an item in attribute-value form."""
    values = {name: _plain(value) for name, value in item.items()}
    if "erased_at" in values:
        return Tombstone(
            booking_id=values["booking_id"], erased_at=values["erased_at"], revision=values["revision"]
        )
    names = [field.name for field in dataclasses.fields(Details)]
    return Booking(
        booking_id=values["booking_id"],
        status=Status(values["status"]),
        rescheduled=values["rescheduled"],
        details=Details(**{name: values[name] for name in names if name in values}),
        deliveries=MappingProxyType(
            {Kind(kind): _stored_delivery(stored) for kind, stored in values["zoom_events"].items()}
        ),
        revision=values["revision"],
        erased_until=values.get("erased_until"),
    )


def parse_change(record: StreamRecord) -> Change:
    """Returns the change in a record of the table's stream, as Lambda passes it."""
    images = record["dynamodb"]
    return Change(_snapshot(images.get("OldImage")), _snapshot(images.get("NewImage")))


def item_size(item: Mapping[str, Any]) -> int:
    """Returns an upper bound of an item's size as DynamoDB counts it, in bytes."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _fitting_item(booking: Booking, expires_at: int | None) -> tuple[dict[str, Any], int]:
    """Returns the item, and the number of stored bodies that it gave up, the oldest first."""
    for given_up, smaller in enumerate(_giving_up_bodies(booking)):
        item = build_item(smaller, expires_at)
        if item_size(item) <= ITEM_BYTES:
            return item, given_up
    raise BookingTooLarge


def _giving_up_bodies(booking: Booking) -> Iterator[Booking]:
    yield booking
    smaller = dict(booking.deliveries)
    for kind, event in sorted(booking.deliveries.items(), key=lambda entry: entry[1].order):
        if event.body is not None:
            smaller[kind] = dataclasses.replace(event, body=None)
            yield dataclasses.replace(booking, deliveries=dict(smaller))


def _stored_delivery(values: dict[str, Any]) -> StoredDelivery:
    return StoredDelivery(
        event_time=values["event_time"],
        digest=values["digest"],
        rescheduled=values["rescheduled"],
        request_id=values.get("request_id"),
        cancellation=values.get("cancellation"),
        body=zlib.decompress(values["body"]) if "body" in values else None,
    )


def _snapshot(image: Mapping[str, Any] | None) -> Snapshot | None:
    if image is None or "erased_at" in image:
        return None
    return Snapshot(
        fields={name: _plain(value) for name, value in image.items() if name not in _OURS},
        revision=int(image["revision"]["N"]),
        digests={
            Kind(kind): delivery["M"]["digest"]["S"] for kind, delivery in image["zoom_events"]["M"].items()
        },
    )


def _storable(value: Any) -> Any:
    """Returns a value that DynamoDB takes, None if nothing is left of it.

    A float becomes a decimal, or text if a decimal can't hold it. A name that DynamoDB refuses is left out of
    its map. The stored body has it.
    """
    if isinstance(value, dict):
        parts = {
            name: stored
            for name, item in value.items()
            if 0 < len(name.encode()) <= ATTRIBUTE_NAME_BYTES and (stored := _storable(item)) is not None
        }
        return parts or None
    if isinstance(value, list):
        return [stored for item in value if (stored := _storable(item)) is not None] or None
    if isinstance(value, float):
        fits = value == 0 or _SMALLEST <= abs(value) < _BEYOND
        return Decimal(repr(value)) if fits else repr(value)
    return value


def _plain(value: Mapping[str, Any]) -> Any:
    """Returns the JSON value of an attribute value.

    boto3's deserializer fails on a number of more than 38 digits, zeros included (boto/boto3 issue 2500).
    """
    ((kind, content),) = value.items()
    match kind:
        case "M":
            return {name: _plain(item) for name, item in content.items()}
        case "L":
            return [_plain(item) for item in content]
        case "N":
            number = Decimal(content)
            whole = INT64_MIN <= number <= INT64_MAX and number == number.to_integral_value()
            return int(number) if whole else float(number)
        case "B":
            return bytes(content)
        case "NULL":
            return None
        case _:
            return content


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            return len(content) // 2 + 2
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(item) for name, item in content.items())
        case "L":
            return 3 + sum(1 + _value_size(item) for item in content)
        case _:
            return 1
