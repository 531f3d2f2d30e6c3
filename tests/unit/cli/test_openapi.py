"""docs/openapi.yaml: current, valid, and true of the code."""

import json
from http import HTTPStatus
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

from .conftest import EVENTS, SECRET

DOCUMENT: dict[str, Any] = yaml.safe_load(openapi.PATH.read_text(encoding="utf-8"))
OPERATION = DOCUMENT["paths"]["/webhooks/zoom"]["post"]
HEADERS = {header["name"]: header for header in OPERATION["parameters"]}
[BODY] = OPERATION["requestBody"]["content"].values()
[ANSWER] = OPERATION["responses"]["200"]["content"].values()
CHALLENGE = json.loads((EVENTS / "url_validation.json").read_text())
FILES = ["scheduled_event_created", "scheduled_event_canceled", "story/1_created", "story/4_canceled"]
SAMPLES = [json.loads((EVENTS / f"{file}.json").read_text()) for file in FILES]
ANSWERED = answer_challenge(CHALLENGE, SECRET)
REFUSED: list[Any] = [[], {}, {"event": 5}, {"event": CREATED}, {"event": "scheduler."}]
NEW = {"event": "scheduler.new", "event_ts": 1, "payload": {"anything": None}}


def fits(described: dict[str, Any], value: object) -> bool:
    schema = described["schema"] | {"components": DOCUMENT["components"]}
    return Draft202012Validator(schema).is_valid(value)


def test_file_is_current() -> None:
    assert openapi.PATH.read_text(encoding="utf-8") == openapi.text(), "run `make openapi`"


def test_document_is_valid_and_has_the_whole_contract() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []
    assert " ".join(sorted(OPERATION["responses"])) == "200 204 400 401 413 503"
    assert "content" not in OPERATION["responses"]["204"]
    required = {name: header["required"] for name, header in HEADERS.items()}
    assert required == {SIGNATURE_HEADER: True, TIMESTAMP_HEADER: True, REQUEST_ID_HEADER: False}
    assert fits(BODY, BODY["examples"]["canceled"]["value"])


@pytest.mark.parametrize(
    ("described", "value", "fitting"),
    [
        (HEADERS[SIGNATURE_HEADER], sign(SECRET, "1795165924", b"{}"), True),
        *((HEADERS[SIGNATURE_HEADER], value, False) for value in ("v1=" + "0" * 64, "v0=" + "A" * 64)),
        (HEADERS[TIMESTAMP_HEADER], "1795165924", True),
        (HEADERS[TIMESTAMP_HEADER], "1795165924318", False),
        (HEADERS[REQUEST_ID_HEADER], "6f1f4f0e_9c55-4f63", True),
        (HEADERS[REQUEST_ID_HEADER], "x" * 129, False),
        *((BODY, body, True) for body in (*SAMPLES, CHALLENGE, NEW, {"event": "meeting.started"})),
        *((BODY, body, False) for body in REFUSED),
        (BODY, {"event": CANCELED, "event_ts": 1}, False),
        (BODY, {"event": CREATED, "event_ts": "1", "payload": {}}, False),
        (BODY, {"event": CREATED, "event_ts": 1, "payload": {"object": {"rescheduled": "yes"}}}, False),
        (BODY, {"event": CANCELED, "event_ts": 1, "payload": {"object": {"cancellation": "ill"}}}, False),
        (BODY, CHALLENGE | {"payload": {"plainToken": "v0:1:{}"}}, False),
        *((ANSWER, body, True) for body in (*SAMPLES, NEW, ANSWERED)),
        (ANSWER, ANSWERED | {"encryptedToken": "short"}, False),
    ],
)
def test_described_values_are_those_of_the_code(described: Any, value: Any, fitting: bool) -> None:
    assert fits(described, value) is fitting


@pytest.mark.parametrize("status", [400, 401, 413, 503])
def test_problem_details_are_those_of_the_code(status: int) -> None:
    name = OPERATION["responses"][str(status)]["$ref"].rpartition("/")[2]
    [(content_type, described)] = DOCUMENT["components"]["responses"][name]["content"].items()
    answer = problem(HTTPStatus(status), "It is wrong.", errors=[FieldError(field="a", message="too long")])
    details = json.loads(answer.body or "")
    assert content_type == answer.content_type
    assert (fits(described, details), fits(described, details | {"errors": [{}]})) == (True, False)
    example = described["example"]
    assert fits(described, example)
    assert (example["status"], example["title"]) == (status, HTTPStatus(status).phrase)
    assert status != HTTPStatus.SERVICE_UNAVAILABLE or example == json.loads(unavailable("x").body or "")
