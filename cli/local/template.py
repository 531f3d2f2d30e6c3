"""`template.yaml`, made to fit the emulator: what SAM would send to AWS, less what is unknown here.

SAM's own translator expands it. What the emulator's CloudFormation lacks is put another way where there is
one (the routes of the HTTP API), and else left out and told.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import re
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Template = dict[str, Any]
Upload = Callable[[str, bytes], str]
"""Stores an archive under a key and returns its `s3://` address."""

_WHY_LEFT_OUT = {
    "AWS::Events::Archive": "the emulator's CloudFormation has no archives: nothing can be replayed here",
    "AWS::Events::EventBusPolicy": "the emulator has one account: nobody else could make rules here",
    "AWS::CloudWatch::CompositeAlarm": "alarms have nothing to watch here",
    "AWS::CloudWatch::AnomalyDetector": "alarms have nothing to watch here",
    "AWS::EventSchemas::Registry": "the emulator has no schema registry",
    "AWS::EventSchemas::Schema": "the emulator has no schema registry",
    "AWS::EventSchemas::Discoverer": "the emulator has no schema registry",
}
_ANY_METHOD = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"


class TemplateError(Exception):
    """The template can't be deployed here. The message names the resource and the reason, a line each."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A resource of the template that isn't there locally."""

    logical_id: str
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """A CloudFormation template that the emulator takes."""

    template: Template
    left_out: tuple[LeftOut, ...]
    tables: tuple[TableSettings, ...]

    def text(self) -> str:
        return json.dumps(self.template, default=str)


@dataclass(frozen=True, slots=True)
class TableSettings:
    """Of a table, what the emulator's CloudFormation ignores and its API takes."""

    logical_id: str
    time_to_live: Mapping[str, Any] = field(default_factory=dict)
    point_in_time_recovery: Mapping[str, Any] = field(default_factory=dict)


def fit(path: Path, upload: Upload, known_types: frozenset[str]) -> Fitted:
    """Reads, packages, expands and fits a SAM template.

    Raises:
        TemplateError: it can't be read or expanded, refers to what isn't there, or what is kept needs what
            is left out.
    """
    source = read(path)
    package(source, path.parent, upload)
    template = expand(source)
    check_references(template)
    expand_routes(template)
    plain_alarms(template)
    left_out = leave_out_unknown(template, known_types)
    return Fitted(template, left_out, table_settings(template))


def read(path: Path) -> Template:
    """A template as it is written.

    Raises:
        TemplateError: there is none, or it is broken; the message says where.
    """
    from samtranslator.yaml_helper import yaml_parse  # noqa: PLC0415 - see `expand`

    try:
        source = yaml_parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TemplateError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise TemplateError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(source, dict) or not isinstance(source.get("Resources"), dict):
        raise TemplateError(f"{path} is not a template: it has no Resources")
    for logical_id, resource in source["Resources"].items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise TemplateError(f"{path}: {logical_id} has no Type")
    return source


def package(source: Template, base: Path, upload: Upload) -> None:
    """Puts each function's folder into an archive, in place of the folder's name.

    Layers stay empty: the handlers run on this virtual environment, which holds what the layer would bring.
    """
    globals_ = source.get("Globals", {}).get("Function", {})
    for logical_id, resource in source["Resources"].items():
        properties = resource.setdefault("Properties", {})
        if resource.get("Type") == "AWS::Serverless::Function" and "InlineCode" not in properties:
            folder = base / str(properties.get("CodeUri") or globals_.get("CodeUri") or ".")
            if not folder.is_dir():
                raise TemplateError(f"{logical_id}: its CodeUri {folder} is not a folder")
            properties["CodeUri"] = upload(f"{logical_id}.zip", _archive(folder))
        elif resource.get("Type") == "AWS::Serverless::LayerVersion":
            properties["ContentUri"] = upload(f"{logical_id}.zip", _empty_layer())


def _archive(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(folder))
    return content.getvalue()


def _empty_layer() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("python/.keep", "")
    return content.getvalue()


def expand(source: Template) -> Template:
    """SAM's resources as CloudFormation's.

    Raises:
        TemplateError: SAM refuses it.
    """
    # Imported here: it takes a second, which no other command of `bookings` should wait for.
    from samtranslator.model.exceptions import InvalidDocumentException  # noqa: PLC0415 - see above
    from samtranslator.translator.transform import transform  # noqa: PLC0415 - see above

    # At the end of the process it would complain of metrics of its own, which only AWS collects.
    logging.getLogger("samtranslator.metrics.metrics").addHandler(logging.NullHandler())
    try:
        template: Template = transform(copy.deepcopy(source), {}, _NoManagedPolicies())
    except InvalidDocumentException as error:
        raise TemplateError("\n".join(cause.message for cause in error.causes)) from None
    return template


class _NoManagedPolicies:
    """For the translator, which would ask AWS for the list; every role of ours is written out."""

    def load(self) -> dict[str, str]:
        return {}


def check_references(template: Template) -> None:
    """Refuses names that nothing in the template has, as CloudFormation does.

    The emulator takes such a name for a value: the functions would start, and look for a table called so.

    Raises:
        TemplateError: names each place and what it refers to.
    """
    known = template["Resources"].keys() | template.get("Parameters", {}).keys()
    missing = [
        f"{place} refers to {name}, which is neither a resource nor a parameter of the template"
        for section in ("Resources", "Outputs")
        for place, content in template.get(section, {}).items()
        for name in sorted(set(_references(content)) - known)
        if not name.startswith("AWS::")
    ]
    if missing:
        raise TemplateError("\n".join(missing))


