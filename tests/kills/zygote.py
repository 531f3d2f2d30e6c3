"""Forks execution environments of the functions: a process that has the third-party packages imported.

A fresh interpreter costs half a second before it comes to our code. A fork of this process comes to it at
once. The child imports our modules and makes the clients, so that a kill hits that too. Lines of JSON on
standard input order it, and it reports its children on standard output. It runs on the artefact alone,
without `site` and without its own folder, so it imports nothing of the tests.
"""

import gc
import importlib
import json
import os
import select
import signal
import sys
import time
from typing import Any, NoReturn

HANDLER = "app.lambda_handler"

_PRELOADED = (
    "aws_lambda_powertools",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.data_classes.sqs_event",
    "aws_lambda_powertools.utilities.typing",
    "boto3.dynamodb.types",
    "boto3.session",
    "botocore.client",
    "botocore.httpsession",
    "botocore.retries.standard",
    "pydantic",
    "simplejson",
    "snapshot_restore_py",
)


class Zygote:
    """Starts, kills and mourns; one thread, so that an id it kills is always its own child's."""

    def __init__(self) -> None:
        self._children: dict[int, str] = {}
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)

    def run(self) -> None:
        """Obeys until standard input ends, then leaves no child alive."""
        try:
            self._obey_all()
        except BrokenPipeError:
            pass  # whoever started this is gone, which standard input would have said next
        finally:
            for process in self._children:
                os.kill(process, signal.SIGKILL)
            for process in self._children:
                os.waitpid(process, 0)

    def _obey_all(self) -> None:
        pending = b""
        say({"ready": os.getpid()})
        while True:
            readable, _, _ = select.select([0, self._wake], [], [])
            if self._wake in readable:
                os.read(self._wake, 4096)
            self._mourn()
            if 0 not in readable:
                continue
            told = os.read(0, 1 << 16)
            if not told:
                return
            *lines, pending = (pending + told).split(b"\n")
            for line in lines:
                self._obey(json.loads(line))

    def _obey(self, order: dict[str, Any]) -> None:
        if order["do"] == "start":
            process = os.fork()
            if process == 0:
                self._become(order)
            self._children[process] = order["id"]
            say({"started": order["id"], "process": process})
        else:
            for process, name in self._children.items():
                if name == order["id"]:
                    os.kill(process, signal.SIGKILL)

    def _mourn(self) -> None:
        while self._children:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            say({"ended": self._children.pop(process), "status": os.waitstatus_to_exitcode(status)})

    def _become(self, order: dict[str, Any]) -> NoReturn:
        """Turns this process, a child, into an execution environment; returns never, not even by an error."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for opened, number in ((nothing, 0), (log, 1), (log, 2)):
                os.dup2(opened, number)
            os.closerange(3, max(log, nothing) + 1)
            os.chdir(order["folder"])
            if order["fresh"]:
                command = [sys.executable, "-S", "-m", "awslambdaric", HANDLER]
                os.execve(command[0], command, order["environment"])  # noqa: S606 - no shell is wanted
            os.environ.clear()
            os.environ.update(order["environment"])
            time.tzset()
            sys.path.insert(0, order["folder"])  # as `-m` does, of which this is the short way
            # Only now: the client reads where its API is while it is imported.
            from awslambdaric.__main__ import main  # noqa: PLC0415 - in the child, as Lambda starts it

            main(["awslambdaric", HANDLER])
        except BaseException as error:  # noqa: BLE001 - or the child would go on as a second zygote
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(1)


def preload() -> None:
    """Imports what is not ours, and reads botocore's data: each child would do it anew."""
    for module in _PRELOADED:
        importlib.import_module(module)
    # Found only on the artefact's path.
    import boto3  # noqa: PLC0415 - preloaded here, for every child
    from botocore.session import get_session  # noqa: PLC0415 - preloaded here, for every child
    from pydantic import BaseModel  # noqa: PLC0415 - preloaded here, for every child

    type("Model", (BaseModel,), {})  # the first model imports most of pydantic
    session = get_session()
    loader = session.get_component("data_loader")
    for name in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
        loader.load_data(name)
    for service in ("dynamodb", "events", "secretsmanager", "sqs"):
        for kind in ("service-2", "endpoint-rule-set-1"):
            loader.load_service_model(service, kind)
    # It still reads environment and credentials in the child, when the first client is made.
    boto3.setup_default_session(botocore_session=session)
    gc.collect()
    gc.freeze()  # what all children share stays shared


def say(told: dict[str, Any]) -> None:
    os.write(1, json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    preload()
    Zygote().run()
