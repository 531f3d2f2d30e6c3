"""A strict Secrets Manager: secrets with their current and previous version.

Rules: "GetSecretValue" and "PutSecretValue" in the AWS Secrets Manager API Reference, read in November 2026.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.aws.account import ACCOUNT, REGION, counted_uuid
from tests.aws.errors import AWSError

MAX_SECRET_BYTES = 65_536

CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"
_PARAMETERS = {"SecretId", "VersionId", "VersionStage"}
_SERVICE_NUMBER = 1


@dataclass(frozen=True, slots=True)
class _Version:
    id: str
    value: str
    created_at: datetime


class _Secret:
    def __init__(self, arn: str, name: str) -> None:
        self.arn = arn
        self.name = name
        self.stages: dict[str, _Version] = {}


class SecretsManager:
    """Keeps secrets; a version that has lost its last stage is gone."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._secrets: dict[str, _Secret] = {}  # by name, and by ARN as well
        self._versions = 0

    def create_secret(self, name: str, value: str) -> str:
        """Returns the ARN of a new secret.

        Raises:
            AWSError: ResourceExistsException, or the value has a size that is refused.
        """
        if name in self._secrets:
            raise AWSError("ResourceExistsException", f"The secret {name} already exists.")
        arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-{len(self._secrets):06d}"
        secret = _Secret(arn, name)
        self._put(secret, value)
        self._secrets[name] = self._secrets[arn] = secret
        return arn

    def put_secret_value(self, arn: str, value: str) -> None:
        """Makes a new current version; the one before becomes the previous one.

        Raises:
            AWSError: ResourceNotFoundException, or the value has a size that is refused.
        """
        self._put(self._secret(arn), value)

    def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answers GetSecretValue.

        Raises:
            AWSError: as the service answers.
            NotImplementedError: for an operation or a parameter beyond what is needed here.
        """
        if operation != "GetSecretValue" or parameters.keys() - _PARAMETERS:
            raise NotImplementedError(f"{operation} with {sorted(parameters)}")
        secret = self._secret(parameters["SecretId"])
        version = self._version(secret, parameters.get("VersionStage"), parameters.get("VersionId"))
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": version.id,
            "SecretString": version.value,
            "VersionStages": [stage for stage, staged in secret.stages.items() if staged is version],
            "CreatedDate": version.created_at,
        }

    def _secret(self, secret_id: str) -> _Secret:
        secret = self._secrets.get(secret_id)
        if secret is None:
            raise _not_found("Secrets Manager can't find the specified secret.")
        return secret

    def _version(self, secret: _Secret, stage: str | None, version_id: str | None) -> _Version:
        if version_id is None:
            found = secret.stages.get(stage or CURRENT)
            if found is None:
                raise _not_found(
                    f"Secrets Manager can't find the specified secret value for staging label: {stage}"
                )
            return found
        for version in secret.stages.values():
            if version.id == version_id:
                if stage is not None and secret.stages.get(stage) is not version:
                    raise AWSError("InvalidRequestException", "The version has another staging label.")
                return version
        raise _not_found(f"Secrets Manager can't find the specified secret value for VersionId: {version_id}")

    def _put(self, secret: _Secret, value: str) -> None:
        if not 0 < len(value.encode()) <= MAX_SECRET_BYTES:
            raise AWSError("InvalidParameterException", "The secret value has a length that is not valid.")
        self._versions += 1
        before = secret.stages.get(CURRENT)
        secret.stages[CURRENT] = _Version(counted_uuid(_SERVICE_NUMBER, self._versions), value, self._now())
        if before is not None:
            secret.stages[PREVIOUS] = before


def _not_found(message: str) -> AWSError:
    return AWSError("ResourceNotFoundException", message)
