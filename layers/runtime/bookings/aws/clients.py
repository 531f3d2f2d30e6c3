"""boto3 clients with short time-outs, and one translation of botocore's errors."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ParamValidationError

from bookings.clock import Deadline
from bookings.errors import RefusedByService, ServiceUnavailable
from bookings.limits import CALL_SECONDS, CONNECT_SECONDS, READ_SECONDS

# The request itself is wrong: a retry fails again.
_REQUEST_ERRORS = {
    "InvalidAttributeValue",
    "InvalidMessageContents",
    "InvalidParameterValue",
    "MessageTooLong",
    "SerializationException",
    "ValidationError",
    "ValidationException",
}

_CODE = re.compile(r"[A-Za-z0-9._#-]{1,128}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,128}")
# IAM: "User: … is not authorized to perform: events:PutEvents on resource: …". KMS words it alike.
_DENIED_ACTION = re.compile(r"not authorized to perform: ([a-z0-9-]{1,64}:[A-Za-z]{1,64})(?=\s|$)")


def client(service: str, *, read_seconds: float = READ_SECONDS, attempts: int = 1) -> Any:
    """Returns a boto3 client that gives up early. By default botocore waits 60 s and retries.

    Args:
        read_seconds: time-out of each read. Connecting has `CONNECT_SECONDS`.
        attempts: all tries of a call, the first one included.
    """
    make: Callable[..., Any] = boto3.client
    return make(
        service,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=read_seconds,
            retries={"total_max_attempts": attempts, "mode": "standard"},
        ),
    )


def call[T](operation: Callable[..., T], deadline: Deadline | None = None, **parameters: Any) -> T:
    """Calls an operation of a boto3 client, and once more if the connection was closed.

    Lambda freezes a function between invocations, and AWS closes idle connections meanwhile. The closed
    call may have been taken, so an operation must bear being sent twice.

    Raises:
        ServiceUnavailable: less than `CALL_SECONDS` are left; nothing was sent.
        BotoCoreError, ClientError: the call failed; see `translated_errors`.
    """
    _require_time(deadline)
    try:
        return operation(**parameters)
    except ConnectionClosedError:
        _require_time(deadline)
        return operation(**parameters)


@contextmanager
def translated_errors(service: str) -> Iterator[None]:
    """Turns botocore's errors into ours. Their texts may repeat the request, so only codes and ids are taken.

    Raises:
        RefusedByService: the service refuses this very request.
        ServiceUnavailable: any other failure.
    """
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        # SQS puts "AWS.SimpleQueueService." or "com.amazonaws…#" before some codes.
        if code.rpartition("#")[2].rpartition(".")[2] in _REQUEST_ERRORS:
            raise RefusedByService(f"{service}: {_describe(error)}") from None
        raise ServiceUnavailable(f"{service}: {_describe(error)}", answered=True) from None
    except ParamValidationError:
        raise RefusedByService(f"{service}: invalid parameters") from None
    except BotoCoreError as error:
        raise ServiceUnavailable(f"{service}: {type(error).__name__}") from None


def _require_time(deadline: Deadline | None) -> None:
    if deadline and not deadline.allows(CALL_SECONDS):
        raise ServiceUnavailable("no time left for a call")


def _describe(error: ClientError) -> str:
    """Returns an error's code, the denied action if there is one, and the request id."""
    details: Any = error.response.get("Error", {})
    metadata: Any = error.response.get("ResponseMetadata", {})
    code = str(details.get("Code", ""))
    # An unknown body may echo the request, so log the status instead.
    words = [code if _CODE.fullmatch(code) else f"HTTP {metadata.get('HTTPStatusCode')}"]
    if denied := _DENIED_ACTION.search(str(details.get("Message", ""))):
        words.append(f"action {denied[1]}")
    request_id = str(metadata.get("RequestId", ""))
    if _REQUEST_ID.fullmatch(request_id):
        words.append(f"request {request_id}")
    return ", ".join(words)
