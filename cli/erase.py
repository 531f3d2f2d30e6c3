"""`bookings erase`: deletes what a booking holds of a person, and keeps it deleted."""

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from bookings.aws.table import build_tombstone, parse_item
from bookings.domain.booking import Tombstone, event_time_text
from cli.output import CommandError, WrongCallError, console, errors_shown, print_json
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
    with errors_shown():
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

    Its time is now, or that of the newest erased delivery: this clock may be behind Zoom's.

    Raises:
        CommandError: there is no such booking, or it is being written without end.
    """
    client = stack.dynamodb()
    with stack.errors_explained("erase the booking"):
        for _ in range(_ATTEMPTS):
            revision, newest = _standing(client, stack, booking_id)
            tombstone = Tombstone(booking_id=booking_id, erased_at=max(now_ms, newest), revision=revision + 1)
            try:
                client.put_item(
                    TableName=stack.output("BookingsTableName"),
                    Item=build_tombstone(tombstone),
                    ConditionExpression="revision = :revision",
                    ExpressionAttributeValues={":revision": {"N": str(revision)}},
                )
            except client.exceptions.ConditionalCheckFailedException:
                continue
            return tombstone
    raise CommandError(f"Booking {booking_id} is being written all the time; try again.")


def _standing(client: "DynamoDBClient", stack: Stack, booking_id: str) -> tuple[int, int]:
    """Returns the revision that stands there, and the time of the newest delivery or erasure in it."""
    item = client.get_item(
        TableName=stack.output("BookingsTableName"),
        Key={"booking_id": {"S": booking_id}},
        ConsistentRead=True,
    ).get("Item")
    if item is None:
        raise CommandError(f"There is no booking {booking_id} in {stack.name}.")
    found = parse_item(item)
    if isinstance(found, Tombstone):
        return found.revision, found.erased_at
    return found.revision, max(found.newest.event_time, found.erased_until or 0)
