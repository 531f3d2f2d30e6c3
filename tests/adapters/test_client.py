"""Our client beside boto3: the same requests, errors and attempts; and what it does by itself."""

import base64
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any, cast

import boto3
import pytest
from bookings.aws import client as module
from bookings.aws.client import (
    SERVICES,
    Client,
    ErrorAnswer,
    again_if_hung_up,
    client,
    translated_errors,
)
from bookings.aws.wire import HungUp, NoAnswer, Response
from bookings.services import RefusedByService, ServiceError, ServiceUnavailable
from bookings.settings import SettingsError
from botocore import auth, credentials, xform_name
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.adapters.loopback import Misbehaviour, Received, Reply, Service

CANARY = "canary@example.com"

TOKEN = "a+session/token=="
ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": TOKEN,
    "AWS_LAMBDA_FUNCTION_NAME": "webhook",
    "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
}

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "PutEvents": ("events", {"Entries": [{"Source": "s", "DetailType": "t", "Detail": "{}"}]}),
    "SendMessage": ("sqs", {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q", "MessageBody": "m"}),
    "ChangeMessageVisibilityBatch": (
        "sqs",
        {
            "QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q",
            "Entries": [{"Id": "0", "ReceiptHandle": "h", "VisibilityTimeout": 1}],
        },
    ),
    "GetSecretValue": ("secretsmanager", {"SecretId": "arn:aws:s", "VersionStage": "AWSCURRENT"}),
    "PutItem": ("dynamodb", {"TableName": "table", "Item": {"id": {"S": "1"}}}),
}
"""Each operation that the functions call, with its service and parameters that do."""


class Scripted:
    """A service whose reply to every call a test sets; hears what boto3 and our client ask it."""

    def __init__(self) -> None:
        self.reply: Callable[[], Reply | Misbehaviour] = Reply
        self.service = Service(lambda *_: self.reply())

    def asked(self) -> list[Received]:
        """Returns the requests since the last time."""
        requests = self.service.received[:]
        self.service.received.clear()
        self.service.calls.clear()
        return requests


@pytest.fixture(scope="module")
def running() -> Iterator[Scripted]:
    scripted = Scripted()
    with scripted.service, pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL", scripted.service.url)
        yield scripted


@pytest.fixture
def scripted(running: Scripted) -> Scripted:
    running.reply = Reply
    running.asked()
    return running


SESSION: Any = boto3.session.Session()
BOTOCORE: Any = SESSION._session
MADE: dict[tuple[str, int], Any] = {}


def botos(service: str, attempts: int = 1) -> Any:
    """Returns boto3's client, made once: that takes it longer than all its calls here."""
    if (service, attempts) not in MADE:
        config = Config(
            connect_timeout=5,
            read_timeout=5,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            tcp_keepalive=False,
        )
        MADE[service, attempts] = SESSION.client(service, config=config)
    return MADE[service, attempts]


@pytest.fixture(scope="module", autouse=True)
def forgotten(running: Scripted) -> Iterator[None]:
    """boto3's clients know this module's service, which ends with it."""
    MADE.clear()
    yield
    MADE.clear()


def ours(service: str, attempts: int = 1, timeout_seconds: float = 5.0) -> Client:
    return client(service, timeout_seconds=timeout_seconds, attempts=attempts)


def both_ask(scripted: Scripted, operation: str, parameters: Mapping[str, Any]) -> tuple[Received, Received]:
    """Returns the requests that our client and boto3 make of one call."""
    service, _ = CALLS[operation]
    ours(service).call(operation, parameters)
    getattr(botos(service), xform_name(operation))(**parameters)
    our, botocores = scripted.asked()
    return our, botocores


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────────

ANY = st.text() | st.text(st.characters(categories=["Cs", "Cc", "So"]))  # lone surrogates among them
SOME = ANY.filter(bool)

values: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"S": ANY}),
        st.fixed_dictionaries({"N": st.integers().map(str)}),
        st.fixed_dictionaries({"B": st.binary()}),
        st.fixed_dictionaries({"BOOL": st.booleans()}),
        st.just({"NULL": True}),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"L": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"M": st.dictionaries(ANY, inner, max_size=3)}),
    ),
    max_leaves=8,
)

