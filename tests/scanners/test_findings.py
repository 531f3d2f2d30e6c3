"""The scanners of `make check` find what they are for, and what is acknowledged has its reason.

What checkov finds is shown by each of its runs (tests/scanners/templates.py): it takes too long for here.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.scanners import audit
from tests.scanners.secrets import ROOT, tracked
from tests.scanners.templates import ACKNOWLEDGED, PLANTED, planted
from tests.template.stacks import BOOKINGS, stack

MOST_ACKNOWLEDGED = 10
WORDS_OF_A_REASON = 5

PLANTS = {
    "bandit": ("app.py", "def run(text: str) -> object:\n    return eval(text)\n", "B307"),
    "shellcheck": ("run", "#!/usr/bin/env bash\nrm -rf $1/build\n", "SC2086"),
    "zizmor": (
        "workflows/ci.yml",
        "on: issues\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n"
        "      - run: echo ${{ github.event.issue.title }}\n",
        "template-injection",
    ),
}
# How a finding is silenced beside the thing, by each tool.
SILENCERS = re.compile(
    r"# *(?P<comment>nosec|noqa: S\d+|checkov:skip=|zizmor: *ignore|shellcheck disable=|pragma: allowlist)"
    r"(?P<reason>.*)"
    r"|- *id: *(?P<metadata>CKV\w+)(?:\s+comment: *(?P<why>.*))?"
)
SILENT = ("layers/runtime/bookings/", "functions/", "cli/", "examples/", ".ci/", ".github/", "template.yaml")


def command(tool: str) -> tuple[list[str], list[str]]:
    """Returns the options and the targets with which `make check` calls a tool."""
    (line,) = re.findall(rf"^\t@?(\.venv/bin/{tool} .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    words = line.split()
    targets = [word for word in words if (ROOT / word).exists() and word != words[0]]
    return [str(ROOT / words[0]), *(word for word in words[1:] if word not in targets)], targets


def ended(tool: str, *targets: Path) -> subprocess.CompletedProcess[str]:
    options, _ = command(tool)
    return subprocess.run([*options, *map(str, targets)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("tool", PLANTS)
def test_a_planted_finding_fails_the_check_and_is_named(tool: str, tmp_path: Path) -> None:
    name, text, rule = PLANTS[tool]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)

    scanned = ended(tool, tmp_path if tool == "bandit" else (tmp_path / name).parent / Path(name).name)

    assert scanned.returncode != 0
    assert rule in scanned.stdout + scanned.stderr


@pytest.mark.parametrize("tool", PLANTS)
def test_nothing_is_found_in_what_the_check_looks_at(tool: str) -> None:
    _, targets = command(tool)
    scanned = ended(tool, *(ROOT / target for target in targets))

    assert targets
    assert scanned.returncode == 0, scanned.stdout + scanned.stderr


def test_all_code_that_is_deployed_or_run_is_looked_at() -> None:
    _, targets = command("bandit")
    code = [path for path in tracked(ROOT) if path.endswith(".py") and not path.startswith("tests/")]

    assert [path for path in code if not path.startswith(tuple(targets))] == []
    assert command("shellcheck")[1] == [
        path for path in tracked(ROOT) if (ROOT / path).read_bytes().startswith(b"#!/usr/bin/env bash")
    ]


def test_each_plant_of_checkov_changes_the_template() -> None:
    assert planted().template != stack(BOOKINGS).template
    assert len({check for check, _, _ in PLANTED}) == len(PLANTED)
    assert not {check for check, _, _ in PLANTED} & set(
        yaml.safe_load(ACKNOWLEDGED.read_text())["skip-check"]
    )


def acknowledged() -> Iterator[tuple[str, str]]:
    """Yields what each scanner was told to leave out, and the reason that stands beside it."""
    for line in ACKNOWLEDGED.read_text().splitlines():
        if line.lstrip().startswith("- "):
            rule, _, reason = line.lstrip("- ").partition("#")
            yield rule.strip(), reason
    yield from audit.ACKNOWLEDGED.items()
    for path in tracked(ROOT):
        if path.startswith(SILENT):
            for silenced in SILENCERS.finditer((ROOT / path).read_text()):
                what = silenced["comment"] or silenced["metadata"]
                yield f"{path}: {what}", silenced["reason"] or silenced["why"] or ""


def test_every_acknowledged_finding_has_its_reason_beside_it() -> None:
    without = [what for what, reason in acknowledged() if len(reason.split()) < WORDS_OF_A_REASON]

    assert without == []


def test_at_most_ten_findings_are_acknowledged() -> None:
    rules = yaml.safe_load(ACKNOWLEDGED.read_text())["skip-check"]
    found = [what for what, _ in acknowledged()]

    assert set(rules) <= set(found)
    assert len(found) <= MOST_ACKNOWLEDGED


@pytest.mark.parametrize(
    "line",
    [
        "x = 1  # nosec B105: a name",
        "x = 1  # noqa: S105 - a name",
        "#checkov:skip=CKV_AWS_1:why",
        "    # zizmor: ignore[unpinned-uses] why",
        "# shellcheck disable=SC2086",
        "x = 1  # pragma: allowlist secret",
        "      checkov:\n        skip:\n          - id: CKV_AWS_1\n            comment: why",
    ],
)
def test_a_silenced_finding_is_counted_whichever_way_it_was(line: str) -> None:
    assert SILENCERS.search(line)
