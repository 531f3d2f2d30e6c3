"""How bookings and domain events are shown on the terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.posting import Sent
from local.demo import Delivery, Outcome, Result
from local.subscriber import DomainEvent
from local.template import LeftOut
from local.view import View, booking_line, slot

BOOKING: dict[str, Any] = {
    "status": "confirmed",
    "title": "Onboarding [call]",
    "start": "2026-11-26T14:00:00Z",
    "end": "2026-11-26T14:30:00Z",
    "invitee": {"first_name": "Maya", "last_name": "Lindqvist", "email": "maya@example.com"},
    "booking_id": "e-1",
}


@pytest.fixture
def console() -> Console:
    return Console(width=200, file=io.StringIO())


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def plain(markup: str) -> str:
    console = Console(width=200, file=io.StringIO())
    console.print(markup)
    return shown(console).strip()


def sent(status: int) -> Sent:
    return Sent(url="", request_id="", status=status, reason="", content_type=None, body="", elapsed_ms=12)


def test_booking_line_has_status_title_slot_and_invitee() -> None:
    assert plain(booking_line(BOOKING)) == (
        "confirmed Onboarding [call] · Thu 26 Nov 2026, 14:00–14:30 UTC · Maya Lindqvist"
    )


def test_canceled_booking_shows_the_reason() -> None:
    canceled = BOOKING | {"status": "canceled", "cancellation": {"reason": "ill"}}
    assert plain(booking_line(canceled)).endswith("Maya Lindqvist · “ill”")


def test_booking_canceled_by_a_move_says_so() -> None:
    moved = BOOKING | {"status": "canceled", "rescheduled": True, "cancellation": {"reason": "ill"}}
    assert plain(booking_line(moved)).endswith("Maya Lindqvist · another slot replaces it")


def test_missing_and_empty_booking_are_shown_as_such() -> None:
    assert plain(booking_line(None)) == "no booking"
    assert plain(booking_line({"status": "confirmed"})) == "confirmed"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-11-26T14:00:00Z", None, "Thu 26 Nov 2026, 14:00 UTC"),
        (None, "2026-11-26T14:00:00Z", ""),
    ],
)
def test_slot_shows_the_known_times(start: str | None, end: str | None, expected: str) -> None:
    assert slot(start, end) == expected


def test_resources_left_out_are_grouped_by_reason(console: Console) -> None:
    View(console).left_out(
        [LeftOut("A", "T", "one account"), LeftOut("B", "T", "one account"), LeftOut("C", "U", "other")]
    )
    assert "– A, B: one account" in shown(console)


def test_delivery_is_shown_with_answer_booking_and_events(
    console: Console,
) -> None:
    event = DomainEvent(
        "BookingCreated", {"metadata": {"id": "1", "booking_id": "e-1", "revision": 1}, "booking": {}}
    )
    result = Result(
        Delivery(file="a.json", status="confirmed"),
        sent(200),
        None,
        BOOKING,
        0.05,
        [event],
        0.06,
    )
    View(console).delivered(result)
    text = shown(console)
    assert "POST a.json  200 in 12 ms" in text
    assert "before  no booking" in text
    assert "after   confirmed Onboarding [call]" in text
    assert "event   BookingCreated revision 1 +60 ms" in text


def test_failed_story_names_the_log(console: Console) -> None:
    View(console).outcome(Outcome(problems=["a.json: not in the table"]), Path("/state"))
    assert "Not everything arrived" in shown(console)
    assert "/state/emulator.log" in shown(console)


def test_80_columns_break_no_word() -> None:
    narrow = Console(width=80, file=io.StringIO(), force_terminal=True, color_system=None)
    view = View(narrow)
    remark = "a word and another " * 12
    view.delivered(
        Result(Delivery(file="a.json", status="confirmed", remark=remark), sent(200), None, BOOKING)
    )
    view.next_steps(Path(".local"), "made-for-this-run")
    lines = [line.rstrip() for line in shown(narrow).splitlines()]
    assert max(map(len, lines)) <= 80
    remarks = [line for line in lines if "a word" in line]
    assert all(len(line) > 60 for line in remarks[:-1])


ESCAPE = "\x1b]0;title\x07\x1b[2J\u009b31m\u202e\r\n"


def test_control_characters_of_a_delivery_are_not_printed(console: Console) -> None:
    view = View(console)
    view.shows_requests = True
    hostile = {
        "status": f"canceled{ESCAPE}",
        "title": f"{ESCAPE}[bold] :smile: \\",
        "invitee": {"first_name": ESCAPE, "last_name": ESCAPE},
        "cancellation": {"reason": ESCAPE},
    }
    metadata = {"id": "1", "booking_id": ESCAPE, "revision": 1}
    event = DomainEvent(ESCAPE, {"metadata": metadata, "booking": hostile})
    view.announced(event)
    view.requested("POST", f"/{ESCAPE}", 404, 0.1)
    delivery = Delivery(file="a.json", status="confirmed")
    view.delivered(Result(delivery, sent(503), hostile, hostile, events=[event], problems=[ESCAPE]))
    view.outcome(Outcome(problems=[ESCAPE]), Path("/state"))
    view.failed("It failed", ESCAPE)
    text = shown(console)
    assert "[bold] :smile: \\" in text
    assert {character for character in text if not character.isprintable()} == {"\n"}
    assert not any("]0;" in line and not line.startswith("  ") for line in text.splitlines())


def test_recorded_output_becomes_a_picture(tmp_path: Path) -> None:
    recording = Console(record=True, width=100, force_terminal=False, file=io.StringIO())
    view = View(recording)
    with view.step("one step"):
        view.whole_line("A line " + "of words " * 20)
    view.line("Another line " + "of words " * 20)
    view.save_svg(tmp_path / "demo.svg", "make demo")
    picture = (tmp_path / "demo.svg").read_text(encoding="utf-8").replace("&#160;", " ")
    assert "make demo" in picture
    assert "one step" in picture
    assert picture.count("of words") > 20  # the longer lines are broken, not cut


def test_problems_are_shown_with_their_delivery(console: Console) -> None:
    delivery = Delivery(file="a.json", status="confirmed")
    View(console).delivered(Result(delivery, sent(503), None, problems=["a.json: answered 503"]))
    assert "✗ a.json: answered 503" in shown(console)


def test_only_a_generated_secret_token_is_shown(console: Console) -> None:
    View(console).next_steps(Path(".local"), "made-for-this-run")
    assert "Secret token  made-for-this-run" in shown(console)
    given = Console(width=200, file=io.StringIO())
    View(given).next_steps(Path(".local"), None)
    assert "Secret token  the one you gave" in shown(given)


def test_failure_is_shown_line_by_line(console: Console) -> None:
    View(console).failed("The template can't be used", "Queue: [bold] is no type\nRule: neither")
    assert shown(console).split("\n")[1:] == [
        "  The template can't be used",
        "    Queue: [bold] is no type",
        "    Rule: neither",
        "",
    ]
