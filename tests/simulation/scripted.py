"""The real code, run again and again against services that say what a script tells them.

A process is its input and the results of its calls so far. It is run from the beginning with those results
and stopped at the first call that has none yet: that call is what it does next. Nothing of the code is copied
or abstracted, and a process in the middle of its work can be kept, compared, and run on any number of times.
"""

import base64
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bookings.announce import Announced, Announcer, StreamRecord
from bookings.answers import Answer
from bookings.aws.bus import EventBridgeBus
from bookings.aws.calls import BoundedCalls
from bookings.aws.queues import SQSHandlerQueues, SQSQueue
from bookings.aws.table import DynamoDBBookingStore, parse_change
from bookings.batch import RecordBatch
from bookings.counts import Count
from bookings.live_secrets import LiveSecrets
from bookings.publish import Publisher
from bookings.receive import Receiver
from bookings.record import Recorder
from bookings.services import ServiceUnavailable
from bookings.settings import FanOut
from bookings.zoom.events import CANCELED, CREATED
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from cli.erase import erase_booking
from tests.fakes import InMemorySecret, VirtualClock
from tests.samples import SECRET, message, raw, signed

BUS_ARN = "arn:aws:events:us-east-1:123456789012:event-bus/bookings"


@dataclass(frozen=True, slots=True)
class Call:
    """What a process asks of a service next."""

    operation: str
    arguments: dict[str, Any]


class _NextCall(BaseException):
    """Stops a process at a call without a result; not an Exception, so that no code takes it for one."""

    def __init__(self, call: Call) -> None:
        super().__init__(call.operation)
        self.call = call


class Hangs(Exception):
    """The call gives no answer before its caller gives it up."""


class ConditionalCheckFailed(Exception):
    def __init__(self, item: dict[str, Any] | None) -> None:
        super().__init__("the condition does not hold")
        self.response = {"Item": item} if item is not None else {}


class _Exceptions:
    ConditionalCheckFailedException = ConditionalCheckFailed


class ScriptedClient:
    """Stands for every AWS client of one process, and gives its calls the results of the script, in turn."""

    exceptions = _Exceptions

    def __init__(self, results: Sequence[Any]) -> None:
        self._results = iter(results)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            try:
                result = next(self._results)
            except StopIteration:
                raise _NextCall(Call(operation, arguments)) from None
            if isinstance(result, Exception):
                raise result
            return result

        return call


class InlineCalls(BoundedCalls):
    """Gives calls up as the product does, in virtual time and without threads."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(threads=1)
        self._clock = clock
        self._end = 0.0

    @property
    def left(self) -> float:
        """Seconds until the present call is given up."""
        return self._end - self._clock.monotonic()

    def run[T](self, service: str, call: Callable[[], T], timeout_seconds: float) -> T:
        if timeout_seconds <= 0:
            raise ServiceUnavailable(f"{service}: no time left")
        self._end = self._clock.monotonic() + timeout_seconds
        try:
            return call()
        except Hangs:
            self._clock.advance(self.left)
            raise ServiceUnavailable(f"{service}: no answer within {timeout_seconds:.1f} s") from None


def throttled() -> Exception:
    return ClientError({"Error": {"Code": "ThrottlingException"}}, "scripted")


def refused() -> Exception:
    return ClientError({"Error": {"Code": "ValidationException"}}, "scripted")


def no_answer() -> Exception:
    return ReadTimeoutError(endpoint_url="scripted")


def hung_up() -> Exception:
    return ConnectionClosedError(endpoint_url="scripted")


def run_handler(body: dict[str, Any], request_id: str | None, results: Sequence[Any]) -> Call | bool:
    """Returns a handler's next call for one message, at its end whether the message is done with."""
    client = ScriptedClient(results)
    clock = VirtualClock()
    batch = RecordBatch(
        recorder=Recorder(
            store=DynamoDBBookingStore(client, "bookings"),
            quarantine=SQSQueue(client, "quarantine", InlineCalls(clock)),
            retention_days=0,
            clock=clock,
            count=_uncounted,
        ),
        redelivery=_Undelayed(),
        count=_uncounted,
        info=_unlogged,
        error=_unlogged,
    )
    record = {
        "messageId": "message",
        "receiptHandle": "handle",
        "body": message(body, request_id=request_id),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }
    try:
        response = batch.process({"Records": [record]}, lambda: 10_000)
    except _NextCall as stop:
        return stop.call
    return response == {"batchItemFailures": []}


