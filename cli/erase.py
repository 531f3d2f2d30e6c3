"""`bookings erase`: deletes what a booking holds of a person, and keeps it deleted."""

import time
from typing import TYPE_CHECKING, Annotated

import typer
from bookings.aws.table import build_tombstone, parse_item
from bookings.booking import Booking, Tombstone, event_time_text
from rich.text import Text

from cli.output import CommandError, WrongCallError, console, errors_told, print_json
from cli.stack import JsonOption, LocalOption, Stack, StackOption, find_stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ATTEMPTS = 5  # each lost one means that a delivery was recorded in between


def erase(
    booking_id: Annotated[str, typer.Argument(metavar="BOOKING_ID", help="The booking, as `show` lists it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    local: LocalOption = False,
    stack: StackOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a booking for good, leaving its id and the time.

    Deliveries of before, however they come again, are dropped; a new booking under the same id is recorded.
    No event is announced: what subscribers have of it is theirs to erase. The archive forgets by itself.
    """
    with errors_told():
        found = find_stack(local=local, name=stack)
        if not yes:
            if as_json:
                raise WrongCallError("--json asks nothing: say --yes.")
            typer.confirm(f"Erase booking {booking_id} in {found.name}? It can't be undone.", abort=True)
        tombstone = erase_booking(found, booking_id, now_ms=time.time_ns() // 1_000_000)
    erased_at = event_time_text(tombstone.erased_at)
    if as_json:
        print_json({"booking_id": booking_id, "erased_at": erased_at})
    else:
        console().print(Text(f"Erased {booking_id}: deliveries up to {erased_at} are dropped from now on."))


def erase_booking(stack: Stack, booking_id: str, *, now_ms: int) -> Tombstone:
    """Replaces a booking's item by its tombstone.

    Raises:
        CommandError: there is no such booking, or it is being written without end.
    """
    client = stack.dynamodb()
    with stack.errors_explained("erase the booking"):
        for _ in range(_ATTEMPTS):
            stored = _stored(client, stack, booking_id)
            # Zoom's clock may be ahead of ours: what is in the booking already must not come back either.
            erased_at = max(now_ms, _newest_ms(stored))
            tombstone = Tombstone(booking_id=booking_id, erased_at=erased_at, revision=stored.revision + 1)
            try:
                client.put_item(
                    TableName=stack.output("BookingsTableName"),
                    Item=build_tombstone(tombstone),
                    ConditionExpression="revision = :revision",
                    ExpressionAttributeValues={":revision": {"N": str(stored.revision)}},
                )
            except client.exceptions.ConditionalCheckFailedException:
                continue
            return tombstone
    raise CommandError(f"Booking {booking_id} is being written all the time; try again.")


def _stored(client: "DynamoDBClient", stack: Stack, booking_id: str) -> Booking | Tombstone:
    item = client.get_item(
        TableName=stack.output("BookingsTableName"),
        Key={"booking_id": {"S": booking_id}},
        ConsistentRead=True,
    ).get("Item")
    if item is None:
        raise CommandError(f"There is no booking {booking_id} in {stack.name}.")
    return parse_item(item)


def _newest_ms(stored: Booking | Tombstone) -> int:
    return stored.erased_at if isinstance(stored, Tombstone) else stored.newest.event_time
