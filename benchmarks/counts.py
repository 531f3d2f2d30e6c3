"""Counts that are the same on every machine: modules, bytes, calls to AWS, instructions."""

import hashlib
import json
import platform
import re
import shutil
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import packaging
from benchmarks.contestants import (
    OURS,
    OURS_CANCELED,
    OURS_CREATED,
    OURS_EVENTS,
    Contestant,
    our_functions,
    webhook_event,
    zoom_body,
)
from benchmarks.execution import FunctionFailed
from benchmarks.rounds import BATCH, batch_of
from benchmarks.stub import Stub
from benchmarks.warm import CALLGRIND, INSTRUCTIONS, Handler, handler_of
from bookings.zoom.events import CANCELED, CREATED

CALLGRIND_CALLS = 10
_WARM_UP = 3
CALLGRIND_COUNT = "instructions of a warm delivery (callgrind)"

Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted, by name, and why something was not.

    Attributes:
        interpreter: on whose build callgrind's figures depend, and nothing else does.
    """

    counts: Counts
    interpreter: str
    not_counted: Mapping[str, str]


def count_all() -> Counted:
    """Returns everything that can be counted here.

    Raises:
        NotBuilt, BuildFailed: something could not be built.
        FunctionFailed: a function did not do its work.
    """
    layer = packaging.size_of(packaging.deployed_layer())
    counts: Counts = {
        "bytes of the layer, zipped": layer.zipped,
        "bytes of the layer, unzipped": layer.unzipped,
    }
    with Stub() as stub:
        ours = our_functions(stub)
        counts |= _webhook(stub, ours)
        counts |= _handlers(stub, ours)
        counts |= _booking_events(stub, ours)
        not_counted = {}
        if reason := _why_no_callgrind():
            not_counted[CALLGRIND_COUNT] = reason
        else:
            counts[CALLGRIND_COUNT] = _callgrind(ours[OURS])
    return Counted(counts, _interpreter(), not_counted)


def _interpreter() -> str:
    """Returns a name for the build of this Python; how it was configured and optimized is in the hash."""
    configured = f"{sysconfig.get_config_var('CONFIG_ARGS')} {sysconfig.get_config_var('OPT')}"
    told = hashlib.sha256(configured.encode()).hexdigest()[:8]
    return f"{platform.python_version()} {platform.python_compiler()} {platform.machine()} {told}"


def _webhook(stub: Stub, ours: Mapping[str, Contestant]) -> Counts:
    body = zoom_body()
    delivery = webhook_event(body)
    unusable = body.replace('"event_ts":', '"event_of":')
    unknown = body.replace(CREATED, "scheduler.something_new")
    other = body.replace(CREATED, "meeting.started")
    challenge = json.dumps({"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}})
    found: Counts = {}
    with handler_of(ours[OURS]) as called:
        first = _call(called, stub, found, "a delivery to a fresh process", delivery, 200)
        found[f"modules imported by {OURS}"] = first["modules"]
        _call(called, stub, found, "a delivery", delivery, 200)
        # Whoever forges makes the secret be read again, once a minute at most.
        _call(called, stub, found, "a first forgery", webhook_event(body, forged=True), 401)
        _call(called, stub, found, "a forgery", webhook_event(body, forged=True), 401)
        _call(called, stub, found, "an unusable delivery", webhook_event(unusable), 400)
        _call(called, stub, found, "an unknown Scheduler event", webhook_event(unknown), 200)
        _call(called, stub, found, "an event of another product", webhook_event(other), 204)
        _call(called, stub, found, "a challenge", webhook_event(challenge), 200)
        for what, event in (("delivery", delivery), ("forgery", webhook_event(body, forged=True))):
            told = called.call(event, INSTRUCTIONS)
            found[f"bytecode instructions of a warm {what}"] = told["instructions"]
    with handler_of(ours[OURS], changed={"FAN_OUT": "SQS"}) as called:
        called.call(delivery)
        _call(called, stub, found, "a delivery with FanOut=SQS", delivery, 200)
    return found


def _handlers(stub: Stub, ours: Mapping[str, Contestant]) -> Counts:
    found: Counts = {}
    stub.remember(True)
    one, ten = batch_of(OURS_CREATED, 1), batch_of(OURS_CREATED, BATCH)
    with handler_of(ours[OURS_CREATED]) as called:
        first = _call(called, stub, found, "a created booking", one)
        found[f"modules imported by {OURS_CREATED}"] = first["modules"]
        _call(called, stub, found, "a duplicate of it", one)
        _call(called, stub, found, "ten created bookings", ten)
        told = called.call(batch_of(OURS_CREATED, 1), INSTRUCTIONS)
        found["bytecode instructions of a warm created booking"] = told["instructions"]
        # Its cancel finds it in the table: merged, and written over it.
        cancel = json.loads(
            json.dumps(one).replace(CREATED, CANCELED).replace('event_ts\\": 1,', 'event_ts\\": 2,')
        )
    with handler_of(ours[OURS_CANCELED]) as called:
        first = _call(called, stub, found, "the cancel of a booking", cancel)
        found[f"modules imported by {OURS_CANCELED}"] = first["modules"]
    stub.remember(False)
    return found


def _booking_events(stub: Stub, ours: Mapping[str, Contestant]) -> Counts:
    found: Counts = {}
    with handler_of(ours[OURS_EVENTS]) as called:
        first = _call(called, stub, found, "ten changes announced", batch_of(OURS_EVENTS, BATCH))
        found[f"modules imported by {OURS_EVENTS}"] = first["modules"]
        told = called.call(batch_of(OURS_EVENTS, BATCH), INSTRUCTIONS)
        found["bytecode instructions of ten warm changes"] = told["instructions"]
    return found


def _call(
    called: Handler,
    stub: Stub,
    found: Counts,
    path: str,
    event: Mapping[str, Any],
    status: int | None = None,
) -> dict[str, Any]:
    """Calls the function, and notes how often it called AWS for that.

    Raises:
        FunctionFailed: it did not do its work, so that its calls mean nothing.
    """
    before = sum(stub.counts().values())
    told = called.call(event)
    answer = told["answer"]
    right = answer.get("statusCode") == status if status else answer == {"batchItemFailures": []}
    if not right:
        raise FunctionFailed(f"{path}: {str(answer)[:500]}")
    found[f"calls to AWS for {path}"] = sum(stub.counts().values()) - before
    return told


def _why_no_callgrind() -> str:
    if shutil.which("valgrind") is None:
        return "valgrind is not there"
    if platform.machine() != "x86_64":
        return f"callgrind is told what to count in x86-64's way, and this is {platform.machine()}"
    return ""


def _callgrind(webhook: Contestant) -> int:
    """Returns the instructions a warm delivery takes, on the average.

    Raises:
        FunctionFailed: callgrind counted nothing.
    """
    with tempfile.NamedTemporaryFile(prefix="bookings-bench-", suffix=".log") as log:
        tool = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=/dev/null"]
        tool.append(f"--log-file={log.name}")
        with handler_of(webhook, prefix=tool) as called:
            event = webhook_event(zoom_body())
            for _ in range(_WARM_UP):
                called.call(event)
            called.call(event, CALLGRIND, CALLGRIND_CALLS)
        told = Path(log.name).read_text()
    found = re.search(r"Collected : (\d+)", told)
    if not found or not int(found[1]):
        raise FunctionFailed(f"callgrind counted nothing: {told[-500:]}")
    return int(found[1]) // CALLGRIND_CALLS
