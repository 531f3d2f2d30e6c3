"""Runs the AWS emulator (ministack) in this process, on one loopback port.

The emulator keeps its state in module globals and reads the environment at import. A process can run it once.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import urllib3

from cli.stack import LOCAL_CREDENTIALS
from local import workarounds
from local.workarounds import EmulatorError

HOST = "127.0.0.1"
REGION = "us-east-1"

_START_SECONDS = _STOP_SECONDS = 10
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "COLUMNS", "NO_COLOR", "FORCE_COLOR")

Observer = Callable[[str, str, int, float], None]
"""Gets each request to the HTTP API: method, path, status, seconds."""


class Emulator:
    """The emulator behind one address, with the stack's HTTP API at its root.

    Attributes:
        api_id: the HTTP API that gets every request except AWS calls. Until it is set, the emulator gets all.
    """

    def __init__(self, endpoint_url: str, observer: Observer) -> None:
        self.endpoint_url = endpoint_url
        self.api_id: str | None = None
        self._observer = observer
        self._app: Callable[[Any, Any, Any], Awaitable[None]] = importlib.import_module("ministack.app").app

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Serves one ASGI connection.

        Every request counts as one over TLS, because the queues' policies refuse any other.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = {**scope, "headers": [*scope["headers"], (b"x-forwarded-proto", b"https")]}
        if self.api_id is None or _is_aws_call(scope):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def observed(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._observer(scope["method"], scope["path"], message["status"], time.perf_counter() - began)
            await send(message)

        stage = f"/_aws/execute-api/{self.api_id}/$default"
        raw_path = stage.encode() + scope["raw_path"]
        await self._app({**scope, "path": stage + scope["path"], "raw_path": raw_path}, receive, observed)


def _is_aws_call(scope: Any) -> bool:
    """Whether a request is signed as AWS SDKs sign, in a header or in the query of a presigned URL."""
    signed = any(name == b"authorization" and value.startswith(b"AWS") for name, value in scope["headers"])
    return signed or b"Signature=" in scope["query_string"]


@contextlib.contextmanager
def running_emulator(port: int, directory: Path, observer: Observer) -> Iterator[Emulator]:
    """Starts the emulator, and ends it with its processes and temporary files.

    Args:
        port: 0 takes a free one.
        directory: gets the log, `emulator.log`, and during the run the temporary files, `tmp`.

    Raises:
        EmulatorError: the port is taken, ministack is not the pinned version, or it does not answer.
    """
    with _listener(port) as listener, _temporary_directory(directory / "tmp") as temporary:
        port = listener.getsockname()[1]
        environment = _environment(port, temporary)
        os.environ.clear()
        os.environ.update(environment)
        log = directory / "emulator.log"
        logging.basicConfig(
            filename=log,
            filemode="w",
            encoding="utf-8",
            level=logging.INFO,
            format="%(asctime)s %(levelname)s %(name)s %(message)s",
        )
        workarounds.check_relied_on_names()
        workarounds.repeat_stream_batches_with_failures()
        workarounds.authorize_batch_calls_of_queues()
        processes = workarounds.FunctionProcesses()
        processes.track()
        emulator = Emulator(f"http://{HOST}:{port}", observer)
        with _served(emulator, listener, processes):
            try:
                health = f"{emulator.endpoint_url}/_ministack/health"
                urllib3.request("GET", health, timeout=_START_SECONDS, retries=False)
            except urllib3.exceptions.HTTPError:
                raise EmulatorError(f"the emulator does not answer; its log is {log}") from None
            yield emulator


def _environment(port: int, temporary: Path) -> dict[str, str]:
    """Returns the environment of the emulator, which hands all of it to the functions.

    No other variable of the developer's shell reaches them: no log level, no AWS profile, no Python setting.
    """
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed_on | {
        "TZ": "UTC",  # this and the next two as in Lambda
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "TMPDIR": str(temporary),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "AUTH": "true",  # enforces the roles' policies
        "IOT_MTLS_ENABLED": "0",  # it would listen on all addresses
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{temporary}/no-docker",  # it would remove containers at its start
        "STATE_DIR": str(temporary / "state"),
        "S3_DATA_DIR": str(temporary / "s3"),
        **{name.upper(): value for name, value in LOCAL_CREDENTIALS.items()},
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _listener(port: int) -> socket.socket:
    """Listens on the port before the emulator starts, so that a taken port is an error at once."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise EmulatorError(
            f"port {port} of {HOST} can't be used ({os.strerror(error.errno or 0)}). "
            f"End what listens there, or choose another one: make run PORT={port + 1}"
        ) from None


@contextlib.contextmanager
def _temporary_directory(directory: Path) -> Iterator[Path]:
    """Yields an empty directory that this process uses for temporary files, and removes it at the end.

    The start removes what a killed run left there.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    tempfile.tempdir = str(directory.resolve())
    try:
        yield directory.resolve()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _served(
    emulator: Emulator, listener: socket.socket, processes: workarounds.FunctionProcesses
) -> Iterator[None]:
    """Serves HTTP from a thread. The end kills the functions first, so that nothing can start again."""
    from hypercorn.asyncio import serve  # noqa: PLC0415 - no other command of `bookings` needs it
    from hypercorn.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]  # hypercorn closes it
    config.errorlog = logging.getLogger("hypercorn.error")
    config.graceful_timeout = 1
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(
            serve(emulator.handle, config, shutdown_trigger=stopping.wait)
        ),
        daemon=True,
    )
    thread.start()
    try:
        yield
    finally:
        processes.kill()
        importlib.import_module("ministack.services.lambda_svc").reset()
        loop.call_soon_threadsafe(stopping.set)
        thread.join(_STOP_SECONDS)
