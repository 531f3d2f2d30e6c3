"""What is installed is pinned, hashed, and the same wherever a package is in two files."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers/runtime/requirements.txt"
LOCKS = [LAYER, *sorted((ROOT / "requirements").glob("*.txt"))]

ONLY_FOR_DEVELOPERS = {"pytest", "moto", "ministack", "typer", "rich", "uv"}


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_every_requirement_is_pinned_and_hashed(lock: Path) -> None:
    entries = re.split(r"\n(?=[a-z])", re.sub(r"^\s*#.*\n", "", lock.read_text(), flags=re.MULTILINE))
    assert len(entries) == len(pins(lock)) > 0
    for entry in entries:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_a_lock_holds_nothing_but_pins_hashes_and_who_wants_them(lock: Path) -> None:
    # `make check` looks for no secrets in these files.
    pin = r"[A-Za-z0-9._-]+(\[[a-z0-9,_-]+\])?==\S+( ; [^\\]+)? \\"
    form = rf"{pin}|    --hash=sha256:[0-9a-f]{{64}}( \\)?|    #[ -].*"
    assert [line for line in lock.read_text().splitlines() if not re.fullmatch(form, line)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_no_lock_names_a_host(lock: Path) -> None:
    assert "://" not in lock.read_text()
    assert "--index-url" not in lock.read_text()
    assert "--find-links" not in lock.read_text()


def test_benchmarks_measure_the_versions_that_are_developed_with() -> None:
    measured, developed = pins(ROOT / "requirements/benchmarks.txt"), pins(ROOT / "requirements/dev.txt")
    both = measured.keys() & developed.keys()
    assert {"aws-lambda-powertools", "awslambdaric", "boto3", "pydantic"} <= both
    assert {name: measured[name] for name in both} == {name: developed[name] for name in both}


def test_tests_run_on_the_very_versions_that_are_deployed() -> None:
    deployed, developed = pins(LAYER), pins(ROOT / "requirements/dev.txt")
    assert deployed.items() <= developed.items()


def test_the_layer_holds_what_functions_import_and_no_tool() -> None:
    asked_for = (LAYER.parent / "requirements.in").read_text()
    names = {line for line in asked_for.splitlines() if not line.startswith("#")}
    assert names == {"aws-lambda-powertools", "boto3", "pydantic", "tzdata"}
    assert names <= pins(LAYER).keys()
    assert not pins(LAYER).keys() & ONLY_FOR_DEVELOPERS


def test_the_installer_is_the_version_of_the_environment() -> None:
    assert pins(ROOT / "requirements/uv.txt").items() <= pins(ROOT / "requirements/dev.txt").items()


def test_the_emulators_environment_and_the_sam_clis_are_two() -> None:
    assert "ministack" in pins(ROOT / "requirements/dev.txt")
    assert "aws-sam-cli" not in pins(ROOT / "requirements/dev.txt")
    assert "aws-sam-cli" in pins(ROOT / "requirements/sam.txt")


def test_one_python_everywhere() -> None:
    version = (ROOT / ".python-version").read_text().strip()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert version == "3.13"
    assert project["project"]["requires-python"] == ">=3.13,<3.14"
    assert project["tool"]["mypy"]["python_version"] == version
    assert "Runtime: python3.13" in (ROOT / "template.yaml").read_text()
