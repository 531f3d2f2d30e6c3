"""docs/openapi.yaml: current, valid, and true of what the code sends and takes."""

import json
import runpy
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from bookings.errors import FieldError
from bookings.use_cases.answers import problem
from bookings.use_cases.receive import REQUEST_ID_HEADER, unavailable
from bookings.zoom.challenge import answer_challenge
from bookings.zoom.events import CANCELED, CREATED
from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from cli import openapi

EVENTS = Path(__file__).parents[3] / "events"
DOCUMENT: dict[str, Any] = yaml.safe_load(openapi.PATH.read_text(encoding="utf-8"))
OPERATION = DOCUMENT["paths"]["/webhooks/zoom"]["post"]
DELIVERIES = sorted(
    str(path.relative_to(EVENTS)) for path in EVENTS.rglob("*.json") if path.parent.name != "lambda"
)


def fits(schema: dict[str, Any], value: object) -> bool:
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return Draft202012Validator(whole | {"components": DOCUMENT["components"]}).is_valid(value)


def body_schema(status: int | None = None) -> dict[str, Any]:
    place = OPERATION["requestBody"] if status is None else OPERATION["responses"][str(status)]
    if "$ref" in place:
        place = DOCUMENT["components"]["responses"][place["$ref"].rpartition("/")[2]]
    [content] = place["content"].values()
    found = content["schema"]
    assert isinstance(found, dict)
    return found


def sample(file: str) -> Any:
    return json.loads((EVENTS / file).read_text())


def test_the_file_is_what_the_code_says_now() -> None:
    assert openapi.PATH.read_text(encoding="utf-8") == openapi.text(), "run `make openapi`"


def test_the_module_writes_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[Path, str] = {}

    def write_text(path: Path, text: str, encoding: str) -> None:
        assert encoding == "utf-8"
        written[path] = text

    monkeypatch.setattr(Path, "write_text", write_text)

    runpy.run_path(openapi.__file__, run_name="__main__")

    assert written == {openapi.PATH: openapi.text()}


def test_it_is_valid_openapi() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []
    assert DOCUMENT["openapi"] == "3.1.0"


def test_every_answer_of_the_contract_is_described_and_no_other() -> None:
    assert sorted(OPERATION["responses"]) == ["200", "204", "400", "401", "413", "503"]
    assert "content" not in OPERATION["responses"]["204"]


def test_the_headers_are_those_the_code_reads() -> None:
    assert {said["name"]: said["required"] for said in OPERATION["parameters"]} == {
        SIGNATURE_HEADER: True,
        TIMESTAMP_HEADER: True,
        REQUEST_ID_HEADER: False,
    }


@pytest.mark.parametrize(
    ("header", "value", "good"),
    [
        (SIGNATURE_HEADER, sign("a-secret-of-this-test", "1795165924", b"{}"), True),
        (SIGNATURE_HEADER, "v1=" + "0" * 64, False),
        (SIGNATURE_HEADER, "v0=" + "A" * 64, False),
        (TIMESTAMP_HEADER, "1795165924", True),
        (TIMESTAMP_HEADER, "1795165924318", False),
        (REQUEST_ID_HEADER, "6f1f4f0e_9c55-4f63", True),
        (REQUEST_ID_HEADER, "x" * 129, False),
    ],
)
def test_a_headers_pattern_tells_good_from_bad(header: str, value: str, good: bool) -> None:
    [schema] = [said["schema"] for said in OPERATION["parameters"] if said["name"] == header]

    assert fits(schema, value) is good


@pytest.mark.parametrize("file", DELIVERIES)
def test_every_sample_is_a_body_that_is_described(file: str) -> None:
    assert fits(body_schema(), sample(file))


@pytest.mark.parametrize("name", ["scheduler.something_new", "meeting.started"])
def test_other_events_are_bodies_that_are_described(name: str) -> None:
    assert fits(body_schema(), {"event": name, "event_ts": 1, "payload": {"anything": None}})


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"event": 5},
        {"event": CREATED},
        {"event": CANCELED, "event_ts": 1},
        {"event": CREATED, "event_ts": "1", "payload": {}},
        {"event": CREATED, "event_ts": 1, "payload": {"object": {"rescheduled": "yes"}}},
        {"event": CANCELED, "event_ts": 1, "payload": {"object": {"cancellation": []}}},
        {"event": "endpoint.url_validation", "payload": {"plainToken": "v0:1:{}"}},
        {"event": "scheduler.", "payload": {}},
    ],
)
def test_what_is_refused_is_not_described(body: object) -> None:
    assert not fits(body_schema(), body)


@pytest.mark.parametrize("file", [file for file in DELIVERIES if file != "url_validation.json"])
def test_the_answer_to_an_event_is_the_event(file: str) -> None:
    assert fits(body_schema(200), sample(file))


def test_the_answer_to_the_challenge_is_described() -> None:
    answered = answer_challenge(sample("url_validation.json"), "a-secret-of-this-test")

    assert fits(body_schema(200), answered)
    assert not fits(body_schema(200), answered | {"encryptedToken": "short"})


@pytest.mark.parametrize(
    "status",
    [
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.CONTENT_TOO_LARGE,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ],
)
def test_problem_details_are_what_the_code_makes(status: HTTPStatus) -> None:
    wrong = FieldError(field="payload.user_id", message="must be a string")
    answer = problem(status, "What is wrong.", errors=[wrong])
    assert answer.body is not None
    made = json.loads(answer.body)

    assert fits(body_schema(int(status)), made)
    assert not fits(body_schema(int(status)), made | {"errors": [{"field": "payload"}]})
    response = DOCUMENT["components"]["responses"][
        OPERATION["responses"][str(int(status))]["$ref"].rpartition("/")[2]
    ]
    [(content_type, content)] = response["content"].items()
    assert content_type == answer.content_type
    assert fits(body_schema(int(status)), content["example"])
    assert (content["example"]["status"], content["example"]["title"]) == (int(status), status.phrase)


def test_the_example_of_the_503_is_the_answer_itself() -> None:
    answer = unavailable("not_durable")
    assert answer.body is not None

    example = DOCUMENT["components"]["responses"]["Unavailable"]["content"][answer.content_type]["example"]

    assert example == json.loads(answer.body)


def test_the_examples_are_the_samples() -> None:
    [content] = OPERATION["requestBody"]["content"].values()

    assert {name: example["value"] for name, example in content["examples"].items()} == {
        "created": sample("story/1_created.json"),
        "movedCanceled": sample("story/2_moved_canceled.json"),
        "movedCreated": sample("story/3_moved_created.json"),
        "canceled": sample("story/4_canceled.json"),
        "challenge": sample("url_validation.json"),
    }


def test_every_field_of_the_events_keeps_its_description_and_no_title() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    location_kind = schemas["ScheduledEvent"]["properties"]["location_kind"]

    assert "for location and external_location alike" in location_kind["description"]
    assert [choice.get("enum", ["any string"])[0] for choice in location_kind["anyOf"][:2]] == [
        "custom",
        "any string",
    ]
    assert [
        (name, field)
        for name, schema in schemas.items()
        for field, said in schema["properties"].items()
        if isinstance(said.get("title"), str) or "default" in said
    ] == []
