"""What the roles grant is what is used, to the letter: recorded over HTTP, and what AWS does in their name.

Runs last: it drives every path that calls a service, and counts in what all other tests made the functions
call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.stack import STACK_NAME
from tests.stack.deliveries import Body, canceled, created
from tests.stack.running import Queue, StackUnderTest, wait_for
from tests.template.stacks import BOOKINGS, listed
from tests.template.stacks import stack as template

pytestmark = pytest.mark.xdist_group("stack")

Grant = tuple[str, str]
"""An action, and the ARN it is allowed on as the template names it: `BookingsTable.StreamArn`."""

ANYTHING = "*"

# Each with the log that its function writes. A log group's ARN ends in `:*`, which CloudFormation puts there
# for its streams: Lambda alone knows their names.
ROLES = {
    "WebhookRole": "WebhookLogGroup.Arn",
    "BookingCreatedRole": "BookingCreatedLogGroup.Arn",
    "BookingCanceledRole": "BookingCanceledLogGroup.Arn",
    "BookingEventsRole": "BookingEventsLogGroup.Arn",
}

# What Lambda does in a role's name, outside of our code; read on 2026-11-22 in the Lambda developer guide.
BY_THE_PLATFORM: Mapping[str, frozenset[Grant]] = {
    # "Configuring permissions for an event source mapping" of SQS: its pollers.
    **{
        f"{kind}Role": frozenset(
            {
                ("sqs:ReceiveMessage", f"{kind}Queue.Arn"),
                ("sqs:DeleteMessage", f"{kind}Queue.Arn"),
                ("sqs:GetQueueAttributes", f"{kind}Queue.Arn"),
            }
        )
        for kind in ("BookingCreated", "BookingCanceled")
    },
    "BookingEventsRole": frozenset(
        {
            # "Process DynamoDB records with Lambda": its poller. ListStreams has no resource to name.
            ("dynamodb:DescribeStream", "BookingsTable.StreamArn"),
            ("dynamodb:GetRecords", "BookingsTable.StreamArn"),
            ("dynamodb:GetShardIterator", "BookingsTable.StreamArn"),
            ("dynamodb:ListStreams", ANYTHING),
            # "Retaining discarded batches": the mapping's on-failure destination.
            ("sqs:SendMessage", "BookingEventsDLQ.Arn"),
        }
    ),
}

# "Sending Lambda function logs to CloudWatch Logs"; the group itself is the template's.
OF_A_LOG = ("logs:CreateLogStream", "logs:PutLogEvents")

# The permission of a batch call is that of the single one: "Actions, resources, and condition keys for
# Amazon SQS" lists no other.
PERMISSION_OF = {"ChangeMessageVisibilityBatch": "ChangeMessageVisibility"}

# What a call is on, by the parameter that names it, and the attribute by which the template tells its ARN.
NAMED_BY = {"sqs": "QueueUrl", "dynamodb": "TableName", "secretsmanager": "SecretId"}
ARN = {"secretsmanager": "Id"}


class Calls:
    """What the functions of the stack have called so far."""

    def __init__(self, stack: StackUnderTest, file: Path) -> None:
        self._file = file
        cloudformation = stack.running.client("cloudformation")
        resources = cloudformation.describe_stack_resources(StackName=STACK_NAME)["StackResources"]
        self._logical = {each["PhysicalResourceId"]: each["LogicalResourceId"] for each in resources}
        # A secret is called by its ARN, of which the emulator tells the name only.
        self._logical[stack.running.outputs["ZoomSecretArn"]] = "ZoomSecret"

    def used(self, role: str) -> set[Grant]:
        """The permissions that a role's calls needed."""
        return {
            (f"{call['service']}:{operation}", f"{name}.{ARN.get(call['service'], 'Arn')}")
            for call in self._of(role)
            for operation in [PERMISSION_OF.get(call["operation"], call["operation"])]
            for name in self._resources(call)
        }

    def sources(self, role: str) -> set[str]:
        """As which sources it published."""
        return {
            entry["Source"]
            for call in self._of(role)
            if call["operation"] == "PutEvents"
            for entry in call["parameters"]["Entries"]
        }

    def _of(self, role: str) -> Iterator[dict[str, Any]]:
        for line in self._file.read_text(encoding="utf-8").splitlines():
            call = json.loads(line)
            # A session of another name is a test's, which tries what a role may not do.
            if self._logical.get(call["role"]) == role and call["session"] in self._logical:
                yield call

    def _resources(self, call: Mapping[str, Any]) -> set[str]:
        parameters = call["parameters"]
        if call["service"] == "events":
            return {self._name(entry["EventBusName"]) for entry in parameters.get("Entries", [{}])}
        return {self._name(str(parameters.get(NAMED_BY.get(call["service"], ""), "")))}

    def _name(self, told: str) -> str:
        """The logical name of what a call names by an id, a URL, a name or an ARN; else what was told."""
        return next(
            (
                self._logical[physical]
                for physical in (told, told.rpartition("/")[2], told.rpartition(":")[2])
                if physical in self._logical
            ),
            told or ANYTHING,
        )


