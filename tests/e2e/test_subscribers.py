"""Subscribers: the events they get, and a subscriber that fails."""

import json

from local.stack import ROOT
from local.template import fit
from tests.e2e.stack import DELIVERIES, Stack, history, wait_for
from tests.samples import MORNING_MS, canceled, created

LATER = MORNING_MS + 60_000
TYPES = "CloudWatch::Alarm DynamoDB::Table Events::Rule IAM::Role Lambda::EventSourceMapping Lambda::Function"
KNOWN_TYPES = {f"AWS::{each}" for each in (TYPES + " Logs::LogGroup SQS::Queue SQS::QueuePolicy").split()}


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
def test_example_subscriber_holds_up_nobody(stack: Stack, event_id: str) -> None:
    s3, cloudformation = stack.client("s3"), stack.client("cloudformation")
    s3.create_bucket(Bucket="subscriber")

    def upload(key: str, content: bytes) -> str:
        s3.put_object(Bucket="subscriber", Key=key, Body=content)
        return f"s3://subscriber/{key}"

    template, _ = fit(ROOT / "examples/subscriber/template.yaml", upload, KNOWN_TYPES)
    body, bus = json.dumps(template, default=str), stack.outputs["EventBusName"]
    parameters = [{"ParameterKey": "EventBusName", "ParameterValue": bus}]
    example = {"TemplateBody": body, "Parameters": parameters, "Capabilities": ["CAPABILITY_IAM"]}
    cloudformation.create_stack(StackName="subscriber", **example)
    patience = {"Delay": 0.05, "MaxAttempts": 400}
    cloudformation.get_waiter("stack_create_complete").wait(StackName="subscriber", WaiterConfig=patience)
    resources = cloudformation.describe_stack_resources(StackName="subscriber")["StackResources"]
    names = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}

    def states() -> list[str]:
        items = stack.client("dynamodb").scan(TableName=names["BookingStatesTable"])["Items"]
        return [item["status"]["S"] for item in items if event_id in item["booking_id"]["S"]]

    stack.deliver(created(event_id=event_id))
    wait_for("the booking at the subscriber", lambda: states() == ["confirmed"])
    broken = {"FunctionName": names["SubscriberFunction"], "Handler": "app.absent"}
    with stack.redelivery(names["SubscriberQueue"], receives=1):
        stack.client("lambda").update_function_configuration(**broken)
        stack.deliver(canceled(LATER, event_id=event_id))
        assert history(stack.events(event_id)) == ["1 BookingCreated", "2 BookingCanceled"]
        wait_for("both in the DLQ", lambda: stack.messages(names["SubscriberDLQ"]) >= 2)
    assert f'"event_id": "{event_id}"' in "".join(stack.take(names["SubscriberDLQ"]))
    assert states() == ["confirmed"]
    cloudformation.delete_stack(StackName="subscriber")
