"""Records canceled bookings.

Triggered by batches of BookingCanceledQueue: verified deliveries of
`scheduler.scheduled_event_canceled`, as EventBridge events. It merges each into its item of the bookings
table. A delivery that can't be recorded comes back later, in the end to BookingCanceledDLQ; the others of its
batch are done. It shares no queue and no role with its twin.
"""

from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from bookings import bootstrap
from bookings.errors import hide_error_details
from bookings.observability import logger, metrics

record_batch = bootstrap.record_batch()


@metrics.log_metrics
@logger.inject_lambda_context(log_event=False)
@hide_error_details
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    return record_batch.process(event, context.get_remaining_time_in_millis)
