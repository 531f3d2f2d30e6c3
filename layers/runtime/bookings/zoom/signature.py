"""Zoom's webhook signature: `v0=` and the hex HMAC-SHA256 of `v0:{timestamp}:{raw body}`.

Source: Zoom's developer documentation, "Using webhooks" (read in November 2026).
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import datetime

from bookings.errors import BookingsError

SIGNATURE_HEADER = "x-zm-signature"
TIMESTAMP_HEADER = "x-zm-request-timestamp"

_TIMESTAMP = re.compile(r"[0-9]{10}")  # epoch seconds
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")


class SignatureError(BookingsError):
    """The request is not proven to come from Zoom. Refuse it, and use nothing of it."""


class SignatureMissing(SignatureError):
    """The signature or the timestamp is missing."""


class SignatureMalformed(SignatureError):
    """The signature or the timestamp has the wrong form."""


class TimestampOutsideWindow(SignatureError):
    """The timestamp is further from now than the tolerance, in the past or in the future."""


class SignatureMismatch(SignatureError):
    """The signature was not made with any of the secrets, or not over this timestamp and body."""


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Returns the value of `x-zm-signature` for a body sent at `timestamp` (epoch seconds)."""
    return "v0=" + _mac(secret, b"v0:" + timestamp.encode() + b":" + body)


def hash_token(secret: str, plain_token: str) -> str:
    """Returns the `encryptedToken` that answers a challenge: lower-case hex, 64 characters."""
    return _mac(secret, plain_token.encode())


def check_form(
    signature: str | None, timestamp: str | None, now: datetime, tolerance_seconds: int
) -> tuple[str, str]:
    """Returns signature and timestamp if their form and time are right. Computes no HMAC.

    Raises:
        SignatureMissing, SignatureMalformed, TimestampOutsideWindow: answer 401.
    """
    if not signature or not timestamp:
        raise SignatureMissing(f"{SIGNATURE_HEADER} and {TIMESTAMP_HEADER} are both needed")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureMalformed(f"{TIMESTAMP_HEADER} must be epoch seconds, ten digits")
    if not _SIGNATURE.fullmatch(signature):
        raise SignatureMalformed(f"{SIGNATURE_HEADER} must be v0= and 64 lower-case hex digits")
    if abs(now.timestamp() - int(timestamp)) > tolerance_seconds:
        raise TimestampOutsideWindow(f"{TIMESTAMP_HEADER} must be within {tolerance_seconds} s of now")
    return signature, timestamp


def verify(secrets: Iterable[str], signature: str, timestamp: str, body: bytes) -> str:
    """Returns the secret that signed the request. Constant time for each secret.

    Args:
        signature, timestamp: as `check_form` returned them.
        body: the raw bytes. A body that was parsed and written again does not verify.

    Raises:
        SignatureMismatch: none of the secrets signed it.
    """
    content = b"v0:" + timestamp.encode() + b":" + body
    received = signature.encode()
    for secret in secrets:
        if hmac.compare_digest(b"v0=" + _mac(secret, content).encode(), received):
            return secret
    raise SignatureMismatch("the signature does not match the body and the timestamp")


def _mac(secret: str, content: bytes) -> str:
    return hmac.digest(secret.encode(), content, hashlib.sha256).hex()
