"""boto3 as the adapters call it, over real sockets: time-outs, closed connections, error answers."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from bookings.aws.bus import EventBridgeBus
from bookings.aws.clients import client
from bookings.aws.queues import SQSHandlerQueues, SQSQueue, SQSRedelivery
from bookings.aws.secrets import SecretsManagerSecret
from bookings.aws.table import DynamoDBBookingStore
from bookings.clock import Deadline, SystemClock
from bookings.domain.booking import merge
from bookings.envelope import Envelope
from bookings.errors import RefusedByService, ServiceError, ServiceUnavailable
from bookings.limits import CALL_SECONDS
from bookings.zoom.events import CREATED
from tests.adapters.conftest import in_time
from tests.adapters.loopback import HANG_UP, SILENT, Answer, Reply, service
from tests.fakes import VirtualClock
from tests.samples import created, delivery

ARN = "arn:aws:events:us-east-1:123456789012:event-bus/bookings"
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/q"
CANARY = "canary@example.com"
REQUEST_ID = "3c5e4c6a-8d6f-5b1e-9a52-1f1b6f0c2d11"
NAMES = {"events": "EventBridge", "sqs": "SQS", "secretsmanager": "Secrets Manager", "dynamodb": "DynamoDB"}

ENVELOPE = Envelope("zoom.scheduler", CREATED, "{}")
BOOKING = merge(None, delivery(created()))
PUBLISHED = Reply({"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]})
OK = Reply()
BREAK_OFF = Reply(b"{", headers={"content-length": "2"}, closes=True)
SECRET = Reply({"SecretString": "token-of-the-tests-22c", "CreatedDate": 1_700_000_000.0})


class Call(NamedTuple):
    """A call of an adapter, made with a client and a deadline, and the answer to it."""

    service: str
    operation: str
    answer: Reply
    make: Callable[[Any, Deadline], object]

    def patient_client(self) -> Any:
        """Returns a client that waits for a busy machine."""
        return client(self.service, read_seconds=10.0)


def queues(sqs: Any) -> SQSHandlerQueues:
    return SQSHandlerQueues({CREATED: SQSQueue(sqs, URL)}, ARN, SystemClock())


def store(dynamodb: Any) -> DynamoDBBookingStore:
    return DynamoDBBookingStore(dynamodb, "bookings")


SEND = Call("sqs", "SendMessage", OK, lambda c, d: SQSQueue(c, URL).send("{}", d))
IN_A_REQUEST = [
    SEND,
    Call("sqs", "SendMessage", OK, lambda c, d: queues(c).publish(ENVELOPE, d)),
    Call("events", "PutEvents", PUBLISHED, lambda c, d: EventBridgeBus(c, ARN).publish(ENVELOPE, d)),
    Call("secretsmanager", "GetSecretValue", SECRET, lambda c, d: SecretsManagerSecret(c, "z").current(d)),
    Call("secretsmanager", "GetSecretValue", SECRET, lambda c, d: SecretsManagerSecret(c, "z").previous(d)),
]
CALLS = [
    *IN_A_REQUEST,
    Call("sqs", "ChangeMessageVisibilityBatch", OK, lambda c, _: SQSRedelivery(c, URL).delay([("h", 9)])),
    Call("dynamodb", "PutItem", OK, lambda c, _: store(c).save(BOOKING, replacing=None, expires_at=None)),
    Call("dynamodb", "GetItem", OK, lambda c, _: store(c).load("id")),
]


class Wire(NamedTuple):
    """The answers of all services, and the operations called."""

    answers: list[Answer]
    calls: list[str]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    answers: list[Answer] = []
    with service(lambda _: answers.pop(0)) as (url, calls):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield Wire(answers, calls)


def error(code: str, message: str = CANARY, *, request_id: str = REQUEST_ID, status: int = 400) -> Reply:
    return Reply({"__type": code, "message": message}, status, {"x-amzn-requestid": request_id})


@pytest.mark.parametrize("service_name", NAMES)
def test_client_gives_up_early_and_tries_once(service_name: str) -> None:
    patient = client(service_name, read_seconds=1.0, attempts=2)
    for tested, read_seconds, attempts in ((client(service_name), 0.5, 1), (patient, 1.0, 2)):
        config = tested.meta.config
        assert (config.connect_timeout, config.read_timeout) == (0.3, read_seconds)
        assert config.retries == {"total_max_attempts": attempts, "mode": "standard"}
        assert tested.meta.endpoint_url.startswith("https://")


CASES: dict[str, tuple[Callable[[Reply], list[Answer]], type[ServiceError] | None, str]] = {
    "closed while idle": (lambda ok: [Reply(ok.body, closes=True), ok], None, ""),
    "closed at the request": (lambda ok: [ok, HANG_UP, ok], None, ""),
    "closed in the answer": (lambda ok: [ok, BREAK_OFF, ok], None, ""),
    "always closed": (lambda ok: [ok, HANG_UP, HANG_UP], ServiceUnavailable, "ConnectionClosedError"),
    "silent": (lambda ok: [ok, SILENT], ServiceUnavailable, "ReadTimeoutError"),
    "down": (lambda ok: [ok, error("Down")], ServiceUnavailable, "Down"),
    "refused": (lambda ok: [ok, error("MessageTooLong")], RefusedByService, "MessageTooLong"),
}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.operation)
@pytest.mark.parametrize("case", CASES)
def test_second_call_of_a_client(wire: Wire, call: Call, case: str) -> None:
    # failure matrix: 11, 13, 30, 43
    answers, kind, words = CASES[case]
    wire.answers[:] = answers(call.answer)
    requests = len(wire.answers)
    boto_client = client(call.service) if case == "silent" else call.patient_client()
    call.make(boto_client, in_time())
    started = time.monotonic()
    if kind is None:
        call.make(boto_client, in_time())
    else:
        with pytest.raises(kind, match=f"^{NAMES[call.service]}: {words}(, request [0-9a-f-]+)?$") as raised:
            call.make(boto_client, in_time())
        assert getattr(raised.value, "answered", None) is {"down": True, "refused": None}.get(case, False)
    assert time.monotonic() - started < CALL_SECONDS + 2.0  # for a busy machine
    assert wire.calls == [call.operation] * requests


@pytest.mark.parametrize("call", IN_A_REQUEST, ids=lambda call: call.operation)
@pytest.mark.parametrize(("left", "requests"), [(CALL_SECONDS - 0.001, 0), (CALL_SECONDS, 1)])
def test_request_that_could_pass_the_deadline_is_not_begun(
    monkeypatch: pytest.MonkeyPatch, call: Call, left: float, requests: int
) -> None:
    # failure matrix: 13
    clock = VirtualClock()

    def hang_up(_operation: str) -> Answer:
        clock.advance(0.001)
        return HANG_UP

    with service(hang_up) as (url, calls):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(ServiceUnavailable, match=r"^no time left for a call$") as raised:
            call.make(call.patient_client(), Deadline(clock, left))
    assert raised.value.answered is False
    assert calls == [call.operation] * requests


def test_proxy_of_the_environment_is_used(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    wire.answers.append(SEND.answer)
    monkeypatch.setenv("HTTP_PROXY", os.environ["AWS_ENDPOINT_URL"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://sqs.invalid")
    SEND.make(SEND.patient_client(), in_time())
    assert wire.calls == ["SendMessage"]


DENIED = f"User: {CANARY} is not authorized to perform: {{}} on resource: {CANARY}"
QUERY_CODE = "AWS.SimpleQueueService.NonExistentQueue"  # of SQS's older protocol

ANSWERS = {
    f"Throttled, request {REQUEST_ID}": error("com.amazonaws#Throttled:http://internal.amazon.com/"),
    f"Denied, action sqs:Send, request {REQUEST_ID}": error("Denied", DENIED.format("sqs:Send")),
    f"Denied, request {REQUEST_ID}": error("Denied", DENIED.format(f"{CANARY}:Put")),
    f"AccessDenied, request {REQUEST_ID}": error("AccessDenied", DENIED.format("sqs:" + "x" * 65)),
    f"HTTP 403, request {REQUEST_ID}": error(CANARY, status=403),
    f"HTTP 404, request {REQUEST_ID}": error("x" * 129, status=404),
    f"HTTP 405, request {REQUEST_ID}": error("", status=405),
    f"HTTP 406, request {REQUEST_ID}": error("Line\nbreak", status=406),
    "InternalFailure": error("InternalFailure", request_id=CANARY),
    "Throttling": error("Throttling", request_id="x" * 129),
    "503": Reply(CANARY.encode(), 503),
    "307": Reply({"message": CANARY}, 307, {"location": f"http://{CANARY}/"}),
    QUERY_CODE: Reply({"__type": "Other"}, 400, {"x-amzn-query-error": f"{QUERY_CODE};Sender"}),
    "HTTP 400": Reply({"__type": "Other"}, 400, {"x-amzn-query-error": f"{CANARY};Sender"}),
}


@pytest.mark.parametrize("words", ANSWERS)
def test_error_answer_is_reduced_to_code_action_and_id(wire: Wire, words: str) -> None:
    # failure matrix: 43, 47
    wire.answers.append(ANSWERS[words])
    with pytest.raises(ServiceUnavailable) as raised:
        SEND.make(SEND.patient_client(), in_time())
    assert str(raised.value) == f"SQS: {words}"
    assert raised.value.__suppress_context__
    assert raised.value.answered is True
