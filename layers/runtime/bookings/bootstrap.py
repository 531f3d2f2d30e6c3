"""The one place where things are put together. Each function calls its factory once, while Lambda starts it.

A factory imports what its own function needs: a module that only another function needs would make the start
longer. It raises SettingsError for a wrong setting, and Lambda then fails the start.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bookings.aws.clients import client
from bookings.aws.queues import SQSHandlerQueues, SQSQueue, SQSRedelivery
from bookings.clock import SystemClock
from bookings.limits import ANNOUNCE_ATTEMPTS, ANNOUNCE_READ_SECONDS, TABLE_ATTEMPTS, TABLE_READ_SECONDS
from bookings.observability import count
from bookings.settings import BookingEventsSettings, BookingSettings, FanOut, WebhookSettings

if TYPE_CHECKING:
    from bookings.batch import RecordBatch
    from bookings.use_cases.announce import Announcer
    from bookings.use_cases.receive import Receiver


def receiver() -> Receiver:
    from bookings.aws.bus import EventBridgeBus
    from bookings.aws.secrets import SecretsManagerSecret
    from bookings.use_cases.live_secrets import LiveSecrets
    from bookings.use_cases.publish import Publisher
    from bookings.use_cases.receive import Receiver
    from bookings.use_cases.verify import Verifier

    settings = WebhookSettings.from_environment(os.environ)
    clock = SystemClock()
    # One attempt a call: after a failure the publisher decides, within the request's deadline.
    sqs = client("sqs")
    bus = EventBridgeBus(client("events"), settings.event_bus_arn)
    handlers = settings.handlers()
    handler_queues = {event: SQSQueue(sqs, handler.queue_url) for event, handler in handlers.items()}
    queues = SQSHandlerQueues(handler_queues, settings.event_bus_arn, clock)
    secret = SecretsManagerSecret(client("secretsmanager"), settings.zoom_secret_arn)
    by_bus = settings.fan_out is FanOut.EVENT_BRIDGE
    return Receiver(
        verifier=Verifier(LiveSecrets(secret, clock, count), settings.signature_tolerance_seconds, clock),
        publisher=Publisher(bus, queues, count=count) if by_bus else Publisher(queues, bus, count=count),
        handled_events={event: handler.published for event, handler in handlers.items()},
        bus=bus,
        quarantine=SQSQueue(sqs, settings.quarantine_queue_url),
        clock=clock,
        count=count,
    )


def record_batch() -> RecordBatch:
    from bookings.aws.table import DynamoDBBookingStore
    from bookings.batch import RecordBatch
    from bookings.use_cases.record import Recorder

    settings = BookingSettings.from_environment(os.environ)
    dynamodb = client("dynamodb", read_seconds=TABLE_READ_SECONDS, attempts=TABLE_ATTEMPTS)
    sqs = client("sqs")
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
    )


def announcer() -> Announcer:
    from bookings.aws.bus import EventBridgeBus
    from bookings.aws.table import parse_change
    from bookings.use_cases.announce import Announcer

    settings = BookingEventsSettings.from_environment(os.environ)
    events = client("events", read_seconds=ANNOUNCE_READ_SECONDS, attempts=ANNOUNCE_ATTEMPTS)
    sqs = client("sqs", read_seconds=ANNOUNCE_READ_SECONDS, attempts=ANNOUNCE_ATTEMPTS)
    return Announcer(
        bus=EventBridgeBus(events, settings.event_bus_arn),
        dead_letters=SQSQueue(sqs, settings.booking_events_dlq_url),
        parse_change=parse_change,
        share_access_links=settings.share_access_links,
        count=count,
    )
