"""How the time-outs add up, against what Zoom waits and what the template gives the functions."""

from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from bookings.limits import (
    ANNOUNCE_ATTEMPTS,
    ANNOUNCE_PASSES,
    ANNOUNCE_READ_SECONDS,
    CALL_SECONDS,
    CONNECT_SECONDS,
    PREPARATION_SECONDS,
    READ_SECONDS,
    RECORD_SECONDS,
    REQUEST_SECONDS,
    RESERVED_SECONDS,
    RETRY_PAUSE_SECONDS,
    TABLE_ATTEMPTS,
    TABLE_READ_SECONDS,
)

TEMPLATE = yaml_parse((Path(__file__).parents[2] / "template.yaml").read_text(encoding="utf-8"))

ANSWER_SECONDS = 2.5  # what the contract promises
OWN_SECONDS = 0.2  # the webhook's work beside its calls


def timeout_seconds(function: str) -> int:
    properties: dict[str, Any] = TEMPLATE["Resources"][function]["Properties"]
    return int(properties["Timeout"])


# failure matrix: 13
def test_request_ends_before_zoom_and_lambda_stop_waiting() -> None:
    assert REQUEST_SECONDS + OWN_SECONDS <= ANSWER_SECONDS < timeout_seconds("WebhookFunction")


def test_call_connects_and_reads() -> None:
    assert pytest.approx(CALL_SECONDS) == CONNECT_SECONDS + READ_SECONDS


# failure matrix: 13
@pytest.mark.parametrize(
    ("silent", "calls"),
    [
        ("bus, then queue", 2),
        ("bus, then quarantine", 2),
        ("refresh of the secret, then bus", 2),
        ("the secret's current version, then its previous one", 2),
        ("the secret while the function starts, then in the first request", 2),
    ],
)
def test_silent_services_leave_time_for_the_answer(silent: str, calls: int) -> None:
    assert calls * CALL_SECONDS <= REQUEST_SECONDS


def test_preparation_reads_both_versions_of_the_secret() -> None:
    assert 2 * CALL_SECONDS <= PREPARATION_SECONDS < timeout_seconds("WebhookFunction")


# failure matrix: 22
@pytest.mark.parametrize("function", ["BookingCreatedFunction", "BookingCanceledFunction"])
def test_a_record_begun_in_time_is_done_before_its_function_ends(function: str) -> None:
    table = TABLE_ATTEMPTS * (CONNECT_SECONDS + TABLE_READ_SECONDS) + RETRY_PAUSE_SECONDS
    assert table <= RECORD_SECONDS
    assert RECORD_SECONDS + CALL_SECONDS <= RESERVED_SECONDS
    # A second record is begun after one that waited for a silent table.
    assert timeout_seconds(function) >= RECORD_SECONDS + RESERVED_SECONDS


# failure matrix: 12
def test_a_silent_bus_ends_before_the_announcing_function() -> None:
    call = ANNOUNCE_ATTEMPTS * (CONNECT_SECONDS + ANNOUNCE_READ_SECONDS) + RETRY_PAUSE_SECONDS
    # A dead letter may have been sent before, and the DLQ silent too.
    assert ANNOUNCE_PASSES * call + call <= timeout_seconds("BookingEventsFunction")
