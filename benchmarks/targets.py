"""The targets: ratios of one run, each with the most that it may be."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from benchmarks.contestants import DEPLOYED_MB, FASTAPI, POWERTOOLS, RIVET, WEBHOOK
from benchmarks.execution import WHOLE_CPU_MB

Figures = Mapping[str, list[float]]
"""Each figure by its name, one a round."""

ZOOM_WAITS_MS = 3_000
REAL_LAMBDA = 2
"""How much slower than the measuring machine a Lambda is taken to be, at worst."""


def cold(receiver: str, memory_mb: int, what: str) -> str:
    """Returns the name of a cold start's figure: `init_ms`, `first_call_ms`, `total_ms` or `peak_mb`."""
    return f"{receiver}: {memory_mb} MB: {what}"


def warm(receiver: str) -> str:
    """Returns the name of the CPU microseconds of a warm call."""
    return f"{receiver}: warm_us"


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, figures: list[float]) -> Self:
        if len(figures) == 1:
            return cls(figures[0], figures[0], figures[0])
        return cls(*statistics.quantiles(figures, n=4, method="inclusive"))


def ratio(figures: Figures, over: str, under: str | float) -> Spread | None:
    """Returns the spread of the rounds' ratios, or None where a figure was not measured.

    Args:
        under: the name of a figure of the same round, or a number.
    """
    if over not in figures or (isinstance(under, str) and under not in figures):
        return None
    bases = figures[under] if isinstance(under, str) else [under] * len(figures[over])
    return Spread.of([each / base for each, base in zip(figures[over], bases, strict=True)])


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio and the most that its median may be."""

    claim: str
    most: float
    over: str
    under: str | float

    def measured(self, figures: Figures) -> Spread | None:
        return ratio(figures, self.over, self.under)

    def is_met(self, figures: Figures) -> bool | None:
        """Returns whether the median meets the target, or None where it was not measured."""
        measured = self.measured(figures)
        return None if measured is None else measured.median <= self.most


def _cold(claim: str, most: float, peer: str, what: str, memory_mb: int = WHOLE_CPU_MB) -> Target:
    return Target(claim, most, cold(WEBHOOK, memory_mb, what), cold(peer, memory_mb, what))


TARGETS = (
    _cold("cold start and first call, over the usual Powertools receiver's", 0.35, POWERTOOLS, "total_ms"),
    _cold("cold start and first call, over FastAPI + Mangum's", 0.5, FASTAPI, "total_ms"),
    _cold(f"first call at {DEPLOYED_MB:,} MB, over Rivet's", 1.25, RIVET, "first_call_ms", DEPLOYED_MB),
    _cold("peak memory, over the usual Powertools receiver's", 0.84, POWERTOOLS, "peak_mb"),
    Target("CPU of a warm call, over the usual Powertools receiver's", 0.78, warm(WEBHOOK), warm(POWERTOOLS)),
    Target("CPU of a warm call, over Rivet's", 1.1, warm(WEBHOOK), warm(RIVET)),
    Target(
        f"cold start and first call at {DEPLOYED_MB:,} MB, doubled for real Lambda, over Zoom's 3 s",
        0.3,
        cold(WEBHOOK, DEPLOYED_MB, "total_ms"),
        ZOOM_WAITS_MS / REAL_LAMBDA,
    ),
)
