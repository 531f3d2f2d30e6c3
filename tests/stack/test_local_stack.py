"""`bookings local` as a process: how it starts, refuses to start, and ends, leaving nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import boto3
import pytest
from samtranslator.yaml_helper import yaml_parse

from local.stack import ROOT, TEMPLATE, RunningStack
from tests.stack.deliveries import created
from tests.stack.process import StackProcessError, stack_in_a_process
from tests.stack.running import StackUnderTest, wait_for

pytestmark = pytest.mark.xdist_group("local-stack")

SECRET = "the-secret-token-of-the-process-tests"
PATIENCE_SECONDS = 60


@contextlib.contextmanager
def started(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "local", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "SECRET": SECRET, "COLUMNS": "200", **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finished(*arguments: str) -> subprocess.CompletedProcess[str]:
    with started(*arguments) as process:
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, output)


def ready(process: subprocess.Popen[str], directory: Path) -> RunningStack:
    def look() -> bool:
        assert process.poll() is None, process.communicate()[0]
        return (directory / "stack.json").exists()

    wait_for("stack.json", look, PATIENCE_SECONDS)
    return RunningStack.read(directory)


def processes_of(directory: Path) -> list[str]:
    """The command lines of the processes that were started for this directory."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if process.name.isdigit() and str(directory) in command:
                found.append(command)
    return found


def listening_addresses(pid: int) -> set[str]:
    """The addresses on which a process listens, as Linux tells them, in hex with the bytes in reverse."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1].split(":")[0])
    return found


def environment_of_the_worker(stack: RunningStack, function: str) -> dict[str, str]:
    name = f"ministack-lambda-{stack.physical_id(function)}-"
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and name in (process / "cmdline").read_text():
                pairs = (process / "environ").read_text().split("\0")
                variables = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
                if variables["AWS_ENDPOINT_URL"] == stack.endpoint_url:
                    return variables
    raise AssertionError(f"no worker of {function}")


def read_until(output: IO[str], text: str) -> str:
    """What a process prints, up to the line with that text."""
    printed = ""
    for line in output:
        printed += line
        if text in line:
            return printed
    raise AssertionError(f"{text!r} was never printed:\n{printed}")


def changed_template(folder: Path, old: str, new: str) -> Path:
    """Our template with one thing changed, beside the functions it packages."""
    content = TEMPLATE.read_text(encoding="utf-8")
    assert old in content
    path = folder / "template.yaml"
    path.write_text(content.replace(old, new), encoding="utf-8")
    for name in ("functions", "layers"):
        (folder / name).symlink_to(ROOT / name)
    return path


def left_behind(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()}


LEAKING = {
    "LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "AWS_PROFILE": "of-the-developer",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "MY_VARIABLE": "mine",
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def running(directory: Path) -> Iterator[RunningStack]:
    """A stack that was started with another parameter, from an environment full of a developer's settings."""
    arguments = ["up", "--port", "0", "--state-dir", str(directory), "--parameter", "FanOut=SQS"]
    with started(*arguments, **LEAKING) as process:
        yield ready(process, directory)


def test_it_listens_on_the_loopback_interface_only(running: RunningStack) -> None:
    assert listening_addresses(running.pid) == {"0100007F"}  # 127.0.0.1


def test_the_developers_environment_reaches_no_handler(running: RunningStack) -> None:
    under_test = StackUnderTest(running, SECRET)
    answer = under_test.post(created("leaking"))
    assert answer.status == 200
    assert under_test.answered(answer)["level"] == "INFO"
    variables = environment_of_the_worker(running, "WebhookFunction")
    assert variables["AWS_REGION"] == "us-east-1"
    assert variables["AWS_ENDPOINT_URL"] == running.endpoint_url
    assert {"AWS_PROFILE", "MY_VARIABLE", "LOG_LEVEL", "SECRET"} & variables.keys() == set()
    assert SECRET not in variables.values()


def test_a_template_parameter_is_handed_on(running: RunningStack) -> None:
    name = running.physical_id("WebhookFunction")
    configuration = running.client("lambda").get_function_configuration(FunctionName=name)
    assert configuration["Environment"]["Variables"]["FAN_OUT"] == "SQS"


