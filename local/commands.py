"""`bookings local`: runs the whole stack on this machine."""

from __future__ import annotations

import json
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from cli.output import CommandError
from local import demo as story
from local.stack import DIRECTORY, TEMPLATE, DeploymentError, RunningStack, local_stack
from local.subscriber import Subscriber
from local.template import TemplateError
from local.view import View
from local.workarounds import EmulatorError

app = typer.Typer(
    help="The whole stack on this machine, without an AWS account.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they hold the secret token
)

_SHORTEST_SECRET = 16
_INTERRUPTED = 130
_SVG_COLUMNS = 100
_FAILURES = {
    EmulatorError: "The local stack can't start",
    TemplateError: "The template can't be used",
    DeploymentError: "The template can't be deployed",
    CommandError: "The samples can't be posted",
}

Port = Annotated[int, typer.Option(help="The port on 127.0.0.1; 0 takes a free one.")]
Secret = Annotated[
    str | None,
    typer.Option(envvar="SECRET", help="The Zoom secret token. Each run generates one otherwise."),
]
StateDir = Annotated[Path, typer.Option(help="Holds stack.json, by which other commands find the stack.")]
Template = Annotated[Path, typer.Option(help="The SAM template.")]
Parameters = Annotated[
    list[str] | None, typer.Option("--parameter", help="NAME=VALUE of a template parameter; repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON instead.")]
Svg = Annotated[Path | None, typer.Option(help="Also write the output as a picture to this file.")]


@app.command()
def run(
    *,
    port: Port = 8080,
    secret: Secret = None,
    state_dir: StateDir = DIRECTORY,
    template: Template = TEMPLATE,
    parameter: Parameters = None,
    as_json: Json = False,
) -> None:
    """Starts it, posts the sample bookings, and stays up for more. Ctrl-C ends it."""
    session = _Session(port, secret, state_dir, template, parameter, as_json)
    with session.stack() as stack:
        subscriber = session.subscribe(stack)
        session.play_story(stack, subscriber)
        session.stay_up(subscriber)


@app.command()
def demo(
    *,
    port: Port = 0,
    secret: Secret = None,
    state_dir: StateDir = DIRECTORY,
    template: Template = TEMPLATE,
    parameter: Parameters = None,
    as_json: Json = False,
    svg: Svg = None,
) -> None:
    """Starts it, posts the sample bookings, and ends: with 0 only if everything arrived."""
    session = _Session(port, secret, state_dir, template, parameter, as_json, svg)
    with session.stack(ends_by_itself=True) as stack:
        outcome = session.play_story(stack, session.subscribe(stack))
    if svg:
        session.view.save_svg(svg, "make demo")
    if outcome.problems:
        raise typer.Exit(1)


@app.command()
def up(
    *,
    port: Port = 8080,
    secret: Secret = None,
    state_dir: StateDir = DIRECTORY,
    template: Template = TEMPLATE,
    parameter: Parameters = None,
    as_json: Json = False,
    until_input_ends: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Starts it empty, without the sample bookings, and stays up. Ctrl-C ends it."""
    session = _Session(port, secret, state_dir, template, parameter, as_json)
    with session.stack() as stack:
        session.print_json(asdict(stack))
        if until_input_ends:  # a pipe ends whenever the process at its other end does
            session.view.shows_requests = True
            sys.stdin.buffer.read()
        else:
            session.stay_up(session.subscribe(stack))


class _Session:
    """One run of the stack by a command."""

    def __init__(
        self,
        port: int,
        secret: str | None,
        directory: Path,
        template: Path,
        parameters: list[str] | None,
        as_json: bool,
        svg: Path | None = None,
    ) -> None:
        if secret and len(secret) < _SHORTEST_SECRET:
            raise typer.BadParameter(
                f"the secret token (--secret or SECRET) needs at least {_SHORTEST_SECRET} characters"
            )
        self._generated_secret = None if secret else secrets.token_urlsafe(18)
        self._secret = secret or str(self._generated_secret)
        self._directory = directory
        self._as_json = as_json
        # No terminal while it records, as the picture would have the status line of each step.
        self.view = View(
            Console(record=True, width=_SVG_COLUMNS, force_terminal=False, stderr=as_json)
            if svg
            else Console(quiet=as_json)
        )
        self._local_stack = local_stack(
            port=port,
            secret=self._secret,
            parameters=dict(map(_parsed, parameters or [])),
            template=template,
            directory=directory,
            step=self.view.step,
            observer=self.view.requested,
        )

    @contextmanager
    def stack(self, *, ends_by_itself: bool = False) -> Iterator[RunningStack]:
        """Starts the stack, and ends it. An error or an interruption sets the exit code."""
        _on_signals(_interrupt)
        self.view.title()
        up = False
        try:
            with self._local_stack as (stack, left_out):
                up = True
                self.view.left_out(left_out)
                self.view.address(stack)
                yield stack
                _on_signals(signal.SIG_IGN)
        except tuple(_FAILURES) as error:
            headline = next(text for kind, text in _FAILURES.items() if isinstance(error, kind))
            View(Console(stderr=True)).failed(headline, str(error))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            self.view.ended()
            if ends_by_itself or not up:
                raise typer.Exit(_INTERRUPTED) from None

    def subscribe(self, stack: RunningStack) -> Subscriber:
        subscriber = Subscriber(stack)
        self.view.subscribed()
        return subscriber

    def play_story(self, stack: RunningStack, subscriber: Subscriber) -> story.Outcome:
        outcome = story.play(stack, self._secret, subscriber, self.view)
        self.view.outcome(outcome, self._directory)
        self.print_json({**asdict(stack), **_report(outcome)})
        return outcome

    def stay_up(self, subscriber: Subscriber) -> NoReturn:
        """Shows requests and domain events until an interruption."""
        self.view.next_steps(self._directory, self._generated_secret)
        self.view.shows_requests = True
        while True:
            for event in subscriber.receive(wait_seconds=1):
                self.view.announced(event)

    def print_json(self, content: dict[str, Any]) -> None:
        if self._as_json:
            print(json.dumps(content), flush=True)


def _parsed(parameter: str) -> tuple[str, str]:
    name, equals, value = parameter.partition("=")
    if not equals:
        raise typer.BadParameter(f"{parameter!r} is not NAME=VALUE")
    return name, value


def _report(outcome: story.Outcome) -> dict[str, Any]:
    return {
        "deliveries": [
            {
                "file": result.delivery.file,
                "answer": result.sent.status,
                "booking_id": result.after["booking_id"] if result.after else None,
                "status_before": result.before["status"] if result.before else None,
                "status_after": result.after["status"] if result.after else None,
                "events": [event.type for event in result.events],
            }
            for result in outcome.results
        ],
        "problems": outcome.problems,
    }


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Ends the command at the first signal. Later ones can't disturb the end."""
    _on_signals(lambda _number, _frame: None)  # SIG_IGN prints a traceback for a signal that is pending
    raise KeyboardInterrupt


def _on_signals(handler: signal.Handlers | Callable[[int, FrameType | None], None]) -> None:
    signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGTERM, handler)
