"""Builds each receiver as it would be deployed, once for its inputs, under `.local/bench`.

Ours is the function and its layer, by the layer's own Makefile. A peer in Python is packaged as plain
`sam build` does: wheels unpacked beside the module, without bytecode. A deployed package is read-only, so
each cold start compiles it. esbuild bundles and minifies the peer in JavaScript. The runtime client and boto3
are Lambda's: they have an environment of their own, with bytecode, the same for all.
"""

import compileall
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "benchmarks/peers"
LAYER = ROOT / "layers/runtime"
LOCK = ROOT / "requirements/benchmarks.txt"
BUILDS = ROOT / ".local/bench"
PATIENCE_SECONDS = 600  # for a package registry


class NotBuilt(Exception):
    """Something could not be installed or built. The message is for the person who runs the benchmarks."""


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of a package, as it is uploaded and on the function's disk."""

    zipped: int
    unzipped: int


def python_runtime() -> Path:
    """Returns a Python with Lambda's runtime client and boto3.

    Raises:
        NotBuilt: they could not be installed.
    """

    def make(folder: Path) -> None:
        _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
        _install("bench-lambda", "--python", str(folder / "bin/python"), "--compile-bytecode")

    return _built("runtime", [LOCK], make) / "bin/python"


def webhook() -> Path:
    """Returns a folder with the webhook, `app.py`, and the layer for this machine, `python/`.

    Raises:
        NotBuilt: the layer could not be built.
    """
    function = ROOT / "functions/webhook"

    def make(folder: Path) -> None:
        target = f"ARTIFACTS_DIR={folder}"
        platform_tag = f"PLATFORM=manylinux2014_{platform.machine()}"
        _run("make", "-C", str(LAYER), "build-RuntimeLayer", target, platform_tag, f"PYTHON={sys.executable}")
        shutil.copy(function / "app.py", folder)

    return _built("webhook", [LAYER, function], make)


def python_peer(name: str, group: str = "", *, bytecode: bool = False) -> Path:
    """Returns the package of a peer in Python.

    Args:
        group: the dependency group of its libraries in `pyproject.toml`.
        bytecode: whether it is compiled, which plain `sam build` does not do.

    Raises:
        NotBuilt: its libraries could not be installed.
    """

    def make(folder: Path) -> None:
        folder.mkdir()
        if group:
            _install(group, "--target", str(folder))
            shutil.rmtree(folder / "bin", ignore_errors=True)
            shutil.copy(PEERS / "models.py", folder)
        shutil.copy(PEERS / f"{name}.py", folder / "app.py")
        if bytecode:
            mode = PycInvalidationMode.UNCHECKED_HASH
            compileall.compile_dir(str(folder), quiet=2, invalidation_mode=mode)

    inputs = [LOCK, PEERS / "models.py", PEERS / f"{name}.py"]
    return _built(f"{name}{'-bytecode' if bytecode else ''}", inputs, make)


def node() -> str | None:
    """Returns the command of Node.js, or None without it or its package manager."""
    return shutil.which("node") if shutil.which("npm") else None


def rivet() -> Path:
    """Returns the package with the bundle of the peer in JavaScript, `app.js`.

    Raises:
        NotBuilt: its packages could not be installed or bundled.
    """
    inputs = [PEERS / "package.json", PEERS / "package-lock.json", PEERS / "rivet.mjs"]

    def make(folder: Path) -> None:
        folder.mkdir()
        with tempfile.TemporaryDirectory(dir=BUILDS) as temporary:
            for path in inputs:
                shutil.copy(path, temporary)
            _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=Path(temporary))
            esbuild = f"{temporary}/node_modules/esbuild/bin/esbuild"
            options = ("--bundle", "--minify", "--platform=node", "--target=node20", "--log-level=error")
            entry = f"{temporary}/rivet.mjs"
            _run(str(node()), esbuild, entry, f"--outfile={folder / 'app.js'}", *options)

    return _built("rivet", inputs, make)


def size_of(folder: Path) -> Size:
    """Returns the size of everything in a folder."""
    with tempfile.TemporaryDirectory() as temporary:
        zipped = Path(shutil.make_archive(f"{temporary}/package", "zip", folder)).stat().st_size
    return Size(zipped, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))


def _install(group: str, *options: str) -> None:
    """Installs a dependency group by the lock, in which each package has its version and hashes."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    versions = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", LOCK.read_text(), re.MULTILINE))
    pins = [f"{name}=={versions[name.partition('[')[0]]}" for name in groups[group]]
    uv = str(Path(sys.executable).with_name("uv"))
    lock = ("--require-hashes", "--constraints", str(LOCK), "--requirements", "-")
    _run(uv, "pip", "install", "--quiet", "--link-mode=copy", *options, *lock, text="\n".join(pins))


def _built(name: str, inputs: list[Path], make: Callable[[Path], None]) -> Path:
    """Returns the folder of that name for these inputs, and makes it if it isn't there."""
    digest = hashlib.sha256(f"{sys.version} {platform.platform()}".encode())
    files = [each for path in inputs for each in (path.rglob("*") if path.is_dir() else [path])]
    for file in sorted([*files, Path(__file__), ROOT / "pyproject.toml"]):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    folder = BUILDS / f"{name}-{digest.hexdigest()[:16]}"
    done = folder.with_suffix(".done")
    if not done.exists():
        print(f"Building {name} …", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        BUILDS.mkdir(parents=True, exist_ok=True)
        make(folder)
        done.touch()
    return folder


def _run(*command: str, cwd: Path | None = None, text: str | None = None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    try:
        subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            input=text,
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
        output = "\n".join((error.stderr or error.stdout).strip().splitlines()[-8:])
        question = "Is the package registry reachable from here?"
        raise NotBuilt(f"{' '.join(command[:3])} failed. {question}\n{output}") from None
