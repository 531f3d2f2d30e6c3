"""An event goes where it is durable: to the bus or to its handler's queue, whichever is first and can."""

from collections.abc import Callable
from typing import Protocol

from bookings.clock import Deadline
from bookings.counts import Count, Counter
from bookings.envelope import Envelope
from bookings.services import ServiceError, ServiceUnavailable
from bookings.settings import FanOut

ATTEMPT_SECONDS = 0.8  # for one call


class DeliveryBus(Protocol):
    def prepare(self, timeout_seconds: float) -> None:
        """Does beforehand what the first event would have to wait for; what fails then, that event meets."""

    def publish(self, envelope: Envelope, timeout_seconds: float) -> None:
        """Puts the event on the bus; when this returns, it is durable.

        Raises:
            ServiceError: the bus did not take it, or did not say so within the time-out.
        """


class HandlerQueues(Protocol):
    def prepare(self, timeout_seconds: float) -> None:
        """Does beforehand what the first event would have to wait for; what fails then, that event meets."""

    def send(self, envelope: Envelope, timeout_seconds: float) -> None:
        """Puts the event, in the shape the bus would give it, into the queue of its event's handler.

        Raises:
            ServiceError: the queue did not take it, or did not say so within the time-out.
        """


class Publisher:
    """Puts an event where it is durable: one way first, the other one if the first fails."""

    def __init__(self, *, bus: DeliveryBus, queues: HandlerQueues, fan_out: FanOut, count: Counter) -> None:
        self._to_bus = bus.publish
        ways = [(bus.prepare, bus.publish), (queues.prepare, queues.send)]
        self._ways = ways if fan_out is FanOut.EVENT_BRIDGE else ways[::-1]
        self._count = count

    def prepare(self, deadline: Deadline) -> None:
        """Lets the first way do beforehand what the first event would have to wait for."""
        (prepare, _), _ = self._ways
        prepare(deadline.remaining(ATTEMPT_SECONDS))

    def publish(self, envelope: Envelope, deadline: Deadline) -> None:
        """Publishes an event that has a handler of ours.

        Raises:
            RefusedByService: the fallback refuses this very event; keep it elsewhere.
            ServiceUnavailable: neither way took it in time.
        """
        (_, first), (_, fallback) = self._ways
        try:
            self._attempt(first, envelope, deadline, reserved_seconds=ATTEMPT_SECONDS)
        except ServiceError:
            self._attempt(fallback, envelope, deadline)
            self._count(Count.FALLBACK_USED)

    def publish_to_bus(self, envelope: Envelope, deadline: Deadline) -> None:
        """Publishes an event that only subscribers know.

        Raises:
            ServiceError: the bus did not take it in time.
        """
        self._attempt(self._to_bus, envelope, deadline, reserved_seconds=ATTEMPT_SECONDS)

    def _attempt(
        self,
        way: Callable[[Envelope, float], None],
        envelope: Envelope,
        deadline: Deadline,
        *,
        reserved_seconds: float = 0.0,
    ) -> None:
        """Tries once, and again if that was answered and leaves whoever comes next its time."""
        try:
            way(envelope, deadline.remaining(ATTEMPT_SECONDS))
        except ServiceUnavailable as error:
            again_seconds = deadline.remaining(ATTEMPT_SECONDS + reserved_seconds) - reserved_seconds
            if not error.answered or again_seconds <= 0:
                raise
            # It answered, so it is quick: a second try costs less than the fallback's lost raw event.
            way(envelope, again_seconds)
