"""The models against Zoom's reference, and what they accept, keep and refuse."""

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ValidationError

from bookings.errors import FieldError
from bookings.zoom import events
from bookings.zoom.events import (
    CANCELED,
    CREATED,
    InvalidEvent,
    ScheduledEventCanceled,
    ScheduledEventCreated,
    UnknownEvent,
    parse_event,
)

ROOT = Path(__file__).parents[3]
REFERENCE: dict[str, dict[str, Any]] = json.loads((ROOT / "tests/data/zoom_reference.json").read_text())[
    "events"
]
SAMPLES: dict[str, dict[str, Any]] = {
    CREATED: json.loads((ROOT / "events/scheduled_event_created.json").read_text()),
    CANCELED: json.loads((ROOT / "events/scheduled_event_canceled.json").read_text()),
}
MODELS: dict[str, type[BaseModel]] = {CREATED: ScheduledEventCreated, CANCELED: ScheduledEventCanceled}
BOTH = pytest.mark.parametrize("name", [CREATED, CANCELED])
CANARY = "canary-9f2c"

# A value of one type is wrong wherever another is asked for.
OF_TYPE: dict[str, Any] = {"string": "text", "integer": 7, "boolean": True, "object": {}, "array": []}
OF_PYTHON: dict[type[object], str] = {str: "string", list: "array", dict: "object"}


