"""Shows the local stack on the terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from cli.output import printable
from cli.posting import Sent
from local.demo import CHALLENGE, Outcome, Result
from local.stack import DIRECTORY, RunningStack
from local.subscriber import DomainEvent
from local.template import LeftOut

_STYLES = {
    "confirmed": "green",
    "canceled": "yellow",
    "BookingCreated": "green",
    "BookingRescheduled": "cyan",
    "BookingUpdated": "cyan",
    "BookingCanceled": "yellow",
}
_HTTP_ERRORS = 400


class View:
    """Prints each step and event.

    Attributes:
        shows_requests: whether it prints the requests to the HTTP API.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.shows_requests = False

    def line(self, markup: str = "") -> None:
        """Prints a line. A terminal breaks it between words and indents the rest."""
        if not self._console.is_terminal and not self._console.record:
            self.whole_line(markup)
            return
        begin = markup.lstrip(" ")
        self._console.print(Padding(_text(begin), (0, 0, 0, len(markup) - len(begin))), highlight=False)

    def whole_line(self, markup: str) -> None:
        """Prints a line that people copy, without breaking it."""
        self._console.print(_text(markup), soft_wrap=True, highlight=False)

    def save_svg(self, path: Path, title: str) -> None:
        """Writes the recorded output as a picture."""
        self._console.save_svg(str(path), title=title)

    def title(self) -> None:
        self.line()
        self.line("[bold]Zoom Scheduler bookings[/], on this machine")
        self.line()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Shows a step of the start, and its duration at the end."""
        began = time.perf_counter()
        with self._console.status(escape(name)):
            try:
                yield
            except BaseException:
                self.line(f"  [red]✗[/] {escape(name)}")
                raise
        self.line(f"  [green]✓[/] {escape(name)} [dim]{time.perf_counter() - began:.1f} s[/]")

    def left_out(self, resources: Sequence[LeftOut]) -> None:
        self.line()
        self.line("  Left out of the template here:")
        for reason, group in groupby(resources, key=lambda resource: resource.reason):
            names = ", ".join(resource.logical_id for resource in group)
            self.line(f"  [dim]–[/] {names}: [dim]{escape(reason)}[/]")

    def address(self, stack: RunningStack) -> None:
        self.line()
        self.whole_line(f"  Webhook     [bold]{stack.webhook_url}[/]")

    def subscribed(self) -> None:
        self.line("  Subscriber  a rule for source `bookings` on the booking bus, and a queue that it reads")

    # the story

    def challenged(self, sent: Sent, problems: list[str]) -> None:
        self.chapter("Zoom checks the URL")
        self._posted(CHALLENGE, sent)
        if not problems:
            self.line("      [dim]answer[/]  the token, and its hash made with the secret token")
        self._problems(problems)

    def chapter(self, title: str) -> None:
        self.line()
        self.line(f"  [bold]{escape(title)}[/]")

    def delivered(self, result: Result) -> None:
        self._posted(result.delivery.file, result.sent)
        if result.delivery.remark:
            remark = Text(result.delivery.remark).wrap(self._console, min(88, self._console.width - 6))
            for line in remark:
                self.line(f"      [italic]{escape(line.plain.rstrip())}[/]")
        self.line(f"      [dim]before[/]  {booking_line(result.before)}")
        self.line(f"      [dim]after[/]   {booking_line(result.after)}{_after(result.in_table_seconds)}")
        for event in result.events:
            self.line(f"      [dim]event[/]   {_event(event)}{_after(result.announced_seconds)}")
        if not result.events and not result.problems:
            self.line("      [dim]event[/]   none: nothing that subscribers see has changed")
        self._problems(result.problems)

    def outcome(self, outcome: Outcome, directory: Path) -> None:
        self.line()
        if outcome.problems:
            log = escape(str(directory / "emulator.log"))
            self.line("  [red bold]Not everything arrived as it should[/], and the story ends here.")
            self.line(f"  The log of the functions and the emulator is {log}.")
            return
        events = sum(len(result.events) for result in outcome.results)
        self.line(
            f"  [green bold]Everything arrived[/]: {len(outcome.results)} deliveries, each answered 200, "
            f"each booking as it should be, {events} domain events received by a subscriber."
        )

    # after the story

    def next_steps(self, directory: Path, generated_secret: str | None) -> None:
        """Says what to do with the stack. A secret token that the user chose is None and is not shown."""
        command = _this_command()
        self.line()
        self.line("  It stays up for more. In another terminal:")
        if directory == DIRECTORY:
            posting = f"{command} send events/story/1_created.json --local"
            reading = f"{command} show --local"
            self.whole_line(f"    {posting}   [dim]posts a file[/]")
            self.whole_line(f"    {reading:<{len(posting)}}   [dim]the bookings[/]")
        state = escape(str(directory / "stack.json"))
        self.line(f"    {state} [dim]says where everything is, for any AWS client[/]")
        self.line()
        secret = f"{generated_secret} [dim]this run's own; SECRET=… chooses one[/]"
        self.whole_line(f"  Secret token  {secret if generated_secret else '[dim]the one you gave[/]'}")
        self.line("  New requests and events are shown here. [bold]Ctrl-C[/] ends it.")
        self.line()

    def requested(self, method: str, path: str, status: int, seconds: float) -> None:
        if self.shows_requests:
            request = escape(f"{method} {path}")
            style = "green" if status < _HTTP_ERRORS else "red"
            self.line(f"  {_now()}  {request}  [{style}]{status}[/] [dim]{seconds * 1000:.0f} ms[/]")

    def announced(self, event: DomainEvent) -> None:
        booking_id = escape(event.booking_id)
        self.line(f"  {_now()}  {_event(event)}  {booking_line(event.booking)} [dim]{booking_id}[/]")

    def ended(self) -> None:
        self.line()
        self.line("  Ended. Nothing is left running.")

    def failed(self, what: str, message: str) -> None:
        self.line()
        self.line(f"  [red bold]{escape(what)}[/]")
        for text in message.splitlines():
            self.line(f"    {escape(text)}")

    def _posted(self, file: str, sent: Sent) -> None:
        style = "green" if sent.accepted else "red"
        self.line(f"    POST {escape(file)}  [{style}]{sent.status}[/] [dim]in {sent.elapsed_ms} ms[/]")

    def _problems(self, problems: Sequence[str]) -> None:
        for problem in problems:
            self.line(f"      [red]✗ {escape(problem)}[/]")


def booking_line(booking: dict[str, Any] | None) -> str:
    """Returns a booking in one line of console markup."""
    if booking is None:
        return "[dim]no booking[/]"
    status = str(booking.get("status", "?"))
    invitee = booking.get("invitee", {})
    parts = [
        str(booking.get("title", "")),
        slot(booking.get("start"), booking.get("end")),
        " ".join(str(invitee[name]) for name in ("first_name", "last_name") if invitee.get(name)),
    ]
    if status == "canceled" and booking.get("rescheduled"):
        parts.append("another slot replaces it")
    elif booking.get("cancellation", {}).get("reason"):
        parts.append(f"“{booking['cancellation']['reason']}”")
    text = " · ".join(part for part in parts if part)
    return f"[{_STYLES.get(status, 'white')}]{escape(status):<9}[/] {escape(text)}"


def slot(start: str | None, end: str | None) -> str:
    """Returns the time of a booking, such as `Thu 21 Dec 2023, 16:00–16:30 UTC`."""
    if not start:
        return ""
    until = f"–{datetime.fromisoformat(end):%H:%M}" if end else ""
    return f"{datetime.fromisoformat(start):%a %d %b %Y, %H:%M}{until} UTC"


def _event(event: DomainEvent) -> str:
    style = _STYLES.get(event.type, "white")
    return f"[{style}]{escape(event.type)}[/] [dim]revision {event.revision}[/]"


def _after(seconds: float | None) -> str:
    return "" if seconds is None else f" [dim]+{seconds * 1000:.0f} ms[/]"


def _now() -> str:
    return f"[dim]{datetime.now().astimezone():%H:%M:%S}[/]"


def _text(markup: str) -> Text:
    """Returns one line of text without control characters, because deliveries hold what strangers typed."""
    return Text.from_markup(printable(" ".join(markup.split("\n"))), emoji=False)


def _this_command() -> str:
    """Returns the command as the user called it, so that printed commands can be pasted."""
    called = Path(sys.argv[0])
    with contextlib.suppress(ValueError):
        if called.name == "bookings":
            return str(called.resolve().relative_to(Path.cwd()))
    return "bookings"
