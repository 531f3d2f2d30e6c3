"""The contract in other words than the product's: the bookings and events that follow from deliveries.

It reads all decoded bodies at once and folds no state. It imports nothing of the product, so a mistake there
is not repeated here.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from unicodedata import normalize
from zoneinfo import ZoneInfo

CREATED, CANCELED, MOVED_AWAY = "created", "canceled", "canceled_by_reschedule"
"""The three kinds of deliveries, by their names in the item's `zoom_events`."""

MOVE_WINDOW_MS = 60_000
Fields = Mapping[str, Any]
UNCOMPARED = {"updated_at", "request_id", "manage_url"}
PREVIOUS = ("status", "rescheduled", "start", "end", "location")

_ACCESS = re.compile("url|passcode|pin|description")
_LINK = re.compile(r"https://[\w./]*")


class Reading(NamedTuple):
    """One body, read. Of each kind, a booking stores the one with the greatest order."""

    order: tuple[int, str]  # event time in milliseconds, digest
    kind: str
    booking_id: str
    rescheduled: bool
    nameless: bool  # it cancels and has no e-mail, so it needs a booking that is there
    details: Fields  # the item's fields that it has, none of them null or empty
    cancellation: Fields | None


class ExpectedBooking(NamedTuple):
    """The booking that follows from a set of deliveries, in whatever order they came."""

    orders: dict[str, tuple[int, str]]  # of the newest delivery of each kind
    fields: dict[str, Any]  # the public ones but `request_id`, which is in no body


def booking_key(body: Fields) -> str:
    """Returns the key of a body's booking."""
    booked = _inner(body, "payload", "object")
    event_id = _inner(booked, "scheduled_event")["event_id"]
    email = normalize("NFC", (booked.get("invitee_email") or "").strip().lower())
    return f"{event_id}-{hashlib.sha256((event_id + chr(10) + email).encode()).hexdigest()[:16]}"


def canonical_text(value: Any) -> str:
    """Returns one text for all forms of a JSON value: sorted, no white space, whole numbers whole."""
    value = json.loads(json.dumps(value), parse_float=lambda text: _whole(float(text)))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _whole(number: float) -> float:
    return int(number) if number.is_integer() and abs(number) < 2**63 else number


def expected_state(bodies: Iterable[Fields], *, erased_until: int = 0) -> ExpectedBooking | None:
    """Returns the booking that follows from the deliveries of one booking; None if there is none.

    Those up to the time of its erasure, in milliseconds, count as never sent.
    """
    readings = (each for each in map(_read, map(json.dumps, bodies)) if each.order[0] > erased_until)
    in_order = sorted(readings, key=lambda each: each.order)
    if all(each.nameless for each in in_order):
        return None  # they wait in quarantine: nobody can tell whose booking they mean
    assert len({each.booking_id for each in in_order}) == 1, "deliveries of more than one booking"
    best = {each.kind: each for each in in_order}
    created, canceled, moved_away = (best.get(each) for each in (CREATED, CANCELED, MOVED_AWAY))
    created_at = created.order[0] if created else 0

    # X cancels when it is as new as C or newer. So does R, unless R and C are the two halves of one move.
    ends = [each for each in (canceled, moved_away) if each and each.order[0] >= created_at]
    if created and created.rescheduled:
        ends = [each for each in ends if each is canceled or each.order[0] - created_at > MOVE_WINDOW_MS]
    ended_by = max(ends, key=lambda each: each.order, default=None)
    deciding = ended_by or created
    assert deciding, "a booking that nothing cancels was created"

    newest = in_order[-1]
    fields = dict((created or newest).details)
    if ended_by and ended_by.cancellation:
        fields["cancellation"] = ended_by.cancellation
    updated = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=newest.order[0] // 1000)
    fields |= {
        "booking_id": newest.booking_id,
        "status": "canceled" if ended_by else "confirmed",
        "rescheduled": deciding.rescheduled,
        "updated_at": updated.isoformat().replace("+00:00", "Z"),
    }
    return ExpectedBooking({kind: each.order for kind, each in best.items()}, fields)


def shared_fields(fields: Fields, *, share_access_links: bool) -> dict[str, Any]:
    """Returns the public fields that subscribers may see."""
    if share_access_links:
        return dict(fields)
    shown = {name: value for name, value in fields.items() if name not in {"manage_url", "location"}}
    if "location" in fields and (location := _without_access(fields["location"])):
        shown["location"] = location
    return shown


def expected_event(before: Fields | None, after: Fields | None) -> str | None:
    """Returns the type of the event that a change announces; both sides as subscribers may see them."""
    if after is None:
        return None
    was = before["status"] if before else None
    if after["status"] == "canceled":
        known = before and was == "canceled" and before["rescheduled"] == after["rescheduled"]
        return None if known else "BookingCanceled"
    if before is None:
        return "BookingCreated"
    if was == "canceled":
        return "BookingRescheduled" if after["rescheduled"] else "BookingCreated"
    if (before.get("start"), before.get("end")) != (after.get("start"), after.get("end")):
        return "BookingRescheduled"
    return "BookingUpdated" if compared(before) != compared(after) else None