def run_announcer(
    records: Sequence[StreamRecord], results: Sequence[Any], *, share_access_links: bool
) -> Call | Announced:
    """Returns the announcer's next call for a batch of the stream, at its end what became of the batch."""
    client = ScriptedClient(results)
    calls = InlineCalls(VirtualClock())
    announcer = Announcer(
        bus=EventBridgeBus(client, BUS_ARN, calls),
        dead_letters=SQSQueue(client, "dead-letters", calls),
        parse_change=parse_change,
        share_access_links=share_access_links,
        count=_uncounted,
    )
    try:
        return announcer.announce(records)
    except _NextCall as stop:
        return stop.call


@dataclass(frozen=True, slots=True)
class AtDoor:
    """How far a request has come at the door.

    Attributes:
        ahead: the next call, at the end the answer.
        seconds: how many have passed.
        given_up: which of the calls, by their numbers, were given up before their answer came.
    """

    ahead: Call | Answer
    seconds: float
    given_up: frozenset[int]


def run_door(
    body: dict[str, Any], results: Sequence[tuple[Any, float]], *, fan_out: FanOut, at: datetime
) -> AtDoor:
    """Returns how far a request comes.

    Args:
        results: of each call, and after how many seconds.
    """
    clock = VirtualClock(at)
    started = clock.monotonic()
    calls = InlineCalls(clock)
    client = _SlowClient(results, clock, calls)
    queues = {CREATED: SQSQueue(client, CREATED, calls), CANCELED: SQSQueue(client, CANCELED, calls)}
    receiver = Receiver(
        secrets=LiveSecrets(InMemorySecret(clock, SECRET), clock, _uncounted),
        publisher=Publisher(
            bus=EventBridgeBus(client, BUS_ARN, calls),
            queues=SQSHandlerQueues(queues, BUS_ARN, clock),
            fan_out=fan_out,
            count=_uncounted,
        ),
        quarantine=SQSQueue(client, "quarantine", calls),
        tolerance_seconds=300,
        clock=clock,
        count=_uncounted,
    )
    try:
        ahead: Call | Answer = receiver.receive(signed(raw(body), at))
    except _NextCall as stop:
        ahead = stop.call
    return AtDoor(ahead, clock.monotonic() - started, frozenset(client.given_up))


def run_eraser(booking_id: str, now_ms: int, results: Sequence[Any]) -> Call | bool:
    """Returns the next call of `bookings erase`, at its end whether it says that it has erased."""
    try:
        erase_booking(_ErasersStack(ScriptedClient(results)), booking_id, now_ms=now_ms)  # type: ignore[arg-type]  # all of a Stack that it uses
    except _NextCall as stop:
        return stop.call
    except Exception:  # noqa: BLE001 - whatever it says, the operator sees that it failed
        return False
    return True


def as_record(
    booking_id: str, old: dict[str, Any] | None, new: dict[str, Any] | None, number: int
) -> StreamRecord:
    """Returns a stream record as Lambda hands it over: JSON, with binary values in base64."""
    images = {name: image for name, image in (("OldImage", old), ("NewImage", new)) if image is not None}
    record = {
        "eventName": "INSERT" if old is None else "REMOVE" if new is None else "MODIFY",
        "dynamodb": {
            "Keys": {"booking_id": {"S": booking_id}},
            "SequenceNumber": str(number),
            **images,
        },
    }
    read: StreamRecord = json.loads(json.dumps(record, default=_base64))
    return read


class _SlowClient(ScriptedClient):
    """Answers after a time, or not at all if the call is given up before."""

    def __init__(self, results: Sequence[tuple[Any, float]], clock: VirtualClock, calls: InlineCalls) -> None:
        super().__init__([result for result, _ in results])
        self._seconds = [seconds for _, seconds in results]
        self._clock = clock
        self._calls = calls
        self._made = 0
        self.given_up: set[int] = set()

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        answer = super().__getattr__(operation)

        def call(**arguments: Any) -> Any:
            number, self._made = self._made, self._made + 1
            seconds = self._seconds[number] if number < len(self._seconds) else 0.0
            if seconds > self._calls.left:
                self.given_up.add(number)
                with suppress(Exception):
                    answer(**arguments)
                raise Hangs
            self._clock.advance(seconds)
            return answer(**arguments)

        return call


class _Undelayed:
    """Messages come again when they like."""

    def delay(self, messages: Sequence[tuple[str, int]]) -> None:
        pass


class _ErasersStack:
    """A stack as far as the eraser uses one."""

    name = "scripted"

    def __init__(self, client: ScriptedClient) -> None:
        self._client = client

    def dynamodb(self) -> ScriptedClient:
        return self._client

    def output(self, name: str) -> str:
        return name

    def errors_explained(self, _task: str) -> Any:
        return nullcontext()


def _base64(value: Any) -> str:
    return base64.b64encode(bytes(value)).decode()


def _uncounted(name: Count) -> None:
    pass


def _unlogged(*_: Any, **__: Any) -> None:
    pass
