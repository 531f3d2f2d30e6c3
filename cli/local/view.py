"""What a person sees of the local stack, on the terminal."""

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

from cli.local.demo import CHALLENGE, Outcome, Told
from cli.local.stack import DIRECTORY, RunningStack
from cli.local.subscriber import DomainEvent
from cli.local.template import LeftOut
from cli.posting import Sent

_STATUS_STYLES = {"confirmed": "green", "canceled": "yellow"}
_EVENT_STYLES = {
    "BookingCreated": "green",
    "BookingRescheduled": "cyan",
    "BookingUpdated": "cyan",
    "BookingCanceled": "yellow",
}
_HTTP_ERRORS = 400


class View:
    """Prints each thing as it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, text: str = "") -> None:
        """Prints a line, on a terminal broken between words below its own beginning."""
        if not self._console.is_terminal:
            self.whole_line(text)
            return
        begin = text.lstrip(" ")
        indent = len(text) - len(begin)
        self._console.print(Padding(Text.from_markup(begin), (0, 0, 0, indent)), highlight=False)

    def whole_line(self, text: str) -> None:
        """Prints a line that somebody will copy."""
        self._console.print(text, soft_wrap=True, highlight=False)

    def title(self) -> None:
        self.line()
        self.line("[bold]Zoom Scheduler bookings[/], on this machine")
        self.line()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A line that gets its tick, and how long it took."""
        began = time.perf_counter()
        with self._console.status(name):
            try:
                yield
            except BaseException:
                self.line(f"  [red]✗[/] {escape(name)}")
                raise
        self.line(f"  [green]✓[/] {escape(name)} [dim]{time.perf_counter() - began:.1f} s[/]")

    def left_out(self, resources: Sequence[LeftOut]) -> None:
        if not resources:
            return
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

    def delivered(self, told: Told) -> None:
        self._posted(told.delivery.file, told.sent)
        if told.delivery.remark:
            for line in _wrapped(told.delivery.remark, min(88, self._console.width - 6)):
                self.line(f"      [italic]{escape(line)}[/]")
        self.line(f"      [dim]before[/]  {booking_line(told.before)}")
        self.line(f"      [dim]after[/]   {booking_line(told.after)}{_after(told.in_table_seconds)}")
        for event in told.events:
            self.line(f"      [dim]event[/]   {_event(event)}{_after(told.announced_seconds)}")
        if not told.events and not told.problems:
            self.line("      [dim]event[/]   none: nothing that subscribers see has changed")
        self._problems(told.problems)

    def outcome(self, outcome: Outcome, directory: Path) -> None:
        self.line()
        if outcome.problems:
            self.line("  [red bold]Not everything arrived as it should[/], and the story ends here.")
            self.line(
                f"  What the functions and the emulator said is in {escape(str(directory / 'emulator.log'))}."
            )
            return
        events = sum(len(told.events) for told in outcome.told)
        self.line(
            f"  [green bold]Everything arrived[/]: {len(outcome.told)} deliveries, each answered 200, "
            f"each booking as it should be, {events} domain events received by a subscriber."
        )

    # afterwards

    def how_to_go_on(self, directory: Path, secret: str | None) -> None:
        """What to do with it. `secret` is shown where it is this run's own, and None where it was given."""
        command = _this_command()
        self.line()
        self.line("  It stays up for more. In another terminal:")
        if directory == DIRECTORY:
            posting = f"{command} send events/story/1_created.json --local"
            reading = f"{command} show --local"
            self.whole_line(f"    {posting}   [dim]posts a file[/]")
            self.whole_line(f"    {reading:<{len(posting)}}   [dim]the bookings[/]")
        self.line(f"    {directory / 'stack.json'} [dim]says where everything is, for any AWS client[/]")
        self.line()
        if secret:
            self.whole_line(f"  Secret token  {secret} [dim]this run's own; SECRET=… chooses one[/]")
        else:
            self.line("  Secret token  [dim]the one you gave[/]")
        self.line("  What comes is shown here. [bold]Ctrl-C[/] ends it.")
        self.line()

    def requested(self, method: str, path: str, status: int, seconds: float) -> None:
        style = "green" if status < _HTTP_ERRORS else "red"
        self.line(
            f"  {_now()}  {method} {escape(path)}  [{style}]{status}[/] [dim]{seconds * 1000:.0f} ms[/]"
        )

    def announced(self, event: DomainEvent) -> None:
        self.line(
            f"  {_now()}  {_event(event)}  {booking_line(event.booking)} [dim]{escape(event.booking_id)}[/]"
        )

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
    """A booking in one line, as console markup."""
    if booking is None:
        return "[dim]no booking[/]"
    status = str(booking.get("status", "?"))
    parts = [
        str(booking.get("title", "")),
        slot(booking.get("start"), booking.get("end")),
        " ".join(
            str(booking["invitee"][name])
            for name in ("first_name", "last_name")
            if booking.get("invitee", {}).get(name)
        ),
    ]
    if status == "canceled" and booking.get("rescheduled"):
        parts.append("another slot replaces it")
    elif booking.get("cancellation", {}).get("reason"):
        parts.append(f"“{booking['cancellation']['reason']}”")
    text = " · ".join(part for part in parts if part)
    return f"[{_STATUS_STYLES.get(status, 'white')}]{escape(status):<9}[/] {escape(text)}"


def slot(start: object, end: object) -> str:
    """When it takes place: `Thu 21 Dec 2023, 16:00–16:30 UTC`."""
    begin = _time(start)
    if begin is None:
        return ""
    finish = _time(end)
    return f"{begin:%a %d %b %Y, %H:%M}" + (f"–{finish:%H:%M}" if finish else "") + " UTC"


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _event(event: DomainEvent) -> str:
    return (
        f"[{_EVENT_STYLES.get(event.type, 'white')}]{escape(event.type)}[/] [dim]revision {event.revision}[/]"
    )


def _after(seconds: float | None) -> str:
    """How long after the post it was there."""
    return "" if seconds is None else f" [dim]+{seconds * 1000:.0f} ms[/]"


def _now() -> str:
    return f"[dim]{datetime.now().astimezone():%H:%M:%S}[/]"


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _this_command() -> str:
    """How the person called us, so that what is printed can be pasted."""
    called = Path(sys.argv[0])
    if called.name != "bookings":
        return "bookings"
    with contextlib.suppress(ValueError):
        return str(called.resolve().relative_to(Path.cwd()))
    return "bookings"
