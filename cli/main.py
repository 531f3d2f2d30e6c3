"""The operator's command, `bookings`."""

from typing import Any

import typer
from typer.core import TyperCommand

from cli import dlq, quarantine
from cli.announce import announce
from cli.check import check
from cli.erase import erase
from cli.listen import listen
from cli.recover import recover
from cli.rotate_secret import rotate_secret
from cli.send import send
from cli.show import show
from local.commands import app as local


class BookingCommand(TyperCommand):
    """A command that takes a booking id. An id may begin with a dash, so the error for it mentions `--`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if type(error).__name__ == "NoSuchOption":  # typer does not export the class
                hint = ". A booking id that begins with a dash comes last, after --"
                error.message += hint  # type: ignore[attr-defined]  # a usage error has a message
            raise


# Tracebacks of typer's own show local variables, the secret among them.
app = typer.Typer(
    name="bookings",
    help="Zoom Scheduler bookings: works on the local stack and on a deployed one alike.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(send)
app.command(cls=BookingCommand)(show)
app.command(cls=BookingCommand)(erase)
app.command()(recover)
app.command(cls=BookingCommand)(announce)
app.command()(check)
app.command()(listen)
app.command()(rotate_secret)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(dlq.app, name="dlq")
app.add_typer(local, name="local")
