"""Writes docs/openapi.yaml: our endpoint as others see it, with the events' schemas made from the models.

`python -m cli.openapi` (`make openapi`) writes it; a test says when it is due.
"""

import json
import tomllib
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from bookings.limits import MAX_BODY_BYTES
from bookings.use_cases.answers import PROBLEM_JSON
from bookings.use_cases.receive import REQUEST_ID_HEADER
from bookings.zoom.challenge import URL_VALIDATION
from bookings.zoom.events import (
    CANCELED,
    CREATED,
    SCHEDULER_PREFIX,
    ScheduledEventCanceled,
    ScheduledEventCreated,
)
from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER

ROOT = Path(__file__).parents[1]
PATH = ROOT / "docs/openapi.yaml"

_SCHEMAS = "#/components/schemas/"
_RESPONSES = "#/components/responses/"
_JSON = "application/json"

_DESCRIPTION = """\
The endpoint to which Zoom delivers the events of Zoom Scheduler.

Zoom waits 3 seconds for an answer; this endpoint gives one within 2.5 seconds. After a 5xx or a
time-out Zoom sends the delivery again 5, 25 and 85 minutes later, after a 3xx or a 4xx never. So an
authentic delivery is answered 2xx only once it is durable, and one that can't be used is kept in
quarantine before it is answered 400.

API Gateway answers by itself, with `{"message": …}`, what does not come this far: another path or
method, too many requests at once, and a body beyond its own limit.
"""

_OPERATION = """\
Takes one delivery. It is verified over the raw bytes of the body, so it must be sent as it was
signed: a body that was parsed and written again does not verify.
"""

_BODY = f"""\
At most {MAX_BODY_BYTES:,} bytes of JSON.

Its `event` tells which answer it gets, once it is verified: a Scheduler event is published and sent
back, the challenge is answered, an event of another product is acknowledged and dropped.
"""


class _Schema(GenerateJsonSchema):
    """JSON schemas without what says nothing: titles that repeat a name, `default: null`."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the parameter is pydantic's
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def document() -> dict[str, Any]:
    """Returns the OpenAPI document; the same one for the same sources."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Zoom Scheduler bookings",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [
            {
                "url": "https://{api}.execute-api.{region}.amazonaws.com",
                "description": "A deployed stack; its output WebhookUrl has the whole URL",
                "variables": {"api": {"default": "abcde12345"}, "region": {"default": "us-east-1"}},
            },
            {"url": "http://127.0.0.1:8080", "description": "The local stack, `make run`"},
        ],
        "paths": {"/webhooks/zoom": {"post": _operation()}},
        "components": {
            "schemas": _event_schemas() | _other_schemas(),
            "responses": {name: _problem_response(*said) for name, said in sorted(_PROBLEMS.items())},
        },
    }


