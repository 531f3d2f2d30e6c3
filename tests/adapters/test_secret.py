"""The secret's adapter: the two live versions, and what is there when they are not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from bookings.aws.secrets import SecretsManagerSecret
from bookings.errors import ServiceUnavailable
from tests.adapters.resources import TOKEN, in_time

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:zoom-AbCdEf"


@pytest.fixture
def secrets_manager(aws: None) -> Any:
    return boto3.client("secretsmanager")


def stored(secrets_manager: Any, **content: Any) -> SecretsManagerSecret:
    arn = secrets_manager.create_secret(Name="zoom", **content)["ARN"]
    return SecretsManagerSecret(secrets_manager, arn)


def test_a_new_secret_has_a_current_version_and_no_previous_one(secrets_manager: Any) -> None:
    secret = stored(secrets_manager, SecretString=TOKEN)
    current = secret.current(in_time())
    assert current.value == TOKEN
    assert datetime.now(UTC) - current.created_at < timedelta(minutes=1)
    assert secret.previous(in_time()) is None


def test_a_rotated_secret_has_both_and_a_second_rotation_drops_the_first(secrets_manager: Any) -> None:
    # failure matrix: 28
    secret = stored(secrets_manager, SecretString="first-token-0123456789")
    secrets_manager.put_secret_value(SecretId="zoom", SecretString="second-token-0123456789")
    previous = secret.previous(in_time())
    assert previous is not None
    assert (secret.current(in_time()).value, previous.value) == (
        "second-token-0123456789",
        "first-token-0123456789",
    )
    secrets_manager.put_secret_value(SecretId="zoom", SecretString="third-token-0123456789")
    previous = secret.previous(in_time())
    assert previous is not None
    assert (secret.current(in_time()).value, previous.value) == (
        "third-token-0123456789",
        "second-token-0123456789",
    )


def test_white_space_around_a_pasted_token_is_not_part_of_it(secrets_manager: Any) -> None:
    assert stored(secrets_manager, SecretString=f" {TOKEN}\r\n").current(in_time()).value == TOKEN


def test_a_secret_that_is_binary_has_no_token(secrets_manager: Any) -> None:
    # failure matrix: 31
    assert stored(secrets_manager, SecretBinary=b"token-in-bytes-0123").current(in_time()).value == ""


def test_a_token_is_not_shown_with_its_version(secrets_manager: Any) -> None:
    # failure matrix: 43
    assert TOKEN not in repr(stored(secrets_manager, SecretString=TOKEN).current(in_time()))


def test_a_secret_that_is_gone_is_unavailable(secrets_manager: Any) -> None:
    # failure matrix: 30
    secret = stored(secrets_manager, SecretString=TOKEN)
    secrets_manager.delete_secret(SecretId="zoom", ForceDeleteWithoutRecovery=True)
    with pytest.raises(
        ServiceUnavailable, match=r"^Secrets Manager: ResourceNotFoundException, request [A-Za-z0-9]+$"
    ):
        secret.current(in_time())


@pytest.mark.parametrize(
    "code", ["InternalServiceError", "AccessDeniedException", "DecryptionFailure", "ThrottlingException"]
)
def test_a_secret_that_can_not_be_read_is_unavailable_in_both_versions(code: str) -> None:
    # failure matrix: 30, 47
    secrets_manager: Any = boto3.client("secretsmanager")
    secret = SecretsManagerSecret(secrets_manager, ARN)
    with Stubber(secrets_manager) as stub:
        for stage, read in (("AWSCURRENT", secret.current), ("AWSPREVIOUS", secret.previous)):
            stub.add_client_error(
                "get_secret_value",
                code,
                "canary",
                expected_params={"SecretId": ARN, "VersionStage": stage},
            )
            with pytest.raises(ServiceUnavailable, match=f"^Secrets Manager: {code}$"):
                read(in_time())