parameters_of: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "PutEvents": st.fixed_dictionaries(
        {
            "Entries": st.lists(
                st.fixed_dictionaries(
                    {"Source": ANY, "DetailType": ANY, "Detail": ANY, "EventBusName": SOME},
                    optional={"Resources": st.lists(ANY, max_size=2)},
                ),
                min_size=1,
                max_size=3,
            )
        }
    ),
    "SendMessage": st.fixed_dictionaries({"QueueUrl": ANY, "MessageBody": ANY}),
    "ChangeMessageVisibilityBatch": st.fixed_dictionaries(
        {
            "QueueUrl": ANY,
            "Entries": st.lists(
                st.fixed_dictionaries({"Id": ANY, "ReceiptHandle": ANY, "VisibilityTimeout": st.integers()}),
                min_size=1,
                max_size=3,
            ),
        }
    ),
    "GetSecretValue": st.fixed_dictionaries({"SecretId": SOME, "VersionStage": SOME}),
    "PutItem": st.fixed_dictionaries(
        {
            "TableName": SOME,
            "Item": st.dictionaries(SOME, values, max_size=3),
            "ReturnValuesOnConditionCheckFailure": st.just("ALL_OLD"),
            "ConditionExpression": ANY,
        },
        optional={"ExpressionAttributeValues": st.dictionaries(SOME, values, max_size=2)},
    ),
}

ALIKE = (
    "content-type",
    "host",
    "x-amz-security-token",
    "x-amz-target",
    "x-amzn-query-mode",
    "x-amzn-trace-id",
)
NOT_SIGNED = {"accept-encoding", "authorization", "content-length", "x-amzn-trace-id"}


def authorized(request: Received, service: str) -> str:
    """Returns the authorization that botocore gives the request as it came."""
    signed = {name: value for name, value in request.headers.items() if name not in NOT_SIGNED | {"host"}}
    moment = datetime.strptime(signed["x-amz-date"], "%Y%m%dT%H%M%SZ")  # noqa: DTZ007 - as botocore has it
    keys = credentials.Credentials(
        ENVIRONMENT["AWS_ACCESS_KEY_ID"], ENVIRONMENT["AWS_SECRET_ACCESS_KEY"], TOKEN
    )
    again = AWSRequest("POST", f"http://{request.headers['host']}/", headers=signed, data=request.body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda: moment)
        auth.SigV4Auth(keys, service, ENVIRONMENT["AWS_REGION"]).add_auth(again)
    return str(again.headers["authorization"])


@pytest.mark.parametrize("operation", CALLS)
def test_a_request_is_the_one_that_boto3_makes(running: Scripted, operation: str) -> None:
    service, plain = CALLS[operation]
    running.reply = Reply
    running.asked()

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(parameters_of[operation])
    @example(plain)
    def alike(parameters: dict[str, Any]) -> None:
        our, botocores = both_ask(running, operation, parameters)
        assert (our.method, our.path) == (botocores.method, botocores.path) == ("POST", "/")
        assert json.loads(our.body) == json.loads(botocores.body)
        assert {name: our.headers.get(name) for name in ALIKE} == {
            name: botocores.headers.get(name) for name in ALIKE
        }
        assert our.headers["authorization"] == authorized(our, service)

    alike()


def test_what_is_compared_with_boto3_is_there(scripted: Scripted) -> None:
    our, _ = both_ask(scripted, "SendMessage", CALLS["SendMessage"][1])
    assert {name: our.headers[name] for name in ALIKE} == {
        "content-type": "application/x-amz-json-1.0",
        "host": scripted.service.url.removeprefix("http://"),
        "x-amz-security-token": TOKEN,
        "x-amz-target": "AmazonSQS.SendMessage",
        "x-amzn-query-mode": "true",
        "x-amzn-trace-id": ENVIRONMENT["_X_AMZN_TRACE_ID"],
    }
    assert our.headers.keys() == {*ALIKE, *NOT_SIGNED, "x-amz-date"}


def test_bytes_go_as_base64_and_what_json_does_not_have_is_refused(scripted: Scripted) -> None:
    ours("dynamodb").call("PutItem", {"Item": {"body": {"B": b"\x00\xff"}}})
    (asked,) = scripted.asked()
    assert json.loads(asked.body) == {"Item": {"body": {"B": base64.b64encode(b"\x00\xff").decode()}}}
    with pytest.raises(TypeError, match=r"^object is nothing that JSON has$"):
        ours("dynamodb").call("PutItem", {"Item": object()})
    assert scripted.asked() == []


