"""The functions' log and metrics, in the very lines that Powertools for AWS Lambda would write.

What goes in has been made fit for it: ids, names, reasons. A test holds each line to Powertools' own; why it
does not write them itself is in docs/decisions/0020-powertools-format-without-powertools-logger.md. Nothing
here may make a cold start longer: it imports what a bare Python with `json` has.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache, wraps
from operator import attrgetter

from bookings.counts import Count

_INFO = "INFO"
_ERROR = "ERROR"

# A level's name in the variables of Powertools, and in Lambda's own, which goes first.
_LEVELS = {"DEBUG": 10, _INFO: 20, "WARN": 30, "WARNING": 30, _ERROR: 40, "FATAL": 50, "CRITICAL": 50}
_LAMBDA_LEVELS = {"TRACE": 0, "DEBUG": 10, _INFO: 20, "WARN": 30, _ERROR: 40, "FATAL": 50}

_MOST_VALUES = 100  # of one metric in a line, CloudWatch's limit; our metrics are fewer than it allows

_encoded_log = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
_encoded_metrics = json.JSONEncoder(separators=(",", ":")).encode

_told_of_a_context = attrgetter(
    "function_name", "memory_limit_in_mb", "invoked_function_arn", "aws_request_id"
)


class Logger:
    """Writes log lines, one JSON object each, to what is standard output then."""

    def __init__(self) -> None:
        self._cold = True
        self._invocation: dict[str, object] = {}
        self._second = (-1, "")  # since the epoch, and its text, which lacks the milliseconds

    def info(self, message: str, *, extra: Mapping[str, object] | None = None) -> None:
        """Writes a line.

        Args:
            extra: further fields, under names that a line has not by itself. One that is None is left out.
        """
        self._write(_INFO, message, extra or {})

    def error(self, message: str, *, extra: Mapping[str, object] | None = None) -> None:
        """Writes a line as `info` does, for what somebody should look at."""
        self._write(_ERROR, message, extra or {})

    def begin(self, context: object) -> None:
        """Makes the lines from now on tell of the invocation with this context.

        Raises:
            ValueError: the environment names no level.
        """
        self._threshold  # noqa: B018 - a process that can't log ends an invocation here, before it did anything
        name, memory_mb, arn, request_id = _told_of_a_context(context)
        self._invocation = {
            "cold_start": self._cold
            and os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "provisioned-concurrency",
            "function_name": name,
            "function_memory_size": memory_mb,
            "function_arn": arn,
            "function_request_id": request_id,
        }
        self._cold = False

    @cached_property
    def _threshold(self) -> int:
        by_lambda = _LAMBDA_LEVELS.get(os.environ.get("AWS_LAMBDA_LOG_LEVEL", ""))
        if by_lambda is not None:
            return by_lambda
        name = os.environ.get("POWERTOOLS_LOG_LEVEL") or os.environ.get("LOG_LEVEL")
        try:
            return _LEVELS[_INFO if name is None else name.upper()]
        except KeyError:
            raise ValueError(f"POWERTOOLS_LOG_LEVEL is none of {', '.join(_LEVELS)}") from None

    @cached_property
    def _service(self) -> str:
        return os.environ.get("POWERTOOLS_SERVICE_NAME", "service_undefined")

    def _write(self, level: str, message: str, extra: Mapping[str, object]) -> None:
        if _LEVELS[level] < self._threshold:
            return
        caller = sys._getframe(2)
        try:
            fields = {
                "level": level,
                "location": f"{caller.f_code.co_name}:{caller.f_lineno}",
                "message": _parsed(message),
                "timestamp": self._timestamp(),
                "service": self._service,
                **self._invocation,
                **extra,
                "xray_trace_id": _trace_id(),
            }
            line = _encoded_log({name: value for name, value in fields.items() if value is not None})
            sys.stdout.write(f"{line}\n")
        except Exception as error:  # noqa: BLE001 - no answer may be lost for a line that can't be written
            sys.stderr.write(f"log line lost: {type(error).__name__}\n")

    def _timestamp(self) -> str:
        """Returns the local time, `2026-05-03 10:20:19,650+0200`."""
        second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        known, text = self._second
        if second != known:
            text = time.strftime("%Y-%m-%d %H:%M:%S,%%03d%z", time.localtime(second))
            self._second = (second, text)
        return text % (nanoseconds // 1_000_000)


class Metrics:
    """Counts, and writes what was counted in CloudWatch's embedded metric format."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def count(self, name: Count) -> None:
        """Counts one occurrence; it leaves with the line that ends the invocation.

        Raises:
            ValueError: a line is full, and the environment names no namespace for it.
        """
        values = self._values.setdefault(name, [])
        values.append(1.0)
        if len(values) == _MOST_VALUES:
            sys.stdout.write(f"{json.dumps(self._line())}\n")  # Powertools writes this one with spaces
            self._values.clear()

    def flush(self) -> None:
        """Writes what was counted since the last time, if anything was.

        Raises:
            ValueError: the environment names no namespace for it.
        """
        if self._values:
            sys.stdout.write(f"{_encoded_metrics(self._line())}\n")
            self._values.clear()

    @cached_property
    def _namespace(self) -> str:
        namespace = os.environ.get("POWERTOOLS_METRICS_NAMESPACE")
        if namespace is None:
            raise ValueError("POWERTOOLS_METRICS_NAMESPACE is not set")
        return namespace

    @cached_property
    def _dimensions(self) -> dict[str, str]:
        service = os.environ.get("POWERTOOLS_SERVICE_NAME", "")
        return {"service": service} if service.strip() else {}

    def _line(self) -> dict[str, object]:
        directive = {
            "Namespace": self._namespace,
            "Dimensions": [list(self._dimensions)],
            "Metrics": [{"Name": name, "Unit": "Count"} for name in self._values],
        }
        return {
            "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]},
            **self._dimensions,
            **self._values,
        }


@lru_cache(maxsize=64)
def _parsed(message: str) -> object:
    """Returns what a message holds if it is JSON, as Powertools has it; ours are few, and none is."""
    try:
        return json.loads(message)
    except ValueError:
        return message


def _trace_id() -> str | None:
    trace = os.environ.get("_X_AMZN_TRACE_ID")
    return trace.split(";")[0].replace("Root=", "") if trace else None


logger = Logger()
metrics = Metrics()
count = metrics.count


def observed[Event, Context, Response](
    handler: Callable[[Event, Context], Response],
) -> Callable[[Event, Context], Response]:
    """Makes a handler's log lines tell of its invocation, and writes at its end what it counted.

    That is written when the handler raises, too.
    """

    @wraps(handler)
    def observing(event: Event, context: Context) -> Response:
        try:
            logger.begin(context)
            return handler(event, context)
        finally:
            metrics.flush()

    return observing