def text() -> str:
    """Returns the document as YAML."""
    head = "# Made from the code by `make openapi`; a change here is lost.\n"
    return head + yaml.dump(document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _operation() -> dict[str, Any]:
    return {
        "operationId": "receiveZoomDelivery",
        "summary": "Receive a delivery of Zoom",
        "description": _OPERATION,
        "parameters": [
            _header(
                SIGNATURE_HEADER,
                "`v0=` and the hex HMAC-SHA256 of `v0:{timestamp}:{body}`, made with the app's secret token.",
                {"type": "string", "pattern": "^v0=[0-9a-f]{64}$"},
                required=True,
            ),
            _header(
                TIMESTAMP_HEADER,
                "When the delivery was signed, in seconds since 1970. It may be as far from now as the "
                "stack's parameter SignatureToleranceSeconds says, by default 300 seconds either way.",
                {"type": "string", "pattern": "^[0-9]{10}$"},
                required=True,
            ),
            _header(
                REQUEST_ID_HEADER,
                "Zoom's id of the delivery, the same when it is sent again. It isn't signed, so it is good "
                "for correlation only; where it hasn't this form it is left out.",
                {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"},
                required=False,
            ),
        ],
        "requestBody": {
            "required": True,
            "description": _BODY,
            "content": {
                _JSON: {
                    "schema": {"oneOf": [_ref(name) for name in (*_EVENTS, *_OTHER_BODIES)]},
                    "examples": {
                        name: {"summary": summary, "value": _sample(file)}
                        for name, (summary, file) in _EXAMPLES.items()
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": "A Scheduler event is durable, and comes back as it was received; or the "
                "challenge is answered, with the secret that verified it.",
                "content": {
                    _JSON: {
                        "schema": {
                            "oneOf": [
                                *(_ref(name) for name in (*_EVENTS, "OtherSchedulerEvent")),
                                _ref("ChallengeAnswer"),
                            ]
                        }
                    }
                },
            },
            "204": {"description": "The event is of another Zoom product; it was counted and dropped."},
            **{str(int(status)): {"$ref": f"{_RESPONSES}{name}"} for name, (status, *_) in _PROBLEMS.items()},
        },
    }


_EVENTS = ("ScheduledEventCreated", "ScheduledEventCanceled")
_OTHER_BODIES = ("Challenge", "OtherSchedulerEvent", "OtherProductEvent")

_EXAMPLES = {
    "created": ("A booking was made", "story/1_created.json"),
    "movedCanceled": ("It was moved: the old time is canceled", "story/2_moved_canceled.json"),
    "movedCreated": ("It was moved: the new time is booked", "story/3_moved_created.json"),
    "canceled": ("It was canceled", "story/4_canceled.json"),
    "challenge": ("Zoom checks the endpoint", "url_validation.json"),
}

_PROBLEMS: dict[str, tuple[HTTPStatus, str, dict[str, Any]]] = {
    "Unusable": (
        HTTPStatus.BAD_REQUEST,
        "The delivery is authentic but not usable: it is not JSON, not valid by Zoom's reference, has no "
        "`event_id` to tell the booking by, or is from the future. `errors` names each field. Its raw bytes "
        "are in quarantine. A challenge whose token hasn't the form of one is answered this way too, and "
        "nothing is signed.",
        {
            "detail": "The delivery is authentic but can't be used; it was put into quarantine.",
            "errors": [
                {"field": "payload.object.questions_and_answers[0].position", "message": "must be an integer"}
            ],
        },
    ),
    "NotAuthentic": (
        HTTPStatus.UNAUTHORIZED,
        "The signature or its timestamp is missing, malformed, outside the window, or made with another "
        "secret.",
        {"detail": "x-zm-signature and x-zm-request-timestamp are both needed."},
    ),
    "TooLarge": (
        HTTPStatus.CONTENT_TOO_LARGE,
        f"The body has more than {MAX_BODY_BYTES:,} bytes. It was not verified.",
        {"detail": f"A body may have {MAX_BODY_BYTES:,} bytes."},
    ),
    "Unavailable": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The delivery could not be verified, or no durable place took it. Zoom sends it again.",
        {"detail": "The delivery could not be taken now; please send it again."},
    ),
}


def _event_schemas() -> dict[str, Any]:
    _, schema = models_json_schema(
        [(ScheduledEventCreated, "validation"), (ScheduledEventCanceled, "validation")],
        ref_template=_SCHEMAS + "{model}",
        schema_generator=_Schema,
    )
    definitions: dict[str, Any] = schema["$defs"]
    for definition in definitions.values():
        definition.pop("title", None)
    return definitions


def _other_schemas() -> dict[str, Any]:
    return {
        "Challenge": {
            "description": "Zoom checks the endpoint, when its URL is saved and every 72 hours.",
            "type": "object",
            "required": ["event", "payload"],
            "properties": {
                "event": {"type": "string", "const": URL_VALIDATION},
                "event_ts": {"type": "integer", "format": "int64"},
                "payload": {
                    "type": "object",
                    "required": ["plainToken"],
                    "properties": {"plainToken": _PLAIN_TOKEN},
                },
            },
        },
        "ChallengeAnswer": {
            "type": "object",
            "required": ["plainToken", "encryptedToken"],
            "properties": {
                "plainToken": _PLAIN_TOKEN,
                "encryptedToken": {
                    "description": "The hex HMAC-SHA256 of the token.",
                    "type": "string",
                    "pattern": "^[0-9a-f]{64}$",
                },
            },
        },
        "OtherSchedulerEvent": {
            "description": "A Scheduler event that this version doesn't know; it is published as it is.",
            "type": "object",
            "required": ["event"],
            "properties": {
                "event": {
                    "type": "string",
                    "pattern": f"^{SCHEDULER_PREFIX.replace('.', '[.]')}[A-Za-z0-9_.-]+$",
                    "maxLength": 128,
                    "not": {"enum": [CREATED, CANCELED]},
                }
            },
        },
        "OtherProductEvent": {
            "description": "An event of another Zoom product.",
            "type": "object",
            "required": ["event"],
            "properties": {
                "event": {
                    "type": "string",
                    "not": {
                        "anyOf": [
                            {"const": URL_VALIDATION},
                            {"pattern": f"^{SCHEDULER_PREFIX.replace('.', '[.]')}"},
                        ]
                    },
                }
            },
        },
        "Problem": {
            "description": "Problem details as RFC 9457 has them. Nothing in them repeats what was sent.",
            "type": "object",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": {"type": "string", "const": "about:blank"},
                "title": {"description": "The name of the status.", "type": "string"},
                "status": {"type": "integer", "enum": [int(status) for status, *_ in _PROBLEMS.values()]},
                "detail": {"description": "What is wrong, and what to do about it.", "type": "string"},
                "errors": {
                    "description": "The fields that are wrong, at most 100 of them.",
                    "type": "array",
                    "maxItems": 100,
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "properties": {
                            "field": {
                                "description": "The path of the field; empty for the body as a whole.",
                                "type": "string",
                            },
                            "message": {"description": "The rule that it breaks.", "type": "string"},
                        },
                    },
                },
            },
        },
    }


_PLAIN_TOKEN = {"type": "string", "pattern": "^[A-Za-z0-9_.~+/=-]{1,256}$"}


def _problem_response(status: HTTPStatus, description: str, example: dict[str, Any]) -> dict[str, Any]:
    head = {"type": "about:blank", "title": status.phrase, "status": int(status)}
    return {
        "description": description,
        "content": {PROBLEM_JSON: {"schema": _ref("Problem"), "example": head | example}},
    }


def _header(name: str, description: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": _SCHEMAS + schema}


def _sample(file: str) -> Any:
    return json.loads((ROOT / "events" / file).read_text(encoding="utf-8"))


class _Dumper(yaml.SafeDumper):
    """YAML as one writes it: long texts as blocks, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the parameter is PyYAML's
        return True


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _represent_text)


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
