"""How bookings and domain events are shown on the terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.local.demo import Delivery, Outcome, Told
from cli.local.subscriber import DomainEvent
from cli.local.template import LeftOut
from cli.local.view import View, booking_line, slot
from cli.posting import Sent

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


def test_a_booking_is_one_line_with_its_status_title_slot_and_invitee() -> None:
    assert plain(booking_line(BOOKING)) == (
        "confirmed Onboarding [call] · Thu 26 Nov 2026, 14:00–14:30 UTC · Maya Lindqvist"
    )


def test_a_canceled_booking_shows_the_reason() -> None:
    canceled = BOOKING | {"status": "canceled", "cancellation": {"reason": "ill"}}
    assert plain(booking_line(canceled)).endswith("Maya Lindqvist · “ill”")


def test_a_booking_canceled_by_a_move_says_that_another_slot_replaces_it() -> None:
    moved = BOOKING | {"status": "canceled", "rescheduled": True, "cancellation": {"reason": "ill"}}
    assert plain(booking_line(moved)).endswith("Maya Lindqvist · another slot replaces it")


def test_no_booking_and_one_without_anything_are_shown_as_such() -> None:
    assert plain(booking_line(None)) == "no booking"
    assert plain(booking_line({"status": "confirmed"})) == "confirmed"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-11-26T14:00:00Z", None, "Thu 26 Nov 2026, 14:00 UTC"),
        (None, "2026-11-26T14:00:00Z", ""),
        ("soon", "later", ""),
    ],
)
def test_a_slot_shows_what_is_known_of_it(start: object, end: object, expected: str) -> None:
    assert slot(start, end) == expected


def test_resources_left_out_for_one_reason_stand_together(console: Console) -> None:
    View(console).left_out(
        [LeftOut("A", "T", "one account"), LeftOut("B", "T", "one account"), LeftOut("C", "U", "other")]
    )
    assert "– A, B: one account" in shown(console)


def test_a_delivery_is_shown_with_its_answer_the_booking_before_and_after_and_the_events(
    console: Console,
) -> None:
    event = DomainEvent(
        "BookingCreated", {"metadata": {"id": "1", "booking_id": "e-1", "revision": 1}, "booking": {}}
    )
    told = Told(
        Delivery(file="a.json", status="confirmed"),
        sent(200),
        None,
        BOOKING,
        0.05,
        [event],
        0.06,
    )
    View(console).delivered(told)
    text = shown(console)
    assert "POST a.json  200 in 12 ms" in text
    assert "before  no booking" in text
    assert "after   confirmed Onboarding [call]" in text
    assert "event   BookingCreated revision 1 +60 ms" in text


def test_a_story_that_went_wrong_says_so_and_where_to_look(console: Console) -> None:
    View(console).outcome(Outcome(problems=["a.json: not in the table"]), Path("/state"))
    assert "Not everything arrived" in shown(console)
    assert "/state/emulator.log" in shown(console)


def test_at_80_columns_no_word_of_a_remark_or_of_what_to_do_next_is_broken() -> None:
    narrow = Console(width=80, file=io.StringIO(), force_terminal=True, color_system=None)
    view = View(narrow)
    remark = "a word and another " * 12
    view.delivered(Told(Delivery(file="a.json", status="confirmed", remark=remark), sent(200), None, BOOKING))
    view.how_to_go_on(Path(".local"), "made-for-this-run")
    lines = [line.rstrip() for line in shown(narrow).splitlines()]
    assert max(map(len, lines)) <= 80
    remarks = [line for line in lines if "a word" in line]
    assert all(len(line) > 60 for line in remarks[:-1])


def test_problems_are_shown_with_their_delivery(console: Console) -> None:
    delivery = Delivery(file="a.json", status="confirmed")
    View(console).delivered(Told(delivery, sent(503), None, problems=["a.json: answered 503"]))
    assert "✗ a.json: answered 503" in shown(console)


def test_the_secret_token_of_this_run_is_shown_and_one_that_was_given_is_not(console: Console) -> None:
    View(console).how_to_go_on(Path(".local"), "made-for-this-run")
    assert "Secret token  made-for-this-run" in shown(console)
    given = Console(width=200, file=io.StringIO())
    View(given).how_to_go_on(Path(".local"), None)
    assert "Secret token  the one you gave" in shown(given)


def test_a_failure_is_shown_whole_and_line_by_line(console: Console) -> None:
    View(console).failed("The template can't be used", "Queue: [bold] is no type\nRule: neither")
    assert shown(console).split("\n")[1:] == [
        "  The template can't be used",
        "    Queue: [bold] is no type",
        "    Rule: neither",
        "",
    ]
