"""What the endpoint answers; problems as RFC 9457 says."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus

from bookings.field_errors import FieldError

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, and what the log may say of the request it answers.

    Attributes:
        log: fields fit for a log: ids, names of events, reasons. Nothing personal, no secret.
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
    """Returns problem details. `detail` says what to do about it and never repeats what was sent."""
    content = _without_errors(status, detail)
    if errors:
        content = f'{content[:-1]}, "errors": {json.dumps(errors)}}}'
    return Answer(status, PROBLEM_JSON, content, log or {})


@lru_cache
def _without_errors(status: HTTPStatus, detail: str) -> str:
    """Returns the JSON; there are few of them, and a flood of forgeries is answered with one."""
    return json.dumps(
        {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    )
