"""Zoom may change the schema of its two events: each delivery is recorded, or in quarantine with a reason."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookings.zoom.events import CANCELED, CREATED
from tests.properties.outcomes import assert_not_lost
from tests.samples import MORNING_MS, raw, sample

REFERENCE: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data/zoom_reference.json").read_text(encoding="utf-8")
)["events"]
MISSING = object()
NUMBERS: tuple[Any, ...] = (0, -1, 7, 2**53 + 1, 2**63 - 1, 2**63, 10**40, 1.0, 1.5, 1e300, 5e-324, -0.0)
TEXTS = ("", " ", "text", "true", "é🚗", "x" * 3000, "2026-11-22T16:00:00+14:00", "a\tb", "hologram")
LISTS: tuple[Any, ...] = ([], [None], ["text"], [[]], [{}], [1, "a", None])
OBJECTS: tuple[Any, ...] = ({}, {"a": 1}, {"": None}, {"": 1}, {"kind": "zoom"}, {"deep": [{"": []}]})
VALUES = (MISSING, None, True, False, *NUMBERS, *TEXTS, *LISTS, *OBJECTS)


def complete(name: str) -> dict[str, Any]:
    """Returns the reference's sample with every field of the reference."""
    body = sample(name) | {"event_ts": MORNING_MS}
    body["payload"]["object"]["scheduled_event"]["location"] = {"kind": "custom", "address": "1 Main St"}
    return body


def change(body: dict[str, Any], path: str, value: Any) -> None:
    """Changes one place. It does nothing if an earlier change removed the place."""
    node: Any = body
    *parents, last = (int(part) if part == "0" else part for part in path.replace("[]", ".0").split("."))
    try:
        for part in parents:
            node = node[part]
        if value is MISSING:
            del node[last]
        else:
            node[last] = copy.deepcopy(value)
    except (KeyError, IndexError, TypeError):
        pass


# failure matrix: 37, 38
@pytest.mark.parametrize("name", [CREATED, CANCELED])
def test_each_changed_field_is_accepted_or_named(name: str) -> None:
    unnamed = []
    for path in [*REFERENCE[name], "not_yet_invented", "payload.object.not_yet_invented"]:
        for value in VALUES:
            body = complete(name)
            change(body, path, value)
            fields = assert_not_lost(raw(body))
            if not all(found.startswith(path.replace("[]", "[0]")) for found in fields if found):
                unnamed.append((path, value, fields))
    assert unnamed == []


@given(
    st.sampled_from([CREATED, CANCELED]),
    st.lists(st.tuples(st.sampled_from(list(REFERENCE[CANCELED])), st.sampled_from(VALUES)), max_size=8),
)
@settings(max_examples=400)
def test_no_event_with_several_changes_is_lost(name: str, changes: list[tuple[str, Any]]) -> None:
    body = complete(name)
    for path, value in changes:
        change(body, path, value)
    assert_not_lost(raw(body))
