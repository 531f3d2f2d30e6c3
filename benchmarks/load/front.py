"""What stands for API Gateway and Lambda under load: HTTP in front, execution environments behind.

`POST /webhooks/zoom` becomes an event of the HTTP API (payload format 2.0), which one environment answers,
one at a time; where all are busy another one is started, up to a bound, and kept. What comes beyond that is
refused with 503. Each answer says what of its time passed in the function; the rest is this front's, and the
machine's. It runs in a process of its own, `python -m benchmarks.load.front`, so that its CPU is told apart.
"""

import base64
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.contestants import lambda_event
from benchmarks.execution import Command, Execution, FunctionFailed
from benchmarks.load.generator import COLD_HEADER, FUNCTION_HEADER
from benchmarks.load.process import say

HOST = "127.0.0.1"
PATH = "/webhooks/zoom"
MAX_CONNECTIONS = 256
MAX_HEAD_BYTES = 1 << 16

_NOT_FOUND = {"statusCode": 404, "body": '{"message":"Not Found"}'}
_BUSY = {"statusCode": 503, "body": '{"message":"Service Unavailable"}'}
_FAILED = {"statusCode": 500, "body": '{"message":"Internal Server Error"}'}


class Environment(Protocol):
    """One execution environment; used by one thread at a time."""

    @property
    def pid(self) -> int: ...

    def wait_for_request(self) -> None: ...

    def answer_to(self, event: Mapping[str, Any]) -> tuple[Any, float]: ...

    def end(self) -> object: ...

    def close(self) -> None: ...


class FunctionProcess(Execution):
    """An environment that is a process under the runtime client."""

    def close(self) -> None:
        """Ends it and its Runtime API."""
        self.__exit__(None, None, None)


class AllBusy(Exception):
    """As many environments as may be have work. Lambda would throttle, and the gateway answer 503."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """An event that was answered.

    Attributes:
        seconds: from its being handed over to its answer.
        cold: whether it was the first of its environment.
    """

    answer: Any
    seconds: float
    cold: bool


class Environments:
    """The environments of one function: as many as are needed at once, at most so many."""

    def __init__(self, start: Callable[[int], Environment], most: int) -> None:
        self._start = start
        self._most = most
        self._lock = threading.Lock()
        self._count = 0
        self._numbers = 0
        self._idle: list[Environment] = []
        self._all: list[Environment] = []

    @property
    def pids(self) -> list[int]:
        with self._lock:
            return [environment.pid for environment in self._all]

    def invoke(self, event: Mapping[str, Any]) -> Invocation:
        """Has an idle environment answer, the one used last, or a new one.

        Raises:
            AllBusy: there may be no more.
            FunctionFailed: it did not answer; it is ended.
        """
        environment = self._take()
        cold = environment is None
        environment = environment or self._started()
        try:
            # One that has just answered may still have to ask for its next event.
            environment.wait_for_request()
            handed = time.perf_counter()
            answer, answered = environment.answer_to(event)
        except BaseException:
            self._forget(environment)
            raise
        with self._lock:
            self._idle.append(environment)
        return Invocation(answer, answered - handed, cold)

    def end_idle(self) -> None:
        """Ends those that have no work: what comes next is cold."""
        with self._lock:
            idle, self._idle = self._idle, []
        for environment in idle:
            self._forget(environment)

    def end(self) -> None:
        """Ends all, whatever they do."""
        with self._lock:
            ended, self._all, self._idle = self._all, [], []
            self._most = 0
        for environment in ended:
            environment.end()

    def _take(self) -> Environment | None:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if self._count >= self._most:
                raise AllBusy
            self._count += 1
            return None

    def _started(self) -> Environment:
        with self._lock:
            self._numbers += 1
            number = self._numbers
        try:
            environment = self._start(number)
        except BaseException:
            with self._lock:
                self._count -= 1
            raise
        with self._lock:
            self._all.append(environment)
        return environment

    def _forget(self, environment: Environment) -> None:
        with self._lock:
            self._count -= 1
            known = environment in self._all
            if known:
                self._all.remove(environment)
        if known:
            environment.close()


class Front:
    """Serves a function's environments over HTTP/1.1, a thread a connection."""

    def __init__(self, environments: Environments) -> None:
        self._environments = environments
        self._event = lambda_event("webhook")
        self._listener = socket.create_server((HOST, 0), backlog=MAX_CONNECTIONS)
        self.port: int = self._listener.getsockname()[1]
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            self._slots.acquire()
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            for line, headers, body in requests_of(connection):
                connection.sendall(self._answer(line, headers, body))
        except OSError:
            pass  # the other side has gone
        finally:
            connection.close()
            self._slots.release()

    def _answer(self, line: str, headers: dict[str, str], body: bytes) -> bytes:
        if line != f"POST {PATH} HTTP/1.1":
            return _response(_NOT_FOUND, {})
        try:
            invocation = self._environments.invoke(self.event_of(headers, body))
        except AllBusy:
            return _response(_BUSY, {})
        except FunctionFailed:
            return _response(_FAILED, {})
        told = {FUNCTION_HEADER: str(round(invocation.seconds * 1e6))}
        if invocation.cold:
            told[COLD_HEADER] = "1"
        return _response(invocation.answer, told)

    def event_of(self, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        """Returns a request as the HTTP API hands it over: bytes that are no text come in base64."""
        now = time.time()
        context = self._event["requestContext"] | {
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        }
        try:
            told = {"body": body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            told = {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        return self._event | {"headers": headers, "requestContext": context} | told


def requests_of(connection: socket.socket) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Yields the requests of a connection until it is closed: first line, headers, body."""
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            more = connection.recv(MAX_HEAD_BYTES)
            if not more or len(received) > MAX_HEAD_BYTES:
                return
            received += more
        head, _, received = received.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        length = int(headers.get("content-length", "0"))
        while len(received) < length:
            more = connection.recv(MAX_HEAD_BYTES)
            if not more:
                return
            received += more
        yield line, headers, received[:length]
        received = received[length:]


def _response(answer: Mapping[str, Any], told: Mapping[str, str]) -> bytes:
    """Returns what the HTTP API makes of a function's answer."""
    text = answer.get("body") or ""
    body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    headers = {"content-type": "application/json"} | dict(answer.get("headers", {})) | dict(told)
    lines = [f"HTTP/1.1 {answer['statusCode']} -", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def main() -> None:
    order = json.loads(sys.stdin.readline())
    command = Command(tuple(order["arguments"]), Path(order["folder"]), order["environment"])

    def start(number: int) -> Environment:
        return FunctionProcess(command, Path(order["logs"]) / f"{number}.log").__enter__()

    environments = Environments(start, order["most"])
    front = Front(environments)
    front.start()
    say({"port": front.port})
    try:
        for line in sys.stdin:
            if json.loads(line)["do"] == "end_idle":
                environments.end_idle()
            say({"pids": environments.pids})
    finally:
        front.close()
        environments.end()


if __name__ == "__main__":
    main()
