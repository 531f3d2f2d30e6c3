"""The door with what surrounds it, for the tests of the receiver and of its function."""

from datetime import timedelta
from typing import Any

from bookings.counts import Counter
from bookings.settings import FanOut
from bookings.use_cases.answers import Answer
from bookings.use_cases.live_secrets import LiveSecrets
from bookings.use_cases.ports import SecretSource
from bookings.use_cases.publish import Publisher
from bookings.use_cases.receive import Receiver
from bookings.use_cases.verify import Verifier
from tests.fakes import (
    InMemoryBus,
    InMemoryCounts,
    InMemoryHandlerQueues,
    InMemoryQueue,
    InMemorySecret,
    VirtualClock,
)
from tests.samples import SECRET, raw, signed


class Door:
    """A receiver with what surrounds it.

    Args:
        source: where the secrets are read, if not from `secret`.
    """

    def __init__(
        self,
        fan_out: FanOut = FanOut.EVENT_BRIDGE,
        *,
        age: timedelta = timedelta(days=30),
        also_count: Counter | None = None,
        clock: VirtualClock | None = None,
        source: SecretSource | None = None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.counts = InMemoryCounts(also_count)
        self.bus = InMemoryBus(self.clock)
        self.queues = InMemoryHandlerQueues(self.clock)
        self.quarantine = InMemoryQueue(self.clock)
        self.secret = InMemorySecret(self.clock, SECRET, age=age)
        self.receiver = Receiver(
            verifier=Verifier(LiveSecrets(source or self.secret, self.clock, self.counts), 300, self.clock),
            publisher=(
                Publisher(self.bus, self.queues, count=self.counts)
                if fan_out is FanOut.EVENT_BRIDGE
                else Publisher(self.queues, self.bus, count=self.counts)
            ),
            handled_events=self.queues.queues,
            bus=self.bus,
            quarantine=self.quarantine,
            clock=self.clock,
            count=self.counts,
        )

    def post(self, body: Any, **how: Any) -> Answer:
        """Sends a body signed now; a dictionary is written as JSON first."""
        content = body if isinstance(body, bytes) else raw(body)
        return self.receiver.receive(signed(content, self.clock.now(), **how))

    @property
    def service_calls(self) -> int:
        """Calls to any service but Secrets Manager."""
        queues = sum(queue.calls for queue in self.queues.queues.values())
        return self.bus.calls + queues + self.quarantine.calls

    def warm(self) -> None:
        """Makes the process know its secret, and forgets what that took."""
        self.post({"event": "meeting.started"})
        self.counts.all.clear()
        self.secret.calls = 0
