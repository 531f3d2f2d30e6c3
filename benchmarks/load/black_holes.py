"""The function while AWS swallows its calls: whatever hangs, each answer comes within 2.5 s.

Three holes: a request that is taken and never answered, also on a connection that has worked before; a
connection that is accepted, as by a firewall in between, on which nobody ever speaks; and a connect that
never completes.
"""

import contextlib
import socket
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from benchmarks.contestants import DEPLOYED_MB, Contestant, webhook_event, zoom_body
from benchmarks.cpu_share import share_of
from benchmarks.execution import measure_cold
from benchmarks.load.bench import Behind, behind
from benchmarks.load.deliveries import Kind
from benchmarks.load.generator import Answer
from benchmarks.load.process import Process
from benchmarks.stub import GET_SECRET, PUT_EVENTS, SEND_MESSAGE, Behaviour, Stub

ANSWER_SECONDS = 2.5  # of the contract
CONNECTIONS = (1, 8)

_EACH = 2  # deliveries on each connection
_CONNECT_SECONDS = 0.3
_FILLING = 4  # connections that fill a backlog of none, and one to spare


class Service(StrEnum):
    EVENTS = "events"
    SQS = "sqs"
    SECRETS = "secretsmanager"


class Hole(StrEnum):
    """What becomes of a call."""

    SILENT = "request taken, no answer"
    MUTE = "connection taken, no answer"
    UNREACHABLE = "connecting never completes"


class Stage(StrEnum):
    """Where in its life a process meets the hole."""

    WARM = "warm, worked before"
    FIRST = "cold, the first delivery"
    SECOND = "cold, the second"


OPERATIONS = {Service.EVENTS: PUT_EVENTS, Service.SQS: SEND_MESSAGE, Service.SECRETS: GET_SECRET}
ENDPOINTS = {
    Service.EVENTS: "AWS_ENDPOINT_URL_EVENTBRIDGE",
    Service.SQS: "AWS_ENDPOINT_URL_SQS",
    Service.SECRETS: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
}
"""The variables by which AWS's SDKs, and so the function, are told another address of one service."""

CASES: tuple[tuple[Service, ...], ...] = (
    (Service.EVENTS,),
    (Service.SQS,),
    (Service.SECRETS,),
    tuple(Service),
)


@dataclass(frozen=True, slots=True)
class Case:
    """Answers while some services were black holes.

    Attributes:
        function_seconds: the longest of an event in the function.
        total_seconds: the longest that a client waited; a process's start is in it.
    """

    hole: Hole
    services: tuple[Service, ...]
    connections: int
    stage: Stage
    statuses: Mapping[int, int]
    unanswered: int
    function_seconds: float
    total_seconds: float

    @property
    def problems(self) -> list[str]:
        late = self.function_seconds > ANSWER_SECONDS
        told = [f"an answer after {self.function_seconds:.2f} s"] if late else []
        if self.unanswered:
            told.append(f"{self.unanswered} without an answer")
        expected = expected_status(self.services, self.stage)
        wrong = {status for status in self.statuses if status != expected}
        return [*told, *(f"answered {status} instead of {expected}" for status in sorted(wrong))]


@dataclass(frozen=True, slots=True)
class ColdStart:
    """A fresh process at the deployed memory's share of a CPU, whose first delivery meets a dead bus.

    Attributes:
        in_queue: whether the queue has the delivery.
    """

    hole: Hole
    status: int
    init_ms: float
    first_call_ms: float
    in_queue: bool

    @property
    def problems(self) -> list[str]:
        told = []
        if self.first_call_ms > ANSWER_SECONDS * 1000:
            told.append(f"an answer after {self.first_call_ms:,.0f} ms")
        if self.status != 200 or not self.in_queue:  # noqa: PLR2004 - HTTP's own number for success
            told.append(f"answered {self.status}, and {'' if self.in_queue else 'not '}in the queue")
        return told


def expected_status(services: tuple[Service, ...], stage: Stage) -> int:
    """Returns what a delivery is answered; while the queues alone are dead, one bound for quarantine."""
    knows_secret = stage is Stage.WARM
    if services == (Service.EVENTS,) or (services == (Service.SECRETS,) and knows_secret):
        return 200
    return 503