@pytest.mark.parametrize("trace_id", ["", "Root=1\r\nx-amz-target: other", "Root=ü", "Root=1 2", "r" * 513])
def test_a_trace_that_is_none_is_not_passed_on(
    scripted: Scripted, trace_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # boto3 quotes such a one; Lambda never sets it, and nothing of it may become another header.
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace_id)
    ours("events").call(*("PutEvents", CALLS["PutEvents"][1]))
    (asked,) = scripted.asked()
    assert "x-amzn-trace-id" not in asked.headers
    assert asked.headers["x-amz-target"] == "AWSEvents.PutEvents"


def test_each_call_says_which_trace_it_is_part_of(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = ours("events")
    for trace_id in ("Root=1;Sampled=0", "Root=2;Sampled=1"):
        monkeypatch.setenv("_X_AMZN_TRACE_ID", trace_id)
        events.call("PutEvents", CALLS["PutEvents"][1])
    assert [asked.headers["x-amzn-trace-id"] for asked in scripted.asked()] == [
        "Root=1;Sampled=0",
        "Root=2;Sampled=1",
    ]


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────


def our_code(service: str, operation: str) -> str | None:
    try:
        ours(service).call(operation, CALLS[operation][1])
    except ErrorAnswer as error:
        return str(error)
    return None


def botocores_code(service: str, operation: str) -> str | None:
    try:
        getattr(botos(service), xform_name(operation))(**CALLS[operation][1])
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return None


NAMED = {"__type": "com.amazonaws.sqs#InvalidMessageContents", "message": CANARY}
OLDER = {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"}

ERRORS: dict[str, tuple[Any, dict[str, str]]] = {
    "a name": ({"__type": "ThrottlingException", "message": CANARY}, {}),
    "a name with its namespace": (NAMED, {}),
    "a name with more behind it": ({"__type": "ThrottlingException:http://internal.amazon.com/"}, {}),
    "both": ({"__type": "com.amazonaws#ThrottlingException:http://a#b/"}, {}),
    "two namespaces": ({"__type": "a#b#InternalFailure"}, {}),
    "no name": ({"message": CANARY}, {}),
    "no JSON": (b"canary@example.com", {}),
    "an empty body": (b"", {}),
    "a page": (b"<html><body>canary@example.com</body></html>", {"content-type": "text/html"}),
    "the code of an older protocol": (NAMED, OLDER),
    "that code, and no name": ({}, OLDER),
    "that code, incomplete": (NAMED, {"x-amzn-query-error": "NonExistentQueue"}),
    "that code, empty": (NAMED, {"x-amzn-query-error": ";Sender"}),
    "that code, with too much": (NAMED, {"x-amzn-query-error": "a;b;c"}),
    "a name that only its header has": ({}, {"x-amzn-errortype": "ThrottlingException"}),
}


@pytest.mark.parametrize("status", [301, 307, 400, 403, 404, 413, 429, 500, 501, 503, 599])
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_has_the_code_that_boto3_tells(scripted: Scripted, status: int, name: str) -> None:
    body, headers = ERRORS[name]
    scripted.reply = lambda: Reply(body, status, headers)
    code = our_code("sqs", "SendMessage")
    assert code is not None
    assert code == botocores_code("sqs", "SendMessage")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "400"),  # boto3 fails with an AttributeError over what is no object,
        ("text", "400"),
        ({"__type": 5, "message": CANARY}, "5"),  # with a TypeError over what is no text,
        ({"__type": {"canary": CANARY}}, "400"),
        ({"__type": None}, "400"),  # and has an empty code where ours says at least the status.
        ({"__type": ""}, "400"),
        ({"__type": ":"}, "400"),
        # A code stands in logs; what has not the form of one could be anything that was sent.
        ({"__type": f"Not taken - {CANARY}"}, "400"),
        ({"__type": "x" * 129}, "400"),
        ({"__type": "Line\nbreak"}, "400"),
        (b"\xff\xfe", "400"),  # UnicodeDecodeError
        (b"[" * 100_000, "400"),  # RecursionError
    ],
)
def test_where_boto3_fails_over_an_error_ours_has_its_status(
    scripted: Scripted, body: object, code: str
) -> None:
    # failure matrix: 43
    scripted.reply = lambda: Reply(body, 400)
    assert our_code("sqs", "SendMessage") == code


def test_a_code_in_a_header_that_is_none_is_not_told(scripted: Scripted) -> None:
    # failure matrix: 43
    scripted.reply = lambda: Reply({}, 400, {"x-amzn-query-error": f"{CANARY};Sender"})
    assert our_code("sqs", "SendMessage") == "400"


