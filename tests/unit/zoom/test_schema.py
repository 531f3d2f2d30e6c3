"""The schema that the functions read, beside the models it was made from: the same verdict on every body."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from bookings.zoom.events import CANCELED, CREATED
from bookings.zoom.models import ScheduledEventCanceled, ScheduledEventCreated
from bookings.zoom.schema import SCHEDULED_EVENT_CANCELED, SCHEDULED_EVENT_CREATED
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import SchemaValidator, ValidationError

from tests.hostile.mutations import EVENTS, REFERENCE, VALUES, changed, complete, single_mutations

ROOT = Path(__file__).parents[3]
SAMPLES = sorted(path for path in (ROOT / "events").rglob("*.json") if path.parent.name != "lambda")
MODELS: dict[str, type[BaseModel]] = {CREATED: ScheduledEventCreated, CANCELED: ScheduledEventCanceled}
SCHEMAS = {
    CREATED: SchemaValidator(SCHEDULED_EVENT_CREATED),
    CANCELED: SchemaValidator(SCHEDULED_EVENT_CANCELED),
}

Verdict = dict[str, Any] | list[tuple[tuple[int | str, ...], str]]


def told(error: ValidationError) -> Verdict:
    """Returns where each error is and its kind; a model that is none says so as a dictionary does."""
    return [
        (found["loc"], found["type"].replace("model_type", "dict_type"))
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def by_the_models(name: str, body: Any) -> Verdict:
    try:
        return MODELS[name].model_validate(body).model_dump(exclude_unset=True)
    except ValidationError as error:
        return told(error)


def by_the_schema(name: str, body: Any) -> Verdict:
    try:
        event: dict[str, Any] = SCHEMAS[name].validate_python(body)
    except ValidationError as error:
        return told(error)
    return event


def agreed(name: str, body: Any) -> Verdict:
    """Returns the verdict of both; to the letter, for in Python 1 is 1.0 and True."""
    before = copy.deepcopy(body)
    expected, found = by_the_models(name, body), by_the_schema(name, body)
    assert repr(found) == repr(expected)
    assert repr(body) == repr(before), "what was sent has been changed"
    return found


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_they_agree_on_every_sample(path: Path, name: str) -> None:
    body = json.loads(path.read_text())
    verdict = agreed(name, body)
    assert isinstance(verdict, dict) == (body["event"] == name)


@pytest.mark.parametrize("name", EVENTS)
def test_they_agree_on_every_change_of_one_field_of_the_reference(name: str) -> None:
    verdicts = [agreed(name, body) for _, body, _ in single_mutations(name)]
    assert len(verdicts) > 1000
    kinds = {kind for verdict in verdicts if isinstance(verdict, list) for _, kind in verdict}
    assert kinds == {
        *("missing", "literal_error", "string_type", "bool_type", "int_type", "list_type", "dict_type"),
        *("greater_than_equal", "less_than_equal"),
    }


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("body", [None, "", [], "text", 7, [{}], {}, {"event": []}, {"": {}}])
def test_they_agree_on_what_is_no_event_at_all(name: str, body: Any) -> None:
    assert isinstance(agreed(name, body), list)


# Lone surrogates too: they can stand in names and texts of a body that a queue brings.
TEXTS = st.text(max_size=5) | st.text(st.characters(categories=["Cs"]), max_size=2)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | TEXTS
    | st.integers()
    | st.integers(-(2**63) - 2, 2**63 + 2)
    | st.floats()
    | st.sampled_from([value for values in VALUES.values() for value in values]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An event, of the same name or not, with any JSON at any places of the reference, or beside them."""
    name = draw(st.sampled_from(EVENTS))
    body = complete(draw(st.sampled_from(EVENTS)))
    for path, value in draw(st.lists(st.tuples(st.sampled_from(sorted(REFERENCE[name])), JSON), max_size=6)):
        beside = draw(st.sampled_from(["", "", f".{draw(TEXTS)}"]))
        body = changed(body, path + beside, value)
    return name, body


@given(bodies())
def test_they_agree_on_any_event_with_anything_in_it(event: tuple[str, dict[str, Any]]) -> None:
    agreed(*event)


@given(st.sampled_from(EVENTS), JSON)
def test_they_agree_on_anything_at_all(name: str, value: Any) -> None:
    agreed(name, value)
    agreed(name, {"event": name, "event_ts": 1, "payload": value})
    agreed(name, {"event": name, "event_ts": value, "payload": {"object": {"scheduled_event": value}}})
