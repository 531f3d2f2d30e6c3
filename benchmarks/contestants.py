"""The receivers that are measured: the webhook, and others as a team would deploy them."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import packages
from benchmarks.execution import Command
from benchmarks.stub import TOKEN, Stub
from bookings.zoom.signature import sign

EVENTS = packages.ROOT / "events"

FLOOR = "bare floor"
WEBHOOK = "this webhook"
POWERTOOLS = "Powertools, as sam build packages it"
POWERTOOLS_BYTECODE = "Powertools, with bytecode"
FASTAPI = "FastAPI + Mangum"
RIVET = "Zoom's Rivet + AWS SDK, bundled"
RECEIVERS = (FLOOR, WEBHOOK, POWERTOOLS, POWERTOOLS_BYTECODE, FASTAPI, RIVET)

DEPLOYED_MB = 1_024  # of the webhook in template.yaml

_QUEUES = "https://127.0.0.1/123456789012"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A receiver that can be started. `package` is deployed of it."""

    name: str
    command: Command
    package: Path


def zoom_body() -> str:
    """Returns a created delivery of this moment, in compact JSON as Zoom sends it."""
    body = json.loads((EVENTS / "scheduled_event_created.json").read_text())
    return json.dumps(body | {"event_ts": int(time.time() * 1000)}, separators=(",", ":"), ensure_ascii=False)


def webhook_event(body: str) -> dict[str, Any]:
    """Returns the HTTP API's event of a delivery that is signed now."""
    event: dict[str, Any] = json.loads((EVENTS / "lambda/webhook.json").read_text())
    timestamp = str(int(time.time()))
    event["headers"] |= {
        "content-length": str(len(body.encode())),
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": sign(TOKEN, timestamp, body.encode()),
    }
    return event | {"body": body}


def environment(stub: Stub) -> dict[str, str]:
    """Returns the variables of every function. As in Lambda, nothing of the host is among them."""
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
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",  # UDP: nobody listens, and nobody waits
        "POWERTOOLS_SERVICE_NAME": "function",
        "POWERTOOLS_METRICS_NAMESPACE": "benchmarks",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "ZOOM_WEBHOOK_SECRET_TOKEN": TOKEN,  # for the peers whose documentation puts it here
        "ZOOM_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:zoom-AbCdEf",
        "EVENT_BUS_ARN": "arn:aws:events:us-east-1:123456789012:event-bus/bookings",
        "FAN_OUT": "EventBridge",
        "BOOKING_CREATED_QUEUE_URL": f"{_QUEUES}/created",
        "BOOKING_CANCELED_QUEUE_URL": f"{_QUEUES}/canceled",
        "QUARANTINE_QUEUE_URL": f"{_QUEUES}/quarantine",
        "SIGNATURE_TOLERANCE_SECONDS": "300",
    }


def contestants(stub: Stub) -> tuple[list[Contestant], dict[str, str]]:
    """Builds all receivers. Returns them, and the reason for each that is left out.

    Raises:
        NotBuilt: one could not be built.
    """
    python = str(packages.python_runtime())

    def in_python(name: str, package: Path) -> Contestant:
        variables = environment(stub) | {"LAMBDA_TASK_ROOT": str(package)}
        variables["PYTHONPATH"] = str(package / "python")  # the layer, before Lambda's own packages
        arguments = (python, "-m", "awslambdaric", "app.lambda_handler")
        return Contestant(name, Command(arguments, package, variables), package)

    powertools_bytecode = packages.python_peer("powertools", "bench-powertools", bytecode=True)
    receivers = [
        in_python(FLOOR, packages.python_peer("floor", bytecode=True)),
        in_python(WEBHOOK, packages.webhook()),
        in_python(POWERTOOLS, packages.python_peer("powertools", "bench-powertools")),
        in_python(POWERTOOLS_BYTECODE, powertools_bytecode),
        in_python(FASTAPI, packages.python_peer("fastapi_mangum", "bench-fastapi")),
    ]
    node = packages.node()
    if node is None:
        return receivers, {RIVET: "no Node.js"}
    package = packages.rivet()
    own = {"LAMBDA_TASK_ROOT": str(package), "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs"}
    client = str(packages.PEERS / "runtime.cjs")
    receivers.append(Contestant(RIVET, Command((node, client), package, environment(stub) | own), package))
    return receivers, {}
