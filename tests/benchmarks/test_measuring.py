"""The benchmarks' own instruments: what they measure is what they say."""

import functools
import importlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contestants import (
    OURS_CREATED,
    OURS_EVENTS,
    Contestant,
    webhook_event,
    zoom_body,
)
from benchmarks.cpu_share import CPUShare, share_of
from benchmarks.execution import Command, FunctionFailed, _parse, measure_cold
from benchmarks.packaging import PEERS, size_of
from benchmarks.rounds import Spread, batch_of, ratios
from benchmarks.split import WEBHOOK
from benchmarks.stub import TOKEN, Services
from benchmarks.warm import CPU, INSTRUCTIONS, handler_of

ITEM = {"booking_id": {"S": "b"}, "revision": {"N": "1"}}

# Spends CPU until it has used up 60 ms, and says when it begins and ends.
SPENDER = """
import sys, time
print("begins", flush=True)
sys.stdin.readline()
until = time.process_time() + 0.06
while time.process_time() < until:
    pass
print("ends", flush=True)
"""

HANDLER = """
import json

def part():
    return sum(range(20_000))

def outer():
    return part()

def lambda_handler(event, context):
    outer()
    return {"statusCode": event["status"], "id": context.aws_request_id}
"""


@pytest.mark.parametrize(
    ("memory_mb", "share"), [(1_769, 1.0), (3_008, 1.0), (884.5, 0.5), (128, 128 / 1_769)]
)
def test_a_memory_size_has_its_part_of_a_cpu_and_one_at_the_most(memory_mb: int, share: float) -> None:
    assert share_of(memory_mb) == share


