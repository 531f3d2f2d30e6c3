"""A copy of the project in which a bug is seeded, and the runs in it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import cache_from_source
from pathlib import Path
from typing import Self

from tests.seeded_bugs.bugs import Replace
from tests.seeded_bugs.witness import REPORT

ROOT = Path(__file__).parents[2]

COPIED = (
    "cli", "docs", "events", "examples", "functions", "layers", "tests",
    "pyproject.toml", "samconfig.toml", "template.yaml", "README.md", "Makefile",
)  # fmt: skip
"""What the tests need; not the environments, and nothing that a build has left."""

# Without looking for plugins a run starts half a second earlier; these two are the ones that tests use.
PYTEST = ("-p", "_hypothesis_pytestplugin", "-p", "xdist.plugin", "-p", "tests.seeded_bugs.witness")
HOW = ("-p", "no:cacheprovider", "-q", "--tb=short", "--hypothesis-seed=0")

# Of the run that this one is part of: coverage, settings of pytest, an AWS of one's own.
_FOREIGN = ("AWS_", "COV_", "COVERAGE_", "POWERTOOLS_", "PYTEST_", "PYTHON")


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a command in the copy.

    Attributes:
        failed: ids of the tests that ran and failed; not those that could not even begin.
        broken: ids of what could not be collected, set up or torn down.
    """

    exit_code: int
    output: str
    failed: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    def has_failed(self, node: str) -> bool:
        """Whether the test has failed, in one of its cases at least."""
        return any(each == node or each.startswith(f"{node}[") for each in self.failed)


class PatchedTree:
    """A copy of the project; one bug is seeded in it at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("*.egg-info"))
            else:
                self.root.mkdir(exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)
        self._report = root / "report.json"
        self._output = root / "output.txt"
        self._warm: subprocess.Popen[str] | None = None

    @contextmanager
    def seeded(self, replacements: Sequence[Replace]) -> Iterator[None]:
        """Applies the replacements until the block ends.

        Raises:
            StalePatch: one of them doesn't fit; nothing was changed.
        """
        before = {each.path: (self.root / each.path).read_text() for each in replacements}
        after = dict(before)
        for each in replacements:
            after[each.path] = each.applied(after[each.path])
        try:
            self._write(after)
            yield
        finally:
            self._write(before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the process that waits for the next run."""
        if self._warm:
            self._warm.communicate()

    def pytest(self, nodes: Sequence[str], *, timeout_seconds: int = 120) -> Run:
        """Runs tests over the copy's code, in a process of their own."""
        self._report.unlink(missing_ok=True)
        run = self.run(("pytest", *PYTEST, *HOW, *nodes), timeout_seconds=timeout_seconds)
        assert self._report.exists(), f"no test was run, exit code {run.exit_code}:\n{run.output}"
        told = json.loads(self._report.read_text())
        package = Path(told["bookings"])
        assert package.is_relative_to(self.root), f"it ran the code in {package}, not the patched one"
        failed, passed, broken = (tuple(told[name]) for name in ("failed", "passed", "broken"))
        return replace(run, failed=failed, passed=passed, broken=broken)

    def run(self, module: Sequence[str], *, timeout_seconds: int) -> Run:
        """Runs a module with its arguments over the copy's code, in a process of its own."""
        if self._warm is None:
            self._warm = subprocess.Popen(
                [sys.executable, "-m", "tests.seeded_bugs.warm"],
                cwd=self.root,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._warm.stdin
        assert self._warm.stdout
        name, *arguments = module
        asked = {
            "module": name,
            "arguments": arguments,
            "output": str(self._output),
            "seconds": timeout_seconds,
        }
        print(json.dumps(asked), file=self._warm.stdin, flush=True)
        answer = self._warm.stdout.readline()
        assert answer, "the process that runs the modules has ended"
        return Run(json.loads(answer)["exit_code"], self._output.read_text(errors="replace"))

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return kept | {
            "PYTHONPATH": os.pathsep.join([str(self.root / "layers/runtime"), str(self.root)]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            REPORT: str(self._report),
        }

    def _write(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            file = self.root / path
            file.write_text(text)
            if file.suffix == ".py":
                # Two versions of one second and one size would be the same to Python's cache.
                Path(cache_from_source(str(file))).unlink(missing_ok=True)
