"""SecretsManagerSecret: its two live versions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from bookings.aws.secrets import SecretsManagerSecret
from bookings.errors import ServiceUnavailable
from tests.adapters.conftest import TOKEN, in_time


def test_rotation_moves_the_current_version_to_previous(aws: None) -> None:
    # failure matrix: 28, 30
    manager: Any = boto3.client("secretsmanager")
    secret = SecretsManagerSecret(manager, "zoom")
    with pytest.raises(ServiceUnavailable, match=r"^Secrets Manager: ResourceNotFoundException, request"):
        secret.current(in_time())
    manager.create_secret(Name="zoom", SecretString="token-0-of-22-characters")
    assert secret.previous(in_time()) is None
    for number in (1, 2):
        before = secret.current(in_time())
        manager.put_secret_value(SecretId="zoom", SecretString=f"token-{number}-of-22-characters")
        current = secret.current(in_time())
        assert secret.previous(in_time()) == before
        assert current.value == f"token-{number}-of-22-characters"
        assert before.created_at <= current.created_at
        assert datetime.now(UTC) - current.created_at < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("content", "value"),
    [({"SecretString": f" {TOKEN}\r\n"}, TOKEN), ({"SecretBinary": TOKEN.encode()}, "")],
    ids=["pasted with white space", "binary"],
)
def test_secret_is_the_stripped_text(aws: None, content: dict[str, Any], value: str) -> None:
    # failure matrix: 31, 43
    manager: Any = boto3.client("secretsmanager")
    manager.create_secret(Name="zoom", **content)
    current = SecretsManagerSecret(manager, "zoom").current(in_time())
    assert current.value == value
    assert TOKEN not in repr(current)
