"""Publishes an event to its first destination, or to the fallback."""

from bookings.clock import Deadline
from bookings.counts import Count, Counter
from bookings.envelope import Envelope
from bookings.errors import ServiceError, ServiceUnavailable
from bookings.limits import CALL_SECONDS
from bookings.use_cases.ports import Destination


class Publisher:
    """Publishes an event that has a handler of ours."""

    def __init__(self, primary: Destination, fallback: Destination, *, count: Counter) -> None:
        self._primary = primary
        self._fallback = fallback
        self._count = count

    def publish(self, envelope: Envelope, deadline: Deadline) -> None:
        """Publishes an event, to the fallback if the primary destination fails.

        Raises:
            RefusedByService: the fallback refuses this very event. Keep it elsewhere.
            ServiceUnavailable: neither destination took it in time.
        """
        try:
            publish_to(self._primary, envelope, deadline, reserved_seconds=CALL_SECONDS)
        except ServiceError:
            publish_to(self._fallback, envelope, deadline)
            self._count(Count.FALLBACK_USED)


def publish_to(
    destination: Destination, envelope: Envelope, deadline: Deadline, *, reserved_seconds: float = 0.0
) -> None:
    """Publishes to one destination. After an error answer it tries once more, if `reserved_seconds` remain.

    Raises:
        ServiceError: the destination did not take the event in time.
    """
    try:
        destination.publish(envelope, deadline)
    except ServiceUnavailable as error:
        if not error.answered or not deadline.allows(CALL_SECONDS + reserved_seconds):
            raise
        # An error answer comes fast. A second try costs less than the fallback, which skips the raw event.
        destination.publish(envelope, deadline)
