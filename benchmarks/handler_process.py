"""Calls a function's handler in a process that holds nothing else, and tells what that took.

Runs as a script under the Python that stands for Lambda's, with no part of this tree on its path. Each line
of standard input asks for calls, and a line of JSON comes back for each: the last answer, how many modules
are imported by then, and what was asked to be counted:

    cpu           microseconds of the process's CPU a call, and of each part of it
    instructions  bytecode instructions a call
    callgrind     nothing here, but callgrind, under which it then runs, counts these calls and no others
"""

import ctypes
import functools
import importlib
import json
import mmap
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

# callgrind.h, Valgrind 3.19: write what was counted, forget it, begin to count, end.
DUMP, ZERO, START, STOP = 0, 1, 4, 5
_CALLGRIND = (ord("C") << 24) | (ord("T") << 16)

# The client request of valgrind.h for x86-64, as a function of (arguments, default): moves both to where it
# looks for them, rotates a register by 128 bits in all, which does nothing outside of valgrind, and returns
# the result.
_CLIENT_REQUEST = bytes.fromhex("4889f8 4889f2 48c1c703 48c1c70d 48c1c73d 48c1c733 4887db 4889d0 c3")

Call = Callable[[], Any]


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


def cpu_of(call: Call, calls: int, parts: Parts) -> dict[str, Any]:
    """Returns the microseconds of CPU that a call takes, and each part of it."""
    parts.nanoseconds.clear()
    begun = time.process_time_ns()
    for _ in range(calls):
        answer = call()
    took = time.process_time_ns() - begun
    microseconds = {part: spent / calls / 1000 for part, spent in parts.nanoseconds.items()}
    return {"answer": answer, "cpu_us": took / calls / 1000, "parts_us": microseconds}


def instructions_of(call: Call) -> dict[str, Any]:
    """Returns how many bytecode instructions a call begins."""
    monitoring, counted = sys.monitoring, 0

    def count(_code: object, _offset: int) -> None:
        nonlocal counted
        counted += 1

    tool, event = monitoring.PROFILER_ID, monitoring.events.INSTRUCTION
    monitoring.use_tool_id(tool, "benchmarks")
    monitoring.register_callback(tool, event, count)
    monitoring.set_events(tool, event)
    try:
        answer = call()
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)
    return {"answer": answer, "instructions": counted}


class Callgrind:
    """Callgrind, as a program that runs under it can talk to it; without it nothing happens."""

    def __init__(self) -> None:
        memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        memory.write(_CLIENT_REQUEST)
        self._memory = ctypes.c_char.from_buffer(memory)  # which it keeps alive

    def ask(self, request: int) -> None:
        """Makes it do something, exactly here: `START`, `STOP`, `DUMP` or `ZERO`."""
        client_request = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)
        arguments = (ctypes.c_uint64 * 6)(_CALLGRIND + request)
        client_request(ctypes.addressof(self._memory))(ctypes.addressof(arguments), 0)


def main(folder: str, parts_as_json: str) -> None:
    # What the function prints is not asked for.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    before = set(sys.modules)
    parts, context = Parts(), Context()
    sys.path.insert(0, folder)
    parts.install(json.loads(parts_as_json))
    handler = importlib.import_module("app").lambda_handler
    for line in sys.stdin:
        asked = json.loads(line)
        call = functools.partial(handler, asked["event"], context)
        match asked["count"]:
            case "cpu":
                told = cpu_of(call, asked["calls"], parts)
            case "instructions":
                told = instructions_of(call)
            case "callgrind":
                callgrind = Callgrind()
                callgrind.ask(START)
                told = cpu_of(call, asked["calls"], parts)
                callgrind.ask(STOP)
            case _:
                told = {"answer": call()}
        told["modules"] = len(set(sys.modules) - before)
        answers.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
