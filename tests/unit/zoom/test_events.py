"""The models against Zoom's reference, and what they accept, keep and refuse."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, ValidationError

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
from tests.samples import sample

DATA = Path(__file__).parents[2] / "data/zoom_reference.json"
REFERENCE: dict[str, dict[str, Any]] = json.loads(DATA.read_text())["events"]
MODELS: dict[str, type[BaseModel]] = {CREATED: ScheduledEventCreated, CANCELED: ScheduledEventCanceled}
BOTH = pytest.mark.parametrize("name", [CREATED, CANCELED])
CANARY = "canary-9f2c"
ANSWER = "payload.object.questions_and_answers[].answer"

# A value of one type is wrong wherever another is asked for.
OF_TYPE: dict[str, Any] = {"string": "text", "integer": 7, "boolean": True, "object": {"a": 1}, "array": [1]}
RULES = {
    "string": "must be a string",
    "integer": "must be an integer",
    "boolean": "must be true or false",
    "object": "must be an object",
    "array": "must be an array",
}


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
        if node.get("type") == "array":
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


def changed(name: str, path: str, value: object) -> dict[str, Any]:
    body = sample(name)
    put(body, path, value)
    return body


def read(body: dict[str, Any]) -> dict[str, Any]:
    """Returns the model of an event as plain values."""
    return parse_event(body).model_dump(exclude_unset=True)


def refused(body: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidEvent) as caught:
        parse_event(body)
    return [(found["field"], found["message"]) for found in caught.value.errors]


@BOTH
def test_the_models_are_the_reference_with_two_differences(name: str) -> None:
    expected = copy.deepcopy(REFERENCE[name])
    del expected[ANSWER]["required"]  # a null or missing answer is an empty list
    expected["payload.object.payment"] = {}  # added by Zoom in November 2026, its type is not documented
    assert described(MODELS[name]) == expected
    assert len(REFERENCE[name]) == {CREATED: 50, CANCELED: 55}[name]  # counted by hand


@BOTH
def test_every_field_is_described(name: str) -> None:
    schema = MODELS[name].model_json_schema()
    nodes = [schema, *schema["$defs"].values()]
    without = [
        path for node in nodes for path, field in node["properties"].items() if "description" not in field
    ]
    assert without == []


@BOTH
def test_a_sample_comes_out_as_it_went_in(name: str) -> None:
    body = sample(name)
    assert read(body) == body == sample(name)


# failure matrix: 37, 54
@BOTH
@pytest.mark.parametrize("nothing", [None, "", [], "missing"], ids=["null", "empty", "empty list", "missing"])
def test_an_optional_field_may_be_nothing(name: str, nothing: object) -> None:
    for path in places(name):
        described_as = REFERENCE[name][path]
        if nothing == [] and described_as["type"] not in ("object", "array"):
            continue
        if "required" not in described_as or path == ANSWER:
            body = changed(name, path, nothing)
            if nothing == "missing":
                take(body, path)
            parse_event(body)


@BOTH
def test_an_empty_payload_is_enough(name: str) -> None:
    body = {"event": name, "event_ts": 0, "payload": {}}
    assert read(body) == body


@BOTH
def test_a_required_field_is_required(name: str) -> None:
    for path in places(name):
        if "required" in REFERENCE[name][path] and path not in ("event", ANSWER):
            body = sample(name)
            take(body, path)
            assert refused(body) == [(in_error(path), "is required")]
            assert [field for field, _ in refused(changed(name, path, None))] == [in_error(path)]


NEAR_MISSES = {
    "null in a list": ("scheduled_event.guests", ["a", None], ["a"]),
    "null for an object": ("scheduled_event.attendees", [None, {"email": "a"}], [{"email": "a"}]),
    "an empty list for an object": ("scheduled_event.attendees", [[], {"email": "a"}], [{"email": "a"}]),
    "null for a Salesforce id": (
        "tracking",
        {"salesforce_ids": [None, {"id": 1}]},
        {"salesforce_ids": [{"id": 1}]},
    ),
    "an empty list for tracking": ("tracking", [], None),
    "a null answer": ("questions_and_answers[].answer", None, []),
    "an empty answer": ("questions_and_answers[].answer", "", []),
    "an answer as text": ("questions_and_answers[].answer", "Acme", ["Acme"]),
    "a null in an answer": ("questions_and_answers[].answer", [None, "Acme"], ["Acme"]),
    "an empty flag": ("rescheduled", "", None),
    "an empty count": ("scheduled_event.invitee_counters.limit", "", None),
    "an empty text stays": ("time_zone", "", ""),
    "a whole float": ("scheduled_event.invitee_counters.total", 3.0, 3),
}


# failure matrix: 57
@BOTH
@pytest.mark.parametrize(("path", "value", "expected"), NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_a_near_miss_reads_as_meant(name: str, path: str, value: object, expected: object) -> None:
    node: Any = read(changed(name, f"payload.object.{path}", value))["payload"]["object"]
    for part in path.replace("[]", ".0").split("."):
        node = node[int(part) if part == "0" else part]
    assert (node, type(node)) == (expected, type(expected))


# failure matrix: 37
@BOTH
def test_unknown_fields_and_values_are_accepted(name: str) -> None:
    body = changed(name, "payload.object.scheduled_event.location", {"kind": "room"})
    for path in ["", *(f"{path}." for path in places(name, "object"))]:
        put(body, f"{path}unheard_of", {"amount": "12.50", "parts": [1, None]})
    put(body, "payload.object.scheduled_event.attendees[].unheard_of", 1)
    put(body, "payload.object.questions_and_answers[].unheard_of", 1)
    for path in [path for path, field in REFERENCE[name].items() if "enum" in field]:
        put(body, path, "holodeck")
    assert read(body) == body


# failure matrix: 38
@BOTH
def test_a_value_of_another_type_is_refused(name: str) -> None:
    for path in places(name):
        wanted = REFERENCE[name][path]["type"]
        for kind, value in OF_TYPE.items():
            answer_as_text = path == ANSWER and kind == "string"
            if kind != wanted and path != "event" and not answer_as_text:
                assert refused(changed(name, path, value)) == [(in_error(path), RULES[wanted])], (path, kind)


@pytest.mark.parametrize(
    ("path", "items", "wrong", "rule"),
    [
        ("scheduled_event.guests", [None, "a", 5], "scheduled_event.guests[2]", "must be a string"),
        ("scheduled_event.attendees", [{}, "bob"], "scheduled_event.attendees[1]", "must be an object"),
        (ANSWER[15:], ["yes", False], "questions_and_answers[0].answer[1]", "must be a string"),
        ("tracking.salesforce_ids", ["003xx"], "tracking.salesforce_ids[0]", "must be an object"),
    ],
)
def test_an_item_is_refused_by_its_index(path: str, items: object, wrong: str, rule: str) -> None:
    assert refused(changed(CREATED, f"payload.object.{path}", items)) == [(f"payload.object.{wrong}", rule)]


# failure matrix: 38
@pytest.mark.parametrize(
    ("number", "rule"),
    [
        (2**63 - 1, None),
        (-1.0, None),
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
def test_an_integer_has_64_bits(number: object, rule: str | None) -> None:
    for path in places(CREATED, "integer"):
        body = changed(CREATED, path, number)
        if rule:
            assert refused(body) == [(in_error(path), rule)]
        elif path != "event_ts":
            parse_event(body)
    assert refused(changed(CREATED, "event_ts", -1)) == [("event_ts", "is below the lowest value allowed")]


# failure matrix: 36
@pytest.mark.parametrize("name", ["scheduler.scheduled_event_moved", "meeting.started", ""])
def test_an_event_of_another_name_is_unknown(name: str) -> None:
    with pytest.raises(UnknownEvent, match="there is no model") as caught:
        parse_event({"event": name, "event_ts": 1, "payload": {}})
    assert caught.value.name == name


@pytest.mark.parametrize("name", [None, 5, True, [], [CREATED]])
def test_an_event_name_is_a_string(name: object) -> None:
    wrong = [("event", "must be the name of a Scheduler event")]
    assert refused({"event": name, "event_ts": "wrong too"}) == wrong
    assert refused({}) == wrong


# failure matrix: 43
@BOTH
def test_a_refusal_never_repeats_the_input(name: str) -> None:
    for path in places(name):
        for value in (CANARY, [CANARY], {CANARY: CANARY}, [[CANARY]], [{CANARY: 1}]):
            body = changed(name, path, value)
            try:
                parse_event(body)
            except InvalidEvent as error:
                assert CANARY not in f"{error.errors}{error}"  # noqa: PT017 - valid ones are not refused
            except UnknownEvent:
                continue
            if body["event"] == name:
                try:
                    MODELS[name].model_validate(body)
                except ValidationError as error:
                    assert CANARY not in f"{error}{error!r}"  # noqa: PT017 - valid ones are not refused


def test_a_rule_without_a_text_of_ours_has_a_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Picky(BaseModel):
        field: Annotated[str, AfterValidator(int)]

    monkeypatch.setitem(events._MODELS, "picky", Picky)
    assert refused({"event": "picky", "field": CANARY}) == [("field", "is not valid")]


def test_several_errors_are_listed_at_once() -> None:
    assert refused({"event": CREATED, "payload": {"object": {"rescheduled": "yes", "manage_url": 5}}}) == [
        ("event_ts", "is required"),
        ("payload.object.manage_url", "must be a string"),
        ("payload.object.rescheduled", "must be true or false"),
    ]


@pytest.mark.parametrize(("wrong", "listed"), [(1000, 1000), (1001, 1)])
def test_at_most_a_thousand_errors_are_listed(wrong: int, listed: int) -> None:
    assert len(refused(changed(CREATED, "payload.object.scheduled_event.guests", [5] * wrong))) == listed