@pytest.mark.parametrize("status", [201, 202, 206, 226, 300])
def test_only_200_is_a_success(scripted: Scripted, status: int) -> None:
    # These services answer nothing else; whoever does so is somebody else, and has stored nothing.
    scripted.reply = lambda: Reply({"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}, status)
    assert our_code("events", "PutEvents") == str(status)


def test_a_refused_condition_has_the_item_that_is_there(scripted: Scripted) -> None:
    refusal = {
        "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        "message": "The conditional request failed",
        "Item": {"id": {"S": "1"}, "body": {"B": "AP8="}},
    }
    scripted.reply = lambda: Reply(refusal, 400)
    with pytest.raises(ErrorAnswer) as raised:
        ours("dynamodb").call("PutItem", CALLS["PutItem"][1])
    assert raised.value.code == "ConditionalCheckFailedException"
    assert raised.value.answer["Item"] == refusal["Item"]
    assert ErrorAnswer("ThrottlingException").answer == {}


def test_an_answer_is_what_the_service_wrote(scripted: Scripted) -> None:
    answer = {"CreatedDate": 1_700_000_000.25, "SecretString": "Grüße 🏝", "Unknown": [None]}
    scripted.reply = lambda: Reply(answer)
    assert ours("secretsmanager").call(*("GetSecretValue", CALLS["GetSecretValue"][1])) == answer


def test_an_empty_answer_says_nothing(scripted: Scripted) -> None:
    scripted.reply = lambda: Reply(b"")
    assert ours("sqs").call(*("SendMessage", CALLS["SendMessage"][1])) == {}


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b'"canary@example.com"', b"canary@example.com", b"\xff", b"{", b"[" * 100_000]
)
def test_a_success_that_is_no_json_object_is_no_answer(scripted: Scripted, body: bytes) -> None:
    scripted.reply = lambda: Reply(body)
    with pytest.raises(NoAnswer, match=r"^an answer that is no JSON object$"):
        ours("events").call(*("PutEvents", CALLS["PutEvents"][1]))
    assert len(scripted.asked()) == 1  # it may have been done


# ── attempts ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Takes the pauses away, and boto3's account of how many retries it may still make; keeps our pauses."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    monkeypatch.setattr("botocore.retries.quota.RetryQuota.acquire", lambda *_: True)
    return waited


def tries(scripted: Scripted, operation: str, attempts: int) -> tuple[int, int]:
    """Returns how often our client and boto3 ask for one call."""
    service, parameters = CALLS[operation]
    with suppress(ErrorAnswer, NoAnswer):
        ours(service, attempts).call(operation, parameters)
    our = len(scripted.asked())
    with suppress(ClientError, BotoCoreError):
        again_if_hung_up(lambda: getattr(botos(service, attempts), xform_name(operation))(**parameters))
    return our, len(scripted.asked())


THROTTLED, TRANSIENT = cast("Any", ThrottledRetryableChecker), cast("Any", TransientRetryableChecker)
KNOWN = {*THROTTLED._THROTTLED_ERROR_CODES, *TRANSIENT._TRANSIENT_ERROR_CODES}
UNKNOWN = {
    "AccessDeniedException",
    "InternalFailure",
    "ValidationException",
    "ConditionalCheckFailedException",
}


def modelled() -> Iterator[tuple[str, str]]:
    """Yields the errors that the models of the operations say may be tried again, and the others of them."""
    for operation, (service, _) in CALLS.items():
        model = BOTOCORE.get_service_model(service)
        for shape in model.operation_model(operation).error_shapes:
            yield operation, shape.error_code


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_an_error_is_tried_again_where_boto3_tries_again(
    scripted: Scripted, attempts: int, pauses: list[float]
) -> None:
    cases = {("PutEvents", code) for code in KNOWN | UNKNOWN} | set(modelled())
    assert ("PutItem", "ReplicatedWriteConflictException") in cases
    tried = {}
    for operation, code in sorted(cases):
        scripted.reply = partial(Reply, {"__type": code}, 400)
        our, botocores = tries(scripted, operation, attempts)
        assert our == botocores, (operation, code)
        tried[code] = our
    assert {tried[code] for code in KNOWN} == {attempts}
    assert {tried[code] for code in UNKNOWN} == {1}


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_a_status_is_tried_again_where_boto3_tries_again(
    scripted: Scripted, attempts: int, pauses: list[float]
) -> None:
    for status in (301, *range(400, 432), *range(499, 513), 529, 599):
        scripted.reply = partial(Reply, {}, status)
        our, botocores = tries(scripted, "PutEvents", attempts)
        assert our == botocores, status


