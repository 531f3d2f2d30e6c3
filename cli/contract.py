"""Writes the contract: docs/schemas/, docs/asyncapi.yaml, docs/openapi.yaml, a table in docs/subscribers.md.

`make contract` writes these files. The version, the schemas and the examples come from the code. All other
text is edited in the files. A test fails when a file is out of date.
"""

import json
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from bookings.domain.booking import Booking, Snapshot, merge
from bookings.domain.events import DOMAIN_EVENTS, BookingCreated, domain_event
from bookings.envelope import BOOKINGS, CHECK_SUFFIX, DELIVERIES, Envelope
from bookings.zoom.delivery import to_delivery
from bookings.zoom.events import CANCELED, CREATED, ScheduledEventCanceled, ScheduledEventCreated

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "docs/schemas"
ASYNCAPI = ROOT / "docs/asyncapi.yaml"
OPENAPI = ROOT / "docs/openapi.yaml"
SUBSCRIBERS = ROOT / "docs/subscribers.md"

_YAML_HEAD = "# `make contract` writes version, schemas and examples. Edit the rest here, without comments.\n"
_FIELDS_BEGIN = "<!-- `make contract` writes these fields. -->"
_FIELDS_END = "<!-- The end of the fields. -->"

# The schemas of docs/openapi.yaml that no model describes.
_WITHOUT_MODEL = ("Challenge", "ChallengeAnswer", "OtherSchedulerEvent", "OtherProductEvent", "Problem")

_OPENAPI_EXAMPLES = {
    "created": "story/1_created.json",
    "movedCanceled": "story/2_moved_canceled.json",
    "movedCreated": "story/3_moved_created.json",
    "canceled": "story/4_canceled.json",
    "challenge": "url_validation.json",
}


class EventBridgeEvent(BaseModel):
    version: Literal["0"] = Field(description="The version of EventBridge's envelope.")
    id: str = Field(description="EventBridge's id. A copy of an event has another one.")
    detail_type: str = Field(alias="detail-type")
    source: str
    account: str = Field(description="The AWS account of the bus.")
    time: str = Field(description="The time of publication.", json_schema_extra={"format": "date-time"})
    region: str = Field(description="The region of the bus.")
    resources: list[str] = Field(description="`zoom-request/` and Zoom's id of the delivery, or nothing.")
    detail: Any


def _whole(source: str, detail_type: str, detail: Any) -> type[BaseModel]:
    """Returns the model of a whole EventBridge event."""
    kind: Any = {"const": detail_type}
    sources: Any = {"enum": [source, source + CHECK_SUFFIX]}
    return create_model(
        f"{detail.__name__}Event",
        __base__=EventBridgeEvent,
        __doc__=detail.__doc__,
        detail_type=(str, Field(alias="detail-type", description="The kind.", json_schema_extra=kind)),
        source=(str, Field(description="Test bookings have the second.", json_schema_extra=sources)),
        detail=(detail, Field()),
    )


_DELIVERIES: dict[str, type[BaseModel]] = {CREATED: ScheduledEventCreated, CANCELED: ScheduledEventCanceled}
MESSAGES = {
    **{model.__name__: _whole(BOOKINGS, name, model) for name, model in DOMAIN_EVENTS.items()},
    **{model.__name__: _whole(DELIVERIES, name, model) for name, model in _DELIVERIES.items()},
}
"""The models of the bus's events, whole, by the names of their messages."""


