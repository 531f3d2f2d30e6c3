"""Schedules of fixed seeds: the whole pipeline under every kind of trouble, each schedule in milliseconds.

`make simulate SECONDS=…` goes on with fresh seeds, `make simulate SEED=…` tells the story of one.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bookings.counts import Count
from tests.samples import canceled, created
from tests.simulation.histories import START_MS, Expected, Webhook
from tests.simulation.lambdas import handlers_in_environments
from tests.simulation.oracle import Violation
from tests.simulation.run import Tally
from tests.simulation.weather import Outage, Trouble, Weather
from tests.simulation.world import Accident, World, run_schedule

SCHEDULES, CHUNK = 50_000, 5_000

ROOT = Path(__file__).parents[2]
HOUR = 3_600.0


@cache
def tally_of(first_seed: int) -> Tally:
    """Runs a chunk in a process of its own: to measure coverage doubles the time, and others measure it."""
    code = (
        "import json, tests.conftest\n"
        "from tests.simulation.run import run_schedules\n"
        f"tally = run_schedules({first_seed}, {CHUNK})\n"
        "print(json.dumps([tally.schedules, tally.sums, tally.violated]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    schedules, sums, violated = json.loads(run.stdout)
    return Tally(schedules, Counter(sums), violated and tuple(violated))


IN_ONE_WORKER = pytest.mark.xdist_group("first-chunk")


@pytest.mark.parametrize(
    "first_seed", [pytest.param(0, marks=IN_ONE_WORKER), *range(CHUNK, SCHEDULES, CHUNK)]
)
def test_in_every_schedule_every_invariant_holds(first_seed: int) -> None:
    # failure matrix: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 16, 23, 24, 25, 27, 44, 45, 51, 52
    tally = tally_of(first_seed)
    assert tally.violated is None
    assert tally.schedules == CHUNK


@pytest.fixture
def some() -> Tally:
    return tally_of(0)


@IN_ONE_WORKER
@pytest.mark.parametrize("trouble", Trouble)
def test_the_schedules_meet_every_trouble(some: Tally, trouble: Trouble) -> None:
    assert some.sums[trouble] > 0


@IN_ONE_WORKER
@pytest.mark.parametrize("accident", Accident)
def test_the_schedules_meet_every_accident(some: Tally, accident: Accident) -> None:
    assert some.sums[accident] > 0


# What needs a hostile or a broken request is for other tests, as is what the bus refuses for itself.
NOT_HERE = {
    *(Count.CHALLENGE_ANSWERED, Count.CHALLENGE_REFUSED, Count.SIGNATURE_MALFORMED, Count.TOO_LARGE),
    *(Count.EVENT_REFUSED, Count.UNEXPECTED_ERROR),
}


@IN_ONE_WORKER
@pytest.mark.parametrize("count", sorted(set(Count) - NOT_HERE))
def test_the_schedules_meet_every_outcome(some: Tally, count: Count) -> None:
    assert some.sums[count] > 0


@IN_ONE_WORKER
def test_processes_die_in_the_middle_of_many_schedules(some: Tally) -> None:
    assert some.sums["deaths"] > some.schedules


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_runs_so_many_schedules_and_tells_what_came_of_them() -> None:
    run = command("--schedules", "40", "--from-seed", "0", "--processes", "2")
    assert run.returncode == 0, run.stderr
    first, rate, met, verdict = run.stdout.splitlines()
    assert first == "Seeds from 0 on, 2 at once. Ctrl-C ends it."
    assert rate.startswith("40 schedules in ")
    assert met.endswith(" deaths.")
    assert verdict == "Every invariant held."


def test_the_command_tells_the_story_of_a_seed() -> None:
    run = command("--seed", "5")
    assert run.returncode == 0, run.stderr
    *lines, empty, verdict = run.stdout.splitlines()
    assert lines == story(5)
    assert (empty, verdict[:14]) == ("", "Seed 5 holds: ")


# ── the simulation itself ────────────────────────────────────────────────────────────────────────────────


def story(seed: int) -> list[str]:
    lines: list[str] = []
    with handlers_in_environments():
        run_schedule(seed, lines.append)
    return lines


def digest_of_stories(first: int, count: int) -> str:
    lines = [line for seed in range(first, first + count) for line in story(seed)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_a_seed_has_one_story() -> None:
    assert story(5) == story(5)
    assert story(5) != story(6)


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_a_seed_has_the_same_story_in_every_process(hash_seed: str) -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import tests.conftest\n"
            "from tests.simulation.test_simulation import digest_of_stories\n"
            "print(digest_of_stories(0, 20))",
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.strip() == digest_of_stories(0, 20)


# ── single troubles, and exactly what they may cost ──────────────────────────────────────────────────────


def webhooks(*bodies: dict[str, Any], every_seconds: float = 60.0) -> list[Webhook]:
    return [
        Webhook(json.dumps(body).encode(), number * every_seconds, f"request-{number}", Expected.RECORDED)
        for number, body in enumerate(bodies)
    ]


def bookings(number: int) -> list[Webhook]:
    return webhooks(*(created(START_MS + each, event_id=f"evt-{each}") for each in range(number)))


def world(history: list[Webhook], *outages: Outage, **settings: str) -> World:
    """Returns a world without accidents and with no trouble but these outages."""
    ends_at = max([HOUR, *(outage.end for outage in outages)])
    weather = Weather(Random(1), outages=outages, ends_at=ends_at)  # noqa: S311 - chance to be had again
    settings = {"FAN_OUT": "EventBridge", "BOOKING_RETENTION_DAYS": "0"} | settings
    made = World(Random(1), history, weather, settings=settings)  # noqa: S311 - likewise
    made.calm = True
    return made


@pytest.mark.parametrize("trouble", [Trouble.THROTTLED, Trouble.FAILED, Trouble.SILENT, Trouble.LOST])
def test_an_hour_without_the_table_fills_no_dlq(trouble: Trouble) -> None:
    # failure matrix: 22
    with handlers_in_environments():
        report = world(bookings(20), Outage(30.0, 30.0 + HOUR, "dynamodb", trouble)).run()
    assert report.writes == 20
    assert Accident.REDRIVEN not in report.met


@pytest.mark.parametrize("trouble", [Trouble.DENIED, Trouble.THROTTLED, Trouble.SILENT, Trouble.UNREACHABLE])
def test_a_day_without_the_bus_costs_no_booking_and_no_event(trouble: Trouble) -> None:
    # failure matrix: 11, 12, 14
    down = Outage(0.0, 22 * HOUR, "events", trouble)
    made = world(bookings(5), down)
    in_the_table: list[int] = []
    made.timeline.after(600.0, lambda: in_the_table.append(len(made.stack.dynamodb.items(made.stack.table))))
    announced: list[int] = []
    made.timeline.after(21 * HOUR, lambda: announced.append(len(made.oracle.announced)))
    with handlers_in_environments():
        report = made.run()
    assert in_the_table == [5]
    assert announced == [0]
    assert report.counts[Count.FALLBACK_USED] == 5
    assert len(made.oracle.ids()) == 5
    assert Accident.RECOVERED not in report.met


def test_what_the_stream_gave_up_is_announced_again_from_the_table() -> None:
    # failure matrix: 12
    made = world(bookings(3), Outage(0.0, 30 * HOUR, "events", Trouble.DENIED))
    with handlers_in_environments():
        report = made.run()
    assert report.writes == len(made.stream.given_up) == 3
    assert report.met[Accident.ANNOUNCED] == 1
    assert len(made.oracle.ids()) == 3


def test_a_poison_message_is_in_the_dlq_alone() -> None:
    # failure matrix: 20, 21
    made = world(bookings(3))
    created_queue = made.stack.queues["BookingCreatedQueue"]
    made.timeline.after(1.0, lambda: made.put_poison(created_queue))
    with handlers_in_environments():
        report = made.run()
    assert made.deleted == made.poison
    assert report.writes == 3
    assert Accident.REDRIVEN not in report.met


@pytest.mark.parametrize("trouble", [Trouble.DENIED, Trouble.SILENT])
def test_with_bus_and_queues_down_each_attempt_is_a_503_and_zoom_brings_it_again(trouble: Trouble) -> None:
    # failure matrix: 13
    outages = [Outage(0.0, 900.0, service, trouble) for service in ("events", "sqs")]
    made = world(bookings(3), *outages)
    with handlers_in_environments():
        report = made.run()
    assert report.counts[Count.NOT_DURABLE] == 6  # each at once and after five minutes
    assert report.writes == 3
    assert Accident.RECOVERED not in report.met


def test_hours_without_the_endpoint_are_made_good_from_zooms_delivery_log() -> None:
    # failure matrix: 50
    made = world(bookings(3))
    made.zoom.endpoint_down = (0.0, 3 * HOUR)
    made.weather.ends_at = 3 * HOUR
    with handlers_in_environments():
        report = made.run()
    assert report.met[Accident.RECOVERED] == 3
    assert report.writes == 3


@pytest.mark.parametrize("rule", ["BookingCreatedRule", "BookingCanceledRule"])
def test_what_a_rule_may_not_deliver_is_in_its_dlq_and_can_be_redriven(rule: str) -> None:
    # failure matrix: 15
    made = world(webhooks(created(START_MS), canceled(START_MS + 1)))
    made.rules.forbidden.add(rule)
    lying: list[int] = []
    dlq = made.stack.queues[rule.removesuffix("Rule") + "DLQ"]
    made.timeline.after(HOUR / 2, lambda: lying.append(len(made.stack.sqs.messages(dlq))))
    with handlers_in_environments():
        report = made.run()
    assert lying == [1]
    assert report.met[Accident.REDRIVEN] == 1
    assert report.writes == 2


def test_an_oracle_that_sees_a_violation_names_it() -> None:
    made = world(bookings(1))
    made.timeline.after(60.0, lambda: made.stack.dynamodb.create_table("elsewhere"))
    made.timeline.after(60.0, lambda: setattr(made.stack, "table", "elsewhere"))
    with handlers_in_environments(), pytest.raises(Violation, match="table equals the fold") as raised:
        made.run()
    assert raised.value.invariant == "table equals the fold"
