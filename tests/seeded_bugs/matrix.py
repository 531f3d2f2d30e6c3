"""The failure matrix: its rows as `docs/failure-matrix.md` has them, and the tests that name them.

A test names its rows in a comment, inside it or right above it: `# failure matrix: 17, 23`.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/failure-matrix.md"

_ROW = re.compile(
    r"\| (?P<number>\d+) \| (?P<failure>[^|]+) \| (?P<behaviour>[^|]+) \| `(?P<test>[^`|]+)` \|"
)
_NAMED = re.compile(r"failure matrix: (?P<numbers>\d+(?:, \d+)*)")


@dataclass(frozen=True, slots=True)
class Row:
    """One failure.

    Attributes:
        shown_by: the test or the module to read first, its id from `tests/` on.
    """

    number: int
    failure: str
    behaviour: str
    shown_by: str


@dataclass(frozen=True, slots=True)
class Named:
    """Rows named at one place.

    Attributes:
        test: id of the test that names them; None where the comment stands at no test.
    """

    rows: frozenset[int]
    test: str | None
    path: str
    line: int


def rows() -> tuple[Row, ...]:
    found = (_ROW.fullmatch(line) for line in PAGE.read_text().splitlines())
    return tuple(
        Row(int(row["number"]), row["failure"], row["behaviour"], row["test"]) for row in found if row
    )


def named_everywhere() -> Iterator[Named]:
    for path in sorted((ROOT / "tests").rglob("*.py")):
        yield from named_in(path.read_text(), path.relative_to(ROOT).as_posix())


def named_in(source: str, path: str) -> Iterator[Named]:
    """Yields what a test module names, each comment with the test that it stands in or right above."""
    comments = {
        token.start[0]: token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    tests = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    for line, comment in comments.items():
        if names := _NAMED.search(comment):
            test = next((each.name for each in tests if line in _lines(each, comments)), None)
            yield Named(
                rows=frozenset(int(number) for number in names["numbers"].split(", ")),
                test=f"{path}::{test}" if test else None,
                path=path,
                line=line,
            )


@cache
def rows_of_tests() -> dict[str, frozenset[int]]:
    """Returns the rows that each test names, by the test's id."""
    found: dict[str, frozenset[int]] = {}
    for named in named_everywhere():
        if named.test:
            found[named.test] = found.get(named.test, frozenset()) | named.rows
    return found


def _lines(test: ast.FunctionDef, comments: dict[int, str]) -> range:
    """Returns the lines of a test, with its decorators and the comment above them."""
    first = min([test.lineno, *(decorator.lineno for decorator in test.decorator_list)])
    while first - 1 in comments:
        first -= 1
    assert test.end_lineno
    return range(first, test.end_lineno + 1)
