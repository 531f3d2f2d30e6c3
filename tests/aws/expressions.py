"""DynamoDB's expressions as far as they are needed, and never silently true beyond that.

Grammar: "Comparison operator and function reference" in the Amazon DynamoDB Developer Guide, read in November
2026. What DynamoDB knows and this doesn't raises NotImplementedError; what DynamoDB refuses raises Invalid.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

type Value = Mapping[str, Any]
"""A value in attribute-value form, its numbers normalised."""

type Item = Mapping[str, Value]
type Test = Callable[[Item, Mapping[str, str], Mapping[str, Value]], bool]

# Of DynamoDB's 573 reserved words those that are attributes of the tables here.
RESERVED = {"END", "LOCATION", "START", "STATUS"}

_TOKEN = re.compile(r"\s*(<>|<=|>=|=|<|>|\(|\)|,|\.|\[\d+\]|[:#]?\w+|\S)")
_COMPARATORS = {"=", "<>", "<", "<=", ">", ">="}
_FUNCTIONS = {"attribute_exists", "attribute_not_exists"}
_NOT_HERE = {"attribute_type", "begins_with", "contains", "size", "between", "in"}
_WORD = re.compile(r"#\w+|[A-Za-z_]\w*")
_ORDERED = {"S", "N", "B"}
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class Invalid(Exception):
    """DynamoDB refuses the expression."""


@dataclass(frozen=True, slots=True)
class Path:
    """Where a value stands: a name, then keys of maps and indexes of lists."""

    steps: tuple[str | int, ...]

    def of(self, item: Item, names: Mapping[str, str]) -> Value | None:
        first, *rest = self.steps
        value = item.get(_name(first, names))
        for step in rest:
            if value is None:
                return None
            if isinstance(step, int):
                inside = value.get("L", ())
                value = inside[step] if step < len(inside) else None
            else:
                value = value.get("M", {}).get(_name(step, names))
        return value


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A value that comes with the call."""

    name: str

    def of(self, values: Mapping[str, Value]) -> Value:
        return values[self.name]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands of a condition and what stands between them."""

    comparator: str
    left: Path | Placeholder
    right: Path | Placeholder

    def holds(self, item: Item, names: Mapping[str, str], values: Mapping[str, Value]) -> bool:
        left, right = (
            operand.of(values) if isinstance(operand, Placeholder) else operand.of(item, names)
            for operand in (self.left, self.right)
        )
        if left is None or right is None:
            return self.comparator == "<>"  # what isn't there is equal to nothing
        return compare(self.comparator, left, right)


@dataclass(frozen=True, slots=True)
class Existence:
    path: Path
    wanted: bool

    def holds(self, item: Item, names: Mapping[str, str], values: Mapping[str, Value]) -> bool:
        return (self.path.of(item, names) is not None) is self.wanted


@dataclass(frozen=True, slots=True)
class Both:
    left: "Node"
    right: "Node"

    def holds(self, item: Item, names: Mapping[str, str], values: Mapping[str, Value]) -> bool:
        return self.left.holds(item, names, values) and self.right.holds(item, names, values)


@dataclass(frozen=True, slots=True)
class Either:
    left: "Node"
    right: "Node"

    def holds(self, item: Item, names: Mapping[str, str], values: Mapping[str, Value]) -> bool:
        return self.left.holds(item, names, values) or self.right.holds(item, names, values)


@dataclass(frozen=True, slots=True)
class Not:
    inner: "Node"

    def holds(self, item: Item, names: Mapping[str, str], values: Mapping[str, Value]) -> bool:
        return not self.inner.holds(item, names, values)


type Node = Comparison | Existence | Both | Either | Not


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition and the placeholders it uses."""

    root: Node
    names: frozenset[str]
    values: frozenset[str]


@lru_cache(maxsize=256)
def parse(text: str) -> Condition:
    """Returns a condition.

    Raises:
        Invalid: it is none.
        NotImplementedError: DynamoDB knows more than this does.
    """
    parser = _Parser(text)
    root = parser.either()
    parser.end()
    return Condition(root, frozenset(parser.names), frozenset(parser.values))