def test_stack_json_holds_what_others_find_the_stack_by(running: RunningStack, directory: Path) -> None:
    content = json.loads((directory / "stack.json").read_text(encoding="utf-8"))
    assert content["region"] == "us-east-1"
    assert content["endpoint_url"].startswith("http://127.0.0.1:")
    assert content["webhook_url"] == f"{content['endpoint_url']}/webhooks/zoom"
    assert content["outputs"]["WebhookUrl"] == content["webhook_url"]
    assert content["outputs"].keys() == yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Outputs"].keys()
    assert content["credentials"] == {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    assert SECRET not in json.dumps(content)
    client = boto3.client(
        "sqs", endpoint_url=content["endpoint_url"], region_name=content["region"], **content["credentials"]
    )
    assert content["outputs"]["BookingCreatedQueueUrl"] in client.list_queues()["QueueUrls"]


def test_a_second_start_beside_a_running_one_names_that_and_leaves_it_alone(
    running: RunningStack, directory: Path
) -> None:
    result = finished("up", "--port", "0", "--state-dir", str(directory))
    assert result.returncode == 1
    assert f"running already, at {running.webhook_url} (process {running.pid})" in result.stdout
    under_test = StackUnderTest(running, SECRET)
    assert under_test.post(created("beside")).status == 200
    assert under_test.booking("beside")["status"] == "confirmed"


def test_a_taken_port_is_told_with_what_to_do(running: RunningStack, tmp_path: Path) -> None:
    port = urlsplit(running.endpoint_url).port or 0
    result = finished("up", "--port", str(port), "--state-dir", str(tmp_path))
    assert result.returncode == 1
    assert f"port {port} of 127.0.0.1 can't be used (Address already in use)" in result.stdout
    assert f"make run PORT={port + 1}" in result.stdout
    assert "Traceback" not in result.stdout
    assert left_behind(tmp_path) == {"lock"}


def test_ctrl_c_ends_run_with_success_after_it_told_the_story_and_showed_what_came(tmp_path: Path) -> None:
    with started("run", "--port", "0", "--state-dir", str(tmp_path)) as process:
        assert process.stdout
        printed = read_until(process.stdout, "Ctrl-C ends it.")
        under_test = StackUnderTest(RunningStack.read(tmp_path), SECRET)
        assert under_test.post(created("shown")).status == 200
        printed += read_until(process.stdout, "BookingCreated revision 1")
        for number in (signal.SIGINT, signal.SIGTERM):  # who is impatient doesn't cut its end short
            process.send_signal(number)
        rest, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Everything arrived: 6 deliveries, each answered 200" in printed
    assert "POST /webhooks/zoom  200" in printed
    assert SECRET not in printed
    assert rest.endswith("Ended. Nothing is left running.\n")
    assert left_behind(tmp_path) == {"emulator.log", "lock"}
    assert processes_of(tmp_path) == []


def test_it_ends_while_a_handler_is_busy(tmp_path: Path) -> None:
    with started("up", "--port", "0", "--state-dir", str(tmp_path)) as process, socket.socket() as silent:
        stack = ready(process, tmp_path)
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(PATIENCE_SECONDS)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        lambdas = stack.client("lambda")
        name = stack.physical_id("BookingCreatedFunction")
        variables = lambdas.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        lambdas.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables | {"AWS_ENDPOINT_URL_DYNAMODB": url}}
        )
        assert StackUnderTest(stack, SECRET).post(created("busy")).status == 200
        connection, _ = silent.accept()  # the handler waits for the table from now on
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
        connection.close()
    assert process.returncode == 0
    assert left_behind(tmp_path) == {"emulator.log", "lock"}
    assert processes_of(tmp_path) == []


def test_a_signal_while_it_starts_ends_it_too(tmp_path: Path) -> None:
    with started("up", "--port", "0", "--state-dir", str(tmp_path)) as process:
        wait_for("the emulator's start", (tmp_path / "emulator.log").exists, PATIENCE_SECONDS)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 130
    assert left_behind(tmp_path) == {"emulator.log", "lock"}
    assert processes_of(tmp_path) == []


def test_what_a_killed_one_left_behind_is_no_obstacle(tmp_path: Path) -> None:
    with started("up", "--port", "0", "--state-dir", str(tmp_path)) as process:
        killed = ready(process, tmp_path)
        process.kill()
        process.wait()
    assert {"stack.json", "tmp"} <= left_behind(tmp_path)
    wait_for("the workers' end, who have nobody to read from", lambda: not processes_of(tmp_path))
    with stack_in_a_process(tmp_path, secret=SECRET) as stack:
        assert stack.pid != killed.pid
    assert left_behind(tmp_path) == {"emulator.log", "lock", "output.txt"}


