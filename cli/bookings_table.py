"""Reads the bookings table: for operators, since no function reads all of it."""

import time
from collections.abc import Iterator
from itertools import batched
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bookings.domain.booking import event_time_text
from cli.output import CommandError
from cli.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    Item = dict[str, AttributeValueTypeDef]

BookingIds = Annotated[
    list[str] | None, typer.Argument(metavar="BOOKING_ID...", help="The bookings, as `show` lists them.")
]

_BY_HOST = "by_host"
_KEYS_A_READ = 100  # BatchGetItem's limit


class BookingsTable:
    """The items of a stack's table, tombstones among them, less those past their retention."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._client = stack.dynamodb()
        self._name = stack.output("BookingsTableName")

    def item(self, booking_id: str) -> "Item":
        """Returns one item.

        Raises:
            CommandError: there is none of this id.
        """
        item = self._read_item(booking_id)
        if item is None or _expired(item):
            raise CommandError(f"There is no booking {booking_id} in {self._stack.name}.")
        return item

    def has(self, booking_id: str) -> bool:
        return self._read_item(booking_id) is not None

    def delete(self, booking_id: str) -> None:
        """Deletes an item without a trace. A late delivery makes the booking again."""
        with self._stack.errors_explained(f"delete the booking {booking_id}"):
            self._client.delete_item(TableName=self._name, Key={"booking_id": {"S": booking_id}})

    def booking_ids(self) -> Iterator[str]:
        """Yields the id of each booking, past its retention or not, and of no erased one."""
        with self._stack.errors_explained("read the bookings"):
            pages = self._client.get_paginator("scan").paginate(
                TableName=self._name,
                ProjectionExpression="booking_id",
                FilterExpression="attribute_not_exists(erased_at)",
            )
            yield from (item["booking_id"]["S"] for page in pages for item in page["Items"])

    def items(self) -> "Iterator[Item]":
        with self._stack.errors_explained("read the bookings"):
            for page in self._client.get_paginator("scan").paginate(TableName=self._name):
                yield from _unexpired(page["Items"])

    def items_of_host(self, user_id: str) -> "Iterator[Item]":
        with self._stack.errors_explained("read the bookings"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._name,
                IndexName=_BY_HOST,
                KeyConditionExpression="host_user_id = :host",
                ExpressionAttributeValues={":host": {"S": user_id}},
                ProjectionExpression="booking_id",
            )
            keys = [item for page in pages for item in page["Items"]]
            for some in batched(keys, _KEYS_A_READ, strict=False):
                yield from _unexpired(self._read(list(some)))

    def _read_item(self, booking_id: str) -> "Item | None":
        with self._stack.errors_explained("read the bookings"):
            return self._client.get_item(
                TableName=self._name, Key={"booking_id": {"S": booking_id}}, ConsistentRead=True
            ).get("Item")

    def _read(self, keys: "list[Item]") -> "Iterator[Item]":
        wanted: Any = {self._name: {"Keys": keys}}
        while wanted:
            answer = self._client.batch_get_item(RequestItems=wanted)
            yield from answer["Responses"][self._name]
            wanted = answer["UnprocessedKeys"]


def erased(booking_id: str, erased_at: int) -> CommandError:
    """The error of a command that was asked for an erased booking."""
    return CommandError(f"Booking {booking_id} was erased ({event_time_text(erased_at)}).")


def _unexpired(items: "Iterator[Item] | list[Item]") -> "Iterator[Item]":
    return (item for item in items if not _expired(item))


def _expired(item: "Item") -> bool:
    """DynamoDB deletes an expired item within days; until then readers leave it out."""
    return "expires_at" in item and int(item["expires_at"]["N"]) <= time.time()
