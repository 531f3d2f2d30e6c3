"""How long each way gets, and who gets what is left; where an event goes is shown in test_receive.py."""

from dataclasses import dataclass, field

import pytest
from bookings.clock import Deadline
from bookings.counts import Count
from bookings.envelope import DELIVERIES, Envelope
from bookings.publish import ATTEMPT_SECONDS, Publisher
from bookings.services import ServiceUnavailable
from bookings.settings import FanOut

from tests.fakes import VirtualClock

BUDGET_SECONDS = 2.0
EVENT = Envelope(DELIVERIES, "scheduler.scheduled_event_created", "{}")


@dataclass
class Way:
    """Bus and queues at once: takes as long as it is told for each call, and fails as often as it is told."""

    clock: VirtualClock
    takes_seconds: list[float]
    answered: bool = True
    given_seconds: list[float] = field(default_factory=list)
    prepared_seconds: list[float] = field(default_factory=list)

    def prepare(self, timeout_seconds: float) -> None:
        self.prepared_seconds.append(timeout_seconds)

    def publish(self, envelope: Envelope, timeout_seconds: float) -> None:
        assert envelope is EVENT
        self.given_seconds.append(round(timeout_seconds, 6))
        if self.takes_seconds:
            self.clock.advance(self.takes_seconds.pop(0))
            raise ServiceUnavailable("down", answered=self.answered)

    send = publish


def publisher(bus: Way, queues: Way, counted: list[Count] | None = None) -> Publisher:
    counted = [] if counted is None else counted
    return Publisher(bus=bus, queues=queues, fan_out=FanOut.EVENT_BRIDGE, count=counted.append)


@pytest.mark.parametrize(("fan_out", "first"), [(FanOut.EVENT_BRIDGE, 0), (FanOut.SQS, 1)])
def test_only_the_way_that_is_tried_first_is_prepared(fan_out: FanOut, first: int) -> None:
    clock = VirtualClock()
    ways = [Way(clock, []), Way(clock, [])]
    Publisher(bus=ways[0], queues=ways[1], fan_out=fan_out, count=lambda _: None).prepare(
        Deadline(clock, 0.3)
    )
    assert ways[first].prepared_seconds == [pytest.approx(0.3)]
    assert ways[1 - first].prepared_seconds == []


def test_a_call_may_take_a_third_of_what_zoom_waits() -> None:
    clock = VirtualClock()
    bus = Way(clock, [])

    publisher(bus, Way(clock, [])).publish(EVENT, Deadline(clock, BUDGET_SECONDS))

    assert bus.given_seconds == [ATTEMPT_SECONDS] == [0.8]


def test_a_second_try_leaves_the_fallback_its_time() -> None:
    clock, counted = VirtualClock(), list[Count]()
    bus, queues = Way(clock, [0.5, 0.7]), Way(clock, [])

    publisher(bus, queues, counted).publish(EVENT, Deadline(clock, BUDGET_SECONDS))

    assert bus.given_seconds == [0.8, 0.7]
    assert queues.given_seconds == [0.8]
    assert counted == [Count.FALLBACK_USED]


def test_there_is_no_second_try_where_the_fallback_would_have_less_than_its_time() -> None:
    clock = VirtualClock()
    bus, queues = Way(clock, [1.2]), Way(clock, [])

    publisher(bus, queues).publish(EVENT, Deadline(clock, BUDGET_SECONDS))

    assert bus.given_seconds == [0.8]
    assert queues.given_seconds == [0.8]


def test_the_fallback_tries_again_with_all_that_is_left() -> None:
    clock = VirtualClock()
    bus, queues = Way(clock, [1.25]), Way(clock, [0.5])

    publisher(bus, queues).publish(EVENT, Deadline(clock, BUDGET_SECONDS))

    assert queues.given_seconds == [0.75, 0.25]


def test_nobody_is_called_when_the_time_is_up() -> None:
    clock = VirtualClock()
    bus, queues = Way(clock, [1.25]), Way(clock, [1.0])

    with pytest.raises(ServiceUnavailable):
        publisher(bus, queues).publish(EVENT, Deadline(clock, BUDGET_SECONDS))

    assert queues.given_seconds == [0.75]


def test_what_did_not_answer_is_not_tried_again() -> None:
    clock = VirtualClock()
    bus = Way(clock, [0.1, 0.1], answered=False)

    with pytest.raises(ServiceUnavailable):
        publisher(bus, Way(clock, [])).publish_to_bus(EVENT, Deadline(clock, BUDGET_SECONDS))

    assert bus.given_seconds == [0.8]


def test_an_event_for_subscribers_alone_leaves_the_quarantine_its_time() -> None:
    clock = VirtualClock()
    bus = Way(clock, [0.5])

    publisher(bus, Way(clock, [])).publish_to_bus(EVENT, Deadline(clock, BUDGET_SECONDS))

    assert bus.given_seconds == [0.8, 0.7]
