"""The answer of a service that refuses a call."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

REQUEST_ID = "00000000-0000-4000-8000-000000000000"


class AWSError(Exception):
    """A refusal, as the service words it.

    Args:
        code: name of the error's shape, or the code alone where the service's model has no shape for it.
        status: of the HTTP answer.
        extra: what else stands in the answer, such as the item of a failed condition.
        query_code: what SQS called the error in its older protocol. botocore still says this one to callers,
            and finds the exception's class by `code`.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        extra: Mapping[str, Any] | None = None,
        query_code: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.extra: dict[str, Any] = dict(extra or {})
        self.query_code = query_code

    def to_client_error(self, operation: str, kind: type[ClientError] = ClientError) -> ClientError:
        """Returns the exception that botocore makes of this answer; `kind` is the class of a modelled one."""
        error = {"Message": self.message, "Code": self.query_code or self.code}
        if self.query_code is not None:
            error |= {"QueryErrorCode": self.code, "Type": "Sender"}
        answer: Any = {
            **self.extra,
            "Error": error,
            "ResponseMetadata": {
                "RequestId": REQUEST_ID,
                "HTTPStatusCode": self.status,
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        }
        return kind(answer, operation)
