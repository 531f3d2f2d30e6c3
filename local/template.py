"""Fits `template.yaml` to the emulator.

SAM's own translator expands the template. The HTTP API's routes become resources that the emulator knows.
Resources of a type that its CloudFormation does not know are left out.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import re
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

Template = dict[str, Any]
Upload = Callable[[str, bytes], str]
"""Stores an archive under a key and returns its `s3://` address."""

_REASONS = {
    "AWS::Events::Archive": "the emulator's CloudFormation has no archives: nothing can be replayed here",
}
_INTEGRATION = "x-amazon-apigateway-integration"


class TemplateError(Exception):
    """The emulator can't deploy the template. The message has a line for each resource and reason."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A resource of the template that the local stack lacks."""

    logical_id: str
    type: str
    reason: str


def fit(path: Path, upload: Upload, known_types: Collection[str]) -> tuple[Template, list[LeftOut]]:
    """Reads, packages, expands and fits a SAM template.

    Returns:
        A CloudFormation template that the emulator accepts, and the resources that it lacks.

    Raises:
        TemplateError: the template is broken, or a resource needs one that is left out.
    """
    source = read(path)
    package(source, path.parent, upload)
    template = expand(source)
    check_references(template)
    expand_routes(template)
    simplify_alarms(template)
    template = relax_conditions(template)
    return template, leave_out_unknown(template, known_types)


def read(path: Path) -> Template:
    """Reads a template without expanding it.

    Raises:
        TemplateError: there is no such file, or it is broken; the message says where.
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
    """Uploads each function's folder and replaces its name by the archive's address.

    Layers stay empty, because the functions run in this virtual environment, which has the layer's packages.
    """
    globals_ = source.get("Globals", {}).get("Function", {})
    for logical_id, resource in source["Resources"].items():
        properties = resource.setdefault("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function" and "InlineCode" not in properties:
            folder = base / str(properties.get("CodeUri") or globals_.get("CodeUri") or ".")
            if not folder.is_dir():
                raise TemplateError(f"{logical_id}: its CodeUri {folder} is not a folder")
            files = {
                str(file.relative_to(folder)): file.read_bytes()
                for file in sorted(folder.rglob("*"))
                if file.is_file() and "__pycache__" not in file.parts
            }
            properties["CodeUri"] = upload(f"{logical_id}.zip", _archive(files))
        elif resource["Type"] == "AWS::Serverless::LayerVersion":
            properties["ContentUri"] = upload(f"{logical_id}.zip", _archive({"python/.keep": b""}))


def _archive(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def expand(source: Template) -> Template:
    """Expands SAM's resources to CloudFormation's.

    Raises:
        TemplateError: SAM refuses the template.
    """
    # The import takes a second, and no other command of `bookings` needs it.
    from samtranslator.model.exceptions import InvalidDocumentException  # noqa: PLC0415 - see above
    from samtranslator.translator.transform import transform  # noqa: PLC0415 - see above

    # Without a handler, its own metrics print a complaint at the end of the process.
    logging.getLogger("samtranslator.metrics.metrics").addHandler(logging.NullHandler())
    no_managed_policies = SimpleNamespace(load=dict)  # the translator would ask AWS for them
    try:
        template: Template = transform(copy.deepcopy(source), {}, no_managed_policies)
    except InvalidDocumentException as error:
        raise TemplateError("\n".join(cause.message for cause in error.causes)) from None
    return template


def check_references(template: Template) -> None:
    """Refuses a reference to a name that the template lacks, as CloudFormation does.

    The emulator would use the name as a value, and a function would look for a table of that name.

    Raises:
        TemplateError: the message has each place and the name.
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
    """Turns each path of an HTTP API's OpenAPI body into an Integration and a Route.

    SAM describes the routes in `Body`. The emulator ignores it and would answer 404 on every route.
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
    """Yields the key and the integration of each route."""
    for path, operations in body.get("paths", {}).items():
        for method, operation in operations.items():
            if isinstance(operation, Mapping) and _INTEGRATION in operation:
                yield f"{method.upper()} {path}", operation[_INTEGRATION]


def _function_of(integration: Mapping[str, Any]) -> str:
    uri = json.dumps(integration["uri"])
    match = re.search(r"\$\{(\w+)\.Arn\}", uri)
    if match is None:
        raise TemplateError(f"a route of the HTTP API leads to no function of the template: {uri}")
    return match.group(1)


def simplify_alarms(template: Template) -> None:
    """Reduces an alarm on several metrics to the first: the emulator's CloudFormation has no metric math."""
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in properties:
            watched = next(each["MetricStat"] for each in properties.pop("Metrics") if "MetricStat" in each)
            properties |= {**watched["Metric"], "Period": watched["Period"], "Statistic": watched["Stat"]}


def relax_conditions(template: Template) -> Template:
    """Lets PutEvents pass without `events:source`. AWS has the key for every call, the emulator for none."""
    strict = '"StringEquals": {"events:source"'
    relaxed: Template = json.loads(json.dumps(template).replace(strict, strict.replace("ls", "lsIfExists")))
    return relaxed


def leave_out_unknown(template: Template, known_types: Collection[str]) -> list[LeftOut]:
    """Removes resources of unknown types, and the outputs and dependencies that name them.

    Raises:
        TemplateError: another resource refers to one of them.
    """
    resources = template["Resources"]
    left_out = [
        LeftOut(name, kind, _REASONS.get(kind, "the emulator's CloudFormation doesn't know this type"))
        for name, resource in resources.items()
        if (kind := resource["Type"]) not in known_types
        and not kind.startswith(("Custom::", "AWS::CloudFormation::"))
    ]
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
    depends_on = resource.pop("DependsOn", [])
    names = [depends_on] if isinstance(depends_on, str) else depends_on
    if remaining := [name for name in names if name not in gone]:
        resource["DependsOn"] = remaining


def _references(node: object) -> Iterator[str]:
    """Yields the logical names in Ref, GetAtt and Sub anywhere in the node."""
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
