"""The rules by which the local stack delivers a table's stream, against a function that is scripted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from cli.local.stream import Answer, Bounds, Record, deliver

ACCEPTED = Answer(failed=False, body={"batchItemFailures": []})
RAISED = Answer(failed=True, body={"errorMessage": "boom"})


def record(number: int) -> Record:
    return {"dynamodb": {"SequenceNumber": str(number)}}


def records(count: int) -> list[Record]:
    return [record(number) for number in range(1, count + 1)]


def failed(*numbers: object) -> Answer:
    """The function's partial batch response that names these records."""
    return Answer(
        failed=False, body={"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}
    )


def bounds(**overrides: Any) -> Bounds:
    unbounded: dict[str, Any] = {
        "maximum_retries": None,
        "maximum_age_seconds": None,
        "bisect": False,
        "partial_failures": True,
    }
    return Bounds(**(unbounded | overrides))


@dataclass
class ScriptedReader:
    """A shard whose function answers as the test says, and which notes what happens to it."""

    answer: Callable[[list[int]], Answer]
    ages: dict[int, float] = field(default_factory=dict)
    attempts: int = 50  # a rule that never ends fails the test instead of hanging it
    invoked: list[list[int]] = field(default_factory=list)
    given_up: list[tuple[list[int], str]] = field(default_factory=list)
    done: int = 0

    def invoke(self, records: Sequence[Record]) -> Answer:
        self.invoked.append(numbers(records))
        return self.answer(self.invoked[-1])

    def advance(self, count: int) -> None:
        self.done += count

    def give_up(self, records: Sequence[Record], condition: str) -> None:
        self.given_up.append((numbers(records), condition))

    def age_seconds(self, record: Record) -> float:
        return self.ages.get(int(record["dynamodb"]["SequenceNumber"]), 0)

    def pause(self, attempt: int) -> bool:
        self.attempts -= 1
        return self.attempts > 0


def numbers(records: Sequence[Record]) -> list[int]:
    return [int(record["dynamodb"]["SequenceNumber"]) for record in records]


def in_turn(*answers: Answer) -> Callable[[list[int]], Answer]:
    remaining = iter(answers)
    return lambda _: next(remaining)


def poisoned_by(number: int) -> Callable[[list[int]], Answer]:
    return lambda batch: RAISED if number in batch else ACCEPTED


def test_a_batch_that_is_accepted_is_delivered_once_and_done() -> None:
    reader = ScriptedReader(in_turn(ACCEPTED))
    deliver(records(3), bounds(), reader)
    assert (reader.invoked, reader.done, reader.given_up) == ([[1, 2, 3]], 3, [])


def test_no_record_means_no_invocation() -> None:
    reader = ScriptedReader(in_turn())
    deliver([], bounds(), reader)
    assert (reader.invoked, reader.done) == ([], 0)


def test_after_a_partial_failure_everything_from_the_lowest_failed_record_comes_again() -> None:
    reader = ScriptedReader(in_turn(failed("4", "3"), ACCEPTED))
    deliver(records(5), bounds(), reader)
    assert (reader.invoked, reader.done) == ([[1, 2, 3, 4, 5], [3, 4, 5]], 5)


@pytest.mark.parametrize("identifier", ["", None, "99"], ids=["empty", "missing", "of no record here"])
def test_an_identifier_of_no_record_fails_the_batch_whole(identifier: object) -> None:
    reader = ScriptedReader(in_turn(failed(identifier), ACCEPTED))
    deliver(records(3), bounds(), reader)
    assert (reader.invoked, reader.done) == ([[1, 2, 3], [1, 2, 3]], 3)


def test_failures_named_by_a_function_whose_mapping_does_not_ask_for_them_mean_nothing() -> None:
    reader = ScriptedReader(in_turn(failed("2")))
    deliver(records(3), bounds(partial_failures=False), reader)
    assert (reader.invoked, reader.done) == ([[1, 2, 3]], 3)


def test_an_exception_brings_the_whole_batch_again_for_ever_without_a_bound() -> None:
    reader = ScriptedReader(in_turn(*[RAISED] * 20, ACCEPTED))
    deliver(records(2), bounds(), reader)
    assert (len(reader.invoked), reader.done, reader.given_up) == (21, 2, [])


def test_the_retries_are_bounded_and_what_fails_then_is_given_up_whole() -> None:
    reader = ScriptedReader(in_turn(*[RAISED] * 3))
    deliver(records(2), bounds(maximum_retries=2), reader)
    assert reader.invoked == [[1, 2]] * 3
    assert reader.given_up == [([1, 2], "RetryAttemptsExhausted")]
    assert reader.done == 2


def test_progress_begins_the_count_of_retries_anew() -> None:
    reader = ScriptedReader(in_turn(RAISED, failed("2"), RAISED, ACCEPTED))
    deliver(records(2), bounds(maximum_retries=1), reader)
    assert (reader.invoked, reader.given_up, reader.done) == ([[1, 2], [1, 2], [2], [2]], [], 2)


def test_bisecting_isolates_the_poison_record_and_delivers_all_others_in_order() -> None:
    reader = ScriptedReader(poisoned_by(3))
    deliver(records(4), bounds(bisect=True, maximum_retries=1), reader)
    assert reader.given_up == [([3], "RetryAttemptsExhausted")]
    assert [batch for batch in reader.invoked if 3 not in batch] == [[1, 2], [4]]
    assert reader.done == 4


def test_without_bisecting_a_poison_record_takes_its_batch_along() -> None:
    reader = ScriptedReader(poisoned_by(3))
    deliver(records(4), bounds(maximum_retries=1), reader)
    assert reader.given_up == [([1, 2, 3, 4], "RetryAttemptsExhausted")]


def test_records_past_the_maximum_age_are_given_up_and_the_younger_ones_delivered() -> None:
    reader = ScriptedReader(in_turn(ACCEPTED), ages={1: 61, 2: 60.5, 3: 60, 4: 1})
    deliver(records(4), bounds(maximum_age_seconds=60), reader)
    assert reader.given_up == [([1, 2], "MaxRecordAgeExceeded")]
    assert (reader.invoked, reader.done) == ([[3, 4]], 4)


def test_a_batch_that_grows_too_old_while_it_is_retried_is_given_up() -> None:
    reader = ScriptedReader(in_turn(RAISED), ages={1: 0})

    def age(batch: list[int]) -> Answer:
        reader.ages = {1: 61}
        return RAISED

    reader.answer = age
    deliver(records(1), bounds(maximum_age_seconds=60), reader)
    assert (reader.invoked, reader.given_up) == ([[1]], [([1], "MaxRecordAgeExceeded")])


def test_what_is_left_when_the_mapping_ends_is_not_done() -> None:
    reader = ScriptedReader(in_turn(failed("2")), attempts=1)
    deliver(records(3), bounds(), reader)
    assert (reader.invoked, reader.done, reader.given_up) == ([[1, 2, 3]], 1, [])


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({}, bounds(partial_failures=False)),
        (
            {"MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": -1, "FunctionResponseTypes": []},
            bounds(partial_failures=False),
        ),
        (
            {
                "MaximumRetryAttempts": 0,
                "MaximumRecordAgeInSeconds": 60,
                "BisectBatchOnFunctionError": "true",
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
            },
            bounds(maximum_retries=0, maximum_age_seconds=60, bisect=True),
        ),
    ],
    ids=["unset", "minus one is no bound", "set"],
)
def test_the_bounds_are_read_from_the_mapping(mapping: dict[str, Any], expected: Bounds) -> None:
    assert Bounds.of_mapping(mapping) == expected