@pytest.mark.parametrize("attempts", [1, 2, 3])
@pytest.mark.parametrize(
    "misbehaviour", [Misbehaviour.HANG_UP, Misbehaviour.BREAK_OFF], ids=lambda each: each.name
)
def test_a_lost_connection_is_tried_again_where_boto3_tries_again(
    scripted: Scripted, misbehaviour: Misbehaviour, attempts: int, pauses: list[float]
) -> None:
    # boto3 is called a second time where it was hung up on, as ours does by itself.
    scripted.reply = lambda: misbehaviour
    our, _ = tries(scripted, "PutItem", attempts)
    assert our == (2 * attempts if misbehaviour is Misbehaviour.HANG_UP else attempts)
    with pytest.raises(BotoCoreError):
        botos("dynamodb", attempts).put_item(**CALLS["PutItem"][1])
    assert len(scripted.asked()) == attempts


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_a_silent_service_is_given_up_after_its_attempts(
    scripted: Scripted, attempts: int, pauses: list[float]
) -> None:
    scripted.reply = lambda: Misbehaviour.SILENT
    started = time.monotonic()
    with pytest.raises(NoAnswer, match=r"^no answer in time$"):
        ours("events", attempts, timeout_seconds=0.1).call(*("PutEvents", CALLS["PutEvents"][1]))
    assert 0.1 * attempts <= time.monotonic() - started < 5.0
    assert len(scripted.asked()) == attempts


def test_a_service_that_recovers_has_answered(scripted: Scripted, pauses: list[float]) -> None:
    replies: list[Reply | Misbehaviour] = [Misbehaviour.BREAK_OFF, Reply({"__type": "SlowDown"}, 400)]
    replies.append(Reply({"MessageId": "m"}))
    scripted.reply = lambda: replies.pop(0)
    assert ours("sqs", 3).call("SendMessage", CALLS["SendMessage"][1]) == {"MessageId": "m"}


