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
    HANG_UP = "closes the connection without an answer"
    SILENT = "takes the request and says nothing"


@dataclass
class Reply:
    """An answer in the protocol of AWS's JSON services."""

    body: dict[str, Any] = field(default_factory=dict)
    status: int = 200


Answer = Callable[[str, dict[str, Any]], Reply | Misbehaviour]
"""Gives the answer to a call, told by its operation (`PutEvents`) and input."""


class Service:
    """Serves one answer function until its `with` block ends; `calls` are those that came, in order."""

    def __init__(self, answer: Answer) -> None:
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
                if isinstance(reply, Misbehaviour):
                    self.close_connection = True
                    return
                body = json.dumps(reply.body).encode()
                self.send_response(reply.status)
                self.send_header("content-type", "application/x-amz-json-1.1")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

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
