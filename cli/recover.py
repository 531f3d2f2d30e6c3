"""`bookings recover`: feeds through the door what Zoom tried to deliver in vain."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

import typer
from bookings.answers import PROBLEM_JSON
from bookings.booking import event_time_text
from bookings.receive import SCHEDULER_EVENTS
from bookings.zoom.delivery import NoEventId, event_time_of, identify
from bookings.zoom.events import UnknownEvent
from pydantic import ValidationError
from rich.text import Text

from cli.output import CommandError, WrongCallError, console, errors_told, print_json, printable
from cli.posting import Sent, post
from cli.since import since_when
from cli.stack import JsonOption, LocalOption, StackOption, find_stack
from cli.zoom_log import API_URL, OAUTH_URL, Credentials, Kept, Try, ZoomLog

ONLY_IN_QUARANTINE = 3
"""Exit code: nothing is lost, and something of it waits in quarantine for a person."""

_RETRIES = (1, 2, 3)
_END_OF_TIME_MS = 253_402_300_800_000  # the year 10000, which no date here can say


class Outcome(StrEnum):
    """What became of a delivery."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    REFUSED = "refused"
    NO_ANSWER = "no answer"


_SAID = {
    Outcome.ACCEPTED: ("accepted", "green"),
    Outcome.QUARANTINED: ("not usable, kept whole in quarantine", "yellow"),
    Outcome.REFUSED: ("not taken", "bold red"),
    Outcome.NO_ANSWER: ("not taken", "bold red"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A delivery that did not arrive, however often it was tried.

    Attributes:
        event_time: milliseconds since 1970; None where the body doesn't say it.
        last: its last try.
        tries: how many of them failed.
    """

    event: str
    event_time: int | None
    booking_id: str | None
    body: bytes = field(repr=False)
    last: Try
    tries: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "booking_id": self.booking_id,
            "event": self.event,
            "event_time": None if self.event_time is None else event_time_text(self.event_time),
            "request_id": self.last.request_id,
            "failed_tries": self.tries,
            "last_status": self.last.status,
            "failed_reason_type": self.last.failed_reason,
        }


def recover(
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only events of then or later: a span before now (7d, 12h, 90m), or a time "
            "(2026-11-20T09:00Z). Zoom's log keeps 7 days.",
        ),
    ] = "7d",
    app_id: Annotated[
        str,
        typer.Option(
            "--app-id", metavar="ID", envvar="ZOOM_APP_ID", help="The Zoom app that has the subscription."
        ),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list them; no stack is needed, and nothing is sent.")
    ] = False,
    local: LocalOption = False,
    stack: StackOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find in Zoom's delivery log what failed for good, and post it to the stack's webhook.

    Each delivery is signed anew with the stack's own secret. That is safe at any time, as a delivery that
    came before changes nothing. The log is read with ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET
    of a Server-to-Server OAuth app with the scope marketplace_app:read:admin.

    Exit code 0 if each delivery was accepted, 3 if the others were put into quarantine, 1 if one was not
    taken or the log could not be read, 2 for a wrong call.
    """
    with errors_told():
        begin = since_when("--since", since)
        log = _log(app_id)
        target = None if dry_run else find_stack(local=local, name=stack)
        missing, unreadable = _missing(log, begin)
        secret = target.secret() if target and missing else ""
        reports = []
        for delivery in missing:
            report = delivery.as_dict()
            if target:
                report |= _fed(delivery, target.webhook_url, secret)
            reports.append(report)
            if not as_json:
                _show(report)
    if as_json:
        print_json({"deliveries": reports, "unreadable": unreadable})
    else:
        _show_sum(reports, unreadable, dry_run=dry_run)
    outcomes = {report.get("outcome") for report in reports}
    if unreadable or outcomes & {Outcome.REFUSED, Outcome.NO_ANSWER}:
        raise typer.Exit(1)
    if Outcome.QUARANTINED in outcomes:
        raise typer.Exit(ONLY_IN_QUARANTINE)


def _log(app_id: str) -> ZoomLog:
    given = {
        name: os.environ.get(name, "").strip()
        for name in ("ZOOM_ACCOUNT_ID", "ZOOM_CLIENT_ID", "ZOOM_CLIENT_SECRET")
    }
    needed = given | {"ZOOM_APP_ID (or --app-id)": app_id.strip()}
    if absent := [name for name, value in needed.items() if not value]:
        raise WrongCallError(f"Zoom's delivery log can't be read without {', '.join(absent)}.")
    return ZoomLog(
        app_id=app_id.strip(),
        credentials=Credentials(
            account_id=given["ZOOM_ACCOUNT_ID"],
            client_id=given["ZOOM_CLIENT_ID"],
            client_secret=given["ZOOM_CLIENT_SECRET"],
        ),
        # Another Zoom, such as Zoom for Government, or one that a test stands for.
        api_url=os.environ.get("ZOOM_API_URL") or API_URL,
        oauth_url=os.environ.get("ZOOM_OAUTH_URL") or OAUTH_URL,
    )


def _missing(log: ZoomLog, begin: datetime) -> tuple[list[Missing], int]:
    """Returns what failed for good since then, the oldest event first, and how many tries can't be read."""
    failed = [found for found in log.tries(Kept.FAILED) if _ours(found)]
    unreadable = sum(found.body is None or found.event is None for found in failed)
    by_body: dict[bytes, list[Try]] = {}
    for found in failed:
        if found.body is not None and found.event is not None:
            by_body.setdefault(found.body, []).append(found)
    # What succeeded at once has not failed before, so of what succeeded only the retries are asked for.
    succeeded = [
        found for number in _RETRIES if by_body for found in log.tries(Kept.SUCCEEDED, retry_num=number)
    ]
    arrived = _last_numbers(succeeded)
    missing = [
        _missing_of(tries)
        for tries in by_body.values()
        if any(not key[0] or arrived.get(key, -1) < number for key, number in _last_numbers(tries).items())
    ]
    from_ms = begin.timestamp() * 1000
    wanted = [each for each in missing if each.event_time is None or each.event_time >= from_ms]
    return sorted(wanted, key=lambda each: (each.event_time or 0, each.event)), unreadable


def _ours(found: Try) -> bool:
    """Whether a try is of the Scheduler's, or could be."""
    return found.event is None or found.event.startswith(SCHEDULER_EVENTS)


def _last_numbers(tries: Iterable[Try]) -> dict[tuple[str, bytes], int]:
    """Returns the number of the last try of each delivery: its tries share request id and body.

    One of two subscriptions delivers the same body under an id of its own, perhaps to another address.
    """
    numbers: dict[tuple[str, bytes], int] = {}
    for found in tries:
        if found.body is not None:
            key = found.request_id or "", hashlib.sha256(found.body).digest()
            numbers[key] = max(numbers.get(key, -1), found.number)
    return numbers


def _missing_of(tries: list[Try]) -> Missing:
    last = max(tries, key=lambda found: found.number)
    content = last.content or {}
    booking_id, event_time = None, None
    try:
        identity = identify(content)
        booking_id, event_time = identity.booking_id, identity.event_time
    except (UnknownEvent, ValidationError, NoEventId):
        stamp = content.get("event_ts")
        if isinstance(stamp, int) and not isinstance(stamp, bool):
            event_time = event_time_of(stamp)
    return Missing(
        event=last.event or "",
        event_time=event_time if event_time is not None and 0 <= event_time < _END_OF_TIME_MS else None,
        booking_id=booking_id,
        body=last.body or b"",
        last=last,
        tries=len(tries),
    )


def _fed(delivery: Missing, url: str, secret: str) -> dict[str, Any]:
    """Posts a delivery and returns what came of it; one that fails holds up no other."""
    try:
        sent = post(url, delivery.body, secret, request_id=delivery.last.request_id)
    except CommandError as error:
        return {"answer": None, "outcome": Outcome.NO_ANSWER, "detail": str(error)}
    return {"answer": sent.status, "outcome": _outcome(sent)}


def _outcome(sent: Sent) -> Outcome:
    if sent.accepted:
        return Outcome.ACCEPTED
    # The webhook answers so once the delivery is in quarantine; a gateway's own 400 says nothing like it.
    if sent.status == HTTPStatus.BAD_REQUEST and sent.content_type == PROBLEM_JSON:
        return Outcome.QUARANTINED
    return Outcome.REFUSED


def _show(report: Mapping[str, Any]) -> None:
    last = report["last_status"] or report["failed_reason_type"] or "unknown"
    lines = [
        f"{report['event_time'] or 'time unknown'} {report['event']}, failed {report['failed_tries']} x, "
        f"last with {last}",
        f"  {report['booking_id'] or 'booking unknown'}",
    ]
    out = console()
    out.print(Text(printable("\n".join(lines))), soft_wrap=True)
    if "outcome" in report:
        said, style = _SAID[report["outcome"]]
        answer = report.get("detail") or f"{report['answer']}: {said}"
        out.print(Text.assemble("  ", (printable(answer), style)), soft_wrap=True)


def _show_sum(reports: list[dict[str, Any]], unreadable: int, *, dry_run: bool) -> None:
    out = console()
    if not reports:
        out.print(Text("Zoom's delivery log holds no delivery of the Scheduler that failed for good."))
    elif dry_run:
        out.print(Text(f"Found {_many(len(reports))}; nothing was sent."))
    else:
        counts = {each: sum(report["outcome"] is each for report in reports) for each in Outcome}
        not_taken = counts[Outcome.REFUSED] + counts[Outcome.NO_ANSWER]
        out.print(
            Text(
                f"Found {_many(len(reports))}: {counts[Outcome.ACCEPTED]} accepted, "
                f"{counts[Outcome.QUARANTINED]} in quarantine, {not_taken} not taken."
            )
        )
        if not_taken:
            out.print(Text("What was not taken stays in Zoom's log for 7 days: call this again."))
        if any(report["answer"] == HTTPStatus.UNAUTHORIZED for report in reports):
            out.print(Text("401: the webhook may know a token that was just stored a minute later only."))
    if unreadable:
        tries = "1 failed try has" if unreadable == 1 else f"{unreadable} failed tries have"
        out.print(Text(f"{tries} no body in Zoom's delivery log that could be sent.", style="bold red"))


def _many(number: int) -> str:
    return "1 delivery" if number == 1 else f"{number} deliveries"
