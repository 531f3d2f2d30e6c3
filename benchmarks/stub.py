"""The AWS that all contestants call: a process of its own on loopback, over TLS, which answers and counts.

It knows the operations a booking needs and answers them as briefly as the real services may. TLS is part of
it, since loading the roots and the handshake are a good part of a first call. `python -m benchmarks.stub`
serves until its standard input ends; `Stub` starts that and asks it for its counts.
"""

import asyncio
import contextlib
import json
import re
import ssl
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import certifi

from tests import certificates
from tests.kills import wire

ROOT = Path(__file__).parents[1]
TOKEN = "a-secret-token-of-22-c"  # noqa: S105 - made up, of the length of Zoom's
PATIENCE_SECONDS = 20

SLOW_SECONDS = 0.3

PUT_EVENTS = "PutEvents"
SEND_MESSAGE = "SendMessage"
GET_SECRET = "GetSecretValue"  # noqa: S105 - an operation

_EVENT_ID = re.compile(r'"event_id":\s*"([^"]*)"')


class Behaviour(StrEnum):
    """How the calls of an operation are met."""

    ANSWERS = "answers"
    SILENT = "takes the request, does nothing and never answers"
    SLOW = f"answers after {SLOW_SECONDS} s"
    HANGS_UP = "answers, and closes the connection then without having said so"


class Services:
    """Secrets Manager, EventBridge, SQS and DynamoDB as far as a receiver of bookings calls them.

    Attributes:
        counts: calls so far, by operation.
        taken: by operation, how often each delivery was taken; they are told by their `event_id`.
        remembers: whether a conditional write is held against the items written before, or always taken.
        behaviours: of the operations that do anything else than answer.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.taken: dict[str, Counter[str]] = {PUT_EVENTS: Counter(), SEND_MESSAGE: Counter()}
        self.remembers = False
        self.behaviours: dict[str, Behaviour] = {}
        self._items: dict[str, dict[str, Any]] = {}

    def answer(self, operation: str, asked: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Returns status and body of the answer to a call.

        Raises:
            KeyError: no contestant should call that.
        """
        self.counts[operation] += 1
        match operation:
            case "GetSecretValue":
                return 200, _secret(asked["SecretId"])
            case "PutEvents":
                for entry in asked["Entries"]:
                    self._take(operation, entry["Detail"])
                entries = [{"EventId": f"event-{number}"} for number in range(len(asked["Entries"]))]
                return 200, {"FailedEntryCount": 0, "Entries": entries}
            case "SendMessage":
                self._take(operation, asked["MessageBody"])
                return 200, {"MessageId": "message-1"}
            case "PutItem":
                return self._put(asked)
            case _:
                raise KeyError(operation)

    def remember(self, remembers: bool) -> None:
        """Forgets all items, deliveries and counts, and remembers items from now on or doesn't."""
        self.remembers = remembers
        self.counts.clear()
        self._items.clear()
        for taken in self.taken.values():
            taken.clear()

    def _take(self, operation: str, text: str) -> None:
        if found := _EVENT_ID.search(text):
            self.taken[operation][found[1]] += 1

    def _put(self, asked: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        if not self.remembers:
            return 200, {}
        item = asked["Item"]
        key = item["booking_id"]["S"]
        stored = self._items.get(key)
        expected = asked.get("ExpressionAttributeValues", {}).get(":revision")
        if expected != (stored and stored["revision"]):
            refusal = {
                "__type": "ConditionalCheckFailedException",
                "message": "The conditional request failed",
            }
            return 400, refusal | ({"Item": stored} if stored else {})
        self._items[key] = item
        return 200, {}


def _secret(name: str) -> dict[str, Any]:
    return {
        "ARN": name,
        "Name": "zoom",
        "VersionId": "1",
        "SecretString": TOKEN,
        "CreatedDate": 1_700_000_000,
    }


class Stub:
    """Starts the services; they end with its `with` block.

    Attributes:
        url: where they are, for `AWS_ENDPOINT_URL`.
        authority: a file with the one certificate that signed theirs.
        authorities: a file with that one behind the roots of a common bundle, as many as a client has to load
            in earnest.
    """

    url: str
    authority: Path
    authorities: Path

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="bookings-bench-")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stub", self._folder.name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        folder = Path(self._folder.name)
        self.authority = folder / "authority.pem"
        self.authorities = folder / "authorities.pem"
        self.url = self._read()["url"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def remember(self, remembers: bool) -> None:
        """Makes it forget what came, and remember items from now on or not."""
        self._ask({"do": "remember", "remembers": remembers})

    def counts(self) -> dict[str, int]:
        """Returns the calls since it last forgot, by operation."""
        return {name: int(count) for name, count in self._ask({"do": "counts"}).items()}

    def taken(self, operation: str) -> dict[str, int]:
        """Returns how often each delivery was taken by PutEvents or SendMessage since it last forgot."""
        return {name: int(times) for name, times in self._ask({"do": "taken"})[operation].items()}

    def behave(self, behaviours: Mapping[str, Behaviour]) -> None:
        """Makes it meet the calls of these operations so from now on, and answer all others."""
        self._ask({"do": "behave", "behaviours": behaviours})

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the stub of AWS has ended")
        told: dict[str, Any] = json.loads(line)
        return told


async def serve(services: Services, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serves one connection until it is closed."""
    try:
        while True:
            request = await wire.read_request(reader)
            operation = request.headers["x-amz-target"].rpartition(".")[2]
            behaviour = services.behaviours.get(operation, Behaviour.ANSWERS)
            if behaviour is Behaviour.SILENT:
                services.counts[operation] += 1
                while await reader.read(wire.MAX_BYTES):
                    pass
                return
            if behaviour is Behaviour.SLOW:
                await asyncio.sleep(SLOW_SECONDS)
            try:
                status, body = services.answer(operation, json.loads(request.body))
            except KeyError:
                status, body = 400, {"__type": "UnknownOperationException", "message": operation}
            headers = {"content-type": request.headers["content-type"]}
            if status != 200:  # noqa: PLR2004 - HTTP's own
                headers["x-amzn-errortype"] = body["__type"]
            writer.write(wire.response(status, json.dumps(body).encode(), headers))
            await writer.drain()
            if behaviour is Behaviour.HANGS_UP:
                return
    except (wire.Lost, ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


def make_certificates(folder: Path) -> ssl.SSLContext:
    """Writes the files that `Stub` names, and returns what the server needs."""
    context = certificates.make_certificates(folder)
    authority = (folder / certificates.AUTHORITY).read_bytes()
    (folder / "authorities.pem").write_bytes(Path(certifi.where()).read_bytes() + authority)
    return context


async def main(folder: Path) -> None:
    services = Services()
    listener = await asyncio.start_server(
        lambda reader, writer: serve(services, reader, writer),
        "127.0.0.1",
        0,
        ssl=make_certificates(folder),
        limit=wire.MAX_BYTES,
    )
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    _say({"url": f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"})
    while line := await orders.readline():
        order = json.loads(line)
        match order["do"]:
            case "remember":
                services.remember(order["remembers"])
                _say({})
            case "behave":
                services.behaviours = {
                    operation: Behaviour(behaviour) for operation, behaviour in order["behaviours"].items()
                }
                _say({})
            case "taken":
                _say(services.taken)
            case _:
                _say(services.counts)
    listener.close()


def _say(told: Mapping[str, Any]) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):  # whoever started this is gone
        asyncio.run(main(Path(sys.argv[1])))
