"""`make run` as a process. The fixture `stack` ends it, and sees that it leaves nothing behind."""

import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.stack import LEFT, Stack, local, wait_for, workers

RUN = (sys.executable, "-m", "local", "run", "--port", "0", "--state-dir")
CREATED, MOVED, CANCELED = ["BookingCreated"], ["BookingRescheduled"], ["BookingCanceled"]


# failure matrix: 54
def test_run_plays_the_story(stack: Stack) -> None:
    assert stack.report["problems"] == []
    events = [delivery["events"] for delivery in stack.report["deliveries"]]
    assert events == [CREATED, [], CREATED, CANCELED, MOVED, CANCELED]


def test_stack_is_closed_to_the_outside(stack: Stack) -> None:
    assert workers(stack.url, stack.secret) == workers(stack.url, "AWS_PROFILE") == []
    files = {file.resolve().name for file in Path(f"/proc/{stack.pid}/fd").iterdir()}
    tables = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    sockets = [line.split() for line in tables.splitlines()]
    mine = [fields[1] for fields in sockets if fields[3] == "0A" and f"socket:[{fields[9]}]" in files]
    assert {address.split(":")[0] for address in mine} == {"0100007F"}  # 127.0.0.1, its bytes in reverse


def test_signal_during_the_start_ends_it(tmp_path: Path) -> None:
    with local(*RUN, tmp_path) as process:
        wait_for("the emulator's start", (tmp_path / "emulator.log").exists)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    assert process.returncode == 130
    assert sorted(each.name for each in tmp_path.iterdir()) == LEFT


@pytest.mark.parametrize("taken", ["port", "folder"])
def test_taken_port_or_folder_is_named(stack: Stack, tmp_path: Path, taken: str) -> None:
    port = urlsplit(stack.url).port
    arguments = [tmp_path, "--port", str(port)] if taken == "port" else [stack.folder / ".local"]
    said = f"port {port} of 127.0.0.1 can't be used" if taken == "port" else f"already, at {stack.url}"
    with local(*RUN, *arguments) as process:
        output, _ = process.communicate(timeout=20)
    assert (process.returncode, said in output, "Traceback" in output) == (1, True, False), output
