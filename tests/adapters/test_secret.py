"""The secret's adapter: the two live versions, and what is there when they are not."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from bookings.aws.client import client
from bookings.aws.secret import SecretsManagerSecret
from bookings.services import ServiceUnavailable
from botocore.stub import Stubber

from cli.boto_client import BotoClient
from tests.adapters.loopback import Misbehaviour, Reply, Service
from tests.adapters.resources import TOKEN

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:zoom-AbCdEf"


@pytest.fixture
def secrets_manager(aws: None) -> Any:
    return boto3.client("secretsmanager")


def made(secrets_manager: Any, **content: Any) -> SecretsManagerSecret:
    arn = secrets_manager.create_secret(Name="zoom", **content)["ARN"]
    return SecretsManagerSecret(BotoClient(secrets_manager), arn)


def test_a_new_secret_has_a_current_version_and_no_previous_one(secrets_manager: Any) -> None:
    secret = made(secrets_manager, SecretString=TOKEN)
    current = secret.current(5.0)
    assert current.value == TOKEN
    assert datetime.now(UTC) - current.created_at < timedelta(minutes=1)
    assert secret.previous(5.0) is None


def test_a_rotated_secret_has_both_and_a_second_rotation_drops_the_first(secrets_manager: Any) -> None:
    # failure matrix: 28
    secret = made(secrets_manager, SecretString="first-token-0123456789")
    secrets_manager.put_secret_value(SecretId="zoom", SecretString="second-token-0123456789")
    previous = secret.previous(5.0)
    assert previous is not None
    assert (secret.current(5.0).value, previous.value) == (
        "second-token-0123456789",
        "first-token-0123456789",
    )
    secrets_manager.put_secret_value(SecretId="zoom", SecretString="third-token-0123456789")
    previous = secret.previous(5.0)
    assert previous is not None
    assert (secret.current(5.0).value, previous.value) == (
        "third-token-0123456789",
        "second-token-0123456789",
    )


def test_white_space_around_a_pasted_token_is_not_part_of_it(secrets_manager: Any) -> None:
    assert made(secrets_manager, SecretString=f" {TOKEN}\r\n").current(5.0).value == TOKEN


def test_a_secret_that_is_binary_has_no_token(secrets_manager: Any) -> None:
    # failure matrix: 31
    assert made(secrets_manager, SecretBinary=b"token-in-bytes-0123").current(5.0).value == ""


def test_a_token_is_not_shown_with_its_version(secrets_manager: Any) -> None:
    # failure matrix: 43
    assert TOKEN not in repr(made(secrets_manager, SecretString=TOKEN).current(5.0))


def test_a_secret_that_is_gone_is_unavailable(secrets_manager: Any) -> None:
    # failure matrix: 30
    secret = made(secrets_manager, SecretString=TOKEN)
    secrets_manager.delete_secret(SecretId="zoom", ForceDeleteWithoutRecovery=True)
    with pytest.raises(ServiceUnavailable, match=r"^Secrets Manager: ResourceNotFoundException$"):
        secret.current(5.0)


@pytest.mark.parametrize(
    "code", ["InternalServiceError", "AccessDeniedException", "DecryptionFailure", "ThrottlingException"]
)
def test_a_secret_that_can_not_be_read_is_unavailable_in_both_versions(code: str) -> None:
    # failure matrix: 30, 47
    secrets_manager: Any = boto3.client("secretsmanager")
    secret = SecretsManagerSecret(BotoClient(secrets_manager), ARN)
    with Stubber(secrets_manager) as stub:
        for stage, read in (("AWSCURRENT", secret.current), ("AWSPREVIOUS", secret.previous)):
            stub.add_client_error(
                "get_secret_value",
                code,
                "canary",
                expected_params={"SecretId": ARN, "VersionStage": stage},
            )
            with pytest.raises(ServiceUnavailable, match=f"^Secrets Manager: {code}$"):
                read(5.0)


def test_a_silent_secrets_manager_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # failure matrix: 13, 30
    with Service(lambda *_: Misbehaviour.SILENT) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", service.url)
        slow = client("secretsmanager", timeout_seconds=5, attempts=1)
        started = time.monotonic()
        with pytest.raises(ServiceUnavailable, match=r"no answer in time$"):
            SecretsManagerSecret(slow, ARN).current(0.2)
        assert time.monotonic() - started < 4.0


def test_a_secret_is_read_although_the_kept_connection_was_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Iterator[Misbehaviour | Reply] = iter(
        [Misbehaviour.HANG_UP, Reply({"SecretString": TOKEN, "CreatedDate": 1_795_000_000.5})]
    )
    with Service(lambda *_: next(answers)) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", service.url)
        secrets_manager = client("secretsmanager", timeout_seconds=5, attempts=1)
        current = SecretsManagerSecret(secrets_manager, ARN).current(5.0)
    assert current.value == TOKEN
    assert current.created_at.timestamp() == 1_795_000_000.5
