"""A Zoom on the loopback: its OAuth service and its delivery log, for one app.

As strict as what Zoom documents ("Marketplace API" and "Server-to-Server OAuth", read in November 2026): a
request that Zoom would refuse is refused, and one that it doesn't document too.
"""

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ACCOUNT_ID, CLIENT_ID, CLIENT_SECRET, APP_ID = "account-7", "client-7", "client-secret-canary", "app_7"
TOKEN = "access-token-canary"
MAX_PAGE_SIZE = 300

Reply = tuple[int, dict[str, str], bytes]


@dataclass(kw_only=True)
class FakeZoom:
    """What Zoom has logged, and how it answers.

    Attributes:
        entries: the log, as Zoom orders it.
        page: how many entries it gives at most, whatever is asked for.
        replies: what it answers first, in this order, by the last part of the path.
        endless: it names a next page after every page.
        asked: the requests that came, each as its method, its path and its query.
    """

    url: str = ""
    entries: list[dict[str, Any]] = field(default_factory=list)
    page: int = MAX_PAGE_SIZE
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    endless: bool = False
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def log(self, body: bytes | object, request_id: str | None, *statuses: int, **fields: Any) -> None:
        """Logs the tries of one delivery, which were answered so.

        Args:
            body: bytes as they were sent; what is no bytes stands in the log as it is.
            fields: in place of what each entry would have.
        """
        logged = body.decode() if isinstance(body, bytes) else body
        for number, status in enumerate(statuses):
            entry = {
                "request_body": logged,
                "request_headers": json.dumps({"X-Zm-Request-Id": request_id, "clientid": CLIENT_ID}),
                "request_id": request_id,
                "retry_num": number,
                "status": status,
                "failed_reason_type": None if status < 300 else "http_status",
            }
            self.entries.append(entry | fields)

    @property
    def environment(self) -> dict[str, str]:
        """By which the command finds it, and may read its log."""
        return {
            "ZOOM_ACCOUNT_ID": ACCOUNT_ID,
            "ZOOM_CLIENT_ID": CLIENT_ID,
            "ZOOM_CLIENT_SECRET": CLIENT_SECRET,
            "ZOOM_APP_ID": APP_ID,
            "ZOOM_API_URL": f"{self.url}/v2",
            "ZOOM_OAUTH_URL": f"{self.url}/oauth/token",
        }

    def answer(self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Reply:
        self.asked.append((method, path, query))
        waiting = self.replies.get(path.rpartition("/")[2])
        if waiting:
            return waiting.pop(0)
        if (method, path) == ("POST", "/oauth/token"):
            return self._token(query, headers)
        if (method, path) == ("GET", f"/v2/marketplace/apps/{APP_ID}/webhook_logs"):
            return self._logs(query, headers)
        return reply(404, {"code": 404, "message": "Not found."})

    def _token(self, query: dict[str, str], headers: Mapping[str, str]) -> Reply:
        login = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if headers.get("authorization") != f"Basic {login}":
            return reply(401, {"reason": "Invalid client_id or client_secret", "error": "invalid_client"})
        if query != {"grant_type": "account_credentials", "account_id": ACCOUNT_ID}:
            return reply(400, {"reason": "Bad Request", "error": "invalid_request"})
        return reply(200, {"access_token": TOKEN, "token_type": "bearer", "expires_in": 3599})

    def _logs(self, query: dict[str, str], headers: Mapping[str, str]) -> Reply:
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return reply(401, {"code": 124, "message": "Invalid access token."})
        asked = dict(query)
        kind = asked.pop("type", "2")
        size = asked.pop("page_size", "30")
        number = asked.pop("retry_num", None)
        event = asked.pop("event", None)
        begin = asked.pop("next_page_token", "page-0").removeprefix("page-")
        valid = kind in ("1", "2", "3") and size.isdecimal() and 1 <= int(size) <= MAX_PAGE_SIZE
        if asked or not valid or number not in (None, "0", "1", "2", "3") or not begin.isdecimal():
            return reply(400, {"code": 300, "message": "Invalid field."})
        found = [
            entry
            for entry in self.entries
            if kind == "1" or (kind == "3") == (entry.get("failed_reason_type") is None)
            if number is None or str(entry.get("retry_num")) == number
            if event is None or json.loads(entry["request_body"])["event"] == event
        ]
        first, last = int(begin), int(begin) + min(self.page, int(size))
        more = f"page-{last}" if self.endless or last < len(found) else ""
        return reply(200, {"next_page_token": more, "webhook_logs": found[first:last]})


def reply(status: int, content: object, **headers: str) -> Reply:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"content-type": "application/json"} | named, body


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        assert len(dict(query)) == len(query)
        status, answered, body = self.server.zoom.answer(self.command, parts.path, dict(query), headers)
        self.send_response(status)
        for name, value in (answered | {"content-length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, zoom: FakeZoom) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.zoom = zoom


@contextmanager
def zoom_on_loopback() -> Iterator[FakeZoom]:
    """Serves an empty log."""
    zoom = FakeZoom()
    server = _Server(zoom)
    zoom.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield zoom
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
