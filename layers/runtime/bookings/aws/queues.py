"""The queues: handlers', quarantine, DLQ."""

from collections.abc import Mapping, Sequence
from typing import Any

from bookings.aws.clients import call, translated_errors
from bookings.clock import Clock, Deadline
from bookings.envelope import Envelope
from bookings.services import RefusedByService, ServiceUnavailable

_SERVICE = "SQS"

MAX_MESSAGE_BYTES = 1_048_576
_MAX_ENTRIES = 10


class SQSQueue:
    """Sends messages to one queue; is a quarantine, and the dead letters of the stream."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, message: str, deadline: Deadline | None = None) -> None:
        if len(message.encode()) > MAX_MESSAGE_BYTES:
            raise RefusedByService(f"{_SERVICE}: over {MAX_MESSAGE_BYTES:,} bytes")
        with translated_errors(_SERVICE):
            call(self._client.send_message, deadline, QueueUrl=self._url, MessageBody=message)


class SQSHandlerQueues:
    """Sends events to the queues of their handlers in the shape EventBridge would give them.

    Args:
        queues: by detail type.
        bus_arn: of the bus the events would have come by; it names account and region.
    """

    def __init__(self, queues: Mapping[str, SQSQueue], bus_arn: str, clock: Clock) -> None:
        self._queues = queues
        # arn:aws:events:region:account:event-bus/name
        _, _, _, self._region, self._account, _ = bus_arn.split(":", 5)
        self._clock = clock

    def send(self, envelope: Envelope, deadline: Deadline) -> None:
        queue = self._queues.get(envelope.detail_type)
        if queue is None:
            raise RefusedByService(f"{_SERVICE}: no handler's queue for this event")
        message = envelope.to_message(account=self._account, region=self._region, time=self._clock.now())
        queue.send(message, deadline)


class SQSRedelivery:
    """Makes messages of a source queue come back later than its visibility timeout says."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def delay(self, messages: Sequence[tuple[str, int]]) -> None:
        """Sets the seconds after which each message, told by its receipt handle, is delivered again.

        Raises:
            ServiceUnavailable: the messages come back when the queue's own timeout ends.
        """
        failed: set[str] = set()
        for start in range(0, len(messages), _MAX_ENTRIES):
            failed |= self._delay(messages[start : start + _MAX_ENTRIES])
        if failed:
            raise ServiceUnavailable(f"{_SERVICE}: {', '.join(sorted(failed))}", answered=True)

    def _delay(self, messages: Sequence[tuple[str, int]]) -> set[str]:
        """Returns the error codes of those it failed for: like PutEvents, it answers 200 even then."""
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for number, (handle, seconds) in enumerate(messages)
        ]
        with translated_errors(_SERVICE):
            answer = call(self._client.change_message_visibility_batch, QueueUrl=self._url, Entries=entries)
        return {str(entry["Code"]) for entry in answer.get("Failed", [])}
