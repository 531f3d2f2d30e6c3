"""Problem details have the form of RFC 9457, and no answer prints its body."""

import json
from http import HTTPStatus

import pytest

from bookings.errors import FieldError
from bookings.use_cases.answers import Answer, problem


@pytest.mark.parametrize(
    ("status", "title"),
    [(400, "Bad Request"), (401, "Unauthorized"), (413, "Content Too Large"), (503, "Service Unavailable")],
)
def test_problem_details_follow_the_rfc(status: int, title: str) -> None:
    plain = {"type": "about:blank", "title": title, "status": status, "detail": "Do this."}
    errors = [FieldError(field="a.b[0]", message="is required")]

    answer = problem(HTTPStatus(status), "Do this.", errors=errors, log={"reason": "wrong"})
    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert answer.log == {"reason": "wrong"}
    assert json.loads(answer.body or "") == plain | {"errors": errors}
    assert json.loads(problem(HTTPStatus(status), "Do this.").body or "") == plain


# failure matrix: 43
def test_repr_of_an_answer_leaves_out_its_body() -> None:
    assert "canary" not in repr(Answer(HTTPStatus.OK, "application/json", "canary"))
