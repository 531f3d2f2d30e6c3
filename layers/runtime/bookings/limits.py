"""Limits, time-outs and retries, and how the time-outs add up. AWS's limits are of November 2026.

The webhook answers within 2.5 s, Zoom waits 3 s: `REQUEST_SECONDS` for all calls of a request, 0.2 s for the
webhook's own work. A call is begun only if `CALL_SECONDS` are left.
"""

from datetime import timedelta

# ── The webhook's calls to AWS ───────────────────────────────────────────────────────────────────────────

CONNECT_SECONDS = 0.3
READ_SECONDS = 0.5
CALL_SECONDS = CONNECT_SECONDS + READ_SECONDS

REQUEST_SECONDS = 2.3

PREPARATION_SECONDS = 2 * CALL_SECONDS
"""Both versions of the secret, while Lambda starts the webhook. The first delivery waits meanwhile."""

# ── The secret ───────────────────────────────────────────────────────────────────────────────────────────

SECRET_MIN_LENGTH = 16  # characters; Zoom's tokens have 22

SECRET_GRACE = timedelta(hours=24)
"""The previous version is valid for so long after the current one was created."""

SECRET_MAX_AGE = timedelta(minutes=15)
"""A process reads the secret again after that. Far below the grace, so that the grace ends on time."""

SECRET_REFRESH_INTERVAL = timedelta(minutes=1)
"""Between two refreshes of a process. Without any known secret it reads for each request."""

# ── A delivery ───────────────────────────────────────────────────────────────────────────────────────────

MAX_BODY_BYTES = 720_000  # in base64 and with the other fields it fits an SQS message
MAX_NESTING = 32  # levels that DynamoDB allows; a location is five deep in a body and one deep in an item
MAX_EVENT_ID_BYTES = 1024  # a partition key holds 2,048 bytes, the booking's hash takes 17
MAX_EVENT_AHEAD = timedelta(days=1)
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1  # EventBridge refuses larger integers

MAX_VALIDATION_ERRORS = 1000  # a longer list takes longer than Zoom waits
MAX_QUARANTINE_ERRORS = 100  # with the largest body, more would not fit an SQS message

MOVE_WINDOW_MS = 60_000
"""The event times of the two halves of a move differ by at most this."""

# ── Recording ────────────────────────────────────────────────────────────────────────────────────────────

TABLE_READ_SECONDS = 1.0
TABLE_ATTEMPTS = 2
RETRY_PAUSE_SECONDS = 1.0  # botocore's standard mode pauses a random part of this before the first retry

RECORD_SECONDS = TABLE_ATTEMPTS * (CONNECT_SECONDS + TABLE_READ_SECONDS) + RETRY_PAUSE_SECONDS
"""One record while DynamoDB says nothing."""

RESERVED_SECONDS = RECORD_SECONDS + CALL_SECONDS
"""A record, and the call that delays the failed ones. With less left of the invocation no record is begun."""

WRITE_ATTEMPTS = 5  # a retry is only needed when another writer got in first

MAX_RECEIVES = 10  # the queues' maxReceiveCount
FIRST_DELAY_SECONDS = 60  # the queue's own visibility timeout
LONGEST_DELAY_SECONDS = 900
"""Ten receives, 60 s doubled up to 15 minutes, outlast an outage of an hour: 90 minutes in all."""

# ── Announcing ───────────────────────────────────────────────────────────────────────────────────────────

ANNOUNCE_READ_SECONDS = 3.0
ANNOUNCE_ATTEMPTS = 2
"""Of each call, within the function's 30 s. The stream brings again what is not announced by then."""

ANNOUNCE_PASSES = 2  # over the failed entries of a batch

# ── AWS services ─────────────────────────────────────────────────────────────────────────────────────────

PUT_EVENTS_ENTRIES = 10
PUT_EVENTS_BYTES = 1_000_000  # all entries of a call; EventBridge's limit is 1 MB

MESSAGE_BYTES = 1_048_576  # of SQS
SQS_BATCH_ENTRIES = 10

ITEM_BYTES = 380 * 1024  # DynamoDB's limit is 400 KB; the rest is for its own way of counting
KEY_BYTES = 2048  # of a partition key, also of an index
ATTRIBUTE_NAME_BYTES = 65_535  # of a name in a map; at least one
