"""`bookings erase`: what is left of an erased booking, and what stays away."""

import dataclasses
import json
from typing import Any

import boto3
import pytest

import cli.erase
from bookings.aws.table import DynamoDBBookingStore, parse_item
from bookings.clock import SystemClock
from bookings.domain.booking import Booking, Tombstone
from bookings.envelope import Envelope
from bookings.use_cases.record import Recorder
from bookings.zoom.events import CREATED
from cli.erase import erase_booking
from cli.stack import find_stack

from .conftest import EVENTS, STACK_NAME, Deployed, booked, bookings

CREATED_FILE = "story/1_created.json"
NOW_MS = 1_795_300_000_000  # 2026-11-21, a day after the booking was made


def stored(deployed: Deployed, booking: Booking) -> Any:
    key = {"booking_id": {"S": booking.booking_id}}
    return boto3.client("dynamodb").get_item(TableName=deployed.outputs["BookingsTableName"], Key=key)["Item"]


# failure matrix: 52
def test_only_key_revision_and_time_are_left(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: NOW_MS * 1_000_000)
    booking = dataclasses.replace(booked(CREATED_FILE), revision=3)
    deployed.put(booking)

    result = bookings("erase", booking.booking_id, "--yes", "--stack", STACK_NAME, "--json")

    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == {
        "booking_id": booking.booking_id,
        "erased_at": "2026-11-21T22:26:40Z",
    }
    assert stored(deployed, booking) == {
        "booking_id": {"S": booking.booking_id},
        "revision": {"N": "4"},
        "erased_at": {"N": str(NOW_MS)},
    }


# failure matrix: 52
def test_an_older_delivery_does_not_bring_an_erased_booking_back(deployed: Deployed) -> None:
    booking = dataclasses.replace(booked(CREATED_FILE), revision=1)
    deployed.put(booking)
    erase_booking(find_stack(local=False, name=STACK_NAME), booking.booking_id, now_ms=NOW_MS)
    counted: list[str] = []
    recorder = Recorder(
        store=DynamoDBBookingStore(boto3.client("dynamodb"), deployed.outputs["BookingsTableName"]),
        quarantine=None,  # type: ignore[arg-type]  # nothing goes there
        retention_days=0,
        clock=SystemClock(),
        count=counted.append,
    )
    body = (EVENTS / CREATED_FILE).read_text()
    message = Envelope(source="zoom.scheduler", detail_type=CREATED, detail=body)
    recorder.record(message.to_message(account="1", region="x", time=SystemClock().now()))

    assert counted == ["Erased"]
    assert isinstance(parse_item(stored(deployed, booking)), Tombstone)


# failure matrix: 52
def test_what_is_erased_stays_away_though_the_clock_here_is_behind_zooms(deployed: Deployed) -> None:
    booking = dataclasses.replace(booked(CREATED_FILE), revision=1)
    deployed.put(booking)
    found = find_stack(local=False, name=STACK_NAME)
    newest = booking.newest.event_time

    behind = erase_booking(found, booking.booking_id, now_ms=newest - 1)
    assert behind.erased_at == newest
    # Nor does a second erasure, by a clock that is further behind, let anything back.
    assert erase_booking(found, booking.booking_id, now_ms=newest - 2).erased_at == newest
    deployed.put(dataclasses.replace(booking, revision=4, erased_until=newest + 5))
    assert erase_booking(found, booking.booking_id, now_ms=newest).erased_at == newest + 5


def test_a_booking_written_in_between_is_erased_as_it_is_then(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    booking = dataclasses.replace(booked(CREATED_FILE), revision=1)
    deployed.put(booking)
    read = cli.erase._standing

    def overtaken(*arguments: Any) -> tuple[int, int]:
        revision, newest = read(*arguments)
        if revision == 1:
            deployed.put(dataclasses.replace(booking, revision=2))
        return revision, newest

    monkeypatch.setattr(cli.erase, "_standing", overtaken)
    found = find_stack(local=False, name=STACK_NAME)
    tombstone = erase_booking(found, booking.booking_id, now_ms=NOW_MS)

    assert tombstone.revision == 3
    assert parse_item(stored(deployed, booking)) == tombstone


def test_a_booking_that_is_written_without_end_is_left_and_said_so(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    booking = dataclasses.replace(booked(CREATED_FILE), revision=7)
    deployed.put(booking)
    monkeypatch.setattr(cli.erase, "_standing", lambda *_: (1, 0))

    result = bookings("erase", booking.booking_id, "--yes", "--stack", STACK_NAME)

    assert result.exit_code == 1
    assert "try again" in result.stderr
    assert isinstance(parse_item(stored(deployed, booking)), Booking)


def test_an_unknown_booking_is_said_to_be_one(deployed: Deployed) -> None:
    result = bookings("erase", "nobody-0000", "--yes", "--stack", STACK_NAME)
    assert result.exit_code == 1
    assert result.stderr == f"Error: There is no booking nobody-0000 in stack {STACK_NAME}.\n"


def test_nothing_is_erased_unless_it_is_confirmed(deployed: Deployed) -> None:
    booking = dataclasses.replace(booked(CREATED_FILE), revision=1)
    deployed.put(booking)

    refused = bookings("erase", booking.booking_id, "--stack", STACK_NAME, stdin=b"n\n")
    assert refused.exit_code == 1
    assert isinstance(parse_item(stored(deployed, booking)), Booking)

    confirmed = bookings("erase", booking.booking_id, "--stack", STACK_NAME, stdin=b"y\n")
    assert confirmed.exit_code == 0
    assert f"Erased {booking.booking_id}" in confirmed.stdout
    assert isinstance(parse_item(stored(deployed, booking)), Tombstone)


def test_json_without_yes_is_a_wrong_call(deployed: Deployed) -> None:
    result = bookings("erase", "any-0000", "--stack", STACK_NAME, "--json")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
