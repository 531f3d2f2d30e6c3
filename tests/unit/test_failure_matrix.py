"""Each row of docs/failure-matrix.md is named by a test, in a comment such as `# failure matrix: 12, 13`."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/failure-matrix.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:-1] for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]


def named_rows() -> dict[int, set[str]]:
    """Returns the test modules that name each row."""
    found: dict[int, set[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for numbers in re.findall(r"# failure matrix: (\d+(?:, \d+)*)$", path.read_text(), re.MULTILINE):
            for number in numbers.split(", "):
                found.setdefault(int(number), set()).add(path.relative_to(ROOT).as_posix())
    return found


def test_rows_have_no_gaps() -> None:
    assert [int(cells[0]) for cells in ROWS] == list(range(1, len(ROWS) + 1))
    assert [cells for cells in ROWS if len(cells) != 3 or not all(cell.strip() for cell in cells)] == []


def test_each_row_is_named_by_a_test() -> None:
    assert sorted({int(cells[0]) for cells in ROWS} - named_rows().keys()) == []


def test_no_unknown_row_is_named() -> None:
    unknown = {row: paths for row, paths in named_rows().items() if row > len(ROWS) or row < 1}
    assert unknown == {}


def test_each_marker_can_be_read() -> None:
    marker = re.compile(r"failure.matrix", re.IGNORECASE)
    for path in (ROOT / "tests").rglob("test_*.py"):
        for line in path.read_text().splitlines():
            if line.lstrip().startswith("#") and marker.search(line):
                assert re.fullmatch(r" *# failure matrix: \d+(, \d+)*", line), (path, line)
