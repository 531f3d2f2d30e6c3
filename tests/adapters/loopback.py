"""All services of AWS as one, over a real socket. moto answers inside botocore."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SILENT, HANG_UP = "takes the request and says nothing", "closes the connection without an answer"


@dataclass
class Reply:
    """An answer in the protocol of AWS's JSON services. Bytes are sent unchanged."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    closes: bool = False  # then closes the connection without a word, as AWS closes an idle one


Answer = Reply | str


def send(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
    handler.send_response_only(status)
    for name, value in ({"content-length": str(len(body))} | headers).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Yields the port of a server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


@contextmanager
def service(answer: Callable[[str], Answer]) -> Iterator[tuple[str, list[str]]]:
    """Yields the URL of a service, and the operations (`PutEvents`) called there so far."""
    calls: list[str] = []

    class Service(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            calls.append(self.headers["x-amz-target"].rpartition(".")[2])
            reply = answer(calls[-1])
            if isinstance(reply, Reply):
                body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                send(self, reply.status, reply.headers, body)
            elif reply == SILENT:
                threading.Event().wait(10.0)  # seconds
            self.close_connection |= not isinstance(reply, Reply) or reply.closes

    with serving(Service) as port:
        yield f"http://localhost:{port}", calls
