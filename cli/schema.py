"""Writes bookings/zoom/schema.py: what the models demand, in the words of pydantic's compiled core.

The functions read that alone, so that none of them imports pydantic or makes models while it starts. What the
models say for documentation is left out; an event that passes is a dictionary instead of a model.

`python -m cli.schema` (`make schema`) writes it; a test says when it is due.
"""

import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bookings.zoom import models, rules
from bookings.zoom.models import ScheduledEventCanceled, ScheduledEventCreated
from pydantic import BaseModel, ConfigDict, TypeAdapter

ROOT = Path(__file__).parents[1]
PATH = ROOT / "layers/runtime/bookings/zoom/schema.py"

EVENTS: tuple[type[BaseModel], ...] = (ScheduledEventCreated, ScheduledEventCanceled)

_WIDTH = 110  # of a line, as in pyproject.toml

_HEAD = '''\
"""What the two events must be, for pydantic's compiled core. Made from `models.py` by `make schema`; a change
here is lost.
"""

from typing import Any

from bookings.zoom.rules import blank_as_none, whole

_Schema = dict[str, Any]

_OPEN = {"extra_fields_behavior": "allow", "strict": True}
'''

_CONFIG = {"extra_fields_behavior": "allow", "strict": True}


class CanNotBeFrozen(Exception):
    """The models use something that this has no words for yet. The message says what."""


class _Name(str):
    """Stands in a schema for a name in the module that is written."""

    __slots__ = ()


class _Freezer:
    """Turns core schemas of models into plain ones, and gathers those that have a name."""

    def __init__(self) -> None:
        self.named: dict[str, Any] = {}
        self._names: dict[str, _Name] = {}
        # A schema that the models have a name for keeps it; of two names the first.
        self._aliases: dict[str, str] = {}
        for name, schema in _aliases():
            self._aliases.setdefault(repr(self._frozen(schema)), name)

    def freeze(self, schema: Mapping[str, Any]) -> Any:
        """Returns the plain schema for a model's, or the name of it.

        Raises:
            CanNotBeFrozen: there is something in it that would be lost.
        """
        name = _constant(schema["cls"].__name__) if schema["type"] == "model" else None
        frozen = self._frozen(schema)
        key = repr(frozen)
        name = name or self._aliases.get(key)
        if name is None:
            return frozen
        if key not in self._names:
            self._names[key] = _Name(name)
            self.named[name] = frozen
        return self._names[key]

    def _frozen(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        kind = schema["type"]
        if kind == "model":
            return self._object(schema)
        inner = {name: value for name, value in schema.items() if name not in _SAYS_NOTHING}
        if kind not in _KNOWN or inner.keys() - _KNOWN[kind]:
            raise CanNotBeFrozen(f"{kind} with {sorted(inner.keys() - _KNOWN.get(kind, set()))}")
        for part in ("schema", "items_schema", "keys_schema", "values_schema"):
            if part in inner:
                inner[part] = self.freeze(inner[part])
        if "function" in inner:
            inner["function"] = {"type": "no-info", "function": _rule(inner["function"])}
        return inner

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what a model demands of an object."""
        fields, config = schema["schema"], dict(schema["config"])
        config.pop("title", None)
        told = schema.keys() - _SAYS_NOTHING - {"type", "cls", "schema", "config"}
        if config != _CONFIG or fields["type"] != "model-fields" or any(schema[name] for name in told):
            raise CanNotBeFrozen(f"{schema['cls'].__name__} with {sorted(told)}, configured {config}")
        return {
            "type": "typed-dict",
            "config": _Name("_OPEN"),
            "total": False,
            "fields": {name: self._field(field) for name, field in fields["fields"].items()},
        }

    def _field(self, field: Mapping[str, Any]) -> dict[str, Any]:
        if field.keys() - _SAYS_NOTHING - {"type", "schema"}:
            raise CanNotBeFrozen(f"a field with {sorted(field)}")
        schema = field["schema"]
        if schema["type"] != "default":
            return {"type": "typed-dict-field", "schema": self.freeze(schema), "required": True}
        if schema["default"] is not None or schema.keys() - _SAYS_NOTHING - {"type", "schema", "default"}:
            raise CanNotBeFrozen(f"a default with {sorted(schema)}")
        return {"type": "typed-dict-field", "schema": self.freeze(schema["schema"])}


_SAYS_NOTHING = {"metadata", "ref", "serialization"}
"""What is for documentation, for references that are resolved, and for the way out."""

_KNOWN: dict[str, set[str]] = {
    "any": {"type"},
    "bool": {"type"},
    "dict": {"type", "keys_schema", "values_schema"},
    "function-before": {"type", "function", "schema"},
    "int": {"type", "ge", "le"},
    "list": {"type", "items_schema"},
    "literal": {"type", "expected"},
    "nullable": {"type", "schema"},
    "str": {"type"},
}


def text(events: Iterable[type[BaseModel]] = EVENTS) -> str:
    """Returns the module; the same one for the same models.

    Raises:
        CanNotBeFrozen: the models use something new.
    """
    freezer = _Freezer()
    for event in events:
        freezer.freeze(event.__pydantic_core_schema__)
    constants = (
        f"{name}: _Schema = {_written(schema, 0, len(f'{name}: _Schema = '))}\n"
        for name, schema in freezer.named.items()
    )
    return _HEAD + "\n" + "\n".join(constants)


def _aliases() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the models' names for types that are no models, and the core schema of each."""
    for name, value in vars(models).items():
        if typing.get_origin(value) in (typing.Annotated, types.UnionType):
            adapter: TypeAdapter[Any] = TypeAdapter(value, config=ConfigDict(strict=True))
            yield _constant(name), adapter.core_schema


def _constant(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.removeprefix("_")).upper()


def _rule(function: Mapping[str, Any]) -> _Name:
    """Returns the name of a function that a schema refers to."""
    called = function["function"]
    name = next((name for name, rule in vars(rules).items() if rule is called), None)
    if name is None or function["type"] != "no-info":
        raise CanNotBeFrozen(f"{called!r}, which is not in rules.py")
    return _Name(name)


def _written(value: Any, indent: int, begun: int) -> str:
    """Returns a value as the formatter writes it: in one line where that fits, else one entry a line.

    Args:
        begun: how much of its first line is taken.
    """
    line = _in_a_line(value)
    if begun + len(line) <= _WIDTH or not isinstance(value, dict):
        return line
    room = " " * (indent + 4)
    entries = (
        f"{room}{_quoted(name)}: "
        # The comma behind it takes one more.
        f"{_written(item, indent + 4, indent + 4 + len(_quoted(name)) + 3)},\n"
        for name, item in value.items()
    )
    return "{\n" + "".join(entries) + " " * indent + "}"


def _in_a_line(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(name)}: {_in_a_line(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_in_a_line, value)) + "]"
    if isinstance(value, str) and not isinstance(value, _Name):
        return _quoted(value)
    return str(value)


def _quoted(text: str) -> str:
    return f'"{text}"'


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
