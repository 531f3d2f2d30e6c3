"""The strict client against what boto3's own clients are."""

import weakref
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError

from tests.aws.client import Service, StrictClient
from tests.aws.dynamodb import DynamoDB
from tests.aws.errors import AWSError
from tests.aws.events import EventBridge
from tests.aws.secretsmanager import SecretsManager
from tests.aws.sqs import SQS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SERVICES: dict[str, Callable[[Callable[[], datetime]], Service]] = {
    "dynamodb": DynamoDB,
    "events": EventBridge,
    "secretsmanager": SecretsManager,
    "sqs": SQS,
}


@pytest.mark.parametrize("service_name", SERVICES)
def test_a_strict_client_has_the_exceptions_of_boto3s(service_name: str) -> None:
    make: Any = boto3.client
    strict, real = StrictClient(service_name, SQS(lambda: NOW)).exceptions, make(service_name).exceptions
    codes = set(real._code_to_exception)
    assert codes
    for code in codes:
        assert strict.from_code(code).__name__ == real.from_code(code).__name__


def test_a_modelled_error_is_raised_as_its_class_and_told_by_the_code_of_the_older_protocol() -> None:
    client = StrictClient("sqs", SQS(lambda: NOW))
    with pytest.raises(client.exceptions.QueueDoesNotExist) as raised:
        client.send_message(QueueUrl="https://sqs.us-east-1.amazonaws.com/123456789012/no", MessageBody="x")
    error = raised.value.response["Error"]
    assert (error["Code"], error["QueryErrorCode"]) == (
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
    )


def test_an_error_without_a_shape_is_raised_as_a_client_error() -> None:
    sqs = SQS(lambda: NOW)
    client = StrictClient("sqs", sqs)
    with pytest.raises(ClientError) as raised:
        client.receive_message(QueueUrl=sqs.create_queue("q"), MaxNumberOfMessages=11)
    assert type(raised.value) is ClientError
    assert raised.value.response["Error"]["Code"] == "InvalidParameterValue"


def test_every_call_goes_through_one_point_where_it_may_fail() -> None:
    class Throttled(StrictClient):
        def _invoke(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
            raise AWSError("RequestThrottled", f"not {operation} now")

    client = Throttled("sqs", SQS(lambda: NOW))
    with pytest.raises(client.exceptions.RequestThrottled, match="not DeleteMessage now"):
        client.delete_message(QueueUrl="q", ReceiptHandle="h")


def test_a_client_has_no_method_that_the_service_has_no_operation_for() -> None:
    client = StrictClient("sqs", SQS(lambda: NOW))
    with pytest.raises(AttributeError):
        client.send_massage(QueueUrl="q")


def test_a_client_that_validates_refuses_what_botocore_does_not_send() -> None:
    client = StrictClient("sqs", SQS(lambda: NOW), validate=True)
    with pytest.raises(ParamValidationError, match='Missing required parameter in input: "MessageBody"'):
        client.send_message(QueueUrl="q")


def test_a_world_goes_with_its_last_reference() -> None:
    # A simulation makes millions of worlds; what refers to itself would wait for the garbage collector.
    gone: list[weakref.ref[Any]] = []
    for service_name, make in SERVICES.items():
        client = StrictClient(service_name, make(lambda: NOW))
        method = next(iter(client._operations))
        assert callable(getattr(client, method))
        gone += [weakref.ref(client), weakref.ref(client._service)]
        del client
    assert [reference() for reference in gone] == [None] * 8
