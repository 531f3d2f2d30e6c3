"""The contract's files: current, valid, and true of the code."""

import json
import runpy
from functools import reduce
from http import HTTPStatus
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from bookings.errors import FieldError
from bookings.limits import MAX_BODY_BYTES
from bookings.use_cases.answers import problem
from bookings.use_cases.receive import REQUEST_ID_HEADER, unavailable
from bookings.zoom.challenge import answer_challenge
from bookings.zoom.events import CANCELED, CREATED
from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER
from cli import contract

EVENTS = contract.ROOT / "events"
SAMPLES = [path for path in sorted(EVENTS.rglob("*.json")) if path.parent.name != "lambda"]
FILES = contract.files()
JSON_SCHEMAS = sorted(contract.SCHEMAS.glob("*.json"))
ASYNCAPI = yaml.safe_load(contract.ASYNCAPI.read_text(encoding="utf-8"))
OPENAPI = yaml.safe_load(contract.OPENAPI.read_text(encoding="utf-8"))


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def resolved(value: Any, document: Any) -> Any:
    """Returns a value with each reference replaced by its target. Fails for a reference to nothing."""
    if isinstance(value, list):
        return [resolved(item, document) for item in value]
    if not isinstance(value, dict):
        return value
    members = {name: resolved(item, document) for name, item in value.items()}
    if (reference := members.pop("$ref", None)) is None:
        return members
    target = reduce(getitem, reference.removeprefix("#/").split("/"), document)
    return resolved(target, document) | members


OPERATION = resolved(OPENAPI["paths"]["/webhooks/zoom"]["post"], OPENAPI)


def described(value: object, status: int | None = None) -> bool:
    place = OPERATION["responses"][str(status)] if status else OPERATION["requestBody"]
    ((_, content),) = place["content"].items()
    return Draft202012Validator(content["schema"]).is_valid(value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == FILES[path], "run `make contract`"


def test_command_writes_every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[Path, str] = {}
    monkeypatch.setattr(Path, "write_text", lambda path, text, **_: written.update({path: text}))
    runpy.run_path(contract.__file__, run_name="__main__")
    assert written == FILES
    assert set(JSON_SCHEMAS) == {path for path in written if path.suffix == ".json"}


@pytest.mark.parametrize("path", JSON_SCHEMAS, ids=lambda path: path.stem)
def test_json_schema_is_valid_and_fits_its_examples(path: Path) -> None:
    schema = read(path)
    Draft202012Validator.check_schema(schema)
    (example,) = schema["examples"]
    assert list(Draft202012Validator(schema).iter_errors(example)) == []
    for definition in schema["$defs"].values():
        for field in definition["properties"].values():
            one = Draft202012Validator(field | {"$defs": schema["$defs"]})
            assert all(map(one.is_valid, field.get("examples", [])))


@pytest.mark.parametrize("change", [{"title": None}, {"start": 5}, {"status": "moved"}, {"answers": [{}]}])
def test_json_schema_refuses(change: dict[str, Any]) -> None:
    schema = read(contract.SCHEMAS / "BookingCreated.detail.json")
    example = schema["examples"][0]
    assert not Draft202012Validator(schema).is_valid(example | {"booking": example["booking"] | change})


def test_asyncapi_messages_equal_the_schemas() -> None:
    messages = resolved(ASYNCAPI, ASYNCAPI)["channels"]["bookingBus"]["messages"]
    assert messages.keys() == contract.MESSAGES.keys()
    for name, message in messages.items():
        payload = message["payload"]
        assert all(Draft202012Validator(payload).is_valid(each["payload"]) for each in message["examples"])
        if name in ("ScheduledEventCreated", "ScheduledEventCanceled"):
            schema = resolved(OPENAPI["components"]["schemas"][name], OPENAPI)
            assert payload["properties"]["detail"] == schema
        else:
            schema = read(contract.SCHEMAS / f"{name}.event.json")
            added = {"$schema", "title", "examples", "$defs"}
            assert payload == {key: resolved(schema[key], schema) for key in schema.keys() - added}


def test_openapi_is_valid() -> None:
    assert list(OpenAPIV31SpecValidator(OPENAPI).iter_errors()) == []
    assert sorted(OPERATION["responses"]) == ["200", "204", "400", "401", "413", "503"]
    assert f"{MAX_BODY_BYTES:,} bytes" in OPERATION["requestBody"]["description"]
    headers = [(header["name"], header["required"]) for header in OPERATION["parameters"]]
    assert headers == [(SIGNATURE_HEADER, True), (TIMESTAMP_HEADER, True), (REQUEST_ID_HEADER, False)]


TAKEN = [
    *map(read, SAMPLES),
    {"event": "scheduler.something_new", "event_ts": 1, "payload": {"anything": None}},
    {"event": "meeting.started"},
]
REFUSED: list[Any] = [
    *([], {}, {"event": 5}, {"event": CREATED}, {"event": CANCELED, "event_ts": 1}),
    {"event": CREATED, "event_ts": "1", "payload": {}},
    {"event": CREATED, "event_ts": 1, "payload": {"object": {"rescheduled": "yes"}}},
    {"event": "endpoint.url_validation", "payload": {"plainToken": "v0:1:{}"}},
    {"event": "scheduler.", "payload": {}},
]


@pytest.mark.parametrize(("body", "taken"), [*((b, True) for b in TAKEN), *((b, False) for b in REFUSED)])
def test_openapi_describes_bodies_and_their_answers(body: Any, taken: bool) -> None:
    assert described(body) is taken
    if taken and body["event"] == "endpoint.url_validation":
        assert described(answer_challenge(body, "a-secret-of-this-test"), 200)
    elif taken:
        assert described(body, 200) is body["event"].startswith("scheduler.")


@pytest.mark.parametrize("status", [400, 401, 413, 503])
def test_openapi_describes_problem_details(status: int) -> None:
    wrong = FieldError(field="payload.user_id", message="must be a string")
    answer = problem(HTTPStatus(status), "What is wrong.", errors=[wrong])
    sent = json.loads(answer.body or b"")
    assert described(sent, status)
    assert not described(sent | {"errors": [{"field": "payload"}]}, status)
    ((content_type, content),) = OPERATION["responses"][str(status)]["content"].items()
    assert (content_type, content["example"]["title"]) == (answer.content_type, HTTPStatus(status).phrase)
    assert described(content["example"], status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        assert content["example"] == json.loads(unavailable("not_durable").body or b"")
