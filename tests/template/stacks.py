"""The templates as CloudFormation gets them, and what the tests ask of them."""

import copy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from local.template import expand, package, read

ROOT = Path(__file__).parents[2]
BOOKINGS = ROOT / "template.yaml"
SUBSCRIBER = ROOT / "examples/subscriber/template.yaml"

type Resource = dict[str, Any]


class Stack:
    """A template after SAM's transform; intrinsic functions stay as they are."""

    def __init__(self, template: dict[str, Any]) -> None:
        self.template = template

    @property
    def resources(self) -> dict[str, Resource]:
        found: dict[str, Resource] = self.template["Resources"]
        return found

    def of_type(self, kind: str) -> dict[str, Any]:
        """Returns the properties of all resources of a type, by logical name."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def properties(self, name: str) -> Any:
        return self.resources[name]["Properties"]

    def mappings(self, source: str | None = None) -> dict[str, Any]:
        """Returns the event source mappings, all or those that read one resource."""
        return {
            name: mapping
            for name, mapping in self.of_type("AWS::Lambda::EventSourceMapping").items()
            if source in (None, logical(mapping["EventSourceArn"]))
        }

    def consumed_queues(self) -> set[str]:
        sources = {logical(mapping["EventSourceArn"]) for mapping in self.mappings().values()}
        return {name for name in self.of_type("AWS::SQS::Queue") if name in sources}

    def set_aside_queues(self) -> set[str]:
        """Returns the queues that no function reads: what lies there waits for a person."""
        return self.of_type("AWS::SQS::Queue").keys() - self.consumed_queues()

    def role_statements(self) -> Iterator[tuple[str, Resource]]:
        """Yields each statement of each role's policies, with the role's name."""
        for name, role in self.of_type("AWS::IAM::Role").items():
            for policy in role.get("Policies", []):
                for statement in policy["PolicyDocument"]["Statement"]:
                    yield name, statement

    def resource_statements(self) -> Iterator[tuple[str, Resource]]:
        """Yields each statement of queues, topics, buses and trust, with the policy's name."""
        for kind in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
            for name, policy in self.of_type(kind).items():
                for statement in policy["PolicyDocument"]["Statement"]:
                    yield name, statement
        for name, policy in self.of_type("AWS::Events::EventBusPolicy").items():
            yield name, {"Sid": policy["StatementId"], **policy["Statement"]}
        for name, role in self.of_type("AWS::IAM::Role").items():
            for statement in role["AssumeRolePolicyDocument"]["Statement"]:
                yield name, statement

    def broken(self, path: str, value: object = None) -> "Stack":
        """Returns a copy with the thing at a dotted path replaced, or, without a value, removed.

        Raises:
            KeyError: nothing is there, so that a test can't break what the template never had.
        """
        template = copy.deepcopy(self.template)
        *parents, last = path.split(".")
        node: Any = template["Resources"]
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]
        key: Any = int(last) if isinstance(node, list) else last
        node[key]  # raises where nothing is there
        if value is None:
            del node[key]
        else:
            node[key] = value
        return Stack(template)


def logical(value: object) -> str | None:
    """Returns the logical name a Ref or GetAtt speaks of; None for anything else."""
    match value:
        case {"Ref": str(name)}:
            return name
        case {"Fn::GetAtt": [str(name), *_]}:
            return name
        case {"Fn::GetAtt": str(text)}:
            return text.split(".")[0]
        case _:
            return None


def walked(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yields everything in a template with its path, what holds it before it."""
    pairs: list[tuple[str | int, Any]] = []
    if isinstance(node, dict):
        pairs = list(node.items())
    elif isinstance(node, list):
        pairs = list(enumerate(node))
    for key, value in pairs:
        yield (*path, key), value
        yield from walked(value, (*path, key))


def listed(value: Any) -> list[Any]:
    """Returns a policy's value as the list it stands for."""
    return value if isinstance(value, list) else [value]


@cache
def source(path: Path) -> dict[str, Any]:
    return read(path)


@cache
def stack(path: Path) -> Stack:
    template = copy.deepcopy(source(path))
    package(template, path.parent, lambda name, _: f"s3://artifacts/{name}")
    return Stack(expand(template))
