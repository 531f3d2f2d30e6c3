"""A service on this machine whose every byte a test writes by itself, over real sockets."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

PATIENCE_SECONDS = 10.0  # of this end, so that nothing hangs if a test goes wrong


class Peer:
    """The service's end of one connection."""

    def __init__(self, service: "RawService", connected: socket.socket) -> None:
        self._service = service
        self._read = b""
        self.socket = connected

    def request(self) -> bytes:
        """Returns the next request, whole.

        Raises:
            EOFError: the client has closed the connection.
        """
        while b"\r\n\r\n" not in self._read:
            self._receive()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(self._read) < length:
            self._receive()
        body, self._read = self._read[:length], self._read[length:]
        self._service.requests.append(body)
        return body

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def close(self) -> None:
        """Closes in order; TLS says so first."""
        if isinstance(self.socket, ssl.SSLSocket):
            with contextlib.suppress(OSError):  # the client need not say the same
                self.socket.settimeout(0)
                self.socket.unwrap()
        self.socket.close()

    def reset(self) -> None:
        """Breaks the connection off."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def is_left(self) -> bool:
        """Whether the client closes the connection, sending nothing more."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def wait_for_the_end(self) -> None:
        """Does nothing until the test is over."""
        self._service.over.wait(PATIENCE_SECONDS)

    def ticks(self) -> Iterator[None]:
        """Yields a hundred times a second, until the test is over or patience is."""
        gives_up_at = time.monotonic() + PATIENCE_SECONDS
        while not self._service.over.wait(0.01) and time.monotonic() < gives_up_at:
            yield

    def _receive(self) -> None:
        part = self.socket.recv(1 << 16)
        if not part:
            raise EOFError
        self._read += part


Talk = Callable[[Peer], None]


class RawService:
    """Listens until its `with` block ends.

    Args:
        talks: what it does on each connection in turn; the last one on all that follow.
        context: for TLS.

    Attributes:
        requests: the bodies that came, in order.
        connections: how many were made, also if they came to nothing.
        over: set when the test is.
    """

    def __init__(self, *talks: Talk, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.over = threading.Event()
        self._talks = list(talks)
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._connected: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._connected:
            with contextlib.suppress(OSError):  # closed already
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed: the test is over
            while True:
                accepted, _ = self._listener.accept()
                talk = self._talks[min(self.connections, len(self._talks) - 1)]
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(accepted, talk), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, accepted: socket.socket, talk: Talk) -> None:
        accepted.settimeout(PATIENCE_SECONDS)
        connected = accepted
        with contextlib.suppress(OSError, EOFError):
            if self._context:
                connected = self._context.wrap_socket(accepted, server_side=True)
            self._connected.append(connected)
            talk(Peer(self, connected))
        connected.close()
        accepted.close()


def answer(body: bytes = b"{}") -> bytes:
    """Returns an answer as AWS's services give it."""
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def answering(peer: Peer) -> None:
    """Answers each request with its own body."""
    while True:
        peer.send(answer(peer.request()))
