"""Handlers in processes of their own, warm, without the runtime client."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks import handler_process
from benchmarks.contestants import Contestant
from benchmarks.execution import FunctionFailed

PATIENCE_SECONDS = 120

CPU, INSTRUCTIONS, CALLGRIND = "cpu", "instructions", "callgrind"
"""What can be counted of a call; `handler_process` says what each means."""


class Handler:
    """A handler in a process, called with one event after another."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self._name = name
        self._process = process

    def call(self, event: Mapping[str, Any], count: str = "", calls: int = 1) -> dict[str, Any]:
        """Returns what `handler_process` tells of these calls.

        Raises:
            FunctionFailed: the process has ended; why it said on standard error.
        """
        assert self._process.stdin
        assert self._process.stdout
        asked = {"event": event, "count": count, "calls": calls}
        try:
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self._process.stdout.readline()
        if not line:
            raise FunctionFailed(f"{self._name} ended while it was measured")
        told: dict[str, Any] = json.loads(line)
        return told


@contextmanager
def handler_of(
    contestant: Contestant,
    *,
    parts: Mapping[str, Sequence[str]] | None = None,
    prefix: Sequence[str] = (),
    changed: Mapping[str, str] | None = None,
) -> Iterator[Handler]:
    """Starts a process with a handler, which ends with the `with` block.

    Args:
        parts: what `split` says of it, where its parts are asked for.
        prefix: the command it runs under.
        changed: variables that are other than the contestant's.
    """
    python, *_ = contestant.command.arguments
    script = [python, "-P", handler_process.__file__, str(contestant.package), json.dumps(parts or {})]
    with subprocess.Popen(
        [*prefix, *script],
        cwd=contestant.package,
        env={**contestant.command.environment, **(changed or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield Handler(contestant.name, process)
            process.communicate(timeout=PATIENCE_SECONDS)
        except BaseException:
            process.kill()
            raise
