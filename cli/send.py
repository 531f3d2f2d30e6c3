"""`bookings send`: signs a file as Zoom would and posts it."""

import json
import os
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.json import JSON
from rich.text import Text

from cli.output import WrongCallError, at_terminal, console, print_json, printable
from cli.posting import Sent, post
from cli.stack import JsonOption, StackOptions, command

ENVIRONMENT_VARIABLE = "ZOOM_WEBHOOK_SECRET"


@command
def send(
    where: StackOptions,
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(metavar="FILE", help="The body, byte for byte; - reads it from standard input."),
    ],
    url: Annotated[str | None, typer.Option(help="Where to post it, such as the output WebhookUrl.")] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            help="The token to sign with; others may see it here. By default it is the stack's own, or with "
            f"--url that of {ENVIRONMENT_VARIABLE}, else it is asked for."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a file as Zoom would, now, and post it to a webhook.

    Exit code 0 for an answer 2xx, 1 for another or none, 2 for a wrong call.
    """
    if url is None:
        target = where.find()
        url, token = target.webhook_url, secret or target.secret()
    elif where != StackOptions():
        raise WrongCallError("--url excludes --local and --stack.")
    else:
        _check(url)
        token = secret or _asked_secret()
    body = file.read()
    sent = post(url, body, token)
    if as_json:
        print_json(sent.as_dict())
    else:
        _show(sent, body)
    if not sent.accepted:
        raise typer.Exit(1)


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        raise WrongCallError("--url must be a whole URL, https://….amazonaws.com/webhooks/zoom.")


def _asked_secret() -> str:
    given = os.environ.get(ENVIRONMENT_VARIABLE)
    if given:
        return given
    if not at_terminal():
        raise WrongCallError(f"There is no secret to sign with: set {ENVIRONMENT_VARIABLE}, or say --secret.")
    return str(typer.prompt("Zoom secret token", hide_input=True, err=True))


def _show(sent: Sent, posted: bytes) -> None:
    out = console()
    out.print(
        Text(f"POST {printable(sent.url)}, {len(posted):,} bytes, request id {sent.request_id}", style="dim")
    )
    style = "bold green" if sent.accepted else "bold red"
    out.print(
        Text.assemble((f"{sent.status} {printable(sent.reason)}", style), f" after {sent.elapsed_ms} ms")
    )
    body = sent.as_dict()["body"]
    if body is not None and sent.body == posted.decode(errors="replace"):
        out.print(Text("The body came back as it was sent."))
    elif isinstance(body, str):
        out.print(Text(printable(body)))
    elif body is not None:
        out.print(JSON(printable(json.dumps(body, ensure_ascii=False)), ensure_ascii=False))
