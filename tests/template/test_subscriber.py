"""The subscribing service of examples/ is safe to start from."""

import re

import pytest

from bookings.domain.events import EventType
from tests.template import stacks
from tests.template.stacks import DLQ, SUBSCRIBER, plain, stack

# fmt: off
RESOURCES = {
    "AWS::Events::Rule": {"BookingEventsRule": stacks.rule(
        "EventBusName", "SubscriberQueue", "SubscriberDLQ",
        {"source": ["bookings"], "detail-type": [*EventType]},
    )},
    "AWS::SQS::Queue": {
        # AWS's least for a queue that a function reads.
        "SubscriberQueue": stacks.source_queue("SubscriberDLQ", receives=5), "SubscriberDLQ": DLQ,
    },
    "AWS::Lambda::Function": {"SubscriberFunction": {
        "Handler": "app.lambda_handler", "Runtime": "python3.13", "Architectures": ["arm64"],
        "MemorySize": 256, "Timeout": 10, "Role": "!SubscriberRole.Arn",
        "LoggingConfig": {"LogGroup": "!SubscriberLogGroup", "LogFormat": "JSON"},
        "Environment": {"Variables": {"TABLE_NAME": "!BookingStatesTable"}},
    }},
    "AWS::Lambda::EventSourceMapping": {
        "SubscriberFunctionBookingEvents": stacks.queue_mapping("SubscriberQueue", "SubscriberFunction"),
    },
    "AWS::Logs::LogGroup": {"SubscriberLogGroup": {
        "LogGroupName": "!Sub /aws/lambda/${AWS::StackName}-subscriber", "RetentionInDays": 30,
    }},
    "AWS::DynamoDB::Table": {"BookingStatesTable": {
        "BillingMode": "PAY_PER_REQUEST", "SSESpecification": {"SSEEnabled": True},
        "AttributeDefinitions": [{"AttributeName": "booking_id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "booking_id", "KeyType": "HASH"}],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }},
}
# fmt: on


# failure matrix: 48
@pytest.mark.parametrize("kind", RESOURCES)
def test_example_has_a_queue_and_a_dlq_of_its_own(kind: str) -> None:
    assert stack(SUBSCRIBER).plain(kind) == RESOURCES[kind]


def test_example_has_least_permissions() -> None:
    assert stacks.policies(SUBSCRIBER, "AWS::SQS::QueuePolicy") == {
        f"{queue}Policy": stacks.queue_policy(queue, "BookingEventsRule")
        for queue in ("SubscriberQueue", "SubscriberDLQ")
    }
    (role,) = stack(SUBSCRIBER).of_type("AWS::IAM::Role").values()
    assert stacks.grants(role) == [
        "Allow sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes on !SubscriberQueue.Arn",
        "Allow dynamodb:PutItem on !BookingStatesTable.Arn",
        "Allow logs:CreateLogStream logs:PutLogEvents on !SubscriberLogGroup.Arn",
    ]
    types = {"AWS::SQS::QueuePolicy", "AWS::IAM::Role", "AWS::CloudWatch::Alarm", *RESOURCES}
    assert {resource["Type"] for resource in stack(SUBSCRIBER).resources.values()} == types


def test_example_rings_at_the_topic_it_is_given() -> None:
    alarms = plain(stack(SUBSCRIBER).of_type("AWS::CloudWatch::Alarm"))
    messages = "AWS/SQS ApproximateNumberOfMessagesVisible QueueName=!SubscriberDLQ.QueueName Maximum"
    errors = "AWS/Lambda Errors FunctionName=!SubscriberFunction Sum"

    assert {name: stacks.watch(alarm) for name, alarm in alarms.items()} == {
        "SubscriberDLQAlarm": f"{messages} >= 1 in 1 of 1 x 60 s",
        "SubscriberErrorAlarm": f"{errors} >= 1 in 1 of 1 x 300 s",
    }
    for alarm in alarms.values():
        assert alarm["AlarmDescription"]
        assert alarm["AlarmActions"] == {"Fn::If": ["AlarmsGoToATopic", ["!AlarmTopicArn"], "!AWS::NoValue"]}
    given = {"Fn::Not": [{"Fn::Equals": ["!AlarmTopicArn", ""]}]}
    assert plain(stack(SUBSCRIBER).template["Conditions"]) == {"AlarmsGoToATopic": given}


def test_example_has_these_parameters_and_outputs() -> None:
    parameters, outputs = (plain(stack(SUBSCRIBER).template[part]) for part in ("Parameters", "Outputs"))
    bus, topic = parameters["EventBusName"], parameters["AlarmTopicArn"]
    texts = ["", "arn:aws:sns:eu-central-1:123456789012:alarms", "alarms", "*"]

    assert (len(parameters), bus["Type"], bus["MinLength"], bus.get("Default")) == (2, "String", 1, None)
    assert (topic["Type"], topic["Default"]) == ("String", "")
    assert [text for text in texts if re.fullmatch(topic["AllowedPattern"], text)] == texts[:2]
    assert {name: output["Value"] for name, output in outputs.items()} == {
        "BookingStatesTableName": "!BookingStatesTable", "SubscriberDLQUrl": "!SubscriberDLQ",
    }  # fmt: skip