def test_pauses_double_up_to_twenty_seconds_and_are_spread_over_all_of_it(
    scripted: Scripted, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.reply = lambda: Reply({}, 503)
    longest = [1, 2, 4, 8, 16, 20, 20]
    for chance in (1.0, 0.25, 0.0):
        monkeypatch.setattr("bookings.aws.client._chance", lambda chance=chance: chance)
        with pytest.raises(ErrorAnswer):
            ours("events", 8).call("PutEvents", CALLS["PutEvents"][1])
        assert pauses == [chance * seconds for seconds in longest]
        pauses.clear()


def test_a_call_that_has_no_time_for_its_pause_ends_with_what_was_said(
    scripted: Scripted, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bookings.aws.client._chance", lambda: 1.0)
    scripted.reply = lambda: Reply({"__type": "ThrottlingException"}, 400)
    with pytest.raises(ErrorAnswer, match=r"^ThrottlingException$"):
        ours("events", 3).call("PutEvents", CALLS["PutEvents"][1], 0.9)
    scripted.reply = lambda: Misbehaviour.BREAK_OFF
    with pytest.raises(NoAnswer, match=r"^ConnectionResetError$"):
        ours("events", 3).call("PutEvents", CALLS["PutEvents"][1], 0.9)
    assert (len(scripted.asked()), pauses) == (2, [])


def test_a_call_ends_in_its_time_whatever_its_attempts_may_take(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    # failure matrix: 13
    monkeypatch.setattr("bookings.aws.client._chance", lambda: 0.0)
    scripted.reply = lambda: Misbehaviour.SILENT
    started = time.monotonic()
    with pytest.raises(NoAnswer, match=r"^no answer in time$"):
        ours("events", 3, timeout_seconds=60).call("PutEvents", CALLS["PutEvents"][1], 0.2)
    assert 0.2 <= time.monotonic() - started < 5.0
    assert len(scripted.asked()) == 1


@pytest.mark.parametrize("left", [0, -1.5])
def test_without_time_left_nothing_is_asked(scripted: Scripted, left: float) -> None:
    with pytest.raises(NoAnswer, match=r"^no time left$"):
        ours("events", 3).call("PutEvents", CALLS["PutEvents"][1], left)
    assert scripted.asked() == []


# ── connections ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_client_may_connect_before_it_has_anything_to_say(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = ours("events")
    events.connect(5.0)
    monkeypatch.setattr("socket.create_connection", None)  # it needs no other one
    events.call("PutEvents", CALLS["PutEvents"][1])
    assert len(scripted.asked()) == 1


def test_a_client_that_can_not_connect_says_so_in_its_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    with Service(lambda *_: Reply()) as gone:
        monkeypatch.setenv("AWS_ENDPOINT_URL", gone.url)
    events = ours("events")
    events.connect(5.0)
    with pytest.raises(NoAnswer, match=r"^ConnectionRefusedError$"):
        events.call("PutEvents", CALLS["PutEvents"][1])


def failing(error: Exception, times: int) -> Callable[[], str]:
    left = [error] * times

    def call() -> str:
        if left:
            raise left.pop()
        return "done"

    return call


def test_a_call_on_a_connection_that_was_closed_meanwhile_is_made_once_more() -> None:
    closed = HungUp("the connection was closed")
    assert again_if_hung_up(failing(closed, 1)) == "done"
    with pytest.raises(HungUp):
        again_if_hung_up(failing(closed, 2))


def test_a_call_that_took_too_long_is_not_made_again() -> None:
    late = NoAnswer("no answer in time")
    with pytest.raises(NoAnswer):
        again_if_hung_up(failing(late, 1))


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────────────

SKEW_CODES = (
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
)
TAKEN_SECONDS = 300  # AWS takes a signature that much before and after


class AnotherClock:
    """A service whose clock differs from ours, and that takes no signature of another time."""

    def __init__(self, ahead: timedelta, code: str = "RequestTimeTooSkewed", **headers: str) -> None:
        self._ahead = ahead
        self._refusal = {"__type": f"com.amazonaws#{code}", "message": CANARY}
        self._headers = headers
        self.scripted: Scripted

    def __call__(self) -> Reply:
        now = datetime.now(UTC) + self._ahead
        signed = self.scripted.service.received[-1].headers["x-amz-date"]
        moment = datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        said = {"date": format_datetime(now, usegmt=True)} | self._headers
        if abs((moment - now).total_seconds()) > TAKEN_SECONDS:
            return Reply(self._refusal, 400, said)
        return Reply({"Entries": [{"EventId": "e"}]}, 200, said)

    def at(self, scripted: Scripted) -> "AnotherClock":
        self.scripted = scripted
        scripted.reply = self
        return self


def put() -> tuple[str, dict[str, Any]]:
    return "PutEvents", CALLS["PutEvents"][1]


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=400)], ids=str)
@pytest.mark.parametrize("code", SKEW_CODES)
def test_a_clock_that_is_wrong_is_corrected_once_and_stays_so(
    scripted: Scripted, code: str, ahead: timedelta
) -> None:
    AnotherClock(ahead, code).at(scripted)
    events = ours("events")
    assert events.call(*put()) == {"Entries": [{"EventId": "e"}]}
    assert len(scripted.asked()) == 2
    events.call(*put())
    assert len(scripted.asked()) == 1
    # And once more, when it is set right or moves on.
    AnotherClock(timedelta(0), code).at(scripted)
    events.call(*put())
    assert len(scripted.asked()) == 2


@pytest.mark.parametrize("code", SKEW_CODES)
def test_what_is_refused_again_is_not_asked_for_ever(scripted: Scripted, code: str) -> None:
    hour_ahead = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    scripted.reply = lambda: Reply({"__type": code}, 403, {"date": hour_ahead})
    events = ours("events", 1)
    for requests in (2, 1):  # the second time it knows that it isn't the clock
        with pytest.raises(ErrorAnswer, match=code):
            events.call(*put())
        assert len(scripted.asked()) == requests


@pytest.mark.parametrize("seconds", [-200, 0, 200])
def test_a_clock_that_is_nearly_right_is_not_why_a_signature_is_refused(
    scripted: Scripted, seconds: int
) -> None:
    said = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    scripted.reply = lambda: Reply({"__type": "SignatureDoesNotMatch"}, 403, {"date": said})
    with pytest.raises(ErrorAnswer, match="SignatureDoesNotMatch"):
        ours("events").call(*put())
    assert len(scripted.asked()) == 1


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ThrottlingException", "UnrecognizedClientException"]
)
def test_another_error_does_not_set_the_clock(scripted: Scripted, code: str) -> None:
    hour_ahead = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    scripted.reply = lambda: Reply({"__type": code}, 400, {"date": hour_ahead})
    with pytest.raises(ErrorAnswer, match=code):
        ours("events").call(*put())
    assert len(scripted.asked()) == 1


