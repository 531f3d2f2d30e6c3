"""Who is measured: our functions, and other receivers of the same webhook, each as it would be deployed."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks import packaging
from benchmarks.execution import Command
from benchmarks.stub import TOKEN, Stub
from bookings.zoom.signature import sign
from tests.kills.artefact import ROOT

EVENTS = ROOT / "events"

FLOOR = "bare floor"
OURS = "ours: webhook"
OURS_CREATED = "ours: booking_created"
OURS_CANCELED = "ours: booking_canceled"
OURS_EVENTS = "ours: booking_events"
IDIOMATIC = "idiomatic, as sam build packages it"
IDIOMATIC_BYTECODE = "idiomatic, with bytecode"
FASTAPI = "FastAPI + Mangum"
RIVET = "Zoom's Rivet + AWS SDK, bundled"
EXPRESS = "Zoom's sample (Express) + AWS SDK, bundled"

RECEIVERS = (FLOOR, OURS, IDIOMATIC, IDIOMATIC_BYTECODE, FASTAPI, RIVET, EXPRESS)
DEPLOYED_MB = 1_024  # of the webhook, as template.yaml has it

NODE = (RIVET, EXPRESS)
"""Need Node.js, without which they are not measured."""

_BUS_ARN = "arn:aws:events:us-east-1:123456789012:event-bus/bookings"
_SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:zoom-AbCdEf"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True)
class Contestant:
    """A function that can be started and handed an event.

    Attributes:
        package: what is deployed of it, less the files that `leaving_out` names.
    """

    name: str
    command: Command
    package: Path
    leaving_out: tuple[str, ...] = ()


def zoom_body() -> str:
    """Returns a created delivery of this moment, in compact JSON as Zoom sends it."""
    body = json.loads((EVENTS / "scheduled_event_created.json").read_text())
    return json.dumps(body | {"event_ts": int(time.time() * 1000)}, separators=(",", ":"), ensure_ascii=False)


def webhook_event(body: str, *, forged: bool = False) -> dict[str, Any]:
    """Returns the HTTP API's event of a delivery, signed now, or with a signature of the right form only."""
    event: dict[str, Any] = json.loads((EVENTS / "lambda/webhook.json").read_text())
    timestamp = str(int(time.time()))
    event["headers"] |= {
        "content-length": str(len(body.encode())),
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": f"v0={'0' * 64}" if forged else sign(TOKEN, timestamp, body.encode()),
    }
    return event | {"body": body}


def lambda_event(name: str) -> dict[str, Any]:
    """Returns a sample event of a function of ours."""
    event: dict[str, Any] = json.loads((EVENTS / f"lambda/{name}.json").read_text())
    return event


def environment(stub: Stub) -> dict[str, str]:
    """Returns what every function finds: nothing of the host reaches it, as in Lambda."""
    queue = f"{stub.url}/123456789012"
    return {
        "PATH": os.environ.get("PATH", ""),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",  # a deployed package is read-only
        "AWS_ENDPOINT_URL": stub.url,
        "AWS_CA_BUNDLE": str(stub.authorities),
        "NODE_EXTRA_CA_CERTS": str(stub.authority),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(DEPLOYED_MB),
        "AWS_LAMBDA_LOG_GROUP_NAME": "group",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",  # nobody listens, and nobody waits: it is UDP
        "POWERTOOLS_SERVICE_NAME": "function",
        "POWERTOOLS_METRICS_NAMESPACE": "benchmarks",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "ZOOM_WEBHOOK_SECRET_TOKEN": TOKEN,  # of those whose documentation keeps it so
        "ZOOM_SECRET_ARN": _SECRET_ARN,
        "EVENT_BUS_ARN": _BUS_ARN,
        "FAN_OUT": "EventBridge",
        "BOOKING_CREATED_QUEUE_URL": f"{queue}/created",
        "BOOKING_CANCELED_QUEUE_URL": f"{queue}/canceled",
        "QUARANTINE_QUEUE_URL": f"{queue}/quarantine",
        "BOOKING_EVENTS_DLQ_URL": f"{queue}/dlq",
        "QUEUE_URL": f"{queue}/created",
        "SIGNATURE_TOLERANCE_SECONDS": "300",
        "BOOKINGS_TABLE_NAME": "bookings",
        "BOOKING_RETENTION_DAYS": "0",
        "SHARE_ACCESS_LINKS": "false",
    }


def bare_floor(stub: Stub) -> Contestant:
    """Returns the least a receiver in Python can do."""
    return _in_python(stub, FLOOR, packaging.python_peer("floor", bytecode=True))


def our_functions(stub: Stub) -> dict[str, Contestant]:
    """Builds our four functions; returns them by name.

    Raises:
        NotBuilt, BuildFailed: something could not be built.
    """
    artefact = packaging.our_artefact()
    layer = {"PYTHONPATH": str(artefact / "python")}  # before the runtime's own packages, boto3 among them
    found = {}
    for name in (OURS, OURS_CREATED, OURS_CANCELED, OURS_EVENTS):
        folder = artefact / "functions" / name.removeprefix("ours: ")
        found[name] = _in_python(stub, name, folder, layer)
    return found


def contestants(stub: Stub) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Builds all contestants; returns them by name, and why those are left out that are.

    Raises:
        NotBuilt, BuildFailed: something could not be built.
    """
    bytecode = packaging.python_peer("idiomatic", models=True, bytecode=True)
    found = {
        FLOOR: bare_floor(stub),
        **our_functions(stub),
        IDIOMATIC: _in_python(stub, IDIOMATIC, packaging.python_peer("idiomatic", models=True)),
        IDIOMATIC_BYTECODE: _in_python(stub, IDIOMATIC_BYTECODE, bytecode),
        FASTAPI: _in_python(stub, FASTAPI, packaging.python_peer("fastapi_mangum", models=True)),
    }
    node = packaging.node()
    if node is None:
        return found, dict.fromkeys(NODE, "no Node.js")
    for name, peer in ((RIVET, "rivet"), (EXPRESS, "express")):
        package = packaging.node_peer(peer)
        own = {"LAMBDA_TASK_ROOT": str(package), "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs"}
        command = Command((node, "runtime.cjs"), package, environment(stub) | own)
        found[name] = Contestant(name, command, package, leaving_out=("runtime.cjs",))
    return found, {}


def _in_python(
    stub: Stub, name: str, package: Path, own: Mapping[str, str] = MappingProxyType({})
) -> Contestant:
    python = str(packaging.python_runtime().python)
    arguments = (python, "-m", "awslambdaric", "app.lambda_handler")
    variables = environment(stub) | {"LAMBDA_TASK_ROOT": str(package), **own}
    return Contestant(name, Command(arguments, package, variables), package)


def event_for(name: str, body: str) -> Mapping[str, Any]:
    """Returns the event that a contestant is handed first."""
    if name in RECEIVERS:
        return webhook_event(body)
    return lambda_event(name.removeprefix("ours: "))


def is_right(name: str, answer: Any) -> bool:
    """Tells whether an answer is that of a function that did its work."""
    if name in RECEIVERS:
        return bool(answer.get("statusCode") == 200)  # noqa: PLR2004 - HTTP's own
    return bool(answer == {"batchItemFailures": []})
