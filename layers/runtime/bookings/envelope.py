"""The EventBridge event, built and parsed.

EventBridge makes such an event of each entry. A message that goes straight to a queue has the same form, so a
handler sees no difference. Source: "Events structure", Amazon EventBridge user guide.
"""

import json
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bookings.clock import utc_text
from bookings.errors import BookingsError

DELIVERIES = "zoom.scheduler"
"""Source of what Zoom delivered, detail unchanged."""

BOOKINGS = "bookings"
"""Source of the domain events."""

CHECK_SUFFIX = ".check"
"""The end of a test booking's sources. Our rules match it, subscribers' rules don't."""

CHECK_EVENT_ID_PREFIX = "bookings-check-"

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_REQUEST_RESOURCE = "zoom-request/"


class MalformedEnvelope(BookingsError):
    """A queue message is no EventBridge event. The error names the missing part, never a value."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event as it is published.

    Attributes:
        detail: the JSON text of an object. A delivery's is the body exactly as Zoom sent it.
        request_id: Zoom's id of the delivery. It is not signed, so use it for correlation only.
    """

    source: str
    detail_type: str
    detail: str
    request_id: str | None = None

    @property
    def resources(self) -> list[str]:
        return [_REQUEST_RESOURCE + self.request_id] if self.request_id else []

    def to_message(self, *, account: str, region: str, time: datetime) -> str:
        """Returns the queue message that EventBridge would make of this event."""
        head = json.dumps(
            {
                "version": "0",
                "id": str(uuid.uuid4()),
                "detail-type": self.detail_type,
                "source": self.source,
                "account": account,
                "time": utc_text(time),
                "region": region,
                "resources": self.resources,
            },
            ensure_ascii=False,
        )
        return f'{head[:-1]}, "detail": {self.detail}}}'


@dataclass(frozen=True, slots=True)
class ReceivedEnvelope:
    """An event as a handler receives it."""

    source: str
    detail_type: str
    detail: dict[str, Any]
    request_id: str | None


def source_for(source: str, event_id: str | None) -> str:
    """Returns the source, with the suffix for a test booking."""
    return source + CHECK_SUFFIX if (event_id or "").startswith(CHECK_EVENT_ID_PREFIX) else source


def valid_request_id(text: str | None) -> str | None:
    """Returns Zoom's request id if it has the expected form, else None. The header is not signed."""
    return text if text and _REQUEST_ID.fullmatch(text) else None


def parse_message(text: str) -> ReceivedEnvelope:
    """Returns the event in a queue message.

    Raises:
        MalformedEnvelope: it is no EventBridge event; this one message fails.
    """
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedEnvelope("the message is not JSON") from None
    if not isinstance(event, dict):
        raise MalformedEnvelope("the message is not a JSON object")
    source, detail_type, detail = event.get("source"), event.get("detail-type"), event.get("detail")
    if not isinstance(source, str) or not isinstance(detail_type, str) or not isinstance(detail, dict):
        raise MalformedEnvelope("the message has no source, detail-type or detail")
    return ReceivedEnvelope(source, detail_type, detail, _request_id(event.get("resources")))


def _request_id(resources: object) -> str | None:
    if isinstance(resources, list):
        for resource in resources:
            if isinstance(resource, str) and resource.startswith(_REQUEST_RESOURCE):
                return valid_request_id(resource.removeprefix(_REQUEST_RESOURCE))
    return None
