"""Each role grants exactly the calls of its function, and queues and topic take only named senders."""

import itertools
import re

import pytest
from botocore import xform_name

from tests.template.stacks import BOOKINGS, ROOT, grants, policies, queue_policy, sentence, stack

KINDS = ["BookingCreated", "BookingCanceled"]
LOG = "Allow logs:CreateLogStream logs:PutLogEvents on"
RECEIVE = "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes"
READ_STREAM = "dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator"
# IfExists is for emulators: on AWS every PutEvents has the key.
PUBLISH = "Allow events:PutEvents on !BookingBus.Arn if StringEqualsIfExists events:source"
MANAGE_RULES = (
    "events:DeleteRule events:DescribeRule events:DisableRule events:EnableRule events:ListTagsForResource "
    "events:ListTargetsByRule events:PutTargets events:RemoveTargets events:TagResource events:UntagResource"
)
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
    assert grants(stack().of_type("AWS::IAM::Role")[f"{name}Role"]) == ROLES[name]
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


def test_other_accounts_may_make_rules_for_booking_events() -> None:
    rules = "!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${BookingBus}/*"
    own = "if StringEqualsIfExists events:creatorAccount ${aws:PrincipalAccount}"
    allow = "Allow {'AWS': '!SubscriberAccountIds'}"
    bookings = "if StringEquals events:source bookings"
    found = stack().plain("AWS::Events::EventBusPolicy")

    assert {name: sentence(policy.pop("Statement")) for name, policy in found.items()} == {
        "SubscriberRulePolicy": f"{allow} events:PutRule on {rules} {bookings} {own}",
        "SubscriberTargetPolicy": f"{allow} {MANAGE_RULES} on {rules} {own}",
    }
    assert [policy.pop("EventBusName") for policy in found.values()] == ["!BookingBus"] * 2
    assert [*map(set, found.values())] == [{"StatementId"}] * 2


def test_topic_takes_this_stacks_alarms_over_tls() -> None:
    alarms = ",".join(f"!{name}.Arn" for name in stack().of_type("AWS::CloudWatch::Alarm"))
    publish = "Allow {'Service': 'cloudwatch.amazonaws.com'} sns:Publish on !AlarmTopic"
    condition = f"if StringEquals aws:SourceAccount !AWS::AccountId if ArnEquals aws:SourceArn {alarms}"
    tls = "Deny * sns:Publish on !AlarmTopic if Bool aws:SecureTransport false"
    expected = {"AlarmTopicPolicy": ["!AlarmTopic", f"{publish} {condition}", tls]}
    assert policies(BOOKINGS, "AWS::SNS::TopicPolicy") == expected
