"""`bookings erase`: deletes what the stack holds of a person, and keeps it deleted."""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from bookings.aws.table import build_tombstone, parse_item
from bookings.domain.booking import Tombstone, booking_id_of, event_time_text
from cli.bookings_table import BookingIds, BookingsTable
from cli.messages import QUEUES, Message, waiting_messages
from cli.output import CommandError, WrongCallError, console, print_json, progress
from cli.stack import JsonOption, Stack, StackOptions, YesOption, command

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ATTEMPTS = 5  # each lost one means that a delivery was recorded in between


@command
def erase(
    where: StackOptions,
    booking_ids: BookingIds = None,
    invitee: Annotated[
        str | None,
        typer.Option(metavar="EMAIL", help="All of this invitee; - reads the address from standard input."),
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Erase bookings for good, in the table, the quarantine and the DLQs.

    The table keeps the pseudonymous id and the time. Older deliveries are dropped, however they come again. A
    new booking under the same id is recorded. No event is announced: subscribers erase their own data. The
    archive forgets by itself. --invitee reads the whole table. Guests are not invitees.

    Exit code 0 if something was erased, 1 if there was nothing or it failed in part, 2 for a wrong call.
    """
    if bool(booking_ids) == (invitee is not None):
        raise WrongCallError("Say which: BOOKING_ID... or --invitee EMAIL.")
    stack = where.find()
    which = "the invitee" if invitee else ", ".join(booking_ids or ())
    stack.confirm(f"Erase {which} for good in", yes=yes)
    email = sys.stdin.readline() if invitee == "-" else invitee
    if email is not None and "@" not in email:
        raise WrongCallError("--invitee must be an e-mail address, or - to read one from standard input.")
    ids = booking_ids or []
    with progress("Reading bookings …") as reading:
        for number, each in enumerate(BookingsTable(stack).booking_ids() if email else (), 1):
            reading.update(f"{number} bookings read …")
            ids += [each] if _is_of(each, email) else []
    erased, problems = [], []
    for booking_id in dict.fromkeys(ids):
        try:
            tombstone = erase_booking(stack, booking_id, now_ms=time.time_ns() // 1_000_000)
            erased.append({"booking_id": booking_id, "erased_at": event_time_text(tombstone.erased_at)})
        except CommandError as error:
            problems.append(str(error))
    deleted = []
    with waiting_messages(stack, QUEUES) as messages:
        for message in messages:
            if _concerns(message, ids, email):
                message.delete()
                deleted.append({"queue": message.queue, "message_id": message.sqs["MessageId"]})
    if as_json:
        print_json({"bookings": erased, "messages": deleted})
    else:
        text = "Erased {booking_id}: deliveries up to {erased_at} are dropped from now on."
        lines = [text.format(**each) for each in erased]
        lines += ["Deleted message {message_id} of {queue}.".format(**each) for each in deleted]
        for line in lines:
            console().print(Text(line), soft_wrap=True)
    if not (erased or deleted or problems):
        problems = [f"There is nothing of this invitee in {stack.name}."]
    if problems:
        raise CommandError(" ".join(problems))


def _is_of(booking_id: str, email: str | None) -> bool:
    """Returns whether a booking is of this invitee: its id holds a hash of both."""
    return booking_id_of(booking_id.rpartition("-")[0], email) == booking_id


def _concerns(message: Message, ids: list[str], email: str | None) -> bool:
    booking_id = message.booking_id
    if booking_id:
        return booking_id in ids or (email is not None and _is_of(booking_id, email))
    # A body that is no JSON: it can't be replayed.
    text = (message.delivery or b"").decode(errors="replace").lower()
    return email is not None and email.strip().lower() in text


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