def described(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """A model's JSON schema in the shape of the reference's list: one entry a field path."""
    schema = model.model_json_schema()

    def fields(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, field in node.get("properties", {}).items():
            inner = f"{path}.{name}" if path else name
            yield from entry(field, inner, required=name in node.get("required", []))

    def entry(field: dict[str, Any], path: str, *, required: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        said: dict[str, Any] = {}
        node = flat(field)
        for key in ("type", "format", "enum"):
            if key in node:
                said[key] = node[key]
        if required:
            said["required"] = True
        yield path, said
        if node["type"] == "array":
            yield from entry(node["items"], f"{path}[]", required=False)
        yield from fields(node, path)

    def flat(field: dict[str, Any]) -> dict[str, Any]:
        """One node of what stands behind a reference, beside null, or in an enum that is open."""
        node = dict(field)
        if "$ref" in node:
            node |= schema["$defs"][node["$ref"].rpartition("/")[2]]
        for choice in reversed(node.pop("anyOf", [])):
            if choice.get("type") != "null":
                node |= flat(choice)
        return node

    return dict(fields(schema, ""))


def places(name: str, kind: str | None = None) -> list[str]:
    """The reference's paths of fields (not of items of a list), of one type if asked."""
    return [
        path
        for path, said in REFERENCE[name].items()
        if not path.endswith("[]") and kind in (None, said["type"])
    ]


def put(body: dict[str, Any], path: str, value: object) -> None:
    node: Any = body
    *parents, last = path.replace("[]", ".0").split(".")
    for part in parents:
        node = node[int(part)] if part == "0" else node[part]
    node[last] = value


def take(body: dict[str, Any], path: str) -> None:
    node: Any = body
    *parents, last = path.replace("[]", ".0").split(".")
    for part in parents:
        node = node[int(part)] if part == "0" else node[part]
    node.pop(last, None)


def in_error(path: str) -> str:
    return path.replace("[]", "[0]")


def read(body: dict[str, Any]) -> dict[str, Any]:
    """Returns what the model of an event has read."""
    event = parse_event(body)
    assert type(event) is MODELS[body["event"]]
    return event.model_dump(exclude_unset=True)


def errors_of(body: dict[str, Any]) -> list[FieldError]:
    with pytest.raises(InvalidEvent) as caught:
        parse_event(body)
    return caught.value.errors


def refused(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(found["field"], found["message"]) for found in errors_of(body)]


@BOTH
def test_the_models_have_every_field_of_the_reference_and_no_other(name: str) -> None:
    assert sorted(described(MODELS[name])) == sorted(REFERENCE[name])


@BOTH
def test_each_field_has_the_references_type_format_required_mark_and_values(name: str) -> None:
    assert described(MODELS[name]) == REFERENCE[name]


def test_the_reference_has_the_fields_that_were_counted_by_hand() -> None:
    added = set(REFERENCE[CANCELED]) - set(REFERENCE[CREATED])

    assert len(REFERENCE[CREATED]) == 50
    assert added == {
        "payload.object.cancellation",
        "payload.object.cancellation.cancel_at",
        "payload.object.cancellation.canceled_by",
        "payload.object.cancellation.canceler_type",
        "payload.object.cancellation.reason",
    }
    assert set(REFERENCE[CREATED]) < set(REFERENCE[CANCELED])


@BOTH
def test_every_field_is_described(name: str) -> None:
    schema = MODELS[name].model_json_schema()
    nodes = [schema, *schema["$defs"].values()]

    assert [
        field for node in nodes for field, said in node["properties"].items() if not said.get("description")
    ] == []


def test_attendees_are_hosts_in_a_canceled_event_only() -> None:
    def meaning(model: type[BaseModel], part: str) -> str:
        description = model.model_json_schema()["$defs"][part]["properties"]["attendees"]["description"]
        assert isinstance(description, str)
        return description

    assert meaning(ScheduledEventCreated, "ScheduledEvent") == "The event's attendees."
    assert meaning(ScheduledEventCanceled, "CanceledScheduledEvent") == "The event's hosts."


@BOTH
def test_the_references_sample_comes_out_as_it_went_in(name: str) -> None:
    before = copy.deepcopy(SAMPLES[name])

    assert read(SAMPLES[name]) == before
    assert SAMPLES[name] == before


@BOTH
@pytest.mark.parametrize("blank", [None, ""], ids=["null", "empty"])
def test_every_optional_field_may_be_null_or_empty(
    name: str, blank: object
) -> None:  # failure matrix: 37, 54
    for path in places(name):
        if "required" in REFERENCE[name][path]:
            continue
        body = copy.deepcopy(SAMPLES[name])
        put(body, path, blank)
        parse_event(body)


@BOTH
def test_every_optional_field_may_be_missing(name: str) -> None:  # failure matrix: 37
    for path in places(name):
        if "required" in REFERENCE[name][path]:
            continue
        body = copy.deepcopy(SAMPLES[name])
        take(body, path)
        parse_event(body)


@BOTH
def test_an_empty_payload_is_enough(name: str) -> None:
    body = {"event": name, "event_ts": 0, "payload": {}}

    assert read(body) == body


def test_a_blank_reads_as_none_but_a_text_stays_as_it_is() -> None:
    body = copy.deepcopy(SAMPLES[CREATED])
    put(body, "payload.object.tracking", "")
    put(body, "payload.object.rescheduled", "")
    put(body, "payload.object.scheduled_event.invitee_counters.limit", "")
    put(body, "payload.object.time_zone", "")

    booking = read(body)["payload"]["object"]

    assert (booking["tracking"], booking["rescheduled"], booking["time_zone"]) == (None, None, "")
    assert booking["scheduled_event"]["invitee_counters"]["limit"] is None


@BOTH
def test_what_the_reference_requires_may_not_be_missing_or_null(name: str) -> None:
    for path in places(name):
        if "required" not in REFERENCE[name][path] or path == "event":
            continue
        body = copy.deepcopy(SAMPLES[name])
        take(body, path)
        assert refused(body) == [(in_error(path), "is required")]
        put(body, path, None)
        assert [field for field, _ in refused(body)] == [in_error(path)]


@BOTH
def test_unknown_fields_are_kept_at_every_level(name: str) -> None:  # failure matrix: 37
    body = copy.deepcopy(SAMPLES[name])
    for path in ["", *(f"{path}." for path in places(name, "object"))]:
        if "location" not in path:  # those two are open: whatever they hold is theirs
            put(body, f"{path}payment", {"amount": "12.50", "parts": [1, None]})
    put(body, "payload.object.scheduled_event.attendees[].payment", 1)
    put(body, "payload.object.questions_and_answers[].payment", 1)
    put(body, "payload.object.scheduled_event.external_location.payment", {"amount": 1})

    assert read(body) == body


def test_unknown_enum_values_are_kept() -> None:  # failure matrix: 37
    body = copy.deepcopy(SAMPLES[CANCELED])
    for path in [path for path, said in REFERENCE[CANCELED].items() if "enum" in said]:
        put(body, path, "holodeck")

    booking = read(body)["payload"]["object"]

    assert booking["cancellation"]["canceler_type"] == "holodeck"
    assert booking["scheduled_event"]["location_kind"] == "holodeck"
    assert booking["scheduled_event"]["status"] == "holodeck"


@BOTH
def test_a_value_of_another_type_is_refused_wherever_it_stands(name: str) -> None:  # failure matrix: 38
    rules = {
        "string": "must be a string",
        "integer": "must be an integer",
        "boolean": "must be true or false",
        "object": "must be an object",
        "array": "must be an array",
    }
    for path in places(name):
        if path == "event":
            continue
        wanted = REFERENCE[name][path]["type"]
        for kind, value in OF_TYPE.items():
            if kind != wanted:
                body = copy.deepcopy(SAMPLES[name])
                put(body, path, value)
                assert refused(body) == [(in_error(path), rules[wanted])], (path, kind)


@pytest.mark.parametrize(
    ("path", "items", "refusal"),
    [
        ("guests", ["a@example.com", 5], ("guests[1]", "must be a string")),
        ("guests", [None], ("guests[0]", "must be a string")),
        ("attendees", [{}, "bob"], ("attendees[1]", "must be an object")),
    ],
)
def test_an_item_of_another_type_is_refused_with_its_index(
    path: str, items: list[object], refusal: tuple[str, str]
) -> None:
    body = copy.deepcopy(SAMPLES[CREATED])
    put(body, f"payload.object.scheduled_event.{path}", items)

    assert refused(body) == [(f"payload.object.scheduled_event.{refusal[0]}", refusal[1])]


def test_an_answer_and_a_salesforce_id_of_another_type_are_refused_with_their_indexes() -> None:
    body = copy.deepcopy(SAMPLES[CREATED])
    put(body, "payload.object.questions_and_answers[].answer", ["yes", False])
    put(body, "payload.object.tracking.salesforce_ids", ["003xx"])

    assert refused(body) == [
        ("payload.object.questions_and_answers[0].answer[1]", "must be a string"),
        ("payload.object.tracking.salesforce_ids[0]", "must be an object"),
    ]


@pytest.mark.parametrize("number", [0, 1, 2**63 - 1, -(2**63), 1.0, -3.0])
def test_json_integers_within_int64_are_accepted(number: float) -> None:
    body = copy.deepcopy(SAMPLES[CREATED])
    put(body, "payload.object.scheduled_event.invitee_counters.total", number)

    total = read(body)["payload"]["object"]["scheduled_event"]["invitee_counters"]["total"]

    assert (total, type(total)) == (int(number), int)


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        (2**63, "is above the highest value allowed"),
        (-(2**63) - 1, "is below the lowest value allowed"),
        (10**400, "is above the highest value allowed"),
        (1e300, "is above the highest value allowed"),
        (1.5, "must be an integer"),
        (float("inf"), "must be an integer"),
        (float("nan"), "must be an integer"),
        ("1", "must be an integer"),
        (True, "must be an integer"),
    ],
)
def test_other_numbers_are_refused(number: object, rule: str) -> None:  # failure matrix: 38
    for path in places(CREATED, "integer"):
        body = copy.deepcopy(SAMPLES[CREATED])
        put(body, path, number)
        assert refused(body) == [(in_error(path), rule)]


def test_an_event_time_before_1970_is_refused() -> None:
    body = {"event": CREATED, "event_ts": -1, "payload": {}}

    assert refused(body) == [("event_ts", "is below the lowest value allowed")]


@pytest.mark.parametrize("name", ["scheduler.scheduled_event_moved", "meeting.started", ""])
def test_an_event_of_another_name_is_unknown(name: str) -> None:  # failure matrix: 36
    with pytest.raises(UnknownEvent) as caught:
        parse_event({"event": name, "event_ts": 1, "payload": {}})

    assert caught.value.name == name
    assert str(caught.value) == "there is no model for an event of this name"


@pytest.mark.parametrize(
    "named", [{}, {"event": None}, {"event": 5}, {"event": True}, {"event": []}, {"event": [CREATED]}]
)
def test_an_event_whose_name_is_no_string_is_refused(named: dict[str, Any]) -> None:
    body = named | {"event_ts": "wrong too"}

    assert refused(body) == [("event", "must be the name of a Scheduler event")]


def test_an_invalid_event_says_in_its_message_only_that_it_is_one() -> None:
    with pytest.raises(InvalidEvent) as caught:
        parse_event({"event": CREATED, "event_ts": CANARY, "payload": {}})

    assert str(caught.value) == "the body is not valid as the event it names"
    assert caught.value.errors == [{"field": "event_ts", "message": "must be an integer"}]


@BOTH
def test_a_refusal_never_repeats_what_was_sent(name: str) -> None:  # failure matrix: 43
    wrong: list[object] = [CANARY, [CANARY], {CANARY: CANARY}, [[CANARY]], [{CANARY: 1}]]
    for path in REFERENCE[name]:
        if path.endswith("[]") or path == "event":
            continue
        for value in wrong:
            body = copy.deepcopy(SAMPLES[name])
            put(body, path, value)
            if REFERENCE[name][path]["type"] == OF_PYTHON[type(value)]:
                continue
            assert CANARY not in json.dumps(errors_of(body))
            with pytest.raises(ValidationError) as caught:
                MODELS[name].model_validate(body)
            assert CANARY not in f"{caught.value}{caught.value!r}"


def test_a_rule_without_words_of_its_own_is_told_without_pydantics(monkeypatch: pytest.MonkeyPatch) -> None:
    class Picky(BaseModel):
        field: Annotated[str, AfterValidator(int)]

    with pytest.raises(ValidationError, match=CANARY):
        Picky(field=CANARY)

    monkeypatch.setitem(events._MODELS, "picky", Picky)
    assert refused({"event": "picky", "field": CANARY}) == [("field", "is not valid")]


def test_several_mistakes_are_told_at_once() -> None:
    assert refused({"event": CREATED, "payload": {"object": {"rescheduled": "yes", "manage_url": 5}}}) == [
        ("event_ts", "is required"),
        ("payload.object.manage_url", "must be a string"),
        ("payload.object.rescheduled", "must be true or false"),
    ]


@pytest.mark.parametrize(("wrong", "told"), [(1000, 1000), (1001, 1)])
def test_a_thousand_errors_are_told_one_by_one_and_more_of_them_counted(wrong: int, told: int) -> None:
    body = copy.deepcopy(SAMPLES[CREATED])
    body["payload"]["object"]["scheduled_event"]["guests"] = [None] * wrong

    assert len(errors_of(body)) == told


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([CREATED, CANCELED]), st.sampled_from(places(CANCELED)), JSON)
def test_any_value_at_any_place_is_read_or_refused(name: str, path: str, value: object) -> None:
    body = copy.deepcopy(SAMPLES[CANCELED]) | {"event": name}
    if path != "event":
        put(body, path, value)
    before = copy.deepcopy(body)
    with contextlib.suppress(InvalidEvent):
        parse_event(body)
    assert repr(body) == repr(before), "what was sent has been changed"
