"""Zoom's log of the webhooks it sent: what it tried to deliver, how often, and what it was answered.

`GET /marketplace/apps/{appId}/webhook_logs` of Zoom's API keeps 7 days. Source: Zoom's developer
documentation, "Marketplace API" and "Server-to-Server OAuth" (read in November 2026).
"""

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import IntEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from bookings.envelope import valid_request_id
from cli.output import CommandError, WrongCallError, object_in
from cli.posting import REQUEST_ID_HEADER, connections, of_this_machine, why

API_URL = "https://api.zoom.us/v2"
OAUTH_URL = "https://zoom.us/oauth/token"

PAGE_SIZE = 300  # Zoom's maximum
MAX_PAGES = 1000

_TIMEOUT_SECONDS = 30.0
_ATTEMPTS = 4
_MAX_WAIT_SECONDS = 60.0
_TRY_AGAIN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)})

_SCOPE = "marketplace_app:read:admin"
_SCOPES_NAMED = re.compile(r"scopes?:\s*\[([a-z0-9_:, ]{1,400})\]", re.IGNORECASE)
_LACKS_SCOPE = 4711  # Zoom's code of an error that may come with status 400
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")

_pause = time.sleep


class Logged(IntEnum):
    """The log's filter `type`."""

    FAILED = 2
    SUCCEEDED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One try of a delivery, as the log has it.

    Attributes:
        event: Zoom's name of the event. None if neither body nor log has it.
        content: the JSON object in the body. None without one.
        body: None if the log has none.
        number: 0 for the first try, then 1 to 3.
        status: the answer, in the log's own words.
    """

    event: str | None
    content: dict[str, Any] | None = field(repr=False)
    body: bytes | None = field(repr=False)
    request_id: str | None
    number: int
    status: str | None
    failed_reason: str | None


class ZoomLog:
    """Reads the log of one app. The token is asked for once; it lives for an hour."""

    def __init__(
        self,
        *,
        app_id: str,
        account_id: str,
        login: str,
        api_url: str = API_URL,
        oauth_url: str = OAUTH_URL,
    ) -> None:
        """Checks the URLs, as they get a secret.

        Args:
            login: id and secret of a Server-to-Server OAuth app, with a colon in between.

        Raises:
            WrongCallError: a URL is not https, and not of this machine either.
        """
        for url in (api_url, oauth_url):
            _check(url)
        self._url = f"{api_url.rstrip('/')}/marketplace/apps/{quote(app_id, safe='')}/webhook_logs"
        self._oauth_url = oauth_url
        self._account_id, self._login = account_id, login
        self._authorization: str | None = None

    def tries(self, logged: Logged, *, retry_num: int | None = None) -> Iterator[Try]:
        """Yields the tries of one kind, as the log orders them.

        Raises:
            CommandError: the log can't be read to its end.
        """
        query: dict[str, object] = {"type": int(logged), "page_size": PAGE_SIZE}
        if retry_num is not None:
            query["retry_num"] = retry_num
        tokens: set[str] = set()
        while True:
            page = self._page(query)
            entries, token = page.get("webhook_logs"), page.get("next_page_token") or ""
            if not isinstance(entries, list) or not isinstance(token, str):
                raise CommandError("Zoom's delivery log has not the form that its documentation says.")
            yield from (_try_of(entry if isinstance(entry, dict) else {}) for entry in entries)
            if not token:
                return
            if token in tokens or len(tokens) + 1 >= MAX_PAGES:
                raise CommandError("Zoom's delivery log does not end: its pages come again and again.")
            tokens.add(token)
            query["next_page_token"] = token

    def _page(self, query: Mapping[str, object]) -> dict[str, Any]:
        if self._authorization is None:
            self._authorization = f"Bearer {self._token()}"
        answer = self._request(
            "GET", f"{self._url}?{urlencode(query)}", self._authorization, "Zoom's delivery log"
        )
        said = object_in(answer.data)
        if answer.status == HTTPStatus.OK and said is not None:
            return said
        lacks_scope = said is not None and said.get("code") == _LACKS_SCOPE
        if lacks_scope or answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise CommandError(
                f"Zoom does not let this app read its delivery log ({answer.status}). Add the scope "
                f"{_missing_scopes(said)} to the app in the Zoom App Marketplace, and activate it again."
            )
        if answer.status == HTTPStatus.NOT_FOUND:
            raise CommandError("Zoom knows no app of this id (404): see ZOOM_APP_ID or --app-id.")
        raise CommandError(f"Zoom's delivery log can't be read: {_unexpected(answer.status)}.")

    def _token(self) -> str:
        query = {"grant_type": "account_credentials", "account_id": self._account_id}
        answer = self._request(
            "POST",
            f"{self._oauth_url}?{urlencode(query)}",
            f"Basic {base64.b64encode(self._login.encode()).decode()}",
            "Zoom's OAuth service",
        )
        said = object_in(answer.data) or {}
        token = said.get("access_token")
        if (
            answer.status == HTTPStatus.OK
            and isinstance(token, str)
            and token.isascii()
            and token.isprintable()
        ):
            return token
        if answer.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            code = _code(said.get("error"))
            raise CommandError(
                f"Zoom does not take these credentials ({answer.status}{f', {code}' if code else ''}). "
                "ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET are those of a Server-to-Server "
                "OAuth app that is activated."
            )
        raise CommandError(f"Zoom gives no access token: {_unexpected(answer.status)}.")

    def _request(
        self, method: str, url: str, authorization: str, what: str
    ) -> urllib3.response.BaseHTTPResponse:
        """Returns the first answer that is neither 429 nor 5xx.

        Raises:
            CommandError: there is none within a few attempts. Nothing of the request is repeated in it.
        """
        headers = {"authorization": authorization, "accept": "application/json", "user-agent": "bookings"}
        retry = _Retry(
            total=_ATTEMPTS - 1,
            allowed_methods=None,  # any
            status_forcelist=_TRY_AGAIN,
            respect_retry_after_header=False,  # `sleep` does
            raise_on_status=False,
        )
        try:
            # A redirect is not followed: the token is for this host alone.
            answer = connections(url).request(
                method, url, headers=headers, timeout=_TIMEOUT_SECONDS, retries=retry, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
            trouble = f"no answer, {why(reason, _TIMEOUT_SECONDS)}"
        else:
            if answer.status not in _TRY_AGAIN:
                return answer
            busy = answer.status == HTTPStatus.TOO_MANY_REQUESTS
            trouble = "too many requests (429)" if busy else f"it answers {answer.status}"
        raise CommandError(f"{what} does not work now, tried {_ATTEMPTS} times: {trouble}. Try again later.")


class _Retry(urllib3.Retry):
    """Waits 1, 2 and 4 s between the attempts, or after a 429 as long as Zoom asks."""

    def sleep(self, response: urllib3.response.BaseHTTPResponse | None = None) -> None:
        wait = 2.0 ** (len(self.history) - 1)
        if response is not None and response.status == HTTPStatus.TOO_MANY_REQUESTS:
            wait = max(wait, _wait_seconds(response.headers.get("retry-after")))
        if wait > _MAX_WAIT_SECONDS:
            raise CommandError(
                f"Zoom has had too many requests (429) and wants a pause of {wait:,.0f} s. "
                "Call this again after it."
            )
        _pause(wait)


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        safe = parts.scheme == "https" or (parts.scheme == "http" and of_this_machine(parts.hostname))
        whole = safe and parts.hostname and parts.port != 0
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        whole = plain = False
    if not (whole and plain):
        raise WrongCallError("The URL of Zoom's API must be a whole one, and https unless of this machine.")


def _unexpected(status: int) -> str:
    if status == HTTPStatus.OK:
        return "its answer is not a JSON object"
    return f"it answers {status}"


def _missing_scopes(said: Mapping[str, Any] | None) -> str:
    named = _SCOPES_NAMED.search(str((said or {}).get("message", "")))
    return named[1] if named else _SCOPE


def _wait_seconds(header: str | None) -> float:
    """Returns the seconds that `Retry-After` says: a number, a date, or as Zoom may write it a UTC time."""
    text = (header or "").strip()
    if text.isdecimal() and text.isascii():
        return float(text[:12])
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text)
        except (ValueError, OverflowError):
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time()
    return 0.0


def _code(value: object) -> str | None:
    """Returns a code or a status as text; nothing that could be more than one."""
    text = str(value) if isinstance(value, str | int) else ""
    return text if _CODE.fullmatch(text) else None


def _try_of(entry: Mapping[str, Any]) -> Try:
    body, content = _body_of(entry.get("request_body"))
    name = (content or {}).get("event", entry.get("event"))
    number = entry.get("retry_num")
    return Try(
        event=name if isinstance(name, str) else None,
        content=content,
        body=body,
        request_id=_request_id_of(entry),
        number=number if isinstance(number, int) else int(_digit(number)),
        status=_code(entry.get("status")),
        failed_reason=_code(entry.get("failed_reason_type")),
    )


def _digit(value: object) -> str:
    return value if isinstance(value, str) and re.fullmatch("[0-9]", value) else "0"


def _body_of(logged: object) -> tuple[bytes | None, dict[str, Any] | None]:
    """Returns the body and the object in it. For a logged object, the bytes that Zoom sent are gone."""
    if isinstance(logged, dict):
        return _compact(logged), logged
    if isinstance(logged, str) and logged.strip():
        try:
            body = logged.encode()
        except UnicodeEncodeError:  # half a character: no such text was ever sent
            return None, None
        return body, object_in(body)
    return None, None


def _compact(value: dict[str, Any]) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _request_id_of(entry: Mapping[str, Any]) -> str | None:
    """Returns the id that Zoom sent the delivery under, if it has the form of one: it becomes a header."""
    headers = entry.get("request_headers")
    if isinstance(headers, str):
        headers = object_in(headers.encode(errors="replace"))
    by_name = (
        {str(name).lower(): value for name, value in headers.items()} if isinstance(headers, dict) else {}
    )
    for value in (by_name.get(REQUEST_ID_HEADER), entry.get("request_id")):
        if isinstance(value, str) and valid_request_id(value):
            return value
    return None
