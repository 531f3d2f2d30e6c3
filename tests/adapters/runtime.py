"""A function in a process of its own under Lambda's real runtime client, driven by a small Runtime API.

The API is that of "Using the Lambda runtime API" in the Lambda developer guide, version 2018-06-01: the
client asks for the next event and posts what the handler returned, or an error.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.adapters.deliveries import ROOT
from tests.leaks import WATCH

FUNCTION_TIMEOUT_SECONDS = 3
PATIENCE_SECONDS = 20  # for a process to start on a busy machine

# Nothing else of the tests' environment reaches the process, as nothing of a host reaches Lambda.
_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", ""),
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_LAMBDA_FUNCTION_NAME": "function-1",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_LOG_GROUP_NAME": "group",
    "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": str(ROOT / "layers/runtime"),  # in place of the layer's /opt/python
}


class FunctionProcess:
    """One execution environment of a function; ends with its `with` block."""

    def __init__(self, function: str, environment: Mapping[str, str], log: Path) -> None:
        self._folder = ROOT / "functions" / function
        self._environment = environment
        self._log = log
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._posted: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._api())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def invoke(self, event: dict[str, Any]) -> tuple[Any, float]:
        """Returns what the handler answered, and the seconds it took.

        Raises:
            AssertionError: it ended with an error, or the process did not start.
        """
        self.begin(event)
        started = time.monotonic()
        path, answer = self._posted.get(timeout=PATIENCE_SECONDS)
        assert path.endswith("/response"), (path, answer)
        return answer, time.monotonic() - started

    def failed_start(self) -> dict[str, Any]:
        """Returns the error that Lambda is told when a start fails.

        Raises:
            AssertionError: the process started.
        """
        path, error = self._posted.get(timeout=PATIENCE_SECONDS)
        assert path.endswith("/runtime/init/error"), (path, error)
        failed: dict[str, Any] = error
        return failed

    def begin(self, event: dict[str, Any]) -> None:
        """Hands over an event without waiting for its answer."""
        self._events.put(event)

    def answer_within(self, seconds: float) -> Any:
        """Returns what the handler has answered by then, None where it hasn't."""
        try:
            return self._posted.get(timeout=seconds)[1]
        except queue.Empty:
            return None

    def kill(self) -> bool:
        """Kills the process, as Lambda does at a time-out; returns whether it had answered."""
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)
        return not self._posted.empty()

    def output(self) -> str:
        return self._log.read_text()

    def __enter__(self) -> Self:
        self._thread.start()
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "awslambdaric", "app.lambda_handler"],
                cwd=self._folder,
                env=_ENVIRONMENT
                | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}"}
                | {"LAMBDA_TASK_ROOT": str(self._folder)}
                | dict(self._environment),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)
        WATCH.see("a function in a process of its own", self.output())
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _api(self) -> type[BaseHTTPRequestHandler]:
        process = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                body = json.dumps(process._events.get()).encode()
                self.send_response(200)
                deadline = int((time.time() + FUNCTION_TIMEOUT_SECONDS) * 1000)
                for name, value in (
                    ("content-type", "application/json"),
                    ("content-length", str(len(body))),
                    ("lambda-runtime-aws-request-id", "request-1"),
                    ("lambda-runtime-deadline-ms", str(deadline)),
                    (
                        "lambda-runtime-invoked-function-arn",
                        "arn:aws:lambda:us-east-1:123456789012:function:function-1",
                    ),
                ):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                process._posted.put((self.path, json.loads(self._body())))
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def _body(self) -> bytes:
                if self.headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(self.headers["content-length"]))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, *_: object) -> None:
                """Keeps the tests' output clean."""

        return Handler
