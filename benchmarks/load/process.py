"""Processes of the load run: started, asked by lines of JSON, ended for certain; and what they took."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.cpu_share import cpu_seconds
from tests.kills.artefact import ROOT

END_SECONDS = 10


class ProcessFailed(Exception):
    """A process of the load run did not start, or has ended. The message is what it said."""


class Process:
    """A module of ours that takes orders on standard input; it ends when that does, at the latest.

    It stands in a session of its own, so that Ctrl-C comes to this process alone, which ends all in order.

    Args:
        order: the first one.
        in_order: whether it has to end by itself, such as for processes of its own; else it is terminated.

    Attributes:
        started: what it said to the first order.
    """

    started: dict[str, Any]

    def __init__(self, module: str, order: Mapping[str, Any], *, in_order: bool = False) -> None:
        self._module = module
        self._order = order
        self._in_order = in_order

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self.started = self.ask(self._order)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what it says to an order.

        Raises:
            ProcessFailed: it has ended, or refuses the order.
        """
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ProcessFailed(f"{self._module} has ended") from None
        line = self._process.stdout.readline()
        if not line:
            raise ProcessFailed(f"{self._module} has ended")
        told: dict[str, Any] = json.loads(line)
        if "failed" in told:
            raise ProcessFailed(told["failed"])
        return told

    def _end(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if not self._in_order:
            self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def say(told: Mapping[str, Any]) -> None:
    """Answers an order, in the process that was asked."""
    print(json.dumps(told, separators=(",", ":")), flush=True)


def memory_mb(pid: int) -> float:
    """Returns the memory of a process that is resident now."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def cpu_of(pids: Iterable[int]) -> float:
    """Returns the CPU seconds so far of processes that run."""
    return sum(cpu_seconds(pid) for pid in pids)


def descendants_of(pid: int) -> list[int]:
    """Returns the processes that a process has started, and those that they have."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants_of(child)]
    return found
