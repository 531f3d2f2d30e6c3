"""`bookings rotate-secret`: stores a new Zoom secret token."""

import sys
from typing import Annotated

import typer
from rich.text import Text

from bookings.clock import utc_text
from bookings.limits import SECRET_GRACE, SECRET_MAX_AGE
from bookings.use_cases.live_secrets import unusable
from cli.output import CommandError, WrongCallError, at_terminal, console, print_json
from cli.stack import JsonOption, StackOptions, YesOption, command


@command
def rotate_secret(
    where: StackOptions,
    source: Annotated[
        str | None,
        typer.Argument(metavar="[-]", help="- reads the token from standard input; else it is asked for."),
    ] = None,
    leaked: Annotated[
        bool, typer.Option("--leaked", help="The old token leaked: it ends within 15 minutes.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Store a new Zoom secret token. The old one stays valid for 24 hours.

    The token is asked for without an echo, or read from standard input.

    Exit code 0 if it is stored or was already, 1 if not, 2 for a wrong call.
    """
    if source not in (None, "-"):
        raise WrongCallError("Others could see a token in the command. Pipe it in, or say nothing.")
    stack = where.find()
    stack.confirm("Store a new Zoom secret token in", yes=yes)
    asked = source is None and at_terminal()
    token = typer.prompt("New token", hide_input=True, err=True) if asked else sys.stdin.read()
    token = token.strip()
    problem = "it has white space in it" if len(token.split()) > 1 else unusable(token)
    if problem:
        raise CommandError(f"Nothing was stored. The webhook would refuse this token: {problem}.")
    secret_id, client = stack.output("ZoomSecretArn"), stack.secrets_manager()
    with stack.errors_explained("store the Zoom secret token"):
        before = client.get_secret_value(SecretId=secret_id).get("SecretString", "").strip()
        # The same token again would push the old one out of AWSPREVIOUS. That is how a leaked one ends.
        for _ in range(2 if leaked else before != token):
            client.put_secret_value(SecretId=secret_id, SecretString=token)
        stored = client.get_secret_value(SecretId=secret_id)
    if stored["SecretString"] != token:
        raise CommandError("Another token was stored at the same time. Call this again.")
    ends_at = utc_text(stored["CreatedDate"] + (SECRET_MAX_AGE if leaked else SECRET_GRACE))
    if as_json:
        print_json({"stored_at": utc_text(stored["CreatedDate"]), "old_ends_at": ends_at})
    else:
        said = f"The token is stored in {stack.name}. The old one is valid until {ends_at} at the latest."
        console().print(Text(f"{said}\nWait a minute, then press Regenerate in Zoom."), soft_wrap=True)
