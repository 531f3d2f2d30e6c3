"""Functions as Lambda runs them: execution environments that start cold, stay warm, run out of time and die.

Each environment holds what the product's own `bootstrap` puts together. Only the boto3 clients and the clock
below it are the simulation's. The webhook's `prepare` is left out: its first request then reads the secrets
within its own deadline, which is harder.
"""

import inspect
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from random import Random
from types import SimpleNamespace
from typing import Any, Protocol
from unittest.mock import patch

from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from greenlet import getcurrent

from bookings import batch, bootstrap, envelope
from bookings.aws import table
from bookings.counts import Count
from bookings.limits import CONNECT_SECONDS, READ_SECONDS
from bookings.use_cases import receive, record
from bookings.zoom import body, delivery
from tests.aws.client import StrictClient
from tests.aws.errors import AWSError
from tests.cold_start import load_app
from tests.simulation.stack import CANCELED, CREATED, Stack, function_settings
from tests.simulation.timeline import Task, Timeline
from tests.simulation.weather import Fate, Trouble, Weather

WEBHOOK = "Webhook"
EVENTS = "BookingEvents"

REMEMBERED = 200
"""Texts and bodies: those of a few schedules."""

_ENTRIES = {"PutEvents": "Entries", "ChangeMessageVisibilityBatch": "Entries"}

type _Failure = AWSError | BotoCoreError


class Tracer(Protocol):
    def __call__(self, who: str, what: str) -> None:
        """Notes what happens now."""


class Surroundings:
    """What the environments of one schedule have in common.

    Attributes:
        applied: is told of each call that a service has done, with its answer.
        deaths: processes that died in the middle.
    """

    def __init__(
        self, timeline: Timeline, random: Random, weather: Weather, stack: Stack, trace: Tracer | None
    ) -> None:
        self.timeline = timeline
        self.random = random
        self.weather = weather
        self.stack = stack
        self.trace = trace
        self.applied: Callable[[str, Mapping[str, Any], dict[str, Any]], None] = lambda *_: None
        self.counts: dict[Count, int] = {}
        self.deaths = 0

    def count(self, name: Count) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1
        if self.trace:
            self.trace("metric", str(name))

    def log(self, message: str, *, extra: dict[str, Any]) -> None:
        if self.trace:
            self.trace("log", f"{message} {extra}")


