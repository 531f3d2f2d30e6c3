"""Runs schedules until somebody has seen enough: `make simulate SECONDS=…`, `make simulate SEED=…`."""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

import tests.conftest  # noqa: F401 - sets the environment before anything of the product is imported
from tests.simulation.lambdas import handlers_in_environments
from tests.simulation.oracle import INVARIANTS, Violation
from tests.simulation.run import Tally, leave_interrupts, run_schedules
from tests.simulation.world import run_schedule

CHUNK = 50
"""Schedules that a process runs before it says so."""

VIOLATED, INTERRUPTED = 1, 130


def replay(seed: int) -> int:
    """Tells the story of one schedule, and whether it ends well."""
    with handlers_in_environments():
        try:
            report = run_schedule(seed, print)
        except Violation as violation:
            print(f"\nviolated: {violation.invariant} ({INVARIANTS[violation.invariant]})\n{violation}")
            return VIOLATED
    print(f"\nSeed {seed} holds: {report.webhooks} webhooks, {report.writes} writes, {report.deaths} deaths.")
    return 0


def simulate(first_seed: int, *, seconds: float, schedules: int | None, processes: int) -> int:
    """Runs schedules side by side for so long, or so many, and tells what came of them."""
    print(f"Seeds from {first_seed} on, {processes} at once. Ctrl-C ends it.", flush=True)
    started = told = time.monotonic()
    if processes == 1 and schedules is not None:
        return _tell(run_schedules(first_seed, schedules), time.monotonic() - started, 1, interrupted=False)
    tally = Tally()
    seeds = _chunks(first_seed, schedules)
    interrupted = False
    # Not forked: a fork would take greenlets and locks of this process along.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=leave_interrupts) as pool:
        running: set[Future[Tally]] = set()
        try:
            while tally.violated is None:
                over = time.monotonic() - started >= seconds
                while not over and len(running) < 2 * processes and (chunk := next(seeds, None)):
                    running.add(pool.submit(run_schedules, *chunk))
                if not running:
                    break
                done, running = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
                for future in done:
                    tally.add(future.result())
                if time.monotonic() - told >= (1.0 if sys.stdout.isatty() else 30.0):
                    told = time.monotonic()
                    _progress(tally, told - started)
        except KeyboardInterrupt:
            interrupted = True
        for future in running:
            future.cancel()
    return _tell(tally, time.monotonic() - started, processes, interrupted=interrupted)


def _chunks(first_seed: int, schedules: int | None) -> Iterator[tuple[int, int]]:
    seed, left = first_seed, schedules
    while left is None or left > 0:
        count = CHUNK if left is None else min(CHUNK, left)
        yield seed, count
        seed += count
        left = None if left is None else left - count


def _progress(tally: Tally, seconds: float) -> None:
    end = "\r" if sys.stdout.isatty() else "\n"
    print(f"{tally.schedules:,} schedules, {tally.schedules / seconds:,.0f}/s", end=end, flush=True)


def _tell(tally: Tally, seconds: float, processes: int, *, interrupted: bool) -> int:
    rate = tally.schedules / seconds / processes
    print(f"{tally.schedules:,} schedules in {seconds:,.0f} s: {rate:,.0f} a second and process.")
    names = ("webhooks", "answers", "writes", "announced", "deaths")
    print(", ".join(f"{tally.sums[name]:,} {name}" for name in names) + ".")
    if tally.violated:
        seed, invariant, detail = tally.violated
        print(f"violated: {invariant} ({INVARIANTS[invariant]})\n{detail}")
        print(f"Its story: make simulate SEED={seed}")
        return VIOLATED
    print("Interrupted; every invariant held so far." if interrupted else "Every invariant held.")
    return INTERRUPTED if interrupted else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--schedules", type=int, help="how many, instead of how long")
    parser.add_argument("--seed", type=int, help="tell the story of this one schedule")
    parser.add_argument("--from-seed", type=int, help="the first seed (default: a fresh one)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return replay(arguments.seed)
    first = arguments.from_seed
    if first is None:
        first = int.from_bytes(os.urandom(6)) // CHUNK * CHUNK
    return simulate(
        first,
        seconds=float("inf") if arguments.schedules else arguments.seconds,
        schedules=arguments.schedules,
        processes=arguments.processes,
    )


if __name__ == "__main__":
    sys.exit(main())
