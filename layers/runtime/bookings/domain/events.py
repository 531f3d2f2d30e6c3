"""The domain events that subscribers rely on: a change of a booking, in our own versioned shape."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bookings.domain.booking import Kind, Status
from bookings.envelope import BOOKINGS, Envelope, source_for

SCHEMA_VERSION = "1"

_NOT_COMPARED = {"updated_at", "request_id", "manage_url"}
_SETS = {"guests", "attendees"}  # another order is no change
_PREVIOUS = ("status", "rescheduled", "start", "end", "location")

# A link or a passcode lets its bearer into the meeting. Only some shapes of a location are documented, so a
# name decides, in any spelling. A meeting's description repeats its invitation, passcode and PIN included.
_ACCESS_NAMES = ("url", "link", "passcode", "password", "pwd", "accesscode", "meetingdescription")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

# With a scheme, or a host name, a slash and something after it. Possessive quantifiers keep the work linear.
_LINK = re.compile(
    r"(?:(?<![a-z0-9+.-])[a-z0-9+.-]*+(?:://|%3a%2f%2f)"
    r"|(?<![\w.+-])(?:[\w+-]*+\.)++[^\W\d_][\w-]++(?::\d+)?(?:/|%2f)(?=\S))\S*",
    re.IGNORECASE,
)
_BEHIND_LINK = ".,;:!?)]}>\"'"


class EventType(StrEnum):
    """Detail types of source `bookings`."""

    BOOKING_CREATED = "BookingCreated"
    BOOKING_RESCHEDULED = "BookingRescheduled"
    BOOKING_UPDATED = "BookingUpdated"
    BOOKING_CANCELED = "BookingCanceled"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One revision of a booking in the table.

    Attributes:
        fields: the public ones.
        digests: of each stored delivery.
    """

    fields: dict[str, Any]
    revision: int
    digests: dict[Kind, str]

    @property
    def booking_id(self) -> str:
        return str(self.fields["booking_id"])


def domain_event(before: Snapshot | None, after: Snapshot, *, share_access_links: bool) -> Envelope | None:
    """Returns the event that a write announces, None if subscribers would see no difference.

    The same two snapshots always give the same event, `metadata.id` included.
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
        # A cancel after a cancel is news if it tells a lost customer from a moved one.
        same = before is not None and was == after["status"] and before["rescheduled"] == after["rescheduled"]
        return None if same else EventType.BOOKING_CANCELED
    if before is None:
        return EventType.BOOKING_CREATED
    if was == Status.CANCELED:
        return EventType.BOOKING_RESCHEDULED if after["rescheduled"] else EventType.BOOKING_CREATED
    if any(before.get(name) != after.get(name) for name in ("start", "end")):
        return EventType.BOOKING_RESCHEDULED
    return EventType.BOOKING_UPDATED if _compared(before) != _compared(after) else None


def _compared(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields in which a difference is a BookingUpdated."""
    return {
        name: sorted(json.dumps(item, sort_keys=True) for item in value) if name in _SETS else value
        for name, value in fields.items()
        if name not in _NOT_COMPARED
    }


def _event_id(before: Snapshot | None, after: Snapshot) -> str:
    """Returns the id that identifies duplicates, 32 hex digits.

    It covers the booking before the change too. A table that is rebuilt in another order can reach the same
    booking and revision by another change. That is another event.
    """
    parts = [after.booking_id, str(after.revision)]
    for name, snapshot in (("before", before), ("after", after)):
        digests = snapshot.digests if snapshot else {}
        # Only the kinds that are there: a new kind must not change the ids of old events.
        parts += [f"{name} {kind} {digests[kind]}" for kind in sorted(digests)]
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
            name: shared
            for name, item in value.items()
            if not _gives_access(name) and (shared := _without_access(item)) not in (None, {}, [])
        }
    if isinstance(value, list):
        return [shared for item in value if (shared := _without_access(item)) not in (None, {}, [])]
    return _without_links(value) if isinstance(value, str) else value


def _gives_access(name: str) -> bool:
    plain = "".join(filter(str.isalnum, name)).lower()
    return any(word in plain for word in _ACCESS_NAMES) or "pin" in map(str.lower, _WORDS.findall(name))


def _without_links(text: str) -> str | None:
    """Returns a text without its links. None if no letter or digit is left."""
    cut, links = _LINK.subn(lambda link: link[0][len(link[0].rstrip(_BEHIND_LINK)) :], text)
    if not links:
        return text
    return cut.strip() if any(map(str.isalnum, cut)) else None
