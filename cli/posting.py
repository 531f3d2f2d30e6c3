"""Posts a body to a webhook, signed now as Zoom would sign it."""

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

import urllib3

from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from cli.output import CommandError

REQUEST_ID_HEADER = "x-zm-request-id"

_TIMEOUT_SECONDS = 10.0  # Zoom itself gives up after 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request and its answer."""

    url: str
    request_id: str
    status: int
    reason: str
    content_type: str | None
    body: str
    elapsed_ms: int

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 - the 2xx

    def as_dict(self) -> dict[str, Any]:
        try:
            body = json.loads(self.body) if self.body else None
        except ValueError:
            body = self.body
        return {
            "url": self.url,
            "request_id": self.request_id,
            "status": self.status,
            "reason": self.reason,
            "content_type": self.content_type,
            "body": body,
            "elapsed_ms": self.elapsed_ms,
        }


def post(url: str, body: bytes, secret: str, *, request_id: str | None = None) -> Sent:
    """Posts a body, signed now.

    Args:
        request_id: Zoom's id of the delivery, where it is one that Zoom has sent before.

    Raises:
        CommandError: there was no answer.
    """
    timestamp = str(int(time.time()))
    request_id = request_id or str(uuid.uuid4())
    headers = {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "bookings",
        REQUEST_ID_HEADER: request_id,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(secret, timestamp, body),
    }
    started = time.monotonic()
    try:
        answer = urllib3.PoolManager().request(
            "POST", url, body=body, headers=headers, timeout=_TIMEOUT_SECONDS, retries=False
        )
    except urllib3.exceptions.HTTPError as error:
        raise CommandError(f"{url} gave no answer: {why(error, _TIMEOUT_SECONDS)}.") from None
    return Sent(
        url=url,
        request_id=request_id,
        status=answer.status,
        reason=answer.reason or "",
        content_type=answer.headers.get("content-type"),
        body=answer.data.decode(errors="replace"),
        elapsed_ms=round((time.monotonic() - started) * 1000),
    )


def why(error: urllib3.exceptions.HTTPError, timeout_seconds: float) -> str:
    """Says why there was no answer; urllib3's own text may repeat what was sent."""
    match error:
        case urllib3.exceptions.NameResolutionError():
            return "its host name is not known"
        case urllib3.exceptions.NewConnectionError():
            return "nothing accepts connections there"
        case urllib3.exceptions.TimeoutError():
            return f"none within {timeout_seconds:g} s"
        case urllib3.exceptions.SSLError():
            return "its TLS certificate or connection is not acceptable"
        case _:
            return "the connection broke"
