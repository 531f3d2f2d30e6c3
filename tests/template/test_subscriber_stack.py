"""The subscribing service of examples/ is safe to start from: what it is told, may do and keeps."""

import re
from typing import Any

import pytest

from tests.template.stacks import SUBSCRIBER, listed, source, stack

MAY = {
    ("sqs:ReceiveMessage", "SubscriberQueue"),
    ("sqs:DeleteMessage", "SubscriberQueue"),
    ("sqs:GetQueueAttributes", "SubscriberQueue"),
    ("dynamodb:PutItem", "BookingStatesTable"),
}
OUTPUTS = {
    "BookingStatesTableName": {"Ref": "BookingStatesTable"},
    "SubscriberDLQUrl": {"Ref": "SubscriberDLQ"},
}


def properties(name: str) -> Any:
    return stack(SUBSCRIBER).properties(name)


def test_it_asks_for_the_bus_and_where_alarms_go() -> None:
    parameters = source(SUBSCRIBER)["Parameters"]

    assert {name: parameter.get("Default") for name, parameter in parameters.items()} == {
        "EventBusName": None,
        "AlarmTopicArn": "",
    }
    assert (parameters["EventBusName"]["Type"], parameters["EventBusName"]["MinLength"]) == ("String", 1)
    assert parameters["AlarmTopicArn"]["Type"] == "String"


@pytest.mark.parametrize(
    ("topic", "is_one"),
    [("", True), ("arn:aws:sns:eu-central-1:123456789012:alarms", True), ("alarms", False), ("*", False)],
)
def test_a_topic_is_told_by_its_arn(topic: str, is_one: bool) -> None:
    pattern = source(SUBSCRIBER)["Parameters"]["AlarmTopicArn"]["AllowedPattern"]

    assert (re.fullmatch(pattern, topic) is not None) is is_one


def test_its_alarms_go_to_the_topic_where_one_is_named() -> None:
    given = {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopicArn"}, ""]}]}
    actions = {
        name: alarm["AlarmActions"]
        for name, alarm in stack(SUBSCRIBER).of_type("AWS::CloudWatch::Alarm").items()
    }
    to_the_topic = {"Fn::If": ["AlarmsGoToATopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}

    assert stack(SUBSCRIBER).template["Conditions"] == {"AlarmsGoToATopic": given}
    assert actions == {"SubscriberDLQAlarm": to_the_topic, "SubscriberErrorAlarm": to_the_topic}


def test_it_listens_on_the_bus_it_was_told() -> None:
    assert properties("BookingEventsRule")["EventBusName"] == {"Ref": "EventBusName"}


def test_its_function_may_take_events_and_keep_their_states_and_no_more() -> None:
    may = {
        (action, resource["Fn::GetAtt"][0])
        for _, statement in stack(SUBSCRIBER).role_statements()
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if not action.startswith("logs:")
    }

    assert may == MAY


def test_its_function_runs_as_it_was_tried() -> None:
    function = properties("SubscriberFunction")

    assert function["Handler"] == "app.lambda_handler"
    assert (function["MemorySize"], function["Timeout"]) == (256, 10)
    assert function["Environment"] == {"Variables": {"TABLE_NAME": {"Ref": "BookingStatesTable"}}}
    assert function["LoggingConfig"]["LogFormat"] == "JSON"  # what is logged as extra becomes fields


def test_its_log_is_found_by_its_name_and_kept_for_a_month() -> None:
    assert properties("SubscriberLogGroup") == {
        "LogGroupName": {"Fn::Sub": "/aws/lambda/${AWS::StackName}-subscriber"},
        "RetentionInDays": 30,
    }


def test_its_queue_gives_up_as_soon_as_aws_advises() -> None:
    assert properties("SubscriberQueue")["RedrivePolicy"]["maxReceiveCount"] == 5


def test_its_table_has_a_state_for_each_booking() -> None:
    assert properties("BookingStatesTable")["KeySchema"] == [
        {"AttributeName": "booking_id", "KeyType": "HASH"}
    ]


def test_it_tells_where_the_states_and_the_failures_are() -> None:
    outputs = stack(SUBSCRIBER).template["Outputs"]

    assert {name: output["Value"] for name, output in outputs.items()} == OUTPUTS
    assert all(output["Description"] for output in outputs.values())
