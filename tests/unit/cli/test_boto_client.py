"""boto3 behind the port of the functions' own client: the same errors, the same form of an answer."""

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from bookings.aws.client import AWSClient, ErrorAnswer, translated_errors
from bookings.aws.wire import NoAnswer
from bookings.services import RefusedByService, ServiceUnavailable
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.stub import Stubber

from cli.boto_client import BotoClient

CANARY = "canary@example.com"

ENTRY = {"Source": "s", "DetailType": "t", "Detail": "{}"}


class Failing:
    """A boto3 client whose every operation fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def operation(**_: object) -> None:
            raise self._error

        return operation


def calling(client: Any) -> AWSClient:
    """Returns it as what it has to be."""
    return BotoClient(client)


def test_an_operation_is_called_by_its_name_with_its_parameters() -> None:
    sqs: Any = boto3.client("sqs")
    sent = {
        "QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/q",
        "Entries": [{"Id": "0", "ReceiptHandle": "h"}],
    }
    with Stubber(sqs) as stub:
        stub.add_response("change_message_visibility_batch", {"Successful": [], "Failed": []}, sent)
        answer = calling(sqs).call("ChangeMessageVisibilityBatch", sent)
        stub.assert_no_pending_responses()
    assert answer == {"Successful": [], "Failed": []}


def test_an_answer_has_its_moments_as_the_service_writes_them_and_nothing_of_boto3s() -> None:
    secrets_manager: Any = boto3.client("secretsmanager")
    made = datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)
    with Stubber(secrets_manager) as stub:
        stub.add_response("get_secret_value", {"SecretString": "x" * 20, "CreatedDate": made})
        answer = calling(secrets_manager).call("GetSecretValue", {"SecretId": "arn:aws:s"}, 5.0)
    assert answer == {"SecretString": "x" * 20, "CreatedDate": made.timestamp()}


def test_an_error_has_its_code_and_what_else_it_says_but_repeats_nothing() -> None:
    # failure matrix: 43
    item = {"id": {"S": CANARY}}
    refused = {"Error": {"Code": "ConditionalCheckFailedException", "Message": CANARY}, "Item": item}
    with pytest.raises(ErrorAnswer) as raised:
        calling(Failing(ClientError(refused, "PutItem"))).call("PutItem", {})  # type: ignore[arg-type]
    assert raised.value.code == str(raised.value) == "ConditionalCheckFailedException"
    assert raised.value.answer["Item"] == item
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("response", [{}, {"Error": {}}])
def test_an_error_without_a_code_is_an_unavailable_service(response: Any) -> None:
    with pytest.raises(ServiceUnavailable, match=r"^SQS: unknown$"), translated_errors("SQS"):
        calling(Failing(ClientError(response, "SendMessage"))).call("SendMessage", {})


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url=CANARY),
        EndpointConnectionError(endpoint_url=CANARY),
        ConnectionClosedError(endpoint_url=CANARY),
        NoCredentialsError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_service_out_of_reach_is_told_by_the_kind_of_failure_alone(error: BotoCoreError) -> None:
    # failure matrix: 43
    with pytest.raises(NoAnswer) as raised:
        calling(Failing(error)).call("SendMessage", {})
    assert str(raised.value) == type(error).__name__
    assert raised.value.__cause__ is None


def test_a_request_that_boto3_itself_refuses_is_never_tried_again() -> None:
    # failure matrix: 43
    with pytest.raises(RefusedByService) as raised, translated_errors("EventBridge"):
        calling(boto3.client("events")).call("PutEvents", {"Entries": [ENTRY | {"Detail": CANARY.encode()}]})
    assert str(raised.value) == "EventBridge: ValidationException"


@pytest.mark.parametrize("left", [0, -1.5])
def test_without_time_left_nothing_is_called(left: float) -> None:
    with pytest.raises(NoAnswer, match=r"^no time left$"):
        calling(Failing(AssertionError("called"))).call("SendMessage", {}, left)


def test_an_error_that_is_not_boto3s_passes_through_unchanged() -> None:
    with pytest.raises(KeyError):
        calling(Failing(KeyError("ours"))).call("SendMessage", {})


def test_it_connects_when_it_has_something_to_send() -> None:
    calling(Failing(AssertionError("called"))).connect(5.0)
