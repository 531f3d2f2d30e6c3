"""Reads the times in a delivery."""

import re
import zoneinfo
from datetime import UTC, datetime, tzinfo

from bookings.clock import utc_text
from bookings.errors import BookingsError

# RFC 3339, section 5.6. Near misses: a lower-case t or z, a space, an offset without colon, no offset.
# `fromisoformat` alone takes more, such as weeks and dates without a time.
_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ]((?:[01]\d|2[0-3]):\d{2}:\d{2})(?:\.\d+)?([Zz]|[+-]\d{2}:?\d{2})?", re.ASCII
)

# Zones come from the package tzdata alone, so that a time does not depend on the host.
zoneinfo.reset_tzpath(())


class TimeUnreadable(BookingsError):
    """A text is no time, or its time zone is unknown."""


def parse_time(text: str, time_zone: str | None) -> str:
    """Returns a time in the stored form: UTC, whole seconds.

    Args:
        time_zone: the IANA name of the zone of a time without an offset. Without a name it is UTC.

    Raises:
        TimeUnreadable: the text is no time, or the zone is needed and unknown.
    """
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise TimeUnreadable("is not a time of RFC 3339")
    date, time, offset = found.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{time}{(offset or '').upper()}")
        return utc_text(moment if offset else moment.replace(tzinfo=_zone(time_zone)))
    except (ValueError, OverflowError):
        raise TimeUnreadable("is not a time of RFC 3339") from None


def _zone(name: str | None) -> tzinfo:
    if not name or not name.strip():
        return UTC
    try:
        return zoneinfo.ZoneInfo(name.strip())
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise TimeUnreadable("has an unknown time zone") from None
