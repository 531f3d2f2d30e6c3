"""`bookings listen`: the printed events, and the temporary rule and queue behind them."""

import json
import time
from typing import Any

import boto3
import pytest

from cli.stack import find_stack
from cli.temporary_rule import TemporaryRule, temporary_rule

from .conftest import STACK, Deployed, on_stack

DAY = 86_400
BUS = f"{STACK}-bookings"


def left_behind() -> list[str]:
    """The rules and queues of this and earlier commands."""
    names = [rule["Name"] for rule in boto3.client("events").list_rules(EventBusName=BUS)["Rules"]]
    names += [url.rpartition("/")[2] for url in boto3.client("sqs").list_queues().get("QueueUrls", [])]
    return sorted(name for name in names if name.startswith("bookings-listen-"))


@pytest.fixture
def published(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Events that come while the command listens. Then comes Ctrl-C."""
    entries: list[dict[str, Any]] = []
    receive = TemporaryRule.receive

    def received(rule: TemporaryRule, _wait_seconds: int) -> list[dict[str, Any]]:
        if not entries:
            raise KeyboardInterrupt
        put: Any = [entries.pop(0) for _ in list(entries)]
        boto3.client("events").put_events(Entries=put)
        return receive(rule, 0)

    monkeypatch.setattr(TemporaryRule, "receive", received)
    return entries


def entry(source: str, detail: dict[str, Any]) -> dict[str, Any]:
    about = {"EventBusName": BUS, "Source": source, "DetailType": "BookingCreated"}
    return about | {"Detail": json.dumps(detail)}


BOOKING = {"title": "Call\x1b[31m\nme", "invitee": {"first_name": "Ann", "last_name": "Bo"}}
OURS = entry("bookings", {"metadata": {"booking_id": "evt-1-0123"}, "booking": BOOKING})
OTHERS = entry("zoom.scheduler", {"payload": 1})


@pytest.mark.parametrize(
    ("event", "options", "line"),
    [
        (OURS, (), "BookingCreated  Call�[31m me, Ann Bo  evt-1-0123"),
        (entry("bookings", {"booking": {}}), (), "BookingCreated  bookings"),
        (OTHERS, ("--pattern", '{"source": ["zoom.scheduler"]}'), "BookingCreated  zoom.scheduler"),
    ],
    ids=["ours", "without details", "of another source"],
)
def test_an_event_is_one_line(
    published: list[dict[str, Any]], event: dict[str, Any], options: tuple[str, ...], line: str
) -> None:
    published += [event, entry("unwanted", {})]
    result = on_stack("listen", *options)
    assert [printed[21:] for printed in result.stdout.splitlines()] == [line]
    assert result.stderr == f"Listening to stack {STACK}. Ctrl-C ends it.\n"
    assert (result.exit_code, left_behind()) == (0, [])


def test_raw_events_are_lines_of_json(published: list[dict[str, Any]]) -> None:
    published += [OURS, OURS]
    lines = on_stack("listen", "--json").stdout.splitlines()
    assert [json.loads(line)["detail"] for line in lines] == [json.loads(OURS["Detail"])] * 2


@pytest.mark.parametrize("pattern", ["", "[]", "{"])
def test_a_pattern_must_be_an_object(pattern: str) -> None:
    result = on_stack("listen", "--pattern", pattern)
    assert (result.exit_code, result.stdout) == (2, "")


def test_only_this_rule_may_send_to_the_queue(deployed: Deployed) -> None:
    sqs = boto3.client("sqs")
    with temporary_rule(find_stack(local=False, name=STACK), "{}") as rule:
        url = sqs.get_queue_url(QueueName=rule.name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        rule_arn = boto3.client("events").describe_rule(Name=rule.name, EventBusName=BUS)["Arn"]
    [statement] = json.loads(attributes["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", attributes["QueueArn"])
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rule_arn}}


def test_rules_of_over_a_day_ago_are_removed(published: list[dict[str, Any]]) -> None:
    now = int(time.time())
    old = f"bookings-listen-{STACK}-{now - DAY - 60}-00ff"
    young = f"bookings-listen-{STACK}-{now - DAY + 60}-00ff"
    another_stacks = f"bookings-listen-{STACK}-2-{now - DAY - 60}-00ff"
    events = boto3.client("events")
    for name in (old, young, another_stacks):
        boto3.client("sqs").create_queue(QueueName=name)
        events.put_rule(Name=name, EventBusName=BUS, EventPattern="{}")
        target: Any = {"Id": "queue", "Arn": f"arn:aws:sqs:us-east-1:123456789012:{name}"}
        events.put_targets(Rule=name, EventBusName=BUS, Targets=[target])

    assert on_stack("listen").exit_code == 0
    assert left_behind() == sorted(2 * [young, another_stacks])
