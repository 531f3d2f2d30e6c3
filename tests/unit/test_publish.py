"""Who is called until the deadline, and how often; where an event goes is shown in test_receive.py."""

from dataclasses import dataclass

import pytest

from bookings.clock import Deadline
from bookings.counts import Count
from bookings.envelope import DELIVERIES, Envelope
from bookings.errors import ServiceError, ServiceUnavailable
from bookings.limits import CALL_SECONDS, REQUEST_SECONDS
from bookings.use_cases.publish import Publisher, publish_to
from tests.fakes import VirtualClock

EVENT = Envelope(DELIVERIES, "scheduler.scheduled_event_created", "{}")


@dataclass
class Destination:
    """Bus and queues at once: fails after each of these seconds, then takes what comes.

    Attributes:
        answered: whether it fails with an answer.
        calls: those that were begun.
    """

    clock: VirtualClock
    fails_after_seconds: list[float]
    answered: bool = True
    calls: int = 0

    def publish(self, envelope: Envelope, deadline: Deadline) -> None:
        assert envelope is EVENT
        if not deadline.allows(CALL_SECONDS):
            raise ServiceUnavailable("no time left")
        self.calls += 1
        if self.fails_after_seconds:
            self.clock.advance(self.fails_after_seconds.pop(0))
            raise ServiceUnavailable("down", answered=self.answered)


# failure matrix: 10, 11, 13
@pytest.mark.parametrize(
    ("spent", "bus_fails", "answered", "queue_fails", "calls", "published"),
    [
        (0.0, [], True, [], (1, 0), True),
        (0.0, [0.1], True, [], (2, 0), True),
        (0.0, [0.1, 0.1], True, [], (2, 1), True),
        (0.0, [0.1], False, [], (1, 1), True),
        (0.0, [0.69], True, [], (2, 0), True),  # the second call may take 0.8, and so may the queue's
        (0.0, [0.71], True, [], (1, 1), True),  # the queue would have less than a call's time
        (0.0, [0.69, 0.79], True, [], (2, 1), True),
        (0.0, [0.79], False, [0.69], (1, 2), True),  # nobody comes after the queue: all the rest is its
        (0.0, [0.79], False, [0.72], (1, 1), False),
        (0.69, [0.79], False, [], (1, 1), True),
        (0.72, [0.79], False, [], (1, 0), False),
        (1.49, [], True, [], (1, 0), True),
        (1.51, [], True, [], (0, 0), False),
    ],
)
def test_each_call_leaves_the_next_one_its_time(
    spent: float,
    bus_fails: list[float],
    answered: bool,
    queue_fails: list[float],
    calls: tuple[int, int],
    published: bool,
) -> None:
    clock, counted = VirtualClock(), list[Count]()
    deadline, start = Deadline(clock, REQUEST_SECONDS), clock.monotonic()
    clock.advance(spent)
    bus, queues = Destination(clock, [*bus_fails], answered), Destination(clock, [*queue_fails])
    publisher = Publisher(bus, queues, count=counted.append)
    try:
        publisher.publish(EVENT, deadline)
    except ServiceError:
        assert not published
    else:
        assert published
    assert (bus.calls, queues.calls) == calls
    assert counted == ([Count.FALLBACK_USED] if published and queues.calls else [])
    assert clock.monotonic() - start <= REQUEST_SECONDS


def test_second_try_that_could_pass_the_deadline_is_not_begun() -> None:
    clock = VirtualClock()
    queues = Destination(clock, [0.71])
    with pytest.raises(ServiceUnavailable, match=r"^down$"):
        publish_to(queues, EVENT, Deadline(clock, CALL_SECONDS + 0.7))


# failure matrix: 13, 36
@pytest.mark.parametrize(
    ("fails", "answered", "calls"),
    [
        ([], True, 1),
        ([0.69], True, 2),
        ([0.71], True, 1),  # the quarantine would have less than a call's time
        ([0.1], False, 1),
    ],
)
def test_event_for_subscribers_leaves_the_quarantine_its_time(
    fails: list[float], answered: bool, calls: int
) -> None:
    clock = VirtualClock()
    bus = Destination(clock, [*fails], answered)
    deadline = Deadline(clock, REQUEST_SECONDS)
    if len(fails) == calls:
        with pytest.raises(ServiceUnavailable):
            publish_to(bus, EVENT, deadline, reserved_seconds=CALL_SECONDS)
    else:
        publish_to(bus, EVENT, deadline, reserved_seconds=CALL_SECONDS)
    assert bus.calls == calls
    assert deadline.allows(CALL_SECONDS)
