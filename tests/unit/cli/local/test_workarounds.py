"""The work-arounds notice when the emulator is not the one they were made for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from ministack.core import lambda_runtime

from cli.local.workarounds import (
    EmulatorChangedError,
    WorkersThatOutliveTheEmulator,
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
