"""500 deliveries over 16 connections, accounted for one by one."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.stack import Stack, history, wait_for
from tests.samples import MORNING_MS, canceled, created

LATER, SLOT, NEW_SLOT = MORNING_MS + 120_000, "2026-11-25T16:00:00Z", "2026-12-08T16:00:00Z"

# Each kind of booking has a status, a start, and one history for each order of its two deliveries.
KINDS = {
    "twice": ("confirmed", SLOT, {"1 BookingCreated"}),
    "canceled": ("canceled", SLOT, {"1 BookingCreated, 2 BookingCanceled", "1 BookingCanceled"}),
    "moved": ("confirmed", NEW_SLOT, {"1 BookingCreated, 2 BookingRescheduled", "1 BookingCreated"}),
}


# failure matrix: 1, 4, 6, 16, 17, 23
def test_500_deliveries_are_accounted_for(stack: Stack) -> None:
    print(f"seed {(seed := time.time_ns())}")
    kinds = {f"load-{n}": list(KINDS)[n % len(KINDS)] for n in range(250)}
    bodies = [created(event_id=each) for each in kinds]
    for each, kind in kinds.items():
        moved = created(LATER, event_id=each, rescheduled=True, start_date_time=NEW_SLOT)
        second = {"twice": created(event_id=each), "canceled": canceled(LATER, event_id=each), "moved": moved}
        bodies.append(second[kind])
    random.Random(seed).shuffle(bodies)  # noqa: S311 - the order of a test
    with ThreadPoolExecutor(16) as connections:
        answers = list(connections.map(stack.post, bodies))
    assert [answer.status for answer in answers] == [200] * 500
    queues = [stack.outputs[f"Booking{each}QueueUrl"] for each in ("Created", "Canceled")]
    wait_for("all to be recorded", lambda: not any(map(stack.messages, queues)))
    # EventBridge may deliver an event twice, with the same id.
    events = {event["metadata"]["id"]: event for event in stack.events(*kinds)}.values()
    items = {item["event_id"]: item for item in stack.items(*kinds)}
    assert items.keys() == kinds.keys()
    for event_id, kind in kinds.items():
        status, start, histories = KINDS[kind]
        mine = [event for event in events if event["booking"]["event_id"] == event_id]
        mine.sort(key=lambda event: int(event["metadata"]["revision"]))
        assert ", ".join(history(mine)) in histories
        for booking in (items[event_id], mine[-1]["booking"]):
            assert (booking["status"], booking["start"]) == (status, start)