DATES = (
    "",
    "now",
    CANARY,
    "Mon, 01 Jan 99999 00:00:00 GMT",
    "Mon, 99 Jan 2026 00:00:00 GMT",
    "Mon, 01 Jan 0001 00:00:00 -0000",
    "Mon, 01 Jan 2026 00:00:00 +9999",
    "1, 2, 3",
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(max_codepoint=0xFF)) | st.sampled_from(DATES))
@example("Mon, 01 Jan 2026 00:00:00 +99999999999999999999")  # OverflowError
@example("Mon, 01 Jan 2026 00:00:00 +9999")  # ValueError
def test_a_date_that_is_none_changes_nothing(date: str) -> None:
    refused = Response(403, {"date": date}, b'{"__type": "RequestExpired"}')
    events = ours("events")
    if events._skewed(refused):  # a date all the same
        assert abs(events._ahead_seconds) >= module._SKEW_SECONDS


def test_a_refusal_without_a_date_changes_nothing() -> None:
    assert ours("events")._skewed(Response(403, {}, b'{"__type": "RequestExpired"}')) is False


# ── endpoints ────────────────────────────────────────────────────────────────────────────────────────────


def regions() -> Iterator[str]:
    """Yields two regions of each of AWS's partitions."""
    for partition in BOTOCORE.get_data("endpoints")["partitions"]:
        named = list(partition["regions"])
        yield from {named[0], named[-1]}


REGIONS = sorted(regions())


def test_regions_of_every_partition_are_compared() -> None:
    starts = {"cn-", "eusc-", "us-gov-", "us-iso-", "us-isob-", "eu-isoe-", "us-isof-", "us-west-"}
    assert [start for start in starts if not any(region.startswith(start) for region in REGIONS)] == []


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("region", REGIONS)
def test_a_service_is_where_boto3_has_it(service: str, region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    expected = SESSION.client(service, region_name=region).meta.endpoint_url
    address, host = module._endpoint(service, region, {})
    assert (f"https://{address.host}", address.port, address.secure) == (expected, 443, True)
    assert host == address.host


ENDPOINTS = (
    "http://127.0.0.1:4566",
    "http://127.0.0.1:4566/",
    "http://localhost",
    "https://localhost",
    "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com",
    "https://x-1.example:8443/",
    "http://x.example:80",
    "https://x.example:443",
    "https://x.example:80",
    "http://[::1]:4566",
    "http://[::1]",
)


@pytest.mark.parametrize("url", ENDPOINTS)
def test_another_endpoint_is_taken_as_boto3_takes_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert SESSION.client("sqs").meta.endpoint_url == url
    address, host = module._endpoint("sqs", "eu-west-1", os.environ)
    request = AWSRequest("POST", url, headers={}, data=b"")
    signer = auth.SigV4Auth(credentials.Credentials("a", "b"), "sqs", "eu-west-1")
    assert host == signer.headers_to_sign(request)["host"]
    assert address.secure is url.startswith("https")
    assert address.host == host.removesuffix(f":{address.port}").strip("[]")


@pytest.mark.parametrize("service", SERVICES)
def test_another_endpoint_is_named_as_for_boto3(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own, url, other = SERVICES[service].endpoint_variable, "http://this.example", "http://other.example"
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    for environment in (
        {"AWS_ENDPOINT_URL": url},
        {own: url},
        {own: url, "AWS_ENDPOINT_URL": other},
        {own: "", "AWS_ENDPOINT_URL": url},
    ):
        address, host = module._endpoint(service, "eu-west-1", environment)
        assert (address.host, address.port, host) == ("this.example", 80, "this.example")
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            assert SESSION.client(service).meta.endpoint_url == url


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:4566",
        "ftp://x.example",
        "https://canary@x.example",
        "https://x.example/path",
        "https://x.example?a=b",
        "https://",
        "https://:443",
        "https://x.example:port",
        "https://x\r\ny: z",
    ],
)
def test_an_endpoint_that_is_none_is_named_and_not_repeated(url: str) -> None:
    # boto3 takes a path too, and sends to it; ours never had one to send to.
    with pytest.raises(SettingsError, match=r"^AWS_ENDPOINT_URL of sqs is not http\[s\]://HOST\[:PORT\]$"):
        Client("sqs", ENVIRONMENT | {"AWS_ENDPOINT_URL": url}, timeout_seconds=1, attempts=1)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_described_as_botocores_model_has_it(service: str) -> None:
    model = BOTOCORE.get_service_model(service)
    ours = SERVICES[service]
    assert ours.target == model.metadata["targetPrefix"]
    assert ours.json_version == model.metadata["jsonVersion"]
    assert ours.query_errors is ("awsQueryCompatible" in model.metadata)
    assert service == model.signing_name == model.endpoint_prefix
    variable = "_".join(model.service_id.hyphenize().upper().split("-"))
    assert ours.endpoint_variable == f"AWS_ENDPOINT_URL_{variable}"


