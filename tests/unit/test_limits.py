"""The time-outs add up below Zoom's limit and below the functions' timeouts in the template."""

from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from bookings import limits
from bookings.limits import CALL_SECONDS, PREPARATION_SECONDS, RECORD_SECONDS, REQUEST_SECONDS

TEMPLATE = yaml_parse((Path(__file__).parents[2] / "template.yaml").read_text(encoding="utf-8"))
WEBHOOK, CREATED, CANCELED, EVENTS = (
    TEMPLATE["Resources"][f"{name}Function"]["Properties"]["Timeout"]
    for name in ("Webhook", "BookingCreated", "BookingCanceled", "BookingEvents")
)
ANSWER_SECONDS, OWN_SECONDS = 2.5, 0.2  # the contract, and the webhook's work beside its calls


def longest_call(attempts: int, read_seconds: float) -> float:
    return attempts * (limits.CONNECT_SECONDS + read_seconds) + limits.RETRY_PAUSE_SECONDS


# failure matrix: 13
def test_request_ends_before_zoom_and_lambda_stop_waiting() -> None:
    assert REQUEST_SECONDS + OWN_SECONDS <= ANSWER_SECONDS < WEBHOOK
    # Two silent calls fit: bus and queue, bus and quarantine, secret and bus, or both versions of the secret.
    assert 2 * CALL_SECONDS <= REQUEST_SECONDS
    assert 2 * CALL_SECONDS <= PREPARATION_SECONDS < WEBHOOK
    assert pytest.approx(CALL_SECONDS) == limits.CONNECT_SECONDS + limits.READ_SECONDS


# failure matrix: 22
def test_record_begun_in_time_ends_before_its_function() -> None:
    assert longest_call(limits.TABLE_ATTEMPTS, limits.TABLE_READ_SECONDS) <= RECORD_SECONDS
    assert RECORD_SECONDS + CALL_SECONDS <= limits.RESERVED_SECONDS
    # A second record is begun after one that waited for a silent table.
    assert min(CREATED, CANCELED) >= RECORD_SECONDS + limits.RESERVED_SECONDS


# failure matrix: 12
def test_silent_bus_ends_before_the_announcing_function() -> None:
    call = longest_call(limits.ANNOUNCE_ATTEMPTS, limits.ANNOUNCE_READ_SECONDS)
    assert (limits.ANNOUNCE_PASSES + 1) * call <= EVENTS  # one call more: the DLQ may be silent too
