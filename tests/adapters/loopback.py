"""A service on this machine that answers, stays silent or hangs up as a test tells it, over real sockets.

moto answers inside botocore; time-outs and broken connections only happen on a wire.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

RELEASE_SECONDS = 10.0  # a silent call ends by then, even if a test forgets to close its service


class Misbehaviour(Enum):
    BREAK_OFF = "closes the connection in the middle of an answer"
    HANG_UP = "closes the connection without an answer"
    SILENT = "takes the request and says nothing"


@dataclass
class Reply:
    """An answer in the protocol of AWS's JSON services; a body of bytes is sent as it is."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[str, dict[str, Any]], Reply | Misbehaviour]
"""Gives the answer to a call, told by its operation (`PutEvents`) and input."""


class Service:
    """Serves one answer function until its `with` block ends.

    Attributes:
        calls: those that came, in order: operation and input.
        received: the same as the requests that they were.
    """

    def __init__(self, answer: Answer) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.received: list[Received] = []
        self._closing = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                content = json.loads(raw)
                operation = self.headers["x-amz-target"].rpartition(".")[2]
                headers = {name.lower(): value for name, value in self.headers.items()}
                service.received.append(Received(self.command, self.path, headers, raw))
                service.calls.append((operation, content))
                reply = answer(operation, content)
                if reply is Misbehaviour.SILENT:
                    service._closing.wait(RELEASE_SECONDS)
                if reply is Misbehaviour.BREAK_OFF:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{")
                if isinstance(reply, Misbehaviour):
                    self.close_connection = True
                    return
                said = {
                    "date": self.date_time_string(),
                    "content-type": "application/x-amz-json-1.1",
                    "content-length": str(len(reply.content)),
                } | reply.headers
                self.send_response_only(reply.status)
                for name, value in said.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.content)

            def log_message(self, *_: object) -> None:
                """Keeps the tests' output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
