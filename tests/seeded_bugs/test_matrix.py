"""Every row of the failure matrix has its test, and that test was seen failing on a seeded bug."""

import re

import pytest

from tests.seeded_bugs.bugs import SeededBug
from tests.seeded_bugs.catalogue import CATALOGUE
from tests.seeded_bugs.matrix import ROOT, Row, named_everywhere, named_in, rows, rows_of_tests

ROWS = rows()
NUMBERS = {row.number for row in ROWS}
SPECIFICATION = ROOT.parent / "shared/failure-matrix.md"


def rows_with_a_bug() -> set[int]:
    """Returns the rows of which a test fails on a bug that says it is about them."""
    of_tests = rows_of_tests()
    return {
        number
        for bug in CATALOGUE
        for node in bug.nodes
        for number in of_tests.get(node.partition("[")[0], frozenset()) & set(bug.rows)
    }


def test_the_rows_are_numbered_without_a_gap() -> None:
    assert [row.number for row in ROWS] == list(range(1, len(ROWS) + 1))


def test_every_row_is_named_by_a_test() -> None:
    named = frozenset().union(*rows_of_tests().values())
    assert sorted(NUMBERS - named) == [], "rows without a test"


def test_every_row_has_a_seeded_bug_that_a_test_of_its_name_catches() -> None:
    assert sorted(NUMBERS - rows_with_a_bug()) == [], "rows whose tests were never seen failing"


@pytest.mark.parametrize("bug", CATALOGUE, ids=lambda bug: bug.name)
def test_a_bug_is_caught_by_tests_of_the_rows_it_is_about(bug: SeededBug) -> None:
    of_tests = rows_of_tests()
    named = frozenset().union(*(of_tests.get(node.partition("[")[0], frozenset()) for node in bug.nodes))
    assert sorted(set(bug.rows) - named) == [], "rows that none of its tests names"


def test_every_test_that_names_a_row_was_seen_failing() -> None:
    # Not those on the whole stack: they take seconds each, and show again what a lower layer shows.
    lower = ("tests/unit/", "tests/adapters/", "tests/template/")
    seen = {node.partition("[")[0] for bug in CATALOGUE for node in bug.nodes}
    assert sorted(test for test in rows_of_tests() if test.startswith(lower) and test not in seen) == []


def test_no_row_is_named_that_is_not_there() -> None:
    unknown = [(named.path, named.line) for named in named_everywhere() if named.rows - NUMBERS]
    assert unknown == []


def test_every_row_is_named_at_a_test() -> None:
    astray = [(named.path, named.line) for named in named_everywhere() if named.test is None]
    assert astray == [], "these stand neither in a test nor right above one"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_the_page_points_to_a_test_that_names_the_row(row: Row) -> None:
    # A test, or a whole module of them.
    named_by = [test for test, numbers in rows_of_tests().items() if row.number in numbers]
    assert any(f"{test}::".startswith(f"tests/{row.shown_by}::") for test in named_by)


@pytest.mark.skipif(
    not SPECIFICATION.exists(), reason="the specification stands beside the checkout of its authors only"
)
def test_the_page_has_the_rows_of_the_specification() -> None:
    specified = re.findall(r"^\| (\d+) \|", SPECIFICATION.read_text(), re.MULTILINE)
    assert [row.number for row in ROWS] == [int(number) for number in specified]


SOURCE = """\
import pytest

CASES = {
    # failure matrix: 1
    "a": 1,
}


# A remark.
# failure matrix: 2, 3
@pytest.mark.parametrize(
    "case",
    CASES,  # failure matrix: 4
)
def test_one(case):
    # failure matrix: 5
    assert "failure matrix: 6"


# failure matrix: 7

def test_two():
    pass


def helper():
    # failure matrix: 8
    pass
"""


def test_a_comment_belongs_to_the_test_it_stands_in_or_right_above() -> None:
    found = {(min(named.rows), named.test) for named in named_in(SOURCE, "a.py")}
    assert found == {
        (1, None),
        (2, "a.py::test_one"),
        (4, "a.py::test_one"),
        (5, "a.py::test_one"),
        (7, None),
        (8, None),
    }
    assert {named.rows for named in named_in(SOURCE, "a.py")} >= {frozenset({2, 3})}
