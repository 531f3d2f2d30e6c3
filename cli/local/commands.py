"""`bookings local`: the whole stack on this machine."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from cli.local import demo as story
from cli.local.emulator import EmulatorError, Observer
from cli.local.stack import DIRECTORY, TEMPLATE, DeploymentError, LocalStack, RunningStack
from cli.local.subscriber import Subscriber
from cli.local.template import TemplateError
from cli.local.view import View
from cli.local.workarounds import EmulatorChangedError
from cli.output import CommandError

app = typer.Typer(
    help="The whole stack on this machine, without an AWS account.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they hold the secret token
)

_SHORTEST_SECRET = 16
_INTERRUPTED = 130

Port = Annotated[int, typer.Option(help="Where it listens, on 127.0.0.1; 0 takes a free port.")]
Secret = Annotated[
    str | None,
    typer.Option(envvar="SECRET", help="The Zoom secret token; each run makes its own otherwise."),
]
StateDir = Annotated[Path, typer.Option(help="Holds stack.json, by which others find the stack.")]
Template = Annotated[Path, typer.Option(help="The SAM template.")]
Parameters = Annotated[
    list[str] | None, typer.Option("--parameter", help="NAME=VALUE of a template parameter; repeat it.")
]
Json = Annotated[bool, typer.Option("--json", help="One line of JSON for a machine.")]


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
    with session as stack:
        subscriber = session.subscribe(stack)
        outcome = story.tell(stack, session.secret, subscriber, session.view)
        session.view.outcome(outcome, state_dir)
        session.print_json(_report(stack, outcome))
        session.view.how_to_go_on(state_dir, session.own_secret)
        session.stay(subscriber)


@app.command()
def demo(
    *,
    port: Port = 0,
    secret: Secret = None,
    state_dir: StateDir = DIRECTORY,
    template: Template = TEMPLATE,
    parameter: Parameters = None,
    as_json: Json = False,
) -> None:
    """Starts it, posts the sample bookings, and ends: with 0 only if everything arrived."""
    session = _Session(port, secret, state_dir, template, parameter, as_json, finishes=True)
    with session as stack:
        outcome = story.tell(stack, session.secret, session.subscribe(stack), session.view)
        session.view.outcome(outcome, state_dir)
        session.print_json(_report(stack, outcome))
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
    with session as stack:
        session.print_json(_address(stack))
        if until_input_ends:
            threading.Thread(target=_end_with_the_input, daemon=True).start()
            session.stay(None)
        subscriber = session.subscribe(stack)
        session.view.how_to_go_on(state_dir, session.own_secret)
        session.stay(subscriber)


class _Session:
    """One start of the stack by a command: its steps shown, its errors told, its end by Ctrl-C clean."""

    def __init__(
        self,
        port: int,
        secret: str | None,
        state_dir: Path,
        template: Path,
        parameters: list[str] | None,
        as_json: bool,
        *,
        finishes: bool = False,
    ) -> None:
        if secret and len(secret) < _SHORTEST_SECRET:
            raise typer.BadParameter(
                f"the secret token (--secret or SECRET) needs at least {_SHORTEST_SECRET} characters"
            )
        self.own_secret = None if secret else secrets.token_urlsafe(18)
        self.secret = secret or str(self.own_secret)
        self._as_json = as_json
        self._finishes = finishes  # by itself: a signal then interrupts it
        self._errors = View(Console(stderr=True))
        self.view = View(Console(quiet=as_json))
        self._observed: Observer | None = None
        self._stack = LocalStack(
            port=port,
            secret=self.secret,
            parameters=_parsed(parameters or []),
            template=template,
            directory=state_dir,
            step=self.view.step,
            observer=self._observe,
        )
        self._context = self._run()

    def __enter__(self) -> RunningStack:
        return self._context.__enter__()

    def __exit__(self, *error: Any) -> bool | None:
        return self._context.__exit__(*error)

    def subscribe(self, stack: RunningStack) -> Subscriber:
        subscriber = Subscriber(stack)
        self.view.subscribed()
        return subscriber

    def stay(self, subscriber: Subscriber | None) -> NoReturn:
        """Shows what comes, until it is interrupted."""
        self._observed = self.view.requested
        while True:
            if subscriber is None:
                threading.Event().wait()
            else:
                for event in subscriber.receive(wait_seconds=1):
                    self.view.announced(event)

    def print_json(self, content: dict[str, Any]) -> None:
        if self._as_json:
            sys.stdout.write(json.dumps(content) + "\n")
            sys.stdout.flush()

    def _observe(self, method: str, path: str, status: int, seconds: float) -> None:
        if self._observed:
            self._observed(method, path, status, seconds)

    @contextmanager
    def _run(self) -> Iterator[RunningStack]:
        """A signal ends it; where something was left undone, the exit code says so."""
        _interrupt_once()
        self.view.title()
        try:
            with self._stack as stack:
                self.view.left_out(self._stack.left_out)
                self.view.address(stack)
                yield stack
                _ignore_signals()
        except EmulatorError as error:
            self._fail("The local stack can't start", error)
        except EmulatorChangedError as error:
            self._fail("The emulator isn't the one that is pinned", error)
        except TemplateError as error:
            self._fail("The template can't be used", error)
        except DeploymentError as error:
            self._fail("The template can't be deployed", error)
        except CommandError as error:
            self._fail("The story can't be told", error)
        except KeyboardInterrupt:
            self.view.ended()
            if self._finishes or not self._stack.was_ready:
                raise typer.Exit(_INTERRUPTED) from None

    def _fail(self, what: str, error: Exception) -> None:
        self._errors.failed(what, str(error))
        raise typer.Exit(1) from None


def _parsed(parameters: list[str]) -> dict[str, str]:
    parsed = {}
    for text in parameters:
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE")
        parsed[name] = value
    return parsed


def _report(stack: RunningStack, outcome: story.Outcome) -> dict[str, Any]:
    return {
        **_address(stack),
        "deliveries": [
            {
                "file": told.delivery.file,
                "answer": told.sent.status,
                "booking_id": told.after["booking_id"] if told.after else None,
                "status_before": told.before["status"] if told.before else None,
                "status_after": told.after["status"] if told.after else None,
                "events": [event.type for event in told.events],
            }
            for told in outcome.told
        ],
        "problems": outcome.problems,
    }


def _address(stack: RunningStack) -> dict[str, Any]:
    return {
        "endpoint_url": stack.endpoint_url,
        "region": stack.region,
        "webhook_url": stack.webhook_url,
        "outputs": dict(stack.outputs),
    }


def _interrupt_once() -> None:
    """Makes SIGINT and SIGTERM raise KeyboardInterrupt, the first of them only: the end isn't disturbed."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        _ignore_signals()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def _ignore_signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _end_with_the_input() -> None:
    """For whoever starts us with a pipe: it closes when that process ends, in whatever way."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
