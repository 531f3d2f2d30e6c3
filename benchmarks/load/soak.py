"""A steady, moderate load for minutes: whether memory and latency stay as they are, and nothing is lost."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.load.bench import Behind
from benchmarks.load.figures import Latency, Level
from benchmarks.load.generator import Sent
from benchmarks.load.process import memory_mb

CONNECTIONS = 4
PER_SECOND = 100.0
SLICE_SECONDS = 10.0  # after each, memory is looked at, and each delivery is accounted for
WINDOW_SECONDS = 60.0  # of a long soak; in a short one each slice is told
SHORT_SECONDS = 300.0
WARM_UP = 0.2  # of the time, in which memory may still grow

_KB_A_MINUTE = 1_024 * 60  # in MB a second


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in MB.

    Attributes:
        after_warm_up: once a fifth of the time was over.
        samples: all of them, the first one before the load.
        kb_a_minute: by which it grew from then on, by the line through all samples.
    """

    start: float
    after_warm_up: float
    end: float
    most: float
    kb_a_minute: float
    samples: tuple[float, ...]

    @classmethod
    def of(cls, samples: list[float], seconds_apart: float) -> "Memory":
        """Returns what samples tell that were taken at even times, the first one before the load."""
        warm = samples[warm_from(len(samples)) :]
        times = [number * seconds_apart for number in range(len(warm))]
        slope = statistics.linear_regression(times, warm).slope if len(warm) > 1 else 0.0
        return cls(samples[0], warm[0], samples[-1], max(samples), slope * _KB_A_MINUTE, tuple(samples))


def warm_from(samples: int) -> int:
    """Returns the number of the first sample that is after the warm-up."""
    return max(1, round((samples - 1) * WARM_UP)) if samples > 1 else 0


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the soak."""

    from_seconds: float
    deliveries: int
    latency: Latency


@dataclass(frozen=True, slots=True)
class Soak:
    """A whole soak.

    Attributes:
        levels: its slices.
        ended: whether a process of the function ended, and with that the soak.
    """

    seconds: float
    windows: list[Window]
    memory: list[Memory]
    levels: list[Level]
    ended: bool

    @property
    def deliveries(self) -> int:
        return sum(window.deliveries for window in self.windows)

    @property
    def both_ways(self) -> int:
        return sum(level.both_ways for level in self.levels)


def soak(front: Behind, seconds: float, said: Callable[[str], None]) -> Soak:
    """Returns what a soak of about that time came to."""
    front.warm(CONNECTIONS)
    pids = front.pids()
    memory = [[memory_mb(pid)] for pid in pids]
    levels: list[Level] = []
    slices: list[Sent] = []
    ended = False
    for number in range(1, max(2, round(seconds / SLICE_SECONDS)) + 1):
        told, sent = front.measure(CONNECTIONS, SLICE_SECONDS, per_second=PER_SECOND, name="soak")
        levels.append(told)
        slices.append(sent)
        if front.pids() != pids:
            ended = True
            break
        for pid, samples in zip(pids, memory, strict=True):
            samples.append(memory_mb(pid))
        if number * SLICE_SECONDS % WINDOW_SECONDS == 0:
            said(f"… {number * SLICE_SECONDS:.0f} s of {seconds:.0f}")
    window = WINDOW_SECONDS if seconds >= SHORT_SECONDS else SLICE_SECONDS
    return Soak(
        seconds=len(slices) * SLICE_SECONDS,
        windows=list(windows_of(slices, round(window / SLICE_SECONDS))),
        memory=[Memory.of(samples, SLICE_SECONDS) for samples in memory],
        levels=levels,
        ended=ended,
    )


def windows_of(slices: list[Sent], size: int) -> Iterator[Window]:
    """Yields the soak in windows of so many slices."""
    for first in range(0, len(slices), size):
        answers = [answer for sent in slices[first : first + size] for answer in sent.answers]
        latency = Latency.of(answer.latency_us for answer in answers)
        yield Window(first * SLICE_SECONDS, len(answers), latency)
