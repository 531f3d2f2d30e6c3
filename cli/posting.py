"""Posts a body to a webhook, signed now as Zoom would sign it."""

import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from bookings.use_cases.answers import PROBLEM_JSON
from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from cli.output import CommandError

REQUEST_ID_HEADER = "x-zm-request-id"

_TIMEOUT_SECONDS = 10.0  # Zoom itself gives up after 3


class Outcome(StrEnum):
    """The outcome of a delivery that was posted."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    REFUSED = "refused"
    NO_ANSWER = "no answer"


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

    @property
    def outcome(self) -> Outcome:
        if self.accepted:
            return Outcome.ACCEPTED
        # The webhook answers so once the delivery is in quarantine; a gateway's own 400 is no such answer.
        if self.status == HTTPStatus.BAD_REQUEST and self.content_type == PROBLEM_JSON:
            return Outcome.QUARANTINED
        return Outcome.REFUSED

    def as_dict(self) -> dict[str, Any]:
        try:
            body = json.loads(self.body) if self.body else None
        except ValueError:
            body = self.body
        return asdict(self) | {"body": body}


def post(
    url: str,
    body: bytes,
    secret: str,
    *,
    request_id: str | None = None,
    age_seconds: int = 0,
    signature_length: int | None = None,
) -> Sent:
    """Posts a body, signed now.

    Args:
        request_id: Zoom's id of the delivery, where it is one that Zoom has sent before.
        age_seconds: signs it as of then.
        signature_length: cuts the signature.

    Raises:
        CommandError: there was no answer.
    """
    timestamp = str(int(time.time()) - age_seconds)
    request_id = request_id or str(uuid.uuid4())
    headers = {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "bookings",
        REQUEST_ID_HEADER: request_id,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(secret, timestamp, body)[:signature_length],
    }
    started = time.monotonic()
    try:
        answer = connections(url).request(
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


def exit_code_of(outcomes: Iterable[object]) -> int:
    """Returns 0 if all were accepted, 1 if some were not taken, 3 if some are only in quarantine."""
    found = set(outcomes)
    return 1 if found & {Outcome.REFUSED, Outcome.NO_ANSWER} else 3 if Outcome.QUARANTINED in found else 0


def connections(url: str) -> urllib3.PoolManager:
    """Returns what calls a URL: through the environment's proxy for it, but this machine directly.

    Raises:
        urllib3.exceptions.HTTPError: the proxy's address is unusable.
    """
    host = urlsplit(url).hostname or ""
    proxy = getproxies().get(urlsplit(url).scheme)
    if not proxy or of_this_machine(host) or proxy_bypass(host):
        return urllib3.PoolManager()
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    login = urllib3.util.parse_url(proxy).auth
    headers = urllib3.util.make_headers(proxy_basic_auth=unquote(login)) if login else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers)


def of_this_machine(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def why(error: Exception | None, timeout_seconds: float) -> str:
    """Says why there was no answer; urllib3's own text may repeat what was sent."""
    match error:
        case urllib3.exceptions.ProxyError() | urllib3.exceptions.LocationValueError():
            return "the proxy that the environment names can't be used"
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
