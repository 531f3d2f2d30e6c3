"""A stream's records, given to a function as Lambda does: in order, retried, bisected, bounded.

Only the rules, without emulator or clock, so that they can be tried record by record.
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html, read in November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a mapping says about failures. `None` is no bound, Lambda's -1."""

    maximum_retries: int | None
    maximum_age_seconds: float | None
    bisect: bool
    partial_failures: bool

    @classmethod
    def of_mapping(cls, mapping: Mapping[str, Any]) -> Bounds:
        """Reads them from an event source mapping as the API describes one."""
        return cls(
            maximum_retries=_bound(mapping.get("MaximumRetryAttempts")),
            maximum_age_seconds=_bound(mapping.get("MaximumRecordAgeInSeconds")),
            bisect=str(mapping.get("BisectBatchOnFunctionError")).lower() == "true",
            partial_failures="ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ()),
        )


def _bound(value: object) -> int | None:
    number = -1 if value is None else int(str(value))
    return None if number < 0 else number


@dataclass(frozen=True, slots=True)
class Answer:
    """What an invocation came to: the function's response, or that it failed."""

    failed: bool
    body: Any = None


class Reader(Protocol):
    """The shard a batch came from, and the function it goes to."""

    def invoke(self, records: Sequence[Record]) -> Answer: ...

    def advance(self, count: int) -> None:
        """The next `count` records are done with, delivered or given up."""

    def give_up(self, records: Sequence[Record], condition: str) -> None:
        """Tells the on-failure destination."""

    def age_seconds(self, record: Record) -> float: ...

    def pause(self, attempt: int) -> bool:
        """Waits before the next attempt. False when there is none, as the mapping or the emulator ends."""


def deliver(records: Sequence[Record], bounds: Bounds, reader: Reader) -> None:
    """Delivers a batch until each record was accepted or given up, in order.

    Returns early, what is left not advanced over, when `pause` says so.
    """
    batches = [(records, 0)] if records else []  # the next one last, each with its retries so far
    while batches:
        batch, retries = batches.pop()
        expired = _expired(batch, bounds, reader)
        if expired:
            reader.give_up(batch[:expired], "MaxRecordAgeExceeded")
            reader.advance(expired)
            if expired < len(batch):
                batches.append((batch[expired:], retries))
            continue
        done = _accepted(batch, reader.invoke(batch), bounds)
        reader.advance(done)
        if done == len(batch):
            continue
        rest = batch[done:]
        if not done and bounds.bisect and len(rest) > 1:
            middle = (len(rest) + 1) // 2
            batches += [(rest[middle:], retries), (rest[:middle], retries)]
        elif not done and bounds.maximum_retries is not None and retries >= bounds.maximum_retries:
            reader.give_up(rest, "RetryAttemptsExhausted")
            reader.advance(len(rest))
            continue
        else:
            retries = 0 if done else retries + 1
            batches.append((rest, retries))
        if not reader.pause(retries):
            return


def _expired(batch: Sequence[Record], bounds: Bounds, reader: Reader) -> int:
    """How many records at the head are too old to be delivered; they are in order of age."""
    maximum = bounds.maximum_age_seconds
    if maximum is None:
        return 0
    for position, record in enumerate(batch):
        if reader.age_seconds(record) <= maximum:
            return position
    return len(batch)


def _accepted(batch: Sequence[Record], answer: Answer, bounds: Bounds) -> int:
    """How many records from the head on are done: all before the lowest that failed.

    An identifier that is empty, missing or no record of the batch fails the batch whole, as on AWS.
    """
    if answer.failed:
        return 0
    if not bounds.partial_failures or not isinstance(answer.body, Mapping):
        return len(batch)
    failures = answer.body.get("batchItemFailures") or []
    positions = {record["dynamodb"]["SequenceNumber"]: index for index, record in enumerate(batch)}
    lowest = len(batch)
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, Mapping) else None
        lowest = min(lowest, positions.get(identifier, 0))
    return lowest
