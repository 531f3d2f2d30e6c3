"""The secret token in Secrets Manager."""

from typing import Any

from bookings.aws.clients import call, translated_errors
from bookings.clock import Deadline
from bookings.use_cases.ports import SecretVersion

_SERVICE = "Secrets Manager"


class SecretsManagerSecret:
    """Reads the two live versions of the secret. Its string is the token itself."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def current(self, deadline: Deadline) -> SecretVersion:
        with translated_errors(_SERVICE):
            return self._version("AWSCURRENT", deadline)

    def previous(self, deadline: Deadline) -> SecretVersion | None:
        with translated_errors(_SERVICE):
            try:
                return self._version("AWSPREVIOUS", deadline)
            except self._client.exceptions.ResourceNotFoundException:
                return None

    def _version(self, stage: str, deadline: Deadline) -> SecretVersion:
        answer = call(self._client.get_secret_value, deadline, SecretId=self._arn, VersionStage=stage)
        return SecretVersion(answer.get("SecretString", "").strip(), answer["CreatedDate"])
