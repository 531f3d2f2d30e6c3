"""`bookings send`: signs a file as Zoom would and posts it."""

import json
import os
import sys
import time
import uuid
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
import urllib3
from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from rich.json import JSON
from rich.text import Text

from cli.output import CommandError, WrongCallError, console, errors_told, print_json, printable
from cli.stack import JsonOption, LocalOption, StackOption, find_stack

SECRET_VARIABLE = "ZOOM_WEBHOOK_SECRET"  # noqa: S105 - its name
REQUEST_ID_HEADER = "x-zm-request-id"

_TIMEOUT_SECONDS = 10.0  # Zoom itself gives up after 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request and its answer."""

    url: str
    request_id: str
    status: int
    reason: str
    content_type: str | None
    body: str
    elapsed_ms: int

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 - the 2xx

    def as_dict(self) -> dict[str, Any]:
        try:
            body = json.loads(self.body) if self.body else None
        except ValueError:
            body = self.body
        return {
            "url": self.url,
            "request_id": self.request_id,
            "status": self.status,
            "reason": self.reason,
            "content_type": self.content_type,
            "body": body,
            "elapsed_ms": self.elapsed_ms,
        }


def send(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(
            metavar="FILE", help="The body to send, byte for byte; - reads it from standard input."
        ),
    ],
    url: Annotated[
        str | None, typer.Option("--url", help="Where to post it, such as the output WebhookUrl.")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            "--secret",
            help="The Zoom secret token to sign with. Better not said here, where others may see it: by "
            f"default it is the stack's own, with --url the one in {SECRET_VARIABLE}, else it is asked for.",
        ),
    ] = None,
    local: LocalOption = False,
    stack: StackOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a file as Zoom would, now, and post it to a webhook.

    Exit code 0 for an answer 2xx, 1 for another or none, 2 for a wrong call.
    """
    with errors_told():
        if url is None:
            target = find_stack(local=local, name=stack)
            url, token = target.webhook_url, secret or target.secret()
        elif local or stack is not None:
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


def post(url: str, body: bytes, secret: str) -> Sent:
    """Posts a body, signed now.

    Raises:
        CommandError: there was no answer.
    """
    timestamp = str(int(time.time()))
    request_id = str(uuid.uuid4())
    headers = {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "bookings send",
        REQUEST_ID_HEADER: request_id,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(secret, timestamp, body),
    }
    started = time.monotonic()
    try:
        answer = urllib3.PoolManager().request(
            "POST", url, body=body, headers=headers, timeout=_TIMEOUT_SECONDS, retries=False
        )
    except urllib3.exceptions.HTTPError as error:
        raise CommandError(f"{url} gave no answer: {_why(error)}.") from None
    return Sent(
        url=url,
        request_id=request_id,
        status=answer.status,
        reason=answer.reason or "",
        content_type=answer.headers.get("content-type"),
        body=answer.data.decode(errors="replace"),
        elapsed_ms=round((time.monotonic() - started) * 1000),
    )


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        raise WrongCallError("--url must be a whole URL, https://….amazonaws.com/webhooks/zoom.")


def _asked_secret() -> str:
    given = os.environ.get(SECRET_VARIABLE)
    if given:
        return given
    if not _at_terminal():
        raise WrongCallError(f"There is no secret to sign with: set {SECRET_VARIABLE}, or say --secret.")
    return str(typer.prompt("Zoom secret token", hide_input=True, err=True))


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _why(error: urllib3.exceptions.HTTPError) -> str:
    match error:
        case urllib3.exceptions.NameResolutionError():
            return "its host name is not known"
        case urllib3.exceptions.NewConnectionError():
            return "nothing accepts connections there"
        case urllib3.exceptions.TimeoutError():
            return f"none within {_TIMEOUT_SECONDS:g} s"
        case urllib3.exceptions.SSLError():
            return "its TLS certificate or connection is not acceptable"
        case _:
            return "the connection broke"


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
