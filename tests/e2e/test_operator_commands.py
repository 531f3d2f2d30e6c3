"""The operator's commands against the running stack."""

import json
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from bookings.domain.booking import booking_id_of
from tests.e2e.stack import Stack, wait_for
from tests.e2e.test_commands import bookings
from tests.samples import canceled, created

COMMAND = str(Path(sys.executable).with_name("bookings"))


def temporary_names(stack: Stack) -> list[str]:
    rules = stack.client("events").list_rules(EventBusName=stack.outputs["EventBusName"])["Rules"]
    queues = stack.client("sqs").list_queues()["QueueUrls"]
    names = [rule["Name"] for rule in rules] + [url.rpartition("/")[2] for url in queues]
    return [name for name in names if name.startswith("bookings-listen-")]


def test_check_passes_and_leaves_nothing_behind(stack: Stack) -> None:
    report = bookings(stack, "check")
    assert report["passed"], report
    assert len(report["steps"]) == 7
    ids = [booking["booking_id"] for booking in bookings(stack, "show")]
    assert not [booking_id for booking_id in ids if booking_id.startswith("bookings-check-")]
    assert temporary_names(stack) == []


def test_listen_prints_events(stack: Stack, event_id: str) -> None:
    line = [COMMAND, "listen", "--local", "--raw"]
    with subprocess.Popen(line, cwd=stack.folder, stdout=-1, stderr=-1, text=True) as listening:
        assert listening.stdout
        assert listening.stderr
        assert listening.stderr.readline() == "Listening to the local stack. Ctrl-C ends it.\n"
        stack.deliver(created(event_id=event_id))
        event = json.loads(listening.stdout.readline())
        listening.send_signal(signal.SIGTERM)
    assert (event["detail-type"], event["detail"]["booking"]["event_id"]) == ("BookingCreated", event_id)
    assert (listening.returncode, temporary_names(stack)) == (0, [])


# failure matrix: 55
def test_quarantined_cancel_is_replayed(stack: Stack, event_id: str) -> None:
    nobody: dict[str, Any] = {"event_id": event_id, "invitee_email": None}
    assert stack.deliver(canceled(**nobody)) == "Quarantined"
    stack.deliver(created(**nobody))
    listed = bookings(stack, "quarantine", "list")
    [message] = [each for each in listed if each["booking_id"] == booking_id_of(event_id, None)]
    assert message["reason"] == "no_invitee_email"
    [replayed] = bookings(stack, "quarantine", "replay", message["message_id"])
    assert replayed["outcome"] == "accepted"
    wait_for("the cancel", lambda: stack.items(event_id)[0]["status"] == "canceled")
    assert message not in bookings(stack, "quarantine", "list")


# failure matrix: 45
def test_dlq_is_redriven(stack: Stack, event_id: str) -> None:
    envelope = {"source": "zoom.scheduler", "detail-type": "scheduler.scheduled_event_created"}
    body = json.dumps(envelope | {"resources": [], "detail": created(event_id=event_id)})
    stack.send(stack.outputs["BookingCreatedDLQUrl"], body)
    [message] = bookings(stack, "dlq", "list", "created")
    bookings(stack, "dlq", "redrive", message["message_id"])
    [item] = wait_for("the booking", lambda: stack.items(event_id))
    assert (item["booking_id"], item["status"]) == (message["booking_id"], "confirmed")
    assert stack.messages(stack.outputs["BookingCreatedDLQUrl"]) == 0


# failure matrix: 28
def test_secret_is_rotated(stack: Stack, event_id: str) -> None:
    new = secrets.token_urlsafe(16)
    for token, leaked, expected in ((new, (), [200, 200]), (stack.secret, ("--leaked",), [401, 200])):
        with stack.environment("WebhookFunction"):
            bookings(stack, "rotate-secret", *leaked, "--yes", stdin=f"{token}\n")
            answers = [stack.post(created(event_id=event_id), secret=each) for each in (new, stack.secret)]
            assert [answer.status for answer in answers] == expected


def test_invitee_is_erased_everywhere(stack: Stack, event_id: str) -> None:
    email = f"{event_id}@Example.com"
    stack.deliver(created(event_id=event_id, invitee_email=email))
    wrong = created(event_id=event_id, invitee_email=email, rescheduled="maybe")
    assert stack.post(wrong).status == 400
    erased = bookings(stack, "erase", "--invitee", email.upper(), "--yes")
    assert [each["booking_id"] for each in erased["bookings"]] == [booking_id_of(event_id, email)]
    assert [each["queue"] for each in erased["messages"]] == ["quarantine"]
    [tombstone] = stack.items(event_id)
    assert tombstone.keys() == {"booking_id", "revision", "erased_at"}
