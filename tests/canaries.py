"""Both events with a canary in every text, walked from the reference, so that no field is forgotten."""

import json
import time
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent / "data/zoom_reference.json"

REFERENCE: dict[str, dict[str, Any]] = json.loads(_FILE.read_text())["events"]
CREATED, CANCELED = REFERENCE

# What a log holds on purpose: the event's name, and the id by which its booking is told.
FIT = {"event", "payload.object.scheduled_event.event_id"}

# Objects of which the reference tells no fields: some that they have had, and one that nobody knows.
OPEN = {
    "payload.object.scheduled_event.location": ("kind", "address", "phone_number", "directions", "new"),
    "payload.object.scheduled_event.external_location": (
        "kind", "meeting_id", "personal_meeting_id", "meeting_passcode", "meeting_description",
        "meeting_join_url", "new",
    ),
    "payload.object.tracking.salesforce_ids[]": ("id",),
}  # fmt: skip

TIMES = {"start_date_time", "end_date_time", "cancel_at", "created", "updated"}


def texts(name: str) -> list[str]:
    """Returns the path of every text that the reference knows in an event."""
    fields = REFERENCE[name]
    return [
        *(path for path, field in fields.items() if field["type"] == "string"),
        *(f"{path}.{inner}" for path in OPEN if path in fields for inner in OPEN[path]),
    ]


def canary(path: str) -> str:
    return f"canary-{path}"


def body_of(name: str, *, event_id: str = "evt-1", well_formed_times: bool = False) -> dict[str, Any]:
    """Returns an event with every field of the reference, each text a canary of its own."""
    body: dict[str, Any] = {}
    values: dict[str, Any] = {path: canary(path) for path in texts(name)}
    for path, field in REFERENCE[name].items():
        if field["type"] in ("integer", "boolean"):
            values[path] = {"integer": 1, "boolean": False}[field["type"]]
    if well_formed_times:
        values |= {path: "2026-11-26T14:00:00Z" for path in values if path.rpartition(".")[2] in TIMES}
    values |= {
        "event": name,
        "event_ts": int(time.time() * 1000),
        "payload.object.scheduled_event.event_id": event_id,
    }
    for path, value in values.items():
        put(body, path, value)
    return body


def put(body: dict[str, Any], path: str, value: Any) -> None:
    """Puts a value at a path of the reference's; of a list there is one item."""
    *parents, last = path.split(".")
    place: Any = body
    for part in parents:
        if part.endswith("[]"):
            items = place.setdefault(part[:-2], [{}])
            place = items[0]
        else:
            place = place.setdefault(part, {})
    if last.endswith("[]"):
        place[last[:-2]] = [value]
    else:
        place[last] = value
