"""SECURITY.md names tests that exist, one for each threat at least."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:tests|docs)/[\w/.-]+(?:::\w+)?)`", SECURITY)))


@pytest.mark.parametrize("name", NAMED)
def test_named_file_or_test_exists(name: str) -> None:
    path, _, test = name.partition("::")
    assert (ROOT / path).exists()
    assert not test or re.search(rf"^def {test}\(", (ROOT / path).read_text(), re.MULTILINE)


def test_every_threat_names_a_test() -> None:
    table = SECURITY.partition("## What may be tried")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 15
    assert [row for row in rows if "`tests/" not in row.rpartition(" | ")[2]] == []
