"""How an error is told to a log, how a problem is told to a caller: never what was sent."""

import json
from http import HTTPStatus
from typing import Any, NoReturn

import pytest
from pydantic import ValidationError

from bookings.errors import BookingsError, RefusedByService, ServiceError, ServiceUnavailable, describe
from bookings.use_cases.answers import Answer, problem
from bookings.zoom.events import ScheduledEventCreated


def raised(error: Exception) -> Exception:
    def inner() -> NoReturn:
        raise error

    try:
        inner()
    except Exception as caught:  # noqa: BLE001 - whatever is given
        return caught


def test_an_error_of_ours_is_told_with_its_reason_and_where_it_arose() -> None:
    told = describe(raised(ServiceUnavailable("SQS: ThrottlingException")))
    assert told["error"] == "ServiceUnavailable"
    assert told["reason"] == "SQS: ThrottlingException"
    assert told["at"].startswith("test_errors.py:")
    assert told["at"].count(" < ") == 1
    assert "/" not in told["at"]


# failure matrix: 43
@pytest.mark.parametrize("error", [KeyError("canary"), ValueError("canary"), TypeError({"a": "canary"})])
def test_of_any_other_error_only_its_kind_and_place_are_told(error: Exception) -> None:
    told = describe(raised(error))
    assert told.keys() == {"error", "at"}
    assert "canary" not in json.dumps(told)


# failure matrix: 43
def test_of_a_validation_error_the_input_is_not_told() -> None:
    with pytest.raises(ValidationError) as invalid:
        ScheduledEventCreated.model_validate({"event_ts": "canary", "payload": "canary"})
    assert "canary" not in json.dumps(describe(invalid.value))
    assert "canary" not in str(invalid.value)


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert describe(BookingsError("why")) == {"error": "BookingsError", "reason": "why"}


def test_at_most_four_frames_are_told() -> None:
    def deeper(depth: int) -> None:
        if not depth:
            raise BookingsError("deep")
        deeper(depth - 1)

    with pytest.raises(BookingsError) as caught:
        deeper(20)
    assert describe(caught.value)["at"].count(" < ") == 3


def test_services_fail_in_two_ways_of_one_kind() -> None:
    assert isinstance(RefusedByService("x"), ServiceError)
    assert not ServiceUnavailable("x").answered
    assert ServiceUnavailable("x", answered=True).answered


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (HTTPStatus.BAD_REQUEST, "Bad Request"),
        (HTTPStatus.UNAUTHORIZED, "Unauthorized"),
        (HTTPStatus.CONTENT_TOO_LARGE, "Content Too Large"),
        (HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable"),
    ],
)
def test_problem_details_have_the_form_of_their_standard(status: HTTPStatus, title: str) -> None:
    answer = problem(status, "Do this.", errors=[{"field": "a.b[0]", "message": "is required"}])
    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    content: dict[str, Any] = json.loads(answer.body or "")
    assert content == {
        "type": "about:blank",
        "title": title,
        "status": int(status),
        "detail": "Do this.",
        "errors": [{"field": "a.b[0]", "message": "is required"}],
    }


def test_a_problem_without_fields_lists_none() -> None:
    assert "errors" not in json.loads(problem(HTTPStatus.UNAUTHORIZED, "No.").body or "")


# failure matrix: 43
def test_the_body_of_an_answer_shows_in_no_repr() -> None:
    assert "canary" not in repr(Answer(HTTPStatus.OK, "application/json", "canary"))
