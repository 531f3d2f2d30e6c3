"""The targets: ratios of one run, each with what it may be at most."""

from dataclasses import dataclass

from benchmarks import yardsticks
from benchmarks.contestants import FLOOR, IDIOMATIC, OURS, OURS_CREATED, RIVET
from benchmarks.cpu_share import WHOLE_CPU_MB
from benchmarks.packaging import Size
from benchmarks.rounds import (
    BATCH,
    HANDLER,
    HANDLER_FORGED,
    Round,
    Spread,
    cold_key,
    figures,
    ratios,
    record_key,
    yardstick_key,
)

SMALLEST_MB = 128
ZOOM_WAITS_MS = 3_000
REAL_LAMBDA = 2
"""How much slower than the measuring machine a Lambda is taken to be, at worst."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure may be at most.

    Attributes:
        strictly: whether it must stay below, not just at, the most.
        unit: of both; empty for a ratio.
    """

    claim: str
    most: float
    measured: Spread | None
    strictly: bool = False
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the target; None where it was not measured."""
        if self.measured is None:
            return None
        return self.measured.median < self.most if self.strictly else self.measured.median <= self.most


def targets(rounds: list[Round], layer: Size) -> list[Target]:
    """Returns every target with what was measured."""
    whole, megabytes = WHOLE_CPU_MB, layer.zipped / 1_000_000
    ours, floor, idiomatic = (cold_key(name, whole, "total_ms") for name in (OURS, FLOOR, IDIOMATIC))
    at_smallest, at_whole = (cold_key(OURS, mb, "first_call_ms") for mb in (SMALLEST_MB, whole))
    return [
        Target("webhook, init + first call, over the bare floor", 5, ratios(rounds, ours, floor)),
        Target(
            "the same over the idiomatic twin as plain sam build packages it",
            1 / 6,
            ratios(rounds, ours, idiomatic),
        ),
        Target(
            "webhook, process CPU of a cold start, over Zoom's Rivet + AWS SDK bundled",
            1,
            ratios(rounds, cold_key(OURS, whole, "cpu_ms"), cold_key(RIVET, whole, "cpu_ms")),
            strictly=True,
        ),
        Target(
            "webhook, first call at the CPU share of 128 MB, over the same at 1,769 MB",
            2,
            ratios(rounds, at_smallest, at_whole),
        ),
        Target(
            "warm webhook, CPU a call, over an HMAC + compiled validation",
            10,
            ratios(rounds, HANDLER, yardstick_key(yardsticks.HMAC_AND_VALIDATION)),
        ),
        Target(
            "rejecting a forged request, CPU, over its HMAC",
            3,
            ratios(rounds, HANDLER_FORGED, yardstick_key(yardsticks.HMAC)),
        ),
        Target(
            "consumer, CPU a record in batches of ten, over one PutItem of boto3",
            1.3,
            ratios(rounds, record_key(OURS_CREATED, BATCH), yardstick_key(yardsticks.PUT_ITEM)),
        ),
        Target(
            "webhook, peak memory, over the idiomatic twin",
            0.5,
            ratios(rounds, cold_key(OURS, whole, "peak_mb"), cold_key(IDIOMATIC, whole, "peak_mb")),
        ),
        Target(
            "the layer as it is deployed, zipped",
            5,
            Spread(megabytes, megabytes, megabytes),
            strictly=True,
            unit="MB",
        ),
        Target(
            "two cold starts with first calls at 128 MB, doubled for real Lambda, of Zoom's 3 s",
            20,
            _of_zooms_patience(rounds),
            unit="%",
        ),
    ]


def _of_zooms_patience(rounds: list[Round]) -> Spread | None:
    one = figures(rounds, cold_key(OURS, SMALLEST_MB, "total_ms"))
    if one is None:
        return None
    percent = 2 * REAL_LAMBDA / ZOOM_WAITS_MS * 100
    return Spread(one.low * percent, one.median * percent, one.high * percent)