class _Schema(GenerateJsonSchema):
    """Leaves out titles that repeat a name, and `default: null`."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the parameter is pydantic's
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def files() -> dict[Path, str]:
    """Returns the text of each file of the contract."""
    examples = _examples()
    texts = {}
    for name, model in DOMAIN_EVENTS.items():
        example = examples[name]
        texts[SCHEMAS / f"{name}.detail.json"] = _json_schema(model, example["detail"])
        texts[SCHEMAS / f"{name}.event.json"] = _json_schema(MESSAGES[name], example)
    texts[ASYNCAPI] = _yaml(_asyncapi(examples))
    texts[OPENAPI] = _yaml(_openapi())
    page = SUBSCRIBERS.read_text(encoding="utf-8")
    head, _, rest = page.partition(_FIELDS_BEGIN)
    _, _, tail = rest.partition(_FIELDS_END)
    texts[SUBSCRIBERS] = f"{head}{_FIELDS_BEGIN}\n\n{_field_table()}\n{_FIELDS_END}{tail}"
    return texts


def _json_schema(model: type[BaseModel], example: dict[str, Any]) -> str:
    schema = _without_titles(model.model_json_schema(schema_generator=_Schema))
    definitions = schema.pop("$defs")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": schema.pop("title")}
    whole = head | schema | {"examples": [example], "$defs": definitions}
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def _asyncapi(examples: dict[str, Any]) -> dict[str, Any]:
    document = _document(ASYNCAPI)
    document["components"] = {
        "messages": {
            name: {
                "name": example["detail-type"],
                "summary": MESSAGES[name].__doc__,
                "payload": {"$ref": f"#/components/schemas/{name}Event"},
                "examples": [{"payload": example}],
            }
            for name, example in examples.items()
        },
        "schemas": _schemas(*MESSAGES.values()),
    }
    return document


def _openapi() -> dict[str, Any]:
    document = _document(OPENAPI)
    components = document["components"]
    components["schemas"] = _schemas(*_DELIVERIES.values()) | {
        name: components["schemas"][name] for name in _WITHOUT_MODEL
    }
    ((_, content),) = document["paths"]["/webhooks/zoom"]["post"]["requestBody"]["content"].items()
    for name, file in _OPENAPI_EXAMPLES.items():
        content["examples"][name]["value"] = _sample(file)
    return document


def _document(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    document["info"]["version"] = project["version"]
    return document


def _schemas(*models: type[BaseModel]) -> dict[str, Any]:
    _, schema = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Schema,
    )
    definitions: dict[str, Any] = _without_titles(schema)["$defs"]
    return definitions


def _without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    for definition in schema["$defs"].values():
        definition.pop("title", None)
    return schema


def _examples() -> dict[str, dict[str, Any]]:
    """Returns an example of each message: the events of the story in `events/story/`."""
    story = [_sample(file) for file in _OPENAPI_EXAMPLES.values() if file.startswith("story/")]
    updated = deepcopy(story[0])
    updated["event_ts"] += 60_000
    updated["payload"]["object"]["scheduled_event"]["guests"].append("ines.roth@example.com")
    booking: Booking | None = None
    before: Snapshot | None = None
    envelopes = {}
    for revision, body in enumerate([story[0], updated, *story[1:]], start=1):
        booking = merge(booking, to_delivery(body))
        digests = {kind: event.digest for kind, event in booking.deliveries.items()}
        after = Snapshot(booking.public_fields(), revision, digests)
        envelope = domain_event(before, after, share_access_links=False)
        before = after
        if envelope:
            envelopes[envelope.detail_type] = envelope
    for name, body in zip(_DELIVERIES, (story[0], story[-1]), strict=True):
        envelopes[_DELIVERIES[name].__name__] = Envelope(DELIVERIES, name, json.dumps(body))
    return {name: _delivered(envelopes[name]) for name in MESSAGES}


def _delivered(envelope: Envelope) -> dict[str, Any]:
    """Returns an event as EventBridge delivers it."""
    message = envelope.to_message(
        account="123456789012", region="us-east-1", time=datetime(2026, 11, 20, 15, 6, tzinfo=UTC)
    )
    event: dict[str, Any] = json.loads(message)
    return event | {"id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718"}


def _sample(file: str) -> Any:
    return json.loads((ROOT / "events" / file).read_text(encoding="utf-8"))


def _field_table() -> str:
    schema = BookingCreated.model_json_schema(schema_generator=_Schema)
    lines = ["| field | type | | meaning | example |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in _rows(schema, schema["$defs"], "", set())]
    return "\n".join(lines) + "\n"


def _rows(
    schema: dict[str, Any], definitions: dict[str, Any], prefix: str, seen: set[str]
) -> Iterator[tuple[str, ...]]:
    """Yields the row of each field. The fields of an object come once, where it is first named."""
    for name, field in schema["properties"].items():
        inner = field["anyOf"][0] if "anyOf" in field else field
        items = inner.get("items", inner)
        is_list = items is not inner
        yield (
            f"`{prefix}{name}`",
            ("list of " if is_list else "") + _type_name(items) + (" or null" if inner is not field else ""),
            "always" if name in schema.get("required", []) else "",
            field["description"],
            f"`{json.dumps(field['examples'][0], ensure_ascii=False)}`" if "examples" in field else "",
        )
        reference = items.get("$ref", "").rpartition("/")[2]
        if reference and reference not in seen:
            seen.add(reference)
            path = f"{prefix}{name}{'[]' if is_list else ''}."
            yield from _rows(definitions[reference], definitions, path, seen)


def _type_name(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("format") == "date-time":
        return "time"
    return str(schema.get("type", "object"))


def _yaml(document: dict[str, Any]) -> str:
    return _YAML_HEAD + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Writes long texts as blocks, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the parameter is PyYAML's
        return True


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _represent_text)


if __name__ == "__main__":
    SCHEMAS.mkdir(exist_ok=True)
    for file, text in files().items():
        file.write_text(text, encoding="utf-8")
