"""The work-arounds: what they mend, and that they notice another emulator than they were made for."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
from ministack.core import iam_actions, lambda_runtime
from ministack.services import dynamodb, lambda_svc

from cli.local.workarounds import (
    EmulatorChangedError,
    StreamFailures,
    WorkersThatOutliveTheEmulator,
    batch_calls_that_ask_for_a_permission_of_their_own,
    check_that_the_emulator_is_the_one_we_know,
)


def test_the_pinned_emulator_has_every_name_relied_on() -> None:
    check_that_the_emulator_is_the_one_we_know()


def test_a_name_that_is_gone_is_told_with_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(lambda_runtime, "ensure_spawned")
    with pytest.raises(
        EmulatorChangedError, match=r"ministack\.core\.lambda_runtime\.ensure_spawned is not there"
    ):
        check_that_the_emulator_is_the_one_we_know()


def test_no_worker_outlives_the_end_and_none_starts_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_runtime, "subprocess", subprocess)
    workers = WorkersThatOutliveTheEmulator()
    workers.mend()
    busy = lambda_runtime.subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    workers.end()
    assert busy.returncode == -9
    with pytest.raises(RuntimeError, match="ending"):
        lambda_runtime.subprocess.Popen([sys.executable, "-c", ""])


def test_a_worker_has_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lambda_runtime, "subprocess", subprocess)
    workers = WorkersThatOutliveTheEmulator()
    workers.mend()
    script = "import os; print(os.getsid(0) == os.getpid())"
    worker = lambda_runtime.subprocess.Popen(
        [sys.executable, "-c", script], stdout=lambda_runtime.subprocess.PIPE, text=True
    )
    assert worker.communicate()[0] == "True\n"
    workers.end()


TABLE = "bookings"
STREAM = f"arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}/stream/1"


class Emulated:
    """A table's stream, and a function mapped to it, inside the emulator's own modules, without a server.

    `answers` are the function's, one an invocation; when they are used up it accepts everything.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any], **mapping: Any) -> None:
        self.records = [
            {
                "eventName": "MODIFY",
                "dynamodb": {"SequenceNumber": str(number), "ApproximateCreationDateTime": time.time()},
            }
            for number in range(1, 6)
        ]
        self.mapping = {
            "UUID": "mapping",
            "FunctionName": "booking-events",
            "EventSourceArn": STREAM,
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 5,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "DestinationConfig": {},
        } | mapping
        self.invoked: list[list[str]] = []
        self.given_up: list[tuple[list[str], str]] = []
        self._answers = list(answers)
        monkeypatch.setattr(dynamodb, "_tables", {TABLE: {"LatestStreamArn": STREAM}})
        monkeypatch.setattr(dynamodb, "stream_start_position", lambda _: 100)
        monkeypatch.setattr(dynamodb, "stream_end_position", lambda _: 100 + len(self.records))
        monkeypatch.setattr(dynamodb, "stream_records_since", self._since)
        monkeypatch.setattr(
            lambda_svc, "_iter_all_esms", lambda: [("000000000000", "us-east-1", self.mapping)]
        )
        monkeypatch.setattr(lambda_svc, "_esms", {"mapping": self.mapping})
        monkeypatch.setattr(lambda_svc, "_esm_inflight", {})
        monkeypatch.setattr(lambda_svc, "_dynamodb_stream_positions", {})
        monkeypatch.setattr(lambda_svc, "_get_func_record_for_qualifier", lambda *_: ({"config": {}}, {}))
        monkeypatch.setattr(lambda_svc, "_dispatch_esm_batch", lambda _, deliver: deliver())
        monkeypatch.setattr(lambda_svc, "_execute_function", self._execute)
        monkeypatch.setattr(lambda_svc, "_send_ddb_stream_failure_record", self._give_up)
        monkeypatch.setattr(lambda_svc, "_poll_dynamodb_streams", lambda_svc._poll_dynamodb_streams)
        self.failures = StreamFailures()
        self.failures.mend()

    def poll(self) -> bool:
        return bool(lambda_svc._poll_dynamodb_streams())

    @property
    def position(self) -> int | None:
        """Where the next batch begins."""
        position: int | None = lambda_svc._dynamodb_stream_positions.get("mapping")
        return position

    def _since(self, _table: str, position: int, limit: int) -> list[dict[str, Any]]:
        return self.records[position - 100 :][:limit]

    def _execute(self, _function: object, event: dict[str, Any]) -> dict[str, Any]:
        self.invoked.append([record["dynamodb"]["SequenceNumber"] for record in event["Records"]])
        return self._answers.pop(0) if self._answers else {"body": {"batchItemFailures": []}}

    def _give_up(self, _mapping: object, _function: object, records: Any, *rest: Any) -> None:
        self.given_up.append(([record["dynamodb"]["SequenceNumber"] for record in records], rest[-1]))


