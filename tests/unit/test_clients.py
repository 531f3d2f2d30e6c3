"""How boto3 is called: time-outs, the one retry, and what is said of an error. No network."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    SSLError,
)

from bookings.aws.clients import call, client, translated_errors
from bookings.clock import Deadline
from bookings.errors import RefusedByService, ServiceError, ServiceUnavailable
from bookings.limits import CALL_SECONDS
from tests.fakes import VirtualClock

CANARY = "canary@example.com"
REQUEST_ID = "0b2c4f6e-1d3a-4b5c-8e7f-9a0b1c2d3e4f"
DENIED = (
    f"User: arn:aws:sts::123456789012:assumed-role/{CANARY} is not authorized to perform: events:PutEvents "
    f"on resource: arn:aws:events:us-east-1:123456789012:event-bus/{CANARY}"
)
CLOSED = ConnectionClosedError(endpoint_url="https://sqs.invalid")


class Operation:
    """An operation of a boto3 client that first raises these errors, each after some seconds."""

    def __init__(self, *errors: Exception, clock: VirtualClock | None = None, seconds: float = 0.0) -> None:
        self.errors = list(errors)
        self.clock = clock or VirtualClock()
        self.seconds = seconds
        self.calls: list[dict[str, Any]] = []

    def __call__(self, **parameters: Any) -> str:
        self.calls.append(parameters)
        self.clock.advance(self.seconds)
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def answer(code: str, message: str = CANARY, request_id: str = REQUEST_ID, status: int = 400) -> ClientError:
    metadata: Any = {"RequestId": request_id, "HTTPStatusCode": status}
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "PutEvents"
    )


def translated(error: Exception) -> ServiceError:
    with pytest.raises(ServiceError) as raised, translated_errors("SQS"):
        call(Operation(error))
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert CANARY not in str(raised.value)
    return raised.value


# -- Time -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["events", "sqs", "secretsmanager", "dynamodb"])
def test_client_gives_up_early_and_tries_once(service: str) -> None:
    config = client(service).meta.config
    assert (config.connect_timeout, config.read_timeout) == (0.3, 0.5)
    assert config.retries == {"total_max_attempts": 1, "mode": "standard"}


def test_client_may_wait_longer_and_try_again() -> None:
    config = client("dynamodb", read_seconds=1.0, attempts=2).meta.config
    assert (config.connect_timeout, config.read_timeout) == (0.3, 1.0)
    assert config.retries == {"total_max_attempts": 2, "mode": "standard"}


# failure matrix: 13
@pytest.mark.parametrize(("left", "begun"), [(CALL_SECONDS + 0.01, True), (CALL_SECONDS - 0.01, False)])
def test_call_that_could_pass_the_deadline_is_not_begun(left: float, begun: bool) -> None:
    operation = Operation()
    deadline = Deadline(operation.clock, left)
    if begun:
        assert call(operation, deadline, QueueUrl="q") == "done"
    else:
        with pytest.raises(ServiceUnavailable) as raised:
            call(operation, deadline, QueueUrl="q")
        assert not raised.value.answered
    assert operation.calls == [{"QueueUrl": "q"}] * begun


def test_call_without_a_deadline_is_always_begun() -> None:
    operation = Operation()
    assert call(operation, QueueUrl="q") == "done"
    assert operation.calls == [{"QueueUrl": "q"}]


# -- Closed connections -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "calls", "raises"),
    [
        ([CLOSED], 2, None),
        ([CLOSED, CLOSED], 2, ConnectionClosedError),
        ([ReadTimeoutError(endpoint_url=CANARY)], 1, ReadTimeoutError),
        ([ConnectTimeoutError(endpoint_url=CANARY)], 1, ConnectTimeoutError),
        ([answer("ThrottlingException")], 1, ClientError),
        ([CLOSED, answer("ThrottlingException")], 2, ClientError),
    ],
)
@pytest.mark.parametrize("bounded", [True, False])
def test_only_a_closed_connection_is_retried_and_once(
    errors: list[Exception], calls: int, raises: type[Exception] | None, bounded: bool
) -> None:
    operation = Operation(*errors)
    deadline = Deadline(operation.clock, 2.3) if bounded else None
    if raises is None:
        assert call(operation, deadline, QueueUrl="q") == "done"
    else:
        with pytest.raises(raises):
            call(operation, deadline, QueueUrl="q")
    assert operation.calls == [{"QueueUrl": "q"}] * calls


@pytest.mark.parametrize(("seconds", "calls"), [(1.49, 2), (1.51, 1)])
def test_closed_connection_is_not_retried_without_time(seconds: float, calls: int) -> None:
    operation = Operation(CLOSED, seconds=seconds)
    deadline = Deadline(operation.clock, 2.3)
    if calls == 2:
        assert call(operation, deadline) == "done"
    else:
        with pytest.raises(ServiceUnavailable):
            call(operation, deadline)
    assert len(operation.calls) == calls


# -- Errors -----------------------------------------------------------------------------------------------


# failure matrix: 14, 43, 47, 53
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", ServiceUnavailable),
        ("AccessDeniedException", ServiceUnavailable),
        ("AWS.SimpleQueueService.NonExistentQueue", ServiceUnavailable),
        ("KMS.DisabledException", ServiceUnavailable),
        ("KmsThrottled", ServiceUnavailable),
        ("ResourceNotFoundException", ServiceUnavailable),
        ("503", ServiceUnavailable),
        ("InvalidMessageContents", RefusedByService),
        ("com.amazonaws.sqs#InvalidMessageContents", RefusedByService),
        ("AWS.SimpleQueueService.InvalidMessageContents", RefusedByService),
        ("InvalidParameterValue", RefusedByService),
        ("InvalidAttributeValue", RefusedByService),
        ("MessageTooLong", RefusedByService),
        ("SerializationException", RefusedByService),
        ("ValidationError", RefusedByService),
        ("ValidationException", RefusedByService),
    ],
)
def test_the_code_says_whether_a_retry_is_of_use(code: str, kind: type[ServiceError]) -> None:
    error = translated(answer(code))
    assert type(error) is kind
    assert str(error) == f"SQS: {code}, request {REQUEST_ID}"
    if isinstance(error, ServiceUnavailable):
        assert error.answered


# failure matrix: 43
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (answer("AccessDenied", DENIED), f"AccessDenied, action events:PutEvents, request {REQUEST_ID}"),
        (answer("AccessDenied", CANARY), f"AccessDenied, request {REQUEST_ID}"),
        (
            answer("AccessDenied", f"not authorized to perform: {CANARY}"),
            f"AccessDenied, request {REQUEST_ID}",
        ),
        (
            answer("AccessDenied", f"not authorized to perform: events:{'x' * 65}"),
            f"AccessDenied, request {REQUEST_ID}",
        ),
        (answer("Throttling", request_id=CANARY), "Throttling"),
        (answer("Throttling", request_id=""), "Throttling"),
        (answer("Throttling", request_id="x" * 129), "Throttling"),
        (answer(CANARY, status=502), f"HTTP 502, request {REQUEST_ID}"),
        (answer("x" * 129, status=502), f"HTTP 502, request {REQUEST_ID}"),
        (answer("", status=413), f"HTTP 413, request {REQUEST_ID}"),
        (ClientError({}, "PutEvents"), "HTTP None"),
    ],
)
def test_an_error_answer_is_reduced_to_code_action_and_id(error: ClientError, said: str) -> None:
    assert str(translated(error)) == f"SQS: {said}"


# failure matrix: 43
@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url=CANARY),
        ConnectTimeoutError(endpoint_url=CANARY),
        EndpointConnectionError(endpoint_url=CANARY),
        SSLError(endpoint_url=CANARY, error=OSError(CANARY)),
        NoCredentialsError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_service_out_of_reach_is_told_by_the_error_type(error: Exception) -> None:
    unavailable = translated(error)
    assert isinstance(unavailable, ServiceUnavailable)
    assert not unavailable.answered
    assert str(unavailable) == f"SQS: {type(error).__name__}"


# failure matrix: 43
def test_parameters_that_botocore_refuses_are_refused() -> None:
    error = translated(ParamValidationError(report=CANARY))
    assert type(error) is RefusedByService
    assert str(error) == "SQS: invalid parameters"


@pytest.mark.parametrize("ours", [KeyError("ours"), ServiceUnavailable("no time left for a call")])
def test_other_errors_pass_unchanged(ours: Exception) -> None:
    operation: Callable[..., str] = Operation(ours)
    with pytest.raises(type(ours)) as raised, translated_errors("SQS"):
        call(operation)
    assert raised.value is ours