def test_a_process_at_a_tenth_of_a_cpu_takes_ten_times_as_long() -> None:
    with subprocess.Popen(
        [sys.executable, "-S", "-c", SPENDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        begun = time.monotonic()
        with CPUShare(process.pid, 0.1):
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"ends\n"
        assert time.monotonic() - begun > 0.45  # of 0.6; the first period's quota is free, a stop can be late


def command(folder: Path, **variables: str) -> Command:
    return Command((sys.executable, "-m", "awslambdaric", "app.lambda_handler"), folder, variables)


def test_a_function_is_started_called_and_measured(tmp_path: Path) -> None:
    floor = command(PEERS / "floor", ZOOM_WEBHOOK_SECRET_TOKEN=TOKEN, PYTHONDONTWRITEBYTECODE="1")
    event = webhook_event(zoom_body())
    cold = measure_cold(floor, event, share_of(512), tmp_path / "log")
    assert cold.answer == {"statusCode": 200, "body": event["body"]}
    assert cold.total_ms == cold.init_ms + cold.first_call_ms
    assert cold.init_ms > 10
    assert cold.cpu_ms > 10  # ms: an interpreter can't start in less
    assert 5 < cold.peak_mb < 200


def test_the_floor_refuses_a_forgery(tmp_path: Path) -> None:
    floor = command(PEERS / "floor", ZOOM_WEBHOOK_SECRET_TOKEN=TOKEN, PYTHONDONTWRITEBYTECODE="1")
    forged = webhook_event(zoom_body(), forged=True)
    assert measure_cold(floor, forged, 1.0, tmp_path / "log").answer == {"statusCode": 401}


def test_a_function_that_fails_is_not_measured(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def lambda_handler(event, context):\n    raise ValueError('no')\n")
    with pytest.raises(FunctionFailed, match="error"):
        measure_cold(command(tmp_path), {}, 1.0, tmp_path / "log")


def test_a_function_that_cannot_start_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(FunctionFailed):
        measure_cold(command(tmp_path), {}, 1.0, tmp_path / "log")


@pytest.mark.parametrize("cut", [0, 10, 60, 90])
def test_a_request_is_parsed_only_when_it_is_whole(cut: int) -> None:
    chunked = (
        b"POST /response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\n, w\r\n0\r\n\r\n"
    )
    plain = b"POST /response HTTP/1.1\r\nContent-Length: 8\r\n\r\nhello, w"
    for request in (chunked, plain):
        assert _parse(request + b"GET") == ("/response", b"hello, w", len(request))
        assert _parse(request[: min(cut, len(request) - 1)]) is None


@pytest.fixture
def contestant(tmp_path: Path) -> Contestant:
    (tmp_path / "app.py").write_text(HANDLER)
    return Contestant("made up", command(tmp_path, PYTHONHASHSEED="0"), tmp_path)


def test_a_handler_is_called_and_its_cpu_is_told_by_parts(contestant: Contestant) -> None:
    with handler_of(contestant, parts={"summing": ["app:part"], "json": ["json:dumps"]}) as handler:
        told = handler.call({"status": 200}, CPU, calls=20)
    assert told["answer"] == {"statusCode": 200, "id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd"}
    assert told["parts_us"].keys() == {"summing"}  # nothing of the other was called
    assert 0.5 < told["parts_us"]["summing"] / told["cpu_us"] <= 1


def test_what_one_part_calls_of_another_counts_once(contestant: Contestant) -> None:
    parts = {"outer": ["app:outer"], "inner": ["app:part"]}
    with handler_of(contestant, parts=parts) as handler:
        told = handler.call({"status": 200}, CPU, calls=20)
    assert sum(told["parts_us"].values()) <= told["cpu_us"]
    assert told["parts_us"]["outer"] < told["parts_us"]["inner"]


def test_a_part_that_is_gone_is_an_error(contestant: Contestant) -> None:
    with pytest.raises(FunctionFailed), handler_of(contestant, parts={"x": ["app:gone"]}) as handler:
        handler.call({"status": 200})


def test_instructions_are_the_same_each_time(contestant: Contestant) -> None:
    with handler_of(contestant) as handler:
        counted = {handler.call({"status": 200}, INSTRUCTIONS)["instructions"] for _ in range(3)}
    (instructions,) = counted
    assert 5 < instructions < 1_000


def resolve(place: str) -> Any:
    module, _, path = place.partition(":")
    return functools.reduce(getattr, path.split("."), importlib.import_module(module))


@pytest.mark.parametrize("place", [place for places in WEBHOOK.values() for place in places])
def test_each_part_of_a_warm_call_is_a_function_there_is(place: str) -> None:
    assert callable(resolve(place))


def test_the_stub_takes_every_write_until_it_is_to_remember() -> None:
    services = Services()
    assert services.answer("PutItem", {"Item": ITEM}) == (200, {})
    assert services.answer("PutItem", {"Item": ITEM}) == (200, {})
    services.remember(True)
    assert services.counts == {}
    assert services.answer("PutItem", {"Item": ITEM}) == (200, {})
    status, refusal = services.answer("PutItem", {"Item": ITEM})
    assert (status, refusal["Item"]) == (400, ITEM)
    second = {"Item": ITEM | {"revision": {"N": "2"}}, "ExpressionAttributeValues": {":revision": {"N": "1"}}}
    assert services.answer("PutItem", second) == (200, {})
    assert services.answer("PutItem", second)[0] == 400
    assert services.counts == {"PutItem": 4}


def test_the_stub_knows_no_call_that_nobody_should_make() -> None:
    with pytest.raises(KeyError):
        Services().answer("DeleteTable", {})


@pytest.mark.parametrize("name", [OURS_CREATED, OURS_EVENTS])
def test_each_record_of_a_batch_is_of_a_booking_of_its_own(name: str) -> None:
    records = batch_of(name, 10)["Records"]
    told = {
        record["dynamodb"]["NewImage"]["booking_id"]["S"] if "dynamodb" in record else record["body"]
        for record in records
    }
    assert len(told) == len(records) == 10


def test_a_ratio_is_of_one_round_and_not_of_two_medians() -> None:
    # The second round ran on a machine three times slower: its ratio is the same.
    rounds = [{"a": 20.0, "b": 10.0}, {"a": 60.0, "b": 30.0}, {"a": 22.0, "b": 11.0}, {"b": 5.0}]
    assert ratios(rounds, "a", "b") == Spread(2.0, 2.0, 2.0)
    assert ratios(rounds, "a", "c") is None


def test_a_spread_is_the_quartiles() -> None:
    assert Spread.of([5.0, 1.0, 2.0, 4.0, 3.0]) == Spread(2.0, 3.0, 4.0)
    assert Spread.of([5.0]) == Spread(5.0, 5.0, 5.0)


def test_the_size_of_an_artefact_is_of_all_its_files_but_those_left_out(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/app.js").write_bytes(b"a" * 5_000)
    (tmp_path / "runtime.cjs").write_bytes(b"b" * 5_000)
    assert size_of(tmp_path).unzipped == 10_000
    size = size_of(tmp_path, leaving_out=("runtime.cjs",))
    assert size.unzipped == 5_000
    assert size.zipped < 500
