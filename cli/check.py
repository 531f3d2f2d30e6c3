"""`bookings check`: proves an endpoint, from Zoom's challenge to the event that subscribers get."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import typer
from rich.text import Text

from bookings.clock import utc_text
from bookings.domain.booking import booking_id_of
from bookings.domain.events import EventType
from bookings.envelope import BOOKINGS, CHECK_EVENT_ID_PREFIX, CHECK_SUFFIX, Envelope
from bookings.zoom.challenge import URL_VALIDATION
from bookings.zoom.events import CREATED
from bookings.zoom.signature import hash_token
from cli.announce import booking_bus
from cli.bookings_table import BookingsTable
from cli.output import CommandError, console, print_json, printable, progress
from cli.posting import Sent, post
from cli.stack import JsonOption, Stack, StackOptions, command
from cli.temporary_rule import TemporaryRule, temporary_rule

_ZOOM_SECONDS = 3.0  # so long Zoom waits for an answer
_RULE_SECONDS = 90.0  # a new rule takes effect within a minute
_BOOKING_SECONDS = 60.0  # in the table, and again as an event
_LATE_SECONDS = 10.0  # a booking that was posted may come after the check has failed

_EMAIL = "bookings-check@example.invalid"

_pause = time.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the check.

    Attributes:
        limit: seconds. None where only a time-out counts.
        problem: None if it passed.
    """

    step: str
    seconds: float
    limit: float | None
    problem: str | None


class _Failed(Exception):
    """A step failed, and the others would fail with it."""


@dataclass(slots=True)
class _Check:
    stack: Stack
    shows: bool
    secret: str = field(repr=False)
    event_id: str = field(default_factory=lambda: CHECK_EVENT_ID_PREFIX + secrets.token_hex(8))
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str, limit: float | None = None) -> Iterator[None]:
        began, problem = time.monotonic(), None
        try:
            with progress(f"{name} …"):
                yield
        except CommandError as error:
            problem = str(error)
        seconds = round(time.monotonic() - began, 3)
        if problem is None and limit is not None and seconds > limit:
            problem = f"Zoom waits {limit:g} s"
        self.steps.append(Step(step=name, seconds=seconds, limit=limit, problem=problem))
        if self.shows:
            _show(self.steps[-1])
        if problem:
            raise _Failed

    def run(self) -> None:
        with self.step("challenge answered", _ZOOM_SECONDS):
            self._challenge()
        # A well-formed signature by another secret would count as SignatureMismatch. The second one of a day
        # rings its alarm. These two count as SignatureMalformed, which has no alarm.
        with self.step("malformed signature refused", _ZOOM_SECONDS):
            _require(self._post(self._booking(), signature_length=-1), HTTPStatus.UNAUTHORIZED)
        with self.step("stale request refused", _ZOOM_SECONDS):
            _require(self._post(self._booking(), age_seconds=86_400), HTTPStatus.UNAUTHORIZED)
        pattern = {"source": [BOOKINGS + CHECK_SUFFIX], "detail": {"booking": {"event_id": [self.event_id]}}}
        with temporary_rule(self.stack, json.dumps(pattern)) as rule:
            self._follow_booking(rule)

    def _challenge(self) -> None:
        token = CHECK_EVENT_ID_PREFIX + secrets.token_hex(8)
        sent = self._post({"event": URL_VALIDATION, "event_ts": _now_ms(), "payload": {"plainToken": token}})
        _require(sent, HTTPStatus.OK)
        if sent.as_dict()["body"] != {"plainToken": token, "encryptedToken": hash_token(self.secret, token)}:
            raise CommandError("the answer is not the one that the stored secret gives")

    def _follow_booking(self, rule: TemporaryRule) -> None:
        probe = Envelope(
            source=BOOKINGS + CHECK_SUFFIX,
            detail_type="RuleProbe",
            detail=json.dumps({"booking": {"event_id": self.event_id}}),
        )

        def probe_came() -> bool:
            [error] = booking_bus(self.stack).publish_all([probe])
            if error:
                raise CommandError(f"the bus takes no event: {error}")
            return bool(rule.receive(1))

        def event_came() -> bool:
            return any(event["detail-type"] == EventType.BOOKING_CREATED for event in rule.receive(1))

        table, booking_id = BookingsTable(self.stack), booking_id_of(self.event_id, _EMAIL)
        with self.step("temporary rule in effect"):
            _wait_until(probe_came, _RULE_SECONDS, "no event comes through a rule of the bus")
        try:
            with self.step("test booking accepted", _ZOOM_SECONDS):
                _require(self._post(self._booking()), HTTPStatus.OK)
            with self.step("booking in the table"):
                _wait_until(
                    lambda: table.has(booking_id), _BOOKING_SECONDS, "it is not; see the handler's log"
                )
            with self.step("event on the bus"):
                _wait_until(event_came, _BOOKING_SECONDS, "there is none; see the log of booking-events")
        finally:
            # Deleted, as an erasure would leave a tombstone of each check. A deletion is no event.
            with suppress(CommandError):
                _wait_until(lambda: table.has(booking_id), _LATE_SECONDS, "")
            table.delete(booking_id)

    def _post(self, body: dict[str, Any], **forged: Any) -> Sent:
        return post(self.stack.webhook_url, json.dumps(body).encode(), self.secret, **forged)

    def _booking(self) -> dict[str, Any]:
        start = datetime.now(UTC) + timedelta(days=1)
        scheduled = {
            "event_id": self.event_id,
            "summary": "Test booking of `bookings check`",
            "start_date_time": utc_text(start),
            "end_date_time": utc_text(start + timedelta(minutes=30)),
        }
        booked = {"invitee_email": _EMAIL, "scheduled_event": scheduled}
        return {"event": CREATED, "event_ts": _now_ms(), "payload": {"object": booked}}


@command
def check(where: StackOptions, as_json: JsonOption = False) -> None:
    """Prove the endpoint: challenge, refusals, and a test booking on its way to table and subscribers.

    It ends at the first step that fails. The test booking has sources of its own, which no subscriber gets.
    At the end it is deleted, and so are the temporary rule and queue that see its event. Two runs a day ring
    no alarm.

    Exit code 0 if each step passed, 1 if one did not, 2 for a wrong call.
    """
    stack = where.find()
    checked = _Check(stack, not as_json, stack.secret())
    with suppress(_Failed):
        checked.run()
    passed = not any(step.problem for step in checked.steps)
    if as_json:
        print_json({"stack": stack.name, "passed": passed, "steps": [asdict(step) for step in checked.steps]})
    else:
        said = "Everything works" if passed else "Not everything works"
        console().print(Text(f"{said}: {stack.name}, {stack.webhook_url}"), soft_wrap=True)
    if not passed:
        raise typer.Exit(1)


def _wait_until(done: Callable[[], bool], seconds: float, problem: str) -> None:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise CommandError(f"after {seconds:g} s {problem}")
        _pause(0.2)


def _require(sent: Sent, status: HTTPStatus) -> None:
    if sent.status != status:
        raise CommandError(f"the answer is {sent.status}, not {status.value}")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _show(step: Step) -> None:
    said = Text("FAILED " if step.problem else "ok     ", style="bold red" if step.problem else "green")
    limit = f", Zoom waits {step.limit:g} s" if step.limit else ""
    said.append(f"{step.step}: {step.seconds:.3f} s{limit}", style="default")
    if step.problem:
        said.append(f"\n       {printable(step.problem)}", style="default")
    console().print(said, soft_wrap=True)
