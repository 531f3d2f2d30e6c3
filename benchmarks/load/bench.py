"""The bench of a load run: the stub of AWS, the generator, and a function behind its front."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks.contestants import Contestant
from benchmarks.load.deliveries import Kind, new_run
from benchmarks.load.figures import Level, level, settle
from benchmarks.load.front import HOST, PATH
from benchmarks.load.generator import Order, Sent
from benchmarks.load.process import Process, cpu_of
from benchmarks.stub import PUT_EVENTS, SEND_MESSAGE, TOKEN, Stub

MAX_PROCESSES = 32
LONG_SECONDS = 300.0  # for what ends by its number

_FRONT = "benchmarks.load.front"
_GENERATOR = "benchmarks.load.generator"
_WARM_UP = 20  # deliveries to each environment before anything is measured


@dataclass(slots=True)
class Generator:
    """Sends deliveries of one run to one address, each number once."""

    process: Process
    host: str
    port: int
    path: str
    token: str = TOKEN
    run: str = field(default_factory=new_run)
    _first: int = 0

    def send(
        self,
        connections: int,
        *,
        seconds: float = LONG_SECONDS,
        each: int | None = None,
        per_second: float | None = None,
        kind: Kind = Kind.CREATED,
    ) -> Sent:
        """Sends until so many seconds are over, or each connection has sent so many.

        Raises:
            ProcessFailed: nothing serves there.
        """
        order = Order(
            self.host,
            self.port,
            self.path,
            self.token,
            self.run,
            connections,
            seconds,
            each=each,
            per_second=per_second,
            first=self._first,
            kind=kind,
        )
        sent = Sent.from_json(self.process.ask(asdict(order)))
        self._first = max(self._first, sent.next_number)
        return sent


@contextmanager
def generator_process() -> Iterator[Process]:
    with Process(_GENERATOR, {}) as process:
        yield process


class Behind:
    """A function behind its front, with the generator in front of that."""

    def __init__(self, name: str, front: Process, generator: Generator, stub: Stub) -> None:
        self.name = name
        self.generator = generator
        self.stub = stub
        self._front = front

    def pids(self) -> list[int]:
        """Returns the processes of the function."""
        return list(self._front.ask({"do": "pids"})["pids"])

    def end_idle(self) -> None:
        """Ends the function's processes: what comes next is cold."""
        self._front.ask({"do": "end_idle"})

    def warm(self, connections: int) -> None:
        """Has a process ready for each connection, and warm."""
        self.end_idle()  # or one that is quick would answer for those that are yet to be started
        self.generator.send(connections, each=1)
        self.generator.send(connections, each=_WARM_UP)

    def measure(
        self, connections: int, seconds: float, *, per_second: float | None = None, name: str | None = None
    ) -> tuple[Level, Sent]:
        """Returns what a stretch came to. What it published has to be where it should."""
        self.stub.remember(False)
        pids = self.pids()
        kinds = {"function": pids, "front": [self._front.pid], "stub of AWS": [self.stub.pid]}
        before = {kind: cpu_of(each) for kind, each in kinds.items()}
        sent = self.generator.send(connections, seconds=seconds, per_second=per_second)
        cpu = {kind: cpu_of(each) - before[kind] for kind, each in kinds.items()}
        places = [self.stub.taken(place) for place in (PUT_EVENTS, SEND_MESSAGE)]
        ledger = settle(self.generator.run, [sent], *places)
        told = level(
            name or self.name,
            connections,
            sent,
            cpu_seconds=cpu,
            processes=len(pids),
            ledger=ledger,
        )
        return told, sent


@contextmanager
def behind(
    contestant: Contestant,
    stub: Stub,
    generator: Process,
    *,
    most: int = MAX_PROCESSES,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Behind]:
    """Starts a front for a function; both end with the block.

    Args:
        most: processes of the function at once.
        environment: variables that the function finds beside, or instead of, its own.

    Raises:
        ProcessFailed: the front did not start.
    """
    command = contestant.command
    command = replace(command, environment={**command.environment, **(environment or {})})
    with tempfile.TemporaryDirectory(prefix="bookings-load-") as logs:
        order = {
            "arguments": command.arguments,
            "folder": str(command.folder),
            "environment": command.environment,
            "logs": str(Path(logs)),
            "most": most,
        }
        with Process(_FRONT, order, in_order=True) as front:
            sending = Generator(generator, HOST, front.started["port"], PATH)
            yield Behind(contestant.name, front, sending, stub)
