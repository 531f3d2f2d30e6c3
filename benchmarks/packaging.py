"""What is measured, built as it would be deployed, each once for its inputs, under `.local/bench`.

Ours is the artefact the kill tests run: the layer from its own Makefile. The peers in Python are packaged as
plain `sam build` packages a function with a `requirements.txt`, wheels unpacked beside the module, without
bytecode; a deployed package is read-only, so each cold start compiles it. What Lambda itself brings, the
runtime client and boto3, stands in an environment without extra `.pth` files, with bytecode, the same for
all. The peers in JavaScript are bundled and minified by esbuild.
"""

import compileall
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

from tests.kills.artefact import LAYER, ROOT, build, make_layer

HERE = Path(__file__).parent
PEERS = HERE / "peers"
BUILDS = ROOT / ".local/bench"
PATIENCE_SECONDS = 600  # for a package registry

DEPLOYED_PLATFORM = "manylinux2014_aarch64"  # as the layer's Makefile has it: Lambda on arm64

# SAM dates all files so; the size of a zip does not depend on it, but its bytes do.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_UV = Path(sys.executable).with_name("uv")


class NotBuilt(Exception):
    """Something could not be installed or built. The message is fit for whoever runs the benchmarks."""


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of an artefact, as it is uploaded and as it lies on the function's disk."""

    zipped: int
    unzipped: int


@dataclass(frozen=True, slots=True)
class Runtime:
    """The Python that stands for Lambda's."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin/python"


def python_runtime() -> Runtime:
    """Returns the environment with the runtime client and boto3.

    Raises:
        NotBuilt: they could not be installed.
    """
    requirements = HERE / "runtime/requirements.txt"

    def make(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
        python = str(folder / "bin/python")
        _uv("--python", python, "--compile-bytecode", "-r", str(requirements))

    return Runtime(_built("runtime", [requirements], make, movable=False))


def python_peer(name: str, *, models: bool = False, bytecode: bool = False) -> Path:
    """Returns a peer's package.

    Args:
        models: whether it has the models that some peers share.
        bytecode: whether it is compiled, which plain `sam build` does not do.

    Raises:
        NotBuilt: its requirements could not be installed.
    """
    source = PEERS / name
    requirements = source / "requirements.txt"
    modules = [source / "app.py", *([PEERS / "models.py"] if models else [])]
    inputs = [*modules, *([requirements] if requirements.exists() else [])]

    def make(folder: Path) -> None:
        folder.mkdir()
        if requirements.exists():
            _uv("--target", str(folder), "-r", str(requirements))
            shutil.rmtree(folder / "bin", ignore_errors=True)
        for module in modules:
            shutil.copy(module, folder)
        if bytecode:
            mode = PycInvalidationMode.UNCHECKED_HASH
            compileall.compile_dir(str(folder), quiet=2, invalidation_mode=mode)

    return _built(f"{name}{'-bytecode' if bytecode else ''}", inputs, make)


def node() -> str | None:
    """Returns the command of Node.js, None where it, or its package manager, is missing."""
    return shutil.which("node") if shutil.which("npm") else None


def node_peer(name: str) -> Path:
    """Returns the folder of a peer's bundle, and of the loop that stands for Lambda's runtime client.

    Raises:
        NotBuilt: its packages could not be installed, or not be bundled.
    """
    source = PEERS / "node"
    locks = [source / "package.json", source / "package-lock.json"]

    def install(folder: Path) -> None:
        folder.mkdir()
        for lock in locks:
            shutil.copy(lock, folder)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _run(command, cwd=folder)

    packages = _built("node-packages", locks, install)

    def bundle(folder: Path) -> None:
        folder.mkdir()
        entry = packages / f"{name}.mjs"
        shutil.copy(source / entry.name, entry)
        options = ["--bundle", "--minify", "--platform=node", "--target=node20", "--log-level=error"]
        esbuild = str(packages / "node_modules/esbuild/bin/esbuild")
        _run([str(node()), esbuild, str(entry), f"--outfile={folder / 'app.js'}", *options])
        shutil.copy(source / "runtime.cjs", folder)

    return _built(f"node-{name}", [*locks, source / f"{name}.mjs", source / "runtime.cjs"], bundle)


def deployed_layer() -> Path:
    """Returns the layer as it is deployed, with Lambda's wheels, whatever machine this is.

    Raises:
        BuildFailed: it could not be built.
    """
    return _built("layer", LAYER.rglob("*"), lambda folder: make_layer(folder, DEPLOYED_PLATFORM))


def size_of(folder: Path, leaving_out: Iterable[str] = ()) -> Size:
    """Returns what a folder takes, less the files of these names."""
    buffer = io.BytesIO()
    unzipped = 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name not in leaving_out:
                content = path.read_bytes()
                unzipped += len(content)
                information = zipfile.ZipInfo(str(path.relative_to(folder)), _ZIP_DATE)
                archive.writestr(information, content, zipfile.ZIP_DEFLATED)
    return Size(len(buffer.getvalue()), unzipped)


def our_artefact() -> Path:
    """Returns the folder with `python/`, the layer for this machine, and `functions/`."""
    return build().folder


def _uv(*arguments: str) -> None:
    _run(
        [
            str(_UV),
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--link-mode=copy",
            *arguments,
        ]
    )


def _built(name: str, inputs: Iterable[Path], make: Callable[[Path], None], *, movable: bool = True) -> Path:
    """Returns the folder of that name for these inputs, made if it isn't there yet."""
    told = hashlib.sha256(f"{sys.version} {platform.platform()} {Path(__file__).read_text()}".encode())
    for path in sorted(inputs):
        if path.is_file() and "__pycache__" not in path.parts:
            told.update(json.dumps([str(path.relative_to(ROOT)), path.read_text("latin-1")]).encode())
    folder = BUILDS / f"{name}-{told.hexdigest()[:16]}"
    done = folder.with_suffix(".done")
    if done.exists():
        return folder
    BUILDS.mkdir(parents=True, exist_ok=True)
    print(f"Building {name} …", file=sys.stderr)
    if movable:
        with tempfile.TemporaryDirectory(dir=BUILDS, prefix="making-") as temporary:
            made = Path(temporary) / "made"
            make(made)
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        make(folder)
    done.touch()
    return folder


def _run(command: list[str], cwd: Path | None = None) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}
    }
    try:
        subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            check=True,
            timeout=PATIENCE_SECONDS,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise NotBuilt(f"{command[0]} is needed, and not there.") from None
    except subprocess.TimeoutExpired:
        raise NotBuilt(f"{command[0]} did not end within {PATIENCE_SECONDS} s.") from None
    except subprocess.CalledProcessError as error:
        told = "\n".join((error.stderr or error.stdout).strip().splitlines()[-8:])
        raise NotBuilt(
            f"{' '.join(command[:3])} failed. Is the package registry reachable from here?\n{told}"
        ) from None
