"""Least privilege: a role grants the calls of its function. The emulator's CloudTrail records them."""

import re
from functools import partial
from pathlib import Path

import urllib3

from tests.e2e.stack import Stack, wait_for
from tests.samples import canceled, created

# Lambda itself uses these grants, for its logs and its pollers.
BY_LAMBDA = "logs:|sqs:(Receive|Delete|GetQueue)|dynamodb:(DescribeStream|ListStreams|GetRecords|GetShard)"
RESOURCE = r'"(?:QueueUrl|TableName|SecretId|EventBusName)": "[^"]*?([^":/]+)"'

type Grants = set[tuple[str, str]]
"""Actions, and the last parts of the ARNs of their resources."""


def test_role_grants_what_its_function_calls(stack: Stack) -> None:
    configuration = f"{stack.url}/_ministack/config?Signature="  # past the HTTP API
    urllib3.request("POST", configuration, json={"cloudtrail._recording_enabled": True})
    take_every_path(stack)
    urllib3.request("POST", configuration, json={"cloudtrail._recording_enabled": False})
    for kind in ("Webhook", "BookingCreated", "BookingCanceled", "BookingEvents"):
        assert used(stack, f"{kind}Function") == granted(stack, f"{kind}Role")


def take_every_path(stack: Stack) -> None:
    with stack.environment("WebhookFunction"):  # a new process reads the secret
        assert stack.post(b"no JSON").status == 400
    with stack.denied("WebhookRole", "events:PutEvents"):
        assert {stack.deliver(each) for each in (created(), canceled())} <= {"BookingWritten", "Duplicate"}
    for kind, make in (("Created", created), ("Canceled", canceled)):
        assert stack.deliver(make(summary="x" * 600_000, event_id=kind)) == "Quarantined"
        assert stack.deliver(make(0, event_id=kind, end_date_time="2001-01-01T00:00:00Z")) == "PastRetention"
        with stack.denied(f"Booking{kind}Role", "dynamodb:PutItem"):
            answer = stack.post(make(event_id="refused"))
            log = partial(stack.log, f"booking-{kind.lower()}", answer)
            wait_for("its metric", partial(log, "RecordFailed"))
            assert log("redelivery not delayed") == []
        stack.client("sqs").purge_queue(QueueUrl=stack.outputs[f"Booking{kind}QueueUrl"])
    item = {"booking_id": {"S": "unreadable"}, "revision": {"N": "1"}}
    stack.client("dynamodb").put_item(TableName=stack.outputs["BookingsTableName"], Item=item)
    wait_for("its change in the DLQ", lambda: stack.take(stack.outputs["BookingEventsDLQUrl"]))


def used(stack: Stack, function: str) -> Grants:
    variables = Path(f"/proc/{stack.processes(function)[0]}/environ").read_text()
    [key] = re.findall(r"AWS_ACCESS_KEY_ID=(\w+)", variables)
    by_key = [{"AttributeKey": "AccessKeyId", "AttributeValue": key}]
    grants = set()
    for call in stack.client("cloudtrail").lookup_events(LookupAttributes=by_key)["Events"]:
        action = f"{call['EventSource'].split('.')[0]}:{call['EventName'].removesuffix('Batch')}"
        grants |= {(action, name) for name in re.findall(RESOURCE, call["CloudTrailEvent"])}
    return grants


def granted(stack: Stack, role: str) -> Grants:
    iam, name = stack.client("iam"), stack.physical_id(role)
    [policy] = iam.list_role_policies(RoleName=name)["PolicyNames"]
    grants = set()
    for each in iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]["Statement"]:
        actions, arns = ([x] if isinstance(x, str) else x for x in (each["Action"], each["Resource"]))
        names = {re.split("[:/]", arn)[-1] for arn in arns}
        grants |= {(action, name) for action in actions for name in names}
    return {grant for grant in grants if not re.match(BY_LAMBDA, grant[0])}
