"""The AWS emulator (ministack) in this process, on one loopback port.

It keeps its state in module globals and reads the environment while it is imported, so there is one a process
and it is started once; whoever wants another one takes a process of its own (`process.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cli.local import workarounds
from cli.stack import LOCAL_CREDENTIALS

HOST = "127.0.0.1"
REGION = "us-east-1"

_STOP_SECONDS = 10
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "COLUMNS", "NO_COLOR", "FORCE_COLOR")

Observer = Callable[[str, str, int, float], None]
"""Told of each request through the front door: method, path, status, seconds."""


class EmulatorError(Exception):
    """The emulator can't start. The message says why and what to do."""


class PortTakenError(EmulatorError):
    """Something listens on the port already."""


def _environment(port: int, temporary: Path) -> dict[str, str]:
    """The environment of the emulator, and of the handlers, to which it hands down all of its own.

    Nothing of the developer's shell reaches them: no log level, no AWS profile, no Python setting. AWS's own
    addresses are out of reach, as there are no credentials but the emulator's.
    """
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return kept | {
        "TZ": "UTC",  # this and the next two as in Lambda
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "TMPDIR": str(temporary),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "AUTH": "true",  # the roles' policies are enforced
        "IOT_MTLS_ENABLED": "0",  # listens on all addresses otherwise
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{temporary}/no-docker",  # else it clears away containers at its start
        "STATE_DIR": str(temporary / "state"),
        "S3_DATA_DIR": str(temporary / "s3"),
        **{name.upper(): value for name, value in LOCAL_CREDENTIALS.items()},
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class Emulator:
    """One run of it: `with Emulator(port, directory) as emulator`.

    Args:
        port: 0 takes a free one; `port` then says which.
        directory: for its log, `emulator.log`, and while it runs for its temporary files, `tmp`.
    """

    def __init__(self, port: int, directory: Path, observer: Observer | None = None) -> None:
        self._wanted_port = port
        self._directory = directory
        self._observer = observer
        self._api_id: str | None = None
        self._on_exit = contextlib.ExitStack()
        self._workers = workarounds.WorkersThatOutliveTheEmulator()
        self._streams = workarounds.StreamFailures()
        self.port = 0

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        """Starts it, and returns when it answers.

        Raises:
            PortTakenError: choose another port.
            EmulatorError: it runs in this process already, or doesn't come up.
        """
        if "ministack.app" in sys.modules:
            raise EmulatorError("the emulator was started in this process before; it can run once a process")
        with self._on_exit:
            listener = self._on_exit.enter_context(_bound_socket(self._wanted_port))
            self.port = listener.getsockname()[1]
            temporary = self._on_exit.enter_context(_temporary_directory(self._directory / "tmp"))
            self._on_exit.enter_context(_exchanged_environment(_environment(self.port, temporary)))
            self._on_exit.enter_context(_log_file(self._directory / "emulator.log"))
            self._serve(listener)
            self._on_exit = self._on_exit.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it, its workers and its temporary files."""
        self._on_exit.close()

    def forward_webhooks_to(self, api_id: str) -> None:
        """Serves `/webhooks/…` from that HTTP API, whose own address here is long."""
        self._api_id = api_id

    def warm(self, function_names: Sequence[str]) -> dict[str, str]:
        """Starts a worker for each function, and returns the problems by function name."""
        return workarounds.first_invocations_that_wait_for_the_import(function_names)

    def known_resource_types(self) -> frozenset[str]:
        return workarounds.resource_types_its_cloudformation_knows()

    def _serve(self, listener: socket.socket) -> None:
        workarounds.check_that_the_emulator_is_the_one_we_know()
        self._workers.mend()
        self._streams.mend()
        workarounds.batch_calls_that_ask_for_a_permission_of_their_own()
        # Imported here: they are part of the emulator, which reads the environment while it is imported.
        from hypercorn.asyncio import serve  # noqa: PLC0415 - see above
        from hypercorn.config import Config  # noqa: PLC0415 - see above

        config = Config()
        config.bind = [f"fd://{listener.detach()}"]  # it owns the descriptor from here on
        config.errorlog = logging.getLogger("hypercorn.error")
        config.graceful_timeout = 1
        loop = asyncio.new_event_loop()
        stopping = asyncio.Event()
        thread = threading.Thread(
            target=lambda: loop.run_until_complete(
                serve(self._front_door, config, shutdown_trigger=stopping.wait)
            ),
            name="emulator",
            daemon=True,
        )
        thread.start()
        self._on_exit.callback(self._stop, loop, stopping, thread)
        self._wait_until_it_answers(thread)

    def _wait_until_it_answers(self, thread: threading.Thread) -> None:
        deadline = time.monotonic() + _STOP_SECONDS
        while thread.is_alive() and time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                socket.create_connection((HOST, self.port), timeout=1) as connection,
            ):
                connection.settimeout(_STOP_SECONDS)
                connection.sendall(b"GET /_ministack/health HTTP/1.0\r\n\r\n")
                if connection.recv(1):
                    return
            time.sleep(0.02)
        raise EmulatorError(f"the emulator doesn't come up; its log is {self._directory / 'emulator.log'}")

    def _stop(
        self, loop: asyncio.AbstractEventLoop, stopping: asyncio.Event, thread: threading.Thread
    ) -> None:
        """First what starts work, then the work, then the server: nothing may begin anew behind our back."""
        lambdas = importlib.import_module("ministack.services.lambda_svc")
        self._streams.end()
        lambdas._esms.clear()
        self._workers.end()
        loop.call_soon_threadsafe(stopping.set)
        thread.join(_STOP_SECONDS)
        lambdas.reset()

    async def _front_door(self, scope: Any, receive: Any, send: Any) -> None:
        """The emulator, with the webhook's short address in front of it.

        Every request counts as one over TLS, as on AWS, where the queues' policies refuse any other.
        """
        app: Callable[[Any, Any, Any], Awaitable[None]] = importlib.import_module("ministack.app").app
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], (b"x-forwarded-proto", b"https")]}
        if scope["type"] != "http" or self._api_id is None or not scope["path"].startswith("/webhooks/"):
            await app(scope, receive, send)
            return
        began = time.perf_counter()

        async def observed(message: Any) -> None:
            if message["type"] == "http.response.start" and self._observer:
                self._observer(scope["method"], scope["path"], message["status"], time.perf_counter() - began)
            await send(message)

        path = f"/_aws/execute-api/{self._api_id}/$default{scope['path']}"
        await app({**scope, "path": path, "raw_path": path.encode()}, receive, observed)


@contextlib.contextmanager
def _bound_socket(port: int) -> Iterator[socket.socket]:
    """A socket that listens on the port, before the emulator is there.

    So a taken port is noticed: two of them would otherwise talk to whichever came first.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not held up by closing connections
        try:
            listener.bind((HOST, port))
            listener.listen()
        except OSError as error:
            raise PortTakenError(
                f"port {port} of {HOST} can't be used ({error.strerror}). "
                f"End what listens there, or choose another one: make run PORT={port + 1}"
            ) from None
        yield listener
    finally:
        listener.close()


@contextlib.contextmanager
def _temporary_directory(directory: Path) -> Iterator[Path]:
    """An empty directory that everything here takes for the system's own, removed at the end.

    What a killed run left there is removed at the start.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    before = tempfile.tempdir
    tempfile.tempdir = str(directory.resolve())
    try:
        yield directory.resolve()
    finally:
        tempfile.tempdir = before
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _exchanged_environment(environment: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Sends what is logged in this process to a file: the person sees our words only."""
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()