def test_a_stream_goes_on_behind_what_was_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    emulated = Emulated(monkeypatch, BatchSize=3)
    assert emulated.poll()
    assert emulated.position == 103
    assert emulated.poll()
    assert not emulated.poll()
    assert (emulated.invoked, emulated.position) == ([["1", "2", "3"], ["4", "5"]], 105)


def test_after_a_partial_failure_no_record_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    emulated = Emulated(monkeypatch, {"body": {"batchItemFailures": [{"itemIdentifier": "3"}]}})
    emulated.poll()
    assert (emulated.invoked, emulated.position) == ([["1", "2", "3", "4", "5"], ["3", "4", "5"]], 105)


def test_a_record_that_raises_for_ever_is_told_to_the_destination_and_the_stream_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emulated = Emulated(monkeypatch, {"error": True, "body": {}}, MaximumRetryAttempts=0, BatchSize=1)
    emulated.poll()
    assert (emulated.given_up, emulated.position) == ([(["1"], "RetryAttemptsExhausted")], 101)


def test_what_the_filter_drops_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    emulated = Emulated(monkeypatch, FilterCriteria={"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]})
    emulated.records[1]["eventName"] = "INSERT"
    emulated.poll()
    assert (emulated.invoked, emulated.position) == ([["2"]], 105)


def test_a_batch_that_the_filter_drops_whole_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    emulated = Emulated(monkeypatch, FilterCriteria={"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]})
    assert emulated.poll()
    assert (emulated.invoked, emulated.position) == ([], 105)


def test_a_stream_read_from_its_end_begins_behind_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    emulated = Emulated(monkeypatch, StartingPosition="LATEST")
    assert not emulated.poll()
    assert (emulated.invoked, emulated.position) == ([], 105)


@pytest.mark.parametrize("busy", [True, False], ids=["a batch is under way", "the mapping is switched off"])
def test_nothing_is_read_while(monkeypatch: pytest.MonkeyPatch, busy: bool) -> None:
    emulated = Emulated(monkeypatch, Enabled=busy)
    lambda_svc._esm_inflight = {"mapping": 1} if busy else {}
    assert not emulated.poll()
    assert emulated.invoked == []


def test_a_mapping_that_is_switched_off_while_it_fails_keeps_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emulated = Emulated(monkeypatch)

    def switch_off(*_: object) -> dict[str, Any]:
        again, emulated.mapping["Enabled"] = not emulated.mapping.get("Enabled", True), False
        return {"body": {"batchItemFailures": [] if again else [{"itemIdentifier": "2"}]}}

    monkeypatch.setattr(lambda_svc, "_execute_function", switch_off)
    emulated.poll()
    assert emulated.position == 101


def test_the_end_of_the_emulator_ends_the_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    emulated = Emulated(monkeypatch, *[{"error": True, "body": {}}] * 3)
    emulated.failures.end()
    assert not emulated.poll()
    assert emulated.invoked == []


def test_a_batch_call_of_a_queue_asks_for_the_single_calls_permission(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = {"sqs": "sqs:ChangeMessageVisibilityBatch", "dynamodb": "dynamodb:GetBatch"}
    monkeypatch.setattr(iam_actions, "extract_iam_action", lambda service, *_: answers[service])
    batch_calls_that_ask_for_a_permission_of_their_own()
    assert iam_actions.extract_iam_action("sqs") == "sqs:ChangeMessageVisibility"
    assert iam_actions.extract_iam_action("dynamodb") == "dynamodb:GetBatch"
