"""`bookings show`: which bookings it prints, and how."""

import dataclasses
import json
import time
from typing import Any

import boto3
import pytest

from bookings.domain.booking import Booking, Kind

from .conftest import EVENTS, REQUEST_ID, STACK_NAME, Deployed, Local, booked, bookings

STACK = ("--stack", STACK_NAME)
STORY = [f"story/{name}.json" for name in ("1_created", "2_moved_canceled", "3_moved_created", "4_canceled")]
MAYAS_ID = "k3v9q2m7x1d8fz6hw4tn0rbc5y-0bc914a87713f49e"
HOST = "Hq3vT0xVRkOe7nP2sLwA9g"


def guest(number: int, **changes: Any) -> Booking:
    """A booking of another invitee of Maya's event."""
    return booked(STORY[0], invitee_email=f"guest{number}@example.com", **changes)


def shown_lines(*arguments: str) -> list[str]:
    result = bookings("show", *arguments)
    assert result.exit_code == 0, result.stderr
    return [line.rstrip() for line in result.stdout.splitlines() if line.strip()]


def shown_json(*arguments: str) -> Any:
    result = bookings("show", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_all_bookings_stand_in_a_table_by_start(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    deployed.put(booked(*STORY))
    deployed.put(booked("scheduled_event_created.json"))

    lines = shown_lines(*STACK)

    assert [" ".join(line.split()) for line in lines if "─" not in line] == [
        "Start (UTC) Status Booking",
        "2023-12-21 16:00 confirmed daily meeting, alax bbbb",
        "rescheduled woft7torlatbw8ek24bmit5k60-6ec0087cb57192b8",
        "2026-11-27 09:00 canceled Onboarding call, Maya Lindqvist",
        MAYAS_ID,
    ]


def test_bookings_of_one_start_stand_by_id(deployed: Deployed) -> None:
    several = [guest(number) for number in range(5)]
    for booking in several:
        deployed.put(booking)

    assert [found["booking_id"] for found in shown_json(*STACK)] == sorted(
        booking.booking_id for booking in several
    )


def test_a_booking_without_a_name_or_a_start_is_told_by_its_address(deployed: Deployed) -> None:
    scheduled = json.loads((EVENTS / STORY[0]).read_text())["payload"]["object"]["scheduled_event"]
    del scheduled["start_date_time"], scheduled["summary"]
    deployed.put(guest(1, invitee_first_name="", invitee_last_name=None, scheduled_event=scheduled))

    [line] = [line for line in shown_lines(*STACK) if "guest1" in line]

    assert line.split()[:2] == ["confirmed", "guest1@example.com"]


def test_an_empty_table_is_no_error(deployed: Deployed) -> None:
    assert shown_lines(*STACK) == ["No bookings."]
    assert shown_json(*STACK) == []


def test_a_program_gets_the_fields_of_every_booking(deployed: Deployed) -> None:
    booking = booked(*STORY)
    deployed.put(dataclasses.replace(booking, revision=4))

    assert shown_json(*STACK) == [booking.public_fields() | {"revision": 4}]


def test_every_page_of_the_table_is_read(deployed: Deployed) -> None:
    notes = "x" * 300_000  # a page holds 1 MB
    for number in range(8):
        booking = guest(number)
        booking = dataclasses.replace(
            booking, details=dataclasses.replace(booking.details, title=notes + str(number))
        )
        deployed.put(booking)

    assert len(shown_json(*STACK)) == 8


def test_one_booking_is_printed_in_full(deployed: Deployed) -> None:
    deployed.put(dataclasses.replace(booked(*STORY), revision=4))

    assert [" ".join(line.split()) for line in shown_lines(MAYAS_ID, *STACK)] == [
        f"booking id {MAYAS_ID}",
        "status canceled",
        "title Onboarding call",
        "start 2026-11-27 09:00 UTC",
        "end 2026-11-27 09:30 UTC",
        "invitee email maya.lindqvist@example.com",
        "first name Maya",
        "last name Lindqvist",
        "time zone Europe/Stockholm",
        "phone +46 70 1740633",
        "answers What would you like to talk about?",
        "Moving our workshop bookings to Zoom Scheduler – about 40 a week.",
        "Which calendars do you use?",
        "Google Calendar",
        "Outlook",
        "rescheduled no",
        "event id k3v9q2m7x1d8fz6hw4tn0rbc5y",
        "account id pJ7rW2nXQ0mE5tKcYb9LfA",
        f"host user id {HOST}",
        "location kind zoom",
        "online meeting kind zoom",
        "meeting id 98012345678",
        "meeting passcode 481516",
        "meeting description Onboarding call",
        "meeting join url https://zoom.us/j/98012345678",
        "guests jonas.ek@example.com",
        "attendees display name Maya Lindqvist",
        "email maya.lindqvist@example.com",
        "tracking utm source newsletter",
        "utm medium email",
        "utm campaign autumn_onboarding",
        "utm content book_a_call",
        "manage url https://scheduler.zoom.us/manage/c8k2p5v1x9d4f7h3j6m0n8q2r",
        "created at 2026-11-20T10:40:30Z",
        "cancellation canceled by maya.lindqvist@example.com",
        "canceler type invitee",
        "cancel at 2026-11-20T15:05:58Z",
        "reason A colleague takes over; we will book again in January.",
        "updated at 2026-11-20T15:05:58Z",
        f"request id {REQUEST_ID}",
        "revision 4",
    ]


def test_an_answer_with_more_than_the_known_fields_is_printed_whole(deployed: Deployed) -> None:
    question = {"question": "Why?", "position": 1, "answer": "not a list"}
    booking = guest(1)
    deployed.put(
        dataclasses.replace(booking, details=dataclasses.replace(booking.details, answers=[question]))
    )

    lines = [" ".join(line.split()) for line in shown_lines(booking.booking_id, *STACK)]

    assert {"answers question Why?", "position 1", "answer not a list"} <= set(lines)


def test_one_booking_as_json_is_an_object(deployed: Deployed) -> None:
    booking = booked(STORY[0])
    deployed.put(dataclasses.replace(booking, revision=1))

    assert shown_json(MAYAS_ID, *STACK) == booking.public_fields() | {"revision": 1}


def test_the_deliveries_of_a_booking_are_printed_with_it(deployed: Deployed) -> None:
    deployed.put(booked(*STORY))

    said = shown_json(MAYAS_ID, "--events", *STACK)["zoom_events"]

    assert {kind: event["body"] for kind, event in said.items()} == {
        "created": json.loads((EVENTS / STORY[2]).read_text()),
        "canceled_by_reschedule": json.loads((EVENTS / STORY[1]).read_text()),
        "canceled": json.loads((EVENTS / STORY[3]).read_text()),
    }
    assert said["created"]["event_time"] == "2026-11-20T10:40:31Z"
    assert said["created"]["request_id"] == REQUEST_ID
    assert len(said["created"]["digest"]) == 64


def test_a_person_sees_the_deliveries_too(deployed: Deployed) -> None:
    deployed.put(booked(*STORY[:2]))

    lines = shown_lines(MAYAS_ID, "--events", *STACK)

    assert f"newest created, 2026-11-20T09:12:04Z, request {REQUEST_ID}" in lines
    assert f"newest canceled by a reschedule, 2026-11-20T10:40:31Z, request {REQUEST_ID}" in lines
    assert '  "event": "scheduler.scheduled_event_created",' in lines


def test_a_delivery_whose_body_was_given_up_is_said_to_be(deployed: Deployed) -> None:
    booking = booked(STORY[0])
    kept = {
        kind: dataclasses.replace(event, body=None, request_id=None)
        for kind, event in booking.deliveries.items()
    }
    deployed.put(dataclasses.replace(booking, deliveries=kept))

    lines = shown_lines(MAYAS_ID, "--events", *STACK)

    assert lines[-2:] == [
        "newest created, 2026-11-20T09:12:04Z, request unknown",
        "Its body was given up for size.",
    ]
    assert shown_json(MAYAS_ID, "--events", *STACK)["zoom_events"]["created"]["body"] is None


def test_a_hosts_bookings_are_found_by_the_index(deployed: Deployed) -> None:
    for number in range(120):  # more than one read of many keys takes
        deployed.put(guest(number))
    deployed.put(booked("scheduled_event_created.json"))

    found = shown_json("--host", HOST, *STACK)

    assert len(found) == 120
    assert {booking["host_user_id"] for booking in found} == {HOST}
    assert shown_json("--host", "somebody-else", *STACK) == []


def test_keys_that_were_not_read_are_read_again(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        deployed.put(guest(number))
    base: Any = boto3.client("dynamodb").__class__.__mro__[1]  # of all clients; its method is botocore's own
    make_call = base._make_api_call

    def one_at_a_time(client: Any, operation: str, values: dict[str, Any]) -> Any:
        if operation != "BatchGetItem":
            return make_call(client, operation, values)
        [(table, wanted)] = values["RequestItems"].items()
        answer = make_call(client, operation, {"RequestItems": {table: {"Keys": wanted["Keys"][:1]}}})
        left = wanted["Keys"][1:]
        return answer | {"UnprocessedKeys": {table: {"Keys": left}} if left else {}}

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", one_at_a_time)

    assert len(shown_json("--host", HOST, *STACK)) == 3


def test_expired_bookings_are_left_out(deployed: Deployed) -> None:
    now = int(time.time())
    deployed.put(guest(1), expires_at=now - 10)
    deployed.put(guest(2), expires_at=now + 3600)

    assert [found["booking_id"] for found in shown_json(*STACK)] == [guest(2).booking_id]
    assert [found["booking_id"] for found in shown_json("--host", HOST, *STACK)] == [guest(2).booking_id]
    assert bookings("show", guest(1).booking_id, *STACK).stderr == (
        f"Error: There is no booking {guest(1).booking_id} in stack {STACK_NAME}.\n"
    )


def test_an_erased_booking_is_said_to_be_one(deployed: Deployed) -> None:
    deployed.put_item(
        {
            "booking_id": {"S": MAYAS_ID},
            "erased_at": {"N": "1795165924318"},
            "revision": {"N": "7"},
        }
    )

    result = bookings("show", MAYAS_ID, *STACK)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: Booking {MAYAS_ID} was erased (2026-11-20T09:12:04Z).\n"
    assert shown_json(*STACK) == []


def test_an_unknown_id_is_told(deployed: Deployed) -> None:
    result = bookings("show", "nobodys-booking", *STACK)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: There is no booking nobodys-booking in stack {STACK_NAME}.\n"


def test_nothing_that_a_stranger_typed_steers_the_terminal(deployed: Deployed) -> None:
    booking = guest(1, invitee_first_name="\x1b]0;owned\x07[red]Eve[/red]\u202e")
    deployed.put(booking)

    for arguments in ([], [booking.booking_id, "--events"]):
        printed = bookings("show", *arguments, *STACK).stdout
        assert "[red]Eve[/red]" in printed
        assert not {"\x1b", "\x07", "\u202e"} & set(printed)
    assert "\\u202e" in bookings("show", "--json", *STACK).stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([MAYAS_ID, "--host", HOST], "BOOKING_ID and --host exclude each other."),
        (["--events"], "--events needs a BOOKING_ID."),
    ],
)
def test_options_that_do_not_go_together_are_a_wrong_call(
    deployed: Deployed, arguments: list[str], error: str
) -> None:
    result = bookings("show", *arguments, *STACK)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Error: {error}\n"


def test_the_local_stack_is_read_with_its_own_credentials(local: Local) -> None:
    local.put(booked(*STORY))

    assert [found["booking_id"] for found in shown_json("--local")] == [MAYAS_ID]
    assert shown_json(MAYAS_ID)["status"] == "canceled"
    assert [found["booking_id"] for found in shown_json("--host", HOST)] == [MAYAS_ID]
    assert set(local.credentials) == {"test"}


def test_bodies_that_were_kept_come_through_a_local_stack(local: Local) -> None:
    local.put(booked(STORY[0]))

    said = shown_json(MAYAS_ID, "--events", "--local")

    assert said["zoom_events"][Kind.CREATED]["body"] == json.loads((EVENTS / STORY[0]).read_text())
