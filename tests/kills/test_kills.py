"""The functions as they are built, in processes of their own, killed at random instants."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kills import artefact as artefacts
from tests.kills.artefact import ROOT, Artefact, BuildFailed, build
from tests.kills.bugs import BUGS
from tests.kills.child import Stuck
from tests.kills.command import main
from tests.kills.environments import FunctionError, Processes
from tests.kills.judge import Violation
from tests.kills.run import run
from tests.kills.stack import FUNCTIONS
from tests.kills.world import Tally
from tests.leaks import WATCH

KILLS = 60
KILLS_FOR_A_BUG = 400
PATIENCE_SECONDS = 30

# All in one worker: each test keeps a core busy, and the build is made once.
pytestmark = pytest.mark.xdist_group("kills")


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return build()


@pytest.fixture(scope="module")
def seed() -> int:
    return int(os.environ.get("KILLS_SEED", random.SystemRandom().randrange(1_000_000)))


@pytest.fixture(scope="module")
def survived(artefact: Artefact, seed: int) -> Tally:
    print(f"KILLS_SEED={seed}")
    return asyncio.run(
        run(artefact, kills=KILLS, seed=seed, said=lambda text: WATCH.see("a killed function", text))
    )


def test_nothing_is_lost_or_doubled_by_processes_killed_at_any_instant(survived: Tally) -> None:
    # failure matrix: 8, 9, 16, 24, 25
    assert survived.killed >= KILLS
    assert survived.changes > 0
    assert survived.events > 0
    assert survived.posts > survived.deliveries


def test_each_function_is_killed_and_at_calls_too(survived: Tally) -> None:
    assert {function for function, _ in survived.kills} == set(FUNCTIONS)
    assert any("call 1" in instant for _, instant in survived.kills)


# The others are planted by `python -m tests.kills --bugs`: they take too long for every run.
def test_a_planted_bug_is_caught(artefact: Artefact, seed: int, tmp_path: Path) -> None:
    planted = artefact.copied_to(tmp_path / "planted")
    BUGS["acknowledge-first"].plant(planted)
    with pytest.raises(Violation):
        asyncio.run(run(planted, kills=KILLS_FOR_A_BUG, seed=seed))


@pytest.mark.parametrize("name", BUGS)
def test_every_bug_still_finds_its_place(name: str, artefact: Artefact) -> None:
    assert (artefact.packages / BUGS[name].module).read_text().count(BUGS[name].old) == 1


@pytest.mark.parametrize("fresh", [False, True], ids=["forked", "fresh"])
def test_function_runs_on_artefact_and_not_on_source_tree(
    fresh: bool, artefact: Artefact, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(
        "import sys\n"
        "import bookings, boto3, pydantic\n"
        "def lambda_handler(event, context):\n"
        "    modules = (bookings, boto3, pydantic, sys.modules[__name__])\n"
        "    return {module.__name__: module.__file__ for module in modules} | {'path': sys.path}\n"
    )

    async def ask() -> dict[str, object]:
        async with Processes(artefact, tmp_path) as processes:
            environment = await processes.start("webhook", {}, None, fresh=fresh, folder=tmp_path)
            answer: dict[str, object] = await environment.invoke({})
            return answer

    answer = asyncio.run(ask())
    for package in ("bookings", "boto3", "pydantic"):
        assert answer[package] == str(artefact.packages / package / "__init__.py")
    assert answer["app"] == str(tmp_path / "app.py")
    assert not {str(ROOT), str(ROOT / "layers/runtime")} & set(json.loads(json.dumps(answer["path"])))


def test_call_that_strict_services_do_not_know_ends_the_run(
    artefact: Artefact, seed: int, tmp_path: Path
) -> None:
    planted = artefact.copied_to(tmp_path / "planted")
    planted.replace("bookings/aws/table.py", "self._client.put_item,", "self._client.update_item,")
    planted.replace("bookings/aws/table.py", "Item=item,", "Key={'booking_id': item['booking_id']},")
    with pytest.raises(Stuck, match="the faked AWS failed: NotImplementedError: UpdateItem"):
        asyncio.run(run(planted, kills=KILLS, seed=seed))


def test_a_function_that_ends_by_itself_is_no_kill(artefact: Artefact, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import os\ndef lambda_handler(event, context):\n    os._exit(3)\n")

    async def ask() -> None:
        async with Processes(artefact, tmp_path) as processes:
            environment = await processes.start("webhook", {}, None, folder=tmp_path)
            await environment.invoke({})

    with pytest.raises(FunctionError, match="ended by itself, with status 3"):
        asyncio.run(ask())


def test_the_layer_is_for_lambda_whatever_the_environment_says(tmp_path: Path) -> None:
    command = ["make", "-n", "-C", str(artefacts.LAYER), "build-RuntimeLayer", f"ARTIFACTS_DIR={tmp_path}"]
    environment = os.environ | {"PLATFORM": "another", "PYTHON": sys.executable}
    told_and_built: tuple[tuple[list[str], str], ...] = (
        ([], "manylinux2014_aarch64"),
        (["PLATFORM=mine"], "mine"),
    )
    for told, platform in told_and_built:
        said = subprocess.run([*command, *told], env=environment, check=True, capture_output=True, text=True)
        assert f"--platform {platform} " in said.stdout


def test_a_build_without_a_registry_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(artefacts, "BUILDS", tmp_path)
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", ""), ("PIP_CONFIG_FILE", os.devnull)):
        monkeypatch.setenv(name, value)
    with pytest.raises(BuildFailed, match="Is the package registry reachable"):
        build()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def command(artefact: Artefact, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """The command at work, its temporary files in `tmp_path`, and the processes it has started."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.kills", "--kills", "100000", "--seed", "1"],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        # The faked AWS, the process that forks, and at least two functions.
        while len(started := descendants_of(process.pid)) < 4 and time.monotonic() < deadline:
            time.sleep(0.02)  # another process can't be waited for otherwise
        assert len(started) >= 4
        yield process, started
        process.kill()


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are found in /proc")


@needs_proc
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_behind(
    command: tuple[subprocess.Popen[str], list[int]], signal_number: int, tmp_path: Path
) -> None:
    process, started = command
    process.send_signal(signal_number)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, said.strip()) == (130, "Interrupted; every process is ended.")
    assert alive(started) == []
    assert list(tmp_path.iterdir()) == []


@needs_proc
def test_a_run_that_is_killed_itself_leaves_no_process_behind(
    command: tuple[subprocess.Popen[str], list[int]],
) -> None:
    process, started = command
    process.kill()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while alive(started) and time.monotonic() < deadline:
        time.sleep(0.02)  # as above
    assert alive(started) == []


def alive(processes: list[int]) -> list[int]:
    """Returns those that still run; one that ended may stay a zombie until somebody asks for it."""
    found = []
    for process in processes:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            found.append(process)
    return found


def children_of(process: int) -> list[int]:
    try:
        tasks = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:
        return []  # it has ended meanwhile
    return [int(child) for text in tasks for child in text.split()]


def descendants_of(process: int) -> list[int]:
    found = children_of(process)
    return found + [each for child in found for each in descendants_of(child)]


@pytest.mark.parametrize("kills", ["0", "-1", "many", "1.5"])
def test_a_number_of_kills_that_is_none_is_refused(
    kills: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kills", "--kills", kills])
    with pytest.raises(SystemExit) as refusal:
        main()
    assert refusal.value.code == 2
    assert "is not a number above 0" in capsys.readouterr().err
