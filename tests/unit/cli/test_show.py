"""`bookings show`: which bookings it prints, and how."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bookings.domain.booking import Booking, Tombstone

from .conftest import EVENTS, REQUEST_ID, STEERING, Deployed, booked, on_stack

MAYAS_ID = "k3v9q2m7x1d8fz6hw4tn0rbc5y-0bc914a87713f49e"
HOST = "Hq3vT0xVRkOe7nP2sLwA9g"
FILES = {"created": "1_created", "canceled_by_reschedule": "2_moved_canceled", "canceled": "4_canceled"}


def guest(number: int, **changes: Any) -> Booking:
    """Returns a booking of another invitee of Maya's event."""
    return booked(invitee_email=f"guest{number}@example.com", **changes)


def lines(*arguments: str) -> list[str]:
    """Returns the printed lines, without rules and repeated spaces."""
    exit_code, shown, _ = on_stack("show", *arguments)
    assert exit_code == 0
    return [" ".join(line.split()) for line in shown.splitlines() if line.strip() and "─" not in line]


def read(*arguments: str) -> Any:
    exit_code, shown, _ = on_stack("show", *arguments, "--json")
    assert (exit_code, shown.isascii()) == (0, True)
    return json.loads(shown)


def test_bookings_are_listed_on_80_columns(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    unnamed: Any = {
        "invitee_first_name": "",
        "invitee_last_name": None,
        "scheduled_event": {"event_id": "evt"},
    }
    deployed.put(booked("1_created", "4_canceled"), booked("../scheduled_event_created"), booked(**unnamed))
    assert lines() == [
        "Start (UTC) Status Booking",
        *("confirmed maya.lindqvist@example.com", booked(**unnamed).booking_id),
        "2023-12-21 16:00 confirmed daily meeting, alax bbbb",
        "rescheduled woft7torlatbw8ek24bmit5k60-6ec0087cb57192b8",
        *("2026-11-26 14:00 canceled Onboarding call, Maya Lindqvist", MAYAS_ID),
    ]


def test_program_gets_the_bookings_by_start_and_id(deployed: Deployed) -> None:
    assert (lines(), read(), read("--host", HOST)) == (["No bookings."], [], [])
    earlier = booked("../scheduled_event_created", revision=4)
    deployed.put(earlier, *(guest(number) for number in range(4)))
    deployed.put(Tombstone(booking_id="erased", erased_at=1, revision=2))
    [first, *others] = read()
    assert first == earlier.public_fields() | {"revision": 4}
    assert [each["booking_id"] for each in others] == sorted(guest(number).booking_id for number in range(4))
    assert read("--host", HOST) == others
    assert read(others[0]["booking_id"]) == others[0]


def test_one_booking_is_printed_in_full(deployed: Deployed) -> None:
    booking = booked("1_created", "4_canceled", revision=4)
    odd = {"question": "Why?", "position": 3, "answer": "not a list"}
    details = replace(booking.details, answers=[*(booking.details.answers or []), odd])
    deployed.put(replace(booking, details=details))
    printed = lines(MAYAS_ID)
    assert " / ".join(printed[:20]) == (
        f"booking id {MAYAS_ID} / status canceled / title Onboarding call / start 2026-11-26 14:00 UTC / "
        "end 2026-11-26 14:30 UTC / invitee email maya.lindqvist@example.com / first name Maya / "
        "last name Lindqvist / time zone Europe/Stockholm / phone +46 70 1740633 / answers What would you "
        "like to talk about? / Moving our workshop bookings to Zoom Scheduler – about 40 a week. / Which "
        "calendars do you use? / Google Calendar / Outlook / question Why? / position 3 / answer not a list "
        "/ rescheduled no / event id k3v9q2m7x1d8fz6hw4tn0rbc5y"
    )
    texts: list[str] = []
    shown = on_stack("show", MAYAS_ID, "--json")[1]
    json.loads(shown, object_pairs_hook=lambda pairs: texts.extend(v for _, v in pairs if isinstance(v, str)))
    absent = [text for text in texts if not any(text in line for line in printed)]
    assert absent == ["2026-11-26T14:00:00Z", "2026-11-26T14:30:00Z"]
    assert printed[-2:] == [f"request id {REQUEST_ID}", "revision 4"]


def test_deliveries_of_a_booking_are_printed_with_it(deployed: Deployed) -> None:
    deployed.put(booked(*FILES.values()))
    events, printed = read(MAYAS_ID, "--events")["zoom_events"], lines(MAYAS_ID, "--events")
    bodies = {kind: json.loads((EVENTS / f"story/{stem}.json").read_text()) for kind, stem in FILES.items()}
    assert {kind: event["body"] for kind, event in events.items()} == bodies
    assert events["created"]["event_time"] == "2026-11-20T09:12:04Z"
    assert (events["created"]["request_id"], len(events["created"]["digest"])) == (REQUEST_ID, 64)
    assert {
        f"newest created, 2026-11-20T09:12:04Z, request {REQUEST_ID}",
        f"newest canceled, 2026-11-20T15:05:58Z, request {REQUEST_ID}",
        f"newest canceled by a reschedule, 2026-11-20T10:40:31Z, request {REQUEST_ID}",
        '"event": "scheduler.scheduled_event_created",',
    } <= set(printed)
    [(kind, event)] = booked().deliveries.items()
    deployed.put(replace(booked(), deliveries={kind: replace(event, body=None, request_id=None)}))
    assert read(MAYAS_ID, "--events")["zoom_events"]["created"]["body"] is None
    head = "newest created, 2026-11-20T09:12:04Z, request unknown"
    assert lines(MAYAS_ID, "--events")[-2:] == [head, "Its body was given up for size."]


def test_nothing_in_a_booking_steers_the_terminal(deployed: Deployed) -> None:
    deployed.put(booked(invitee_first_name="\x1b]0;owned\x07[red]Eve[/red]\u202e"))
    for arguments in ([], [MAYAS_ID, "--events"]):
        _, printed, _ = on_stack("show", *arguments)
        assert "[red]Eve[/red]" in printed
        assert not STEERING & set(printed)
