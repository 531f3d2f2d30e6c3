"""The largest that Zoom's form, or anybody who signs, can send: taken whole, and never a poison message."""

from __future__ import annotations

import base64
import json

import pytest

from tests.stack.deliveries import MINUTE, NOON, Body, canceled, created, encoded, padded
from tests.stack.running import StackUnderTest

pytestmark = pytest.mark.xdist_group("stack")

MAX_BODY_BYTES = 720_000


def full_form(event_id: str, *, cancel: bool = False, at: int = NOON) -> Body:
    """A form at its limits, where each character has four bytes and no two texts are alike."""

    def text(length: int, seed: int) -> str:
        # The astral planes are wide: texts that compress badly are the worst case for an item's size.
        return "".join(
            chr(0x20000 + (seed * 7919 + n * n * 104_729 + n * 31) % 40_000) for n in range(length)
        )

    return (canceled if cancel else created)(
        event_id,
        at=at,
        summary=text(256, 1),
        meeting_notes=text(1024, 2),
        questions_and_answers=[
            {"question": text(8192, 10 + n), "position": n, "answer": [text(1024, 100 + n)]}
            for n in range(10)
        ],
    )


# failure matrix: 51
def test_the_form_at_its_limits_in_four_byte_characters_is_a_booking_like_any_other(
    stack: StackUnderTest, event_id: str
) -> None:
    body = full_form(event_id)
    raw = encoded(body)
    assert 370_000 < len(raw) <= MAX_BODY_BYTES

    outcome = stack.deliver(raw)

    assert outcome == "BookingWritten"
    item = stack.booking(event_id)
    assert item["answers"] == body["payload"]["object"]["questions_and_answers"]
    assert len(item["title"]) == 256
    # The fields alone nearly fill an item, so the body as it came gave way; its digest did not.
    assert {"event_time", "digest", "rescheduled", "request_id"} == item["zoom_events"]["created"].keys()
    assert stack.created_dlq.waiting == 0
    (announced,) = stack.events(event_id)
    assert announced.booking["answers"] == item["answers"]


# failure matrix: 51
def test_a_full_form_that_is_moved_and_canceled_keeps_its_fields(
    stack: StackUnderTest, event_id: str
) -> None:
    stack.deliver(full_form(event_id))
    stack.deliver(full_form(event_id, at=NOON + MINUTE))
    stack.deliver(full_form(event_id, at=NOON + 2 * MINUTE, cancel=True))
    # Another cancel, without its answers: what is kept of them is the item's own.
    stack.deliver(canceled(event_id, at=NOON + 3 * MINUTE, questions_and_answers=[]))

    item = stack.booking(event_id)
    assert item["status"] == "canceled"
    assert len(item["answers"]) == 10
    assert stack.canceled_dlq.waiting == 0
    assert [event.type for event in stack.events(event_id)] == ["BookingCreated", "BookingCanceled"]


# failure matrix: 51
def test_a_delivery_whose_own_fields_dont_fit_an_item_is_in_quarantine_and_not_poison(
    stack: StackUnderTest, event_id: str
) -> None:
    body = created(event_id, summary="x" * 600_000)

    answer = stack.post(body)

    assert stack.outcome(answer) == "Quarantined"
    kept = stack.quarantined(answer)
    assert kept["reason"] == "too_large"
    assert json.loads(base64.b64decode(kept["body_base64"])) == body
    assert stack.item(event_id) is None
    assert stack.created_dlq.waiting == 0


# failure matrix: 26
def test_a_domain_event_too_large_for_the_bus_is_in_its_dlq_whole_and_the_stream_goes_on(
    stack: StackUnderTest, event_id: str
) -> None:
    # A quotation mark has one byte in the table and two in JSON, and a move tells the old place as well.
    place = {"kind": "custom", "directions": '"' * 252_000}
    stack.deliver(created(event_id, location=place))
    stack.deliver(created(event_id, at=NOON + MINUTE, location=place, start_date_time="2026-11-26T13:00:00Z"))

    # `events` waits for a later booking's: the shard went on.
    assert [event.type for event in stack.events(event_id)] == ["BookingCreated"]
    (letter,) = [json.loads(text) for text in stack.events_dlq.take()]
    assert letter["reason"] == "refused_by_bus"
    assert letter["booking_id"] == stack.booking(event_id)["booking_id"]
    assert letter["event"]["detail-type"] == "BookingRescheduled"
    assert letter["event"]["detail"]["previous"]["location"]["place"] == place
    assert len(json.dumps(letter["event"]["detail"])) > 1_000_000


# failure matrix: 34
def test_a_body_at_the_cap_is_carried_by_the_queue_as_well(stack: StackUnderTest, event_id: str) -> None:
    with stack.denied("WebhookRole", "events:PutEvents"):
        assert stack.deliver(padded(created(event_id), MAX_BODY_BYTES)) == "BookingWritten"

    assert [event.type for event in stack.events(event_id)] == ["BookingCreated"]
    assert stack.raw_events(event_id) == []


# failure matrix: 34
def test_a_broken_body_at_the_cap_is_kept_whole(stack: StackUnderTest, event_id: str) -> None:
    answer = stack.post(padded(created(event_id, summary=7), MAX_BODY_BYTES))

    assert answer.status == 400
    assert len(stack.quarantined(answer)["body_base64"]) == MAX_BODY_BYTES * 4 / 3
