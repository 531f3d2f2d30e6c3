"""The template, changed in one place at a time, and who notices.

Nothing is listed here that protects something: every entry of the template that CloudFormation gets is taken
away once, so that what is added later is taken away too. What may be missing without harm is listed instead,
each kind with its reason (`NO_PROTECTION`). What makes a protection weaker than its absence would, such as a
threshold that nothing reaches, is told by the kind of value (`others`).
"""

import copy
import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path as File
from types import ModuleType
from typing import Any

import pytest

from tests.template import (
    test_bookings_stack,
    test_deployment,
    test_events,
    test_invariants,
    test_metrics,
    test_subscriber_stack,
)
from tests.template.stacks import Stack, source, stack, walked

type Key = str | int
type Path = tuple[Key, ...]
type Judge = Callable[[], None]

SUITES = (
    test_invariants,
    test_bookings_stack,
    test_metrics,
    test_events,
    test_subscriber_stack,
    test_deployment,
)
"""Whose tests judge; they get the template by `stack` and `source`."""

NO_JUDGES = {
    "test_a_missing_protection_is_found",  # breaks the template itself, and fails where it is broken already
    "test_the_expanded_template_fits_the_schemas_of_its_resources",  # takes a second
    "test_a_property_that_a_resource_does_not_have_is_found",  # likewise
}

GONE = object()


@dataclass(frozen=True, slots=True)
class Mutant:
    """One entry of a template, gone or with another value."""

    path: Path
    value: object = GONE

    def __str__(self) -> str:
        return ".".join(map(str, self.path)) + (" gone" if self.value is GONE else f" = {self.value!r}")


# ── what is changed ─────────────────────────────────────────────────────────────────────────────────────────

type Kind = Callable[[Path, object], bool]


def named(*names: str) -> Kind:
    """Returns the kind of everything with one of these names, and of what is in it."""
    return lambda path, _: not {*names}.isdisjoint(path)


def of_the_layer(*names: str) -> Kind:
    return lambda path, _: str(path[1:2]).startswith("('RuntimeLayer") and not {*names}.isdisjoint(path)


NO_PROTECTION: tuple[tuple[str, Kind], ...] = (
    ("words for people", named("Description", "ConstraintDescription", "DisplayName", "Label")),
    ("the form of the console, and what `sam build` has to know", lambda path, _: "Metadata" in path),
    ("there is one version of it, and it need not be said", named("AWSTemplateFormatVersion")),
    ("SAM's mark on what it made", named("Tags", "tags")),
    ("where the packages lie, which `sam package` writes", named("Code", "Content")),
    (
        "how SAM writes a route down; API Gateway refuses one that it doesn't understand",
        lambda path, _: (
            ("Body" in path and path[-1] in ("openapi", "type", "httpMethod", "responses"))
            or path[3:5] == ("Body", "info")
        ),
    ),
    ("for whom the console offers the layer", of_the_layer("CompatibleRuntimes", "CompatibleArchitectures")),
    ("a layer's name is SAM's, and its versions are told by number", of_the_layer("LayerName")),
    (
        "Delete is what happens where nothing is said",
        lambda path, value: path[-1] in ("DeletionPolicy", "UpdateReplacePolicy") and value == "Delete",
    ),
)
"""What may be missing or different without harm: each kind with its reason."""

OPPOSITES = {
    "Allow": "Deny",
    "Deny": "Allow",
    "GreaterThanOrEqualToThreshold": "LessThanThreshold",
    "notBreaching": "ignore",
    "Maximum": "Minimum",
    "Sum": "Average",
    "RetainExceptOnCreate": "Delete",
    "Retain": "Delete",
    "NEW_AND_OLD_IMAGES": "NEW_IMAGE",
    "TRIM_HORIZON": "LATEST",
    "denyAll": "allowAll",
    "false": "true",
    "true": "false",
    "ArnEquals": "ArnNotEquals",
    "StringEquals": "StringNotEquals",
    "StringEqualsIfExists": "StringNotEqualsIfExists",
}
"""Words that decide, and what turns a protection off or over in their place, as value or as key."""


def mutants(template: Any) -> Iterator[Mutant]:
    """Yields every way in which one entry is missing, weaker or about something else."""
    for path, value in walked(template):
        if any(kind(path, value) for _, kind in NO_PROTECTION):
            continue
        yield Mutant(path)
        for other in others(value, template["Resources"]):
            yield Mutant(path, other)


