"""The rounds: each measures everything once, in an order of its own, so that a ratio is of one moment.

A figure by itself tells mostly about the machine, and on a shared one about its neighbours. So figures are
compared only within a round, and what is reported is the median of the rounds' ratios, with their quartiles.
"""

import copy
import statistics
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import split
from benchmarks.contestants import (
    OURS,
    OURS_CANCELED,
    OURS_CREATED,
    OURS_EVENTS,
    RECEIVERS,
    Contestant,
    event_for,
    is_right,
    lambda_event,
    webhook_event,
    zoom_body,
)
from benchmarks.cpu_share import WHOLE_CPU_MB, share_of
from benchmarks.execution import FunctionFailed, measure_cold, measure_warm
from benchmarks.warm import CPU, handler_of

SIZES_MB = (128, 256, 512, 1_024, WHOLE_CPU_MB)
BATCH = 10
BATCHES = tuple((name, size) for name in (OURS_CREATED, OURS_CANCELED, OURS_EVENTS) for size in (1, BATCH))

_WARM_CALLS = 200
_WARM_UP = 20

Round = dict[str, float]
"""Every figure of a round, by its key."""


def cold_key(name: str, memory_mb: int, what: str) -> str:
    """Names a figure of a cold start: `init_ms`, `first_call_ms`, `total_ms`, `cpu_ms` or `peak_mb`."""
    return f"cold/{name}/{memory_mb}/{what}"


def warm_key(name: str) -> str:
    """Names the CPU a call under the runtime client, in µs."""
    return f"warm/{name}/cpu_us"


HANDLER = "handler/webhook/cpu_us"
HANDLER_FORGED = "handler/webhook, forged/cpu_us"


def part_key(part: str) -> str:
    """Names a part of the webhook's warm call, in µs."""
    return f"part/{part}/cpu_us"


def record_key(name: str, batch: int) -> str:
    """Names the CPU a record of a batch of that size, in µs."""
    return f"handler/{name}/{batch}/record_us"


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, figures: list[float]) -> "Spread":
        if len(figures) == 1:
            return cls(figures[0], figures[0], figures[0])
        low, median, high = statistics.quantiles(figures, n=4, method="inclusive")
        return cls(low, median, high)


def figures(rounds: list[Round], key: str) -> Spread | None:
    """Returns a figure over all rounds, None where it was not measured."""
    found = [each[key] for each in rounds if key in each]
    return Spread.of(found) if found else None


def ratios(rounds: list[Round], over: str, under: str) -> Spread | None:
    """Returns the ratio of two figures of one round, over all rounds; None where one was not measured."""
    found = [each[over] / each[under] for each in rounds if over in each and under in each]
    return Spread.of(found) if found else None


class Measurement:
    """Measures round after round.

    Args:
        said: is told before each round.
    """

    def __init__(self, found: Mapping[str, Contestant], seed: int, said: Callable[[str], None]) -> None:
        self._contestants = found
        self._chance = Random(seed)  # noqa: S311 - the order of a round, from a seed that is printed
        self._said = said

    def rounds(self, number: int) -> list[Round]:
        """Returns the figures of so many rounds.

        Raises:
            FunctionFailed: a contestant did not do its work.
        """
        measured = []
        with tempfile.TemporaryDirectory(prefix="bookings-bench-") as folder:
            for each in range(1, number + 1):
                self._said(f"Round {each} of {number} …")
                measured.append(self._round(Path(folder) / "log"))
        return measured

    def _round(self, log: Path) -> Round:
        body = zoom_body()
        tasks = list(self._tasks(body, log))
        self._chance.shuffle(tasks)
        figures: Round = {}
        for task in tasks:
            figures |= task()
        return figures

    def _tasks(self, body: str, log: Path) -> Iterator[Callable[[], Round]]:
        for name, contestant in self._contestants.items():
            for memory_mb in SIZES_MB:
                yield partial(self._cold, contestant, memory_mb, body, log)
            if name in RECEIVERS:
                yield partial(self._warm, contestant, body, log)
        for name, batch in BATCHES:
            yield partial(self._records, name, batch)
        yield from (partial(task, body) for task in (self._handler, self._forged, self._parts))

    def _cold(self, contestant: Contestant, memory_mb: int, body: str, log: Path) -> Round:
        name = contestant.name
        cold = measure_cold(contestant.command, event_for(name, body), share_of(memory_mb), log)
        if not is_right(name, cold.answer):
            raise FunctionFailed(f"{name}: {str(cold.answer)[:500]}")
        whats = ("init_ms", "first_call_ms", "total_ms", "cpu_ms", "peak_mb")
        return {cold_key(name, memory_mb, what): getattr(cold, what) for what in whats}

    def _warm(self, contestant: Contestant, body: str, log: Path) -> Round:
        event = event_for(contestant.name, body)
        return {
            warm_key(contestant.name): measure_warm(contestant.command, event, _WARM_CALLS, _WARM_UP, log)
        }

    def _handler(self, body: str) -> Round:
        return {HANDLER: self._called(OURS, webhook_event(body), _answered(200))["cpu_us"]}

    def _forged(self, body: str) -> Round:
        event = webhook_event(body, forged=True)
        return {HANDLER_FORGED: self._called(OURS, event, _answered(401))["cpu_us"]}

    def _parts(self, body: str) -> Round:
        told = self._called(OURS, webhook_event(body), _answered(200), parts=split.WEBHOOK)
        rest = told["cpu_us"] - sum(told["parts_us"].values())
        return {part_key(part): took for part, took in (told["parts_us"] | {split.REST: rest}).items()}

    def _records(self, name: str, batch: int) -> Round:
        told = self._called(name, batch_of(name, batch), _recorded, calls=_WARM_CALLS // batch)
        return {record_key(name, batch): told["cpu_us"] / batch}

    def _called(
        self,
        name: str,
        event: Mapping[str, Any],
        right: Callable[[Any], bool],
        *,
        calls: int = _WARM_CALLS,
        parts: Mapping[str, list[str]] | None = None,
    ) -> dict[str, Any]:
        with handler_of(self._contestants[name], parts=parts) as handler:
            handler.call(event, CPU, max(_WARM_UP * calls // _WARM_CALLS, 1))
            told = handler.call(event, CPU, calls)
        if not right(told["answer"]):
            raise FunctionFailed(f"{name}: {str(told['answer'])[:500]}")
        return told


def _answered(status: int) -> Callable[[Any], bool]:
    return lambda answer: bool(answer["statusCode"] == status)


def _recorded(answer: Any) -> bool:
    return bool(answer == {"batchItemFailures": []})


def batch_of(name: str, size: int) -> dict[str, Any]:
    """Returns an event of so many records, each about a booking of its own."""
    (first, *_) = lambda_event(name.removeprefix("ours: "))["Records"]
    known = (
        first["dynamodb"]["Keys"]["booking_id"]["S"] if "dynamodb" in first else "woft7torlatbw8ek24bmit5k60"
    )
    records = []
    for _ in range(size):
        record = copy.deepcopy(first)
        other = uuid.uuid4().hex[: len(known)]
        if "dynamodb" in record:
            for place in (record["dynamodb"]["Keys"], record["dynamodb"]["NewImage"]):
                place["booking_id"]["S"] = other
        else:
            record["body"] = record["body"].replace(known, other)
            record["messageId"] = str(uuid.uuid4())
        records.append(record)
    return {"Records": records}
