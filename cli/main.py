"""The operator's command, `bookings`."""

import typer

from cli.announce import announce
from cli.erase import erase
from cli.recover import recover
from cli.send import send
from cli.show import show
from local.commands import app as local

# Tracebacks of typer's own show local variables, the secret among them.
app = typer.Typer(
    name="bookings",
    help="Zoom Scheduler bookings: works on the local stack and on a deployed one alike.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(send)
app.command()(show)
app.command()(erase)
app.command()(recover)
app.command()(announce)
app.add_typer(local, name="local")
