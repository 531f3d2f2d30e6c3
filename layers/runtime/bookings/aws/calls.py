"""How AWS is called: clients that give up in time, and one translation of their errors."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ParamValidationError

from bookings.services import RefusedByService, ServiceUnavailable

# Of an error of the request itself: sent again as it is, it fails again.
_OWN_FAULT = {
    "InvalidAttributeValue",
    "InvalidMessageContents",
    "InvalidParameterValue",
    "MessageTooLong",
    "SerializationException",
    "ValidationError",
    "ValidationException",
}


def client(service: str, *, timeout_seconds: float, attempts: int) -> Any:
    """Returns a boto3 client whose calls give up early: botocore waits 60 s and retries unless told.

    Args:
        timeout_seconds: for connecting, and again for each read.
        attempts: in all; what answers in time and fails is tried again, as AWS's standard mode does.
    """
    make: Callable[..., Any] = boto3.client
    return make(
        service,
        config=Config(
            connect_timeout=timeout_seconds,
            read_timeout=timeout_seconds,
            retries={"total_max_attempts": attempts, "mode": "standard"},
        ),
    )


@contextmanager
def translated_errors(service: str) -> Iterator[None]:
    """Turns botocore's errors into ours. Their own texts may repeat what was sent, so they are left out.

    Raises:
        RefusedByService, ServiceUnavailable: inside the block a call failed.
    """
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        # SQS says "AWS.SimpleQueueService.…" or "com.amazonaws…#…" in front of some of its codes.
        short = code.rpartition("#")[2].rpartition(".")[2]
        if short in _OWN_FAULT:
            raise RefusedByService(f"{service}: {code}") from None
        raise ServiceUnavailable(f"{service}: {code}", answered=True) from None
    except ParamValidationError:
        raise RefusedByService(f"{service}: not a request it takes") from None
    except BotoCoreError as error:
        raise ServiceUnavailable(f"{service}: {type(error).__name__}") from None


def again_if_hung_up[T](call: Callable[[], T]) -> T:
    """Returns the call's result, made a second time on a new connection if the first one was closed.

    A function is frozen between its invocations, and the service closes the connections that idle
    meanwhile. Whether the first call was taken isn't known: what is sent so must bear being sent twice.
    """
    try:
        return call()
    except ConnectionClosedError:
        return call()


class BoundedCalls:
    """Runs calls and stops waiting for them in time, whatever they hang in.

    botocore bounds each connect and each read, not the look-up of a name, and not a call as a whole. A call
    that is given up goes on in its thread until botocore gives up too; that it may then succeed is a
    duplicate, which is absorbed.
    """

    def __init__(self, threads: int = 8) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="aws-call")

    def run[T](self, service: str, call: Callable[[], T], timeout_seconds: float) -> T:
        """Returns the call's result.

        Raises:
            ServiceUnavailable: the time is up, or was up before the call.
        """
        if timeout_seconds <= 0:
            raise ServiceUnavailable(f"{service}: no time left")
        future = self._pool.submit(call)
        try:
            return future.result(timeout_seconds)
        except FutureTimeoutError:
            future.cancel()
            raise ServiceUnavailable(f"{service}: no answer within {timeout_seconds:.1f} s") from None
