"""A log says an error's type and location, and the message only if the error is ours."""

import json

import pytest
from pydantic import ValidationError

from bookings.errors import BookingsError, RefusedByService, ServiceError, ServiceUnavailable, describe
from bookings.zoom.events import ScheduledEventCreated


def fail_with(error: Exception, depth: int) -> None:
    if depth:
        fail_with(error, depth - 1)
    raise error


def test_our_error_is_described_with_reason_and_location() -> None:
    with pytest.raises(BookingsError) as caught:
        fail_with(ServiceUnavailable("SQS: ThrottlingException"), depth=20)
    described = describe(caught.value)
    location = described.pop("at")

    assert described == {"error": "ServiceUnavailable", "reason": "SQS: ThrottlingException"}
    assert (location.count("test_errors.py:"), location.count(" < "), "/" in location) == (4, 3, False)
    assert describe(BookingsError("why")) == {"error": "BookingsError", "reason": "why"}  # never raised


# failure matrix: 43
@pytest.mark.parametrize("error", [KeyError("canary"), ValueError("canary"), TypeError({"a": "canary"})])
def test_other_errors_are_described_without_message(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        fail_with(error, depth=1)
    with pytest.raises(ValidationError) as invalid:
        ScheduledEventCreated.model_validate({"event_ts": "canary", "payload": "canary"})

    assert describe(caught.value).keys() == {"error", "at"}
    assert "canary" not in json.dumps([describe(caught.value), describe(invalid.value), str(invalid.value)])


def test_services_fail_in_two_ways() -> None:
    assert isinstance(RefusedByService("x"), ServiceError)
    assert [ServiceUnavailable("x").answered, ServiceUnavailable("x", answered=True).answered] == [
        False,
        True,
    ]
