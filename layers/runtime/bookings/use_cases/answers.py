"""The endpoint's answers. Problems follow RFC 9457."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from bookings.errors import FieldError

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, and the log line about its request.

    Attributes:
        log: ids, names and reasons. Nothing personal, no secret.
    """

    status: HTTPStatus
    content_type: str | None = None
    body: str | None = field(default=None, repr=False)
    log: Mapping[str, str] = field(default_factory=dict)


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    errors: Sequence[FieldError] = (),
    log: Mapping[str, str] | None = None,
) -> Answer:
    """Returns problem details. `detail` says what to do, and never repeats what was sent."""
    content: dict[str, object] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
    }
    if errors:
        content["errors"] = list(errors)
    return Answer(status, PROBLEM_JSON, json.dumps(content), log or {})
