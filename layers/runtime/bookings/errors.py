"""The base of all our errors, and how any error is told to a log."""

import traceback
from collections import deque
from collections.abc import Callable
from functools import wraps
from pathlib import PurePath


class BookingsError(Exception):
    """An error of ours. Its message is fit for a log: it never repeats what was sent."""


class UnexpectedError(BookingsError):
    """An unexpected error, reduced to its type and location."""


def describe(error: BaseException) -> dict[str, str]:
    """Returns what a log may say of an error: its kind, where it arose, and its message only if it is ours.

    Messages of other errors may hold personal data: a KeyError's the key, a validation error's the input.
    """
    told = {"error": type(error).__name__}
    if isinstance(error, BookingsError):
        told["reason"] = str(error)
    # Not `extract_tb`: it reads the source, which costs far more than all the rest of a failed message.
    innermost = deque(traceback.walk_tb(error.__traceback__), maxlen=4)
    if innermost:
        told["at"] = " < ".join(
            f"{PurePath(frame.f_code.co_filename).name}:{line}" for frame, line in reversed(innermost)
        )
    return told


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
            told = describe(error)
            raise UnexpectedError(f"{told['error']} at {told['at']}") from None

    return wrapper
