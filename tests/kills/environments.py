"""Execution environments: function processes under the runtime client, each with the instant of its death.

The Runtime API is that of "Using the Lambda runtime API" in the Lambda developer guide, version 2018-06-01.
"""

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, Self

from tests.kills import wire
from tests.kills.artefact import Artefact
from tests.kills.child import PATIENCE_SECONDS, Child
from tests.kills.stack import ACCOUNT, REGION

FUNCTION_TIMEOUT_SECONDS = 10
INIT_SECONDS = 0.3  # how long a start is first thought to take; measured from then on
INVOCATION_SECONDS = 0.02

# Nothing of the host's own environment reaches a process, as nothing of a host reaches Lambda.
_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", ""),
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_LOG_GROUP_NAME": "group",
    "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "POWERTOOLS_METRICS_NAMESPACE": "ZoomSchedulerBookings/tests",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TZ": ":UTC",
}


class Moment(StrEnum):
    """Where in its life a process is killed."""

    INIT = "while it starts"
    READY = "as it asks for its first event"
    HANDED = "as it is handed an event"
    RUNNING = "while it works on an event"
    BEFORE_CALL = "before a call to AWS is applied"
    AFTER_CALL = "after a call to AWS was applied, before its answer"
    LATE_CALL = "during a call to AWS, which is applied late"
    ANSWERING = "as it answers, before Lambda has the answer"
    ANSWERED = "after its answer"
    IDLE = "while it waits for the next event"


@dataclass(frozen=True, slots=True)
class Plan:
    """How an environment ends.

    Attributes:
        number: of the event or of the call to AWS, from 1.
        fraction: of the time that takes as a rule; beyond 1 it may be over.
    """

    moment: Moment
    number: int = 1
    fraction: float = 0.0


CALLS = {Moment.BEFORE_CALL: "before", Moment.AFTER_CALL: "after", Moment.LATE_CALL: "late"}
"""How the faked AWS takes the call that ends its caller."""

_TIMED = (Moment.INIT, Moment.RUNNING, Moment.RUNNING, Moment.RUNNING, Moment.IDLE)
_EXACT = (*CALLS, *CALLS, Moment.ANSWERING, Moment.ANSWERED, Moment.HANDED, Moment.READY)


def draw(chance: Random) -> Plan:
    """Returns a plan: half of them at random times, half at exact points, so that each gets its share."""
    moment = chance.choice(_TIMED if chance.random() < 0.5 else _EXACT)
    return Plan(moment, chance.choice((1, 1, 1, 2, 2, 3)), chance.uniform(0, 1.1))


class Died(Exception):
    """The process was killed before it had answered."""


class FunctionError(Exception):
    """The function ended with an error, or not at all, without being killed: nothing here gives it cause."""


class Processes:
    """The zygote, and every environment it forked; ends with its `async with` block."""

    def __init__(self, artefact: Artefact, logs: Path) -> None:
        self._artefact = artefact
        self._logs = logs
        self._numbers = itertools.count(1)
        self._environments: dict[str, Environment] = {}
        self._zygote = Child(
            *(sys.executable, "-S", "-P", str(Path(__file__).with_name("zygote.py"))),
            cwd=artefact.folder,
            environment={
                "PATH": os.environ.get("PATH", ""),
                "PYTHONPATH": artefact.python_path,
                "PYTHONDONTWRITEBYTECODE": "1",  # its forks run on the artefact, which others measure
            },
        )
        self.seconds = {Moment.INIT: INIT_SECONDS, Moment.RUNNING: INVOCATION_SECONDS}

    async def __aenter__(self) -> Self:
        await self._zygote.__aenter__()
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        await asyncio.wait([self._listening])
        for environment in list(self._environments.values()):
            environment.close()
        await self._zygote.__aexit__()

    async def start(
        self,
        function: str,
        settings: Mapping[str, str],
        plan: Plan | None,
        *,
        fresh: bool = False,
        folder: Path | None = None,
    ) -> "Environment":
        """Starts an environment, without waiting for it.

        Args:
            fresh: whether it is an interpreter of its own instead of a fork.
            folder: holds the function's module where it is not the artefact's.
        """
        name = f"{function}-{next(self._numbers)}"
        environment = Environment(self, name, function, plan)
        self._environments[name] = environment
        address = await environment.open()
        folder = folder or self._artefact.function(function)
        variables = {
            **_ENVIRONMENT,
            "PYTHONPATH": self._artefact.python_path,
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_ACCESS_KEY_ID": name,  # by which AWS knows who calls
            "LAMBDA_TASK_ROOT": str(folder),
            "POWERTOOLS_SERVICE_NAME": function,
            **settings,
        }
        log = str(self._logs / f"{function}.log")
        self._order("start", name, folder=str(folder), environment=variables, log=log, fresh=fresh)
        return environment

    def kill(self, name: str) -> None:
        self._order("kill", name)

    def environment(self, name: str) -> "Environment | None":
        """Returns the environment of that name, None once it has ended."""
        return self._environments.get(name)

    def took(self, what: Moment, seconds: float) -> None:
        """Notes how long a start or an invocation took, for the instants of later kills."""
        self.seconds[what] += (seconds - self.seconds[what]) / 10

    def _order(self, do: str, name: str, **more: object) -> None:
        self._zygote.tell({"do": do, "id": name, **more})

    async def _listen(self) -> None:
        async for told in self._zygote.told():
            if "ended" in told and (environment := self._environments.pop(told["ended"], None)):
                environment.has_ended(told["status"])
        for environment in list(self._environments.values()):
            environment.has_ended(-1)  # with the zygote all its children end


