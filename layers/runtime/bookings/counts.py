"""The names of all metrics. The dashboard and the alarms rely on them."""

from collections.abc import Callable
from enum import StrEnum


class Count(StrEnum):
    """A metric each, unit Count. The template sets the namespace and the `service` dimension."""

    # webhook
    CREATED_PUBLISHED = "CreatedPublished"  # durable on the bus or in a queue, answered 200
    CANCELED_PUBLISHED = "CanceledPublished"  # the same, for a canceled event
    UNKNOWN_EVENT_PUBLISHED = "UnknownEventPublished"  # a `scheduler.*` event without a model
    OTHER_PRODUCT = "OtherProduct"  # a signed event of another Zoom product, answered 204
    CHALLENGE_ANSWERED = "ChallengeAnswered"
    CHALLENGE_REFUSED = "ChallengeRefused"  # the token has the wrong form; nothing signed
    QUARANTINED = "Quarantined"  # whole in the quarantine queue
    FALLBACK_USED = "FallbackUsed"  # the primary destination refused or was too slow
    NOT_DURABLE = "NotDurable"  # no destination took the delivery, answered 503
    UNEXPECTED_ERROR = "UnexpectedError"  # answered 503
    SIGNATURE_MALFORMED = "SignatureMalformed"  # missing, misshapen, or outside the window
    SIGNATURE_MISMATCH = "SignatureMismatch"  # well-formed and in time, but signed with another secret
    TOO_LARGE = "TooLarge"
    REFRESH_FAILED = "SecretRefreshFailed"  # the cached secret stays in use
    NOTHING_TO_VERIFY_WITH = "SecretUnavailable"  # none, unusable, or outdated; answered 503
    # the two handlers
    DELIVERY_RECEIVED = "DeliveryReceived"  # a message of the queue, each time it comes
    BOOKING_WRITTEN = "BookingWritten"
    DUPLICATE = "Duplicate"  # already merged
    SUPERSEDED = "Superseded"  # older than the stored delivery of its kind
    CONFLICT = "Conflict"  # same event time, another body: one fixed winner
    CONTENTION = "Contention"  # another writer got in first; merged again
    PAST_RETENTION = "PastRetention"  # not written
    ERASED = "Erased"  # older than its booking's erasure, dropped
    TIME_UNREADABLE = "TimeUnreadable"  # a field of a delivery, left out of the booking
    BODY_GIVEN_UP = "BodyGivenUp"  # a stored body left out, for the item's size
    RECORD_FAILED = "RecordFailed"  # comes back later, in the end to the DLQ
    RECORD_GIVEN_UP = "RecordGivenUp"  # failed at its last receive, now in the DLQ
    # booking_events
    EVENT_ANNOUNCED = "EventAnnounced"
    EVENT_REFUSED = "EventRefused"  # by the bus; whole in BookingEventsDLQ
    ANNOUNCEMENT_DELAYED = "AnnouncementDelayed"  # the bus is down, or the DLQ; the stream waits


Counter = Callable[[Count], None]
"""Counts one occurrence."""