def expand_routes(template: Template) -> None:
    """Makes each path of an HTTP API's OpenAPI body an Integration and a Route.

    SAM describes the routes in `Body`, which the emulator ignores: every route would answer 404.
    """
    resources = template["Resources"]
    for api_id, api in list(resources.items()):
        if api["Type"] != "AWS::ApiGatewayV2::Api" or "Body" not in api["Properties"]:
            continue
        body = api["Properties"].pop("Body")
        api["Properties"].setdefault("ProtocolType", "HTTP")
        api["Properties"].setdefault("Name", {"Ref": "AWS::StackName"})
        for number, (key, integration) in enumerate(_routes(body)):
            resources[f"{api_id}Integration{number}"] = {
                "Type": "AWS::ApiGatewayV2::Integration",
                "Properties": {
                    "ApiId": {"Ref": api_id},
                    "IntegrationType": "AWS_PROXY",
                    "IntegrationUri": {"Fn::GetAtt": [_function_of(integration), "Arn"]},
                    "PayloadFormatVersion": integration.get("payloadFormatVersion", "2.0"),
                },
            }
            resources[f"{api_id}Route{number}"] = {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    "ApiId": {"Ref": api_id},
                    "RouteKey": key,
                    "Target": {"Fn::Join": ["/", ["integrations", {"Ref": f"{api_id}Integration{number}"}]]},
                },
            }


def _routes(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, operations in body.get("paths", {}).items():
        for method, operation in operations.items():
            if isinstance(operation, Mapping) and _INTEGRATION in operation:
                verb = "ANY" if method == _ANY_METHOD else method.upper()
                yield "$default" if path == "/$default" else f"{verb} {path}", operation[_INTEGRATION]


def _function_of(integration: Mapping[str, Any]) -> str:
    uri = json.dumps(integration["uri"])
    match = re.search(r"\$\{(\w+)\.Arn\}", uri)
    if match is None:
        raise TemplateError(f"a route of the HTTP API leads to no function of the template: {uri}")
    return match.group(1)


def plain_alarms(template: Template) -> None:
    """Lets an alarm that computes with several metrics watch the first of them alone.

    The emulator's CloudFormation knows no metric math, and alarms have nothing to watch here anyhow; but the
    dashboard names them all.
    """
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in properties:
            watched = next(each["MetricStat"] for each in properties.pop("Metrics") if "MetricStat" in each)
            properties |= {**watched["Metric"], "Period": watched["Period"], "Statistic": watched["Stat"]}


def leave_out_unknown(template: Template, known_types: frozenset[str]) -> tuple[LeftOut, ...]:
    """Removes the resources of a type unknown here, with the outputs and dependencies that name them.

    Raises:
        TemplateError: a resource that is kept refers to one that isn't.
    """
    resources = template["Resources"]
    left_out = tuple(
        LeftOut(
            logical_id, kind, _WHY_LEFT_OUT.get(kind, "the emulator's CloudFormation doesn't know this type")
        )
        for logical_id, kind in ((name, resource["Type"]) for name, resource in resources.items())
        if kind not in known_types and not kind.startswith(("Custom::", "AWS::CloudFormation::"))
    )
    gone = {resource.logical_id: resource.type for resource in left_out}
    for logical_id in gone:
        del resources[logical_id]
    for logical_id, resource in resources.items():
        _remove_dependencies(resource, gone)
        missing = sorted(gone.keys() & set(_references(resource)))
        if missing:
            named = ", ".join(f"{name} ({gone[name]})" for name in missing)
            raise TemplateError(f"{logical_id} refers to {named}, which the emulator doesn't know")
    outputs = template.get("Outputs", {})
    for name in [name for name, output in outputs.items() if gone.keys() & set(_references(output))]:
        del outputs[name]
    return left_out


def _remove_dependencies(resource: dict[str, Any], gone: Collection[str]) -> None:
    depends_on = resource.get("DependsOn")
    names = [depends_on] if isinstance(depends_on, str) else depends_on or []
    kept = [name for name in names if name not in gone]
    if kept:
        resource["DependsOn"] = kept
    else:
        resource.pop("DependsOn", None)


def _references(node: object) -> Iterator[str]:
    """The logical names that Ref, GetAtt and Sub mention anywhere below."""
    if isinstance(node, list):
        for child in node:
            yield from _references(child)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                yield value
            elif key == "Fn::GetAtt":
                yield value[0] if isinstance(value, list) else value.split(".")[0]
            elif key == "Fn::Sub":
                text, own = value if isinstance(value, list) else (value, {})
                yield from (name for name in re.findall(r"\$\{([A-Za-z0-9]+)[.}]", text) if name not in own)
            yield from _references(value)


def table_settings(template: Template) -> tuple[TableSettings, ...]:
    """What has to be told to each table once it is there."""
    return tuple(
        TableSettings(
            logical_id,
            resource["Properties"].get("TimeToLiveSpecification", {}),
            resource["Properties"].get("PointInTimeRecoverySpecification", {}),
        )
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::DynamoDB::Table"
    )
