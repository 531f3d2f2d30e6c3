"""The secret token in Secrets Manager."""

from datetime import UTC, datetime

from bookings.aws.client import AWSClient, ErrorAnswer, translated_errors
from bookings.live_secrets import SecretVersion

_SERVICE = "Secrets Manager"


class SecretsManagerSecret:
    """Reads the two live versions; the secret's string is the token itself."""

    def __init__(self, client: AWSClient, arn: str) -> None:
        self._client = client
        self._arn = arn

    def current(self, timeout_seconds: float) -> SecretVersion:
        with translated_errors(_SERVICE):
            return self._version("AWSCURRENT", timeout_seconds)

    def previous(self, timeout_seconds: float) -> SecretVersion | None:
        with translated_errors(_SERVICE):
            try:
                return self._version("AWSPREVIOUS", timeout_seconds)
            except ErrorAnswer as error:
                if error.code != "ResourceNotFoundException":
                    raise
                return None

    def _version(self, stage: str, timeout_seconds: float) -> SecretVersion:
        answer = self._client.call(
            "GetSecretValue", {"SecretId": self._arn, "VersionStage": stage}, timeout_seconds
        )
        created_at = datetime.fromtimestamp(answer["CreatedDate"], UTC)
        return SecretVersion(answer.get("SecretString", "").strip(), created_at)