def compared(fields: Fields) -> dict[str, Any]:
    """Returns the fields in which a difference is an update."""
    return {
        name: sorted(map(canonical_text, value)) if name in {"guests", "attendees"} else value
        for name, value in fields.items()
        if name not in UNCOMPARED
    }


def wrong_with_event(
    event_type: str | None,
    detail: Fields | None,
    before: Fields | None,
    after: Fields | None,
    *,
    revision: int,
) -> str | None:
    """Returns the difference between an announcement, if any, and the specified one; None without any."""
    expected = expected_event(before, after)
    if event_type != expected:
        return f"announced {event_type}, not {expected}"
    if detail is None or after is None:
        return None if expected is None else f"{expected} without a detail"
    wanted = {
        "metadata": {
            "schema_version": "1",
            "id": detail["metadata"].get("id") or "there must be one",
            "booking_id": after["booking_id"],
            "revision": revision,
            "occurred_at": after["updated_at"],
        },
        "booking": dict(after),
        "previous": before and {name: before[name] for name in PREVIOUS if name in before},
    }
    differing = [name for name in sorted({*detail, *wanted}) if detail.get(name, 0) != wanted.get(name, 0)]
    return f"{event_type} differs in {', '.join(differing)}" if differing else None


@lru_cache(maxsize=500)
def _read(text: str) -> Reading:
    body = json.loads(text)
    payload, booked = _inner(body, "payload"), _inner(body, "payload", "object")
    entry = _inner(booked, "scheduled_event")
    online, place = _inner(entry, "external_location"), _inner(entry, "location")
    zone = (booked.get("time_zone") or "").strip()
    is_cancel = not body["event"].endswith("_created")
    moved = booked.get("rescheduled") is True
    answers = [dict(each) for each in booked.get("questions_and_answers") or [] if each]
    for each in answers:
        if isinstance(each.get("answer"), str):
            each["answer"] = [each["answer"]]
    details = {
        "event_id": entry["event_id"],
        "account_id": payload.get("account_id"),
        "host_user_id": payload.get("user_id"),
        "title": entry.get("summary"),
        "start": _moment(entry.get("start_date_time"), zone),
        "end": _moment(entry.get("end_date_time"), zone),
        "created_at": _moment(booked.get("created"), zone) or _moment(entry.get("created"), zone),
        "answers": answers,
        **{name: booked.get(name) for name in ("manage_url", "tracking")},
        "payment": payment if isinstance(payment := booked.get("payment"), dict) else None,
        **{name: entry.get(name) for name in ("guests", "attendees")},
        "invitee": {
            **{name: booked.get(f"invitee_{name}") for name in ("email", "first_name", "last_name")},
            "phone": booked.get("text_phone_number"),
            "time_zone": booked.get("time_zone"),
        },
        "location": {
            "kind": entry.get("location_kind") or place.get("location_type") or online.get("kind"),
            "place": place,
            "online_meeting": online,
        },
    }
    time = int(body["event_ts"])
    time = time if time >= 10**11 else time * 1000  # smaller ones are seconds
    return Reading(
        booking_id=booking_key(body),
        kind=(MOVED_AWAY if moved else CANCELED) if is_cancel else CREATED,
        order=(time, hashlib.sha256(canonical_text(body).encode()).hexdigest()),
        rescheduled=moved,
        nameless=is_cancel and not (booked.get("invitee_email") or "").strip(),
        details=_present(details) or {},
        cancellation=_present(booked.get("cancellation")),
    )


def _inner(value: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """Returns the object at these names, an empty one if there is none."""
    for name in names:
        value = value.get(name) or {}
    return value


def _present(value: Any) -> Any:
    """Returns a value without its null and empty parts, None if nothing is left."""
    if isinstance(value, dict):
        pairs = ((name, _present(item)) for name, item in value.items())
        value = {name: item for name, item in pairs if item is not None}
    if isinstance(value, list):
        value = [item for item in map(_present, value) if item is not None]
    return None if isinstance(value, str | dict | list) and not value else value


def _moment(text: str | None, zone: str) -> str | None:
    """Returns a time as UTC with whole seconds, None for any other text."""
    if not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:", text or ""):
        return None
    moment = datetime.fromisoformat(text or "").replace(microsecond=0)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone or "UTC"))
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _without_access(value: Any) -> Any:
    """Returns a part of a location without passcodes and links, as the histories have them."""
    if isinstance(value, str):
        shorter = _LINK.sub("", value).strip()
        return value if shorter == value else shorter or None
    if isinstance(value, dict):
        shown = {name: _without_access(item) for name, item in value.items() if not _ACCESS.search(name)}
        return {name: item for name, item in shown.items() if item is not None} or None
    return value
