"""`bookings check`: proves an endpoint, from Zoom's challenge to the event that subscribers get."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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


class _Failed(Exception):
    """A step failed, and the later ones would fail with it."""


class _Check:
    def __init__(self, stack: Stack, *, shows: bool) -> None:
        self._stack, self._shows, self._secret = stack, shows, stack.secret()
        self._event_id = CHECK_EVENT_ID_PREFIX + secrets.token_hex(8)
        self.steps: list[dict[str, Any]] = []

    @contextmanager
    def _step(self, name: str, limit: float | None = None) -> Iterator[None]:
        """Times a step, and shows it.

        Raises:
            _Failed: the block raised a `CommandError`, or was slower than the limit.
        """
        began, problem = time.monotonic(), None
        try:
            with progress(f"{name} …"):
                yield
        except CommandError as error:
            problem = str(error)
        seconds = round(time.monotonic() - began, 3)
        if problem is None and limit is not None and seconds > limit:
            problem = "too slow for Zoom"
        self.steps.append({"step": name, "seconds": seconds, "limit": limit, "problem": problem})
        if self._shows:
            said = Text("FAILED " if problem else "ok     ", style="bold red" if problem else "green")
            said.append(f"{name}: {seconds:.3f} s{f' of {limit:g} s' if limit else ''}", style="default")
            said.append(f"\n       {printable(problem)}" if problem else "", style="default")
            console().print(said, soft_wrap=True)
        if problem:
            raise _Failed

    def run(self) -> None:
        """Takes the steps, up to the first that fails."""
        token = CHECK_EVENT_ID_PREFIX + secrets.token_hex(8)
        with self._step("challenge answered", _ZOOM_SECONDS):
            sent = self._post(URL_VALIDATION, {"plainToken": token})
            _require(sent, HTTPStatus.OK)
            answer = {"plainToken": token, "encryptedToken": hash_token(self._secret, token)}
            if sent.as_dict()["body"] != answer:
                raise CommandError("the answer is not the one that the stored secret gives")
        # A well-formed signature by another secret would count as SignatureMismatch. The second one of a day
        # rings its alarm. These two count as SignatureMalformed, which has no alarm.
        with self._step("malformed signature refused", _ZOOM_SECONDS):
            _require(self._post_booking(signature_length=-1), HTTPStatus.UNAUTHORIZED)
        with self._step("stale request refused", _ZOOM_SECONDS):
            _require(self._post_booking(age_seconds=86_400), HTTPStatus.UNAUTHORIZED)
        pattern = {"source": [BOOKINGS + CHECK_SUFFIX], "detail": {"booking": {"event_id": [self._event_id]}}}
        with temporary_rule(self._stack, json.dumps(pattern)) as rule:
            self._follow_booking(rule)

    def _follow_booking(self, rule: TemporaryRule) -> None:
        detail = json.dumps({"booking": {"event_id": self._event_id}})
        probe = Envelope(BOOKINGS + CHECK_SUFFIX, "RuleProbe", detail)

        def probe_came() -> bool:
            [error] = booking_bus(self._stack).publish_all([probe])
            if error:
                raise CommandError(f"the bus takes no event: {error}")
            return bool(rule.receive(1))

        def event_came() -> bool:
            return any(event["detail-type"] == EventType.BOOKING_CREATED for event in rule.receive(1))

        with self._step("temporary rule in effect"):
            _wait_until(probe_came, _RULE_SECONDS, "no event comes through a rule of the bus")
        table, booking_id = BookingsTable(self._stack), booking_id_of(self._event_id, _EMAIL)
        try:
            with self._step("test booking accepted", _ZOOM_SECONDS):
                _require(self._post_booking(), HTTPStatus.OK)
            with self._step("booking in the table"):
                _wait_until(lambda: table.has(booking_id), _BOOKING_SECONDS, "it is not: see the log")
            with self._step("event on the bus"):
                _wait_until(event_came, _BOOKING_SECONDS, "there is none: see the log of booking-events")
        finally:
            with suppress(CommandError):
                _wait_until(lambda: table.has(booking_id), _LATE_SECONDS, "")
            # An erasure would leave a tombstone of each check. A deletion is no event.
            table.delete(booking_id)

    def _post_booking(self, **forged: Any) -> Sent:
        start = datetime.now(UTC) + timedelta(days=1)
        scheduled = {
            "event_id": self._event_id,
            "summary": "Test booking of `bookings check`",
            "start_date_time": utc_text(start),
            "end_date_time": utc_text(start + timedelta(minutes=30)),
        }
        booked = {"invitee_email": _EMAIL, "scheduled_event": scheduled}
        return self._post(CREATED, {"object": booked}, **forged)

    def _post(self, event: str, payload: dict[str, Any], **forged: Any) -> Sent:
        body = {"event": event, "event_ts": time.time_ns() // 1_000_000, "payload": payload}
        return post(self._stack.webhook_url, json.dumps(body).encode(), self._secret, **forged)


@command
def check(where: StackOptions, as_json: JsonOption = False) -> None:
    """Prove the endpoint: challenge, refusals, and a test booking on its way to table and subscribers.

    It ends at the first step that fails. The test booking has sources of its own, which no subscriber gets.
    At the end it is deleted, and so are the temporary rule and queue that see its event. Two runs a day ring
    no alarm.

    Exit code 0 if each step passed, 1 if one did not, 2 for a wrong call.
    """
    stack = where.find()
    checked, passed = _Check(stack, shows=not as_json), False
    with suppress(_Failed):
        checked.run()
        passed = True
    if as_json:
        print_json({"passed": passed, "webhook_url": stack.webhook_url, "steps": checked.steps})
    elif passed:
        console().print(Text(f"Everything works: {stack.name}, {stack.webhook_url}"), soft_wrap=True)
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
