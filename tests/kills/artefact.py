"""The functions as they are deployed, built for the machine the tests run on.

The layer comes from its own Makefile, with wheels for this machine instead of Lambda's. A build is kept under
a name that tells its inputs, so that only a change builds again.
"""

import compileall
import hashlib
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers/runtime"
FUNCTIONS = ROOT / "functions"
BUILDS = ROOT / ".local/built"

KEPT_SECONDS = 24 * 3600  # of a build nobody used since
BUILD_SECONDS = 300

# The runtime client is no part of the layer: Lambda brings it, and here the environment does.
RUNTIME_PACKAGES = Path(sysconfig.get_path("purelib"))


class BuildFailed(Exception):
    """The layer could not be built. The message is fit for whoever runs the tests."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """A folder with `python/`, what the layer mounts, and `functions/`, a folder each."""

    folder: Path

    @property
    def packages(self) -> Path:
        return self.folder / "python"

    def function(self, name: str) -> Path:
        return self.folder / "functions" / name

    @property
    def python_path(self) -> str:
        """Where modules come from, in Lambda's order; nothing of the source tree is there."""
        return f"{self.packages}:{RUNTIME_PACKAGES}"

    def copied_to(self, folder: Path) -> "Artefact":
        """Returns a copy for a test that changes it."""
        shutil.copytree(self.folder, folder)
        return Artefact(folder)

    def replace(self, module: str, old: str, new: str) -> None:
        """Changes a module of ours, and its bytecode with it.

        Raises:
            ValueError: the module doesn't hold `old` exactly once.
        """
        path = self.packages / module
        text = path.read_text()
        if text.count(old) != 1:
            raise ValueError(f"{module} holds {text.count(old)} times: {old}")
        path.write_text(text.replace(old, new))
        mode = PycInvalidationMode.UNCHECKED_HASH
        if not compileall.compile_file(str(path), quiet=1, force=True, invalidation_mode=mode):
            raise ValueError(f"{module} is no Python any more")


def build() -> Artefact:
    """Returns the artefact of the present sources, built if it is not there yet.

    Raises:
        BuildFailed: it could not be built, such as without a package registry.
    """
    folder = BUILDS / _digest()
    if not folder.exists():
        BUILDS.mkdir(parents=True, exist_ok=True)
        _forget_old_builds()
        with tempfile.TemporaryDirectory(dir=BUILDS, prefix="making-") as temporary:
            made = Path(temporary) / "made"
            make_layer(made, wheel_platform())
            shutil.copytree(FUNCTIONS, made / "functions", ignore=shutil.ignore_patterns("__pycache__"))
            try:
                made.rename(folder)
            except OSError:
                if not folder.exists():  # else another process was first, with the same
                    raise
    folder.touch()
    return Artefact(folder)


def wheel_platform() -> str:
    """Returns the platform tag of wheels for this machine, as pip takes it."""
    if sys.platform == "linux":
        return f"manylinux2014_{platform.machine()}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def make_layer(folder: Path, wheels_for: str | None = None) -> None:
    """Makes the layer by its own Makefile.

    Args:
        wheels_for: the platform tag of the wheels in it; Lambda's by default.

    Raises:
        BuildFailed: it could not be built.
    """
    command = ["make", "-C", str(LAYER), "build-RuntimeLayer", f"ARTIFACTS_DIR={folder}"]
    command += [f"PYTHON={sys.executable}", *([f"PLATFORM={wheels_for}"] if wheels_for else [])]
    try:
        subprocess.run(command, check=True, timeout=BUILD_SECONDS, capture_output=True, text=True)
    except FileNotFoundError:
        raise BuildFailed("The layer is built by make, which is not there.") from None
    except subprocess.TimeoutExpired:
        raise BuildFailed(f"The layer was not built within {BUILD_SECONDS} s.{_REGISTRY}") from None
    except subprocess.CalledProcessError as error:
        told = "\n".join(error.stderr.strip().splitlines()[-8:])
        raise BuildFailed(f"The layer could not be built.{_REGISTRY} What make said:\n{told}") from None


_REGISTRY = " Is the package registry reachable from here? PIP_INDEX_URL names another one."


def _digest() -> str:
    """Returns a name for the build that these sources give on this machine."""
    told = hashlib.sha256(f"{sys.version} {wheel_platform()}".encode())
    for path in sorted([*LAYER.rglob("*"), *FUNCTIONS.rglob("*")]):
        if path.is_file() and "__pycache__" not in path.parts:
            told.update(
                f"\n{path.relative_to(ROOT)} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode()
            )
    return told.hexdigest()[:16]


def _forget_old_builds() -> None:
    for folder in BUILDS.iterdir():
        if time.time() - folder.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
