"""HTTP/1.1 over an open connection, as far as AWS's JSON protocols need it, and bounded as a whole.

Not `http.client`: its time-outs are for each read, so that an answer that trickles in outlasts any of them,
and its headers cost several times the rest of a call.
"""

import select
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from bookings.errors import BookingsError

MAX_HEAD_BYTES = 1 << 16
MAX_BODY_BYTES = 1 << 24

_CHUNK_BYTES = 1 << 14  # a record of TLS holds no more
_HEX_DIGITS = b"0123456789ABCDEFabcdef"


class NoAnswer(BookingsError):
    """A call got no answer. Whether it was done isn't known; the message tells the kind of failure alone."""


class HungUp(NoAnswer):
    """The service closed the connection before it answered anything."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Exchange:
    """Sends one request over a socket that doesn't block, and reads its answer.

    Its methods raise TimeoutError when the time is up, ValueError on what is no HTTP, OSError when the
    connection breaks.
    """

    def __init__(self, kept: socket.socket, deadline: float) -> None:
        self._socket = kept
        self._deadline = deadline
        self._read = b""
        self._begun = False

    def send(self, request: bytes) -> None:
        left = memoryview(request)
        try:
            while left:
                try:
                    left = left[self._socket.send(left) :]
                except (BlockingIOError, ssl.SSLWantWriteError):
                    self._wait(select.POLLOUT)
                except ssl.SSLWantReadError:
                    self._wait(select.POLLIN)
        except (ConnectionError, ssl.SSLEOFError):
            raise HungUp("the connection was closed") from None

    @property
    def has_more(self) -> bool:
        """Whether something has come behind the answer, which nobody asked for."""
        return bool(self._read)

    def response(self) -> Response:
        while True:
            status, headers = self._head()
            if status >= 200:  # noqa: PLR2004 - below are announcements of the answer that follows
                return Response(status, headers, self._body(headers))

    def _head(self) -> tuple[int, dict[str, str]]:
        head = self._until(b"\r\n\r\n", MAX_HEAD_BYTES).decode("latin-1")
        first, *lines = head.split("\r\n")
        version, status, *_ = first.split(" ", 2)
        if version != "HTTP/1.1" or len(status) != 3 or not status.isdigit():  # noqa: PLR2004 - as many digits as a status has
            raise ValueError("not an answer of HTTP/1.1")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(status), headers

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._chunked()
        length = headers.get("content-length", "")
        if not length.isdigit():  # int takes signs and underscores too
            raise ValueError("not a length")
        return self._exactly(int(length))

    def _chunked(self) -> bytes:
        chunks = []
        left = MAX_BODY_BYTES
        while size := _chunk_size(self._until(b"\r\n", MAX_HEAD_BYTES)):
            left -= size
            if left < 0:
                raise ValueError("too long an answer")
            chunks.append(self._exactly(size))
            if self._exactly(2) != b"\r\n":
                raise ValueError("not a chunk")
        while self._until(b"\r\n", MAX_HEAD_BYTES):
            pass  # headers after the body
        return b"".join(chunks)

    def _until(self, end: bytes, most: int) -> bytes:
        """Returns what comes before an end, and takes that too."""
        while (found := self._read.find(end)) < 0:
            if len(self._read) > most:
                raise ValueError("too long a line")
            self._read += self._receive()
        part, self._read = self._read[:found], self._read[found + len(end) :]
        return part

    def _exactly(self, size: int) -> bytes:
        if size > MAX_BODY_BYTES:
            raise ValueError("too long an answer")
        if len(self._read) < size:
            parts = [self._read]
            missing = size - len(self._read)
            while missing > 0:
                parts.append(part := self._receive())
                missing -= len(part)
            self._read = b"".join(parts)
        part, self._read = self._read[:size], self._read[size:]
        return part

    def _receive(self) -> bytes:
        try:
            while True:
                self._wait(select.POLLIN)
                try:
                    part = self._socket.recv(_CHUNK_BYTES)
                    break
                except (BlockingIOError, ssl.SSLWantReadError):
                    continue  # a record that isn't whole, or that holds nothing for us
            if not part:
                raise ConnectionResetError
        except (ConnectionError, ssl.SSLEOFError):
            if self._begun:
                raise
            raise HungUp("the connection was closed") from None
        self._begun = True
        return part

    def _wait(self, event: int) -> None:
        left = self._deadline - time.monotonic()
        poll = select.poll()
        poll.register(self._socket, event)
        if left <= 0 or not poll.poll(left * 1000):
            raise TimeoutError


def _chunk_size(line: bytes) -> int:
    size = line.partition(b";")[0].rstrip()
    if size.strip(_HEX_DIGITS):  # int takes signs, underscores and 0x too
        raise ValueError("not the size of a chunk")
    return int(size, 16)
