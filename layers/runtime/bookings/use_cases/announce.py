"""Announces a change of the table as a domain event.

The events come from the table's stream, never from a second write. A crash can't lose or invent one.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bookings.counts import Count, Counter
from bookings.domain.events import domain_event
from bookings.envelope import Envelope
from bookings.errors import RefusedByService, ServiceError
from bookings.limits import ANNOUNCE_PASSES
from bookings.use_cases.ports import Change, EventBus, MessageQueue, StreamRecord


@dataclass(frozen=True, slots=True)
class Announced:
    """The outcome of a batch.

    Attributes:
        failed_from: sequence number of the first record that must come again. All later ones come with it.
        refused: booking id and reason of each event in the DLQ.
    """

    failed_from: str | None = None
    refused: list[tuple[str, str]] = field(default_factory=list)


class Announcer:
    """Announces the changes in a batch of a shard."""

    def __init__(
        self,
        *,
        bus: EventBus,
        dead_letters: MessageQueue,
        parse_change: Callable[[StreamRecord], Change],
        share_access_links: bool,
        count: Counter,
    ) -> None:
        self._bus = bus
        self._dead_letters = dead_letters
        self._parse_change = parse_change
        self._share_access_links = share_access_links
        self._count = count

    def announce(self, records: Sequence[StreamRecord]) -> Announced:
        """Publishes the events of the records.

        A service that is down holds the shard until it is back. A record that can't be announced goes whole
        to the DLQ, and the shard goes on.
        """
        refused: list[tuple[str, str]] = []
        events: list[tuple[StreamRecord, Envelope]] = []
        for record in records:
            try:
                change = self._parse_change(record)
                envelope = self._event(change)
            except Exception as error:  # noqa: BLE001 - no record may hold its shard for ever
                try:
                    refused.append(self._set_aside(record, "unreadable_record", type(error).__name__, None))
                except ServiceError:
                    # Publish the records before it. The stream brings the rest again.
                    return self._publish(events, refused, _sequence_number(record))
            else:
                if envelope:
                    events.append((record, envelope))
        return self._publish(events, refused, None)

    def _event(self, change: Change) -> Envelope | None:
        if change.after is None:
            return None
        return domain_event(change.before, change.after, share_access_links=self._share_access_links)

    def _publish(
        self,
        events: list[tuple[StreamRecord, Envelope]],
        refused: list[tuple[str, str]],
        failed_from: str | None,
    ) -> Announced:
        pending = events
        for _ in range(ANNOUNCE_PASSES):
            if not pending:
                break
            results = self._bus.publish_all([envelope for _, envelope in pending])
            failed = []
            for (record, envelope), error in zip(pending, results, strict=True):
                if error is None:
                    self._count(Count.EVENT_ANNOUNCED)
                elif isinstance(error, RefusedByService):
                    try:
                        refused.append(self._set_aside(record, "refused_by_bus", str(error), envelope))
                    except ServiceError:
                        failed.append((record, envelope))
                else:
                    failed.append((record, envelope))
            pending = failed
        if pending:
            failed_from = _sequence_number(pending[0][0])
        if failed_from is not None:
            self._count(Count.ANNOUNCEMENT_DELAYED)
        return Announced(failed_from, refused)

    def _set_aside(
        self, record: StreamRecord, reason: str, error: str, envelope: Envelope | None
    ) -> tuple[str, str]:
        """Puts the whole event into the DLQ, or without an event the whole record.

        Raises:
            ServiceUnavailable: the DLQ did not take it.
        """
        booking_id = _booking_id(record)
        head: dict[str, Any] = {"reason": reason, "error": error, "booking_id": booking_id}
        if envelope:
            whole: dict[str, Any] = {
                "source": envelope.source,
                "detail-type": envelope.detail_type,
                "resources": envelope.resources,
                "detail": json.loads(envelope.detail),
            }
            message = head | {"event": whole}
        else:
            message = head | {"record": record}
        try:
            self._dead_letters.send(_json(message))
        except RefusedByService:
            # Too large even for a queue. The booking can be announced again from the table.
            self._dead_letters.send(_json(head))
        self._count(Count.EVENT_REFUSED)
        return booking_id, reason


def _json(message: Mapping[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, default=str)


def _sequence_number(record: StreamRecord) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def _booking_id(record: StreamRecord) -> str:
    try:
        return str(record["dynamodb"]["Keys"]["booking_id"]["S"])
    except (KeyError, TypeError):
        return "unknown"
