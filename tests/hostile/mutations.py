"""Both events with their schema changed: fields dropped, added, nulled, retyped, and values of enums changed.

The fields and their types are those of Zoom's reference (`tests/data/zoom_reference.json`), so that what is
still valid by it is known without asking the models.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from bookings.zoom.events import CANCELED, CREATED
from tests.samples import sample

REFERENCE: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data/zoom_reference.json").read_text(encoding="utf-8")
)["events"]
EVENTS = (CREATED, CANCELED)

EVENT, EVENT_TIME, EVENT_ID = "event", "event_ts", "payload.object.scheduled_event.event_id"
MISSING = object()

# One value of each type of JSON, and the edges of each.
VALUES: dict[str, tuple[Any, ...]] = {
    "null": (None,),
    "boolean": (True, False),
    "integer": (0, -1, 1, 7, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)),
    "beyond int64": (2**63, -(2**63) - 1, 10**40),
    "number": (1.5, 1e300, 5e-324, 0.1),
    "whole number": (1.0, -0.0, 1e15),
    "string": ("text", "0", "true", "null", " ", "é🚗", "x" * 3000, "2026-11-22T16:00:00+14:00", "a\tb"),
    "blank": ("",),
    "array": ([], [None], ["text"], [[]], [{}], [1, "a", None]),
    "object": ({}, {"a": 1}, {"kind": "zoom", "url": "https://zoom.us"}, {"": None}),
}


def complete(name: str) -> dict[str, Any]:
    """Returns the reference's sample of an event, with every field of the reference in it."""
    body = sample(name)
    body["event_ts"] = 1_795_341_600_000
    body["payload"]["object"]["scheduled_event"]["location"] = {"kind": "custom", "address": "1 Main St"}
    return body


def single_mutations(name: str) -> Iterator[tuple[str, dict[str, Any], bool | None]]:
    """Yields what was changed, the body, and whether it must be taken; None where not types alone decide."""
    for path, said in REFERENCE[name].items():
        yield f"{path} dropped", changed(complete(name), path, MISSING), _goes_without(path, said)
        for kind, values in VALUES.items():
            for value in values:
                body = changed(complete(name), path, value)
                yield f"{path} = {value!r:.40}", body, _taken(path, said, kind)
        if said["type"] == "object":
            for value in (None, 1, "text", [], {"deep": [{}]}):
                inner = f"{path}.not_yet_invented"
                yield f"{inner} = {value!r}", changed(complete(name), inner, value), True
        for value in said.get("enum", ()):
            yield f"{path} = {value}", changed(complete(name), path, value), True
        if "enum" in said:
            for value in ("hologram", said["enum"][0].upper(), said["enum"][0] + " "):
                yield f"{path} = {value}", changed(complete(name), path, value), True


def draw_mutation(random: Random) -> dict[str, Any]:
    """Returns an event of which several fields are changed at once."""
    name = random.choice(EVENTS)
    body = complete(name)
    for _ in range(random.choice((2, 2, 3, 5, 10))):
        path = random.choice(_PLACES[name])
        if path == EVENT:
            continue
        kind = REFERENCE[name][path]["type"] if random.random() < 0.7 else random.choice(tuple(VALUES))
        value = (
            random.choice((MISSING, *VALUES[kind])) if random.random() < 0.3 else random.choice(VALUES[kind])
        )
        if random.random() < 0.15:
            path = f"{path}.{random.choice(('not_yet_invented', 'kind', 'id'))}"
        body = changed(body, path, value)
    return body


_PLACES = {name: list(said) for name, said in REFERENCE.items()}


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Returns the body with one place changed; as it is where another change has taken the place away."""
    node: Any = body
    *parents, last = path.replace("[]", ".0").split(".")
    try:
        for part in parents:
            node = node[int(part) if isinstance(node, list) else part]
        key = int(last) if isinstance(node, list) else last
        if value is MISSING:
            del node[key]
        else:
            node[key] = copy.deepcopy(value)
    except (KeyError, IndexError, TypeError, ValueError):
        pass
    return body


def _taken(path: str, said: dict[str, Any], kind: str) -> bool | None:
    """Returns whether the reference lets a value of a kind stand there; None where not types alone decide."""
    item = path.endswith("[]")
    if path == EVENT:
        return None  # it is another event then
    if kind in _KINDS[said["type"]]:
        return None if said["type"] in ("array", "object") or path in (EVENT_TIME, EVENT_ID) else True
    return kind in ("null", "blank") and not item and _goes_without(path, said)


def _goes_without(path: str, said: dict[str, Any]) -> bool:
    """Returns whether the reference, and the key of a booking, can do without what stands at a place."""
    return not said.get("required") and not EVENT_ID.startswith(path)


_KINDS = {
    "string": ("string", "blank"),
    "integer": ("integer", "whole number"),
    "boolean": ("boolean",),
    "object": ("object",),
    "array": ("array",),
}
