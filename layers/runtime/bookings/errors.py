"""The base of all our errors, and how any error is told to a log."""

import traceback
from collections import deque
from collections.abc import Callable
from functools import wraps
from pathlib import PurePath


class BookingsError(Exception):
    """An error of ours. Its message is fit for a log: it never repeats what was sent."""


class UnexpectedError(BookingsError):
    """Something went wrong that nobody foresaw. It is told by its kind and place, see `fit_for_a_log`."""


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


def fit_for_a_log[**P, R](handler: Callable[P, R]) -> Callable[P, R]:
    """Makes what escapes a handler fit for a log: Lambda writes the message of any error there.

    The handler raises:
        UnexpectedError: in place of an error that is not ours.
    """

    @wraps(handler)
    def fit(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except BookingsError:
            raise
        except Exception as error:  # noqa: BLE001 - nothing is caught for good: each is raised again, in our words
            told = describe(error)
            raise UnexpectedError(f"{told['error']} at {told['at']}") from None

    return fit
