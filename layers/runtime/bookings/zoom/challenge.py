"""Zoom's URL validation: a challenge that only the holder of the secret token can answer.

Zoom sends it when the URL is saved, and every 72 hours. It is signed like every event.
"""

import re
from typing import Any

from bookings.errors import BookingsError
from bookings.zoom.signature import hash_token

URL_VALIDATION = "endpoint.url_validation"

# No colon: what Zoom signs begins with "v0:", so an answer can never be the signature of an event.
_PLAIN_TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{1,256}")


class ChallengeRefused(BookingsError):
    """The challenge's token has the wrong form. Nothing was signed."""


def answer_challenge(body: dict[str, Any], secret: str) -> dict[str, str]:
    """Returns `{"plainToken", "encryptedToken"}` for the body of a verified challenge.

    Args:
        body: the decoded body; the token is checked after JSON's escapes are undone.
        secret: the one that verified the request.

    Raises:
        ChallengeRefused: answer 400.
    """
    payload = body.get("payload")
    token = payload.get("plainToken") if isinstance(payload, dict) else None
    if not isinstance(token, str) or not _PLAIN_TOKEN.fullmatch(token):
        raise ChallengeRefused("payload.plainToken must be 1 to 256 characters of A-Z a-z 0-9 _ . ~ + / = -")
    return {"plainToken": token, "encryptedToken": hash_token(secret, token)}
