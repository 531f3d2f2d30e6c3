"""Records created bookings.

Trigger: batches of BookingCreatedQueue, verified deliveries of `scheduler.scheduled_event_created` as
EventBridge events. Effect: each is merged into its item of the bookings table. A failed delivery comes back
later, and after ten receives it is in BookingCreatedDLQ. The others of its batch are done.
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
