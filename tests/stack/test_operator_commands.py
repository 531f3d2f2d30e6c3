"""The operator's commands against the running stack, each as a process of its own."""

import json
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bookings.domain.booking import booking_id_of
from tests.leaks import WATCH
from tests.stack.deliveries import EMAIL, canceled, created, encoded
from tests.stack.running import StackUnderTest, wait_for

pytestmark = pytest.mark.xdist_group("stack")

COMMAND = str(Path(sys.executable).with_name("bookings"))


def bookings(folder: Path, *arguments: str, stdin: str = "", exit_code: int = 0) -> Any:
    """Calls `bookings … --local --json` and returns the JSON it prints."""
    line = [COMMAND, *arguments, "--local", "--json"]
    called = subprocess.run(line, cwd=folder, input=stdin, capture_output=True, text=True, check=False)
    WATCH.see_command(arguments, called.stdout + called.stderr)
    assert called.returncode == exit_code, called.stderr
    return json.loads(called.stdout)


def temporary_names(stack: StackUnderTest) -> list[str]:
    rules = stack.running.client("events").list_rules(EventBusName=stack.running.outputs["EventBusName"])
    queues = stack.running.client("sqs").list_queues()["QueueUrls"]
    names = [rule["Name"] for rule in rules["Rules"]] + [url.rpartition("/")[2] for url in queues]
    return [name for name in names if name.startswith("bookings-listen-")]


def test_check_passes_and_leaves_nothing_behind(stack: StackUnderTest, stack_folder: Path) -> None:
    mismatches = stack.counted("webhook", "SignatureMismatch")
    report = bookings(stack_folder, "check")

    assert report["passed"]
    assert [step["step"] for step in report["steps"]] == [
        *("challenge answered", "malformed signature refused", "stale request refused"),
        *("temporary rule in effect", "test booking accepted", "booking in the table", "event on the bus"),
    ]
    ids = [booking["booking_id"] for booking in bookings(stack_folder, "show")]
    assert not [booking_id for booking_id in ids if booking_id.startswith("bookings-check-")]
    assert stack.counted("webhook", "SignatureMismatch") == mismatches
    assert temporary_names(stack) == []


def test_listen_prints_events(stack: StackUnderTest, stack_folder: Path, event_id: str) -> None:
    line = [COMMAND, "listen", "--local", "--raw"]
    with subprocess.Popen(line, cwd=stack_folder, stdout=-1, stderr=-1, text=True) as listening:
        assert listening.stdout
        assert listening.stderr
        assert listening.stderr.readline() == "Listening to the local stack. Ctrl-C ends it.\n"
        stack.deliver(created(event_id))
        event = json.loads(listening.stdout.readline())
        listening.send_signal(signal.SIGTERM)

    assert (event["detail-type"], event["detail"]["booking"]["event_id"]) == ("BookingCreated", event_id)
    assert listening.returncode == 0
    assert temporary_names(stack) == []


# failure matrix: 55
def test_a_quarantined_cancel_is_replayed(stack: StackUnderTest, stack_folder: Path, event_id: str) -> None:
    assert stack.deliver(canceled(event_id, invitee_email=None)) == "Quarantined"
    stack.deliver(created(event_id, invitee_email=None))
    listed = bookings(stack_folder, "quarantine", "list")
    [message] = [each for each in listed if each["booking_id"] == booking_id_of(event_id, None)]
    assert message["reason"] == "no_invitee_email"
    [replayed] = bookings(stack_folder, "quarantine", "replay", message["message_id"])
    assert replayed["outcome"] == "accepted"
    wait_for("the cancel", lambda: stack.booking(event_id, None)["status"] == "canceled")
    assert message not in bookings(stack_folder, "quarantine", "list")


def test_a_dlq_is_redriven(stack: StackUnderTest, stack_folder: Path, event_id: str) -> None:
    envelope = {"source": "zoom.scheduler", "detail-type": "scheduler.scheduled_event_created"}
    stack.created_dlq.send(json.dumps(envelope | {"resources": [], "detail": created(event_id)}))
    [message] = bookings(stack_folder, "dlq", "list", "created")
    assert message["booking_id"] == booking_id_of(event_id, EMAIL)
    bookings(stack_folder, "dlq", "redrive", message["message_id"])
    assert stack.booking(event_id)["status"] == "confirmed"
    assert stack.created_dlq.empty


def test_the_secret_is_rotated(stack: StackUnderTest, stack_folder: Path, event_id: str) -> None:
    new = secrets.token_urlsafe(16)
    with stack.new_process("WebhookFunction"):
        bookings(stack_folder, "rotate-secret", "-", "--yes", stdin=f"{new}\n")
        assert [stack.post(created(event_id), secret=each).status for each in (new, None)] == [200, 200]
    with stack.new_process("WebhookFunction"):
        bookings(stack_folder, "rotate-secret", "--leaked", "--yes", stdin=stack.secret)
        assert [stack.post(created(event_id), secret=each).status for each in (new, None)] == [401, 200]


def test_an_invitee_is_erased_everywhere(stack: StackUnderTest, stack_folder: Path, event_id: str) -> None:
    email = f"{event_id}@Example.com"
    stack.deliver(created(event_id, invitee_email=email))
    assert stack.post(encoded(created(event_id, invitee_email=email, rescheduled="maybe"))).status == 400
    erased = bookings(stack_folder, "erase", "--invitee", email.upper(), "--yes")
    assert [each["booking_id"] for each in erased["bookings"]] == [booking_id_of(event_id, email)]
    assert [each["queue"] for each in erased["messages"]] == ["quarantine"]
    assert (stack.item(event_id, email) or {}).keys() == {"booking_id", "revision", "erased_at"}