# ── environment ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
@pytest.mark.parametrize("value", [None, ""])
def test_credentials_that_are_missing_are_named(name: str, value: str | None) -> None:
    environment = {key: each for key, each in ENVIRONMENT.items() if key != name}
    with pytest.raises(SettingsError, match=f"^{name} is not set$"):
        Client(
            "events", environment | ({} if value is None else {name: value}), timeout_seconds=1, attempts=1
        )


def test_a_region_that_is_missing_is_named_and_lambdas_own_counts_first(scripted: Scripted) -> None:
    def signed(**regions: str) -> str:
        kept = {name: value for name, value in ENVIRONMENT.items() if "REGION" not in name}
        environment = kept | regions | {"AWS_ENDPOINT_URL": scripted.service.url}
        Client("events", environment, timeout_seconds=5, attempts=1).call(*put())
        (asked,) = scripted.asked()
        return asked.headers["authorization"].split("/")[2]

    assert signed(AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="us-east-1") == "eu-west-1"
    assert signed(AWS_DEFAULT_REGION="us-east-1") == "us-east-1"
    with pytest.raises(SettingsError, match=r"^AWS_DEFAULT_REGION is not set$"):
        signed()


def test_credentials_without_a_session_need_no_token(scripted: Scripted) -> None:
    for environment in (
        {name: value for name, value in ENVIRONMENT.items() if name != "AWS_SESSION_TOKEN"},
        ENVIRONMENT | {"AWS_SESSION_TOKEN": ""},
    ):
        made = environment | {"AWS_ENDPOINT_URL": scripted.service.url}
        Client("events", made, timeout_seconds=5, attempts=1).call(*put())
        (asked,) = scripted.asked()
        assert "x-amz-security-token" not in asked.headers


# ── what the ports are told ──────────────────────────────────────────────────────────────────────────────


def translated(error: Exception) -> ServiceError:
    with pytest.raises(ServiceError) as raised, translated_errors("SQS"):
        raise error
    assert raised.value.__cause__ is None
    return raised.value


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", ServiceUnavailable),
        ("AccessDeniedException", ServiceUnavailable),
        ("AWS.SimpleQueueService.NonExistentQueue", ServiceUnavailable),
        ("KMS.DisabledException", ServiceUnavailable),
        ("KmsThrottled", ServiceUnavailable),
        ("unknown", ServiceUnavailable),
        ("503", ServiceUnavailable),
        ("InvalidAttributeValue", RefusedByService),
        ("InvalidMessageContents", RefusedByService),
        ("com.amazonaws.sqs#InvalidMessageContents", RefusedByService),
        ("AWS.SimpleQueueService.InvalidMessageContents", RefusedByService),
        ("InvalidParameterValue", RefusedByService),
        ("MessageTooLong", RefusedByService),
        ("ValidationError", RefusedByService),
        ("ValidationException", RefusedByService),
        ("SerializationException", RefusedByService),
    ],
)
def test_an_error_code_says_whether_trying_again_is_of_use(code: str, kind: type[ServiceError]) -> None:
    # failure matrix: 14, 47
    error = translated(ErrorAnswer(code, {"message": CANARY}))
    assert type(error) is kind
    assert str(error) == f"SQS: {code}"
    if isinstance(error, ServiceUnavailable):
        assert error.answered is True


@pytest.mark.parametrize("error", [NoAnswer("no answer in time"), HungUp("the connection was closed")])
def test_a_service_out_of_reach_is_told_by_the_kind_of_failure_alone(error: NoAnswer) -> None:
    told = translated(error)
    assert isinstance(told, ServiceUnavailable)
    assert told.answered is False
    assert str(told) == f"SQS: {error}"


def test_an_error_of_the_call_itself_passes_through_unchanged() -> None:
    with pytest.raises(KeyError), translated_errors("SQS"):
        raise KeyError("ours")


@pytest.mark.parametrize("operation", CALLS)
def test_nothing_of_what_a_service_says_is_in_an_error(scripted: Scripted, operation: str) -> None:
    # failure matrix: 43
    service, parameters = CALLS[operation]
    for body in ({"__type": "ValidationException", "message": CANARY}, CANARY.encode()):
        scripted.reply = partial(Reply, body, 400)
        with pytest.raises(ServiceError) as raised, translated_errors("it"):
            ours(service).call(operation, parameters)
        assert str(raised.value) in {"it: ValidationException", "it: 400"}
