"""One `make run` for all tests of this folder. They run on one worker, the reader of all logs last."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.e2e.stack import LEFT, Stack, local, wait_for, workers
from tests.samples import created

TOLERANCE_SECONDS = 200
PARAMETERS = (
    f"--parameter SignatureToleranceSeconds={TOLERANCE_SECONDS} --parameter BookingRetentionDays=3650"
)
IGNORING_SIGINT = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")  # as a shell starts `make run &`


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group("e2e"))
    items.sort(key=lambda item: item.path.name == "test_logs.py")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack of `make run`. Ctrl-C ends it, and leaves nothing."""
    secret, folder = uuid4().hex, tmp_path_factory.mktemp("stack")
    (folder / ".local/tmp").mkdir(parents=True)  # of a run that was killed
    (folder / ".local/stack.json").write_text("{}")
    options = f"--json --port 0 --state-dir {folder}/.local {PARAMETERS}".split()
    command = (*IGNORING_SIGINT, sys.executable, "-m", "local", "run", *options)
    with local(*command, SECRET=secret, AWS_PROFILE="mine") as process:
        line = process.stdout.readline() if process.stdout else ""
        assert line.startswith("{"), line
        stack = Stack(folder, secret, line)
        yield stack
        for busy in stack.processes("BookingCreatedFunction"):  # a busy function must not hold up the end
            os.kill(busy, signal.SIGSTOP)
        stack.post(created())
        queue = stack.outputs["BookingCreatedQueueUrl"]
        wait_for("it to be busy", lambda: stack.messages(queue, ("NotVisible",)))
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)  # nor must an impatient user cut it short
        output, _ = process.communicate(timeout=10)
    assert (process.returncode, output) == (0, "")
    assert sorted(each.name for each in (folder / ".local").iterdir()) == LEFT
    assert workers(stack.url) == []
    socket.create_server(("127.0.0.1", urlsplit(stack.url).port or 0)).close()


@pytest.fixture(autouse=True)
def no_long_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator's queue is on one server, so a command need not wait for others."""
    monkeypatch.setattr("cli.messages._WAIT_SECONDS", 0)


@pytest.fixture(autouse=True)
def no_dead_letters(stack: Stack) -> Iterator[None]:
    """Fails a test that leaves a message in a DLQ."""
    yield
    assert [x for key, url in stack.outputs.items() if key.endswith("DLQUrl") for x in stack.take(url)] == []


@pytest.fixture
def event_id() -> str:
    return uuid4().hex
