"""Time-outs and retries of the calls to AWS, and how they add up.

The webhook answers within 2.5 s, Zoom waits 3 s: `REQUEST_SECONDS` for all calls of a request, 0.2 s for the
webhook's own work. A call is begun only if `CALL_SECONDS` are left.
"""

CONNECT_SECONDS = 0.3
READ_SECONDS = 0.5
CALL_SECONDS = CONNECT_SECONDS + READ_SECONDS

REQUEST_SECONDS = 2.3

PREPARATION_SECONDS = 2 * CALL_SECONDS
"""Both versions of the secret, while Lambda starts the webhook. The first delivery waits meanwhile."""

TABLE_READ_SECONDS = 1.0
TABLE_ATTEMPTS = 2
RETRY_PAUSE_SECONDS = 1.0
"""The longest pause before the first retry: botocore's standard mode waits a random part of 1 s."""

RECORD_SECONDS = TABLE_ATTEMPTS * (CONNECT_SECONDS + TABLE_READ_SECONDS) + RETRY_PAUSE_SECONDS
"""One record while DynamoDB says nothing."""

RESERVED_SECONDS = RECORD_SECONDS + CALL_SECONDS
"""A record, and the call that delays the failed ones. With less left of the invocation no record is begun."""

ANNOUNCE_READ_SECONDS = 3.0
ANNOUNCE_ATTEMPTS = 2
"""Of booking_events, within its 30 s. The stream brings again what is not announced by then."""
