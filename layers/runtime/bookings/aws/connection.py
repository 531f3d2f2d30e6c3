"""A connection to a service that is kept from one call to the next."""

import contextlib
import socket
import ssl
import time

from bookings.aws.connecting import Address, Connector
from bookings.aws.wire import Exchange, NoAnswer, Response


class Connection:
    """One connection, opened when it is needed and kept; for one thread at a time."""

    def __init__(self, address: Address) -> None:
        self._connector = Connector(address)
        self._socket: socket.socket | None = None

    def exchange(self, request: bytes, deadline: float) -> Response:
        """Sends a request and returns its answer.

        Args:
            deadline: by `time.monotonic`; holds for all of it, connecting included.

        Raises:
            NoAnswer: the connection is closed by then.
        """
        if deadline <= time.monotonic():
            raise NoAnswer("no time left")
        if self._socket is not None and not _is_open(self._socket):
            self.close()
        kept = self._socket = self._socket or self._connector.connect(deadline)
        exchange = Exchange(kept, deadline)
        try:
            exchange.send(request)
            response = exchange.response()
        except TimeoutError:
            self.close()
            raise NoAnswer("no answer in time") from None
        except (OSError, ValueError) as error:
            self.close()
            raise NoAnswer(type(error).__name__) from None
        except BaseException:  # the rest of this answer must not be taken for the next one
            self.close()
            raise
        if exchange.has_more or response.headers.get("connection", "").lower() == "close":
            self.close()
        return response

    def open(self, deadline: float) -> None:
        """Connects, if it isn't connected.

        Raises:
            NoAnswer: it could not.
        """
        if self._socket is None:
            self._socket = self._connector.connect(deadline)

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None


def _is_open(kept: socket.socket) -> bool:
    """Whether nothing has come on an idle connection: neither its end nor what nobody asked for.

    Reading takes the session tickets in, which come after the handshake and mean nothing here.
    """
    try:
        kept.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False
