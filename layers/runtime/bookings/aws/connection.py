"""A kept connection to a service: HTTP/1.1 as far as AWS's JSON protocols need it, and bounded as a whole.

Not `http.client`: its time-outs are for each read, so that an answer that trickles in outlasts any of them,
and its headers cost several times the rest of a call.
"""

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bookings.errors import BookingsError

MAX_HEAD_BYTES = 1 << 16
MAX_BODY_BYTES = 1 << 24
MAX_CONNECTING = 8  # threads that hang in it, of one connection; with so many, another try is not begun

_CHUNK_BYTES = 1 << 16
_ROOTS = Path(__file__).with_name("roots.pem")
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


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is.

    Attributes:
        secure: by TLS; plain HTTP is for a stand-in on this machine.
    """

    host: str
    port: int
    secure: bool


class Connection:
    """One connection, opened when it is needed and kept; for one thread at a time."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._connecting = threading.BoundedSemaphore(MAX_CONNECTING)

    def exchange(self, request: bytes, deadline: float) -> Response:
        """Sends a request and returns its answer.

        Args:
            deadline: by `time.monotonic`; holds for all of it, connecting included.

        Raises:
            NoAnswer: the connection is closed by then.
        """
        if self._socket is not None and not _is_open(self._socket):
            self.close()
        kept = self._socket = self._socket or self._connected(deadline)
        reader = _Reader(kept, deadline)
        try:
            _send(kept, request, deadline)
            response = reader.response()
        except TimeoutError:
            self.close()
            raise NoAnswer("no answer in time") from None
        except (OSError, ValueError) as error:
            self.close()
            raise NoAnswer(type(error).__name__) from None
        except BaseException:  # the rest of this answer must not be taken for the next one
            self.close()
            raise
        if reader.has_more or response.headers.get("connection", "").lower() == "close":
            self.close()
        return response

    def open(self, deadline: float) -> None:
        """Connects, if it isn't connected.

        Raises:
            NoAnswer: it could not.
        """
        if self._socket is None:
            self._socket = self._connected(deadline)

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _connected(self, deadline: float) -> socket.socket:
        """Returns a new connection.

        It is made in a thread of its own, since nothing bounds the look-up of a name. One that comes too late
        is closed there.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            raise NoAnswer("no time left")
        if not self._connecting.acquire(blocking=False):
            raise NoAnswer("too many connections are being made")
        attempt = _Attempt(self._address, left, self._connecting.release)
        try:
            threading.Thread(target=attempt.run, name="aws-connect", daemon=True).start()
        except RuntimeError:
            self._connecting.release()
            raise NoAnswer("no thread to connect in") from None
        return attempt.result(left)


class _Attempt:
    """A connection that is being made, and given up if nobody waits for it any more."""

    def __init__(self, address: Address, seconds: float, ended: Callable[[], None]) -> None:
        self._address = address
        self._seconds = seconds
        self._told_ended = ended
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._given_up = False
        self._made: socket.socket | None = None
        self._failure = ""

    def run(self) -> None:
        try:
            made = _made(self._address, self._seconds)
        except TimeoutError:
            self._failure = "no connection in time"
        except Exception as error:  # noqa: BLE001 - told to who waits, by its kind
            self._failure = type(error).__name__
        else:
            with self._lock:
                if self._given_up:
                    made.close()
                else:
                    self._made = made
        finally:
            self._told_ended()
            self._ended.set()

    def result(self, seconds: float) -> socket.socket:
        if not self._ended.wait(seconds):
            with self._lock:
                self._given_up = self._made is None
            if self._given_up:
                raise NoAnswer("no connection in time")
        if self._made is None:
            raise NoAnswer(self._failure)
        return self._made


def _made(address: Address, seconds: float) -> socket.socket:
    plain = socket.create_connection((address.host, address.port), seconds)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not address.secure:
            return plain
        context = trust.context()
        try:
            return context.wrap_socket(plain, server_hostname=address.host)
        except ssl.SSLCertVerificationError:
            if not trust.widen(context):
                raise
    except BaseException:
        plain.close()
        raise
    plain.close()
    return _made(address, seconds)


class Trust:
    """The authorities that a service's certificate may come from.

    The five roots of Amazon's, which load in a twentieth of the time that all of a system's take; where they
    don't do, as in AWS's China regions, all of the system's. `AWS_CA_BUNDLE` names others instead.
    Source: "Amazon Trust Services Repository", https://www.amazontrust.com/repository, read in November 2026.
    """

    def __init__(self, roots: Path) -> None:
        self._roots = roots
        self._context: ssl.SSLContext | None = None
        self._may_widen = True
        self._lock = threading.Lock()

    def context(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                own = os.environ.get("AWS_CA_BUNDLE")
                self._may_widen = not own
                self._context = ssl.create_default_context(cafile=own or self._roots)
            return self._context

    def widen(self, tried: ssl.SSLContext) -> bool:
        """Trusts what the system trusts from now on; returns whether that is more than was tried."""
        with self._lock:
            if tried is not self._context:
                return True  # another connection has found out at the same time
            if not self._may_widen:
                return False
            self._may_widen = False
            self._context = ssl.create_default_context()
            return True


trust = Trust(_ROOTS)


def _is_open(kept: socket.socket) -> bool:
    """Whether nothing has come on an idle connection: neither its end nor what nobody asked for.

    Reading takes the session tickets in, which come after the handshake and mean nothing here.
    """
    kept.settimeout(0)
    try:
        kept.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False


def _send(kept: socket.socket, request: bytes, deadline: float) -> None:
    left = memoryview(request)
    try:
        while left:
            kept.settimeout(_remaining(deadline))
            left = left[kept.send(left) :]
    except (ConnectionError, ssl.SSLEOFError):
        raise HungUp("the connection was closed") from None


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Reader:
    """Reads one answer.

    Its methods raise TimeoutError when the time is up, ValueError on what is no HTTP, OSError when the
    connection breaks.
    """

    def __init__(self, kept: socket.socket, deadline: float) -> None:
        self._socket = kept
        self._deadline = deadline
        self._read = b""
        self._begun = False

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
        if version != "HTTP/1.1" or len(status) != 3 or not status.isdigit():  # noqa: PLR2004 - digits
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
            self._socket.settimeout(_remaining(self._deadline))
            part = self._socket.recv(_CHUNK_BYTES)
            if not part:
                raise ConnectionResetError
        except (ConnectionError, ssl.SSLEOFError):
            if self._begun:
                raise
            raise HungUp("the connection was closed") from None
        self._begun = True
        return part


def _chunk_size(line: bytes) -> int:
    size = line.partition(b";")[0].rstrip()
    if size.strip(_HEX_DIGITS):  # int takes signs, underscores and 0x too
        raise ValueError("not the size of a chunk")
    return int(size, 16)
