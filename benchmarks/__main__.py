"""`make bench`: builds the receivers, measures them in rounds, writes results and README."""

import argparse
import os
import platform
import random
import re
import secrets
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from benchmarks import packages
from benchmarks.contestants import FLOOR, Contestant, contestants, webhook_event, zoom_body
from benchmarks.execution import FunctionFailed, measure_cold, measure_warm, share_of
from benchmarks.report import NOT_MEASURED, SIZES_MB, Run, as_json, as_markdown, as_svg, targets_table
from benchmarks.stub import PUT_EVENTS, Stub
from benchmarks.targets import cold, warm

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).with_name("README.md")
WARM_CALLS = 200
MAX_ROUNDS = 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help=f"at most {MAX_ROUNDS}")
    parser.add_argument("--seed", type=int, help="of the order within the rounds; a fresh one by default")
    options = parser.parse_args()
    if not 1 <= options.rounds <= MAX_ROUNDS:
        parser.error(f"--rounds must be from 1 to {MAX_ROUNDS}")
    if not Path("/proc/self/status").exists():
        return _fail("The benchmarks need Linux: memory and CPU of a process are read there.")
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    try:
        run = measure(options.rounds, seed)
    except (packages.NotBuilt, FunctionFailed) as error:
        return _fail(str(error))
    for name, text in (("md", as_markdown(run)), ("json", as_json(run)), ("svg", as_svg(run))):
        (RESULTS / f"latest.{name}").write_text(text, encoding="utf-8")
    table = targets_table(run)
    page = re.sub(r"(?ms)^\| ratio \|.*?\|$(?!\n\|)", lambda _: table, README.read_text(encoding="utf-8"))
    README.write_text(page, encoding="utf-8")
    print(table)
    print(f"The whole report is in {RESULTS / 'latest.md'}.")
    return 0


def measure(rounds: int, seed: int) -> Run:
    """Returns a whole run.

    Raises:
        NotBuilt: a receiver could not be built.
        FunctionFailed: a receiver did not do its work.
    """
    load = os.getloadavg()[0]
    figures: dict[str, list[float]] = defaultdict(list)
    with Stub() as stub, tempfile.TemporaryDirectory(prefix="bookings-bench-") as folder:
        receivers, left_out = contestants(stub)
        for name, reason in left_out.items():
            _say(f"{name}: {NOT_MEASURED}: {reason}")
        _say(f"Measuring {len(receivers)} receivers, SEED={seed}")
        tasks = [(receiver, size) for receiver in receivers for size in (*SIZES_MB, None)]
        order = random.Random(seed)  # noqa: S311 - repeatable by its seed
        for number in range(1, rounds + 1):
            _say(f"Round {number} of {rounds} …")
            order.shuffle(tasks)
            for receiver, size in tasks:
                for name, value in _figures(receiver, size, stub, Path(folder) / "log").items():
                    figures[name].append(round(value, 3))
    return Run(
        day=datetime.now(UTC).strftime("%Y-%m-%d"),
        machine=_machine(),
        load=f"{load:.1f} before and {os.getloadavg()[0]:.1f} after",
        rounds=rounds,
        seed=seed,
        left_out=left_out,
        sizes={receiver.name: packages.size_of(receiver.package) for receiver in receivers},
        figures=dict(sorted(figures.items())),
    )


def _figures(receiver: Contestant, memory_mb: int | None, stub: Stub, log: Path) -> dict[str, float]:
    """Measures a cold start at a memory size, or without one a warm call."""
    name, event = receiver.name, webhook_event(zoom_body())
    if memory_mb is None:
        return {warm(name): measure_warm(receiver.command, event, WARM_CALLS, log)}
    stub.calls()
    measured = measure_cold(receiver.command, event, share_of(memory_mb), log)
    published = stub.calls()[PUT_EVENTS]
    expected = 0 if name == FLOOR else 1
    if (measured.answer.get("statusCode"), published) != (HTTPStatus.OK, expected):
        raise FunctionFailed(f"{name}: {published} events published, {str(measured.answer)[:500]}")
    whats = ("init_ms", "first_call_ms", "total_ms", "peak_mb")
    return {cold(name, memory_mb, what): getattr(measured, what) for what in whats}


def _machine() -> str:
    """Returns a description of the machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else "a CPU"
    versions = f"CPython {platform.python_version()}"
    if command := packages.node():
        version = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
        versions += f", Node.js {version.strip().removeprefix('v')}"
    return f"{os.cpu_count()} shared cores ({platform.machine()}, {model}), {versions}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(text: str) -> int:
    _say(text)
    return 2


if __name__ == "__main__":
    sys.exit(main())