@lru_cache(maxsize=256)
def parse_projection(text: str) -> tuple[str, ...]:
    """Returns the names of the attributes, or their placeholders, in a projection.

    Raises:
        Invalid: it is none.
        NotImplementedError: it goes into an attribute.
    """
    parser = _Parser(text)
    names: list[str] = []
    while True:
        path = parser.path()
        if len(path.steps) > 1:
            raise NotImplementedError(f"the projection {text}")
        names.append(str(path.steps[0]))
        if parser.at_end():
            return tuple(names)
        parser.expect(",")


def compare(comparator: str, left: Value, right: Value) -> bool:
    """Compares two values; those of different types are unequal and in no order."""
    if comparator == "=":
        return left == right
    if comparator == "<>":
        return left != right
    ((kind, one),) = left.items()
    ((other_kind, other),) = right.items()
    if kind != other_kind or kind not in _ORDERED:
        return False
    if kind == "N":
        one, other = Decimal(one), Decimal(other)
    elif kind == "S":
        one, other = one.encode(), other.encode()
    return bool(_ORDER[comparator](one, other))


def _name(step: str | int, names: Mapping[str, str]) -> str:
    text = str(step)
    return names[text] if text.startswith("#") else text


class _Parser:
    """Reads an expression from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: Iterator[str] = iter(_TOKEN.findall(text))
        self._next = next(self._tokens, None)
        self.names: set[str] = set()
        self.values: set[str] = set()
        if self._next is None:
            raise Invalid("The expression can not be empty;")

    def either(self) -> Node:
        node = self._both()
        while self._word() == "or":
            self._take()
            node = Either(node, self._both())
        return node

    def end(self) -> None:
        if self._next is not None:
            raise self._syntax_error()

    def at_end(self) -> bool:
        return self._next is None

    def expect(self, token: str) -> None:
        if self._next != token:
            raise self._syntax_error()
        self._take()

    def path(self) -> Path:
        steps: list[str | int] = [self._path_name()]
        while self._next is not None and (self._next == "." or self._next.startswith("[")):
            token = self._take()
            steps.append(self._path_name() if token == "." else int(token[1:-1]))
        return Path(tuple(steps))

    def _both(self) -> Node:
        node = self._not()
        while self._word() == "and":
            self._take()
            node = Both(node, self._not())
        return node

    def _not(self) -> Node:
        if self._word() == "not":
            self._take()
            return Not(self._not())
        if self._next == "(":
            self._take()
            node = self.either()
            self.expect(")")
            return node
        return self._condition()

    def _condition(self) -> Node:
        # The names of functions are told by their case, those of operators are not.
        if self._next in _FUNCTIONS:
            wanted = self._take() == "attribute_exists"
            self.expect("(")
            path = self.path()
            self.expect(")")
            return Existence(path, wanted)
        if self._next in _NOT_HERE:
            raise NotImplementedError(f"{self._next} in {self._text}")
        left = self._operand()
        if self._word() in _NOT_HERE:
            raise NotImplementedError(f"{self._next} in {self._text}")
        if self._next not in _COMPARATORS:
            raise self._syntax_error()
        comparator, right = self._take(), self._operand()
        if left == right:
            raise Invalid("The operands of a comparison must be distinct")
        return Comparison(comparator, left, right)

    def _operand(self) -> Path | Placeholder:
        if self._next is not None and self._next.startswith(":") and len(self._next) > 1:
            name = self._take()
            self.values.add(name)
            return Placeholder(name)
        if self._next in _NOT_HERE:
            raise NotImplementedError(f"{self._next} in {self._text}")
        return self.path()

    def _path_name(self) -> str:
        if self._next is None or not _WORD.fullmatch(self._next):
            raise self._syntax_error()
        name = self._take()
        if name.startswith("#"):
            self.names.add(name)
        elif name.upper() in RESERVED:
            raise Invalid(f"Attribute name is a reserved keyword; reserved keyword: {name}")
        return name

    def _word(self) -> str | None:
        return self._next.lower() if self._next is not None else None

    def _take(self) -> str:
        token = self._next
        if token is None:
            raise self._syntax_error()
        self._next = next(self._tokens, None)
        return token

    def _syntax_error(self) -> Invalid:
        return Invalid(f'Syntax error; token: "{self._next or "<EOF>"}", near: "{self._text}"')
