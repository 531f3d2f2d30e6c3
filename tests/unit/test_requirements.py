"""Installed packages are pinned and hashed, and a package has one version in all locks."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers/runtime/requirements.txt"
DEV, SAM, UV, BENCHMARKS = (ROOT / f"requirements/{name}.txt" for name in ("dev", "sam", "uv", "benchmarks"))
LOCKS = [LAYER, DEV, SAM, UV, BENCHMARKS]


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_lock_holds_only_pins_hashes_and_reasons(lock: Path) -> None:
    # No other line is possible, so there is no URL and no option. `make check` looks for no secrets here.
    pin = r"[A-Za-z0-9._-]+(\[[a-z0-9,_-]+\])?==\S+( ; [^\\]+)? \\"
    form = rf"{pin}|    --hash=sha256:[0-9a-f]{{64}}( \\)?|    #(?!.*://)[ -].*"
    entries = re.split(r"\n(?=[a-z])", lock.read_text())
    assert [line for line in lock.read_text().splitlines() if not re.fullmatch(form, line)] == []
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert len(entries) == len(pins(lock))


def test_packages_have_one_version_in_all_locks() -> None:
    assert (pins(LAYER) | pins(UV)).items() <= pins(DEV).items()
    both = pins(BENCHMARKS).keys() & pins(DEV).keys()
    assert {name: pins(BENCHMARKS)[name] for name in both} == {name: pins(DEV)[name] for name in both} != {}


def test_layer_holds_no_tool_and_sam_is_apart() -> None:
    lines = (LAYER.parent / "requirements.in").read_text().splitlines()
    asked_for = [line for line in lines if not line.startswith("#")]
    assert asked_for == ["aws-lambda-powertools", "boto3", "pydantic", "tzdata"]
    assert pins(LAYER).keys() & {"pytest", "moto", "ministack", "typer", "rich", "uv"} == set()
    # The pins of ministack and of the SAM CLI clash.
    assert [name in pins(lock) for name in ("ministack", "aws-sam-cli") for lock in (DEV, SAM)] == [
        1,
        0,
        0,
        1,
    ]


def test_python_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert (
        (ROOT / ".python-version").read_text().strip() == project["tool"]["mypy"]["python_version"] == "3.13"
    )
    assert project["project"]["requires-python"] == ">=3.13,<3.14"
