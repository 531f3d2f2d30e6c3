"""The strict client against what boto3's own clients are."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError

from tests.aws.client import StrictClient
from tests.aws.errors import AWSError
from tests.aws.sqs import SQS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("service_name", ["dynamodb", "events", "secretsmanager", "sqs"])
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
