"""The receiver over in-memory services, for the tests of receiving."""

import base64
import json
from datetime import timedelta
from typing import Any, Self

from bookings.counts import Count, Counter
from bookings.settings import FanOut
from bookings.use_cases.answers import Answer
from bookings.use_cases.live_secrets import LiveSecrets
from bookings.use_cases.publish import Publisher
from bookings.use_cases.receive import Receiver
from bookings.use_cases.verify import Verifier
from bookings.zoom.events import CANCELED, CREATED
from tests.fakes import (
    InMemoryBus,
    InMemoryCounts,
    InMemoryHandlerQueues,
    InMemoryQueue,
    InMemorySecret,
    Trouble,
    VirtualClock,
)
from tests.samples import MORNING_MS, SECRET, raw, signed

NEW_SECRET = "the-new-secret-of-22-c"
WRONG_SECRET = "x" * 22
PUBLISHED = {CREATED: Count.CREATED_PUBLISHED, CANCELED: Count.CANCELED_PUBLISHED}

CHALLENGE = {
    "payload": {"plainToken": "xys8n8PGS7mAU0m5-YJjRA"},
    "event_ts": 1720705455858,
    "event": "endpoint.url_validation",
}
UNKNOWN = {"event": "scheduler.schedule_created", "event_ts": MORNING_MS, "payload": {"object": {"id": "x"}}}
OTHER_PRODUCT = {"event": "meeting.started", "payload": {"object": {"id": "1"}}}


class ReceiverUnderTest:
    """A receiver and the services around it. It has not read its secret yet.

    Args:
        secret, clock: those of another process, which this one shares.
    """

    def __init__(
        self,
        fan_out: FanOut = FanOut.EVENT_BRIDGE,
        *,
        secret_age: timedelta = timedelta(days=30),
        secret: InMemorySecret | None = None,
        clock: VirtualClock | None = None,
        also_count: Counter | None = None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.counts = InMemoryCounts(also_count)
        self.bus = InMemoryBus(self.clock)
        self.queues = InMemoryHandlerQueues(self.clock)
        self.quarantine = InMemoryQueue(self.clock)
        self.secret = secret or InMemorySecret(self.clock, SECRET, age=secret_age)
        self.receiver = Receiver(
            verifier=Verifier(LiveSecrets(self.secret, self.clock, self.counts), 300, self.clock),
            publisher=(
                Publisher(self.bus, self.queues, count=self.counts)
                if fan_out is FanOut.EVENT_BRIDGE
                else Publisher(self.queues, self.bus, count=self.counts)
            ),
            handled_events=PUBLISHED,
            bus=self.bus,
            quarantine=self.quarantine,
            clock=self.clock,
            count=self.counts,
        )

    def post(self, body: Any, **how: Any) -> Answer:
        """Sends a body signed now. A dictionary is written as JSON first."""
        content = body if isinstance(body, bytes) else raw(body)
        return self.receiver.receive(signed(content, self.clock.now(), **how))

    def warm(self) -> Self:
        """Lets the process read its secret, and resets the counts."""
        self.post(OTHER_PRODUCT)
        self.counts.all.clear()
        self.secret.calls = 0
        return self

    def all_in_trouble(self, trouble: Trouble) -> None:
        for service in (self.bus, self.quarantine, self.secret, *self.queues.queues.values()):
            service.trouble = trouble

    @property
    def service_calls(self) -> int:
        """Calls to any service but Secrets Manager."""
        queues = sum(queue.calls for queue in self.queues.queues.values())
        return self.bus.calls + queues + self.quarantine.calls

    @property
    def quarantined(self) -> list[bytes]:
        """The raw bodies in quarantine."""
        return [base64.b64decode(message["body_base64"]) for message in self.quarantine.contents]


def problem_of(answer: Answer, status: int) -> dict[str, Any]:
    """Returns the problem details (RFC 9457) of an answer with this status."""
    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    details: dict[str, Any] = json.loads(answer.body or "")
    assert details.keys() - {"errors"} == {"type", "title", "status", "detail"}
    assert details["status"] == status
    return details
