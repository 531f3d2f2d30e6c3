"""Handlers and yardsticks in processes of their own, warm: CPU time without the runtime client."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import in_process
from benchmarks.contestants import Contestant
from benchmarks.execution import FunctionFailed
from benchmarks.packaging import ROOT
from benchmarks.stub import TOKEN

PATIENCE_SECONDS = 120


def call_in_process(  # noqa: PLR0913 - keyword-only
    contestant: Contestant,
    events: Sequence[Mapping[str, Any]],
    *,
    calls: int,
    warm_up: int,
    parts: Mapping[str, Sequence[str]],
    log: Path,
) -> dict[str, Any]:
    """Returns what `in_process` tells: microseconds of CPU a call, of each part, and the last answer.

    Raises:
        FunctionFailed: it ended with an error.
    """
    with tempfile.NamedTemporaryFile(prefix="bookings-bench-", suffix=".json") as result:
        job = {"folder": str(contestant.package), "events": events, "calls": calls, "warm_up": warm_up}
        job |= {"parts": parts, "result": result.name}
        command = contestant.command
        with log.open("wb") as output:
            ended = subprocess.run(
                [command.arguments[0], "-P", in_process.__file__],
                cwd=command.folder,
                env=dict(command.environment),
                input=json.dumps(job).encode(),
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
        if ended.returncode:
            raise FunctionFailed(f"{contestant.name}: {log.read_text(errors='replace')[-1500:]}")
        told: dict[str, Any] = json.loads(Path(result.name).read_text())
        return told


def measure_yardsticks(environment: Mapping[str, str], body: str, item: Mapping[str, Any]) -> dict[str, float]:
    """Returns the yardsticks, in microseconds."""
    job = {"secret": TOKEN, "content": f"v0:1795165924:{body}", "body": body, "item": item}
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.yardsticks"],
        cwd=ROOT,
        env=dict(environment),
        input=json.dumps(job).encode(),
        stdout=subprocess.PIPE,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    told: dict[str, float] = json.loads(ended.stdout)
    return told
