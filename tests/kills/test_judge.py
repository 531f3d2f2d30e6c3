"""The judge, on what a round without kills has left, and on the same with one thing wrong in it."""

import asyncio
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kills import world
from tests.kills.artefact import build
from tests.kills.environments import Processes
from tests.kills.judge import Violation, judge
from tests.kills.world import AWS, World

pytestmark = pytest.mark.xdist_group("kills")

Outcome = dict[str, Any]
SEED = 3  # of a round in which a booking changes more than once


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, set[str]]:
    """What a round leaves in which nobody is killed, and its deliveries."""
    judged: list[tuple[Outcome, set[str]]] = []

    async def run() -> None:
        logs = tmp_path_factory.mktemp("logs")
        async with AWS() as aws, Processes(build(), Path(logs)) as processes:
            await World(aws, processes, SEED).round(1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "draw", lambda _chance: None)
        patch.setattr(world, "judge", lambda outcome, bodies: judged.append((outcome, bodies)))
        asyncio.run(run())
    return judged[0]


def last_change_lost(outcome: Outcome) -> None:
    outcome["changes"].pop()


def change_repeated(outcome: Outcome) -> None:
    outcome["changes"].append(outcome["changes"][-1])


def item_lost(outcome: Outcome) -> None:
    outcome["table"].popitem()


def item_of_nobody(outcome: Outcome) -> None:
    outcome["table"]["another"] = next(iter(outcome["table"].values()))


def field_changed(outcome: Outcome) -> None:
    next(iter(outcome["table"].values()))["title"] = {"S": "Another meeting"}


def kept_body_changed(outcome: Outcome) -> None:
    kept = next(iter(outcome["table"].values()))["zoom_events"]["M"]
    next(iter(kept.values()))["M"]["event_time"]["N"] = "1"


def message_in_a_dlq(outcome: Outcome) -> None:
    outcome["set_aside"]["BookingCanceledDLQ"].append("{}")


def delivery_in_quarantine(outcome: Outcome) -> None:
    outcome["set_aside"]["QuarantineQueue"].append("{}")


def event_lost(outcome: Outcome) -> None:
    lost = outcome["inbox"][-1]
    outcome["inbox"] = [text for text in outcome["inbox"] if text != lost]


def event_doubled_under_another_id(outcome: Outcome) -> None:
    event = json.loads(outcome["inbox"][0])
    event["detail"]["metadata"]["id"] = "another"
    outcome["inbox"].append(json.dumps(event))


def event_reworded(outcome: Outcome) -> None:
    event = json.loads(outcome["inbox"][0])
    event["detail"]["booking"]["title"] = "Another meeting"
    outcome["inbox"].append(json.dumps(event))


def event_of_no_change(outcome: Outcome) -> None:
    event = json.loads(outcome["inbox"][0])
    event["detail"]["metadata"] |= {"id": "another", "revision": 99}
    outcome["inbox"].append(json.dumps(event))


def one_id_for_all(outcome: Outcome) -> None:
    events = [json.loads(text) for text in outcome["inbox"]]
    for event in events:
        event["detail"]["metadata"]["id"] = "the same"
    outcome["inbox"] = [json.dumps(event) for event in events]


def events_backwards(outcome: Outcome) -> None:
    outcome["inbox"].reverse()


def event_under_another_source(outcome: Outcome) -> None:
    outcome["inbox"] = [text.replace('"source":"bookings"', '"source":"others"') for text in outcome["inbox"]]


def test_a_round_without_kills_is_judged_well(calm: tuple[Outcome, set[str]]) -> None:
    outcome, bodies = calm
    judge(outcome, bodies)
    assert len(outcome["changes"]) > len(outcome["table"]), "a booking changes more than once"


def test_a_delivery_that_left_no_trace_is_seen(calm: tuple[Outcome, set[str]]) -> None:
    outcome, bodies = calm
    another = min(bodies).replace('"event-1-', '"event-of-nobody-')
    assert another not in bodies
    with pytest.raises(Violation, match="other bookings than were sent"):
        judge(outcome, bodies | {another})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (last_change_lost, "not what was sent"),
        (change_repeated, "does not follow the one before"),
        (item_lost, "other bookings than were sent"),
        (item_of_nobody, "other bookings than were sent"),
        (field_changed, "not what was sent"),
        (kept_body_changed, "not what was sent"),
        (message_in_a_dlq, "1 in BookingCanceledDLQ"),
        (delivery_in_quarantine, "1 in QuarantineQueue"),
        (event_lost, "announced None, not"),
        (event_doubled_under_another_id, "announced in two ways"),
        (event_reworded, "announced in two ways"),
        (event_of_no_change, "announced that is not there"),
        (one_id_for_all, "two events have one id"),
        (events_backwards, "announced too late"),
        (event_under_another_source, "under a wrong name"),
    ],
)
def test_one_thing_wrong_is_seen(
    damage: Callable[[Outcome], None], said: str, calm: tuple[Outcome, set[str]]
) -> None:
    outcome, bodies = copy.deepcopy(calm)
    damage(outcome)
    assert outcome != calm[0]
    with pytest.raises(Violation, match=said):
        judge(outcome, bodies)
