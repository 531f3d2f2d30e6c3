"""Times as Zoom writes them, near misses, and zones from tzdata."""

import os
import subprocess
import sys
import zoneinfo

import pytest

from bookings.zoom.times import TimeUnreadable, parse_time

READABLE = {
    "UTC": ("2026-12-07T09:00:00Z", None, "2026-12-07T09:00:00Z"),
    "fractions are cut": ("2026-12-07T09:00:59.987Z", None, "2026-12-07T09:00:59Z"),
    "more fractions than Python reads": ("2026-12-07T09:00:00.1234567891Z", None, "2026-12-07T09:00:00Z"),
    "an offset": ("2026-12-07T09:30:00+08:00", "Europe/Oslo", "2026-12-07T01:30:00Z"),
    "an offset over midnight": ("2026-12-07T16:30:00-09:30", None, "2026-12-08T02:00:00Z"),
    "an offset without colon": ("2026-12-07T09:30:00+0530", None, "2026-12-07T04:00:00Z"),
    "an offset with an unknown zone": ("2026-12-07T09:30:00+0530", "Mars/Base", "2026-12-07T04:00:00Z"),
    "lower case": ("2026-12-07t09:00:00z", None, "2026-12-07T09:00:00Z"),
    "a space": ("2026-12-07 09:00:00Z", None, "2026-12-07T09:00:00Z"),
    "white space around": (" 2026-12-07T09:00:00Z\n", None, "2026-12-07T09:00:00Z"),
    "local, in winter": ("2026-12-07T09:00:00", "America/New_York", "2026-12-07T14:00:00Z"),
    "local, in summer": ("2026-07-07T09:00:00", "America/New_York", "2026-07-07T13:00:00Z"),
    "local, white space around the zone": ("2026-12-07T09:00:00", " Europe/Oslo ", "2026-12-07T08:00:00Z"),
    "local, the first of two": ("2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T00:30:00Z"),
    "local without a zone": ("2026-12-07T09:00:00", None, "2026-12-07T09:00:00Z"),
    "local with an empty zone": ("2026-12-07T09:00:00", " ", "2026-12-07T09:00:00Z"),
    "the year 999": ("0999-01-01T00:00:00Z", None, "0999-01-01T00:00:00Z"),
    "the last second": ("9999-12-31T23:59:59Z", None, "9999-12-31T23:59:59Z"),
}


@pytest.mark.parametrize(("text", "zone", "stored"), READABLE.values(), ids=READABLE)
def test_a_time_is_stored_as_utc_in_whole_seconds(text: str, zone: str | None, stored: str) -> None:
    assert parse_time(text, zone) == stored


# failure matrix: 58
@pytest.mark.parametrize(
    "text",
    [
        "2026-12-07T24:00:00Z",
        "1796634000000",
        "2026-12-07",
        "2026-12-07T09:00Z",
        "20261207T090000Z",
        "2026-W50-1",
        "2026-W50-1T09:00:00Z",
        "2026-02-30T09:00:00Z",
        "2026-12-07T09:60:00Z",
        "2026-12-07T09:00:00+24:00",
        "2026-12-07T09:00:00 Europe/Oslo",
        "2026-12-07T09:00:00ZZ",
        "٢٠٢٦-12-07T09:00:00Z",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        "tomorrow at noon",
        "",
    ],
)
def test_another_text_is_no_time(text: str) -> None:
    with pytest.raises(TimeUnreadable, match="is not a time of RFC 3339"):
        parse_time(text, "Europe/Oslo")


# failure matrix: 58
@pytest.mark.parametrize(
    "zone",
    ["Mars/Base", "Eastern Standard Time", "America", "../etc/passwd", "/etc/localtime", ".", "x" * 5000],
)
def test_a_local_time_needs_a_known_zone(zone: str) -> None:
    with pytest.raises(TimeUnreadable, match="has an unknown time zone"):
        parse_time("2026-12-07T09:00:00", zone)


def test_zones_come_from_tzdata_alone() -> None:
    assert zoneinfo.TZPATH == ()
    code = "from bookings.zoom.times import parse_time as p; print(p('2026-12-07T09:00:00', 'Europe/Oslo'))"
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONTZPATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "2026-12-07T08:00:00Z\n"
