"""One execution environment of a function: a fresh process under its runtime client, timed from outside.

The Runtime API is that of "Using the Lambda runtime API" in the Lambda developer guide, version 2018-06-01:
the client asks for the next event and posts what the handler returned. The clock runs from before the process
is made until the first byte of what it asks or posts has come; one thread serves, so that little else is
timed.
"""

import json
import os
import re
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.cpu_share import CPUShare, cpu_seconds

PATIENCE_SECONDS = 60  # for a slow start at a small share of a busy machine
FUNCTION_SECONDS = 30  # the deadline a function is told, far off: at 128 MB some take longer than Zoom waits
_IDLE_SECONDS = 0.005  # for a process to stand still after it has asked for its next event

_RECEIVE_BYTES = 1 << 16
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"


class FunctionFailed(Exception):
    """A function answered with an error, or not at all. Tells the end of its output."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a function is started: what Lambda would run, where, and with which environment."""

    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cold:
    """What a fresh process took until its first answer.

    Attributes:
        init_ms: until it asked for its first event, with a whole CPU.
        first_call_ms: from then until its answer, at its memory's share of a CPU.
        cpu_ms: of its process, user and system, until it waited for the second event.
        peak_mb: the most memory it ever held.
    """

    init_ms: float
    first_call_ms: float
    cpu_ms: float
    peak_mb: float
    answer: Any

    @property
    def total_ms(self) -> float:
        return self.init_ms + self.first_call_ms


def measure_cold(command: Command, event: Mapping[str, Any], share: float, log: Path) -> Cold:
    """Starts a process, has it answer one event at a share of a CPU, and ends it.

    Raises:
        FunctionFailed: it did not answer.
    """
    with Execution(command, log) as execution:
        execution.wait_for_request()
        init_ended = time.perf_counter()
        with CPUShare(execution.pid, share):
            answer, answered = execution.answer_to(event)
            execution.wait_for_request()
        return Cold(
            init_ms=(init_ended - execution.started) * 1000,
            first_call_ms=(answered - init_ended) * 1000,
            peak_mb=execution.peak_mb(),
            cpu_ms=execution.end() * 1000,
            answer=answer,
        )


def measure_warm(command: Command, event: Mapping[str, Any], calls: int, warm_up: int, log: Path) -> float:
    """Returns the microseconds of CPU that a process takes a call, its runtime client's included.

    Raises:
        FunctionFailed: it did not answer.
    """
    with Execution(command, log) as execution:
        execution.wait_for_request()
        for number in range(warm_up + calls):
            if number == warm_up:
                begun = execution.idle_cpu_seconds()
            execution.answer_to(event)
            execution.wait_for_request()
        return (execution.idle_cpu_seconds() - begun) / calls * 1e6


class Execution:
    """The process and its Runtime API; both end with the `with` block.

    Attributes:
        started: when it was begun to be made, by `time.perf_counter`.
    """

    started: float

    def __init__(self, command: Command, log: Path) -> None:
        self._command = command
        self._log = log
        self._buffers: dict[socket.socket, bytes] = {}
        self._waiting: socket.socket | None = None  # has asked for an event and wasn't given one yet
        self._ended = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=8)
        self._selector.register(self._listener, selectors.EVENT_READ)
        address = f"127.0.0.1:{self._listener.getsockname()[1]}"
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
        if not self._ended:
            self.end()
        for connection in [*self._buffers, self._listener]:
            connection.close()
        self._selector.close()

    def wait_for_request(self) -> None:
        """Waits until it has asked for its next event; it is initialized then, or idle.

        Raises:
            FunctionFailed: it did something else.
        """
        if self._waiting is None:
            connection, path, _ = self._request()
            if not path.endswith("/invocation/next"):
                raise FunctionFailed(f"{path}: {self._told()}")
            self._waiting = connection

    def answer_to(self, event: Mapping[str, Any]) -> tuple[Any, float]:
        """Hands over an event; returns the answer, and when it came.

        Raises:
            FunctionFailed: it did not answer.
        """
        assert self._waiting
        body = json.dumps(event).encode()
        deadline_ms = int((time.time() + FUNCTION_SECONDS) * 1000)
        head = (
            f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            "lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
            f"lambda-runtime-deadline-ms: {deadline_ms}\r\n"
            "lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\n"
            "lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;"
            "Parent=9a9197af755a6419;Sampled=1\r\n\r\n"
        )
        self._waiting.sendall(head.encode() + body)
        self._waiting = None
        connection, path, posted = self._request()
        answered = time.perf_counter()
        connection.sendall(_ACCEPTED)
        if not path.endswith("/response"):
            raise FunctionFailed(f"{path}: {posted[:500]!r} {self._told()}")
        return json.loads(posted), answered

    def idle_cpu_seconds(self) -> float:
        """Returns the CPU time so far of a process that waits for its next event."""
        time.sleep(_IDLE_SECONDS)
        return cpu_seconds(self.pid)

    def peak_mb(self) -> float:
        """Returns the most memory it held. (What `wait4` tells would include this process's own.)"""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) / 1024

    def end(self) -> float:
        """Kills it; returns the CPU seconds it took in all."""
        self._ended = True
        time.sleep(_IDLE_SECONDS)
        os.kill(self.pid, signal.SIGKILL)
        _, status, usage = os.wait4(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime

    def _told(self) -> str:
        return self._log.read_text(errors="replace")[-1500:]

    def _request(self) -> tuple[socket.socket, str, bytes]:
        """Returns the next request: its connection, path and body."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            for connection, received in self._buffers.items():
                if parsed := _parse(received):
                    path, body, length = parsed
                    self._buffers[connection] = received[length:]
                    return connection, path, body
            left = until - time.monotonic()
            ready = self._selector.select(min(1.0, left)) if left > 0 else []
            if not ready and (left <= 0 or self._process.poll() is not None):
                self._ended = self._process.returncode is not None
                raise FunctionFailed(f"no answer: {self._told()}")
            for key, _ in ready:
                self._receive(key.fileobj)

    def _receive(self, ready: Any) -> None:
        if ready is self._listener:
            connection, _ = self._listener.accept()
            connection.settimeout(PATIENCE_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._buffers[connection] = b""
            self._selector.register(connection, selectors.EVENT_READ)
        elif received := ready.recv(_RECEIVE_BYTES):
            self._buffers[ready] += received
        else:
            self._selector.unregister(ready)
            del self._buffers[ready]
            ready.close()


def _parse(received: bytes) -> tuple[str, bytes, int] | None:
    """Returns path, body and length of the first request received; None while it isn't whole."""
    head, separator, rest = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
    path = line.split(" ")[1]
    start = len(head) + len(separator)
    if headers.get("transfer-encoding") == "chunked":
        chunks = _unchunked(rest)
        return None if chunks is None else (path, chunks[0], start + chunks[1])
    length = int(headers.get("content-length", "0"))
    return (path, rest[:length], start + length) if len(rest) >= length else None


def _unchunked(rest: bytes) -> tuple[bytes, int] | None:
    """Returns a chunked body and the length it has on the wire; None while it isn't whole."""
    body, at = b"", 0
    while (end := rest.find(b"\r\n", at)) >= 0:
        size = int(rest[at:end], 16)
        following = end + 2 + size + 2
        if len(rest) < following:
            return None
        body += rest[end + 2 : end + 2 + size]
        at = following
        if size == 0:
            return body, at
    return None
