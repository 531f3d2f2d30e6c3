"""The functions' settings: a class for each function, an environment variable for each field.

The field `queue_url` is read from `QUEUE_URL`. The template sets each variable, and a test compares the two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from bookings.counts import Count
from bookings.errors import BookingsError
from bookings.zoom.events import CANCELED, CREATED


class SettingsError(BookingsError):
    """A setting is missing or invalid. The message names the variable, never its value."""


class FanOut(StrEnum):
    """The primary destination of a verified delivery. The other one is the fallback."""

    EVENT_BRIDGE = "EventBridge"
    SQS = "SQS"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Reads every field from the variable of its name.

        Raises:
            SettingsError: a variable is missing, blank or not of its field's type.
        """
        values: dict[str, object] = {}
        for field in dataclasses.fields(cls):
            name = field.name.upper()
            text = environment.get(name, "").strip()
            if not text:
                raise SettingsError(f"{name} is not set")
            try:
                values[field.name] = _READERS[str(field.type)](text)
            except (ValueError, KeyError):
                raise SettingsError(f"{name} is not a valid {field.type}") from None
        return cls(**values)


_READERS: dict[str, Callable[[str], object]] = {
    "str": str,
    "int": int,
    "bool": {"true": True, "false": False}.__getitem__,
    "FanOut": FanOut,
}


@dataclass(frozen=True, slots=True)
class EventHandler:
    """The handler of an event, as the webhook knows it.

    Attributes:
        published: counts the deliveries for it that were answered 200.
    """

    queue_url: str
    published: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings(_Settings):
    event_bus_arn: str
    fan_out: FanOut
    booking_created_queue_url: str
    booking_canceled_queue_url: str
    quarantine_queue_url: str
    zoom_secret_arn: str
    signature_tolerance_seconds: int

    def handlers(self) -> dict[str, EventHandler]:
        """Returns the handler of each event that has one."""
        return {
            CREATED: EventHandler(self.booking_created_queue_url, Count.CREATED_PUBLISHED),
            CANCELED: EventHandler(self.booking_canceled_queue_url, Count.CANCELED_PUBLISHED),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingSettings(_Settings):
    """Settings of the two handlers, booking_created and booking_canceled."""

    bookings_table_name: str
    booking_retention_days: int  # 0 keeps bookings for ever
    queue_url: str  # the handler's own source queue, to make a record come back later
    quarantine_queue_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingEventsSettings(_Settings):
    event_bus_arn: str
    booking_events_dlq_url: str
    share_access_links: bool
