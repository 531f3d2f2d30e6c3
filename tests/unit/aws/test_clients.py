"""The checks and errors of boto3's clients. `tests/adapters/test_clients.py` has the calls over sockets."""

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    SSLError,
)

from bookings.aws.clients import client, translated_errors
from bookings.errors import RefusedByService, ServiceError, ServiceUnavailable

CANARY = "canary@example.com"
CODES = {
    ServiceUnavailable: "ThrottlingException ProvisionedThroughputExceededException RequestThrottled "
    "AccessDeniedException ResourceNotFoundException AWS.SimpleQueueService.NonExistentQueue 503 unknown "
    "InternalServerError KMS.DisabledException KmsThrottled KMSAccessDeniedException DecryptionFailure",
    RefusedByService: "InvalidAttributeValue InvalidMessageContents InvalidParameterValue MessageTooLong "
    "SerializationException ValidationError ValidationException com.amazonaws.sqs#InvalidMessageContents "
    "AWS.SimpleQueueService.InvalidMessageContents",
}


@pytest.mark.parametrize(
    ("code", "kind"), [(code, kind) for kind, codes in CODES.items() for code in codes.split()]
)
def test_code_decides_whether_a_retry_helps(code: str, kind: type[ServiceError]) -> None:
    # failure matrix: 14, 22, 39, 47, 53
    with pytest.raises(ServiceError) as raised, translated_errors("SQS"):
        raise ClientError({"Error": {"Code": code, "Message": CANARY}}, "SendMessage")
    assert (type(raised.value), str(raised.value)) == (kind, f"SQS: {code}")


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        (EndpointConnectionError(endpoint_url=CANARY), ServiceUnavailable, "SQS: EndpointConnectionError"),
        (SSLError(endpoint_url=CANARY, error=OSError(CANARY)), ServiceUnavailable, "SQS: SSLError"),
        (NoCredentialsError(), ServiceUnavailable, "SQS: NoCredentialsError"),
        (ParamValidationError(report=CANARY), RefusedByService, "SQS: invalid parameters"),
        (ZeroDivisionError("a bug"), ZeroDivisionError, "a bug"),
    ],
)
def test_failure_without_an_answer(failure: Exception, kind: type[Exception], words: str) -> None:
    # failure matrix: 43
    with pytest.raises(kind) as raised, translated_errors("SQS"):
        raise failure
    assert str(raised.value) == words
    assert getattr(raised.value, "answered", False) is False


@pytest.mark.parametrize("service", ["dynamodb", "events", "secretsmanager", "sqs"])
def test_certificates_are_verified(service: str) -> None:
    # True, or the file of the environment's own authorities.
    assert client(service)._endpoint.http_session._verify
