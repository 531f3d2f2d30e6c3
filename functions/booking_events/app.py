"""Announces what changed in the bookings table as domain events, source `bookings`.

Triggered by batches of the table's stream, in order for each booking. It puts events on the booking bus.
While the bus is down the stream waits, and goes on by itself; an event that the bus refuses for itself goes
whole to BookingEventsDLQ.
"""

from typing import Any

from bookings import bootstrap
from bookings.errors import fit_for_a_log
from bookings.telemetry import logger, observed


@observed
@fit_for_a_log
def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    announced = bootstrap.announcer().announce(event["Records"])
    for booking_id, reason in announced.refused:
        logger.error("event refused", extra={"booking_id": booking_id, "reason": reason})
    if announced.failed_from is None:
        return {"batchItemFailures": []}
    logger.error("bus unavailable, the stream waits", extra={"sequence_number": announced.failed_from})
    return {"batchItemFailures": [{"itemIdentifier": announced.failed_from}]}


bootstrap.made_while_lambda_starts(bootstrap.announcer)
