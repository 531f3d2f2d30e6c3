"""The webhook as it is built, in a process of its own under Lambda's runtime client."""

import json
import os
import platform
import queue
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.adapters.conftest import ROOT, TOKEN, http_event
from tests.adapters.loopback import SILENT, Answer, Reply, send, service, serving
from tests.cold_start import SETTINGS
from tests.samples import created, raw

ANSWER_SECONDS = 2.5  # of the contract; Zoom hangs up after 3 s
PATIENCE_SECONDS = 30  # for a busy machine
REPLIES: dict[str, Answer] = {
    "GetSecretValue": Reply({"SecretString": TOKEN, "CreatedDate": 1_700_000_000.0}),
    "PutEvents": Reply({"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}),
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layer is built for Linux")


@pytest.fixture(scope="module")
def python_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The layer with wheels for this machine, and the runtime client, which Lambda brings."""
    layer, runtime = tmp_path_factory.mktemp("layer"), tmp_path_factory.mktemp("runtime")
    wheels = f"PLATFORM=manylinux2014_{platform.machine()}"
    make = ["make", "-s", "-C", str(ROOT / "layers/runtime"), "build-RuntimeLayer"]
    subprocess.run([*make, f"ARTIFACTS_DIR={layer}", f"PYTHON={sys.executable}", wheels], check=True)
    for part in ("awslambdaric", "simplejson", "snapshot_restore_py.py", "runtime_client*"):
        for path in Path(sysconfig.get_path("purelib")).glob(part):
            (runtime / path.name).symlink_to(path)
    return f"{layer / 'python'}:{runtime}"


@contextmanager
def webhook(
    python_path: str, **endpoints: str
) -> Iterator[tuple[subprocess.Popen[bytes], queue.Queue[tuple[int, float]]]]:
    """Starts the webhook on a delivery. Yields its process, and the status and seconds of its answers."""
    event = json.dumps(http_event(raw(created(int(time.time() * 1000))))).encode()
    answers: queue.Queue[tuple[int, float]] = queue.Queue()
    begun: list[float] = []

    class RuntimeAPI(BaseHTTPRequestHandler):
        """Lambda's Runtime API, version 2018-06-01, with one event."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if begun:
                threading.Event().wait(PATIENCE_SECONDS)
            begun.append(time.monotonic())
            headers = {
                "content-type": "application/json",
                "lambda-runtime-aws-request-id": "request-1",
                "lambda-runtime-deadline-ms": str(int((time.time() + 3) * 1000)),
                "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:1:function:webhook",
            }
            send(self, 200, headers, event)

        def do_POST(self) -> None:
            answer = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answers.put((answer["statusCode"], time.monotonic() - begun[0]))
            send(self, 202, {}, b"")

    with serving(RuntimeAPI) as port:
        paths = {"PYTHONPATH": python_path, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"}
        process = subprocess.Popen(
            [sys.executable, "-SB", "-m", "awslambdaric", "app.lambda_handler"],
            cwd=ROOT / "functions/webhook",
            env=dict(os.environ) | SETTINGS["webhook"] | endpoints | paths,
        )
        try:
            yield process, answers
        finally:
            process.kill()
            process.wait()


@contextmanager
def full_port() -> Iterator[str]:
    """Yields the URL of a port that swallows packets: one connection fills its backlog."""
    local = ("127.0.0.1", 0)
    with socket.create_server(local, backlog=0) as server, socket.create_connection(server.getsockname()):
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("silent", "swallowing", "status", "calls"),
    [
        ([], [], 200, ["PutEvents"]),
        (["PutEvents", "SendMessage"], [], 503, ["PutEvents", "SendMessage"]),
        ([], ["EVENTBRIDGE", "SQS"], 503, []),
        (["GetSecretValue"], [], 503, ["GetSecretValue"]),
    ],
    ids=["all is well", "bus and queues silent", "bus and queues swallow", "secret silent"],
)
def test_webhook_answers_in_time(
    python_path: str, silent: list[str], swallowing: list[str], status: int, calls: list[str]
) -> None:
    # failure matrix: 13, 30
    replies = REPLIES | dict.fromkeys(silent, SILENT)
    with service(replies.__getitem__) as (url, called), full_port() as full:
        endpoints = {f"AWS_ENDPOINT_URL_{name}": full for name in swallowing}
        with webhook(python_path, AWS_ENDPOINT_URL=url, **endpoints) as (_, answers):
            answered, seconds = answers.get(timeout=PATIENCE_SECONDS)
    assert answered == status
    assert seconds < ANSWER_SECONDS
    assert called == ["GetSecretValue", *calls]


def test_process_killed_before_publishing_gives_no_2xx(python_path: str) -> None:
    # failure matrix: 8
    publishing = threading.Event()

    def silent_bus(operation: str) -> Answer:
        if operation == "GetSecretValue":
            return REPLIES[operation]
        publishing.set()
        return SILENT

    with service(silent_bus) as (url, _), webhook(python_path, AWS_ENDPOINT_URL=url) as (process, answers):
        assert publishing.wait(PATIENCE_SECONDS)
        process.kill()
        process.wait()
        # On a slow machine it may have answered, but only that nothing is durable.
        assert {status for status, _ in answers.queue} <= {503}
