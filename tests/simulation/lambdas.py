"""Functions as Lambda runs them: execution environments that start cold, stay warm, run out of time and die.

Each environment holds what the product's own `bootstrap` puts together; only the AWS clients, the threads and
the clock below it are the simulation's.
"""

import inspect
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from random import Random
from types import SimpleNamespace
from typing import Any, Protocol

from bookings import bootstrap, envelope, receive, record
from bookings.aws import table
from bookings.counts import Count
from bookings.services import ServiceUnavailable
from bookings.zoom import body, delivery
from boto3.dynamodb.types import DYNAMODB_CONTEXT
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from greenlet import getcurrent

from functions.booking_canceled import app as booking_canceled
from functions.booking_created import app as booking_created
from functions.booking_events import app as booking_events
from functions.webhook import app as webhook
from tests.aws.client import StrictClient
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
        self, service: str, operation: str, parameters: Mapping[str, Any], timeout: float, attempts: int
    ) -> dict[str, Any]:
        """Makes a call as botocore would: bounded attempts, each bounded in time."""
        around = self.surroundings
        if around.weather.strikes():
            self.die()
        for attempt in range(1, attempts + 1):
            fate = around.weather.fate(service, around.timeline.seconds)
            outcome = self._attempt(service, operation, parameters, timeout, fate)
            if not isinstance(outcome, _Failed):
                break
            if around.trace:
                around.trace(self.name, f"{operation}: {outcome.error}")
            if attempt == attempts or not outcome.tried_again:
                break
            around.timeline.pause(around.random.random() * 2 ** (attempt - 1))
        if around.weather.strikes():
            self.die()
        if not isinstance(outcome, _Failed):
            return outcome
        try:
            raise outcome.error
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
            return _failure(trouble, service, operation)
        # On its way, the request is nobody's any more: it arrives even if the caller dies.
        answers: list[dict[str, Any] | AWSError] = []

        def arrive() -> None:
            answers.append(self._apply(service, operation, parameters, trouble))

        around.timeline.after(fate.before_seconds, arrive)
        if trouble is Trouble.LOST or fate.before_seconds + fate.after_seconds > timeout:
            around.timeline.pause(timeout)
            return _failure(Trouble.LOST, service, operation)
        around.timeline.pause(fate.before_seconds + fate.after_seconds)
        if trouble in _DONE_BUT_FAILED:
            return _failure(trouble, service, operation)
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


class SimulatedCalls:
    """Stops waiting for a call in time, as `BoundedCalls` does with threads; the call itself goes on."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def run[T](self, service: str, call: Callable[[], T], timeout_seconds: float) -> T:
        if timeout_seconds <= 0:
            raise ServiceUnavailable(f"{service}: no time left")
        task = self._environment.spawn(call)
        if not task.join(timeout_seconds):
            raise ServiceUnavailable(f"{service}: no answer within {timeout_seconds:.1f} s")
        if task.failure:
            failure, task.failure = task.failure, None
            try:
                raise failure
            finally:
                del failure, task  # or the error and the frames it tells of would hold each other
        result: T = task.result
        return result


class SimulatedClient(StrictClient):
    """A boto3 client of an environment, whose calls have the weather's fate."""

    def __init__(self, environment: Environment, service: str, timeout_seconds: float, attempts: int) -> None:
        super().__init__(service, environment.surroundings.stack.services[service])
        self._environment = environment
        self._named = service
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts

    def _invoke(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return self._environment.call(
            self._named, operation, parameters, self._timeout_seconds, self._attempts
        )


_DONE_BUT_FAILED = (Trouble.FAILED_AFTER, Trouble.HUNG_UP_AFTER)
_NEVER_ARRIVES = {*Trouble} - {Trouble.SLOW, Trouble.LOST, Trouble.PARTLY, *_DONE_BUT_FAILED}


def _failure(trouble: Trouble | None, service: str, operation: str) -> _Failed:
    """Returns what botocore makes of a trouble."""
    match trouble:
        case Trouble.THROTTLED:
            return _refused(operation, "ThrottlingException", 400)
        case Trouble.DENIED:
            return _refused(operation, "AccessDeniedException", 400)
        case Trouble.FAILED | Trouble.FAILED_AFTER:
            return _refused(operation, "InternalFailure", 500)
        case Trouble.UNREACHABLE:
            return _Failed(EndpointConnectionError(endpoint_url=service), tried_again=True)
        case Trouble.SILENT | Trouble.LOST:
            return _Failed(ReadTimeoutError(endpoint_url=service), tried_again=True)
        case _:
            return _Failed(ConnectionClosedError(endpoint_url=service), tried_again=True)


def _refused(operation: str, code: str, status: int) -> _Failed:
    error = ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # the rest of the metadata nobody reads
        operation,
    )
    return _Failed(error, tried_again=code in _TRIED_AGAIN)


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
        BoundedCalls=lambda: SimulatedCalls(environment),
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

    And lets them do fast what is slow and the same each time: read a text that was read before, and write a
    value in DynamoDB's form.
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
            _serialize=serialized,
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


def serialized(value: Any) -> dict[str, Any]:
    """Returns a value in attribute-value form, as boto3's serializer does in several times the time."""
    kind = type(value)
    if kind is str:
        return {"S": value}
    if kind is bool:
        return {"BOOL": value}
    if kind is int or kind is Decimal:
        return {"N": str(DYNAMODB_CONTEXT.create_decimal(value))}
    if kind is dict:
        return {"M": {name: serialized(each) for name, each in value.items()}}
    if kind is list:
        return {"L": [serialized(each) for each in value]}
    if kind is bytes:
        return {"B": value}
    raise TypeError(kind.__name__)


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
