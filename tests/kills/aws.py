"""A faked AWS in a process of its own: the strict services behind one address, over real sockets.

The functions come in by HTTP, told apart by their access key, which names the execution environment. Whoever
started the process orders by lines of JSON on standard input and is answered on standard output; when the
input ends, it ends.
"""

import asyncio
import base64
import contextlib
import json
import os
import re
import sys
from collections import defaultdict
from random import Random
from typing import Any

from tests.aws.errors import AWSError
from tests.kills import wire
from tests.kills.cloud import Cloud

SETTLE_SECONDS = 30  # for the kernel to close what the dead had open, on a busy machine
PAUSE_SECONDS = 0.002
LATEST_SECONDS = 0.2  # of a call that is applied when its caller is dead

_CALLER = re.compile(r"Credential=([^/]+)/")
_SERVICES = {
    "AmazonSQS": "sqs",
    "AWSEvents": "events",
    "DynamoDB_20120810": "dynamodb",
    "secretsmanager": "secretsmanager",
}


class Server:
    """Serves one cloud to the functions, and to whoever started it."""

    def __init__(self) -> None:
        self.url = ""
        self._trigger: dict[str, tuple[int, str]] = {}
        self._calls: dict[str, int] = defaultdict(int)
        self._alive: set[str] = set()
        self._chance = Random(0)  # noqa: S311 - chance of a test, from a seed that is printed
        self._connections: dict[asyncio.StreamWriter, str | None] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection until it is closed, or its caller is to die."""
        self._connections[writer] = None
        try:
            while True:
                request = await wire.read_request(reader)
                caller = _CALLER.search(request.headers["authorization"])
                assert caller
                self._connections[writer] = caller[1]
                reached = self._reaches_its_end(caller[1])
                if reached:
                    say({"reached": caller[1]})
                if reached == "late":
                    await asyncio.sleep(self._chance.uniform(0, LATEST_SECONDS))
                reply = b"" if reached == "before" else self._answer(request)
                if reached:
                    await reader.read()  # no answer: it waits until it is dead
                    break
                writer.write(reply)
                await writer.drain()
        except (wire.Lost, ConnectionError):
            pass
        except Exception as error:
            # A call the services don't know, which they never answer: it would only look like an outage.
            say({"failed": f"{type(error).__name__}: {error}"})
            raise
        finally:
            del self._connections[writer]
            writer.close()

    async def obey(self, order: dict[str, Any]) -> Any:
        """Does what the driver orders, and returns its answer."""
        match order["do"]:
            case "begin":
                name = order["caller"]
                self._alive.add(name)
                if order["trigger"]:
                    self._trigger[name] = (order["trigger"][0], order["trigger"][1])
            case "end":
                self._alive.discard(order["caller"])
                self._trigger.pop(order["caller"], None)
                self._calls.pop(order["caller"], None)
            case "settle":
                return await self._settle()
            case "reset":
                self._cloud = Cloud(self.url, order["seed"])
                self._chance = Random(order["seed"])  # noqa: S311 - as above
            case _:
                return getattr(self._cloud, order["do"])(**order["with"])
        return None

    def _reaches_its_end(self, caller: str) -> str | None:
        """Returns how the call is to be taken that ends its caller; None for every other call."""
        self._calls[caller] += 1
        number, how = self._trigger.get(caller, (0, ""))
        return how if number == self._calls[caller] else None

    def _answer(self, request: wire.Request) -> bytes:
        """Returns the answer to a call."""
        prefix, _, operation = request.headers["x-amz-target"].partition(".")
        headers = {"content-type": "application/x-amz-json-1.1"}
        try:
            parameters = json.loads(request.body, object_hook=with_bytes)
            result, status = self._cloud.call(_SERVICES[prefix], operation, parameters), 200
        except AWSError as error:
            result, status = {"__type": error.code, "message": error.message, **error.extra}, error.status
            if error.query_code:
                headers["x-amzn-query-error"] = f"{error.query_code};Sender"
        body = json.dumps(result, default=wire.plain).encode()
        return wire.response(status, body, headers)

    async def _settle(self) -> bool:
        """Waits until nothing of a dead process is in flight; returns whether that came true."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                # A connection of a dead process is here. It is accepted meanwhile, in some turns of the loop.
                for _ in range(5):
                    await asyncio.sleep(PAUSE_SECONDS)
                # The other end is closed by then; only that is still unread, or a call that is applied late.
                while not set(self._connections.values()) <= self._alive:
                    await asyncio.sleep(PAUSE_SECONDS)
        except TimeoutError:
            return False
        return True


def with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    """Returns an object of a call with a binary attribute value undone, which came as base64."""
    return {"B": base64.b64decode(value["B"])} if value.keys() == {"B"} else value


def say(told: dict[str, Any]) -> None:
    """Says it at once and whole, however long it is."""
    line = memoryview(json.dumps(told, default=wire.plain).encode() + b"\n")
    while line:
        line = line[os.write(1, line) :]


async def main() -> None:
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=wire.MAX_BYTES, backlog=64)
    orders = asyncio.StreamReader(limit=wire.MAX_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    say({"url": server.url})
    async with asyncio.TaskGroup() as running:
        while line := await orders.readline():
            running.create_task(reply_to(server, json.loads(line)))
    listener.close()


async def reply_to(server: Server, order: dict[str, Any]) -> None:
    say({"id": order["id"], "answer": await server.obey(order)})


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # whoever started this is gone
        asyncio.run(main())
