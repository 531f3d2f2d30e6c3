"""The shared part of the two handlers behind queues: records each message of a batch by itself."""

from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from bookings.counts import Count, Counter
from bookings.errors import ServiceError, ServiceUnavailable, describe
from bookings.limits import FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, MAX_RECEIVES, RESERVED_SECONDS
from bookings.observability import logger
from bookings.use_cases.ports import Redelivery
from bookings.use_cases.record import Recorder


class RecordBatch:
    """Records the messages of one invocation of a handler."""

    def __init__(self, *, recorder: Recorder, redelivery: Redelivery, count: Counter) -> None:
        self._recorder = recorder
        self._redelivery = redelivery
        self._count = count

    def process(
        self, event: Mapping[str, Any], remaining_ms: Callable[[], int]
    ) -> PartialItemFailureResponse:
        """Returns the partial batch response: the messages that SQS must deliver again."""
        delayed: list[tuple[str, int]] = []

        def record_message(record: SQSRecord) -> None:  # Powertools passes it by keyword
            receives = int(record.attributes.approximate_receive_count)
            self._count(Count.DELIVERY_RECEIVED)
            try:
                if remaining_ms() < RESERVED_SECONDS * 1000:
                    raise ServiceUnavailable("no time left in this invocation")
                recorded = self._recorder.record(record.body)
            except Exception as error:
                if isinstance(error, ServiceUnavailable):
                    delayed.append((record.receipt_handle, delay_seconds(receives)))
                self._count(Count.RECORD_FAILED)
                if receives >= MAX_RECEIVES:
                    self._count(Count.RECORD_GIVEN_UP)
                logger.error("record failed", extra={"message_id": record.message_id, **describe(error)})
                raise
            logger.info(
                "recorded",
                extra={
                    "outcome": str(recorded.outcome),
                    "booking_id": recorded.booking_id,
                    "zoom_request_id": recorded.request_id,
                    "bodies_given_up": recorded.bodies_given_up,
                    "unreadable_times": list(recorded.unreadable_times),
                },
            )

        processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        response = process_partial_response(
            event=dict(event), record_handler=record_message, processor=processor
        )
        if delayed:
            try:
                self._redelivery.delay(delayed)
            except ServiceError as error:
                logger.error("redelivery not delayed", extra=describe(error))
        return response


def delay_seconds(receives: int) -> int:
    """Returns how long a message waits after a service failed for it the n-th time."""
    return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS << min(receives - 1, 10))
