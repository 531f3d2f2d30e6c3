"""The operator's command against the running stack, as a person types it in the folder it runs in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bookings.booking import booking_id_of

from tests.stack.deliveries import EMAIL, created, encoded
from tests.stack.running import StackUnderTest, wait_for

pytestmark = pytest.mark.xdist_group("stack")


def bookings(folder: Path, *arguments: str) -> Any:
    """Calls `bookings … --local --json` and returns what it prints."""
    command = Path(sys.executable).with_name("bookings")
    called = subprocess.run(
        [command, *arguments, "--local", "--json"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert called.returncode == 0, called.stderr
    return json.loads(called.stdout)


def test_a_file_is_sent_and_its_booking_shown_and_erased(
    stack: StackUnderTest, stack_folder: Path, event_id: str
) -> None:
    booking_id = booking_id_of(event_id, EMAIL)
    file = stack_folder / "delivery.json"
    file.write_bytes(encoded(created(event_id)))

    sent = bookings(stack_folder, "send", str(file))
    wait_for("the booking", lambda: stack.item(event_id))
    shown = bookings(stack_folder, "show", booking_id)
    bookings(stack_folder, "erase", booking_id, "--yes")

    assert sent["status"] == 200
    assert (shown["booking_id"], shown["status"]) == (booking_id, "confirmed")
    left = stack.item(event_id)
    assert left is not None
    assert left.keys() == {"booking_id", "revision", "erased_at"}
    assert stack.deliver(created(event_id)) == "Erased"
    assert [event.type for event in stack.events(event_id)] == ["BookingCreated"]
