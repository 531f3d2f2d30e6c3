"""Watches the interpreter: a call for each line or bytecode instruction that runs.

It uses `sys.monitoring`, because the trace function is coverage's.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType


@contextmanager
def monitored(event: int, seen: Callable[[CodeType, int], object]) -> Iterator[None]:
    """Calls `seen` at each event inside the block, with the code and a line or offset.

    Args:
        event: one of `sys.monitoring.events`.
    """
    tool = next(number for number in range(6) if sys.monitoring.get_tool(number) is None)
    sys.monitoring.use_tool_id(tool, "tests")
    sys.monitoring.register_callback(tool, event, seen)
    sys.monitoring.set_events(tool, event)
    try:
        yield
    finally:
        sys.monitoring.set_events(tool, 0)
        sys.monitoring.register_callback(tool, event, None)
        sys.monitoring.free_tool_id(tool)
