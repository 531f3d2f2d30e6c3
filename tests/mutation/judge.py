"""Runs tests over one changed module, in a process forked from one that has everything else imported."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutation.mutants import CODE, ROOT

LONGEST_SECONDS = 90  # the slowest tests, of the merge's algebra, take twelve
PASSED = 0  # pytest's exit code

# What takes long to import and doesn't know the code that is changed.
PRELOADED = (
    "hypothesis.strategies",
    "pydantic",
    "botocore.exceptions",
    "aws_lambda_powertools",
    "jsonschema",
    "yaml",
)


class Verdict(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"  # noticed, too: a loop without an end
    SURVIVED = "survived"


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another source than the one on disk, so that the working tree is never touched."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self._path))

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self._path)
        exec(compile(self._source, str(self._path), "exec"), module.__dict__)  # noqa: S102 - our own code


class Judge:
    """Judges mutants one after the other. Nothing of `bookings` may have been imported in this process."""

    def __init__(self) -> None:
        for name in PRELOADED:
            importlib.import_module(name)
        assert "bookings" not in sys.modules, "the forked process would not import the changed module"

    def verdict(self, module: str, source: str, tests: Sequence[str]) -> Verdict:
        child = os.fork()
        if child == 0:
            os._exit(_run(module, source, tests))
        ends = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < ends:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return Verdict.SURVIVED if os.waitstatus_to_exitcode(status) == PASSED else Verdict.KILLED
            time.sleep(0.01)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return Verdict.TIMED_OUT


def _run(module: str, source: str, tests: Sequence[str]) -> int:
    """Runs in the forked process; returns pytest's exit code."""
    try:
        os.setsid()
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os.chdir(ROOT)
        name = "bookings." + module.removesuffix(".py").replace("/", ".")
        sys.meta_path.insert(0, Changed(name, CODE / module, source))
        arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0"]
        # One file after the other: most changes fail the first, and to collect the rest takes as long again.
        ended = (int(pytest.main([*arguments, f"tests/unit/{test}"])) for test in tests)
        return next((code for code in ended if code != PASSED), PASSED)
    except BaseException:  # noqa: BLE001 - the parent has to hear of an end in any case
        return 1
