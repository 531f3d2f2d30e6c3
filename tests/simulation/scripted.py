"""The real code, run again and again against services that say what a script tells them.

A process is its input and the results of its calls so far. It is run from the beginning with those results
and stopped at the first call that has none yet: that call is what it does next. Nothing of the code is copied
or abstracted, and a process in the middle of its work can be kept, compared, and run on any number of times.
"""

import base64
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from bookings import batch
from bookings.aws.bus import EventBridgeBus
from bookings.aws.queues import SQSHandlerQueues, SQSQueue
from bookings.aws.table import DynamoDBBookingStore, parse_change
from bookings.batch import RecordBatch
from bookings.counts import Count
from bookings.settings import FanOut
from bookings.use_cases.announce import Announced, Announcer, StreamRecord
from bookings.use_cases.answers import Answer
from bookings.use_cases.live_secrets import LiveSecrets
from bookings.use_cases.publish import Publisher
from bookings.use_cases.receive import Receiver
from bookings.use_cases.record import Recorder
from bookings.use_cases.verify import Verifier
from bookings.zoom.events import CANCELED, CREATED
from cli.erase import erase_booking
from tests.fakes import InMemorySecret, VirtualClock
from tests.samples import SECRET, message, raw, signed

SILENT = SimpleNamespace(info=lambda *_, **__: None, error=lambda *_, **__: None)
"""A logger for what nobody reads."""

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


class ConditionalCheckFailed(ClientError):
    def __init__(self, item: dict[str, Any] | None) -> None:
        answer: Any = {"Error": {"Code": "ConditionalCheckFailedException"}}
        super().__init__(answer if item is None else answer | {"Item": item}, "PutItem")


class _Exceptions:
    ConditionalCheckFailedException = ConditionalCheckFailed


class ScriptedClient:
    """Stands for every boto3 client of one process. Its calls have the results of the script, in turn."""

    exceptions = _Exceptions

    def __init__(self, results: Sequence[Any]) -> None:
        self._results = iter(results)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = "".join(word.title() for word in name.split("_"))
        return lambda **arguments: self._next(operation, arguments)

    def _next(self, operation: str, arguments: dict[str, Any]) -> Any:
        try:
            result = next(self._results)
        except StopIteration:
            raise _NextCall(Call(operation, arguments)) from None
        if isinstance(result, Exception):
            raise result.with_traceback(None)  # of the run before, which would be kept alive
        return result


def throttled() -> Exception:
    return ClientError({"Error": {"Code": "ThrottlingException"}}, "scripted")


def refused() -> Exception:
    return ClientError({"Error": {"Code": "ValidationException"}}, "scripted")


def no_answer() -> Exception:
    return ReadTimeoutError(endpoint_url="scripted")


def hung_up() -> Exception:
    return ConnectionClosedError(endpoint_url="scripted")


def run_handler(
    messages: Sequence[tuple[dict[str, Any], str | None]], results: Sequence[Any]
) -> Call | frozenset[int]:
    """Returns a handler's next call for a batch of messages, at its end which of them must come again.

    Args:
        messages: body and request id of each.
    """
    client = ScriptedClient(results)
    clock = VirtualClock()
    record_batch = RecordBatch(
        recorder=Recorder(
            store=DynamoDBBookingStore(client, "bookings"),
            quarantine=SQSQueue(client, "quarantine"),
            retention_days=0,
            clock=clock,
            count=_uncounted,
        ),
        redelivery=_Undelayed(),
        count=_uncounted,
    )
    records = [
        {
            "messageId": str(number),
            "receiptHandle": f"handle-{number}",
            "body": message(body, request_id=request_id),
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
        }
        for number, (body, request_id) in enumerate(messages)
    ]
    try:
        with patch.object(batch, "logger", SILENT):
            response = record_batch.process({"Records": records}, lambda: 10_000)
    except _NextCall as stop:
        return stop.call
    return frozenset(int(str(failure["itemIdentifier"])) for failure in response["batchItemFailures"])


def run_announcer(
    records: Sequence[StreamRecord], results: Sequence[Any], *, share_access_links: bool
) -> Call | Announced:
    """Returns the announcer's next call for a batch of the stream, at its end what became of the batch."""
    client = ScriptedClient(results)
    announcer = Announcer(
        bus=EventBridgeBus(client, BUS_ARN),
        dead_letters=SQSQueue(client, "dead-letters"),
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
    """

    ahead: Call | Answer
    seconds: float


def run_door(
    body: dict[str, Any], results: Sequence[tuple[Any, float]], *, fan_out: FanOut, at: datetime
) -> AtDoor:
    """Returns how far a request comes.

    Args:
        results: of each call, and after how many seconds.
    """
    clock = VirtualClock(at)
    started = clock.monotonic()
    client = _SlowClient(results, clock)
    queues = {CREATED: SQSQueue(client, CREATED), CANCELED: SQSQueue(client, CANCELED)}
    bus, handler_queues = EventBridgeBus(client, BUS_ARN), SQSHandlerQueues(queues, BUS_ARN, clock)
    by_bus = fan_out is FanOut.EVENT_BRIDGE
    receiver = Receiver(
        verifier=Verifier(LiveSecrets(InMemorySecret(clock, SECRET), clock, _uncounted), 300, clock),
        publisher=(
            Publisher(bus, handler_queues, count=_uncounted)
            if by_bus
            else Publisher(handler_queues, bus, count=_uncounted)
        ),
        handled_events=queues,
        bus=bus,
        quarantine=SQSQueue(client, "quarantine"),
        clock=clock,
        count=_uncounted,
    )
    try:
        ahead: Call | Answer = receiver.receive(signed(raw(body), at))
    except _NextCall as stop:
        ahead = stop.call
    return AtDoor(ahead, clock.monotonic() - started)


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
    """Gives each result after its time."""

    def __init__(self, results: Sequence[tuple[Any, float]], clock: VirtualClock) -> None:
        super().__init__([result for result, _ in results])
        self._seconds = iter([seconds for _, seconds in results])
        self._clock = clock

    def _next(self, operation: str, arguments: dict[str, Any]) -> Any:
        self._clock.advance(next(self._seconds, 0.0))
        return super()._next(operation, arguments)


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
