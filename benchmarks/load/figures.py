"""What a stretch of load comes to: latencies, answers, CPU, and whether each delivery is where it belongs."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.load.deliveries import event_id
from benchmarks.load.generator import Sent
from bookings.limits import READ_SECONDS

OK = 200


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Returns the nearest-rank percentile of ordered figures: the least that so many percent don't pass.

    Raises:
        ValueError: there are none.
    """
    if not ordered:
        raise ValueError("no figures, no percentile")
    rank = math.ceil(round(percent * len(ordered) / 100, 9))  # 99.9 % of 1,000 are 999, not a hair more
    return ordered[max(rank, 1) - 1]


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in milliseconds. Of fewer than a thousand figures p99.9 is the greatest."""

    p50: float
    p99: float
    p999: float
    most: float

    @classmethod
    def of(cls, microseconds: Iterable[int]) -> "Latency":
        ordered = sorted(each / 1000 for each in microseconds)
        return cls(
            p50=percentile(ordered, 50),
            p99=percentile(ordered, 99),
            p999=percentile(ordered, 99.9),
            most=ordered[-1],
        )


@dataclass(frozen=True, slots=True)
class Ledger:
    """Deliveries that were answered 200, held against those that were taken.

    Attributes:
        kept: how many were answered 200.
        lost: of these, the ones that nobody has.
        both_ways: those that the bus and the queue took, once each, after the function had waited for the bus
            as long as it does: what its fallback is for.
        doubled: all others that were taken more than once.
        strange: those taken and never sent.
    """

    kept: int
    lost: tuple[str, ...]
    both_ways: tuple[str, ...]
    doubled: tuple[str, ...]
    strange: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        told = {"lost": self.lost, "taken twice": self.doubled, "never sent": self.strange}
        return [f"{len(ids)} {what}, such as {ids[0]}" for what, ids in told.items() if ids]


def settle(run: str, sent: Iterable[Sent], *taken: Mapping[str, int]) -> Ledger:
    """Compares what was answered with what was taken, anywhere.

    Args:
        taken: how often each delivery was, in each place.
    """
    kept: set[str] = set()
    known: set[str] = set()
    slow: set[str] = set()
    for each in sent:
        kept |= {event_id(run, answer.number) for answer in each.answers if answer.status == OK}
        known |= {event_id(run, answer.number) for answer in each.answers}
        slow |= {
            event_id(run, answer.number)
            for answer in each.answers
            if answer.function_us >= READ_SECONDS * 1e6
        }
        known |= {event_id(run, number) for number in each.unanswered}
    total: Counter[str] = Counter()
    for place in taken:
        total.update(place)
    repeated = {name for name, times in total.items() if times > 1}
    both_ways = {
        name
        for name in repeated & slow
        if total[name] == len([each for each in taken if each.get(name) == 1])
    }
    return Ledger(
        kept=len(kept),
        lost=tuple(sorted(kept - total.keys())),
        both_ways=tuple(sorted(both_ways)),
        doubled=tuple(sorted(repeated - both_ways)),
        strange=tuple(sorted(total.keys() - known)),
    )


@dataclass(frozen=True, slots=True)
class Level:
    """A stretch of load at one number of connections.

    Attributes:
        function: the function's part of the latency; None where nobody told.
        statuses: how many answers of each.
        cpu_ms: that each kind of process took, a delivery.
        processes: execution environments at the end.
        colds: how many deliveries waited for the start of one.
        both_ways: how many are on the bus and in the queue, as the bus was too slow.
        problems: what is wrong with where the deliveries went; None where that was not asked.
    """

    name: str
    connections: int
    per_second: float
    latency: Latency
    function: Latency | None
    statuses: Mapping[int, int]
    unanswered: int
    cpu_ms: Mapping[str, float]
    processes: int
    colds: int
    both_ways: int
    problems: list[str] | None


def level(
    name: str,
    connections: int,
    sent: Sent,
    *,
    cpu_seconds: Mapping[str, float],
    processes: int = 0,
    ledger: Ledger | None = None,
    problems: list[str] | None = None,
) -> Level:
    """Returns what a stretch came to.

    Args:
        problems: where there is no ledger by which to tell them.

    Raises:
        ValueError: nothing was answered.
    """
    answers = sent.answers
    told = all(answer.function_us for answer in answers)
    cpu = {**cpu_seconds, "generator": sent.cpu_seconds}
    return Level(
        name=name,
        connections=connections,
        per_second=len(answers) / sent.seconds,
        latency=Latency.of(answer.latency_us for answer in answers),
        function=Latency.of(answer.function_us for answer in answers) if told else None,
        statuses=dict(sorted(Counter(answer.status for answer in answers).items())),
        unanswered=len(sent.unanswered),
        cpu_ms={kind: seconds / len(answers) * 1000 for kind, seconds in cpu.items()},
        processes=processes,
        colds=sum(answer.cold for answer in answers),
        both_ways=len(ledger.both_ways) if ledger else 0,
        problems=ledger.problems if ledger else problems,
    )
