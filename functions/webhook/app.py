"""Receives Zoom's webhook: verifies, validates and publishes each delivery.

Trigger: `POST /webhooks/zoom` of the HTTP API, payload format 2.0. Effect: an event on the booking bus, or a
message in a handler's queue or the quarantine. A failure is answered 503 within 2.5 s, and Zoom tries again.
"""

import base64
import binascii
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from bookings import bootstrap
from bookings.counts import Count
from bookings.errors import describe
from bookings.observability import count, logger, metrics
from bookings.use_cases.answers import Answer
from bookings.use_cases.receive import Request, unavailable

receiver = bootstrap.receiver()
receiver.prepare()


@metrics.log_metrics
@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    try:
        answer = receiver.receive(to_request(event))
    except Exception as error:  # noqa: BLE001 - a bug of ours must not answer 4xx: Zoom would not retry
        count(Count.UNEXPECTED_ERROR)
        logger.error("unexpected error", extra=describe(error))
        answer = unavailable("unexpected_error")
    # A flood of forgeries must not fill the log. The metrics count each of them.
    log = logger.debug if answer.status == HTTPStatus.UNAUTHORIZED else logger.info
    log("answered", extra={"status": int(answer.status), **answer.log})
    return to_response(answer)


def to_request(event: dict[str, Any]) -> Request:
    """Returns the request in an event of the HTTP API. The values of a repeated header are joined."""
    headers: dict[str, str] = {}
    for name, value in (event.get("headers") or {}).items():
        lower = name.lower()
        headers[lower] = f"{headers[lower]},{value}" if lower in headers else value
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return Request(headers, text.encode(errors="surrogatepass"))
    try:
        return Request(headers, base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return Request(headers, None)


def to_response(answer: Answer) -> dict[str, Any]:
    """Returns the response that the HTTP API expects."""
    response: dict[str, Any] = {"statusCode": int(answer.status)}
    if answer.body is not None:
        response |= {"headers": {"content-type": answer.content_type}, "body": answer.body}
    return response
