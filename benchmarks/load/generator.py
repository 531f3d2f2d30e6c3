"""The load generator: signed deliveries over some connections, in one thread of a process of its own.

Closed loop: each connection sends its next delivery as soon as the last one is answered. With a pace, each
sends at its own even times, and a delivery that had to wait for the one before counts from when it was due,
so that a pause isn't told once instead of once for each delivery it held up. Nothing is sent twice: a
delivery without an answer is told as such.
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from benchmarks.load.deliveries import Deliveries, Kind
from benchmarks.load.process import say

PATIENCE_SECONDS = 60.0  # for one answer, until its connection is given up; a cold start may be one of 32
FUNCTION_HEADER = "x-function-us"
COLD_HEADER = "x-function-cold"

_RECEIVE_BYTES = 1 << 16
_TICK_SECONDS = 1.0
_MAX_FAILURES = 100  # of connections; then nothing serves there any more


class GeneratorFailed(Exception):
    """Nothing serves at the address, or not HTTP."""


class Answer(NamedTuple):
    """One answered delivery.

    Attributes:
        latency_us: from the sending of the first byte, or when that was due, to the answer's last byte.
        function_us: of it in the function, from its being handed the event to its answer; 0 if nobody said.
        cold: whether it was the first of its execution environment.
        at_seconds: since the beginning of the run.
    """

    number: int
    status: int
    latency_us: int
    function_us: int
    cold: bool
    at_seconds: float


@dataclass(frozen=True, slots=True)
class Order:
    """What to send.

    Attributes:
        seconds: when no more are sent.
        each: at most so many on each connection.
        per_second: the pace of all connections together; as fast as they are answered without.
        first: the number of the first delivery.
    """

    host: str
    port: int
    path: str
    token: str = field(repr=False)
    run: str
    connections: int
    seconds: float
    each: int | None = None
    per_second: float | None = None
    first: int = 0
    kind: Kind = Kind.CREATED


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the deliveries of an order.

    Attributes:
        unanswered: the numbers of those whose connection was closed, or silent for too long.
        cpu_seconds: that the generator took itself.
    """

    answers: list[Answer] = field(repr=False)
    unanswered: list[int]
    seconds: float
    cpu_seconds: float

    @property
    def next_number(self) -> int:
        return 1 + max([*(answer.number for answer in self.answers), *self.unanswered], default=-1)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Sent":
        answers = [Answer(*each) for each in told["answers"]]
        return cls(answers, told["unanswered"], told["seconds"], told["cpu_seconds"])


class _Connection:
    def __init__(self, left: int | None, due: float) -> None:
        self.left = left
        self.due = due
        self.number: int | None = None  # of the delivery that waits for its answer
        self.since = 0.0
        self.received = b""
        self.socket: socket.socket | None = None


class _Run:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._deliveries = Deliveries(
            f"{order.host}:{order.port}", order.path, order.token, order.run, order.kind
        )
        self._numbers = iter(range(order.first, sys.maxsize))
        self._selector = selectors.DefaultSelector()
        self._failures = 0
        self.answers: list[Answer] = []
        self.unanswered: list[int] = []

    def go(self) -> None:
        order = self._order
        self._begun = time.perf_counter()
        interval = order.connections / order.per_second if order.per_second else 0.0
        connections = [
            _Connection(order.each, self._begun + interval * place / order.connections)
            for place in range(order.connections)
        ]
        ends = self._begun + order.seconds
        try:
            while True:
                now = time.perf_counter()
                wait = _TICK_SECONDS
                for connection in connections:
                    if connection.number is None and self._may_send(connection, ends):
                        if connection.due <= now:
                            self._send(connection, interval)
                        else:
                            wait = min(wait, connection.due - now)
                if not any(connection.number is not None for connection in connections) and not any(
                    self._may_send(connection, ends) for connection in connections
                ):
                    return
                for key, _ in self._selector.select(max(0.0, wait)):
                    self._receive(key.data)
                for connection in connections:
                    if connection.number is not None and now - connection.since > PATIENCE_SECONDS:
                        self._give_up(connection)
        finally:
            for connection in connections:
                if connection.socket:
                    connection.socket.close()
            self._selector.close()

    @staticmethod
    def _may_send(connection: _Connection, ends: float) -> bool:
        return connection.left != 0 and max(connection.due, time.perf_counter()) < ends

    def _send(self, connection: _Connection, interval: float) -> None:
        if connection.socket is None:
            self._connect(connection)
        assert connection.socket
        number = next(self._numbers)
        request = self._deliveries.request(number)
        connection.number = number
        connection.since = connection.due if interval else time.perf_counter()
        connection.due += interval
        if connection.left is not None:
            connection.left -= 1
        try:
            connection.socket.sendall(request)
        except OSError:
            self._give_up(connection)

    def _connect(self, connection: _Connection) -> None:
        address = (self._order.host, self._order.port)
        try:
            connection.socket = socket.create_connection(address, PATIENCE_SECONDS)
        except OSError as error:
            raise GeneratorFailed(
                f"{address[0]}:{address[1]} takes no connection: {error.strerror}"
            ) from None
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.received = b""
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def _receive(self, connection: _Connection) -> None:
        assert connection.socket
        try:
            received = connection.socket.recv(_RECEIVE_BYTES)
        except OSError:
            received = b""
        if not received:
            self._give_up(connection)
            return
        connection.received += received
        head, separator, body = connection.received.partition(b"\r\n\r\n")
        if not separator or connection.number is None:
            return
        headers = dict(_headers(head.decode("latin-1")))
        if "content-length" not in headers:
            raise GeneratorFailed("an answer doesn't say its length")
        if len(body) < int(headers["content-length"]):
            return
        now = time.perf_counter()
        self.answers.append(
            Answer(
                connection.number,
                int(head[9:12]),
                round((now - connection.since) * 1e6),
                int(headers.get(FUNCTION_HEADER, "0")),
                COLD_HEADER in headers,
                round(now - self._begun, 3),
            )
        )
        connection.received = b""
        connection.number = None

    def _give_up(self, connection: _Connection) -> None:
        assert connection.socket
        self._selector.unregister(connection.socket)
        connection.socket.close()
        connection.socket = None
        if connection.number is None:
            return  # it idled
        self.unanswered.append(connection.number)
        connection.number = None
        self._failures += 1
        if self._failures > _MAX_FAILURES:
            raise GeneratorFailed(f"{self._failures} deliveries had no answer")


def generate(order: Order) -> Sent:
    """Sends what is ordered, and returns what became of it.

    Raises:
        GeneratorFailed: nothing serves there.
    """
    run = _Run(order)
    begun, cpu = time.perf_counter(), time.process_time()
    run.go()
    return Sent(run.answers, run.unanswered, time.perf_counter() - begun, time.process_time() - cpu)


def _headers(head: str) -> Iterator[tuple[str, str]]:
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        yield name.lower(), value.strip()


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if not order:
            say({})
            continue
        try:
            say(asdict(generate(Order(**order | {"kind": Kind(order["kind"])}))))
        except GeneratorFailed as error:
            say({"failed": str(error)})


if __name__ == "__main__":
    main()
