"""The contract once more, in other words than the product's: what a set of deliveries must have made.

Everything here follows from decoded bodies as Zoom sent them, from all of them at once and by the design's
text. No state is folded, nothing is merged, and nothing is imported from the product, so that a mistake there
is not made here again.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any
from unicodedata import normalize
from zoneinfo import ZoneInfo

CREATED, CANCELED, MOVED_AWAY = "created", "canceled", "canceled_by_reschedule"
"""The three maxima a booking keeps, by their names in the item's `zoom_events`."""

MOVE_WINDOW_MS = 60_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORDS_OF_ACCESS = ("url", "link", "passcode", "password", "pwd", "accesscode", "meetingdescription")
_SCHEME = re.compile(r"[a-z0-9+.-]*(?:://|%3a%2f%2f)", re.IGNORECASE)
_HOST = re.compile(r"(?:[\w+-]*\.)+[^\W\d_][\w-]+(?::\d+)?(?:/|%2f)\S", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What one body says.

    Attributes:
        maximum: which of the three it competes for.
        order: event time in milliseconds, then the digest; the greatest is kept.
        nameless: it cancels and has no e-mail, so it needs a booking that is there.
        details: the item's fields it tells, none of them null or empty.
        cancellation: how it cancels, None where it says nothing of that.
    """

    booking_id: str
    maximum: str
    order: tuple[int, str]
    rescheduled: bool
    nameless: bool
    details: Mapping[str, Any] = field(repr=False)
    cancellation: Mapping[str, Any] | None = field(repr=False)

    @property
    def time(self) -> int:
        return self.order[0]


@dataclass(frozen=True, slots=True)
class ExpectedBooking:
    """The booking that a set of deliveries must have made, in whatever order they came.

    Attributes:
        kept: of each of the three maxima there is, event time and digest.
        fields: the item's public fields but `request_id`, which no body tells.
        newest: event time and digest of the newest delivery; its copies' request ids are the item's.
    """

    status: str
    rescheduled: bool
    kept: dict[str, tuple[int, str]]
    fields: dict[str, Any]
    newest: tuple[int, str]


def booking_key(body: Mapping[str, Any]) -> str:
    """Returns the key of the booking that a body is about."""
    booked = _inner(body, "payload", "object")
    event_id = _inner(booked, "scheduled_event")["event_id"]
    email = normalize("NFC", (booked.get("invitee_email") or "").strip().lower())
    return f"{event_id}-{hashlib.sha256((event_id + chr(10) + email).encode()).hexdigest()[:16]}"


def reading_of(body: Mapping[str, Any]) -> Reading:
    """Returns what a body says; a body that was read before costs only its text."""
    return _read(json.dumps(body))


def canonical_text(value: Any) -> str:
    """Returns one text for all ways to write a JSON value: sorted, no white space, whole numbers whole."""
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{encode_basestring(name)}:{canonical_text(value[name])}" for name in sorted(value))
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_text, value)) + "]"
    if isinstance(value, float) and value == value // 1 and -(2.0**63) <= value < 2.0**63:
        return str(int(value))
    return json.dumps(value, allow_nan=False)


def expected_state(
    bodies: Iterable[Mapping[str, Any] | Reading], *, erased_until: int | None = None
) -> ExpectedBooking | None:
    """Returns the booking that these bodies, all of one booking, must have made; None if there are none.

    Args:
        erased_until: the time of its erasure, in milliseconds; what is not newer counts as never sent.
    """
    readings = [each if isinstance(each, Reading) else reading_of(each) for each in bodies]
    readings = [each for each in readings if erased_until is None or each.time > erased_until]
    if not readings:
        return None
    assert len({each.booking_id for each in readings}) == 1, "bodies of more than one booking"
    best = {
        maximum: max((each for each in readings if each.maximum == maximum), key=lambda each: each.order)
        for maximum in sorted({each.maximum for each in readings})
    }
    created, canceled, moved_away = (best.get(each) for each in (CREATED, CANCELED, MOVED_AWAY))
    if created is None and all(each.nameless for each in readings):
        return None  # they wait in quarantine: nobody can tell whose booking they mean

    # X cancels when it is as new as C or newer; R too, unless R and C are the two halves of one move.
    ends = []
    if canceled and not (created and created.time > canceled.time):
        ends.append(canceled)
    if moved_away and not (created and created.time > moved_away.time):
        apart = abs(moved_away.time - created.time) if created else None
        one_move = (
            created is not None and created.rescheduled and apart is not None and apart <= MOVE_WINDOW_MS
        )
        if not one_move:
            ends.append(moved_away)
    ended_by = max(ends, key=lambda each: each.order) if ends else None
    deciding = ended_by or created
    assert deciding, "a booking that nothing cancels was created"

    newest = max(best.values(), key=lambda each: each.order)
    fields = dict((created or newest).details)
    if ended_by and ended_by.cancellation:
        fields["cancellation"] = ended_by.cancellation
    status = "canceled" if ended_by else "confirmed"
    fields |= {
        "booking_id": newest.booking_id,
        "status": status,
        "rescheduled": deciding.rescheduled,
        "updated_at": _text_of_time(newest.time),
    }
    return ExpectedBooking(
        status=status,
        rescheduled=deciding.rescheduled,
        kept={maximum: each.order for maximum, each in best.items()},
        fields=fields,
        newest=newest.order,
    )


def shared_fields(fields: Mapping[str, Any], *, share_access_links: bool) -> dict[str, Any]:
    """Returns what subscribers may see of an item's public fields."""
    if share_access_links:
        return dict(fields)
    shown = {name: value for name, value in fields.items() if name not in {"manage_url", "location"}}
    if "location" in fields and (location := _without_access(fields["location"])):
        shown["location"] = location
    return shown


def expected_event(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str | None:
    """Returns the type of the event that a change announces, None where it announces none.

    Args:
        before, after: what subscribers may see of the booking; None where there is none.
    """
    if after is None:
        return None
    was, now = (before or {}).get("status", "nothing"), after["status"]
    if now == "canceled":
        known = before is not None and was == "canceled" and before["rescheduled"] == after["rescheduled"]
        return None if known else "BookingCanceled"
    if was == "nothing":
        return "BookingCreated"
    if was == "canceled":
        return "BookingRescheduled" if after["rescheduled"] else "BookingCreated"
    assert before is not None
    if (before.get("start"), before.get("end")) != (after.get("start"), after.get("end")):
        return "BookingRescheduled"
    return "BookingUpdated" if _compared(before) != _compared(after) else None


def expected_detail(
    before: Mapping[str, Any] | None, after: Mapping[str, Any], *, revision: int
) -> dict[str, Any]:
    """Returns the detail that announces a change, but for `metadata.id`."""
    told_of_before = ("status", "rescheduled", "start", "end", "location")
    return {
        "metadata": {
            "schema_version": "1",
            "booking_id": after["booking_id"],
            "revision": revision,
            "occurred_at": after["updated_at"],
        },
        "booking": dict(after),
        "previous": None
        if before is None
        else {name: before[name] for name in told_of_before if name in before},
    }


def wrong_with_event(
    event_type: str | None,
    detail: Mapping[str, Any] | None,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    *,
    revision: int,
) -> str | None:
    """Returns what is wrong with what a change announced, None where it is as it must be.

    Args:
        event_type, detail: None where nothing was announced.
        before, after: what subscribers may see of the booking, request ids included.
    """
    expected = expected_event(before, after)
    if event_type != expected:
        return f"announced {event_type}, not {expected}"
    if detail is None or after is None:
        return None if expected is None else f"{expected} without a detail"
    metadata = dict(detail["metadata"])
    event_id = metadata.pop("id", None)
    if not isinstance(event_id, str) or not event_id:
        return "no metadata.id"
    told = {**detail, "metadata": metadata}
    wanted = expected_detail(before, after, revision=revision)
    differing = [name for name in sorted({*told, *wanted}) if told.get(name) != wanted.get(name)]
    return (
        f"{event_type} differs in {', '.join(differing)}"
        if differing or told.keys() != wanted.keys()
        else None
    )


@lru_cache(maxsize=500)
def _read(text: str) -> Reading:
    body = json.loads(text)
    payload, booked = _inner(body, "payload"), _inner(body, "payload", "object")
    calendar_entry = _inner(booked, "scheduled_event")
    online, place = _inner(calendar_entry, "external_location"), _inner(calendar_entry, "location")
    zone = (booked.get("time_zone") or "").strip()
    moved = booked.get("rescheduled") is True
    cancel = MOVED_AWAY if moved else CANCELED
    told = {
        "event_id": calendar_entry["event_id"],
        "account_id": payload.get("account_id"),
        "host_user_id": payload.get("user_id"),
        "title": calendar_entry.get("summary"),
        "start": _moment(calendar_entry.get("start_date_time"), zone),
        "end": _moment(calendar_entry.get("end_date_time"), zone),
        "created_at": _moment(booked.get("created"), zone) or _moment(calendar_entry.get("created"), zone),
        "manage_url": booked.get("manage_url"),
        "answers": [
            {
                **each,
                "answer": [each["answer"]] if isinstance(each.get("answer"), str) else each.get("answer"),
            }
            for each in booked.get("questions_and_answers") or []
            if each
        ],
        "tracking": booked.get("tracking"),
        "payment": payment if isinstance(payment := booked.get("payment"), dict) else None,
        "guests": calendar_entry.get("guests"),
        "attendees": calendar_entry.get("attendees"),
        "invitee": {
            "email": booked.get("invitee_email"),
            "first_name": booked.get("invitee_first_name"),
            "last_name": booked.get("invitee_last_name"),
            "phone": booked.get("text_phone_number"),
            "time_zone": booked.get("time_zone"),
        },
        "location": {
            "kind": calendar_entry.get("location_kind") or place.get("location_type") or online.get("kind"),
            "place": place,
            "online_meeting": online,
        },
    }
    time = int(body["event_ts"])
    return Reading(
        booking_id=booking_key(body),
        maximum=CREATED if body["event"].endswith("_created") else cancel,
        order=(
            time if time >= 10**11 else time * 1000,  # smaller ones are seconds
            hashlib.sha256(canonical_text(body).encode()).hexdigest(),
        ),
        rescheduled=moved,
        nameless=not body["event"].endswith("_created") and not (booked.get("invitee_email") or "").strip(),
        details=_present(told) or {},
        cancellation=_present(booked.get("cancellation")),
    )


def _inner(value: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """Returns the object found by these names, an empty one where there is none."""
    for name in names:
        value = value.get(name) or {}
    return value


def _present(value: Any) -> Any:
    """Returns a value less all in it that is null or empty, itself None if that is all of it."""
    if isinstance(value, dict):
        pairs = ((name, _present(item)) for name, item in value.items())
        value = {name: item for name, item in pairs if item is not None}
    if isinstance(value, list):
        value = [item for item in map(_present, value) if item is not None]
    return None if isinstance(value, str | dict | list) and not value else value


def _moment(text: str | None, zone: str) -> str | None:
    """Returns a time as UTC with whole seconds, None for what is none."""
    letters = (text or "").strip().upper().replace(" ", "T")
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}", letters):
        return None
    seconds, rest = letters[:19], re.sub(r"^\.[0-9]+", "", letters[19:])
    if not re.fullmatch(r"|Z|[+-][0-9]{2}:?[0-9]{2}", rest):
        return None
    try:
        moment = datetime.strptime(seconds + (rest or "Z"), "%Y-%m-%dT%H:%M:%S%z")
        if not rest and zone:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        moment = moment.astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return None
    date = f"{moment.year:04}-{moment.month:02}-{moment.day:02}"
    return f"{date}T{moment.hour:02}:{moment.minute:02}:{moment.second:02}Z"


def _text_of_time(milliseconds: int) -> str:
    return (_EPOCH + timedelta(seconds=milliseconds // 1000)).isoformat().replace("+00:00", "Z")


def _compared(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        # Who comes is no sequence.
        name: sorted(map(canonical_text, value)) if name in {"guests", "attendees"} else value
        for name, value in fields.items()
        if name not in {"updated_at", "request_id", "manage_url"}
    }


def _without_access(value: Any) -> Any:
    """Returns a part of a location less whatever may let its bearer in, None if nothing is left."""
    if isinstance(value, str):
        return _without_links(value)
    if isinstance(value, dict):
        kept = {name: _without_access(item) for name, item in value.items() if not _opens(name)}
        return {name: item for name, item in kept.items() if item is not None} or None
    if isinstance(value, list):
        return [item for item in map(_without_access, value) if item is not None] or None
    return value


def _opens(name: str) -> bool:
    """Returns whether a field of this name may let its bearer in."""
    letters = re.sub(r"[\W_]", "", name).lower()
    # A PIN is a word of its own: pin, host_pin, dialInPin, PIN, but not shipping.
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z]+", " ", name).lower().split()
    return "pin" in words or any(word in letters for word in _WORDS_OF_ACCESS)


def _without_links(text: str) -> str | None:
    """Returns a text less each link, from its scheme or host to the next white space."""
    pieces = re.split(r"(\s+)", text)
    shorter = [_before_link(piece) for piece in pieces]
    if shorter == pieces:
        return text
    left = "".join(shorter).strip()
    return left if re.search(r"[^\W_]", left) else None


def _before_link(piece: str) -> str:
    for start in range(len(piece)):
        if _SCHEME.match(piece, start) or _HOST.match(piece, start):
            return piece[:start] + piece[len(piece.rstrip(".,;:!?)]}>\"'")) :]
    return piece
