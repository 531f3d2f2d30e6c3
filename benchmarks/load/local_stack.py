"""The whole stack on this machine under load: over its HTTP address, to the table and to a subscriber.

The emulator answers HTTP, invokes the function, and is every service that this calls, in one process. To tell
its share from ours, the same load goes to the bare floor, deployed to the same API beside the webhook, and to
a route that there isn't: what the floor takes is the emulator's, what the webhook takes more is ours and the
services' it calls.
"""

import io
import re
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.contestants import FLOOR, OURS
from benchmarks.load.bench import Generator
from benchmarks.load.figures import Level, level, settle
from benchmarks.load.generator import Sent
from benchmarks.load.process import Process, cpu_of, descendants_of
from benchmarks.packaging import PEERS
from benchmarks.stub import TOKEN
from local.stack import RunningStack
from local.subscriber import Subscriber
from tests.stack.process import stack_in_a_process

LEVELS = ((1, 10.0), (4, 40.0))
"""Connections, and deliveries a second of all together: what the emulator bears, with all its handlers."""

ARRIVAL_SECONDS = 60.0
NO_ROUTE = "a route that there isn't"

_FLOOR_PATH = "/webhooks/floor"
# The emulator waits 50 ms for the first line that an invocation logs, so this one logs a line, as ours does.
_TALKING_FLOOR = """\
from floor import lambda_handler as floor

def lambda_handler(event, context):
    print("answered", flush=True)
    return floor(event, context)
"""
_FUNCTION_NAME = re.compile(rb"AWS_LAMBDA_FUNCTION_NAME=([^\0]+)")
_WARM_UP = 5
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of deliveries behind the door.

    Attributes:
        seconds: from the last answer until everything was in the table and at the subscriber.
    """

    kept: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StackRun:
    levels: list[Level]
    arrived: list[Arrived]


def measure(generator: Process, seconds: float) -> StackRun:
    """Starts a stack, loads it, and ends it.

    Raises:
        StackProcessError: it does not start.
        ProcessFailed: it does not serve.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bookings-load-") as folder,
        stack_in_a_process(Path(folder) / ".local", secret=TOKEN) as stack,
    ):
        _deploy_floor(stack)
        subscriber = Subscriber(stack)
        url = urlsplit(stack.webhook_url)
        levels, arrived = [], []
        for connections, per_second in LEVELS:
            for name, path in ((OURS, url.path), (FLOOR, _FLOOR_PATH), (NO_ROUTE, "/webhooks/none")):
                assert url.hostname
                assert url.port
                sending = Generator(generator, url.hostname, url.port, path)
                warm_up = sending.send(connections, each=_WARM_UP)
                before = _cpu(stack)
                sent = sending.send(connections, seconds=seconds, per_second=per_second)
                problems = None
                if name == OURS:
                    problems, went = _arrival(stack, subscriber, sending.run, [warm_up, sent])
                    arrived.append(went)
                cpu = {kind: took - before.get(kind, 0.0) for kind, took in _cpu(stack).items()}
                levels.append(level(name, connections, sent, cpu_seconds=cpu, problems=problems))
        return StackRun(levels, arrived)


def _arrival(
    stack: RunningStack, subscriber: Subscriber, run: str, sent: list[Sent]
) -> tuple[list[str], Arrived]:
    """Waits until the deliveries of a run are where they belong; returns what is wrong."""
    begun = time.monotonic()
    announced: Counter[str] = Counter()
    while True:
        table = Counter(name for name in _event_ids(stack) if name.startswith(run))
        for event in subscriber.receive(wait_seconds=0):
            if str(event.booking["event_id"]).startswith(run):
                announced[event.booking["event_id"]] += 1
        ledgers = {
            "in the table": settle(run, sent, table),
            "at the subscriber": settle(run, sent, announced),
        }
        seconds = time.monotonic() - begun
        if not any(ledger.lost for ledger in ledgers.values()) or seconds > ARRIVAL_SECONDS:
            break
        if len(announced) == len(table):
            time.sleep(_POLL_SECONDS)
    problems = [f"{place}: {problem}" for place, ledger in ledgers.items() for problem in ledger.problems]
    return problems, Arrived(ledgers["in the table"].kept, seconds)


def _event_ids(stack: RunningStack) -> Iterator[str]:
    pages = stack.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=stack.outputs["BookingsTableName"], ConsistentRead=True):
        for item in page["Items"]:
            yield item["event_id"]["S"]


def _deploy_floor(stack: RunningStack) -> None:
    """Puts the bare floor behind a route of its own of the stack's API."""
    functions, api = stack.client("lambda"), stack.client("apigatewayv2")
    webhook = functions.get_function(FunctionName=stack.physical_id("WebhookFunction"))["Configuration"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(PEERS / "floor/app.py", "floor.py")
        zipped.writestr("app.py", _TALKING_FLOOR)
    floor = functions.create_function(
        FunctionName="floor",
        Runtime=webhook["Runtime"],
        Role=webhook["Role"],
        Handler="app.lambda_handler",
        Code={"ZipFile": archive.getvalue()},
        MemorySize=webhook["MemorySize"],
        Environment={"Variables": {"ZOOM_WEBHOOK_SECRET_TOKEN": TOKEN}},
    )
    (api_id,) = (each["ApiId"] for each in api.get_apis()["Items"])
    integration = api.create_integration(
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationUri=floor["FunctionArn"],
        PayloadFormatVersion="2.0",
    )
    target = f"integrations/{integration['IntegrationId']}"
    api.create_route(ApiId=api_id, RouteKey=f"POST {_FLOOR_PATH}", Target=target)


def _cpu(stack: RunningStack) -> Mapping[str, float]:
    """Returns the CPU seconds so far of the emulator, of the functions at the door, and of those behind."""
    found = {"emulator": cpu_of([stack.pid]), "function": 0.0, "handlers": 0.0}
    for pid in descendants_of(stack.pid):
        name = _FUNCTION_NAME.search(Path(f"/proc/{pid}/environ").read_bytes())
        at_the_door = name and re.search(rb"Webhook|floor", name[1])
        found["function" if at_the_door else "handlers"] += cpu_of([pid])
    return found
