"""`bookings recover`: posts again the deliveries that failed at Zoom, or all of them."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import typer
from rich.text import Text

from bookings.domain.booking import event_time_text
from bookings.zoom.delivery import NoEventId, event_time_of, identify
from bookings.zoom.events import SCHEDULER_PREFIX, InvalidEvent, UnknownEvent
from cli.output import CommandError, WrongCallError, console, print_json, printable, progress
from cli.posting import Outcome, exit_code_of, post
from cli.since import TIMES, since_when
from cli.stack import JsonOption, StackOptions, command
from cli.zoom_log import API_URL, OAUTH_URL, Logged, Try, ZoomLog

_RETRIES = (1, 2, 3)
_END_OF_TIME_MS = 253_402_300_800_000  # the year 10000, which no date here can say

_SAID = {
    Outcome.ACCEPTED: ("accepted", "green"),
    Outcome.QUARANTINED: ("not usable, kept whole in quarantine", "yellow"),
    Outcome.REFUSED: ("not taken", "bold red"),
    Outcome.NO_ANSWER: ("not taken", "bold red"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A body that Zoom tried to deliver, to be sent again.

    Attributes:
        event_time: milliseconds since 1970. None if the body has none.
        last: the last failed try. For a delivered body, the last successful one.
        failed_tries: the number of failed ones.
        delivered: true if the last try under each request id succeeded.
    """

    event: str
    event_time: int | None
    booking_id: str | None
    body: bytes = field(repr=False)
    last: Try
    failed_tries: int
    delivered: bool

    def as_dict(self) -> dict[str, Any]:
        fields = {
            "booking_id": self.booking_id,
            "event": self.event,
            "event_time": None if self.event_time is None else event_time_text(self.event_time),
            "request_id": self.last.request_id,
            "failed_tries": self.failed_tries,
            "last_status": self.last.status,
            "failed_reason_type": self.last.failed_reason,
        }
        return fields | {"delivered": True} if self.delivered else fields


