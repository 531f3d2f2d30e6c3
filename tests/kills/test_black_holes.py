"""The webhook as it is built and deployed, cold, while the bus swallows its calls.

The bound is the contract's: a process with the CPU share of its memory answers its first delivery within
2.5 s, by way of the queue. How long the machine keeps a process from its share is not the product's, so that
the quickest of a few starts counts; that the delivery is durable holds for each of them.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from benchmarks.contestants import OURS, Contestant, environment
from benchmarks.execution import Command
from benchmarks.load.black_holes import ANSWER_SECONDS, DEPLOYED_MB, Hole, cold_start
from benchmarks.stub import Stub
from tests.kills.artefact import ROOT, Artefact, build
from tests.leaks import WATCH

STARTS = 3

pytestmark = [
    pytest.mark.xdist_group("kills"),  # the build is made once
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read in /proc"),
]


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return build()


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with Stub() as stub:
        yield stub


def webhook(artefact: Artefact, stub: Stub) -> Contestant:
    folder = artefact.function("webhook")
    variables = {"LAMBDA_TASK_ROOT": str(folder), "PYTHONPATH": artefact.python_path}
    arguments = (sys.executable, "-S", "-m", "awslambdaric", "app.lambda_handler")
    return Contestant(OURS, Command(arguments, folder, environment(stub) | variables), folder)


def test_the_bound_is_of_the_memory_that_is_deployed() -> None:
    resources = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    assert resources["WebhookFunction"]["Properties"]["MemorySize"] == DEPLOYED_MB


@pytest.mark.parametrize("hole", Hole, ids=[hole.name.lower() for hole in Hole])
def test_a_cold_process_at_its_share_of_a_cpu_answers_200_by_way_of_the_queue_in_time(
    hole: Hole, artefact: Artefact, stub: Stub, tmp_path: Path
) -> None:
    # failure matrix: 11
    took = []
    for _ in range(STARTS):
        start = cold_start(webhook(artefact, stub), stub, hole, tmp_path / "log")
        WATCH.see("a cold function", (tmp_path / "log").read_text())
        assert (start.status, start.in_queue) == (200, True)
        took.append(round(start.first_call_ms))
        if start.first_call_ms <= ANSWER_SECONDS * 1000:
            return
    pytest.fail(f"the first answers came after {took} ms")


def test_a_webhook_that_waits_for_the_bus_as_long_as_it_may_is_caught(
    artefact: Artefact, stub: Stub, tmp_path: Path
) -> None:
    planted = artefact.copied_to(tmp_path / "planted")
    module = planted.packages / "bookings/publish.py"
    (line,) = re.findall(r"^ATTEMPT_SECONDS = .*$", module.read_text(), re.MULTILINE)
    planted.replace("bookings/publish.py", line, "ATTEMPT_SECONDS = 3.0")
    start = cold_start(webhook(planted, stub), stub, Hole.SILENT, tmp_path / "log")
    assert start.problems != []
