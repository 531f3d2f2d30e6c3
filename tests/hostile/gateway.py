"""Requests as the HTTP API hands them to the function, payload format 2.0; and what makes one authentic.

`is_authentic` says the contract once more, in other words than the product's and without any of its code, so
that a mistake there is not made here again.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from unittest.mock import patch

from bookings import bootstrap
from tests.samples import SECRET

with patch.object(bootstrap, "receiver"):  # each test has its own
    from functions.webhook import app as app  # noqa: PLC0414 - the other modules take it from here

TIMESTAMP, SIGNATURE = "x-zm-request-timestamp", "x-zm-signature"
TOLERANCE_SECONDS = 300
MAX_BODY_BYTES = 720_000

Event = dict[str, Any]

_STRICT_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_DIGITS = frozenset("0123456789")


def mac(content: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def signature_of(timestamp: str, body: bytes, secret: str = SECRET) -> str:
    return "v0=" + mac(b"v0:" + timestamp.encode() + b":" + body, secret)


def event_of(headers: Mapping[str, str], body: bytes) -> Event:
    """Returns a request as the gateway hands it over: bytes that are no text come in base64."""
    event: Event = {"version": "2.0", "routeKey": "POST /webhooks/zoom", "headers": dict(headers)}
    try:
        return event | {"body": body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return event | {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def signed_event(body: bytes, at: datetime, secret: str = SECRET) -> Event:
    """Returns a request as Zoom would send it at that time."""
    timestamp = str(int(at.timestamp()))
    headers = {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "Zoom Marketplace/1.0a",
        "x-zm-request-id": "0b2c4f6e-1d3a-4b5c-8e7f-9a0b1c2d3e4f",
        TIMESTAMP: timestamp,
        SIGNATURE: signature_of(timestamp, body, secret),
    }
    return event_of(headers, body)


def raw_body(event: Event) -> bytes | None:
    """Returns the bytes that came, None where they can't be told."""
    text: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return text.encode(errors="surrogatepass")
    return base64.b64decode(text) if _STRICT_BASE64.fullmatch(text) else None


def header(event: Event, name: str) -> list[str]:
    """Returns the values of a header, under whatever case its name came."""
    return [value for key, value in event["headers"].items() if key.lower() == name]


def is_authentic(event: Event, now: datetime, secret: str = SECRET) -> bool:
    """Whether whoever sent this knew the secret, or sent again within the window what Zoom had sent."""
    body, timestamps, signatures = raw_body(event), header(event, TIMESTAMP), header(event, SIGNATURE)
    if body is None or len(timestamps) != 1 or len(signatures) != 1:
        return False
    (timestamp,), (signature,) = timestamps, signatures
    if len(timestamp) != 10 or not _DIGITS.issuperset(timestamp):
        return False
    if abs(now.timestamp() - float(timestamp)) > TOLERANCE_SECONDS:
        return False
    return signature == signature_of(timestamp, body, secret)
