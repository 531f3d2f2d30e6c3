"""The layer as `sam build` makes it: complete, small enough for a quick cold start, for arm64."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.template.stacks import ROOT

pytestmark = pytest.mark.xdist_group("layer")

LAYER = f"{ROOT}/layers/runtime"
MAX_ZIPPED_BYTES = 8_500_000

ELF, AARCH64, MACHINE = b"\x7fELF", 183, slice(18, 20)  # first bytes, and `e_machine` at its offset
UNCHECKED_HASH, FLAGS = 1, slice(4, 8)  # PEP 552: "hash-based, not checked against the source"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the content of /opt/python in Lambda. The build needs the package registry."""
    folder = tmp_path_factory.mktemp("layer")
    command = ["make", "-C", LAYER, "build-RuntimeLayer", f"PYTHON={sys.executable}"]
    command += [f"ARTIFACTS_DIR={folder}"]
    build = subprocess.run(command, check=False, timeout=300, capture_output=True, text=True)
    assert build.returncode == 0, build.stderr[-2000:]
    return folder / "python"


def test_layer_is_complete_and_small_enough(packages: Path, tmp_path: Path) -> None:
    zipped = shutil.make_archive(str(tmp_path / "layer"), "zip", packages.parent)
    libraries = {"aws_lambda_powertools", "boto3", "bookings", "pydantic", "tzdata"}

    assert Path(zipped).stat().st_size <= MAX_ZIPPED_BYTES  # for a quick cold start
    assert libraries <= {path.name for path in packages.iterdir()}
    assert (packages / "tzdata/zoneinfo/Europe/Berlin").exists()


def test_each_module_has_bytecode_that_is_not_checked(packages: Path) -> None:
    modules = list(packages.rglob("*.py"))
    assert len(modules) > 500
    for module in modules:
        bytecode = Path(importlib.util.cache_from_source(str(module))).read_bytes()
        assert bytecode.startswith(importlib.util.MAGIC_NUMBER), module
        assert int.from_bytes(bytecode[FLAGS], "little") == UNCHECKED_HASH, module


def test_layer_holds_the_data_of_the_called_services_only(packages: Path) -> None:
    called = set(re.findall(r'client\("(\w+)"', Path(LAYER, "bookings/bootstrap.py").read_text()))
    data = {path.name for path in (packages / "botocore/data").iterdir() if path.is_dir()}

    assert data == called == {"dynamodb", "events", "secretsmanager", "sqs"}
    assert not (packages / "boto3/data").exists()


def test_compiled_modules_are_for_arm64(packages: Path) -> None:
    libraries = {path.relative_to(packages).parts[0]: path.read_bytes() for path in packages.rglob("*.so")}
    assert "pydantic_core" in libraries
    for name, content in libraries.items():
        assert content.startswith(ELF), name
        assert int.from_bytes(content[MACHINE], "little") == AARCH64, name
