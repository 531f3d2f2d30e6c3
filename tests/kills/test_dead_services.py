"""The built webhook, cold, while services of AWS are dead.

A process at the CPU share of its memory answers its first delivery within 2.5 s, its start included. How long
the machine keeps a process from its share is not the product's, so the quickest of a few starts counts. The
answer must be right in each of them.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from benchmarks.contestants import DEPLOYED_MB, environment, webhook_event, zoom_body
from benchmarks.execution import Command, Execution, FunctionFailed, measure_cold, share_of
from benchmarks.stub import PUT_EVENTS, SEND_MESSAGE, Stub
from tests.kills.artefact import ROOT, Artefact, build
from tests.leaks import WATCH

ANSWER_MS = 2_500
STARTS = 3
PATIENCE_SECONDS = 60
FILLING = 4  # connections that fill a backlog of none, with some to spare

SECRET = "AWS_ENDPOINT_URL_SECRETS_MANAGER"
BUS = "AWS_ENDPOINT_URL_EVENTBRIDGE"
QUEUES = "AWS_ENDPOINT_URL_SQS"  # the handlers' queues, and the quarantine

BROKEN = "no JSON"

pytestmark = [
    pytest.mark.xdist_group("kills"),  # the build is made once
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read in /proc"),
]


class Dead(StrEnum):
    """How a dead service treats a connection."""

    SILENT = "accepts, says nothing"
    SWALLOWS = "swallows packets"
    REFUSES = "refuses"


@contextmanager
def dead_port(dead: Dead) -> Iterator[str]:
    """Yields the URL of a port behind which nobody answers."""
    with ExitStack() as opened:
        server = opened.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        if dead is not Dead.REFUSES:
            server.listen(0 if dead is Dead.SWALLOWS else FILLING)
        if dead is Dead.SWALLOWS:
            for _ in range(FILLING):
                filling = opened.enter_context(socket.socket())
                filling.setblocking(False)
                filling.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return build()


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with Stub() as stub:
        yield stub


@pytest.fixture(scope="module")
def webhook(artefact: Artefact, stub: Stub) -> Command:
    folder = artefact.function("webhook")
    variables = {"LAMBDA_TASK_ROOT": str(folder), "PYTHONPATH": artefact.python_path}
    arguments = (sys.executable, "-S", "-m", "awslambdaric", "app.lambda_handler")
    return Command(arguments, folder, environment(stub) | variables)


def with_variables(command: Command, variables: Mapping[str, str]) -> Command:
    return replace(command, environment={**command.environment, **variables})


def taken(stub: Stub) -> list[str]:
    """Returns which operations have taken a delivery since this was last asked."""
    calls = stub.calls()
    return [operation for operation in (PUT_EVENTS, SEND_MESSAGE) if calls[operation]]


def test_bound_is_of_the_memory_that_is_deployed() -> None:
    resources = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    assert resources["WebhookFunction"]["Properties"]["MemorySize"] == DEPLOYED_MB


@pytest.mark.parametrize(
    ("services", "dead", "body", "answer"),
    [
        pytest.param([SECRET], Dead.SILENT, "", (503, []), id="secret silent"),
        pytest.param([BUS], Dead.SILENT, "", (200, [SEND_MESSAGE]), id="bus silent"),
        pytest.param([BUS], Dead.SWALLOWS, "", (200, [SEND_MESSAGE]), id="bus swallows"),
        pytest.param([QUEUES], Dead.SILENT, "", (200, [PUT_EVENTS]), id="queue silent"),
        pytest.param([QUEUES], Dead.SILENT, BROKEN, (503, []), id="quarantine silent"),
        pytest.param([BUS, QUEUES], Dead.SILENT, "", (503, []), id="bus and queue silent"),
        pytest.param([BUS, QUEUES], Dead.SWALLOWS, "", (503, []), id="bus and queue swallow"),
        pytest.param([BUS, QUEUES], Dead.REFUSES, "", (503, []), id="bus and queue refuse"),
        pytest.param([SECRET, BUS, QUEUES], Dead.SILENT, "", (503, []), id="all silent"),
    ],
)
def test_cold_webhook_answers_in_time_while_services_are_dead(
    services: list[str],
    dead: Dead,
    body: str,
    answer: tuple[int, list[str]],
    webhook: Command,
    stub: Stub,
    tmp_path: Path,
) -> None:
    # failure matrix: 11, 13, 30, 39
    log = tmp_path / "log"
    took = []
    for _ in range(STARTS):
        stub.calls()
        with dead_port(dead) as url:
            command = with_variables(webhook, dict.fromkeys(services, url))
            cold = measure_cold(command, webhook_event(body or zoom_body()), share_of(DEPLOYED_MB), log)
        WATCH.see("a cold function", log.read_text())
        assert (cold.answer["statusCode"], taken(stub)) == answer
        took.append(round(cold.total_ms))
        if cold.total_ms <= ANSWER_MS:
            return
    pytest.fail(f"the first answers came after {took} ms")


def test_process_killed_before_publishing_gives_no_2xx(webhook: Command, stub: Stub, tmp_path: Path) -> None:
    # failure matrix: 8
    stub.calls()
    with socket.create_server(("127.0.0.1", 0)) as bus:
        bus.settimeout(PATIENCE_SECONDS)
        command = with_variables(webhook, {BUS: f"http://127.0.0.1:{bus.getsockname()[1]}"})
        with Execution(command, tmp_path / "log") as execution:

            def kill_before_publishing() -> None:
                bus.accept()
                os.kill(execution.pid, signal.SIGKILL)

            execution.wait_for_request()
            killer = threading.Thread(target=kill_before_publishing)
            killer.start()
            with pytest.raises(FunctionFailed, match="no answer"):
                execution.answer_to(webhook_event(zoom_body()))
            killer.join()
    assert taken(stub) == []
