"""A local stack in a process of its own: several at once, each ended for certain."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local.stack import STATE_FILE, TEMPLATE, RunningStack

_END_SECONDS = 20


class StackProcessError(Exception):
    """The stack didn't come up. The message is what it printed."""


@contextlib.contextmanager
def stack_in_a_process(
    directory: Path,
    *,
    secret: str,
    parameters: Mapping[str, str] | None = None,
    template: Path = TEMPLATE,
    port: int = 0,
    ready_seconds: float = 90,
    program: Sequence[str] = ("-m", "local"),
) -> Iterator[RunningStack]:
    """Starts one, yields it when it takes bookings, and ends it.

    It ends too when this process ends in whatever way, for it watches its standard input. `directory` then
    holds what it printed (`output.txt`) and the emulator's log (`emulator.log`).

    Args:
        program: what Python runs, with the arguments of `bookings local`; another one may watch it.

    Raises:
        StackProcessError: it ended, or wasn't ready in time.
    """
    directory.mkdir(parents=True, exist_ok=True)
    arguments = ["up", "--until-input-ends", "--port", str(port), "--state-dir", str(directory)]
    arguments += ["--template", str(template)]
    for name, value in (parameters or {}).items():
        arguments += ["--parameter", f"{name}={value}"]
    with (directory / "output.txt").open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "SECRET": secret},
        )
    try:
        yield _when_ready(process, directory, ready_seconds)
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()


def _when_ready(process: subprocess.Popen[bytes], directory: Path, seconds: float) -> RunningStack:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        if (directory / STATE_FILE).exists():
            stack = RunningStack.read(directory)
            if stack.pid == process.pid:
                return stack
        time.sleep(0.05)
    printed = (directory / "output.txt").read_text(encoding="utf-8")
    raise StackProcessError(printed or f"not ready after {seconds} s")
