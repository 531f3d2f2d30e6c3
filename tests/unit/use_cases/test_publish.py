"""Publishing: each call leaves the next one its time."""

from contextlib import nullcontext
from dataclasses import dataclass

import pytest

from bookings.clock import Deadline
from bookings.counts import Count
from bookings.envelope import Envelope
from bookings.errors import ServiceError, ServiceUnavailable
from bookings.limits import CALL_SECONDS, REQUEST_SECONDS
from bookings.use_cases.publish import Publisher, publish_to
from tests.fakes import VirtualClock

EVENT = Envelope("zoom.scheduler", "scheduler.scheduled_event_created", "{}")


@dataclass
class Destination:
    """A destination that fails after each of these seconds, and then takes the event."""

    clock: VirtualClock
    fails_after_seconds: list[float]
    answered: bool = True
    calls: int = 0

    def publish(self, envelope: Envelope, deadline: Deadline) -> None:
        if not deadline.allows(CALL_SECONDS):
            raise ServiceUnavailable("no time left")
        self.calls += 1
        if self.fails_after_seconds:
            self.clock.advance(self.fails_after_seconds.pop(0))
            raise ServiceUnavailable("down", answered=self.answered)


# failure matrix: 10, 11, 13
@pytest.mark.parametrize(
    ("spent", "bus_fails", "answered", "queue_fails", "calls"),
    [
        (0.0, [], True, [], (1, 0)),
        (0.0, [0.1], True, [], (2, 0)),
        (0.0, [0.1, 0.1], True, [], (2, 1)),
        (0.0, [0.1], False, [], (1, 1)),
        (0.0, [0.69], True, [], (2, 0)),  # the second call may take 0.8, and so may the queue's
        (0.0, [0.71], True, [], (1, 1)),  # the queue would have less than a call's time
        (0.0, [0.69, 0.79], True, [], (2, 1)),
        (0.0, [0.79], False, [0.69], (1, 2)),  # the queue is last, so it may use all the rest
        (0.0, [0.79], False, [0.72], (1, 1)),
        (0.69, [0.79], False, [], (1, 1)),
        (0.72, [0.79], False, [], (1, 0)),
        (1.49, [], True, [], (1, 0)),
        (1.51, [], True, [], (0, 0)),
    ],
)
def test_each_call_leaves_the_next_one_its_time(
    spent: float, bus_fails: list[float], answered: bool, queue_fails: list[float], calls: tuple[int, int]
) -> None:
    clock, counted = VirtualClock(), list[Count]()
    deadline, start = Deadline(clock, REQUEST_SECONDS), clock.monotonic()
    clock.advance(spent)
    bus, queues = Destination(clock, [*bus_fails], answered), Destination(clock, [*queue_fails])
    is_published = sum(calls) > len(bus_fails) + len(queue_fails)
    with nullcontext() if is_published else pytest.raises(ServiceError):
        Publisher(bus, queues, count=counted.append).publish(EVENT, deadline)
    assert counted == ([Count.FALLBACK_USED] if is_published and queues.calls else [])
    assert (bus.calls, queues.calls) == calls
    assert clock.monotonic() - start <= REQUEST_SECONDS


# failure matrix: 13, 36
@pytest.mark.parametrize(
    ("seconds", "answered", "calls"),
    [(0.69, True, 2), (0.71, True, 1), (0.1, False, 1)],  # after 0.71 s the quarantine would lack time
)
def test_second_call_leaves_the_quarantine_its_time(seconds: float, answered: bool, calls: int) -> None:
    bus = Destination(VirtualClock(), [seconds], answered)
    deadline = Deadline(bus.clock, REQUEST_SECONDS)
    with nullcontext() if calls == 2 else pytest.raises(ServiceUnavailable, match=r"^down$"):
        publish_to(bus, EVENT, deadline, reserved_seconds=CALL_SECONDS)
    assert bus.calls == calls
    assert deadline.allows(CALL_SECONDS)
