"""The targets: ratios of one run, each with what it may be at most."""

from dataclasses import dataclass

from benchmarks.contestants import DEPLOYED_MB, FASTAPI, IDIOMATIC, OURS, RIVET
from benchmarks.cpu_share import WHOLE_CPU_MB
from benchmarks.rounds import Round, Spread, cold_key, figures, ratios, warm_key

ZOOM_WAITS_MS = 3_000
REAL_LAMBDA = 2
"""How much slower than the measuring machine a Lambda is taken to be, at worst."""


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and the most that it may be.

    Attributes:
        unit: of both; empty for a ratio.
    """

    claim: str
    most: float
    measured: Spread | None
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the target; None where it was not measured."""
        return None if self.measured is None else self.measured.median <= self.most


def targets(rounds: list[Round]) -> list[Target]:
    """Returns every target with what was measured."""

    def over(other: str, what: str, memory_mb: int = WHOLE_CPU_MB) -> Spread | None:
        return ratios(rounds, cold_key(OURS, memory_mb, what), cold_key(other, memory_mb, what))

    return [
        Target("init + first call, over the usual way with Powertools", 0.35, over(IDIOMATIC, "total_ms")),
        Target("init + first call, over FastAPI + Mangum", 0.5, over(FASTAPI, "total_ms")),
        Target(
            f"first call at {DEPLOYED_MB:,} MB, over Rivet's", 1.25, over(RIVET, "first_call_ms", DEPLOYED_MB)
        ),
        Target(
            "CPU of a warm call, over the usual way's",
            0.78,
            ratios(rounds, warm_key(OURS), warm_key(IDIOMATIC)),
        ),
        Target("CPU of a warm call, over Rivet's", 1.1, ratios(rounds, warm_key(OURS), warm_key(RIVET))),
        Target("peak memory, over the usual way's", 0.84, over(IDIOMATIC, "peak_mb")),
        Target(
            f"cold start and first call at {DEPLOYED_MB:,} MB, doubled for real Lambda, of Zoom's 3 s",
            30,
            _of_zooms_patience(rounds),
            unit="%",
        ),
    ]


def _of_zooms_patience(rounds: list[Round]) -> Spread | None:
    one = figures(rounds, cold_key(OURS, DEPLOYED_MB, "total_ms"))
    if one is None:
        return None
    percent = REAL_LAMBDA / ZOOM_WAITS_MS * 100
    return Spread(one.low * percent, one.median * percent, one.high * percent)
