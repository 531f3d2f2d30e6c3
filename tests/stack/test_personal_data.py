"""Logs hold nothing of a person and nothing that opens a door. Runs last, and reads what every test left."""

from __future__ import annotations

from pathlib import Path

import pytest

from bookings.domain.booking import booking_id_of
from tests.leaks import WATCH
from tests.stack.deliveries import (
    CANARY,
    EMAIL,
    MINUTE,
    NOON,
    Body,
    canceled,
    created,
    encoded,
    unknown,
)
from tests.stack.running import StackUnderTest, wait_for

pytestmark = pytest.mark.xdist_group("stack")


def everywhere(body: Body, event_id: str) -> Body:
    """Returns the body with the canary in every string but those by which an event is told."""

    def replaced(value: object) -> object:
        if isinstance(value, dict):
            return {name: replaced(item) for name, item in value.items()}
        if isinstance(value, list):
            return [replaced(item) for item in value]
        return f"{CANARY} {value}" if isinstance(value, str) and value != event_id else value

    result = replaced(body)
    assert isinstance(result, dict)
    return result | {"event": body["event"]}


# failure matrix: 43
def test_no_log_of_any_function_or_of_the_api_holds_personal_data_or_secrets(
    stack: StackUnderTest, event_id: str
) -> None:
    client_id = {"clientid": f"client-{CANARY}", "user-agent": CANARY, "authorization": CANARY}
    email = f"{CANARY} {EMAIL}"
    for body in (created(event_id), canceled(event_id, at=NOON + MINUTE)):
        assert stack.post(everywhere(body, event_id), headers=client_id).status == 200
    wait_for("both", lambda: stack.booking(event_id, email)["revision"] == 2)
    stack.events(event_id)
    broken = everywhere(created(event_id), event_id)
    broken["payload"][CANARY] = broken["payload"]["object"] = [CANARY]
    for unusable in (broken, CANARY.encode(), f'{{"event": "{CANARY}", "{CANARY}": NaN}}'.encode()):
        assert stack.post(unusable, headers=client_id).status == 400
    assert stack.post(created(event_id) | {"event": CANARY}).status == 204
    assert stack.post(unknown(event_id) | {"event": "scheduler.new"}).status == 200
    assert stack.post(created(event_id), secret=f"{CANARY} as a token").status == 401
    assert stack.post(created(event_id), headers={"x-zm-request-id": f"{CANARY} !"}).status == 200
    with stack.created_queue.redelivering(at_most=1):
        stack.created_queue.send(encoded(created(event_id)).decode(), CANARY)
        wait_for("both in the DLQ", lambda: stack.created_dlq.waiting == 2)
    stack.created_dlq.take()

    logs = stack.running.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    assert len(groups) >= 5
    lines = [line for group in groups for line in stack.log_texts(group)]
    assert len(lines) > 20
    with WATCH.expecting() as found:
        for line in lines:
            WATCH.see("a log", line)
    assert [*found, *(line for line in lines if stack.secret in line)] == []


def test_what_the_local_stack_itself_prints_and_logs_holds_no_secret_and_nothing_personal(
    stack: StackUnderTest, stack_folder: Path
) -> None:
    said = {name: (stack_folder / ".local" / name).read_text() for name in ("output.txt", "emulator.log")}
    assert said["emulator.log"]
    with WATCH.expecting() as found:
        for name, text in said.items():
            WATCH.see(name, text)
    assert found == []
    assert [name for name, text in said.items() if stack.secret in text] == []


def test_a_booking_is_followed_through_the_logs_by_its_ids(stack: StackUnderTest, event_id: str) -> None:
    answer = stack.post(created(event_id))
    stack.outcome(answer)

    (recorded,) = [
        line
        for line in stack.log_lines("booking-created", since=answer.sent_at)
        if line.get("zoom_request_id") == answer.request_id
    ]
    for line in (stack.answered(answer), recorded):
        assert line["booking_id"] == booking_id_of(event_id, EMAIL)
        assert line["zoom_request_id"] == answer.request_id
    assert stack.answered(answer)["status"] == 200
