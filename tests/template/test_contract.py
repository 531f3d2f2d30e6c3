"""Parameters, outputs and conditions are those of the contract, and everything is described."""

import itertools
import re

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.template.stacks import Properties, plain, stack

LOG_GROUP = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::Logs::LogGroup").schema
LOG_DAYS = LOG_GROUP["properties"]["RetentionInDays"]["enum"]
PARAMETERS: dict[str, Properties] = stack().template["Parameters"]
BURSTS: dict[str, Properties] = stack().template["Mappings"]["Burst"]
DECLARED: dict[str, Properties] = {
    "ZoomSecretToken": {"Type": "String", "NoEcho": True, "Default": ""},
    "SignatureToleranceSeconds": {"Type": "Number", "Default": 300, "MinValue": 30, "MaxValue": 3600},
    "FanOut": {"Type": "String", "Default": "EventBridge", "AllowedValues": ["EventBridge", "SQS"]},
    "ShareAccessLinks": {"Type": "String", "Default": "false", "AllowedValues": ["true", "false"]},
    "RequestsPerSecond": {"Type": "String", "Default": "50", "AllowedValues": [*BURSTS]},
    "BookingRetentionDays": {"Type": "Number", "Default": 0, "MinValue": 0, "MaxValue": 3650},
    # Deliveries hold personal data, so 0, which is for ever, is not allowed.
    "ArchiveRetentionDays": {"Type": "Number", "Default": 30, "MinValue": 1, "MaxValue": 3650},
    "LogRetentionDays": {"Type": "Number", "Default": 30, "AllowedValues": LOG_DAYS},
    "DeletionProtection": {"Type": "String", "Default": "false", "AllowedValues": ["true", "false"]},
    "AlarmEmail": {"Type": "String", "Default": ""},
    "AlarmTopicArn": {"Type": "String", "Default": ""},
    "PermissionsBoundaryArn": {"Type": "String", "Default": ""},
}
TEXTS = {"Description", "ConstraintDescription", "AllowedPattern"}

CONSOLE = "https://${Domain}/cloudwatch/home?region=${AWS::Region}#dashboards:name=${Dashboard}"
DOMAIN = {"Fn::FindInMap": ["Console", "!AWS::Partition", "Domain"]}
TOPIC = {"Fn::If": ["TopicIsOurs", "!AlarmTopic", "!AlarmTopicArn"]}
OUTPUTS = {
    "WebhookUrl": "!Sub https://${WebhookApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/webhooks/zoom",
    "EventBusName": "!BookingBus", "EventBusArn": "!BookingBus.Arn", "BookingsTableName": "!BookingsTable",
    "BookingCreatedQueueUrl": "!BookingCreatedQueue", "BookingCreatedDLQUrl": "!BookingCreatedDLQ",
    "BookingCanceledQueueUrl": "!BookingCanceledQueue", "BookingCanceledDLQUrl": "!BookingCanceledDLQ",
    "BookingEventsDLQUrl": "!BookingEventsDLQ", "QuarantineQueueUrl": "!QuarantineQueue",
    "ZoomSecretArn": "!ZoomSecret.Id", "DashboardUrl": {"Fn::Sub": [CONSOLE, {"Domain": DOMAIN}]},
    "AlarmTopicArn": TOPIC,
}  # fmt: skip


def test_parameters_have_these_types_defaults_and_bounds() -> None:
    assert {
        name: {key: value for key, value in parameter.items() if key not in TEXTS}
        for name, parameter in PARAMETERS.items()
    } == DECLARED


@pytest.mark.parametrize(
    ("parameter", "accepted", "refused"),
    [
        (
            "ZoomSecretToken",
            ["", "aB3-_dE9fG2hJ4kL"],
            ["fifteen-letters", "white space it has", "with-a\nline-break"],
        ),
        (
            "AlarmTopicArn",
            ["", "arn:aws-cn:sns:cn-north-1:123456789012:ops"],
            ["ops", "arn:aws:sqs:x:123456789012:ops"],
        ),
        (
            "PermissionsBoundaryArn",
            ["", "arn:aws:iam::123456789012:policy/team/bound", "arn:aws:iam::aws:policy/PowerUserAccess"],
            ["bound", "arn:aws:iam::123456789012:role/bound"],
        ),
        ("AlarmEmail", ["", "ops@example.com"], ["ops", "ops@example", "a b@example.com"]),
    ],
)
def test_parameter_accepts_these_texts(parameter: str, accepted: list[str], refused: list[str]) -> None:
    pattern = re.compile(PARAMETERS[parameter]["AllowedPattern"])
    assert [text for text in accepted + refused if pattern.fullmatch(text)] == accepted


def test_form_groups_and_labels_every_parameter() -> None:
    form = stack().template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = itertools.chain.from_iterable(group["Parameters"] for group in form["ParameterGroups"])

    assert sorted(grouped) == sorted(PARAMETERS)
    assert form["ParameterLabels"].keys() == PARAMETERS.keys()


def test_outputs_and_conditions_name_these_resources() -> None:
    outputs = plain(stack().template["Outputs"])
    assert {name: output["Value"] for name, output in outputs.items()} == OUTPUTS
    assert plain(stack().template["Conditions"]) == {
        "TokenIsGiven": {"Fn::Not": [{"Fn::Equals": ["!ZoomSecretToken", ""]}]},
        "AlarmsGoByEmail": {"Fn::Not": [{"Fn::Equals": ["!AlarmEmail", ""]}]},
        "TopicIsOurs": {"Fn::Equals": ["!AlarmTopicArn", ""]},
        "RolesHaveBoundary": {"Fn::Not": [{"Fn::Equals": ["!PermissionsBoundaryArn", ""]}]},
    }


def test_a_burst_is_twice_the_rate() -> None:
    assert {rate: mapped["Requests"] for rate, mapped in BURSTS.items()} == {
        rate: 2 * int(rate) for rate in BURSTS
    }


def test_parameters_outputs_and_alarms_are_described() -> None:
    alarms = stack().of_type("AWS::CloudWatch::Alarm").values()
    assert all(each["Description"] for each in [*PARAMETERS.values(), *stack().template["Outputs"].values()])
    assert all(each["AlarmDescription"].count(". ") >= 1 for each in alarms)  # the cause, then the remedy
