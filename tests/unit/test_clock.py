"""Time: one text form, and a budget that several calls share."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from bookings.clock import Deadline, SystemClock, utc_text
from tests.fakes import VirtualClock


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 22, 16, 0, 0, 999_999, tzinfo=UTC), "2026-11-22T16:00:00Z"),
        (datetime(2026, 11, 22, 1, 0, 0, tzinfo=timezone(timedelta(hours=2))), "2026-11-21T23:00:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "9999-12-31T23:59:59Z"),
    ],
)
def test_every_moment_has_one_text(moment: datetime, text: str) -> None:
    assert utc_text(moment) == text
    assert datetime.fromisoformat(text) == moment.replace(microsecond=0)


def test_deadline_allows_calls_that_end_by_then() -> None:
    clock = VirtualClock()
    deadline = Deadline(clock, 2.0)
    for advance, call, allowed in ((1, 0.5, True), (0, 1, True), (0, 1.001, False), (1.001, 0, False)):
        clock.advance(advance)
        assert deadline.allows(call) is allowed


def test_system_clock_is_aware_and_monotonic() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert abs(clock.now().timestamp() - time.time()) < 5
    assert clock.monotonic() <= clock.monotonic()
