"""The mutants that no test can notice, each with its reason."""

import tomllib
from pathlib import Path

LIST = Path(__file__).with_name("explained.toml")

type Key = tuple[str, str, str, str]


def explanations(path: Path = LIST) -> dict[Key, str]:
    """Returns the reason of each explained mutant, by module, scope and the lines that differ."""
    found: dict[Key, str] = {}
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", []):
        key = entry["module"], entry["scope"], entry["before"], entry["after"]
        assert key not in found, f"twice in the list: {key}"
        found[key] = entry["reason"]
    return found
