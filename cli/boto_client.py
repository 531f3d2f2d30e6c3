"""boto3 in place of the functions' own client: for an operator's credentials, proxies and profiles."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bookings.aws.client import ErrorAnswer
from bookings.aws.wire import NoAnswer
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError


class BotoClient:
    """Calls a service through a boto3 client, whose own time-outs hold."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def connect(self, timeout_seconds: float) -> None:
        """Does nothing: boto3 connects when it has something to send."""

    def call(
        self, operation: str, parameters: Mapping[str, Any], timeout_seconds: float | None = None
    ) -> dict[str, Any]:
        if timeout_seconds is not None and timeout_seconds <= 0:
            raise NoAnswer("no time left")
        try:
            answer = getattr(self._client, xform_name(operation))(**parameters)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            raise ErrorAnswer(str(code), error.response) from None
        except ParamValidationError:
            # The service would say this, had boto3 asked it.
            raise ErrorAnswer("ValidationException") from None
        except BotoCoreError as error:
            raise NoAnswer(type(error).__name__) from None
        return {name: _wire(value) for name, value in answer.items() if name != "ResponseMetadata"}


def _wire(value: Any) -> Any:
    """Returns a value as the service writes it: boto3 reads a moment as a datetime."""
    return value.timestamp() if isinstance(value, datetime) else value
