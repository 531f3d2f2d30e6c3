"""Every call of the adapters over a real socket: time-outs, closed connections, error answers."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff

from bookings.aws.bus import EventBridgeBus
from bookings.aws.clients import client, translated_errors
from bookings.aws.queues import SQSHandlerQueues, SQSQueue, SQSRedelivery
from bookings.aws.secrets import SecretsManagerSecret
from bookings.aws.table import DynamoDBBookingStore
from bookings.clock import Deadline, SystemClock
from bookings.envelope import Envelope
from bookings.errors import RefusedByService, ServiceError, ServiceUnavailable
from bookings.limits import CALL_SECONDS, CONNECT_SECONDS, READ_SECONDS
from bookings.zoom.events import CREATED
from tests.adapters.deliveries import booking_of, sample
from tests.adapters.loopback import Misbehaviour, Reply, Service
from tests.adapters.resources import in_time
from tests.fakes import VirtualClock

ARN = "arn:aws:events:us-east-1:123456789012:event-bus/bookings"
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/q"
CANARY = "canary@example.com"
ENVELOPE = Envelope("zoom.scheduler", CREATED, json.dumps(sample("created")))

MARGIN_SECONDS = 2.0  # for a busy machine


def patient(service: str, attempts: int = 1) -> Any:
    """Returns a client that waits long enough for an answer from a busy machine."""
    return client(service, read_seconds=10.0, attempts=attempts)


@dataclass(frozen=True)
class Call:
    """One call of an adapter. Calling it is patient, for tests that are not about time.

    Attributes:
        make: makes the call with a client and a deadline.
        answer: the service's answer to it.
    """

    service: str
    name: str
    operation: str
    make: Callable[[Any, Deadline], object]
    answer: dict[str, Any]
    has_deadline: bool = True

    def __call__(self, deadline: Deadline | None = None) -> object:
        return self.make(patient(self.service), deadline or in_time())


PUBLISHED = {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}
SENT = {"MessageId": "m", "MD5OfMessageBody": "1cb251ec0d568de6a929b520c4aed8d1"}
SECRET = {"SecretString": "token-of-the-tests-22c", "CreatedDate": 1_700_000_000.0}

CALLS = {
    "publish": Call(
        "events",
        "EventBridge",
        "PutEvents",
        lambda events, deadline: EventBridgeBus(events, ARN).publish(ENVELOPE, deadline),
        PUBLISHED,
    ),
    "send": Call(
        "sqs",
        "SQS",
        "SendMessage",
        lambda sqs, deadline: SQSQueue(sqs, URL).send("text", deadline),
        SENT,
    ),
    "send to a handler": Call(
        "sqs",
        "SQS",
        "SendMessage",
        lambda sqs, deadline: SQSHandlerQueues({CREATED: SQSQueue(sqs, URL)}, ARN, SystemClock()).publish(
            ENVELOPE, deadline
        ),
        SENT,
    ),
    "delay": Call(
        "sqs",
        "SQS",
        "ChangeMessageVisibilityBatch",
        lambda sqs, _deadline: SQSRedelivery(sqs, URL).delay([("handle", 60)]),
        {"Successful": [{"Id": "0"}], "Failed": []},
        has_deadline=False,
    ),
    "read the current secret": Call(
        "secretsmanager",
        "Secrets Manager",
        "GetSecretValue",
        lambda manager, deadline: SecretsManagerSecret(manager, "zoom").current(deadline),
        SECRET,
    ),
    "read the previous secret": Call(
        "secretsmanager",
        "Secrets Manager",
        "GetSecretValue",
        lambda manager, deadline: SecretsManagerSecret(manager, "zoom").previous(deadline),
        SECRET,
    ),
    "save": Call(
        "dynamodb",
        "DynamoDB",
        "PutItem",
        lambda dynamodb, _deadline: DynamoDBBookingStore(dynamodb, "bookings").save(
            booking_of(sample("created")), replacing=None, expires_at=None
        ),
        {},
        has_deadline=False,
    ),
}

EVERY_CALL = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
EVERY_CALL_WITH_A_DEADLINE = pytest.mark.parametrize(
    "call",
    [call for call in CALLS.values() if call.has_deadline],
    ids=[name for name, call in CALLS.items() if call.has_deadline],
)


@dataclass
class Wire:
    """All services of AWS as one, on this machine. It gives its last answer for ever."""

    service: Service
    answers: list[Reply | Misbehaviour]

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.service.calls]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    answers: list[Reply | Misbehaviour] = []
    with Service(lambda *_: answers.pop(0) if len(answers) > 1 else answers[0]) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL", service.url)
        yield Wire(service, answers)


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────


@EVERY_CALL
def test_silent_service_is_given_up_after_one_attempt(wire: Wire, call: Call) -> None:
    # failure matrix: 11, 13, 30
    wire.answers.append(Misbehaviour.SILENT)
    make = partial(call.make, client(call.service), in_time())
    started = time.monotonic()
    with pytest.raises(ServiceUnavailable, match=f"^{call.name}: ReadTimeoutError$") as raised:
        make()
    assert READ_SECONDS <= time.monotonic() - started < CALL_SECONDS + MARGIN_SECONDS
    assert raised.value.answered is False
    assert wire.operations() == [call.operation]


def test_silent_bus_costs_a_batch_one_timeout(wire: Wire) -> None:
    # failure matrix: 12
    wire.answers.append(Misbehaviour.SILENT)
    bus = EventBridgeBus(client("events"), ARN)
    started = time.monotonic()
    results = bus.publish_all([ENVELOPE] * 45)
    assert time.monotonic() - started < CALL_SECONDS + MARGIN_SECONDS
    assert [str(error) for error in results] == ["EventBridge: ReadTimeoutError"] * 45
    assert wire.operations() == ["PutEvents"]


@EVERY_CALL_WITH_A_DEADLINE
def test_too_little_time_left_makes_no_call(wire: Wire, call: Call) -> None:
    # failure matrix: 13
    clock = VirtualClock()
    wire.answers.append(Reply(call.answer))
    call(Deadline(clock, CALL_SECONDS))
    with pytest.raises(ServiceUnavailable, match=r"no time left for a call$") as raised:
        call(Deadline(clock, CALL_SECONDS - 0.001))
    assert raised.value.answered is False
    assert wire.operations() == [call.operation]


@pytest.mark.parametrize("service", ["dynamodb", "events", "secretsmanager", "sqs"])
def test_a_client_tries_once_unless_told_otherwise(service: str) -> None:
    config = client(service).meta.config
    assert (config.connect_timeout, config.read_timeout) == (CONNECT_SECONDS, READ_SECONDS)
    assert config.retries == {"total_max_attempts": 1, "mode": "standard"}


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_failing_service_is_tried_as_often_as_set(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.0)
    wire.answers.append(Reply({"__type": "InternalException"}, 500))
    events = patient("events", attempts)
    with pytest.raises(ServiceUnavailable, match=r"^EventBridge: InternalException$"):
        EventBridgeBus(events, ARN).publish(ENVELOPE, in_time())
    assert wire.operations() == ["PutEvents"] * attempts


# ── closed connections ───────────────────────────────────────────────────────────────────────────────────


@EVERY_CALL
def test_call_on_a_closed_connection_is_made_again(wire: Wire, call: Call) -> None:
    answered = Reply(call.answer)
    make = partial(call.make, patient(call.service), in_time())
    while_idle: list[Reply | Misbehaviour] = [Reply(call.answer, closes=True), answered]
    at_the_request: list[Reply | Misbehaviour] = [answered, Misbehaviour.HANG_UP, answered]
    for closed in (while_idle, at_the_request):
        wire.service.calls.clear()
        wire.answers[:] = closed
        make()
        make()
        assert wire.operations() == [call.operation] * len(closed)


@EVERY_CALL
@pytest.mark.parametrize("misbehaviour", [Misbehaviour.HANG_UP, Misbehaviour.BREAK_OFF])
def test_service_that_always_hangs_up_gets_two_requests(
    wire: Wire, call: Call, misbehaviour: Misbehaviour
) -> None:
    wire.answers.append(misbehaviour)
    with pytest.raises(ServiceUnavailable, match=f"^{call.name}: ConnectionClosedError$") as raised:
        call()
    assert raised.value.answered is False
    assert wire.operations() == [call.operation] * 2


@EVERY_CALL_WITH_A_DEADLINE
def test_closed_call_is_not_made_again_without_time(monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    clock = VirtualClock()

    def hang_up(*_: object) -> Misbehaviour:
        clock.advance(0.1)
        return Misbehaviour.HANG_UP

    with Service(hang_up) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL", service.url)
        with pytest.raises(ServiceUnavailable, match=r"no time left for a call$"):
            call(Deadline(clock, CALL_SECONDS))
    assert len(service.calls) == 1


def test_service_out_of_reach_is_named_by_the_error_type(monkeypatch: pytest.MonkeyPatch) -> None:
    # failure matrix: 43
    with Service(lambda *_: Reply()) as service:
        url = f"{service.url}/{CANARY}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)  # nothing listens there any more
    with pytest.raises(ServiceUnavailable, match=r"^EventBridge: EndpointConnectionError$") as raised:
        CALLS["publish"]()
    assert raised.value.answered is False
    assert raised.value.__cause__ is None


# ── error answers ────────────────────────────────────────────────────────────────────────────────────────


REQUEST_ID = {"x-amzn-requestid": "3c5e4c6a-8d6f-5b1e-9a52-1f1b6f0c2d11"}
DENIED = (
    f"User: arn:aws:sts::1:assumed-role/{CANARY} is not authorized to perform: {{}} on resource: {CANARY}"
)

ERRORS = {
    "code": (
        Reply({"__type": "ThrottlingException", "message": CANARY}, 400),
        "ThrottlingException",
    ),
    "code with a namespace and a link": (
        Reply({"__type": "com.amazonaws#ThrottlingException:http://internal.amazon.com/"}, 400),
        "ThrottlingException",
    ),
    "code and request id": (
        Reply({"__type": "InternalFailure", "message": CANARY}, 500, REQUEST_ID),
        f"InternalFailure, request {REQUEST_ID['x-amzn-requestid']}",
    ),
    "IAM denies an action": (
        Reply(
            {"__type": "AccessDeniedException", "message": DENIED.format("events:PutEvents")}, 400, REQUEST_ID
        ),
        f"AccessDeniedException, action events:PutEvents, request {REQUEST_ID['x-amzn-requestid']}",
    ),
    "KMS denies an action": (
        Reply({"__type": "KMSAccessDeniedException", "message": DENIED.format("kms:Decrypt")}, 400),
        "KMSAccessDeniedException, action kms:Decrypt",
    ),
    "denied action of another form": (
        Reply({"__type": "AccessDeniedException", "message": DENIED.format(f"{CANARY}:Put")}, 400),
        "AccessDeniedException",
    ),
    "request id of another form": (
        Reply({"__type": "InternalFailure"}, 500, {"x-amzn-requestid": CANARY}),
        "InternalFailure",
    ),
    "no code": (Reply({"message": CANARY}, 403), "403"),
    "empty code": (Reply({"__type": "", "message": CANARY}, 403), "HTTP 403"),
    "text for a code": (Reply({"__type": f"Not taken - {CANARY}"}, 403), "HTTP 403"),
    "code too long": (Reply({"__type": "x" * 129}, 403), "HTTP 403"),
    "line break in a code": (Reply({"__type": "Line\nbreak"}, 403), "HTTP 403"),
    "no JSON": (Reply(CANARY.encode(), 503), "503"),
    "empty body": (Reply(b"", 503), "503"),
    "redirect": (Reply({"message": CANARY}, 307, {"location": f"http://{CANARY}/"}), "307"),
}


@pytest.mark.parametrize(("reply", "words"), ERRORS.values(), ids=ERRORS)
def test_error_answer_is_named_by_code_action_and_id(wire: Wire, reply: Reply, words: str) -> None:
    # failure matrix: 43, 47
    wire.answers.append(reply)
    with pytest.raises(ServiceUnavailable) as raised:
        CALLS["publish"]()
    assert str(raised.value) == f"EventBridge: {words}"
    assert raised.value.__cause__ is None
    assert raised.value.answered is True
    assert wire.operations() == ["PutEvents"]


@EVERY_CALL
def test_error_of_any_call_repeats_no_text(wire: Wire, call: Call) -> None:
    # failure matrix: 43, 47
    wire.answers.append(ERRORS["IAM denies an action"][0])
    with pytest.raises(ServiceUnavailable) as unavailable:
        call()
    assert str(unavailable.value) == f"{call.name}: {ERRORS['IAM denies an action'][1]}"
    wire.answers[:] = [Reply({"__type": "ValidationException", "message": CANARY}, 400, REQUEST_ID)]
    with pytest.raises(RefusedByService) as refused:
        call()
    assert str(refused.value) == (
        f"{call.name}: ValidationException, request {REQUEST_ID['x-amzn-requestid']}"
    )


CODES = {
    "ThrottlingException": ServiceUnavailable,
    "AccessDeniedException": ServiceUnavailable,
    "KMS.DisabledException": ServiceUnavailable,
    "KmsThrottled": ServiceUnavailable,
    "unknown": ServiceUnavailable,
    "503": ServiceUnavailable,
    "InvalidAttributeValue": RefusedByService,
    "InvalidMessageContents": RefusedByService,
    "InvalidParameterValue": RefusedByService,
    "MessageTooLong": RefusedByService,
    "SerializationException": RefusedByService,
    "ValidationError": RefusedByService,
    "ValidationException": RefusedByService,
}


@pytest.mark.parametrize(("code", "kind"), CODES.items())
def test_error_code_says_whether_a_retry_is_of_use(wire: Wire, code: str, kind: type[ServiceError]) -> None:
    # failure matrix: 14, 47
    wire.answers.append(Reply({"__type": code, "message": CANARY}, 400))
    with pytest.raises(ServiceError) as raised:
        CALLS["send"]()
    assert type(raised.value) is kind
    assert str(raised.value) == f"SQS: {code}"


@pytest.mark.parametrize(
    ("header", "code", "kind"),
    [
        (
            "AWS.SimpleQueueService.NonExistentQueue;Sender",
            "AWS.SimpleQueueService.NonExistentQueue",
            ServiceUnavailable,
        ),
        (
            "AWS.SimpleQueueService.InvalidMessageContents;Sender",
            "AWS.SimpleQueueService.InvalidMessageContents",
            RefusedByService,
        ),
        (
            "com.amazonaws.sqs#InvalidMessageContents;Sender",
            "com.amazonaws.sqs#InvalidMessageContents",
            RefusedByService,
        ),
        ("InvalidParameterValue;Sender", "InvalidParameterValue", RefusedByService),
        (f"{CANARY};Sender", "HTTP 400", ServiceUnavailable),
        # botocore then reads the code in the body.
        ("NonExistentQueue", "OverLimit", ServiceUnavailable),
        (";Sender", "OverLimit", ServiceUnavailable),
    ],
)
def test_sqs_error_has_the_code_of_its_query_protocol(
    wire: Wire, header: str, code: str, kind: type[ServiceError]
) -> None:
    # failure matrix: 14, 43
    body = {"__type": "com.amazonaws.sqs#OverLimit", "message": CANARY}
    wire.answers.append(Reply(body, 400, {"x-amzn-query-error": header}))
    with pytest.raises(ServiceError) as raised:
        CALLS["send"]()
    assert type(raised.value) is kind
    assert str(raised.value) == f"SQS: {code}"


def test_parameters_that_botocore_refuses_are_refused(wire: Wire) -> None:
    # failure matrix: 43
    refused = pytest.raises(RefusedByService, match=r"^EventBridge: invalid parameters$")
    with refused, translated_errors("EventBridge"):
        client("events").put_events(Entries=CANARY)
    assert wire.operations() == []


def test_an_error_that_is_not_botocores_passes_unchanged() -> None:
    with pytest.raises(KeyError, match="ours"), translated_errors("EventBridge"):
        raise KeyError("ours")
