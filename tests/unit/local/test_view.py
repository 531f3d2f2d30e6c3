"""Bookings, domain events and steps of the local stack on the terminal."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.posting import Sent
from local.demo import Delivery, Outcome, Result
from local.subscriber import DomainEvent
from local.template import LeftOut
from local.view import View, booking_line

WHEN = {"start": "2026-11-26T14:00:00Z", "end": "2026-11-26T14:30:00Z"}
MAYA = {"first_name": "Maya", "last_name": "Lindqvist", "email": "maya@example.com"}
BOOKING: dict[str, Any] = {"status": "confirmed", "title": "Onboarding [call]", "invitee": MAYA, **WHEN}
CANCELED = BOOKING | {"status": "canceled", "cancellation": {"reason": "ill"}}
LINE = "Onboarding [call] · Thu 26 Nov 2026, 14:00–14:30 UTC · Maya Lindqvist"
DELIVERY = Delivery(file="a.json", status="confirmed")
SENT = Sent(url="", request_id="", status=200, reason="", content_type=None, body="", elapsed_ms=12)


def viewed(**options: Any) -> tuple[View, io.StringIO]:
    output = io.StringIO()
    return View(Console(**{"width": 200, "file": output, **options})), output


def event(kind: str, booking_id: str, booking: Any) -> DomainEvent:
    return DomainEvent(kind, {"metadata": {"booking_id": booking_id, "revision": 1}, "booking": booking})


@pytest.mark.parametrize(
    ("booking", "line"),
    [
        (BOOKING, f"confirmed {LINE}"),
        (CANCELED, f"canceled  {LINE} · “ill”"),
        (CANCELED | {"rescheduled": True}, f"canceled  {LINE} · another slot replaces it"),
        (BOOKING | {"end": None}, f"confirmed {LINE}".replace("–14:30", "")),
        ({"status": "confirmed", "end": WHEN["end"]}, "confirmed"),
        (None, "no booking"),
    ],
)
def test_booking_is_shown_in_one_line(booking: Any, line: str) -> None:
    view, output = viewed()
    view.line(booking_line(booking))
    assert output.getvalue().strip() == line


def test_results_and_failures_are_shown() -> None:
    view, output = viewed()
    created = event("BookingCreated", "b-1", BOOKING)
    view.delivered(Result(DELIVERY, SENT, None, BOOKING, 0.05, [created], 0.06, ["a.json: [bold] wrong"]))
    view.left_out([LeftOut(name, "T", reason) for name, reason in (("A", "x"), ("B", "x"), ("C", "y"))])
    view.outcome(Outcome(problems=["no"]), Path("/state"))
    assert [line for line in output.getvalue().splitlines() if line] == [
        "    POST a.json  200 in 12 ms",
        "      before  no booking",
        f"      after   confirmed {LINE} +50 ms",
        "      event   BookingCreated revision 1 +60 ms",
        "      ✗ a.json: [bold] wrong",
        *("  Left out of the template here:", "  – A, B: x", "  – C: y"),
        "  Not everything arrived as it should, and the story ends here.",
        "  The log of the functions and the emulator is /state/emulator.log.",
    ]


def test_80_columns_break_no_word_and_secret_is_own() -> None:
    view, output = viewed(width=80, force_terminal=True, color_system=None)
    long = Delivery(file="a.json", status="confirmed", remark="a word and another " * 12)
    view.delivered(Result(long, SENT, None, BOOKING))
    view.next_steps(Path(".local"), "made-for-this-run")
    view.next_steps(Path(".local"), None)
    lines = [line.rstrip() for line in output.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    assert all(len(line) > 60 for line in [line for line in lines if "a word" in line][:-1])
    secrets = [line[:33] for line in lines if "Secret token" in line]
    assert secrets == ["  Secret token  made-for-this-run", "  Secret token  the one you gave"]


def test_control_characters_are_not_printed() -> None:
    view, output = viewed()
    view.shows_requests = True
    escape = "\x1b]0;title\x07\x1b[2J\u009b31m\u202e\r\n"
    hostile: dict[str, Any] = {"status": f"canceled{escape}", "title": f"{escape}[bold] :smile: \\"}
    hostile |= {"invitee": dict.fromkeys(MAYA, escape), "cancellation": {"reason": escape}}
    view.announced(announced := event(escape, escape, hostile))
    view.requested("POST", f"/{escape}", 404, 0.1)
    view.delivered(Result(DELIVERY, SENT, hostile, hostile, events=[announced], problems=[escape]))
    view.failed("It failed", escape)
    text = output.getvalue()
    assert "[bold] :smile: \\" in text
    assert {character for character in text if not character.isprintable()} == {"\n"}
    assert not any("]0;" in line and not line.startswith("  ") for line in text.splitlines())