@pytest.fixture(scope="module")
def calls(stack: StackUnderTest, calls_file: Path) -> Calls:
    """The calls, after every path that calls something has been gone."""
    drive_every_path(stack)
    return Calls(stack, calls_file)


def drive_every_path(stack: StackUnderTest) -> None:
    # The secret is read, and both sources of deliveries and of booking events are published.
    with stack.new_process("WebhookFunction"):
        for event_id in ("permissions", "bookings-check-permissions"):
            assert stack.deliver(created(event_id)) in {"BookingWritten", "Duplicate"}
            assert stack.deliver(canceled(event_id)) in {"BookingWritten", "Duplicate"}
    stack.events("permissions")
    wait_for("the check's event", lambda: stack.checks.about("bookings-check-permissions"))
    # What can't be used goes to quarantine, and past a bus that refuses the handlers' queues are used.
    assert stack.post(b"not JSON").status == 400
    with stack.denied("WebhookRole", "events:PutEvents"):
        for body in (created("permissions"), canceled("permissions")):
            assert stack.post(body).status == 200
    for kind, queue, delivery in (
        ("created", stack.created_queue, created),
        ("canceled", stack.canceled_queue, canceled),
    ):
        # What fits no item goes to quarantine; what the table refuses comes back later.
        assert stack.deliver(delivery(f"permissions-{kind}", summary="x" * 600_000)) == "Quarantined"
        come_back_later(stack, kind, queue, delivery(f"permissions-{kind}"))
    # A delivery that looks expired has its booking read.
    with stack.parameters(BookingRetentionDays="1"):
        for make in (created, canceled):
            old = make("permissions-expired", end_date_time="2020-01-02T00:00:00Z")
            assert stack.deliver(old) == "PastRetention"
    # A change that can't be read goes to the DLQ of booking events.
    stack.put_item({"booking_id": {"S": "permissions-unreadable"}, "revision": {"N": "1"}})
    wait_for("the DLQ", lambda: stack.events_dlq.waiting)
    stack.events_dlq.take()


def come_back_later(stack: StackUnderTest, kind: str, queue: Queue, body: Body) -> None:
    with stack.denied(f"Booking{kind.title()}Role", "dynamodb:PutItem"):
        answer = stack.post(body)
        assert answer.status == 200
        wait_for(
            "a record that failed",
            lambda: any(
                line.get("message") == "record failed"
                for line in stack.log_lines(f"booking-{kind}", since=answer.sent_at)
            ),
        )
        wait_for("the message to be away", lambda: queue.in_flight == 1)
    queue.purge()


def granted(role: str) -> set[Grant]:
    return {
        (action, resource if isinstance(resource, str) else ".".join(resource["Fn::GetAtt"]))
        for name, statement in template(BOOKINGS).role_statements()
        if name == role
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def test_each_function_has_the_role_that_is_looked_at() -> None:
    assert template(BOOKINGS).of_type("AWS::IAM::Role").keys() == ROLES.keys()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_grants_what_is_used_and_nothing_else(calls: Calls, role: str) -> None:
    used = calls.used(role)
    by_the_platform = BY_THE_PLATFORM.get(role, frozenset()) | {(action, ROLES[role]) for action in OF_A_LOG}

    assert used, "nothing was recorded"
    assert used - granted(role) == set(), "called, and not granted"
    assert granted(role) - used - by_the_platform == set(), "granted, and neither called nor the platform's"
    assert by_the_platform - granted(role) == set(), "the platform's, and not granted"


@pytest.mark.parametrize("role", ["WebhookRole", "BookingEventsRole"])
def test_a_role_may_publish_as_the_sources_it_publishes_as_and_no_other(calls: Calls, role: str) -> None:
    (statement,) = [
        statement
        for name, statement in template(BOOKINGS).role_statements()
        if name == role and statement["Action"] == "events:PutEvents"
    ]

    assert calls.sources(role) == set(statement["Condition"]["StringEqualsIfExists"]["events:source"])
