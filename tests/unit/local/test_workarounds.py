"""The corrections of the emulator, and the check that it is the version they were written for."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from ministack.core import iam_actions, lambda_runtime
from ministack.services import lambda_svc

from local.workarounds import (
    _RELIED_ON,
    EmulatorError,
    FunctionProcesses,
    authorize_batch_calls_of_queues,
    check_relied_on_names,
    repeat_stream_batches_with_failures,
)

FAILURES = {"batchItemFailures": [{"itemIdentifier": "3"}]}


def batch(source: str) -> dict[str, Any]:
    return {"Records": [{"eventSource": source}, {"eventSource": source}]}


def test_pinned_emulator_has_the_ten_names_or_fewer() -> None:
    check_relied_on_names()
    assert sum(map(len, _RELIED_ON.values())) <= 10


def test_missing_name_is_reported_with_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(lambda_runtime, "ensure_spawned")
    with pytest.raises(EmulatorError, match=r"ministack\.core\.lambda_runtime\.ensure_spawned is missing"):
        check_relied_on_names()


def test_no_process_outlives_or_follows_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_runtime, "subprocess", subprocess)
    processes = FunctionProcesses()
    processes.track()
    busy = lambda_runtime.subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    processes.kill()
    assert busy.returncode == -9
    with pytest.raises(RuntimeError, match="ending"):
        lambda_runtime.subprocess.Popen([sys.executable, "-c", ""])


def test_ctrl_c_does_not_reach_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_runtime, "subprocess", subprocess)
    processes = FunctionProcesses()
    processes.track()
    script = "import os; print(os.getsid(0) == os.getpid())"
    process = lambda_runtime.subprocess.Popen(
        [sys.executable, "-c", script], stdout=lambda_runtime.subprocess.PIPE, text=True
    )
    assert process.communicate()[0] == "True\n"
    processes.kill()


@pytest.mark.parametrize(
    ("event", "answer", "error"),
    [
        pytest.param(batch("aws:dynamodb"), FAILURES, True, id="failures of a stream"),
        pytest.param(batch("aws:dynamodb"), {"batchItemFailures": []}, None, id="no failures"),
        pytest.param(batch("aws:dynamodb"), None, None, id="no answer"),
        pytest.param(batch("aws:sqs"), FAILURES, None, id="failures of a queue"),
        pytest.param({"body": "{}"}, FAILURES, None, id="a request"),
        pytest.param([], FAILURES, None, id="no object"),
    ],
)
def test_only_failures_of_a_stream_fail_the_invocation(
    monkeypatch: pytest.MonkeyPatch, event: Any, answer: Any, error: bool | None
) -> None:
    monkeypatch.setattr(lambda_svc, "_execute_function", lambda *_: {"body": answer, "log": "said"})
    repeat_stream_batches_with_failures()
    result = lambda_svc._execute_function({}, event)
    assert (result.get("error"), result["body"], result["log"]) == (error, answer, "said")


def test_batch_call_needs_the_permission_of_the_single_call(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"sqs": "sqs:ChangeMessageVisibilityBatch", "dynamodb": "dynamodb:GetBatch"}
    monkeypatch.setattr(iam_actions, "extract_iam_action", lambda service, *_: answers[service])
    authorize_batch_calls_of_queues()
    assert iam_actions.extract_iam_action("sqs") == "sqs:ChangeMessageVisibility"
    assert iam_actions.extract_iam_action("dynamodb") == "dynamodb:GetBatch"
