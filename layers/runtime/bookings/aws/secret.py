"""The secret token in Secrets Manager."""

from typing import Any

from bookings.aws.calls import BoundedCalls, again_if_hung_up, translated_errors
from bookings.live_secrets import SecretVersion

_SERVICE = "Secrets Manager"


class SecretsManagerSecret:
    """Reads the two live versions; the secret's string is the token itself."""

    def __init__(self, client: Any, arn: str, calls: BoundedCalls) -> None:
        self._client = client
        self._arn = arn
        self._calls = calls

    def current(self, timeout_seconds: float) -> SecretVersion:
        with translated_errors(_SERVICE):
            return self._version("AWSCURRENT", timeout_seconds)

    def previous(self, timeout_seconds: float) -> SecretVersion | None:
        with translated_errors(_SERVICE):
            try:
                return self._version("AWSPREVIOUS", timeout_seconds)
            except self._client.exceptions.ResourceNotFoundException:
                return None

    def _version(self, stage: str, timeout_seconds: float) -> SecretVersion:
        answer = self._calls.run(
            _SERVICE,
            lambda: again_if_hung_up(
                lambda: self._client.get_secret_value(SecretId=self._arn, VersionStage=stage)
            ),
            timeout_seconds,
        )
        return SecretVersion(answer.get("SecretString", "").strip(), answer["CreatedDate"])
