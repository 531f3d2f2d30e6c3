"""Work grows no faster than the request: counted, not timed, so that a busy machine changes nothing.

Two counts, because each sees what the other can't. The interpreter's own instructions are counted
everywhere, and tell of loops in Python. What one of them does in C, such as reading a number of many digits,
searching a pattern or joining strings, only the processor's instructions tell; callgrind counts those, and
that test is skipped, and says so, where there is no Valgrind or no x86-64. In both, a request four times as
large may take four times as much, and a little for luck.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bookings.limits import MAX_BODY_BYTES
from tests.hostile.growing import SHAPES, quiet_receiver, request

SIZES = (8_000, 32_000)
"""Bytes. Small, for callgrind slows everything down fifty times; large enough for a square to stand out."""

MAX_GROWTH = SIZES[1] / SIZES[0] * 1.05

ROOT = Path(__file__).parents[2]
VALGRIND = shutil.which("valgrind")


def bytecode_instructions(run: Callable[[], object]) -> int:
    """Returns how many of its own instructions the interpreter runs, ours and those of all libraries."""
    monitoring, counted = sys.monitoring, 0

    def count(_code: object, _offset: int) -> None:
        nonlocal counted
        counted += 1

    tool, event = monitoring.PROFILER_ID, monitoring.events.INSTRUCTION
    monitoring.use_tool_id(tool, "tests")
    monitoring.register_callback(tool, event, count)
    monitoring.set_events(tool, event)
    try:
        run()
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)
    return counted


@pytest.mark.parametrize("shape", SHAPES)
def test_the_interpreters_instructions_grow_no_faster_than_the_request(shape: str) -> None:
    receiver = quiet_receiver()
    receiver.receive(request(shape, 100))  # whatever is made once is made now
    small, large = (request(shape, size) for size in SIZES)
    before = bytecode_instructions(lambda: receiver.receive(small))
    after = bytecode_instructions(lambda: receiver.receive(large))
    assert after <= before * MAX_GROWTH


def test_the_count_of_the_interpreters_instructions_sees_a_square() -> None:
    def square(size: int) -> Callable[[], None]:
        def run() -> None:
            for _ in range(size):
                for _ in range(size):
                    pass

        return run

    small, large = (bytecode_instructions(square(size)) for size in (20, 80))
    assert large > 10 * small


@pytest.mark.skipif(
    VALGRIND is None or platform.machine() != "x86_64" or sys.platform != "linux",
    reason="NOT counted: what grows inside C is seen by valgrind on x86-64 Linux only",
)
def test_the_processors_instructions_grow_no_faster_than_the_request(tmp_path: Path) -> None:
    # All in one test, for a program takes three seconds to start under Valgrind.
    counts = machine_instructions(tmp_path)
    assert min(before for before, _ in counts.values()) > 10_000, "something must have been counted"
    assert {shape: each for shape, each in counts.items() if each[1] > each[0] * MAX_GROWTH} == {}


def machine_instructions(folder: Path) -> dict[str, tuple[int, int]]:
    """Returns how many of the processor's instructions the receiver takes for each shape, at both sizes."""
    command = [
        *("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out"),
        *(sys.executable, "-m", "tests.hostile.growing", *map(str, SIZES)),
    ]
    # The same order in every dictionary, each time.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        command, cwd=ROOT, env=environment | {"PYTHONHASHSEED": "0"}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert len(json.loads(done.stdout)) == len(SHAPES) * len(SIZES)
    counts = [
        int(
            re.findall(r"^(?:totals|summary): (\d+)", (folder / f"out.{number}").read_text(), re.MULTILINE)[0]
        )
        for number in range(1, len(SHAPES) * len(SIZES) + 1)
    ]
    return {shape: (counts[2 * at], counts[2 * at + 1]) for at, shape in enumerate(SHAPES)}


def test_what_is_measured_is_as_large_as_it_says() -> None:
    for shape in SHAPES:
        sent = request(shape, SIZES[1])
        size = len(sent.body or b"") + sum(map(len, sent.headers.values()))
        assert SIZES[1] * 0.9 < size < SIZES[1] * 1.5 < MAX_BODY_BYTES, shape
