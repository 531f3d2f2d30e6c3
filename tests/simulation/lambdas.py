"""Functions as Lambda runs them: execution environments that start cold, stay warm, run out of time and die.

Each environment holds what the product's own `bootstrap` puts together; only the AWS clients, the threads and
the clock below it are the simulation's.
"""

import inspect
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from random import Random
from types import SimpleNamespace
from typing import Any, Protocol

from bookings import bootstrap, envelope, receive, record
from bookings.aws import table
from bookings.aws.client import ErrorAnswer, again_if_hung_up
from bookings.aws.wire import HungUp, NoAnswer
from bookings.counts import Count
from bookings.zoom import body, delivery
from greenlet import getcurrent

from functions.booking_canceled import app as booking_canceled
from functions.booking_created import app as booking_created
from functions.booking_events import app as booking_events
from functions.webhook import app as webhook
from tests.aws.client import as_on_the_wire
from tests.aws.errors import AWSError
from tests.simulation.stack import CANCELED, CREATED, Stack, function_settings
from tests.simulation.timeline import Task, Timeline
from tests.simulation.weather import Fate, Trouble, Weather

WEBHOOK = "Webhook"
EVENTS = "BookingEvents"

# The functions without their decorators: what those do, logging and flushing metrics, is no part of this.
_HANDLERS = {
    WEBHOOK: inspect.unwrap(webhook.lambda_handler),
    CREATED: inspect.unwrap(booking_created.lambda_handler),
    CANCELED: inspect.unwrap(booking_canceled.lambda_handler),
    EVENTS: inspect.unwrap(booking_events.lambda_handler),
}
_FACTORIES = {
    WEBHOOK: bootstrap.receiver.__wrapped__,
    CREATED: bootstrap.record_batch.__wrapped__,
    CANCELED: bootstrap.record_batch.__wrapped__,
    EVENTS: bootstrap.announcer.__wrapped__,
}

# What AWS's standard retry mode tries again; a code beyond these is final.
_TRIED_AGAIN = {"ThrottlingException", "InternalFailure"}

REMEMBERED = 200
"""Texts and bodies: those of a few schedules."""

_ENTRIES = {"PutEvents": "Entries", "ChangeMessageVisibilityBatch": "Entries"}


@dataclass(slots=True)
class _Failed:
    """One attempt failed."""

    error: Exception
    tried_again: bool


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
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        deadline: float,
        timeout: float,
        attempts: int,
    ) -> dict[str, Any]:
        """Makes a call as the product's client would: bounded attempts, each and all bounded in time."""
        around = self.surroundings
        if around.weather.strikes():
            self.die()
        for attempt in range(1, attempts + 1):
            left = deadline - around.timeline.seconds
            if left <= 0:
                raise NoAnswer("no time left")
            fate = around.weather.fate(service, around.timeline.seconds)
            outcome = self._attempt(service, operation, parameters, min(timeout, left), fate)
            if not isinstance(outcome, _Failed):
                break
            if around.trace:
                around.trace(self.name, f"{operation}: {outcome.error}")
            if attempt == attempts or not outcome.tried_again:
                break
            pause = around.random.random() * 2 ** (attempt - 1)
            around.timeline.pause(max(0.0, min(pause, deadline - around.timeline.seconds)))
        if around.weather.strikes():
            self.die()
        if not isinstance(outcome, _Failed):
            return outcome
        try:
            raise outcome.error.to_error_answer() if isinstance(outcome.error, AWSError) else outcome.error
        finally:
            del outcome  # or the error and the frames it tells of would hold each other

    def _attempt(
        self, service: str, operation: str, parameters: Mapping[str, Any], timeout: float, fate: Fate
    ) -> dict[str, Any] | _Failed:
        around, trouble = self.surroundings, fate.trouble
        if around.trace:
            around.trace(self.name, f"{operation} …" + (f" ({trouble})" if trouble else ""))
        if trouble in _NEVER_ARRIVES:
            around.timeline.pause(timeout if trouble is Trouble.SILENT else fate.before_seconds)
            return _failure(trouble)
        # On its way, the request is nobody's any more: it arrives even if the caller dies.
        answers: list[dict[str, Any] | AWSError] = []

        def arrive() -> None:
            answers.append(self._apply(service, operation, parameters, trouble))

        around.timeline.after(fate.before_seconds, arrive)
        if trouble is Trouble.LOST or fate.before_seconds + fate.after_seconds > timeout:
            around.timeline.pause(timeout)
            return _failure(Trouble.LOST)
        around.timeline.pause(fate.before_seconds + fate.after_seconds)
        if trouble in _DONE_BUT_FAILED:
            return _failure(trouble)
        (answer,) = answers
        return _Failed(answer, tried_again=answer.status >= 500) if isinstance(answer, AWSError) else answer

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


