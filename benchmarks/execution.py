"""Runs a function in a fresh process under its runtime client, and measures it from outside.

The client asks the Runtime API for an event and posts the answer. Source: "Using the Lambda runtime API" in
the Lambda developer guide, version 2018-06-01.

Lambda gives a function one vCPU at 1,769 MB, and less in proportion below ("Configure Lambda function
memory", read 2026-11-25). Initialization has a whole one at any size. A smaller share is emulated here: a
process that has used up its quota of a period is stopped until the next period. A call begins with a full
quota.
"""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any, Self

from benchmarks.stub import Handler, Server

WHOLE_CPU_MB = 1_769
PERIOD_SECONDS = 0.020
PATIENCE_SECONDS = 60  # for a slow start on a busy machine
DEADLINE_SECONDS = 30  # of an invocation, as the function sees it

_SETTLE_SECONDS = 0.000_05  # until a stopped process has left its core
_SHORTEST_SECONDS = 0.000_1  # of a run between two stops: a shorter one would measure signals
_IDLE_SECONDS = 0.005  # until a process that asked for an event stands still

_INVOCATION = {
    "lambda-runtime-aws-request-id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
    "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:123456789012:function:function",
    "lambda-runtime-trace-id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
}


class FunctionFailed(Exception):
    """A function answered with an error or not at all. The message ends with its output."""


@dataclass(frozen=True, slots=True)
class Command:
    """The command that Lambda would run, its folder and its environment."""

    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cold:
    """Figures of a fresh process until its first answer.

    Attributes:
        init_ms: until it asked for its first event, at a whole CPU.
        first_call_ms: from then until its answer, at its CPU share.
        peak_mb: the most memory it ever held.
    """

    init_ms: float
    first_call_ms: float
    peak_mb: float
    answer: Any

    @property
    def total_ms(self) -> float:
        return self.init_ms + self.first_call_ms


def share_of(memory_mb: float) -> float:
    """Returns the part of a CPU that a function of that size has."""
    return min(1.0, memory_mb / WHOLE_CPU_MB)


def measure_cold(command: Command, event: Mapping[str, Any], share: float, log: Path) -> Cold:
    """Starts a process, and hands it one event at a CPU share.

    Raises:
        FunctionFailed: it did not answer.
    """
    with Execution(command, log) as execution:
        initialized = execution.wait_for_request()
        begun = time.perf_counter()
        with cpu_share(execution.pid, share):
            answer, answered = execution.answer_to(event)
            execution.wait_for_request()
        return Cold(
            init_ms=(initialized - execution.started) * 1000,
            first_call_ms=(answered - begun) * 1000,
            peak_mb=execution.peak_mb(),
            answer=answer,
        )


