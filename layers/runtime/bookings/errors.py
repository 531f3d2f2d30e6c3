"""The base of all our errors, and how any error is told to a log."""

import traceback
from collections import deque
from pathlib import PurePath


class BookingsError(Exception):
    """An error of ours. Its message is fit for a log: it never repeats what was sent."""


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