class Environment:
    """One execution environment of a function.

    Attributes:
        name: function and number, as a trace tells it.
        busy: it runs an invocation.
    """

    def __init__(self, surroundings: Surroundings, function: str, number: int, settings: dict[str, str]):
        self.surroundings = surroundings
        self.name = f"{function}#{number}"
        self.busy = False
        self.alive = True
        self.deadline = 0.0
        self._handler = _HANDLERS[function]
        self._tasks: list[Task] = []
        self.product = _put_together(self, function, settings)

    def run(self, event: dict[str, Any]) -> Any:
        """Runs the handler; called by a task of this environment."""
        return self._handler(event, self)

    def get_remaining_time_in_millis(self) -> int:  # Lambda's name for it
        return max(0, int((self.deadline - self.surroundings.timeline.seconds) * 1000))

    def spawn(self, code: Callable[[], Any]) -> "EnvironmentTask":
        """Starts a task that lives no longer than this environment."""
        task = EnvironmentTask(self, code)
        if len(self._tasks) > 8:
            self._tasks = [each for each in self._tasks if not each.ended]
        self._tasks.append(task)
        self.surroundings.timeline.after(0.0, task.resume)
        return task

    def die(self) -> None:
        """Ends the environment with all that runs in it, as SIGKILL would."""
        if not self.alive:
            return
        self.alive = False
        self.surroundings.deaths += self.busy
        if self.surroundings.trace:
            self.surroundings.trace(self.name, "dies")
        current = getcurrent()
        for task in self._tasks:
            if task is not current:
                task.kill()
        for task in self._tasks:
            if task is current:
                task.kill()

    def take_apart(self) -> None:
        """Lets go of all that refers to each other; of no use afterwards."""
        for task in self._tasks:
            vars(task).clear()
        vars(self).clear()

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────

    def call(
        self, service: str, operation: str, parameters: Mapping[str, Any], *, timeout: float, attempts: int
    ) -> dict[str, Any]:
        """Makes a call as boto3 would: bounded attempts, each bounded in time."""
        around = self.surroundings
        if around.weather.strikes():
            self.die()
        for attempt in range(1, attempts + 1):
            fate = around.weather.fate(service, around.timeline.seconds)
            outcome = self._attempt(service, operation, parameters, timeout, fate)
            if not isinstance(outcome, Exception):
                break
            if around.trace:
                around.trace(self.name, f"{operation}: {outcome}")
            if attempt == attempts or not _tried_again(outcome):
                break
            around.timeline.pause(around.random.random() * 2 ** (attempt - 1))
        if around.weather.strikes():
            self.die()
        if not isinstance(outcome, Exception):
            return outcome
        try:
            raise outcome
        finally:
            del outcome  # or the error and the frames it tells of would hold each other

    def _attempt(
        self, service: str, operation: str, parameters: Mapping[str, Any], timeout: float, fate: Fate
    ) -> dict[str, Any] | _Failure:
        around, trouble = self.surroundings, fate.trouble
        if around.trace:
            around.trace(self.name, f"{operation} …" + (f" ({trouble})" if trouble else ""))
        if trouble in _NEVER_ARRIVES:
            around.timeline.pause(timeout if trouble is Trouble.SILENT else fate.before_seconds)
            return _failure(trouble, service)
        # On its way, the request is nobody's any more: it arrives even if the caller dies.
        answers: list[dict[str, Any] | AWSError] = []

        def arrive() -> None:
            answers.append(self._apply(service, operation, parameters, trouble))

        around.timeline.after(fate.before_seconds, arrive)
        if trouble is Trouble.LOST or fate.before_seconds + fate.after_seconds > timeout:
            around.timeline.pause(timeout)
            return _failure(Trouble.LOST, service)
        around.timeline.pause(fate.before_seconds + fate.after_seconds)
        if trouble in _DONE_BUT_FAILED:
            return _failure(trouble, service)
        return answers.pop()

    def _apply(
        self, service: str, operation: str, parameters: Mapping[str, Any], trouble: Trouble | None
    ) -> dict[str, Any] | AWSError:
        """Lets the service do what it was asked, or a part of it."""
        around = self.surroundings
        entries = _ENTRIES.get(operation)
        failing: list[int] = []
        if trouble is Trouble.PARTLY and entries:
            count = len(parameters[entries])
            failing = [number for number in range(count) if around.random.random() < 0.5]
            kept = [each for number, each in enumerate(parameters[entries]) if number not in failing]
            parameters = {**parameters, entries: kept}
        try:
            answer: dict[str, Any] = (
                around.stack.services[service].call(operation, parameters)
                if not entries or parameters[entries]
                else {"FailedEntryCount": 0, "Entries": [], "Successful": [], "Failed": []}
            )
        except AWSError as error:
            return error.with_traceback(None)  # which would hold the list it is put in
        around.applied(operation, parameters, answer)
        return _with_failures(operation, answer, failing) if failing else answer


class EnvironmentTask(Task):
    """A task of an environment; what it asks for the product's own parts is found by it."""

    def __init__(self, environment: Environment, code: Callable[[], Any]) -> None:
        super().__init__(environment.surroundings.timeline, code)
        self.environment = environment


