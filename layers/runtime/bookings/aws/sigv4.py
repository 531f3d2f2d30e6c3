"""Signature Version 4 of a POST to `/`, which is all that AWS's JSON protocols ask for.

Source: "Create a signed AWS API request", AWS Identity and Access Management user guide (read in November
2026). Held against botocore's own signer by tests/adapters/test_sigv4.py.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key; a role's has a session token too. A function's stay the same as long as its process."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(repr=False)


class Signer:
    """Signs the requests to one service in one region.

    Args:
        service: its signing name, such as "events".
        headers: of every request, by their names in lower case, in order; `host` among them. Their values are
            single-spaced.
    """

    def __init__(
        self, credentials: Credentials, *, region: str, service: str, headers: Mapping[str, str]
    ) -> None:
        self._credentials = credentials
        self._region = region
        self._service = service
        fixed = {**headers}
        if credentials.session_token:
            fixed["x-amz-security-token"] = credentials.session_token
        names = sorted([*fixed, "x-amz-date", "x-amz-target"])
        date, target = names.index("x-amz-date"), names.index("x-amz-target")
        lines = [f"{name}:{fixed.get(name)}\n" for name in names]
        # All that stays the same is put together once: what is before, between and after what doesn't.
        self._before = "".join(lines[:date]) + "x-amz-date:"
        self._between = "\n" + "".join(lines[date + 1 : target]) + "x-amz-target:"
        self._after = "\n" + "".join(lines[target + 1 :])
        self._names = ";".join(names)
        self._key_of: tuple[str, bytes] = "", b""  # of a day

    def head(self, target: str, body: bytes, epoch_seconds: float) -> str:
        """Returns the signed header lines of a request, each with its line's end, `authorization` the last.

        Args:
            target: the value of `x-amz-target`, the operation.
            epoch_seconds: when it is signed; AWS takes it some minutes before and after.
        """
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(epoch_seconds))
        canonical = f"{self._before}{moment}{self._between}{target}{self._after}"
        request = f"POST\n/\n\n{canonical}\n{self._names}\n{hashlib.sha256(body).hexdigest()}"
        day = moment[:8]
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        to_sign = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = _mac(self._key(day), to_sign).hex()
        lines = canonical.replace("\n", "\r\n")
        credential = f"{self._credentials.access_key}/{scope}"
        return (
            f"{lines}authorization: {_ALGORITHM} Credential={credential}, SignedHeaders={self._names}, "
            f"Signature={signature}\r\n"
        )

    def _key(self, day: str) -> bytes:
        known, key = self._key_of
        if known != day:
            key = f"AWS4{self._credentials.secret_key}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = _mac(key, part)
            self._key_of = day, key
        return key


def _mac(key: bytes, content: str) -> bytes:
    return hmac.digest(key, content.encode(), "sha256")