def others(value: Any, resources: Mapping[str, Any]) -> Iterator[object]:
    """Yields what could stand in place of a value by mistake, or to be rid of an inconvenience."""
    match value:
        case bool():
            yield not value
        case int():
            yield from (changed for changed in (value * 10, value // 10) if changed != value)
        case str() if value in OPPOSITES:
            yield OPPOSITES[value]
        case {"Ref": str(name)} if sibling := sibling_of(name, resources):
            yield {"Ref": sibling}
        case {"Fn::GetAtt": [str(name), attribute]} if sibling := sibling_of(name, resources):
            yield {"Fn::GetAtt": [sibling, attribute]}
        case dict() if turned := [key for key in value if key in OPPOSITES]:
            for key in turned:
                yield {OPPOSITES.get(each, each) if each == key else each: value[each] for each in value}


def sibling_of(name: str, resources: Mapping[str, Any]) -> str | None:
    """Returns another resource of the same type; None for what is no resource or the only one of its type."""
    if name not in resources:
        return None
    alike = [other for other, each in resources.items() if each["Type"] == resources[name]["Type"]]
    return alike[(alike.index(name) + 1) % len(alike)] if len(alike) > 1 else None


# ── who judges ──────────────────────────────────────────────────────────────────────────────────────────────


class Jury:
    """The tests of the suites, called in this process on a template that is changed underneath them."""

    def __init__(self, of: File, suites: Iterable[ModuleType] = SUITES) -> None:
        self._of = of
        self._intact_stack, self._intact_source = stack(of), source(of)
        self._template = copy.deepcopy(self._intact_stack.template)
        self._judges = [judge for suite in suites for judge in judges(suite)]

    @property
    def template(self) -> Any:
        """The one that is changed; intact but while somebody judges a mutant."""
        return self._template

    def killer(self, mutant: Mutant | None = None) -> str | None:
        """Returns the name of a test that fails on the mutant, or on the template as it is; else None."""
        with self._in_place_of_the_template(), changed(self._template, mutant):
            for index, (name, judge) in enumerate(self._judges):
                try:
                    judge()
                except Exception:  # noqa: BLE001 - whatever a test ends with, pytest calls it failed
                    # What noticed this one will likely notice the next one, too.
                    self._judges.insert(0, self._judges.pop(index))
                    return name
        return None

    def survivors(self) -> Iterator[Mutant]:
        """Yields each mutant that no test notices."""
        for mutant in mutants(self._template):
            if self.killer(mutant) is None:
                yield mutant

    @contextmanager
    def _in_place_of_the_template(self) -> Iterator[None]:
        """Gives the suites the changed template, wherever they ask for it."""

        def changed_stack(path: File) -> Stack:
            return Stack(self._template) if path == self._of else stack(path)

        def changed_source(path: File) -> Any:
            if path != self._of:
                return source(path)
            # What SAM's transform leaves as it is; only Resources differ from what it was made of.
            return self._template | {"Resources": self._intact_source["Resources"]}

        with pytest.MonkeyPatch.context() as patched:
            for suite in SUITES:
                patched.setattr(suite, "stack", changed_stack)
                if hasattr(suite, "source"):
                    patched.setattr(suite, "source", changed_source)
            yield


@contextmanager
def changed(template: Any, mutant: Mutant | None) -> Iterator[None]:
    """Changes a template in place, for a while: to copy it thousands of times takes longer than to judge."""
    if mutant is None:
        yield
        return
    *parents, key = mutant.path
    node = template
    for parent in parents:
        node = node[parent]
    before = copy.copy(node)
    if mutant.value is GONE:
        del node[key]
    else:
        node[key] = mutant.value
    try:
        yield
    finally:
        node.clear()
        node.update(before) if isinstance(node, dict) else node.extend(before)


def judges(suite: ModuleType) -> Iterator[tuple[str, Judge]]:
    """Yields every test of a suite with every case of it, as a call that raises where the test would fail."""
    for name, test in vars(suite).items():
        if name.startswith("test_") and name not in NO_JUDGES:
            for case in cases(test):
                yield name, case


def cases(test: Callable[..., None]) -> Iterator[Judge]:
    axes: list[list[dict[str, Any]]] = []
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize":
            names, rows = mark.args
            names = [names] if isinstance(names, str) else list(names)
            axes.append(
                [dict(zip(names, row if len(names) > 1 else (row,), strict=True)) for row in list(rows)]
            )
    for combination in itertools.product(*axes):
        given = {name: value for part in combination for name, value in part.items()}
        assert given.keys() == inspect.signature(test).parameters.keys(), f"{test.__name__} wants a fixture"
        yield functools.partial(test, **given)