class SimulatedClient(StrictClient):
    """A boto3 client of an environment, whose calls have the weather's fate."""

    def __init__(self, environment: Environment, service: str, read_seconds: float, attempts: int) -> None:
        super().__init__(service, environment.surroundings.stack.services[service])
        self._environment = environment
        self._timeout_seconds = CONNECT_SECONDS + read_seconds
        self._attempts = attempts

    def _invoke(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return self._environment.call(
            self._service_name,
            operation,
            parameters,
            timeout=self._timeout_seconds,
            attempts=self._attempts,
        )


_DONE_BUT_FAILED = (Trouble.FAILED_AFTER, Trouble.HUNG_UP_AFTER)
_NEVER_ARRIVES = {*Trouble} - {Trouble.SLOW, Trouble.LOST, Trouble.PARTLY, *_DONE_BUT_FAILED}


def _failure(trouble: Trouble | None, service: str) -> _Failure:
    """Returns what comes of a trouble: a refusal, or what botocore raises."""
    match trouble:
        case Trouble.THROTTLED:
            return AWSError("ThrottlingException", "simulated")
        case Trouble.DENIED:
            return AWSError("AccessDeniedException", "simulated")
        case Trouble.FAILED | Trouble.FAILED_AFTER:
            return AWSError("InternalFailure", "simulated", status=500)
        case Trouble.UNREACHABLE:
            return EndpointConnectionError(endpoint_url=service)
        case Trouble.SILENT | Trouble.LOST:
            return ReadTimeoutError(endpoint_url=service)
        case _:
            return ConnectionClosedError(endpoint_url=service)


def _tried_again(failure: _Failure) -> bool:
    """Returns whether botocore's standard retry mode tries a call again after this failure."""
    if isinstance(failure, BotoCoreError):
        return True
    return failure.status >= 500 or failure.code == "ThrottlingException"


def _with_failures(operation: str, answer: dict[str, Any], failing: list[int]) -> dict[str, Any]:
    """Returns the answer of a call of whose entries some failed, in the order of the entries."""
    if operation == "PutEvents":
        entries = list(answer["Entries"])
        for number in failing:
            entries.insert(number, {"ErrorCode": "InternalFailure", "ErrorMessage": "simulated"})
        return {"FailedEntryCount": answer["FailedEntryCount"] + len(failing), "Entries": entries}
    failed = [{"Id": str(number), "SenderFault": False, "Code": "InternalError"} for number in failing]
    return answer | {"Failed": [*answer.get("Failed", []), *failed]}


def _put_together(environment: Environment, function: str, settings: dict[str, str]) -> Any:
    """Returns what the product's own `bootstrap` makes for a function."""
    around = environment.surroundings

    def client(service: str, *, read_seconds: float = READ_SECONDS, attempts: int = 1) -> SimulatedClient:
        return SimulatedClient(environment, service, read_seconds, attempts)

    with _replaced(
        bootstrap,
        client=client,
        SystemClock=lambda: around.timeline,
        count=around.count,
        os=SimpleNamespace(environ=settings),
    ):
        return getattr(bootstrap, _FUNCTIONS[function][1])()


@contextmanager
def _replaced(module: Any, **values: Any) -> Iterator[None]:
    before = {name: getattr(module, name) for name in values}
    for name, value in values.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


@contextmanager
def handlers_in_environments() -> Iterator[None]:
    """Lets the handlers log, for as long as the block lasts, to the surroundings they run in.

    And lets them do fast what is slow and the same each time: read a text that was read before.
    """
    with (
        _replaced(batch, logger=_LOGGER),
        _replaced(
            table,
            zlib=SimpleNamespace(compress=_remembering(zlib.compress), decompress=zlib.decompress),
        ),
        _replaced(
            record,
            parse_message=_remembering(envelope.parse_message),
            to_delivery=_remembering_object(delivery.to_delivery),
        ),
        _replaced(
            receive,
            parse_body=_remembering(body.parse_body),
            identify=_remembering_object(delivery.identify),
        ),
    ):
        yield


def _remembering[K, V](read: Callable[[K], V]) -> Callable[[K], V]:
    """Returns a function that reads each text once; what it refuses it reads again."""
    return lru_cache(maxsize=REMEMBERED)(read)


def _remembering_object[R](read: Callable[..., R]) -> Callable[..., R]:
    """Returns a function that reads each parsed body once, as long as it is the same object."""
    known: dict[tuple[Any, ...], tuple[Any, R]] = {}

    def remembering(body: dict[str, Any], *others: Any) -> R:
        key = (id(body), *others)
        if key not in known:
            if len(known) >= REMEMBERED:
                known.clear()
            known[key] = body, read(body, *others)  # the body too, so that nothing else gets its id
        return known[key][1]

    return remembering


# ── the functions' modules ───────────────────────────────────────────────────────────────────────────────


def _current() -> Environment:
    task = getcurrent()
    assert isinstance(task, EnvironmentTask)
    return task.environment


class _CurrentProduct:
    """Stands in a function's module for what belongs to the environment that runs it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_current().product, name)


def _count(name: Count) -> None:
    _current().surroundings.count(name)


def _log(message: str, *, extra: dict[str, Any]) -> None:
    _current().surroundings.log(message, extra=extra)


_LOGGER = SimpleNamespace(info=_log, error=_log)

# Each function's module, and what it takes from `bootstrap` and binds by the same name.
_FUNCTIONS = {
    WEBHOOK: ("webhook", "receiver"),
    CREATED: ("booking_created", "record_batch"),
    CANCELED: ("booking_canceled", "record_batch"),
    EVENTS: ("booking_events", "announcer"),
}


type _Handler = Callable[[dict[str, Any], Environment], Any]


def _load_handler(function: str, factory: str) -> _Handler:
    """Returns a handler without its decorators: logging and flushing metrics are no part of this."""
    with patch.object(bootstrap, factory):
        app = load_app(function)
    vars(app).update({factory: _CurrentProduct(), "count": _count, "logger": _LOGGER})
    handler: _Handler = inspect.unwrap(app.lambda_handler)
    return handler


_HANDLERS = {name: _load_handler(*each) for name, each in _FUNCTIONS.items()}


class Function:
    """A function with its environments; an idle one takes an invocation, else a new one starts."""

    def __init__(self, surroundings: Surroundings, name: str, settings: dict[str, str]) -> None:
        self._surroundings = surroundings
        self._name = name
        self.settings = settings
        self._timeout_seconds = function_settings(name).timeout_seconds
        self._environments: list[Environment] = []
        self._ever: list[Environment] = []

    def invoke(self, event: dict[str, Any], then: Callable[[Any, bool], None]) -> None:
        """Runs the function on an event, then tells what it returned, and whether it failed."""
        environment = self._idle()
        environment.busy = True
        timeline = self._surroundings.timeline
        environment.deadline = timeline.seconds + self._timeout_seconds
        task = environment.spawn(lambda: environment.run(event))
        ended = False

        def end() -> None:
            nonlocal ended
            if ended:
                return
            ended = True
            environment.busy = False
            if not task.ended or task.failure is not None:
                environment.die()  # Lambda starts a new one after an error of the runtime or a time-out
                then(None, True)
            else:
                then(task.result, False)

        task.at_end(end)
        timeline.after(self._timeout_seconds, end)

    def _idle(self) -> Environment:
        self._environments = [each for each in self._environments if each.alive]
        for environment in self._environments:
            if not environment.busy:
                return environment
        environment = Environment(self._surroundings, self._name, len(self._ever) + 1, self.settings)
        self._ever.append(environment)
        self._environments.append(environment)
        return environment

    def take_apart(self) -> None:
        """Lets go of all that refers to each other; of no use afterwards."""
        for environment in self._ever:
            environment.take_apart()
        vars(self).clear()

    def restart(self) -> None:
        """Ends all environments, as a deployment does."""
        for environment in self._environments:
            environment.die()
        self._environments = []