class Environment:
    """One process and its Runtime API.

    Attributes:
        function: its name.
        invoked: how many events it was handed.
        doomed: whether it was told to die; once it has, `ended` is set.
    """

    def __init__(self, processes: Processes, name: str, function: str, plan: Plan | None) -> None:
        self._processes = processes
        self.name = name
        self.function = function
        self.plan = plan
        self.invoked = 0
        self.doomed = False
        self.ended = asyncio.Event()
        self.on_kill: Callable[[Environment], None] = lambda _environment: None
        self._started = time.monotonic()
        self._ready = False
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answer: asyncio.Future[tuple[str, Any]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._serving: set[asyncio.Task[Any]] = set()

    async def open(self) -> str:
        """Opens its Runtime API, which no other process knows; returns the address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=wire.MAX_BYTES)
        self._after(Moment.INIT, self._processes.seconds[Moment.INIT])
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    async def invoke(self, event: dict[str, Any]) -> Any:
        """Returns what the handler answered.

        Raises:
            Died: it was killed before.
            FunctionError: it ended with an error, or did not end.
        """
        if self.doomed or self.ended.is_set():
            raise Died
        if self._timer and self._is(Moment.IDLE):
            self._timer.cancel()
        self.invoked += 1
        self._answer = asyncio.get_running_loop().create_future()
        self._events.put_nowait(event)
        try:
            kind, answer = await asyncio.wait_for(self._answer, PATIENCE_SECONDS)
        except TimeoutError:
            self.kill()
            raise FunctionError(f"{self.function} did not answer in {PATIENCE_SECONDS} s") from None
        if self._timer and self._is(Moment.RUNNING):
            self._timer.cancel()
        if kind == "died":
            if not self.doomed:
                raise FunctionError(f"{self.function} ended by itself, with status {answer}")
            raise Died
        if kind != "response":
            raise FunctionError(f"{self.function} ended with an error: {json.dumps(answer)[:500]}")
        self._after(Moment.IDLE, self._processes.seconds[Moment.RUNNING])
        return answer

    @property
    def instant(self) -> str:
        """Where in its life it is; of an exact plan, which point that was."""
        if self.plan and self.plan.moment in CALLS:
            return self.plan.moment.replace("a call", f"call {self.plan.number}")
        if self.plan and self.plan.moment not in _TIMED:
            return str(self.plan.moment)
        if not self._ready:
            return str(Moment.INIT)
        return str(Moment.RUNNING if self._answer and not self._answer.done() else Moment.IDLE)

    def kill(self) -> None:
        if not self.doomed and not self.ended.is_set():
            self.doomed = True
            self.on_kill(self)
            self._processes.kill(self.name)

    def has_ended(self, status: int) -> None:
        self.ended.set()
        self.close()
        if self._answer and not self._answer.done():
            self._answer.set_result(("died", status))

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._server.close()
        for task in list(self._serving):
            task.cancel()

    def _is(self, moment: Moment, number: int | None = None) -> bool:
        return self.plan is not None and self.plan.moment is moment and number in (None, self.plan.number)

    def _after(self, moment: Moment, usual_seconds: float) -> None:
        """Kills it at its fraction of what comes now, if that is the plan."""
        number = self.invoked if moment in (Moment.RUNNING, Moment.IDLE) else None
        if self.plan and self._is(moment, number):
            delay = usual_seconds * self.plan.fraction
            self._timer = asyncio.get_running_loop().call_later(delay, self.kill)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        try:
            while True:
                request = await wire.read_request(reader)
                reply = await (self._next if request.method == "GET" else self._take)(request)
                if reply is None:
                    break  # it is being killed, and gets no answer any more
                writer.write(reply)
                await writer.drain()
                if request.method == "GET" and self._is(Moment.HANDED, self.invoked):
                    self.kill()
        except (wire.Lost, ConnectionError):
            pass
        finally:
            self._serving.discard(task)
            writer.close()

    async def _next(self, _request: wire.Request) -> bytes | None:
        if not self._ready:
            self._ready = True
            if self._is(Moment.READY):
                self.kill()
                return None
            self._processes.took(Moment.INIT, time.monotonic() - self._started)
        event = await self._events.get()
        self._handed = time.monotonic()
        self._after(Moment.RUNNING, self._processes.seconds[Moment.RUNNING])
        return wire.response(
            200,
            json.dumps(event).encode(),
            {
                "content-type": "application/json",
                "lambda-runtime-aws-request-id": f"{self.name}-{self.invoked}",
                "lambda-runtime-deadline-ms": str(int((time.time() + FUNCTION_TIMEOUT_SECONDS) * 1000)),
                "lambda-runtime-invoked-function-arn": (
                    f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function}"
                ),
            },
        )

    async def _take(self, request: wire.Request) -> bytes | None:
        if self._is(Moment.ANSWERING, self.invoked):
            self.kill()
        if self.doomed:
            return None
        kind = request.path.rpartition("/")[2]
        if kind == "response":
            self._processes.took(Moment.RUNNING, time.monotonic() - self._handed)
        if self._answer and not self._answer.done():
            self._answer.set_result((kind, json.loads(request.body)))
        if self._is(Moment.ANSWERED, self.invoked):
            self.kill()
        return wire.response(202)