class SimulatedClient:
    """The functions' client in an environment, whose calls have the weather's fate."""

    def __init__(self, environment: Environment, service: str, timeout_seconds: float, attempts: int) -> None:
        self._environment = environment
        self._service = service
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts

    def connect(self, timeout_seconds: float) -> None:
        """Does nothing: connecting is part of each call's fate."""

    def call(
        self, operation: str, parameters: Mapping[str, Any], timeout_seconds: float | None = None
    ) -> dict[str, Any]:
        environment = self._environment
        now = environment.surroundings.timeline.seconds
        deadline = inf if timeout_seconds is None else now + timeout_seconds
        answer = again_if_hung_up(
            lambda: environment.call(
                self._service,
                operation,
                parameters,
                deadline=deadline,
                timeout=self._timeout_seconds,
                attempts=self._attempts,
            )
        )
        return as_on_the_wire(answer)


_DONE_BUT_FAILED = (Trouble.FAILED_AFTER, Trouble.HUNG_UP_AFTER)
_NEVER_ARRIVES = {*Trouble} - {Trouble.SLOW, Trouble.LOST, Trouble.PARTLY, *_DONE_BUT_FAILED}


def _failure(trouble: Trouble | None) -> _Failed:
    """Returns what the client makes of a trouble."""
    match trouble:
        case Trouble.THROTTLED:
            return _refused("ThrottlingException")
        case Trouble.DENIED:
            return _refused("AccessDeniedException")
        case Trouble.FAILED | Trouble.FAILED_AFTER:
            return _refused("InternalFailure")
        case Trouble.UNREACHABLE:
            return _Failed(NoAnswer("ConnectionRefusedError"), tried_again=True)
        case Trouble.SILENT | Trouble.LOST:
            return _Failed(NoAnswer("no answer in time"), tried_again=True)
        case _:
            return _Failed(HungUp("the connection was closed"), tried_again=True)


def _refused(code: str) -> _Failed:
    return _Failed(ErrorAnswer(code), tried_again=code in _TRIED_AGAIN)


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

    def client(service: str, *, timeout_seconds: float, attempts: int) -> SimulatedClient:
        return SimulatedClient(environment, service, timeout_seconds, attempts)

    with _replaced(
        bootstrap,
        client=client,
        SystemClock=lambda: around.timeline,
        count=around.count,
        logger=SimpleNamespace(info=around.log, error=around.log),
        os=SimpleNamespace(environ=settings),
    ):
        return _FACTORIES[function]()


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
    """Lets the handlers find, for as long as the block lasts, what belongs to the environment they run in.

    And lets them do fast what is slow and the same each time: read a text that was read before.
    """

    def product() -> Any:
        return _current().product

    def count(name: Count) -> None:
        _current().surroundings.count(name)

    def log(message: str, *, extra: dict[str, Any]) -> None:
        _current().surroundings.log(message, extra=extra)

    logger = SimpleNamespace(info=log, error=log)
    with (
        _replaced(bootstrap, receiver=product, record_batch=product, announcer=product),
        _replaced(
            table,
            zlib=SimpleNamespace(compress=_remembering(zlib.compress), decompress=zlib.decompress),
            details_of_kept=_remembering(delivery.details_of_kept),
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
        _replaced(webhook, count=count, logger=logger),
        _replaced(booking_events, logger=logger),
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


def _current() -> Environment:
    task = getcurrent()
    assert isinstance(task, EnvironmentTask)
    return task.environment


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
