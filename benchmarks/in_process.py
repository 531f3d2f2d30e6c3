"""Calls a function's handler in a process that holds nothing else, and tells the CPU time a call takes.

Runs as a script under the Python that stands for Lambda's, with no part of this tree on its path. The job comes
as JSON on standard input; the result goes into the file the job names, as the function itself prints. CPU time
is the process's, so that the threads which call AWS count as well.
"""

import functools
import importlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Context:
    """What Lambda tells a handler of its invocation."""

    function_name = "function"
    function_version = "$LATEST"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


class Parts:
    """Adds up what the functions of each part take, less what others of them take inside."""

    def __init__(self) -> None:
        self.nanoseconds: dict[str, int] = defaultdict(int)
        self._inner = [0]

    def install(self, parts: dict[str, list[str]]) -> None:
        """Wraps each function, told as `module:name`, where its callers find it.

        Raises:
            AttributeError, ImportError: there is none of that name any more.
        """
        for part, places in parts.items():
            for place in places:
                module, _, path = place.partition(":")
                *owners, name = path.split(".")
                owner = functools.reduce(getattr, owners, importlib.import_module(module))
                setattr(owner, name, self._timed(part, getattr(owner, name)))

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*positional: Any, **named: Any) -> Any:
            self._inner.append(0)
            begun = time.process_time_ns()
            try:
                return function(*positional, **named)
            finally:
                took = time.process_time_ns() - begun
                self.nanoseconds[part] += took - self._inner.pop()
                self._inner[-1] += took

        return timed


def main() -> None:
    job = json.load(sys.stdin)
    parts = Parts()
    parts.install(job["parts"])
    sys.path.insert(0, job["folder"])
    handler = importlib.import_module("app").lambda_handler
    events, calls, context = job["events"], job["calls"], Context()
    for number in range(job["warm_up"]):
        answer = handler(events[number % len(events)], context)
    parts.nanoseconds.clear()
    begun = time.process_time_ns()
    for number in range(calls):
        answer = handler(events[number % len(events)], context)
    took = time.process_time_ns() - begun
    result = {
        "cpu_us": took / calls / 1000,
        "parts_us": {part: parts.nanoseconds[part] / calls / 1000 for part in job["parts"]},
        "answer": answer,
    }
    Path(job["result"]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
