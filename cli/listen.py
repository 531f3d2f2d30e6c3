"""`bookings listen`: prints the events of the bus as they come."""

import json
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.output import WrongCallError, console, object_in, printable
from cli.show import invitee_name
from cli.stack import StackOptions, command
from cli.temporary_rule import temporary_rule

_WAIT_SECONDS = 5  # of a receive; below the local read time-out


@command
def listen(
    where: StackOptions,
    pattern: Annotated[
        str, typer.Option("--pattern", metavar="JSON", help="An EventBridge pattern of the events.")
    ] = '{"source": ["bookings"]}',
    raw: Annotated[
        bool, typer.Option("--raw", "--json", help="Print each event whole, as one line of JSON.")
    ] = False,
) -> None:
    """Print the events of the bus as they come, until Ctrl-C.

    A temporary rule and queue bring them, and are removed at the end. If the command is killed, the next one
    removes them after a day. A new rule takes effect within a minute. No other subscriber notices.

    Exit code 0 after Ctrl-C, 1 if the events can't be read, 2 for a wrong call.
    """
    if object_in(pattern) is None:
        raise WrongCallError("""--pattern must be a JSON object, such as '{"source": ["bookings"]}'.""")
    stack = where.find()
    with suppress(KeyboardInterrupt), temporary_rule(stack, pattern) as rule:
        typer.echo(f"Listening to {stack.name}. Ctrl-C ends it.", err=True)
        while True:
            for event in rule.receive(_WAIT_SECONDS):
                if raw:
                    typer.echo(json.dumps(event))
                else:
                    console().print(_line(event), soft_wrap=True)


def _line(event: dict[str, Any]) -> Text:
    """Returns time, type, title, invitee and booking id; of another event than ours as far as it has them."""
    detail = event.get("detail", {})
    booking = detail.get("booking") or {}
    names = (booking.get("title"), invitee_name(booking.get("invitee") or {}))
    about = ", ".join(name for name in names if name)
    metadata = detail.get("metadata") or {}
    parts = [
        (str(event.get("time", "")).replace("T", " ").removesuffix("Z"), "dim"),
        (str(event.get("detail-type", "")), "bold"),
        (about, ""),
        (str(metadata.get("booking_id") or event.get("source", "")), "dim"),
    ]
    return Text("  ").join(
        Text(printable(text).replace("\n", " "), style=style) for text, style in parts if text
    )
