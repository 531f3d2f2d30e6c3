"""The code that decides about a booking, changed in one place at a time.

Most changes are cosmic-ray's: operators, comparisons, conditions, numbers, truth values, exceptions,
decorators and loops. Statements that are left out, and results that are not returned, are added here.
"""

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cosmic_ray.plugins
from cosmic_ray.mutating import mutate_code

ROOT = Path(__file__).parents[2]
CODE = ROOT / "layers/runtime/bookings"

_BY_EVENT = ("zoom/test_events.py", "zoom/test_delivery.py", "test_from_the_door_to_the_table.py")
TESTS: dict[str, tuple[str, ...]] = {
    "zoom/signature.py": ("zoom/test_signature.py", "zoom/test_challenge.py", "test_receive.py"),
    "zoom/challenge.py": ("zoom/test_challenge.py", "test_receive.py"),
    "zoom/body.py": ("zoom/test_body.py", "test_receive.py"),
    "zoom/events.py": (*_BY_EVENT, "test_receive.py", "cli/test_openapi.py"),
    "zoom/delivery.py": (*_BY_EVENT, "test_record.py"),
    "domain/booking.py": (
        "test_booking.py",
        "test_record.py",
        "test_domain_events.py",
        "test_merge_algebra.py",
    ),
    "use_cases/publish.py": ("test_publish.py", "test_receive.py"),
    "domain/events.py": ("test_domain_events.py", "test_announce.py"),
}
"""Each module, of verify, parse, merge and publish, with the tests of tests/unit that are about it."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one thing changed, told by where it is and the lines that differ.

    Attributes:
        scope: the function or class, such as `Booking.details`; empty for the module itself.
    """

    module: str
    scope: str
    before: str
    after: str
    line: int
    source: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.module, self.scope, self.before, self.after

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.scope}\n    - {self.before}\n    + {self.after}"


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Yields every change of a module that makes it another program, each once."""
    seen = {_behaviour(source)}
    for changed in (*_by_cosmic_ray(source), *_by_leaving_out(source)):
        try:
            behaviour = _behaviour(changed)
        except SyntaxError:
            continue  # `*` in a list of parameters is no operator
        if behaviour not in seen:
            seen.add(behaviour)
            removed, added, line = _difference(source, changed)
            yield Mutant(module, _scope(source, line), removed, added, line, changed)


def _by_cosmic_ray(source: str) -> Iterator[str]:
    for name in sorted(cosmic_ray.plugins.operator_names()):
        kind = cosmic_ray.plugins.get_operator(name)
        if kind.arguments():
            continue  # replaces a variable that has to be named
        occurrence = 0
        while (changed := mutate_code(source, kind(), occurrence)) is not None:
            yield changed
            occurrence += 1


def _by_leaving_out(source: str) -> Iterator[str]:
    """Yields the module without one statement of a function, or with nothing returned for a result."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            match node:
                case ast.Expr(value=ast.Constant()):
                    continue  # a docstring
                case ast.Expr() | ast.Raise() | ast.Assign() | ast.AugAssign():
                    yield _replaced(source, node, "pass")
                case ast.Return(value=ast.expr()):
                    yield _replaced(source, node, "return None")


def _replaced(source: str, node: ast.stmt, by: str) -> str:
    lines = source.encode().splitlines(keepends=True)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    head = lines[node.lineno - 1][: node.col_offset]
    tail = lines[node.end_lineno - 1][node.end_col_offset :]
    return b"".join(
        [*lines[: node.lineno - 1], head + by.encode() + tail, *lines[node.end_lineno :]]
    ).decode()


def _behaviour(source: str) -> str:
    """Returns what a module does, told without the annotations that nothing reads at run time.

    mypy holds the code to those. The fields of a pydantic model are read, where they are not postponed.
    """
    tree = ast.parse(source)
    postponed = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.arguments):
            # A marker in the list of parameters is no operator, though cosmic-ray takes it for one.
            node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
            node.defaults = [*node.defaults, *(each for each in node.kw_defaults if each is not None)]
            node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        elif isinstance(node, ast.AnnAssign) and postponed:
            node.annotation = ast.Name("object")
    return ast.dump(tree)


def _scope(source: str, line: int) -> str:
    """Returns the dotted name of the innermost function or class of a line, its decorators included."""
    names: list[str] = []
    inner: list[ast.stmt] = ast.parse(source).body
    while inner:
        holder = next(
            (
                node
                for node in inner
                if isinstance(node, ast.FunctionDef | ast.ClassDef)
                and min([node.lineno, *(each.lineno for each in node.decorator_list)])
                <= line
                <= (node.end_lineno or 0)
            ),
            None,
        )
        if holder is None:
            break
        names.append(holder.name)
        inner = holder.body
    return ".".join(names)


def _difference(source: str, changed: str) -> tuple[str, str, int]:
    """Returns the lines that differ, before and after, and the number of the first."""
    one, other = source.splitlines(), changed.splitlines()
    different = [
        opcode
        for opcode in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
        if opcode[0] != "equal"
    ]
    removed = " ".join(line.strip() for _, first, last, _, _ in different for line in one[first:last])
    added = " ".join(line.strip() for _, _, _, first, last in different for line in other[first:last])
    return removed, added, different[0][1] + 1
