"""The queues in SQS: the handlers', the quarantine, the DLQ of the stream."""

from collections.abc import Mapping, Sequence
from typing import Any

from bookings.aws.clients import call, translated_errors
from bookings.clock import Clock, Deadline
from bookings.envelope import Envelope
from bookings.errors import RefusedByService, ServiceUnavailable
from bookings.limits import MESSAGE_BYTES, SQS_BATCH_ENTRIES

_SERVICE = "SQS"


class SQSQueue:
    """Sends messages to one queue."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, message: str, deadline: Deadline | None = None) -> None:
        if len(message.encode()) > MESSAGE_BYTES:
            raise RefusedByService(f"{_SERVICE}: over {MESSAGE_BYTES:,} bytes")
        with translated_errors(_SERVICE):
            call(self._client.send_message, deadline, QueueUrl=self._url, MessageBody=message)


class SQSHandlerQueues:
    """Sends events to the queues of their handlers, in the form that EventBridge gives them.

    Args:
        queues: by detail type.
        bus_arn: names the account and region of the events.
    """

    def __init__(self, queues: Mapping[str, SQSQueue], bus_arn: str, clock: Clock) -> None:
        self._queues = queues
        # arn:aws:events:region:account:event-bus/name
        _, _, _, self._region, self._account, _ = bus_arn.split(":", 5)
        self._clock = clock

    def publish(self, envelope: Envelope, deadline: Deadline) -> None:
        queue = self._queues.get(envelope.detail_type)
        if queue is None:
            raise RefusedByService(f"{_SERVICE}: no handler's queue for this event")
        message = envelope.to_message(account=self._account, region=self._region, time=self._clock.now())
        queue.send(message, deadline)


class SQSRedelivery:
    """Delays the redelivery of messages beyond their queue's visibility timeout."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def delay(self, messages: Sequence[tuple[str, int]]) -> None:
        failed: set[str] = set()
        for start in range(0, len(messages), SQS_BATCH_ENTRIES):
            failed |= self._delay(messages[start : start + SQS_BATCH_ENTRIES])
        if failed:
            raise ServiceUnavailable(f"{_SERVICE}: {', '.join(sorted(failed))}", answered=True)

    def _delay(self, messages: Sequence[tuple[str, int]]) -> set[str]:
        """Returns the error codes of the failed ones. Like PutEvents, SQS answers 200 even then."""
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for number, (handle, seconds) in enumerate(messages)
        ]
        with translated_errors(_SERVICE):
            answer = call(self._client.change_message_visibility_batch, QueueUrl=self._url, Entries=entries)
        return {str(entry["Code"]) for entry in answer.get("Failed", [])}
