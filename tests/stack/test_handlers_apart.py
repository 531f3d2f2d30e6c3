"""A message, a handler or a process that breaks: the others go on, and nothing that was accepted is lost."""

from __future__ import annotations

import concurrent.futures
import json
import signal

import pytest

from tests.stack.deliveries import MINUTE, NOON, canceled, created
from tests.stack.running import StackUnderTest, wait_for

pytestmark = pytest.mark.xdist_group("stack")


# failure matrix: 18, 20, 21
@pytest.mark.parametrize(
    "poison",
    [
        pytest.param("not JSON", id="not JSON"),
        pytest.param('{"detail": {}}', id="no EventBridge event"),
        pytest.param(
            json.dumps(
                {"source": "zoom.scheduler", "detail-type": "x", "detail": {"event": "meeting.started"}}
            ),
            id="another event",
        ),
    ],
)
def test_a_poison_message_ends_in_the_dlq_and_the_rest_of_its_batch_in_the_table(
    stack: StackUnderTest, event_id: str, poison: str
) -> None:
    ids = [f"{event_id}-{number}" for number in range(6)]
    good = [
        json.dumps(
            {
                "source": "zoom.scheduler",
                "detail-type": "scheduler.scheduled_event_created",
                "resources": [],
                "detail": created(name),
            }
        )
        for name in ids
    ]
    with stack.created_queue.redelivering(at_most=2):
        stack.created_queue.send(*good[:3], poison, *good[3:])

        assert [stack.booking(name)["revision"] for name in ids] == [1] * len(ids)
        wait_for("the poison in the DLQ", lambda: stack.created_dlq.waiting)
        assert stack.deliver(created(f"{event_id}-later")) == "BookingWritten"

    assert stack.created_dlq.take() == [poison]
    assert stack.created_queue.empty


# failure matrix: 19
@pytest.mark.parametrize("broken", ["created", "canceled"])
def test_one_handler_broken_leaves_the_other_working_and_catches_up_when_it_is_mended(
    stack: StackUnderTest, event_id: str, broken: str
) -> None:
    of_broken, of_other = (created, canceled) if broken == "created" else (canceled, created)
    queue = stack.created_queue if broken == "created" else stack.canceled_queue
    dlq = stack.created_dlq if broken == "created" else stack.canceled_dlq
    with queue.redelivering():
        with stack.broken_handler(broken):
            waiting = stack.post(of_broken(event_id))
            assert waiting.status == 200
            assert stack.deliver(of_other(f"{event_id}-other")) == "BookingWritten"
            wait_for(
                "the handler to fail",
                lambda: any(
                    "broken by a test" in text
                    for text in stack.log_texts(
                        f"/aws/lambda/bookings-local-booking-{broken}", since=waiting.sent_at
                    )
                ),
            )
            assert stack.item(event_id) is None

        assert stack.outcome(waiting) == "BookingWritten"
    assert dlq.waiting == 0
    assert [event.type for event in stack.events(event_id)] == [f"Booking{broken.title()}"]


# failure matrix: 20, 45
def test_a_dlq_that_is_redriven_after_newer_events_changes_nothing_that_is_right(
    stack: StackUnderTest, event_id: str
) -> None:
    with stack.created_queue.redelivering(at_most=1):
        with stack.broken_handler("created"):
            late = stack.post(created(event_id, summary="The older title"))
            assert late.status == 200
            wait_for("it in the DLQ", lambda: stack.created_dlq.waiting)
        stack.deliver(created(event_id, at=NOON + MINUTE, summary="The newer title"))

    stack.created_queue.send(*stack.created_dlq.take())

    assert stack.outcome(late) == "Superseded"
    assert stack.booking(event_id)["title"] == "The newer title"
    assert [event.type for event in stack.events(event_id)] == ["BookingCreated"]


# failure matrix: 25
def test_a_handler_killed_with_a_delivery_in_its_hands_records_it_in_its_next_life(
    stack: StackUnderTest, event_id: str
) -> None:
    stack.deliver(created(f"{event_id}-before"))  # so that a process is there to be killed
    with stack.created_queue.redelivering():
        stack.signal("BookingCreatedFunction", signal.SIGSTOP)
        answer = stack.post(created(event_id))
        wait_for("the message with the handler", lambda: stack.unread("BookingCreatedFunction"))
        stack.signal("BookingCreatedFunction", signal.SIGKILL)

        assert stack.outcome(answer) == "BookingWritten"
    assert stack.booking(event_id)["revision"] == 1
    assert [event.type for event in stack.events(event_id)] == ["BookingCreated"]


# failure matrix: 25
def test_an_announcer_killed_over_a_change_announces_it_in_its_next_life(
    stack: StackUnderTest, event_id: str
) -> None:
    stack.events(f"{event_id}-before")  # so that a process is there to be killed
    stack.signal("BookingEventsFunction", signal.SIGSTOP)
    stack.deliver(created(event_id))
    wait_for("the change with the announcer", lambda: stack.unread("BookingEventsFunction"))
    stack.signal("BookingEventsFunction", signal.SIGKILL)

    assert [event.type for event in stack.events(event_id)] == ["BookingCreated"]


# failure matrix: 8
def test_a_webhook_killed_before_it_has_published_answers_no_2xx(
    stack: StackUnderTest, event_id: str
) -> None:
    stack.deliver(created(f"{event_id}-before"))  # so that a process is there to be killed
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        stack.signal("WebhookFunction", signal.SIGSTOP)
        posting = pool.submit(stack.post, created(event_id))
        wait_for("the request with the webhook", lambda: stack.unread("WebhookFunction"))
        stack.signal("WebhookFunction", signal.SIGKILL)
        answer = posting.result()

    assert answer.status >= 500
    assert stack.item(event_id) is None
    assert stack.deliver(created(event_id)) == "BookingWritten"  # Zoom's retry
