"""Runs schedules until somebody has seen enough: `make simulate SECONDS=…`, `make simulate SEED=…`."""

import argparse
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter

import tests.conftest  # noqa: F401 - sets the environment before anything of the product is imported
from tests.simulation.world import run_chunk, run_schedule

CHUNK = 100  # schedules


def simulate(first_seed: int, seconds: float, schedules: float, processes: int) -> int:
    """Runs schedules side by side for so long, or at least so many, and prints what they met."""
    print(f"Seeds from {first_seed} on, {processes} at once. Ctrl-C ends it.", flush=True)
    started, held, met, failure = time.monotonic(), 0, Counter[str](), None
    context = multiprocessing.get_context("spawn")  # a fork would take greenlets along
    with context.Pool(processes, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        try:
            while failure is None and held < schedules and time.monotonic() - started < seconds:
                chunks = [(first_seed + held + CHUNK * number, CHUNK) for number in range(processes)]
                for count, events, shown in pool.starmap(run_chunk, chunks):
                    held, met, failure = held + count, met + events, failure or shown
        except KeyboardInterrupt:
            print("Interrupted.")
    passed = time.monotonic() - started
    for name, number in sorted(met.items()):
        print(f"{number:12,} {name}")
    print(f"{held:,} schedules in {passed:,.0f} s: {held / passed / processes:,.0f} a second and process.")
    print(failure or "Every invariant held.")
    return 1 if failure else 0


parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
parser.add_argument("--seconds", type=float, help="how long (default: 60)")
parser.add_argument("--schedules", type=int, help="how many at least, instead of how long")
parser.add_argument("--seed", type=int, help="print the timeline of this one schedule")
parser.add_argument("--from-seed", type=int, help="the first seed (default: a fresh one)")
parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)

if __name__ == "__main__":
    options = parser.parse_args()
    if options.seed is not None:
        run_schedule(options.seed, print)
        sys.exit(print(f"Seed {options.seed} holds."))
    first = int.from_bytes(os.urandom(5)) if options.from_seed is None else options.from_seed
    seconds = options.seconds or (float("inf") if options.schedules else 60.0)
    sys.exit(simulate(first, seconds, options.schedules or float("inf"), options.processes))
