"""Zoom's API on the loopback: the OAuth service and the delivery log of one app.

It refuses requests that Zoom's documentation does not describe ("Marketplace API" and "Server-to-Server
OAuth", read in November 2026).
"""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

ACCOUNT_ID, CLIENT_ID, CLIENT_SECRET, APP_ID = "account-7", "client-7", "client-secret-canary", "app_7"
TOKEN = "access-token-canary"
LOG_PATH = f"/v2/marketplace/apps/{APP_ID}/webhook_logs"
_LOGIN = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()


class Request(NamedTuple):
    """A request. The header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


Reply = tuple[int, dict[str, str], bytes]


def reply(status: int, content: object, **headers: str) -> Reply:
    """Returns an answer. Content other than bytes becomes JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body


@dataclass
class FakeZoom:
    """The log. `page` is the most entries of an answer, `replies` are the first answers by path's end."""

    url: str = ""
    page: int = 300
    entries: list[dict[str, Any]] = field(default_factory=list)
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def log(self, body: object, request_id: str, *statuses: int) -> None:
        """Logs the tries of one delivery by their answers."""
        for number, status in enumerate(statuses):
            self.entries.append(
                {
                    "request_body": body.decode() if isinstance(body, bytes) else body,
                    "request_headers": json.dumps({"X-Zm-Request-Id": request_id}),
                    "request_id": request_id,
                    "retry_num": number,
                    "status": status,
                    "failed_reason_type": None if status < 300 else "http_status",
                }
            )

    @property
    def environment(self) -> dict[str, str]:
        app = {
            "ZOOM_ACCOUNT_ID": ACCOUNT_ID,
            "ZOOM_CLIENT_ID": CLIENT_ID,
            "ZOOM_CLIENT_SECRET": CLIENT_SECRET,
        }
        urls = {"ZOOM_API_URL": f"{self.url}/v2", "ZOOM_OAUTH_URL": f"{self.url}/oauth/token"}
        return app | urls | {"ZOOM_APP_ID": APP_ID}

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        if replies := self.replies.get(request.path.rpartition("/")[2]):
            return replies.pop(0)
        match request.method, request.path, request.headers.get("authorization"):
            case "POST", "/oauth/token", authorization:
                query = {"grant_type": "account_credentials", "account_id": ACCOUNT_ID}
                if (authorization, request.query) != (f"Basic {_LOGIN}", query):
                    return reply(401, {"error": "invalid_client"})
                return reply(200, {"access_token": TOKEN})
            case "GET", path, authorization if path == LOG_PATH and authorization == f"Bearer {TOKEN}":
                return self._logs(request.query)
        return reply(404, {"code": 404})

    def _logs(self, query: dict[str, str]) -> Reply:
        assert query.keys() <= {"type", "page_size", "retry_num", "next_page_token"}
        assert (query["type"] in ("2", "3"), 1 <= int(query["page_size"]) <= 300) == (True, True)
        found = [
            entry
            for entry in self.entries
            if (query["type"] == "3") == (entry["failed_reason_type"] is None)
            and query.get("retry_num", str(entry["retry_num"])) == str(entry["retry_num"])
        ]
        begin = int(query.get("next_page_token", 0))
        end = begin + min(self.page, int(query["page_size"]))
        token = str(end) if end < len(found) else ""
        return reply(200, {"next_page_token": token, "webhook_logs": found[begin:end]})


@contextmanager
def served(answer: Callable[[Request], Reply]) -> Iterator[str]:
    """Serves the answers on the loopback. Yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length") or 0))
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            status, answered, content = answer(Request(self.command, parts.path, query, headers, body))
            self.send_response(status)
            for name, value in (answered | {"content-length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815 - the name is the library's

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def zoom_on_loopback() -> Iterator[FakeZoom]:
    zoom = FakeZoom()
    with served(zoom.answer) as zoom.url:
        yield zoom
