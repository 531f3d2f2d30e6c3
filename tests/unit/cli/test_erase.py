"""`bookings erase`: the rest of an erased booking."""

import json
from typing import Any

import pytest

from bookings.aws.table import build_item, parse_item
from bookings.domain.booking import Booking, Tombstone
from cli.erase import erase_booking
from cli.stack import find_stack

from .conftest import NOW, STACK, Deployed, booked, on_stack

NOW_MS = int(NOW.timestamp() * 1000)
BOOKING = booked(revision=3)
ID = BOOKING.booking_id


def erase(now_ms: int = NOW_MS) -> Tombstone:
    return erase_booking(find_stack(local=False, name=STACK), ID, now_ms=now_ms)


# failure matrix: 52
def test_only_key_revision_and_time_are_left(deployed: Deployed) -> None:
    deployed.put(BOOKING)
    exit_code, shown, _ = on_stack("erase", ID, "--yes", "--json")
    assert (exit_code, json.loads(shown)) == (
        0,
        {"bookings": [{"booking_id": ID, "erased_at": "2026-11-22T12:00:00Z"}], "messages": []},
    )
    rest = {"booking_id": {"S": ID}, "revision": {"N": "4"}, "erased_at": {"N": str(NOW_MS)}}
    assert deployed.item(ID) == rest


# failure matrix: 52
def test_slow_clock_here_lets_no_delivery_back(deployed: Deployed) -> None:
    newest = BOOKING.newest.event_time
    deployed.put(BOOKING)
    assert erase(newest - 1).erased_at == newest
    assert erase(newest - 2).erased_at == newest  # over the tombstone
    deployed.put(build_item(BOOKING, None) | {"erased_until": {"N": str(newest + 5)}})
    assert erase(newest).erased_at == newest + 5


def test_booking_written_in_between_is_erased(deployed: Deployed) -> None:
    def overtaken(call: Any, parameters: dict[str, Any]) -> Any:
        for revision in revisions.pop(0):
            call({"TableName": parameters["TableName"], "Item": build_item(booked(revision=revision), None)})
        return call(parameters)

    deployed.put(BOOKING)
    deployed.replaced["PutItem"] = overtaken
    revisions = [[4], [5], [6], [7], [8]]  # another writer before each of five attempts
    message = f"Error: Booking {ID} is being written all the time; try again.\n"
    assert on_stack("erase", ID, "--yes") == (1, "", message)
    assert isinstance(parse_item(deployed.item(ID)), Booking)
    revisions = [[9], [10], [11], [12], []]
    assert erase() == Tombstone(booking_id=ID, erased_at=NOW_MS, revision=13)
    assert isinstance(parse_item(deployed.item(ID)), Tombstone)


def test_erasure_must_be_confirmed(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_stack("erase", ID).exit_code == 2  # nobody to ask
    monkeypatch.setattr("cli.stack.at_terminal", lambda: True)
    deployed.put(BOOKING)
    exit_code, _, asked = on_stack("erase", ID, stdin=b"n\n")
    assert (exit_code, isinstance(parse_item(deployed.item(ID)), Booking)) == (1, True)
    assert asked.startswith(f"Erase {ID} for good in stack {STACK} (account 123456789012, us-east-1)?")
    exit_code, shown, _ = on_stack("erase", ID, stdin=b"y\n")
    assert (exit_code, isinstance(parse_item(deployed.item(ID)), Tombstone)) == (0, True)
    assert shown.endswith(f"Erased {ID}: deliveries up to 2026-11-22T12:00:00Z are dropped from now on.\n")
