"""SECURITY.md names tests; each of them is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECURITY = (ROOT / "SECURITY.md").read_text()

NAMED = sorted(set(re.findall(r"`((?:tests|docs)/[\w/.-]+(?:::\w+)?)`", SECURITY)))


def test_tests_are_named() -> None:
    assert sum(name.startswith("tests/") for name in NAMED) >= 20


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_is_there(name: str) -> None:
    file, _, test = name.partition("::")
    assert (ROOT / file).is_file()
    assert not test or re.search(rf"^def {test}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_every_threat_names_what_shows_its_answer() -> None:
    table = SECURITY.partition("## What may be tried")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 15
    assert [row for row in rows if "`tests/" not in row.rpartition(" | ")[2]] == []
