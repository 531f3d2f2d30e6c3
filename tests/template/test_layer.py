"""The layer as `sam build` makes it: small enough for a quick cold start, complete, for arm64."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from tests.kills.artefact import make_layer

pytestmark = pytest.mark.xdist_group("layer")

MAX_ZIPPED_BYTES = 8_500_000

# "ELF Header": the file's first bytes, and `e_machine` of AArch64 at its offset.
ELF, AARCH64, MACHINE = b"\x7fELF", 183, slice(18, 20)

# PEP 552: the second word of a pyc file; 1 means "hash-based, not checked against the source".
UNCHECKED_HASH, FLAGS = 1, slice(4, 8)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of /opt/python in Lambda. The build needs the package registry and fails without it."""
    folder = tmp_path_factory.mktemp("layer")
    make_layer(folder)
    return folder / "python"


def test_layer_is_small_enough_for_a_quick_start(packages: Path, tmp_path: Path) -> None:
    zipped = shutil.make_archive(str(tmp_path / "layer"), "zip", packages.parent)
    assert Path(zipped).stat().st_size <= MAX_ZIPPED_BYTES


def test_layer_holds_our_package_and_the_libraries(packages: Path) -> None:
    libraries = {"aws_lambda_powertools", "boto3", "bookings", "pydantic", "tzdata"}
    assert libraries <= {path.name for path in packages.iterdir()}
    assert list(packages.glob("tzdata/zoneinfo/Europe/Berlin")) != []


def test_each_module_has_bytecode_that_is_not_checked(packages: Path) -> None:
    modules = list(packages.rglob("*.py"))
    assert len(modules) > 500
    for module in modules:
        bytecode = Path(importlib.util.cache_from_source(str(module))).read_bytes()
        assert bytecode.startswith(importlib.util.MAGIC_NUMBER), module
        assert int.from_bytes(bytecode[FLAGS], "little") == UNCHECKED_HASH, module


def test_layer_holds_the_data_of_the_called_services_only(packages: Path) -> None:
    data = packages / "botocore/data"
    assert {path.name for path in data.iterdir() if path.is_dir()} == {
        "dynamodb",
        "events",
        "secretsmanager",
        "sqs",
    }
    assert not (packages / "boto3/data").exists()


def test_compiled_modules_are_for_arm64(packages: Path) -> None:
    libraries = {path.relative_to(packages).parts[0]: path.read_bytes() for path in packages.rglob("*.so")}
    assert "pydantic_core" in libraries
    for name, content in libraries.items():
        assert content.startswith(ELF), name
        assert int.from_bytes(content[MACHINE], "little") == AARCH64, name
