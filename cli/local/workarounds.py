"""What the emulator does otherwise than AWS, mended: one function each, named after what it mends.

They replace internals of ministack 1.5.33 (pinned). Each name they rely on is looked up first, so that
another version fails at the start, saying what is missing, and not in the middle of a test.
"""

from __future__ import annotations

import importlib
import subprocess
import threading
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from cli.local import stream

_RELIED_ON = {
    "ministack.app": ("app", "AUTH"),
    "ministack.core.iam_actions": ("extract_iam_action",),
    "ministack.core.lambda_runtime": ("subprocess", "acquire_worker", "ensure_spawned", "release_worker"),
    "ministack.services.cloudformation.provisioners": ("_RESOURCE_HANDLERS",),
    "ministack.services.dynamodb": (
        "_tables",
        "stream_end_position",
        "stream_records_since",
        "stream_start_position",
    ),
    "ministack.services.lambda_svc": (
        "_apply_filter_criteria",
        "_dispatch_esm_batch",
        "_dynamodb_stream_positions",
        "_dynamodb_stream_positions_lock",
        "_esm_inflight",
        "_esms",
        "_execute_function",
        "_get_func_record_for_qualifier",
        "_iter_all_esms",
        "_poll_dynamodb_streams",
        "_request_account_id",
        "_request_region",
        "_send_ddb_stream_failure_record",
        "reset",
    ),
}


class EmulatorChangedError(Exception):
    """The installed ministack lacks what a work-around needs. Install the pinned version: `make install`."""


def check_that_the_emulator_is_the_one_we_know() -> None:
    """Looks up every internal name relied on.

    Raises:
        EmulatorChangedError: one is not there; the message names it.
    """
    for module_name, names in _RELIED_ON.items():
        module = importlib.import_module(module_name)
        for name in names:
            if not hasattr(module, name):
                raise EmulatorChangedError(
                    f"{module_name}.{name} is not there: this ministack is not the pinned version. "
                    "Run `make install`; if the pin was raised, cli/local/workarounds.py has to follow."
                )


class WorkersThatOutliveTheEmulator:
    """Mends that a busy or just starting Lambda worker outlives a stop, and dies of the terminal's Ctrl-C.

    Every worker process is remembered here, belongs to a session of its own, and ends with `end()`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[Any]] = []
        self._ended = False

    def mend(self) -> None:
        runtime: Any = importlib.import_module("ministack.core.lambda_runtime")
        runtime.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": self._start})

    def _start(self, *arguments: Any, **options: Any) -> subprocess.Popen[Any]:
        with self._lock:
            if self._ended:
                raise RuntimeError("the emulator is ending")
            process: subprocess.Popen[Any] = subprocess.Popen(  # noqa: S603 - ministack's own worker script, nothing of ours
                *arguments, start_new_session=True, **options
            )
            self._processes = [known for known in self._processes if known.poll() is None] + [process]
            return process

    def end(self) -> None:
        """Kills every worker and lets none start any more."""
        with self._lock:
            self._ended = True
            processes = self._processes
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


class StreamFailures:
    """Mends the mapping of a table's stream to a function.

    The emulator's own poller loses the records of a partial failure, doesn't bisect and ignores the bound on
    retries; and while a stream's handler works, no queue is read. Here each batch is delivered by the rules
    of `stream`, on a thread of its own.
    """

    def __init__(self) -> None:
        self._ending = threading.Event()

    def mend(self) -> None:
        lambdas: Any = importlib.import_module("ministack.services.lambda_svc")
        lambdas._poll_dynamodb_streams = self._poll

    def end(self) -> None:
        """Lets no further attempt begin."""
        self._ending.set()

    def _poll(self) -> bool:
        """One round over the mappings. Says whether there was work, as the emulator's loop wants to know."""
        lambdas = importlib.import_module("ministack.services.lambda_svc")
        worked = False
        for account, region, mapping in lambdas._iter_all_esms():
            account_token = lambdas._request_account_id.set(account)
            region_token = lambdas._request_region.set(region)
            try:
                worked = self._begin_batch(lambdas, mapping) or worked
            finally:
                lambdas._request_account_id.reset(account_token)
                lambdas._request_region.reset(region_token)
        return worked

    def _begin_batch(self, lambdas: Any, mapping: dict[str, Any]) -> bool:
        tables = importlib.import_module("ministack.services.dynamodb")
        arn = mapping.get("EventSourceArn", "")
        if ":dynamodb:" not in arn or "/stream/" not in arn or not mapping.get("Enabled", True):
            return False
        uuid = mapping["UUID"]
        if self._ending.is_set() or lambdas._esm_inflight.get(uuid):  # one batch of a shard at a time
            return False
        name = arn.split(":table/")[1].split("/")[0]
        table = tables._tables.get(name)
        if not table or table.get("LatestStreamArn") != arn:
            return False
        with lambdas._dynamodb_stream_positions_lock:
            oldest = tables.stream_start_position(name)
            begin = (
                oldest
                if mapping.get("StartingPosition") == "TRIM_HORIZON"
                else tables.stream_end_position(name)
            )
            position = max(lambdas._dynamodb_stream_positions.get(uuid, begin), oldest)
            lambdas._dynamodb_stream_positions[uuid] = position
        records = tables.stream_records_since(name, position, int(mapping.get("BatchSize") or 100))
        if not records:
            return False
        shard = _Shard(lambdas, mapping, position, records, self._ending)
        lambdas._dispatch_esm_batch(uuid, shard.deliver)
        return True


