"""The base of all our errors, and how any error is told to a log."""

import traceback
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
    frames = traceback.extract_tb(error.__traceback__)
    if frames:
        told["at"] = " < ".join(
            f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-4:])
        )
    return told
