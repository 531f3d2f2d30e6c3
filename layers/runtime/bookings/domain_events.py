"""The events that subscribers rely on: what changed in a booking, in our own versioned shape."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bookings.booking import Kind, Status
from bookings.envelope import BOOKINGS, Envelope, source_for

SCHEMA_VERSION = "1"

_NOT_COMPARED = {"updated_at", "request_id"}
_PREVIOUS = ("status", "start", "end", "location")

# A link or a passcode lets its bearer into the meeting, or lets him cancel it. Locations have several shapes,
# of which only Zoom's own is documented, so a name or a value that may be either is taken for one.
_ACCESS_NAMES = ("url", "link", "passcode", "password", "pwd")
# People type links without their scheme: a host's name, a slash, and something after it.
_ACCESS_VALUE = re.compile(r"://|[a-z0-9-]\.[a-z]{2,}/\S", re.IGNORECASE)


class EventType(StrEnum):
    """Detail types of source `bookings`."""

    BOOKING_CREATED = "BookingCreated"
    BOOKING_RESCHEDULED = "BookingRescheduled"
    BOOKING_UPDATED = "BookingUpdated"
    BOOKING_CANCELED = "BookingCanceled"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A booking as one revision of it stood in the table.

    Attributes:
        fields: the item less `zoom_events`, `revision`, `expires_at` and `erased_until`.
        digests: of each kept event.
    """

    fields: dict[str, Any]
    revision: int
    digests: dict[Kind, str]

    @property
    def booking_id(self) -> str:
        return str(self.fields["booking_id"])


def domain_event(before: Snapshot | None, after: Snapshot, *, share_access_links: bool) -> Envelope | None:
    """Returns what a write of a booking announces; None where subscribers would see no difference.

    The same two snapshots give the same event to the letter, `metadata.id` included.
    """
    booking = _shared(after.fields, share_access_links)
    previous = _shared(before.fields, share_access_links) if before else None
    event_type = _event_type(previous, booking)
    if event_type is None:
        return None
    detail = {
        "metadata": {
            "schema_version": SCHEMA_VERSION,
            "id": _event_id(before, after),
            "booking_id": after.booking_id,
            "revision": after.revision,
            "occurred_at": booking["updated_at"],
        },
        "booking": booking,
        "previous": {name: previous[name] for name in _PREVIOUS if name in previous} if previous else None,
    }
    return Envelope(
        source=source_for(BOOKINGS, booking.get("event_id")),
        detail_type=str(event_type),
        detail=json.dumps(detail, ensure_ascii=False, sort_keys=True),
        request_id=booking.get("request_id"),
    )


def _event_type(before: dict[str, Any] | None, after: dict[str, Any]) -> EventType | None:
    was = before["status"] if before else None
    if after["status"] == Status.CANCELED:
        return None if was == Status.CANCELED else EventType.BOOKING_CANCELED
    if before is None:
        return EventType.BOOKING_CREATED
    if was == Status.CANCELED:
        return EventType.BOOKING_RESCHEDULED if after["rescheduled"] else EventType.BOOKING_CREATED
    if any(before.get(name) != after.get(name) for name in ("start", "end")):
        return EventType.BOOKING_RESCHEDULED
    compared = (before.keys() | after.keys()) - _NOT_COMPARED
    changed = any(before.get(name) != after.get(name) for name in compared)
    return EventType.BOOKING_UPDATED if changed else None


def _event_id(before: Snapshot | None, after: Snapshot) -> str:
    """Returns the id by which subscribers know a duplicate; 32 hex digits.

    It tells the change, not only where it led: a table that is rebuilt from deliveries in another order may
    come to the same booking at the same revision in another way, and that is another event.
    """
    parts = [after.booking_id, str(after.revision)]
    for snapshot in (before, after):
        parts += [snapshot.digests.get(kind, "") if snapshot else "" for kind in Kind]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _shared(fields: dict[str, Any], share_access_links: bool) -> dict[str, Any]:
    if share_access_links:
        return fields
    shared = {name: value for name, value in fields.items() if name != "manage_url"}
    if "location" in shared:
        shared["location"] = _without_access(shared["location"])
        if not shared["location"]:
            del shared["location"]
    return shared


def _without_access(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: kept
            for name, item in value.items()
            if not any(word in name.lower() for word in _ACCESS_NAMES)
            and (kept := _without_access(item)) not in (None, {}, [])
        }
    if isinstance(value, list):
        return [kept for item in value if (kept := _without_access(item)) not in (None, {}, [])]
    return None if isinstance(value, str) and _ACCESS_VALUE.search(value) else value
