"""Announces changes of the bookings table as domain events, source `bookings`.

Trigger: batches of the table's stream, in order for each booking. Effect: events on the booking bus. While
the bus is down the stream waits, and goes on by itself. An event that the bus refuses goes whole to
BookingEventsDLQ.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from bookings import bootstrap
from bookings.errors import hide_error_details
from bookings.observability import logger, metrics

announcer = bootstrap.announcer()


@metrics.log_metrics
@logger.inject_lambda_context(log_event=False)
@hide_error_details
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    announced = announcer.announce(event["Records"])
    for booking_id, reason in announced.refused:
        logger.error("event refused", extra={"booking_id": booking_id, "reason": reason})
    if announced.failed_from is None:
        return {"batchItemFailures": []}
    logger.error("bus unavailable, the stream waits", extra={"sequence_number": announced.failed_from})
    return {"batchItemFailures": [{"itemIdentifier": announced.failed_from}]}
