"""The one place where things are put together: each function's use case, made on first use and kept.

Tests replace these factories, or the environment and `clear`. Each imports what its own function needs, for a
module that only another function needs would make this one's start longer.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from bookings.aws.client import client
from bookings.aws.queues import SQSHandlerQueues, SQSQueue, SQSRedelivery
from bookings.clock import SystemClock
from bookings.settings import BookingEventsSettings, BookingSettings, WebhookSettings
from bookings.telemetry import count, logger

if TYPE_CHECKING:
    from bookings.announce import Announcer
    from bookings.batch import RecordBatch
    from bookings.receive import Receiver

# Within a handler's 10 s: two attempts at a record, see batch.RESERVED_MS.
_TABLE_SECONDS = 1.0
_TABLE_ATTEMPTS = 2

# Within booking_events' 30 s: what the bus does not take then, the stream brings again.
_ANNOUNCE_SECONDS = 3.0
_ANNOUNCE_ATTEMPTS = 2


def made_while_lambda_starts(factory: Callable[[], object]) -> None:
    """Makes what a function needs while it starts: that has a whole CPU, a first call only a share.

    What fails here fails in the first call too, and is answered there.
    """
    if "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ:
        with contextlib.suppress(Exception):
            factory()


@cache
def receiver() -> Receiver:
    from bookings.aws.bus import EventBridgeBus
    from bookings.aws.secret import SecretsManagerSecret
    from bookings.live_secrets import LiveSecrets
    from bookings.publish import ATTEMPT_SECONDS, Publisher
    from bookings.receive import Receiver
    from bookings.zoom.events import CANCELED, CREATED

    settings = WebhookSettings.from_environment(os.environ)
    clock = SystemClock()
    # One attempt a call: what comes after a failure is decided by the publisher, within the shared deadline.
    sqs = client("sqs", timeout_seconds=ATTEMPT_SECONDS, attempts=1)
    events = client("events", timeout_seconds=ATTEMPT_SECONDS, attempts=1)
    secrets_manager = client("secretsmanager", timeout_seconds=ATTEMPT_SECONDS, attempts=1)
    queues = {
        CREATED: SQSQueue(sqs, settings.booking_created_queue_url),
        CANCELED: SQSQueue(sqs, settings.booking_canceled_queue_url),
    }
    secrets = LiveSecrets(SecretsManagerSecret(secrets_manager, settings.zoom_secret_arn), clock, count)
    return Receiver(
        secrets=secrets,
        publisher=Publisher(
            bus=EventBridgeBus(events, settings.event_bus_arn),
            queues=SQSHandlerQueues(queues, settings.event_bus_arn, clock),
            fan_out=settings.fan_out,
            count=count,
        ),
        quarantine=SQSQueue(sqs, settings.quarantine_queue_url),
        tolerance_seconds=settings.signature_tolerance_seconds,
        clock=clock,
        count=count,
    )


def ready_receiver() -> None:
    """Makes the receiver and lets it do what its first request need not wait for."""
    receiver().prepare()


@cache
def record_batch() -> RecordBatch:
    from bookings.aws.table import DynamoDBBookingStore
    from bookings.batch import RecordBatch
    from bookings.record import Recorder

    settings = BookingSettings.from_environment(os.environ)
    dynamodb = client("dynamodb", timeout_seconds=_TABLE_SECONDS, attempts=_TABLE_ATTEMPTS)
    dynamodb.connect(_TABLE_SECONDS)
    sqs = client("sqs", timeout_seconds=_TABLE_SECONDS, attempts=1)
    return RecordBatch(
        recorder=Recorder(
            store=DynamoDBBookingStore(dynamodb, settings.bookings_table_name),
            quarantine=SQSQueue(sqs, settings.quarantine_queue_url),
            retention_days=settings.booking_retention_days,
            clock=SystemClock(),
            count=count,
        ),
        redelivery=SQSRedelivery(sqs, settings.queue_url),
        count=count,
        info=logger.info,
        error=logger.error,
    )


@cache
def announcer() -> Announcer:
    from bookings.announce import Announcer
    from bookings.aws.bus import EventBridgeBus
    from bookings.aws.table import parse_change

    settings = BookingEventsSettings.from_environment(os.environ)
    events = client("events", timeout_seconds=_ANNOUNCE_SECONDS, attempts=_ANNOUNCE_ATTEMPTS)
    events.connect(_ANNOUNCE_SECONDS)
    sqs = client("sqs", timeout_seconds=_ANNOUNCE_SECONDS, attempts=_ANNOUNCE_ATTEMPTS)
    return Announcer(
        bus=EventBridgeBus(events, settings.event_bus_arn),
        dead_letters=SQSQueue(sqs, settings.booking_events_dlq_url),
        parse_change=parse_change,
        share_access_links=settings.share_access_links,
        count=count,
    )
