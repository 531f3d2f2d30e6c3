"""A service on this machine that answers, stays silent or hangs up as a test wants it, over real sockets.

moto answers inside botocore. Time-outs, broken connections and certificates need a wire.
"""

import json
import ssl
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
    """An answer in the protocol of AWS's JSON services.

    Attributes:
        body: bytes are sent unchanged, anything else as JSON.
        closes: the service closes the connection afterwards, as AWS closes an idle one.
    """

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    closes: bool = False

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Answer = Callable[[str, dict[str, Any]], Reply | Misbehaviour]
"""Returns the answer to a call, from its operation (`PutEvents`) and input."""


class Service:
    """Serves one answer function until its `with` block ends.

    Args:
        tls: the server's side of TLS; without it the service speaks plain HTTP.

    Attributes:
        calls: the operation and the input of each call, in order.
    """

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._closing = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                content = json.loads(self.rfile.read(int(self.headers["content-length"])))
                operation = self.headers["x-amz-target"].rpartition(".")[2]
                service.calls.append((operation, content))
                reply = answer(operation, content)
                if reply is Misbehaviour.SILENT:
                    service._closing.wait(RELEASE_SECONDS)
                if reply is Misbehaviour.BREAK_OFF:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{")
                if isinstance(reply, Misbehaviour):
                    self.close_connection = True
                    return
                headers = {
                    "date": self.date_time_string(),
                    "content-type": "application/x-amz-json-1.1",
                    "content-length": str(len(reply.content)),
                } | reply.headers
                self.send_response_only(reply.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.content)
                self.close_connection |= reply.closes

            def log_message(self, *_: object) -> None:
                """Keeps the tests' output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "https" if tls else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://localhost:{self._server.server_port}"

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
