"""The operator's command against the running stack, as a person types it in the folder it runs in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bookings.domain.booking import booking_id_of
from tests.leaks import WATCH
from tests.stack.deliveries import (
    EMAIL,
    JOIN_URL,
    MANAGE_URL,
    MINUTE,
    NOON,
    PASSCODE,
    canceled,
    created,
    encoded,
)
from tests.stack.running import StackUnderTest, wait_for
from tests.zoom_api import zoom_on_loopback

pytestmark = pytest.mark.xdist_group("stack")


def bookings(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Any:
    """Calls `bookings … --local --json` and returns what it prints."""
    command = Path(sys.executable).with_name("bookings")
    called = subprocess.run(
        [command, *arguments, "--local", "--json"],
        cwd=folder,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    WATCH.see_command(arguments, called.stdout + called.stderr)
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


# failure matrix: 50
def test_what_zoom_gave_up_while_nothing_was_durable_is_recovered_from_its_log_once(
    stack: StackUnderTest, stack_folder: Path, event_id: str
) -> None:
    an_hour_ago = int(time.time() * 1000) - 60 * MINUTE
    moved, other = created(event_id, at=an_hour_ago), created(f"{event_id}-other", at=an_hour_ago)
    bodies = [encoded(moved), encoded(canceled(event_id, at=an_hour_ago + MINUTE)), encoded(other)]
    with zoom_on_loopback() as zoom:
        with stack.denied("WebhookRole", "events:PutEvents", "sqs:SendMessage"):
            for body in bodies:
                answers = [stack.post(body) for _ in range(4)]
                zoom.log(body, answers[0].request_id, *(answer.status for answer in answers))
        assert {entry["status"] for entry in zoom.entries} == {503}
        assert stack.item(event_id) is stack.item(f"{event_id}-other") is None

        since = stack.now()
        recovered = bookings(stack_folder, "recover", environment=zoom.environment)
        ids = [delivery["request_id"] for delivery in recovered["deliveries"]]
        assert sorted(ids) == sorted({entry["request_id"] for entry in zoom.entries})
        assert {delivery["outcome"] for delivery in recovered["deliveries"]} == {"accepted"}
        wait_for("each to be recorded", lambda: _recorded(stack, ids, since) == len(bodies))
        booking, untouched = stack.booking(event_id), stack.booking(f"{event_id}-other")
        assert (booking["status"], untouched["status"]) == ("canceled", "confirmed")
        told = stack.events(event_id)
        assert told[-1].type == "BookingCanceled"
        assert [event.type for event in stack.events(f"{event_id}-other")] == ["BookingCreated"]

        since = stack.now()
        again = bookings(stack_folder, "recover", environment=zoom.environment)
        wait_for("each to be found merged", lambda: _recorded(stack, ids, since) == len(bodies))

    assert again == recovered
    assert (stack.booking(event_id), stack.booking(f"{event_id}-other")) == (booking, untouched)
    assert stack.events(event_id) == told


# failure matrix: 12
def test_what_the_stream_gave_up_while_the_bus_was_down_is_announced_from_the_table(
    stack: StackUnderTest, stack_folder: Path, event_id: str
) -> None:
    lost = [event_id, f"{event_id}-canceled"]
    with stack.stream_giving_up(), stack.denied("BookingEventsRole", "events:PutEvents"):
        stack.deliver(created(lost[0]))
        stack.deliver(created(lost[1]))
        stack.deliver(canceled(lost[1], at=NOON + MINUTE))
        given_up: list[str] = []
        wait_for("the records to be given up", lambda: _positions(stack, given_up) == 3)
    assert [stack.events(each) for each in lost] == [[], []]

    ids = [booking_id_of(each, EMAIL) for each in lost]
    told = bookings(stack_folder, "announce", *ids, "--yes")
    assert told == {"announced": 2, "not_announced": []}
    (new,), (gone,) = [stack.events(each) for each in lost]
    assert [(event.type, event.metadata["revision"]) for event in (new, gone)] == [
        ("BookingCreated", 1),
        ("BookingCanceled", 2),
    ]
    assert new.detail["previous"] is gone.detail["previous"] is None
    assert new.booking["title"] == stack.booking(event_id)["title"]
    assert not any(secret in new.text for secret in (MANAGE_URL, JOIN_URL, PASSCODE))

    with stack.parameters(ShareAccessLinks="true"):
        bookings(stack_folder, "announce", ids[0])
    again = stack.events(event_id)[-1]
    assert again.metadata == new.metadata
    assert again.booking["manage_url"] == MANAGE_URL


def _positions(stack: StackUnderTest, given_up: list[str]) -> int:
    """How many records the stream has put into the DLQ, by their positions."""
    given_up += stack.events_dlq.take()
    return sum(json.loads(text)["DDBStreamBatchInfo"]["batchSize"] for text in given_up)


def _recorded(stack: StackUnderTest, request_ids: list[str], since: int) -> int:
    """How many of these deliveries a handler has dealt with since then."""
    return sum(
        line.get("message") == "recorded" and line.get("zoom_request_id") in request_ids
        for name in ("booking-created", "booking-canceled")
        for line in stack.log_lines(name, since=since)
    )
