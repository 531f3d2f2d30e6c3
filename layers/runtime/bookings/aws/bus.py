"""The booking bus: EventBridge's PutEvents."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bookings.aws.clients import call, translated_errors
from bookings.clock import Deadline
from bookings.envelope import Envelope
from bookings.errors import RefusedByService, ServiceError, ServiceUnavailable
from bookings.limits import PUT_EVENTS_BYTES, PUT_EVENTS_ENTRIES

_SERVICE = "EventBridge"
_ENTRY_OVERHEAD_BYTES = 200  # of an entry, beside detail and resources

# Codes of a failed entry that a retry fails with again.
_REFUSED_ENTRY = {"InvalidArgument", "MalformedDetail", "SerializationException", "ValidationException"}


class EventBridgeBus:
    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, envelope: Envelope, deadline: Deadline) -> None:
        (error,) = self._put([envelope], deadline)
        if error:
            raise error

    def publish_all(self, envelopes: Sequence[Envelope]) -> list[ServiceError | None]:
        return self._put_each(_split(envelopes))

    def _put_each(self, batches: Iterable[list[Envelope]]) -> list[ServiceError | None]:
        results: list[ServiceError | None] = []
        for batch in batches:
            down = next((error for error in results if isinstance(error, ServiceUnavailable)), None)
            # Once the bus has failed, the rest waits for the stream to come again.
            results.extend([down] * len(batch) if down else self._put(batch))
        return results

    def _put(
        self, envelopes: Sequence[Envelope], deadline: Deadline | None = None
    ) -> list[ServiceError | None]:
        if len(envelopes) == 1 and _size(envelopes[0]) > PUT_EVENTS_BYTES:
            return [RefusedByService(f"{_SERVICE}: over {PUT_EVENTS_BYTES:,} bytes")]
        try:
            with translated_errors(_SERVICE):
                entries = [self._entry(envelope) for envelope in envelopes]
                answer = call(self._client.put_events, deadline, Entries=entries)
        except RefusedByService as error:
            # The call is refused as a whole. Publish each event by itself to find the bad ones.
            if len(envelopes) == 1:
                return [error]
            return self._put_each([envelope] for envelope in envelopes)
        except ServiceUnavailable as error:
            return [error] * len(envelopes)
        return [_error_of(entry) for entry in answer["Entries"]]

    def _entry(self, envelope: Envelope) -> dict[str, Any]:
        return {
            "EventBusName": self._arn,
            "Source": envelope.source,
            "DetailType": envelope.detail_type,
            "Detail": envelope.detail,
            "Resources": envelope.resources,
        }


def _error_of(entry: dict[str, Any]) -> ServiceError | None:
    """Returns the error of one result entry. PutEvents answers 200 even if every entry failed."""
    if entry.get("EventId"):
        return None
    code = str(entry.get("ErrorCode", "unknown"))
    if code in _REFUSED_ENTRY:
        return RefusedByService(f"{_SERVICE}: {code}")
    return ServiceUnavailable(f"{_SERVICE}: {code}", answered=True)


def _size(envelope: Envelope) -> int:
    return len(envelope.detail.encode()) + sum(map(len, envelope.resources)) + _ENTRY_OVERHEAD_BYTES


def _split(envelopes: Sequence[Envelope]) -> Iterator[list[Envelope]]:
    """Yields the envelopes of each call, in order: within the limits, and of one source.

    The role has a condition on `events:source`. IAM's rule for several sources in one call is undocumented.
    """
    call: list[Envelope] = []
    size = 0
    for envelope in envelopes:
        more = _size(envelope)
        full = len(call) == PUT_EVENTS_ENTRIES or size + more > PUT_EVENTS_BYTES
        if call and (full or envelope.source != call[0].source):
            yield call
            call, size = [], 0
        call.append(envelope)
        size += more
    if call:
        yield call
