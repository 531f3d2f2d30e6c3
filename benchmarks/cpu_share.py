"""The CPU share that Lambda gives a memory size, emulated by stopping and continuing a process.

Lambda gives one vCPU at 1,769 MB and less in proportion below ("Configure Lambda function memory" in the
Lambda developer guide, read 2026-11-25); initialization has a whole one at any size. Linux enforces such
shares as a quota of CPU time in each period, and so does this: a process that has used up its quota is
stopped until the next period. What it has used is read while it stands still, when the kernel's figure is
exact, so that waiting for a service or for a busy core is not charged.

Its limits: a stop comes some tens of microseconds late, which the next period pays back; a process that works
in several threads can overdraw the more; the length of Lambda's own period is not documented; and a call
always begins with a full quota, so that one shorter than that is not slowed at all.
"""

import contextlib
import os
import signal
import threading
import time
from types import TracebackType
from typing import Self

WHOLE_CPU_MB = 1_769
PERIOD_SECONDS = 0.020
_SETTLE_SECONDS = 0.000_05  # for a stopped process to leave its core
_SHORTEST_SECONDS = 0.000_1  # of a stretch: shorter ones would only measure signals


def share_of(memory_mb: int) -> float:
    """Returns the part of a CPU that a function of that size has."""
    return min(1.0, memory_mb / WHOLE_CPU_MB)


def cpu_seconds(pid: int) -> float:
    """Returns the CPU time of a process of ours, all its threads together; exact while it doesn't run."""
    return time.clock_gettime((~pid << 3) | 2)  # the kernel's number for the CPU clock of a process


class CPUShare:
    """Holds a process to a share of one CPU until its `with` block ends."""

    def __init__(self, pid: int, share: float) -> None:
        self._pid = pid
        self._share = share
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._hold, daemon=True)

    def __enter__(self) -> Self:
        if self._share < 1:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._share < 1:
            self._thread.join()

    def _hold(self) -> None:
        quota = self._share * PERIOD_SECONDS
        credit = 0.0
        used = cpu_seconds(self._pid)
        period_ends = time.monotonic()
        try:
            while True:
                period_ends += PERIOD_SECONDS
                credit = min(quota, credit + quota)  # unused quota is lost, an overdraft is paid back
                while credit > _SHORTEST_SECONDS and (left := period_ends - time.monotonic()) > 0:
                    os.kill(self._pid, signal.SIGCONT)
                    if self._over.wait(min(credit, left)):
                        return
                    os.kill(self._pid, signal.SIGSTOP)
                    time.sleep(_SETTLE_SECONDS)
                    now = cpu_seconds(self._pid)
                    credit -= now - used
                    used = now
                if self._over.wait(max(0.0, period_ends - time.monotonic())):
                    return
        except OSError:
            return  # it has ended
        finally:
            _continue(self._pid)


def _continue(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
