"""`bookings show`: prints bookings from the table."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from bookings.aws.table import parse_item
from bookings.domain.booking import Booking, Kind, Status, StoredDelivery, Tombstone, event_time_text
from cli.bookings_table import BookingsTable, erased
from cli.output import WrongCallError, console, print_json, printable, progress
from cli.stack import JsonOption, StackOptions, command

if TYPE_CHECKING:
    from cli.bookings_table import Item

_FIRST = ("booking_id", "status", "title", "start", "end", "invitee", "answers")
"""The fields a person looks for, before the others."""

_KINDS = {
    Kind.CREATED: "newest created",
    Kind.CANCELED: "newest canceled",
    Kind.CANCELED_BY_RESCHEDULE: "newest canceled by a reschedule",
}


@command
def show(
    where: StackOptions,
    booking_id: Annotated[
        str | None,
        typer.Argument(metavar="BOOKING_ID", help="One booking, in full; without it all, one a line."),
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="USER_ID", help="Those of this Zoom user that have a start time.")
    ] = None,
    events: Annotated[
        bool, typer.Option("--events", help="Also the deliveries of Zoom that the booking was made from.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the bookings in the table, or one of them in full.

    Without BOOKING_ID and --host the whole table is read. Bookings past their retention are left out.

    Exit code 0 if they could be read, 1 if not or there is no such booking, 2 for a wrong call.
    """
    if booking_id is not None and host is not None:
        raise WrongCallError("BOOKING_ID and --host exclude each other.")
    if events and booking_id is None:
        raise WrongCallError("--events needs a BOOKING_ID.")
    table = BookingsTable(where.find())
    if booking_id is not None:
        booking = _booking(table, booking_id)
        if as_json:
            print_json(_as_dict(booking, events=events))
        else:
            console().print(_in_full(booking, events=events))
        return
    with progress("Reading bookings …"):
        bookings = sorted(
            _bookings(table.items_of_host(host) if host is not None else table.items()),
            key=lambda booking: (booking.details.start or "", booking.booking_id),
        )
    if as_json:
        print_json([_as_dict(booking, events=False) for booking in bookings])
    else:
        console().print(_overview(bookings))


def _booking(table: BookingsTable, booking_id: str) -> Booking:
    """Returns one booking.

    Raises:
        CommandError: there is none of this id, or it was erased.
    """
    found = parse_item(table.item(booking_id))
    if isinstance(found, Tombstone):
        raise erased(found.booking_id, found.erased_at)
    return found


def _bookings(items: "Iterable[Item]") -> Iterator[Booking]:
    for item in items:
        found = parse_item(item)
        if isinstance(found, Booking):
            yield found


def _as_dict(booking: Booking, *, events: bool) -> dict[str, Any]:
    said = booking.public_fields() | {"revision": booking.revision}
    if events:
        said["zoom_events"] = {str(kind): _event_as_dict(event) for kind, event in booking.deliveries.items()}
    return said


def _event_as_dict(event: StoredDelivery) -> dict[str, Any]:
    return {
        "event_time": event_time_text(event.event_time),
        "digest": event.digest,
        "request_id": event.request_id,
        "body": None if event.body is None else json.loads(event.body),
    }


def _overview(bookings: list[Booking]) -> RenderableType:
    if not bookings:
        return Text("No bookings.")
    # The id has a line of its own, so that it stays in one piece on a terminal of 80 columns.
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Start (UTC)", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column("Booking", overflow="fold")
    for booking in bookings:
        invitee = booking.details.invitee or {}
        parts = [booking.details.title, invitee_name(invitee)]
        table.add_row(
            _text(_moment(booking.details.start)),
            _status(booking, separator="\n"),
            Group(_text(", ".join(part for part in parts if part)), _text(booking.booking_id, style="dim")),
        )
    return table


def _in_full(booking: Booking, *, events: bool) -> RenderableType:
    fields = _as_dict(booking, events=False)
    grid = _grid({name: fields[name] for name in sorted(fields, key=_place)} | {"status": booking})
    if not events:
        return grid
    return Group(grid, *(_delivery(kind, event) for kind, event in booking.deliveries.items()))


def _place(field: str) -> int:
    return _FIRST.index(field) if field in _FIRST else len(_FIRST)


def _grid(fields: dict[str, Any]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields.items():
        grid.add_row(_text(name.replace("_", " ")), _value(name, value))
    return grid


def _value(name: str, value: Any) -> RenderableType:
    shown: RenderableType
    match value:
        case Booking():
            shown = _status(value)
        case bool():
            shown = Text("yes" if value else "no")
        case str() if name in ("start", "end"):
            shown = _text(f"{_moment(value)} UTC")
        case {"question": question, "answer": list(answers)}:
            shown = Group(_text(question), *(_text(answer, style="bold") for answer in answers))
        case dict():
            shown = _grid(value)
        case list():
            shown = Group(*(_value(name, item) for item in value))
        case _:
            shown = _text(value)
    return shown


def _delivery(kind: Kind, event: StoredDelivery) -> RenderableType:
    head = Text.assemble(
        "\n",
        (_KINDS[kind], "bold"),
        f", {event_time_text(event.event_time)}, request {event.request_id or 'unknown'}",
    )
    if event.body is None:
        return Group(head, Text("Its body was given up for size."))
    return Group(head, JSON(printable(event.body.decode()), ensure_ascii=False))


def _status(booking: Booking, separator: str = ", ") -> Text:
    said = Text(str(booking.status), style="green" if booking.status is Status.CONFIRMED else "red")
    return said.append(f"{separator}rescheduled", style="dim") if booking.rescheduled else said


def _moment(stored: str | None) -> str:
    """A stored time, 2026-11-22T16:00:00Z, as a person reads it."""
    return f"{stored[:10]} {stored[11:16]}" if stored else ""


def invitee_name(invitee: dict[str, Any]) -> str | None:
    name = " ".join(part for part in (invitee.get("first_name"), invitee.get("last_name")) if part)
    return name or invitee.get("email")


def _text(value: object, style: str = "") -> Text:
    return Text(printable(str(value)) if value is not None else "", style=style)
