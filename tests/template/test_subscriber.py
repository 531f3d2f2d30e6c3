"""The subscribing service of examples/ is safe to start from."""

import re

import pytest

from bookings.domain.events import EventType
from tests.template import stacks
from tests.template.stacks import DLQ, SUBSCRIBER, plain, stack

# fmt: off
RESOURCES = {
    "AWS::Events::Rule": {"SubscriberRule": {"Name": "!AWS::StackName"} | stacks.rule(
        "EventBusName", "SubscriberQueue", "SubscriberDLQ",
        {"source": ["bookings"], "detail-type": [*EventType]},
    )},
    "AWS::SQS::Queue": {
        # AWS's least for a queue that a function reads.
        "SubscriberQueue": stacks.source_queue("SubscriberDLQ", receives=5) | {"VisibilityTimeout": 6 * 60},
        "SubscriberDLQ": DLQ,
    },
    "AWS::Lambda::Function": {"SubscriberFunction": {
        "Handler": "app.lambda_handler", "Runtime": "python3.13", "Architectures": ["arm64"],
        "MemorySize": 256, "Timeout": 60, "Role": "!SubscriberRole.Arn",
        "LoggingConfig": {"LogGroup": "!SubscriberLogGroup"},
        "Environment": {"Variables": {
            "TABLE_NAME": "!RevisionsTable", "CHAT_WEBHOOK_URL": "!ChatWebhookUrl",
        }},
    }},
    "AWS::Lambda::EventSourceMapping": {
        "SubscriberFunctionBookingEvents": stacks.queue_mapping("SubscriberQueue", "SubscriberFunction"),
    },
    "AWS::Logs::LogGroup": {"SubscriberLogGroup": {
        "LogGroupName": "!Sub /aws/lambda/${AWS::StackName}-subscriber", "RetentionInDays": 30,
    }},
    "AWS::DynamoDB::Table": {"RevisionsTable": {
        "BillingMode": "PAY_PER_REQUEST", "SSESpecification": {"SSEEnabled": True},
        "AttributeDefinitions": [{"AttributeName": "booking_id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "booking_id", "KeyType": "HASH"}],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }},
}
# fmt: on
RULE = "rule/${EventBusName}/${AWS::StackName}"
RULE_ARN = f"arn:${{AWS::Partition}}:events:${{AWS::Region}}:${{AWS::AccountId}}:{RULE}"


# failure matrix: 48
@pytest.mark.parametrize("kind", RESOURCES)
def test_example_has_a_queue_and_a_dlq_of_its_own(kind: str) -> None:
    assert stack(SUBSCRIBER).plain(kind) == RESOURCES[kind]


def test_example_has_least_permissions() -> None:
    queues = "!SubscriberQueue.Arn !SubscriberDLQ.Arn"
    send = f"Allow {{'Service': 'events.amazonaws.com'}} sqs:SendMessage on {queues}"
    assert stacks.policies(SUBSCRIBER, "AWS::SQS::QueuePolicy") == {
        "SubscriberQueuePolicy": [
            *("!SubscriberQueue", "!SubscriberDLQ", f"{send} if ArnEquals aws:SourceArn !Sub {RULE_ARN}"),
            f"Deny * sqs:* on {queues} if Bool aws:SecureTransport false",
        ]
    }
    assert stack(SUBSCRIBER).resources["SubscriberRule"]["DependsOn"] == [
        "SubscriberQueuePolicy",
        "SubscriberFunctionBookingEvents",
    ]
    (role,) = stack(SUBSCRIBER).of_type("AWS::IAM::Role").values()
    assert stacks.grants(role) == [
        "Allow sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes on !SubscriberQueue.Arn",
        "Allow dynamodb:GetItem dynamodb:PutItem on !RevisionsTable.Arn",
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
    topic, url = "arn:aws:sns:eu-central-1:123456789012:alarms", "https://hooks.slack.com/services/T0/B0/x"
    texts = ["", "bookings-dev", topic, url, url.replace("https", "http"), "*"]
    taken = {
        name: [text for text in texts if re.fullmatch(each["AllowedPattern"], text)]
        for name, each in parameters.items()
    }
    assert taken == {
        "EventBusName": ["bookings-dev"],
        "ChatWebhookUrl": ["", url],
        "AlarmTopicArn": ["", topic],
    }
    assert parameters["ChatWebhookUrl"]["NoEcho"]
    assert {name: output["Value"] for name, output in outputs.items()} == {
        "SubscriberQueueUrl": "!SubscriberQueue", "SubscriberDLQUrl": "!SubscriberDLQ",
    }  # fmt: skip
