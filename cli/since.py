"""Reads a time as a person says it: a span before now, or a moment."""

import re
from datetime import UTC, datetime, timedelta

from cli.output import WrongCallError

TIMES = "a span before now, 7d, 12h or 90m before now, or a time, 2026-11-20T09:00Z"

_SPAN = re.compile(r"([0-9]{1,5})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def since_when(option: str, text: str) -> datetime:
    """Returns the moment; one without an offset is taken as UTC.

    Raises:
        WrongCallError: the option holds no such time.
    """
    try:
        if span := _SPAN.fullmatch(text):
            return datetime.now(UTC) - timedelta(**{_UNITS[span[2]]: int(span[1])})
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise WrongCallError(f"{option} is {TIMES}.") from None