def measure(function: Contestant, stub: Stub, generator: Process) -> Iterator[Case]:
    """Yields the cases, one after another."""
    for services in CASES:
        kind = Kind.UNUSABLE if services == (Service.SQS,) else Kind.CREATED
        silent = {OPERATIONS[service]: Behaviour.SILENT for service in services}
        with behind(function, stub, generator, most=max(CONNECTIONS)) as front:
            front.warm(max(CONNECTIONS))
            stub.behave(silent)
            for connections in CONNECTIONS:
                sent = front.generator.send(connections, each=_EACH, kind=kind)
                yield _case(Hole.SILENT, services, connections, Stage.WARM, sent.answers, sent.unanswered)
            stub.behave({})
        for hole in (Hole.MUTE, Hole.UNREACHABLE):
            with (
                dead_endpoints(hole, services) as environment,
                behind(function, stub, generator, most=max(CONNECTIONS), environment=environment) as front,
            ):
                yield from _cold(front, hole, services, kind)


def measure_cold_starts(function: Contestant, stub: Stub, times: int) -> Iterator[ColdStart]:
    """Yields fresh processes at the deployed memory that meet a dead bus, through each hole so many times."""
    with tempfile.TemporaryDirectory(prefix="bookings-load-") as logs:
        for hole in Hole:
            for _ in range(times):
                yield cold_start(function, stub, hole, Path(logs) / "function.log")


def cold_start(function: Contestant, stub: Stub, hole: Hole, log: Path) -> ColdStart:
    """Starts a process with a whole CPU, and has it answer at its share while the bus is dead.

    Raises:
        FunctionFailed: it did not answer.
    """
    stub.remember(False)
    command = function.command
    with dead_bus(hole, stub) as environment:
        command = replace(command, environment={**command.environment, **environment})
        cold = measure_cold(command, webhook_event(zoom_body()), share_of(DEPLOYED_MB), log)
    in_queue = sum(stub.taken(SEND_MESSAGE).values()) == 1
    return ColdStart(hole, cold.answer["statusCode"], cold.init_ms, cold.first_call_ms, in_queue)


@contextmanager
def dead_bus(hole: Hole, stub: Stub) -> Iterator[Mapping[str, str]]:
    """Makes the bus a hole; yields what the function's environment needs for that."""
    if hole is not Hole.SILENT:
        with dead_endpoints(hole, (Service.EVENTS,)) as environment:
            yield environment
        return
    stub.behave({PUT_EVENTS: Behaviour.SILENT})
    try:
        yield {}
    finally:
        stub.behave({})


@contextmanager
def dead_endpoints(hole: Hole, services: tuple[Service, ...]) -> Iterator[Mapping[str, str]]:
    """Opens addresses of that kind; yields the environment variables that send the services' calls there."""
    with ExitStack() as opened:
        environment = {}
        for service in services:
            port = opened.enter_context(_mute() if hole is Hole.MUTE else _unreachable())
            environment[ENDPOINTS[service]] = f"https://127.0.0.1:{port}"
        yield environment


@contextmanager
def _mute() -> Iterator[int]:
    """Takes connections, as the kernel does for whoever listens, and never looks at them."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        yield listener.getsockname()[1]


@contextmanager
def _unreachable() -> Iterator[int]:
    """Listens with a full queue of connections, so that the kernel leaves every further one waiting."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as opened:
        port = listener.getsockname()[1]
        for _ in range(_FILLING):
            filling = opened.enter_context(socket.socket())
            filling.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filling.connect(("127.0.0.1", port))
        try:
            socket.create_connection(("127.0.0.1", port), _CONNECT_SECONDS).close()
        except TimeoutError:
            yield port
            return
        raise OSError("this kernel takes connections beyond a full backlog")


def _cold(front: Behind, hole: Hole, services: tuple[Service, ...], kind: Kind) -> Iterator[Case]:
    for connections in CONNECTIONS:
        front.end_idle()
        sent = front.generator.send(connections, each=_EACH, kind=kind)
        for stage in (Stage.FIRST, Stage.SECOND):
            answers = [answer for answer in sent.answers if answer.cold is (stage is Stage.FIRST)]
            if answers:
                yield _case(hole, services, connections, stage, answers, sent.unanswered)


def _case(
    hole: Hole,
    services: tuple[Service, ...],
    connections: int,
    stage: Stage,
    answers: list[Answer],
    unanswered: list[int],
) -> Case:
    return Case(
        hole=hole,
        services=services,
        connections=connections,
        stage=stage,
        statuses=Counter(answer.status for answer in answers),
        unanswered=len(unanswered),
        function_seconds=max(answer.function_us for answer in answers) / 1e6,
        total_seconds=max(answer.latency_us for answer in answers) / 1e6,
    )
