"""Schedules of consecutive seeds, and what came of them; what the processes of a run have in common."""

import gc
import signal
from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.lambdas import handlers_in_environments
from tests.simulation.oracle import Violation
from tests.simulation.world import run_schedule

COLLECTED_AFTER = 100
"""Schedules whose garbage is small enough to wait for."""


@dataclass
class Tally:
    """What came of some schedules.

    Attributes:
        violated: seed, invariant and detail of the first that failed.
    """

    schedules: int = 0
    sums: Counter[str] = field(default_factory=Counter)
    violated: tuple[int, str, str] | None = None

    def add(self, other: "Tally") -> None:
        self.schedules += other.schedules
        self.sums.update(other.sums)
        self.violated = self.violated or other.violated


def run_schedules(first_seed: int, count: int) -> Tally:
    """Runs schedules of consecutive seeds; stops at the first that fails."""
    tally = Tally()
    gc.freeze()
    gc.disable()  # few circles are left of a schedule, and those go with others of their kind
    try:
        with handlers_in_environments():
            for seed in range(first_seed, first_seed + count):
                try:
                    report = run_schedule(seed)
                except Violation as violation:
                    tally.violated = (seed, violation.invariant, str(violation))
                    break
                tally.schedules += 1
                if tally.schedules % COLLECTED_AFTER == 0:
                    gc.collect()
                tally.sums.update(
                    webhooks=report.webhooks,
                    answers=report.answers,
                    writes=report.writes,
                    announced=report.announced,
                    deaths=report.deaths,
                    **report.met,
                    **{str(name): number for name, number in report.counts.items()},
                )
    finally:
        gc.enable()
        gc.unfreeze()
        gc.collect()
    return tally


def leave_interrupts() -> None:
    """Leaves Ctrl-C to the process that waits for this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
