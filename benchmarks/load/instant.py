"""A server that answers every request at once: what the generator can do with nothing behind it."""

import json
import selectors
import socket
import sys

from benchmarks.load.process import say

_RECEIVE_BYTES = 1 << 16
_ANSWER = b"HTTP/1.1 200 -\r\ncontent-length: 0\r\n\r\n"


def serve(listener: socket.socket) -> None:
    """Serves until standard input ends. A request is one if it comes whole, as on loopback it does."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is listener:
                connection, _ = listener.accept()
                selector.register(connection, selectors.EVENT_READ, b"")
                continue
            assert isinstance(key.fileobj, socket.socket)
            received = key.fileobj.recv(_RECEIVE_BYTES)
            if not received:
                selector.unregister(key.fileobj)
                key.fileobj.close()
                continue
            pending = key.data + received
            head, separator, body = pending.partition(b"\r\n\r\n")
            length = int(head.rpartition(b"content-length: ")[2].partition(b"\r\n")[0]) if separator else 0
            whole = bool(separator) and len(body) >= length
            if whole:
                key.fileobj.sendall(_ANSWER)
            selector.modify(key.fileobj, selectors.EVENT_READ, b"" if whole else pending)


if __name__ == "__main__":
    json.loads(sys.stdin.readline())
    with socket.create_server(("127.0.0.1", 0), backlog=64) as opened:
        say({"port": opened.getsockname()[1]})
        serve(opened)
