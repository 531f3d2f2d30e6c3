"""What the functions count: the names of all metrics, on which the dashboard and the alarms rely."""

from collections.abc import Callable
from enum import StrEnum


class Count(StrEnum):
    """One metric each, unit Count, in the namespace and with the `service` dimension the template sets."""

    # webhook
    DELIVERY_PUBLISHED = "DeliveryPublished"  # durable on the bus or in a queue, answered 200
    UNKNOWN_EVENT_PUBLISHED = "UnknownEventPublished"  # a scheduler event we have no model for
    OTHER_PRODUCT = "OtherProduct"  # a signed event of another Zoom product, answered 204
    CHALLENGE_ANSWERED = "ChallengeAnswered"
    CHALLENGE_REFUSED = "ChallengeRefused"  # its token has not the form of a token; nothing signed
    QUARANTINED = "Quarantined"  # whole in the quarantine queue
    FALLBACK_USED = "FallbackUsed"  # the first way refused or was too slow; the other one carried it
    NOT_DURABLE = "NotDurable"  # no place took the delivery, answered 503
    UNEXPECTED_ERROR = "UnexpectedError"  # answered 503
    SIGNATURE_MALFORMED = "SignatureMalformed"  # missing, misshapen, or outside the window
    SIGNATURE_MISMATCH = "SignatureMismatch"  # well-formed and in time, made with another secret
    TOO_LARGE = "TooLarge"
    REFRESH_FAILED = "SecretRefreshFailed"  # of the secret; the cached one goes on
    NOTHING_TO_VERIFY_WITH = "SecretUnavailable"  # none, unusable, or outdated; answered 503
    # the two handlers
    BOOKING_WRITTEN = "BookingWritten"
    DUPLICATE = "Duplicate"  # already merged
    SUPERSEDED = "Superseded"  # older than what is kept
    CONFLICT = "Conflict"  # same event time, another body: one fixed winner
    CONTENTION = "Contention"  # another writer came first; read again and merged
    PAST_RETENTION = "PastRetention"  # not written
    ERASED = "Erased"  # older than its booking's erasure, dropped
    BODY_GIVEN_UP = "BodyGivenUp"  # a kept body left out, for the item's size
    RECORD_FAILED = "RecordFailed"  # comes back later, in the end to the DLQ
    # booking_events
    EVENT_ANNOUNCED = "EventAnnounced"
    EVENT_REFUSED = "EventRefused"  # by the bus for itself; whole in BookingEventsDLQ
    ANNOUNCEMENT_DELAYED = "AnnouncementDelayed"  # the bus is down, or the DLQ; the stream waits


Counter = Callable[[Count], None]
"""Counts one occurrence."""