def measure_warm(command: Command, event: Mapping[str, Any], calls: int, log: Path) -> float:
    """Returns the CPU microseconds of a warm call, with the part of the runtime client.

    Raises:
        FunctionFailed: it did not answer.
    """
    begun = 0.0
    with Execution(command, log) as execution:
        execution.wait_for_request()
        for number in range(-calls // 10, calls):  # a tenth more, to warm up
            if number == 0:
                begun = execution.idle_cpu_seconds()
            execution.answer_to(event)
            execution.wait_for_request()
        return (execution.idle_cpu_seconds() - begun) / calls * 1e6


class Execution:
    """The process and its Runtime API. Both end with the `with` block.

    Attributes:
        started: the time by `time.perf_counter` right before the process was made.
    """

    started: float

    def __init__(self, command: Command, log: Path) -> None:
        self._command = command
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        self._api = _RuntimeAPI()
        threading.Thread(target=self._api.serve_forever, args=(0.05,), daemon=True).start()
        address = f"127.0.0.1:{self._api.server_address[1]}"
        with self._log.open("wb") as log:
            self.started = time.perf_counter()
            self._process = subprocess.Popen(
                self._command.arguments,
                cwd=self._command.folder,
                env={**self._command.environment, "AWS_LAMBDA_RUNTIME_API": address},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._api.events.put(b"")  # ends the thread that waits to hand over an event
        self._api.shutdown()
        self._api.server_close()

    def wait_for_request(self) -> float:
        """Waits until the process asks for an event; it is initialized then, or idle. Returns the time.

        Raises:
            FunctionFailed: it ended, or reported an error.
        """
        return self._request("/next")[0]

    def answer_to(self, event: Mapping[str, Any]) -> tuple[Any, float]:
        """Hands over an event. Returns the answer and its time.

        Raises:
            FunctionFailed: the process did not answer.
        """
        self._api.events.put(json.dumps(event).encode())
        at, body = self._request("/response")
        return json.loads(body), at

    def idle_cpu_seconds(self) -> float:
        """Returns the CPU time so far of a process that waits for an event."""
        time.sleep(_IDLE_SECONDS)
        return _cpu_seconds(self.pid)

    def peak_mb(self) -> float:
        """Returns the most memory it held. (The figure of `wait4` would include this process.)"""
        match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert match
        return int(match[1]) / 1024

    def _request(self, expected: str) -> tuple[float, bytes]:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                at, path, body = self._api.requests.get(timeout=0.5)
                break
            except Empty:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise FunctionFailed(f"no answer: {self._output()}") from None
        if not path.endswith(expected):
            raise FunctionFailed(f"{path}: {body[:500]!r} {self._output()}")
        return at, body

    def _output(self) -> str:
        return self._log.read_text(errors="replace")[-1500:]


class _RuntimeAPI(Server):
    """The Runtime API of one process.

    Attributes:
        requests: time, path and body of each request.
        events: the events to hand over, as JSON.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _RuntimeAPIHandler)
        self.requests: Queue[tuple[float, str, bytes]] = Queue()
        self.events: Queue[bytes] = Queue()


class _RuntimeAPIHandler(Handler):
    server: _RuntimeAPI

    def do_GET(self) -> None:  # noqa: N802 - the name the library calls
        self.server.requests.put((time.perf_counter(), self.path, b""))
        event = self.server.events.get()
        deadline_ms = int((time.time() + DEADLINE_SECONDS) * 1000)
        self.answer(200, event, _INVOCATION | {"lambda-runtime-deadline-ms": str(deadline_ms)})

    def do_POST(self) -> None:  # noqa: N802 - the name the library calls
        at, body = time.perf_counter(), self.read_body()
        self.answer(202, b"")
        self.server.requests.put((at, self.path, body))


@contextmanager
def cpu_share(pid: int, share: float) -> Iterator[None]:
    """Holds a process to a share of one CPU."""
    over = threading.Event()
    thread = threading.Thread(target=_hold, args=(pid, share, over), daemon=True)
    if share < 1:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if share < 1:
            thread.join()


def _hold(pid: int, share: float, over: threading.Event) -> None:
    quota, credit = share * PERIOD_SECONDS, 0.0
    period_ends = time.monotonic()
    with suppress(OSError):  # the process has ended
        used = _cpu_seconds(pid)
        while not over.is_set():
            period_ends += PERIOD_SECONDS
            credit = min(quota, credit + quota)  # unused quota is lost, an overdraft is paid back
            while credit > _SHORTEST_SECONDS and (left := period_ends - time.monotonic()) > 0:
                os.kill(pid, signal.SIGCONT)
                if over.wait(min(credit, left)):
                    return
                os.kill(pid, signal.SIGSTOP)
                time.sleep(_SETTLE_SECONDS)
                now = _cpu_seconds(pid)  # exact, because the process stands still
                credit -= now - used  # waiting for a service costs no quota
                used = now
            over.wait(max(0.0, period_ends - time.monotonic()))
        os.kill(pid, signal.SIGCONT)


def _cpu_seconds(pid: int) -> float:
    """Returns the CPU time of a process, all threads together."""
    return time.clock_gettime((~pid << 3) | 2)  # Linux's number for the CPU clock of a process