@command
def recover(
    where: StackOptions,
    since: Annotated[
        str, typer.Option(metavar="TIME", help=f"Only events of then or later: {TIMES}. Zoom keeps 7 days.")
    ] = "7d",
    app_id: Annotated[
        str, typer.Option(metavar="ID", envvar="ZOOM_APP_ID", help="The Zoom app that has the subscription.")
    ] = "",
    delivered: Annotated[
        bool, typer.Option("--delivered", help="Also what Zoom delivered well but was lost after a 200.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list them; no stack is needed, and nothing is sent.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find in Zoom's delivery log what failed for good, and post it to the stack's webhook.

    Each delivery is signed anew with the stack's own secret. That is safe at any time: a delivery that came
    before changes nothing. With --delivered, successful deliveries are posted too. The log is read with
    ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET of a Server-to-Server OAuth app with the scope
    marketplace_app:read:admin.

    Exit code 0 if each delivery was accepted. 3 if some are only in quarantine. 1 if one was refused or the
    log can't be read. 2 for a wrong call.
    """
    begin = since_when("--since", since)
    log = _log(app_id)
    target = None if dry_run else where.find()
    with progress("Reading Zoom's delivery log …"):
        found, unreadable = _found(log, begin, delivered=delivered)
    secret = target.secret() if target and found else ""
    reports = []
    for delivery in found:
        report = delivery.as_dict()
        if target:
            report |= _fed(delivery, target.webhook_url, secret)
        reports.append(report)
        if not as_json:
            _show(report)
    if as_json:
        print_json({"deliveries": reports, "unreadable": unreadable})
    else:
        _show_sum(reports, unreadable, delivered=delivered, dry_run=dry_run)
    raise typer.Exit(1 if unreadable else exit_code_of(report.get("outcome") for report in reports))


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
        account_id=given["ZOOM_ACCOUNT_ID"],
        login=f"{given['ZOOM_CLIENT_ID']}:{given['ZOOM_CLIENT_SECRET']}",
        # Another Zoom, such as Zoom for Government, or one that a test stands for.
        api_url=os.environ.get("ZOOM_API_URL") or API_URL,
        oauth_url=os.environ.get("ZOOM_OAUTH_URL") or OAUTH_URL,
    )


def _found(log: ZoomLog, begin: datetime, *, delivered: bool) -> tuple[list[Delivery], int]:
    """Returns what is to be fed of since then, the oldest event first, and how many tries can't be read."""
    failed = [each for each in log.tries(Logged.FAILED) if _ours(each)]
    failed_by_body = _by_body(failed)
    # The log's own filter tells failure from success; no document says how an entry does.
    if delivered:
        succeeded = [each for each in log.tries(Logged.SUCCEEDED) if _ours(each)]
    else:
        # A failed delivery can only succeed by a retry, so ask for the successful retries only.
        succeeded = [
            each
            for number in _RETRIES
            if failed_by_body
            for each in log.tries(Logged.SUCCEEDED, retry_num=number)
        ]
    arrived = _last_numbers(succeeded)
    found = {
        body: _delivery_of(tries, failed_tries=len(tries), delivered=False)
        for body, tries in failed_by_body.items()
        if any(not key[0] or arrived.get(key, -1) < number for key, number in _last_numbers(tries).items())
    }
    if delivered:
        found = {
            body: _delivery_of(tries, failed_tries=len(failed_by_body.get(body, ())), delivered=True)
            for body, tries in _by_body(succeeded).items()
        } | found
    from_ms = begin.timestamp() * 1000
    wanted = [each for each in found.values() if each.event_time is None or each.event_time >= from_ms]
    read = [*failed, *succeeded] if delivered else failed
    unreadable = sum(each.body is None or each.event is None for each in read)
    return sorted(wanted, key=lambda each: (each.event_time or 0, each.event)), unreadable


def _by_body(tries: Iterable[Try]) -> dict[bytes, list[Try]]:
    """Returns the tries that can be read."""
    by_body: dict[bytes, list[Try]] = {}
    for each in tries:
        if each.body is not None and each.event is not None:
            by_body.setdefault(each.body, []).append(each)
    return by_body


def _ours(found: Try) -> bool:
    """Whether a try is of the Scheduler's, or could be."""
    return found.event is None or found.event.startswith(SCHEDULER_PREFIX)


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


def _delivery_of(tries: list[Try], *, failed_tries: int, delivered: bool) -> Delivery:
    last = max(tries, key=lambda found: found.number)
    content = last.content or {}
    booking_id, event_time = None, None
    try:
        identity = identify(content)
        booking_id, event_time = identity.booking_id, identity.event_time
    except (UnknownEvent, InvalidEvent, NoEventId):
        stamp = content.get("event_ts")
        if isinstance(stamp, int) and not isinstance(stamp, bool):
            event_time = event_time_of(stamp)
    return Delivery(
        event=last.event or "",
        event_time=event_time if event_time is not None and 0 <= event_time < _END_OF_TIME_MS else None,
        booking_id=booking_id,
        body=last.body or b"",
        last=last,
        failed_tries=failed_tries,
        delivered=delivered,
    )


def _fed(delivery: Delivery, url: str, secret: str) -> dict[str, Any]:
    """Posts a delivery and returns what came of it; one that fails holds up no other."""
    try:
        sent = post(url, delivery.body, secret, request_id=delivery.last.request_id)
    except CommandError as error:
        return {"answer": None, "outcome": Outcome.NO_ANSWER, "detail": str(error)}
    return {"answer": sent.status, "outcome": sent.outcome}


def _show(report: Mapping[str, Any]) -> None:
    lines = [
        f"{report['event_time'] or 'time unknown'} {report['event']}, {_tried(report)}",
        f"  {report['booking_id'] or 'booking unknown'}",
    ]
    out = console()
    out.print(Text(printable("\n".join(lines))), soft_wrap=True)
    if "outcome" in report:
        said, style = _SAID[report["outcome"]]
        answer = report.get("detail") or f"{report['answer']}: {said}"
        out.print(Text.assemble("  ", (printable(answer), style)), soft_wrap=True)


def _tried(report: Mapping[str, Any]) -> str:
    failed = f"failed {report['failed_tries']} x"
    if report.get("delivered"):
        return f"{failed}, then delivered" if report["failed_tries"] else "delivered"
    return f"{failed}, last with {report['last_status'] or report['failed_reason_type'] or 'unknown'}"


def _show_sum(reports: list[dict[str, Any]], unreadable: int, *, delivered: bool, dry_run: bool) -> None:
    out = console()
    found = _many(len(reports))
    if delivered:
        well = sum("delivered" in report for report in reports)
        found += f" ({well} delivered well, {len(reports) - well} failed for good)"
    if not reports:
        which = "" if delivered else " that failed for good"
        out.print(Text(f"Zoom's delivery log holds no delivery of the Scheduler{which}."))
    elif dry_run:
        out.print(Text(f"Found {found}; nothing was sent."))
    else:
        counts = {each: sum(report["outcome"] is each for report in reports) for each in Outcome}
        not_taken = counts[Outcome.REFUSED] + counts[Outcome.NO_ANSWER]
        taken = f"{counts[Outcome.ACCEPTED]} accepted, {counts[Outcome.QUARANTINED]} in quarantine"
        out.print(Text(f"Found {found}: {taken}, {not_taken} not taken."))
        if not_taken:
            out.print(Text("What was not taken stays in Zoom's log for 7 days: call this again."))
        if any(report["answer"] == HTTPStatus.UNAUTHORIZED for report in reports):
            out.print(Text("401: the webhook may know a token that was just stored a minute later only."))
    if unreadable:
        kind = "" if delivered else "failed "
        tries = f"1 {kind}try has" if unreadable == 1 else f"{unreadable} {kind}tries have"
        out.print(Text(f"{tries} no body in Zoom's delivery log that could be sent.", style="bold red"))


def _many(number: int) -> str:
    return "1 delivery" if number == 1 else f"{number} deliveries"
