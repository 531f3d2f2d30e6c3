"""Our errors, and what a log says about any error."""

import traceback
from collections import deque
from collections.abc import Callable
from functools import wraps
from pathlib import PurePath
from typing import TypedDict


class BookingsError(Exception):
    """The base of our errors. The message may be logged: it never repeats what was sent."""


class UnexpectedError(BookingsError):
    """An unexpected error, reduced to its type and location."""


class ServiceError(BookingsError):
    """A call to a service failed. The message names the service and its error code."""


class ServiceUnavailable(ServiceError):
    """The service is down, slow, throttling or denies access. The same call may succeed later.

    Attributes:
        answered: the service answered at once, so an immediate retry costs little.
    """

    def __init__(self, message: str, *, answered: bool = False) -> None:
        super().__init__(message)
        self.answered = answered


class RefusedByService(ServiceError):
    """The service refuses this very request, as malformed or too large. A retry fails again."""


class FieldError(TypedDict):
    """A field and the rule that it breaks, for answers and quarantine messages.

    Attributes:
        field: its path, such as `payload.object.rescheduled`. Empty for the whole body.
        message: the rule. Never the value, which may be personal data.
    """

    field: str
    message: str


def describe(error: BaseException) -> dict[str, str]:
    """Returns an error's type and location for a log, and the message only if it is one of ours.

    Messages of other errors may hold personal data: a KeyError's the key, a validation error's the input.
    """
    described = {"error": type(error).__name__}
    if isinstance(error, BookingsError):
        described["reason"] = str(error)
    # `extract_tb` would read the source files, which is slow.
    innermost = deque(traceback.walk_tb(error.__traceback__), maxlen=4)
    if innermost:
        described["at"] = " < ".join(
            f"{PurePath(frame.f_code.co_filename).name}:{line}" for frame, line in reversed(innermost)
        )
    return described


def hide_error_details[**P, R](handler: Callable[P, R]) -> Callable[P, R]:
    """Reduces an error that escapes a handler to its type and location. Lambda logs the message of any error.

    The handler raises:
        UnexpectedError: in place of an error that is not ours.
    """

    @wraps(handler)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except BookingsError:
            raise
        except Exception as error:  # noqa: BLE001 - nothing is swallowed: each error is raised again
            described = describe(error)
            raise UnexpectedError(f"{described['error']} at {described['at']}") from None

    return wrapper
