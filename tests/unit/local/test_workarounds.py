"""The corrections of the emulator, and the check that it is the pinned version."""

import subprocess
import sys
from typing import Any

import pytest
from ministack.core import iam_actions, lambda_runtime
from ministack.services import lambda_svc

from local import workarounds
from local.workarounds import EmulatorError, FunctionProcesses, check_relied_on_names

FAILURES = {"batchItemFailures": [{"itemIdentifier": "3"}]}
STREAM, QUEUE = ({"Records": [{"eventSource": source}] * 2} for source in ("aws:dynamodb", "aws:sqs"))
OTHERS: list[Any] = [QUEUE, {"body": "{}"}, []]


def test_pinned_emulator_has_the_ten_names_or_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    check_relied_on_names()
    assert sum(map(len, workarounds._RELIED_ON.values())) <= 10
    monkeypatch.delattr(lambda_runtime, "ensure_spawned")
    with pytest.raises(EmulatorError, match=r"ministack\.core\.lambda_runtime\.ensure_spawned is missing"):
        check_relied_on_names()


def test_no_process_outlives_the_end_or_gets_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_runtime, "subprocess", subprocess)
    (processes := FunctionProcesses()).track()
    script = "import os, time; print(os.getsid(0) == os.getpid(), flush=True); time.sleep(600)"
    start = lambda_runtime.subprocess.Popen
    busy = start([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with busy.stdout as printed:
        assert printed.readline() == "True\n"  # a session of its own, without the terminal's Ctrl-C
        processes.kill()
    assert busy.returncode == -9
    with pytest.raises(RuntimeError, match="ending"):
        start([sys.executable, "-c", ""])


@pytest.mark.parametrize(
    ("event", "answer", "error"),
    [
        (STREAM, FAILURES, True),
        (STREAM, {"batchItemFailures": []}, None),
        (STREAM, None, None),
        *((event, FAILURES, None) for event in OTHERS),
    ],
)
def test_only_failures_of_a_stream_fail_the_invocation(
    monkeypatch: pytest.MonkeyPatch, event: Any, answer: Any, error: Any
) -> None:
    monkeypatch.setattr(lambda_svc, "_execute_function", lambda *_: {"body": answer, "log": "said"})
    workarounds.repeat_stream_batches_with_failures()
    result = lambda_svc._execute_function({}, event)
    assert (result.get("error"), result["body"], result["log"]) == (error, answer, "said")


def test_batch_call_needs_the_permission_of_a_single_call(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"sqs": "sqs:ChangeMessageVisibilityBatch", "dynamodb": "dynamodb:GetBatch"}
    monkeypatch.setattr(iam_actions, "extract_iam_action", lambda service, *_: answers[service])
    workarounds.authorize_batch_calls_of_queues()
    asked = [iam_actions.extract_iam_action(service) for service in answers]
    assert asked == ["sqs:ChangeMessageVisibility", "dynamodb:GetBatch"]
