"""Each role grants exactly the calls of its function, and queues and topic take only named senders."""

import itertools
import re

import pytest
from botocore import xform_name

from tests.template.stacks import (
    BOOKINGS,
    ROOT,
    grants,
    policies,
    queue_policy,
    sentence,
    sentences,
    stack,
)

CROSS_ACCOUNT = ROOT / "examples/cross-account"
KINDS = ["BookingCreated", "BookingCanceled"]
LOG = "Allow logs:CreateLogStream logs:PutLogEvents on"
RECEIVE = "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes"
READ_STREAM = "dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator"
PUBLISH = "Allow events:PutEvents on !BookingBus.Arn if StringEquals events:source"
BOUNDARY = {"Fn::If": ["RolesHaveBoundary", {"Ref": "PermissionsBoundaryArn"}, {"Ref": "AWS::NoValue"}]}
ROLES = {
    "Webhook": [
        "Allow secretsmanager:GetSecretValue on !ZoomSecret.Id",
        f"{PUBLISH} zoom.scheduler,zoom.scheduler.check",
        "Allow sqs:SendMessage on !BookingCreatedQueue.Arn !BookingCanceledQueue.Arn !QuarantineQueue.Arn",
        f"{LOG} !WebhookLogGroup.Arn",
    ],
    **{
        kind: [
            f"Allow {RECEIVE} sqs:ChangeMessageVisibility on !{kind}Queue.Arn",
            "Allow dynamodb:GetItem dynamodb:PutItem on !BookingsTable.Arn",
            "Allow sqs:SendMessage on !QuarantineQueue.Arn",
            f"{LOG} !{kind}LogGroup.Arn",
        ]
        for kind in KINDS
    },
    "BookingEvents": [
        f"Allow {READ_STREAM} on !BookingsTable.StreamArn",
        "Allow dynamodb:ListStreams on *",  # AWS has no resource for this action
        f"{PUBLISH} bookings,bookings.check",
        "Allow sqs:SendMessage on !BookingEventsDLQ.Arn",
        f"{LOG} !BookingEventsLogGroup.Arn",
    ],
}
# Lambda's own calls in a role's name: the pollers of queues and stream, and the log. Source: AWS Lambda
# developer guide, execution role and event source mappings, read on 2026-11-22.
PLATFORM_CALLS = f"{RECEIVE} {READ_STREAM} dynamodb:ListStreams logs:CreateLogStream logs:PutLogEvents"


@pytest.mark.parametrize("name", ROLES)
def test_role_grants_these_actions_on_these_resources(name: str) -> None:
    role = dict(stack().of_type("AWS::IAM::Role")[f"{name}Role"])
    assert role.pop("PermissionsBoundary") == BOUNDARY
    assert grants(role) == ROLES[name]
    assert len(stack().of_type("AWS::IAM::Role")) == len(ROLES)


def test_granted_actions_are_those_the_adapters_call() -> None:
    adapters = "".join(path.read_text() for path in (ROOT / "layers/runtime/bookings/aws").glob("*.py"))
    called = set(re.findall(r"self\._client\.(?!exceptions)(\w+?)(?:_batch)?\b", adapters))
    actions = [line.split(" on ")[0].split()[1:] for lines in ROLES.values() for line in lines]
    granted = set(itertools.chain(*actions))
    assert {xform_name(action.split(":")[1]) for action in granted - {*PLATFORM_CALLS.split()}} == called


# failure matrix: 15
def test_queues_take_messages_of_their_rule_over_tls() -> None:
    # EventBridge does not retry without permission: the event goes to the DLQ, which has its own statement.
    assert policies(BOOKINGS, "AWS::SQS::QueuePolicy") == {
        "QuarantineQueuePolicy": queue_policy("QuarantineQueue"),
        "BookingEventsDLQPolicy": queue_policy("BookingEventsDLQ"),
        **{
            f"{kind}{end}Policy": queue_policy(f"{kind}{end}", f"{kind}Rule")
            for kind, end in itertools.product(KINDS, ("Queue", "DLQ"))
        },
    }


