"""Subscribers: the events they get, and a subscriber that fails."""

import contextlib
import json
import re
from functools import partial
from typing import Any

from typer.testing import CliRunner

from cli.main import app
from local.stack import ROOT
from tests.e2e.stack import DELIVERIES, Stack, history, wait_for
from tests.samples import MORNING_MS, canceled, created

LATER = MORNING_MS + 60_000
README = ROOT / "README.md"


def test_event_is_the_item_without_access_links(stack: Stack, event_id: str) -> None:
    answer = stack.post(created(event_id=event_id))
    [event], [item] = stack.events(event_id), stack.items(event_id)
    internal = {name: item.pop(name) for name in ("zoom_events", "revision", "expires_at")}
    links = {name: item.pop(name) for name in ("manage_url", "location")}
    unlinked = {"kind": "zoom", "online_meeting": {"kind": "zoom", "meeting_id": "94777886776"}}
    assert (event["booking"], event["previous"]) == (item | {"location": unlinked}, None)
    metadata = {"schema_version": "1", "revision": internal["revision"], "occurred_at": item["updated_at"]}
    assert event["metadata"] | metadata == event["metadata"]
    assert event["resources"] == [f"zoom-request/{answer.request_id}"]
    with stack.environment("BookingEventsFunction", SHARE_ACCESS_LINKS="true"):
        stack.deliver(created(LATER, event_id=event_id, summary="Second"))
        booking = stack.events(event_id)[-1]["booking"]
    assert {name: booking[name] for name in links} == links


# failure matrix: 36
def test_unknown_event_is_published_as_it_is(stack: Stack, event_id: str) -> None:
    body = created(event_id=event_id, unknown={"é": [1.5, None]}) | {"event": "scheduler.new"}
    answer = stack.post(body)
    [event] = stack.events(event_id, source=DELIVERIES)
    assert event == body | {"type": "scheduler.new", "resources": [f"zoom-request/{answer.request_id}"]}


def test_test_booking_has_sources_of_its_own(stack: Stack, event_id: str) -> None:
    event_id = f"bookings-check-{event_id}"
    stack.deliver(created(event_id=event_id))
    with stack.denied("WebhookRole", "events:PutEvents"):  # also past the bus
        stack.deliver(canceled(LATER, event_id=event_id))
    assert stack.events(event_id) == stack.received(event_id, source=DELIVERIES) == []
    checks = stack.received(event_id, source="bookings.check")
    assert history(checks) == ["1 BookingCreated", "2 BookingCanceled"]
    assert len(stack.received(event_id, source=f"{DELIVERIES}.check")) == 1


# failure matrix: 48
def test_readme_subscribes_a_service_that_holds_up_nobody(stack: Stack, event_id: str) -> None:
    steps = README.read_text(encoding="utf-8").partition("## Subscribe a service")[2].partition("\n## ")[0]
    [name], [bus], [announce] = (
        re.findall(pattern, steps)
        for pattern in (r"deploy --stack-name (\S+)", r"EventBusName=([\w-]+)", r"bin/bookings (announce .*)")
    )

    def logged() -> list[dict[str, Any]]:
        lines = stack.log_texts(f"/aws/lambda/{name}-subscriber")
        return [json.loads(line) for line in lines if '"outcome"' in line]

    def announced(*option: str) -> dict[str, Any]:
        before = len(logged())
        with contextlib.chdir(stack.folder):
            assert CliRunner().invoke(app, [*announce.split(), *option]).exit_code == 0
        wait_for("the message", lambda: len(logged()) > before)
        return logged()[-1]

    def revisions() -> list[str]:
        items = stack.client("dynamodb").scan(TableName=example["RevisionsTable"])["Items"]
        return [item["revision"]["N"] for item in items if event_id in item["booking_id"]["S"]]

    with stack.deployed("subscriber/template.yaml", name, EventBusName=bus) as example:
        first = announced()
        assert json.dumps(first) in steps
        assert announced("--to-queue", example["SubscriberQueueUrl"]) == first | {"outcome": "old"}
        stack.deliver(created(event_id=event_id))
        wait_for("the booking at the subscriber", lambda: revisions() == ["1"])
        broken = {"FunctionName": example["SubscriberFunction"], "Handler": "app.absent"}
        with stack.redelivery(example["SubscriberQueue"], receives=1):
            stack.client("lambda").update_function_configuration(**broken)
            stack.deliver(canceled(LATER, event_id=event_id))
            assert history(stack.events(event_id)) == ["1 BookingCreated", "2 BookingCanceled"]
            wait_for("both in the DLQ", lambda: stack.messages(example["SubscriberDLQ"]) >= 2)
        assert f'"event_id": "{event_id}"' in "".join(stack.take(example["SubscriberDLQ"]))
        assert revisions() == ["1"]


def test_topic_gets_a_sentence(stack: Stack, event_id: str) -> None:
    bus = stack.outputs["EventBusName"]
    with stack.deployed("no-code/topic.yaml", "no-code", EventBusName=bus) as example:
        url, arn = stack.queue("sentences")
        topic = {"TopicArn": example["BookingTopicArn"], "Protocol": "sqs", "Endpoint": arn}
        stack.client("sns").subscribe(**topic, Attributes={"RawMessageDelivery": "true"})
        stack.deliver(created(event_id=event_id, summary="Tour"))
        stack.deliver(canceled(LATER, event_id=event_id, rescheduled=True))  # its rule leaves out moves
        stack.events(event_id)
        [sentence] = [text for text in stack.take(url) if event_id in text]
    assert re.fullmatch(r'"Tour, \S+Z, with \S+@\S+ is confirmed \(booking \S+\)\."', sentence), sentence


def test_bus_of_another_account_gets_booking_events(stack: Stack, event_id: str) -> None:
    account = {"PublisherAccountId": "000000000000"}  # the emulator's only one, so both buses are in it
    with stack.deployed("cross-account/subscriber.yaml", "theirs", **account) as theirs:
        ours = {name: stack.outputs[name] for name in ("EventBusName", "AlarmTopicArn")}
        ours["SubscriberBusArn"] = theirs["SubscriberBusArn"]
        with stack.deployed("cross-account/publisher.yaml", "ours", **ours):
            stack.deliver(created(event_id=event_id))
            group = f"/aws/lambda/{theirs['SubscriberFunction']}"
            groups = partial(stack.client("logs").describe_log_groups, logGroupNamePrefix=group)
            wait_for("their log", lambda: groups()["logGroups"])
            [line] = wait_for("the line", lambda: [x for x in stack.log_texts(group) if event_id in x])
    assert json.loads(line)["event"] == "BookingCreated"
