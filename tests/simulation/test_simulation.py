"""Schedules of fixed seeds: the whole pipeline under every kind of trouble, each schedule in milliseconds.

`make simulate SECONDS=…` goes on with fresh seeds, `make simulate SEED=…` prints the timeline of one.
"""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from bookings.counts import Count
from tests.samples import created, raw
from tests.simulation.adversary import BUS, HOUR, TABLE, Trouble
from tests.simulation.world import Accident, World
from tests.simulation.zoom import START_MS, Webhook

pytestmark = pytest.mark.no_cover  # it would double the time
SCHEDULES, CHUNK = 4_000, 2_000
ROOT = Path(__file__).parents[2]

NOT_HERE = {Count.CHALLENGE_ANSWERED, Count.CHALLENGE_REFUSED, Count.TOO_LARGE, Count.UNEXPECTED_ERROR}


def simulate(*options: str, hash_seed: str = "random") -> str:
    """Runs the command, and returns its output."""
    command = [sys.executable, "-m", "tests.simulation", *options]
    environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": hash_seed}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


# failure matrix: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 16, 17, 20, 21, 23, 24, 25, 27, 28
# failure matrix: 41, 44, 45, 50, 51, 52, 55
@pytest.mark.parametrize("first_seed", range(0, SCHEDULES, CHUNK))
def test_every_invariant_holds_in_every_schedule(first_seed: int) -> None:
    lines = simulate(
        "--from-seed", str(first_seed), "--schedules", str(CHUNK), "--processes", "1"
    ).splitlines()
    assert lines[-1] == "Every invariant held."
    met = {line.split(maxsplit=1)[1] for line in lines[1:-2]}
    assert {*Trouble, *Accident, *Count, "deaths"} - NOT_HERE - met == set()


def test_a_seed_has_one_timeline_in_every_process() -> None:
    assert simulate("--seed", "5", hash_seed="0") == simulate("--seed", "5", hash_seed="1")


def world_of(*outages: tuple[str, float, Trouble], bookings: int = 3) -> World:
    """Returns a world in which these services are in trouble from the start on, for so long."""
    bodies = [created(START_MS + number, event_id=f"evt-{number}") for number in range(bookings)]
    webhooks = [Webhook(raw(each), each, 60.0 * at, f"request-{at}") for at, each in enumerate(bodies)]
    world = World(Random(1), webhooks)  # noqa: S311 - no secret
    world.adversary.outages = [(service, 0.0, end, trouble) for service, end, trouble in outages]
    world.adversary.ends_at = max([2 * HOUR, *(end for _, end, _ in outages)])
    return world


# failure matrix: 22
@pytest.mark.parametrize("trouble", [Trouble.THROTTLED, Trouble.UNREACHABLE, Trouble.SILENT, Trouble.LOST])
def test_an_hour_without_the_table_fills_no_dlq(trouble: Trouble) -> None:
    world = world_of((TABLE, HOUR, trouble), bookings=20)
    world.run()
    assert (len(world.table.items), world.accidents) == (20, {})


# failure matrix: 11, 12, 14
@pytest.mark.parametrize("trouble", [Trouble.THROTTLED, Trouble.UNREACHABLE, Trouble.SILENT])
def test_a_day_without_the_bus_costs_no_booking(trouble: Trouble) -> None:
    world = world_of((BUS, 22 * HOUR, trouble))
    seen: list[tuple[int, int]] = []
    for hour in (1, 21):
        world.timeline.after(
            hour * HOUR, lambda: seen.append((len(world.table.items), len(world.bus.published)))
        )
    world.run()
    assert seen == [(3, 0), (3, 0)]
    assert (world.counts[Count.FALLBACK_USED], len(world.oracle.ids), world.accidents) == (3, 3, {})


# failure matrix: 12
def test_events_that_the_stream_lost_are_announced_again() -> None:
    world = world_of((BUS, 30 * HOUR, Trouble.THROTTLED))
    world.run()
    assert world.accidents == {Accident.ANNOUNCED: 1}
    assert (len(world.oracle.ids), len(world.bus.subscriber.latest)) == (0, 3)
