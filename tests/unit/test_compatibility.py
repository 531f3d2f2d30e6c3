"""A version of the domain events stays as it was frozen in `docs/schemas/`.

It may get new optional fields, new events and other words. Any other change breaks a subscriber that
validates, generates types or switches over an enum. That includes a type that widens, and a new enum value.
"""

import copy
import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from bookings.domain.events import SCHEMA_VERSION

SCHEMAS = Path(__file__).parents[2] / "docs/schemas"
FROZEN = SCHEMAS / f"v{SCHEMA_VERSION}"

WORDS = {"$schema", "$defs", "$ref", "title", "description", "examples"}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def rules(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Returns a schema without words and references."""
    whole = definitions.get(schema.get("$ref", "").rpartition("/")[2], {}) | schema
    found = {keyword: value for keyword, value in whole.items() if keyword not in WORDS}
    if "properties" in found:
        found["properties"] = {name: rules(field, definitions) for name, field in found["properties"].items()}
    if "items" in found:
        found["items"] = rules(found["items"], definitions)
    if "anyOf" in found:
        found["anyOf"] = [rules(each, definitions) for each in found["anyOf"]]
    return found


def breaks(old: dict[str, Any], new: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yields each change of the rules that a subscriber notices."""
    old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
    for name, field in old_fields.items():
        if name in new_fields:
            yield from breaks(field, new_fields[name], f"{path}.{name}")
        else:
            yield f"{path}.{name} is gone"
    yield from breaks(old["items"], new.get("items", {}), f"{path}[]") if "items" in old else ()
    for old_choice, new_choice in zip_longest(old.get("anyOf", []), new.get("anyOf", [])):
        yield from breaks(old_choice or {}, new_choice or {}, path)
    old_required, new_required = set(old.get("required", [])), set(new.get("required", []))
    yield from (f"{path}.{name} became required" for name in sorted(new_required - old_required))
    yield from (
        f"{path}.{name} became optional" for name in sorted(old_required - new_required & {*new_fields})
    )
    for keyword in sorted({*old, *new} - {"properties", "items", "anyOf", "required"}):
        if old.get(keyword) != new.get(keyword):
            yield f"{path} {keyword}: {old.get(keyword)} → {new.get(keyword)}"


def breaks_of_files(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return list(breaks(rules(old, old["$defs"]), rules(new, new["$defs"])))


@pytest.mark.parametrize("path", sorted(FROZEN.glob("*.json")), ids=lambda path: path.name)
def test_version_stays_as_it_was_frozen(path: Path) -> None:
    assert (SCHEMAS / path.name).exists(), "the event is gone"
    assert breaks_of_files(read(path), read(SCHEMAS / path.name)) == [], "see CONTRIBUTING.md"


def test_version_is_frozen() -> None:
    assert {path.name for path in FROZEN.glob("*.json")} == {path.name for path in SCHEMAS.glob("*.json")}


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
STATES, MORE_STATES = ["confirmed", "canceled"], ["confirmed", "canceled", "moved"]
# Changed fields of `booking`, a field that becomes required or optional, and how that breaks subscribers.
CHANGES: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing": ({}, "", ""),
    "new optional field": ({"fee": NUMBER}, "", ""),
    "other words": ({"title": TEXT | {"description": "Its name.", "examples": ["Tour"]}}, "", ""),
    "field removed": ({"title": None}, "", "title is gone"),
    "field renamed": ({"title": None, "name": TEXT}, "", "title is gone"),
    "required field removed": ({"status": None}, "status", "status is gone"),
    "optional field became required": ({}, "title", "title became required"),
    "required field became optional": ({}, "status", "status became optional"),
    "new required field": ({"fee": NUMBER}, "fee", "fee became required"),
    "type narrowed": ({"title": TEXT | {"maxLength": 9}}, "", "title maxLength: None → 9"),
    "type widened": ({"title": {"type": ["string", "null"]}}, "", "title type: string → ['string', 'null']"),
    "type of items": ({"guests": {"type": "array", "items": NUMBER}}, "", "guests[] type: string → integer"),
    "object closed": ({"payment": {"type": "object"}}, "", "payment additionalProperties: True → None"),
    "enum gained": (
        {"status": TEXT | {"enum": [*STATES, "x"]}},
        "",
        f"status enum: {STATES} → {[*STATES, 'x']}",
    ),
    "enum lost": ({"status": TEXT | {"enum": STATES[:1]}}, "", f"status enum: {STATES} → {STATES[:1]}"),
}


@pytest.mark.parametrize(("fields", "toggled", "expected"), CHANGES.values(), ids=CHANGES)
def test_change_breaks_the_version(fields: dict[str, Any], toggled: str, expected: str) -> None:
    old = read(FROZEN / "BookingUpdated.event.json")
    new = copy.deepcopy(old)
    booking = new["$defs"]["Booking"]
    booking["required"] = sorted({*booking["required"]} ^ {*toggled.split()})
    changed = booking["properties"] | fields
    booking["properties"] = {name: field for name, field in changed.items() if field is not None}
    assert breaks_of_files(old, new) == [f".detail.booking.{each}" for each in [expected] if each]