def test_it_ends_when_the_process_that_started_it_is_gone(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tests.stack.process import stack_in_a_process\n"
        "with stack_in_a_process(Path(sys.argv[1]), secret='x' * 20) as stack:\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, timeout=PATIENCE_SECONDS, check=False
    )
    assert parent.returncode == -signal.SIGKILL
    try:
        wait_for("its end", lambda: not processes_of(tmp_path))
    finally:
        with contextlib.suppress(OSError):  # else a failure here would leave it running for ever
            os.kill(RunningStack.read(tmp_path).pid, signal.SIGKILL)
    assert left_behind(tmp_path) == {"emulator.log", "lock", "output.txt"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "    Handler: app.lambda_handler\n",
            "    Handler: app.absent\n",
            ["The template can't be deployed", "WebhookFunction: ", "has no attribute 'absent'"],
        ),
        (
            "!GetAtt BookingCreatedDLQ.Arn",
            "!GetAtt BookingCreatedDLQ.Nothing",
            ["The template can't be deployed", "BookingCreatedQueue (AWS::SQS::Queue): ", "Nothing"],
        ),
        (
            "Type: AWS::Serverless::HttpApi",
            "Type: AWS::Serverless::NoApi",
            ["The template can't be used", " refers to WebhookApi (AWS::Serverless::NoApi), which"],
        ),
        ("Resources:\n", "Resources: }\n", ["The template can't be used", "not valid YAML"]),
    ],
    ids=["handler that can't be imported", "attribute that isn't there", "unknown SAM type", "broken YAML"],
)
def test_a_broken_template_is_told_by_resource_and_reason_and_nothing_is_left(
    tmp_path: Path, old: str, new: str, said: list[str]
) -> None:
    state = tmp_path / "state"
    template = changed_template(tmp_path, old, new)
    result = finished("up", "--port", "0", "--state-dir", str(state), "--template", str(template))
    assert result.returncode == 1
    assert [text for text in said if text not in result.stdout] == [], result.stdout
    assert "Traceback" not in result.stdout
    assert left_behind(state) <= {"emulator.log", "lock"}
    assert processes_of(state) == []


def test_the_demo_fails_at_the_first_thing_that_does_not_arrive(tmp_path: Path) -> None:
    template = changed_template(
        tmp_path, "ZOOM_SECRET_ARN: !GetAtt ZoomSecret.Id", "ZOOM_SECRET_ARN: nowhere"
    )
    svg = tmp_path / "demo.svg"
    arguments = ["--state-dir", str(tmp_path / "state"), "--template", str(template), "--svg", str(svg)]
    result = finished("demo", *arguments)
    assert result.returncode == 1
    assert "url_validation.json: answered 503" in result.stdout
    assert "Not everything arrived as it should" in result.stdout
    picture = svg.read_text(encoding="utf-8")
    assert "Not&#160;everything&#160;arrived&#160;as&#160;it&#160;should" in picture
    assert SECRET not in picture


def test_a_stack_that_does_not_come_up_raises_with_what_it_printed(tmp_path: Path) -> None:
    with (
        pytest.raises(StackProcessError, match=r"absent\.yaml: No such file"),
        stack_in_a_process(tmp_path, secret=SECRET, template=tmp_path / "absent.yaml"),
    ):
        pass


def test_the_demo_tells_a_machine_what_became_of_each_delivery(tmp_path: Path) -> None:
    result = finished("demo", "--json", "--state-dir", str(tmp_path))
    assert result.returncode == 0, result.stdout
    report = json.loads(result.stdout)
    assert report["problems"] == []
    assert [(told["file"], told["status_after"], told["events"]) for told in report["deliveries"]] == [
        ("scheduled_event_created.json", "confirmed", ["BookingCreated"]),
        ("scheduled_event_canceled.json", "confirmed", []),
        ("story/1_created.json", "confirmed", ["BookingCreated"]),
        ("story/2_moved_canceled.json", "canceled", ["BookingCanceled"]),
        ("story/3_moved_created.json", "confirmed", ["BookingRescheduled"]),
        ("story/4_canceled.json", "canceled", ["BookingCanceled"]),
    ]


def test_a_secret_token_that_is_too_short_is_refused_at_once(tmp_path: Path) -> None:
    result = finished("up", "--secret", "short", "--state-dir", str(tmp_path))
    assert result.returncode == 2
    assert "at least 16 characters" in result.stdout


def test_a_parameter_without_a_value_is_refused_at_once(tmp_path: Path) -> None:
    result = finished("up", "--parameter", "FanOut", "--state-dir", str(tmp_path))
    assert result.returncode == 2
    assert "NAME=VALUE" in result.stdout
