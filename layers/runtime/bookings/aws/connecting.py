"""Making a connection to a service, in bounded time whatever it hangs in, and to the service only."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bookings.aws.wire import NoAnswer

MAX_CONNECTING = 8  # threads that hang in it, for one service; with so many, another try is not begun

_ROOTS = Path(__file__).with_name("roots.pem")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is.

    Attributes:
        secure: by TLS; plain HTTP is for a stand-in on this machine.
    """

    host: str
    port: int
    secure: bool


class Connector:
    """Connects to one service.

    It does so in a thread of its own, since nothing bounds the look-up of a name. A connection that comes too
    late is closed there.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._free = threading.BoundedSemaphore(MAX_CONNECTING)

    def connect(self, deadline: float) -> socket.socket:
        """Returns a new connection, which doesn't block.

        Args:
            deadline: by `time.monotonic`.

        Raises:
            NoAnswer: there is none by then.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            raise NoAnswer("no time left")
        if self._address.secure:
            # Read here and not in the thread, whose time is the connection's.
            trust.context()
        if not self._free.acquire(blocking=False):
            raise NoAnswer("too many connections are being made")
        attempt = _Attempt(self._address, left, self._free.release)
        try:
            threading.Thread(target=attempt.run, name="aws-connect", daemon=True).start()
        except RuntimeError:
            self._free.release()
            raise NoAnswer("no thread to connect in") from None
        made = attempt.result(left)
        made.setblocking(False)
        return made


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
        """Returns what connections are made with.

        Raises:
            NoAnswer: the authorities can't be read.
        """
        with self._lock:
            if self._context is None:
                own = os.environ.get("AWS_CA_BUNDLE")
                self._may_widen = not own
                try:
                    self._context = ssl.create_default_context(cafile=own or self._roots)
                except OSError as error:
                    raise NoAnswer(type(error).__name__) from None
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