class _Shard:
    """A batch of a table's stream, with the position behind each of its records."""

    def __init__(
        self,
        lambdas: Any,
        mapping: dict[str, Any],
        position: int,
        records: Sequence[stream.Record],
        ending: threading.Event,
    ) -> None:
        self._lambdas = lambdas
        self._mapping = mapping
        self._end = position + len(records)
        self._ending = ending
        self._positions = {
            record["dynamodb"]["SequenceNumber"]: position + i for i, record in enumerate(records)
        }
        self._left: list[stream.Record] = lambdas._apply_filter_criteria(list(records), mapping)

    def deliver(self) -> None:
        self.advance(0)
        stream.deliver(tuple(self._left), stream.Bounds.of_mapping(self._mapping), self)

    def invoke(self, records: Sequence[stream.Record]) -> stream.Answer:
        function, _ = self._function()
        if function is None:
            return stream.Answer(failed=True)
        result = self._lambdas._execute_function(function, {"Records": list(records)})
        failed = bool(result.get("error"))
        self._mapping["LastProcessingResult"] = "PROBLEM: Function call failed" if failed else "OK"
        return stream.Answer(failed=failed, body=result.get("body"))

    def advance(self, count: int) -> None:
        self._left = self._left[count:]
        position = self._positions[self._left[0]["dynamodb"]["SequenceNumber"]] if self._left else self._end
        with self._lambdas._dynamodb_stream_positions_lock:
            self._lambdas._dynamodb_stream_positions[self._mapping["UUID"]] = position

    def give_up(self, records: Sequence[stream.Record], condition: str) -> None:
        function, _ = self._function()
        self._lambdas._send_ddb_stream_failure_record(
            self._mapping, function or {}, list(records), self._mapping["EventSourceArn"], {}, condition
        )

    def age_seconds(self, record: stream.Record) -> float:
        return time.time() - float(record["dynamodb"]["ApproximateCreationDateTime"])

    def pause(self, attempt: int) -> bool:
        """Waits up to two seconds; Lambda would go up to a minute, which no test can wait for."""
        if self._ending.wait(min(0.1 * 2**attempt, 2)):
            return False
        return self._mapping.get("Enabled", True) and self._mapping["UUID"] in self._lambdas._esms

    def _function(self) -> Any:
        """The function as it is now: it may have been mended between two attempts."""
        return self._lambdas._get_func_record_for_qualifier(
            self._mapping["FunctionName"], self._mapping.get("Qualifier")
        )


def batch_calls_that_ask_for_a_permission_of_their_own() -> None:
    """Mends that a batch call of SQS asks for `sqs:…Batch`, which no policy of AWS knows.

    There the permission of the single call covers it: the service authorization reference lists no other.
    """
    actions: Any = importlib.import_module("ministack.core.iam_actions")
    extract = actions.extract_iam_action

    def extract_single(service: str, *request: Any) -> str | None:
        action: str | None = extract(service, *request)
        return action.removesuffix("Batch") if action and service == "sqs" else action

    actions.extract_iam_action = extract_single


def resource_types_its_cloudformation_knows() -> frozenset[str]:
    """Every other type makes the emulator refuse the whole template."""
    provisioners = importlib.import_module("ministack.services.cloudformation.provisioners")
    return frozenset(provisioners._RESOURCE_HANDLERS)


def first_invocations_that_wait_for_the_import(function_names: Sequence[str]) -> dict[str, str]:
    """Starts a worker for each function, all at once, as provisioned concurrency does on AWS.

    Returns what went wrong by function, nothing where it started: a module that can't be imported is told at
    the start and not found out by the first booking.
    """
    problems: dict[str, str] = {}

    def start(name: str) -> None:
        lambdas = importlib.import_module("ministack.services.lambda_svc")
        runtime = importlib.import_module("ministack.core.lambda_runtime")
        function, config = lambdas._get_func_record_for_qualifier(name, None)
        worker, _ = runtime.acquire_worker(name, config, function["code_zip"])
        try:
            runtime.ensure_spawned(worker)
        except RuntimeError as error:
            problems[name] = str(error)
        finally:
            runtime.release_worker(worker)

    threads = [threading.Thread(target=start, args=(name,)) for name in function_names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems
