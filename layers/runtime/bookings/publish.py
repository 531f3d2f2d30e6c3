"""An event goes where it is durable: to the bus or to its handler's queue, whichever is first and can."""

from collections.abc import Callable
from typing import Protocol

from bookings.clock import Deadline
from bookings.counts import Count, Counter
from bookings.envelope import Envelope
from bookings.limits import CALL_SECONDS
from bookings.services import ServiceError, ServiceUnavailable
from bookings.settings import FanOut


class DeliveryBus(Protocol):
    def publish(self, envelope: Envelope, deadline: Deadline) -> None:
        """Puts the event on the bus; when this returns, it is durable.

        Raises:
            ServiceError: the bus did not take it, or did not say so in time.
        """


class HandlerQueues(Protocol):
    def send(self, envelope: Envelope, deadline: Deadline) -> None:
        """Puts the event, in the shape the bus would give it, into the queue of its event's handler.

        Raises:
            ServiceError: the queue did not take it, or did not say so in time.
        """


class Publisher:
    """Publishes an event to its first destination, or to the other one if the first fails."""

    def __init__(self, *, bus: DeliveryBus, queues: HandlerQueues, fan_out: FanOut, count: Counter) -> None:
        self._to_bus = bus.publish
        destinations = [bus.publish, queues.send]
        self._destinations = destinations if fan_out is FanOut.EVENT_BRIDGE else destinations[::-1]
        self._count = count

    def publish(self, envelope: Envelope, deadline: Deadline) -> None:
        """Publishes an event that has a handler of ours.

        Raises:
            RefusedByService: the fallback refuses this very event; keep it elsewhere.
            ServiceUnavailable: neither took it in time.
        """
        first, fallback = self._destinations
        try:
            self._attempt(first, envelope, deadline, reserved_seconds=CALL_SECONDS)
        except ServiceError:
            self._attempt(fallback, envelope, deadline)
            self._count(Count.FALLBACK_USED)

    def publish_to_bus(self, envelope: Envelope, deadline: Deadline) -> None:
        """Publishes an event that only subscribers know.

        Raises:
            ServiceError: the bus did not take it in time.
        """
        self._attempt(self._to_bus, envelope, deadline, reserved_seconds=CALL_SECONDS)

    def _attempt(
        self,
        send: Callable[[Envelope, Deadline], None],
        envelope: Envelope,
        deadline: Deadline,
        *,
        reserved_seconds: float = 0.0,
    ) -> None:
        """Tries once, and again after an error answer if `reserved_seconds` are left then."""
        try:
            send(envelope, deadline)
        except ServiceUnavailable as error:
            if not error.answered or not deadline.allows(CALL_SECONDS + reserved_seconds):
                raise
            # It answered, so it is quick: a second try costs less than the fallback's lost raw event.
            send(envelope, deadline)
