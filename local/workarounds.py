"""Corrects the emulator where it differs from AWS, one function for each difference.

The corrections replace internals of ministack 1.5.33, which is pinned. The start checks every name that they
use, so another version of ministack fails there with a clear message.
"""

from __future__ import annotations

import importlib
import subprocess
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

_RELIED_ON = {
    "ministack.app": ("app",),
    "ministack.core.iam_actions": ("extract_iam_action",),
    "ministack.core.lambda_runtime": ("ensure_spawned", "get_or_create_worker", "subprocess"),
    "ministack.services.cloudformation.provisioners": ("_RESOURCE_HANDLERS",),
    "ministack.services.lambda_svc": ("_execute_function", "_get_func_record_for_qualifier", "reset"),
}


class EmulatorError(Exception):
    """The emulator can't start. The message says why and what to do."""


def check_relied_on_names() -> None:
    """Looks up every name of the emulator's internals that this package uses.

    Raises:
        EmulatorError: one is missing; the message names it.
    """
    for module_name, names in _RELIED_ON.items():
        module = importlib.import_module(module_name)
        for name in names:
            if not hasattr(module, name):
                raise EmulatorError(
                    f"{module_name}.{name} is missing: this ministack is not the pinned version. "
                    "Run `make install`. After raising the pin, adapt local/workarounds.py."
                )


class FunctionProcesses:
    """Tracks the processes that run the functions, so that none outlives the emulator.

    The emulator itself leaves busy and starting processes behind. Each process gets its own session, so that
    the terminal's Ctrl-C reaches only this command.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[Any]] = []
        self._ended = False

    def track(self) -> None:
        runtime: Any = importlib.import_module("ministack.core.lambda_runtime")
        runtime.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": self._start})

    def _start(self, *arguments: Any, **options: Any) -> subprocess.Popen[Any]:
        with self._lock:
            if self._ended:
                raise RuntimeError("the emulator is ending")
            process: subprocess.Popen[Any] = subprocess.Popen(  # noqa: S603 - ministack's own worker script
                *arguments, start_new_session=True, **options
            )
            self._processes = [known for known in self._processes if known.poll() is None] + [process]
            return process

    def kill(self) -> None:
        """Kills every process and refuses to start another one."""
        with self._lock:
            self._ended = True
            processes = self._processes
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def repeat_stream_batches_with_failures() -> None:
    """Turns an answer with `batchItemFailures` to a stream's batch into a failed invocation.

    The emulator ignores such failures and would lose the records. It repeats a batch whose invocation failed.
    """
    lambdas: Any = importlib.import_module("ministack.services.lambda_svc")
    execute = lambdas._execute_function

    def execute_batch(function: dict[str, Any], event: Any) -> dict[str, Any]:
        result: dict[str, Any] = execute(function, event)
        body = result.get("body")
        if _is_stream_batch(event) and isinstance(body, dict) and body.get("batchItemFailures"):
            return result | {"error": True}
        return result

    lambdas._execute_function = execute_batch


def _is_stream_batch(event: Any) -> bool:
    match event:
        case {"Records": [{"eventSource": "aws:dynamodb"}, *_]}:
            return True
    return False


def authorize_batch_calls_of_queues() -> None:
    """Lets the permission of a single SQS call cover the batch call, as on AWS.

    The emulator asks for `sqs:…Batch`, an action that AWS's service authorization reference does not list.
    """
    actions: Any = importlib.import_module("ministack.core.iam_actions")
    extract = actions.extract_iam_action

    def extract_single(service: str, *request: Any) -> str | None:
        action: str | None = extract(service, *request)
        return action.removesuffix("Batch") if action and service == "sqs" else action

    actions.extract_iam_action = extract_single


def known_resource_types() -> frozenset[str]:
    """Returns the types that the emulator's CloudFormation knows. It refuses a template with any other."""
    provisioners = importlib.import_module("ministack.services.cloudformation.provisioners")
    return frozenset(provisioners._RESOURCE_HANDLERS)


def start_functions(names: Sequence[str]) -> dict[str, str]:
    """Starts a process for each function, all at once, as provisioned concurrency does on AWS.

    Returns:
        The error of each function whose module can't be imported.
    """
    problems: dict[str, str] = {}

    def start(name: str) -> None:
        lambdas = importlib.import_module("ministack.services.lambda_svc")
        runtime = importlib.import_module("ministack.core.lambda_runtime")
        function, config = lambdas._get_func_record_for_qualifier(name, None)
        try:
            runtime.ensure_spawned(runtime.get_or_create_worker(name, config, function["code_zip"]))
        except RuntimeError as error:
            problems[name] = str(error)

    threads = [threading.Thread(target=start, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems
