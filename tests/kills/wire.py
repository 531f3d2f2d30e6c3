"""HTTP/1.1 as far as the runtime client and the functions speak it, over asyncio's streams."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_BYTES = 1 << 24  # of a line or a body


class Lost(Exception):
    """The other side has closed the connection, as it does when its process dies."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request; names of headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Returns the next request of a connection.

    Raises:
        Lost: there is none, or not all of it.
    """
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {}
        for line in filter(None, head[1:]):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = await _read_chunks(reader)
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        raise Lost from None
    return Request(method, path, headers, body)


def response(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} -", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def plain(value: object) -> object:
    """Returns what a service answers as JSON has it on the wire."""
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if hasattr(value, "timestamp"):
        return value.timestamp()
    raise TypeError(type(value).__name__)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body