def test_topic_takes_alarms_of_this_account_over_tls() -> None:
    publish = "Allow {'Service': 'cloudwatch.amazonaws.com'} sns:Publish on !AlarmTopic"
    condition = "if StringEquals aws:SourceAccount !AWS::AccountId"
    tls = "Deny * sns:Publish on !AlarmTopic if Bool aws:SecureTransport false"
    expected = {"AlarmTopicPolicy": ["!AlarmTopic", f"{publish} {condition}", tls]}
    assert policies(BOOKINGS, "AWS::SNS::TopicPolicy") == expected


def test_another_account_gets_booking_events_by_its_own_bus() -> None:
    publisher, subscriber = (CROSS_ACCOUNT / f"{name}.yaml" for name in ("publisher", "subscriber"))
    (role,) = stack(publisher).of_type("AWS::IAM::Role").values()
    ((_, document),) = [policy.values() for policy in role["Policies"]]
    assert sentences(document) == ["Allow events:PutEvents on !SubscriberBusArn"]
    trust = "Allow {'Service': 'events.amazonaws.com'} sts:AssumeRole on this"
    assert sentences(role["AssumeRolePolicyDocument"]) == [
        f"{trust} if StringEquals aws:SourceAccount !AWS::AccountId"
    ]
    rule = stack(publisher).plain("AWS::Events::Rule")["SubscriptionRule"]
    (target,) = rule["Targets"]
    assert rule["EventPattern"] == {"source": ["bookings"]}
    assert (target["Arn"], target["RoleArn"]) == ("!SubscriberBusArn", "!SubscriptionRole.Arn")
    assert target["DeadLetterConfig"] == {"Arn": "!SubscriptionDLQ.Arn"}
    assert policies(publisher, "AWS::SQS::QueuePolicy") == {
        "SubscriptionDLQPolicy": queue_policy("SubscriptionDLQ", "SubscriptionRule")
    }
    account = "Allow {'AWS': '!Sub arn:${AWS::Partition}:iam::${PublisherAccountId}:root'}"
    (bus_policy,) = stack(subscriber).plain("AWS::Events::EventBusPolicy").values()
    assert sentence(bus_policy["Statement"]) == (
        f"{account} events:PutEvents on !SubscriberBus.Arn if StringEquals events:source bookings"
    )
    last = stack(subscriber).resources["SubscriberRule"]
    assert last["DependsOn"] == ["SubscriberQueuePolicy", "SubscriberFunctionBookingEvents"]
    assert set(last["DependsOn"]) <= stack(subscriber).resources.keys()


def test_rules_without_code_may_send_to_their_target_only() -> None:
    topic, http = (ROOT / f"examples/no-code/{name}.yaml" for name in ("topic", "http"))
    rule = "rule/${EventBusName}/${AWS::StackName}"
    arn = f"!Sub arn:${{AWS::Partition}}:events:${{AWS::Region}}:${{AWS::AccountId}}:{rule}"
    sender = f"if ArnEquals aws:SourceArn {arn}"
    allow = "Allow {'Service': 'events.amazonaws.com'}"
    publish = f"{allow} sns:Publish on !BookingTopic {sender}"
    assert policies(topic, "AWS::SNS::TopicPolicy") == {"BookingTopicPolicy": ["!BookingTopic", publish]}
    for path, name in ((topic, "BookingTopicDLQ"), (http, "ApiDLQ")):
        send = f"{allow} sqs:SendMessage on !{name}.Arn {sender}"
        assert policies(path, "AWS::SQS::QueuePolicy") == {f"{name}Policy": [f"!{name}", send]}
        [subscription] = stack(path).plain("AWS::Events::Rule").values()
        [target] = subscription["Targets"]
        assert (subscription["Name"], subscription["EventPattern"]["source"]) == (
            "!AWS::StackName",
            ["bookings"],
        )
        assert target["DeadLetterConfig"] == {"Arn": f"!{name}.Arn"}
    [role] = stack(http).of_type("AWS::IAM::Role").values()
    [[_, document]] = [policy.values() for policy in role["Policies"]]
    assert sentences(document) == ["Allow events:InvokeApiDestination on !ApiDestination.Arn"]
    assert target["RoleArn"] == "!ApiRole.Arn"
