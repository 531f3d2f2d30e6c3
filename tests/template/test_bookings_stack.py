"""The bookings stack keeps the contract: what it takes, gives, allows and tells the functions."""

import dataclasses
import itertools
import json
import re
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from bookings.limits import FIRST_DELAY_SECONDS, MAX_BODY_BYTES
from bookings.settings import BookingEventsSettings, BookingSettings, WebhookSettings
from tests.template.stacks import BOOKINGS, ROOT, Stack, listed, logical, source, stack

README = ROOT / "README.md"
SETTINGS: dict[str, type[WebhookSettings | BookingSettings | BookingEventsSettings]] = {
    "WebhookFunction": WebhookSettings,
    "BookingCreatedFunction": BookingSettings,
    "BookingCanceledFunction": BookingSettings,
    "BookingEventsFunction": BookingEventsSettings,
}
SERVICES = {
    "WebhookFunction": "webhook",
    "BookingCreatedFunction": "booking-created",
    "BookingCanceledFunction": "booking-canceled",
    "BookingEventsFunction": "booking-events",
}
# What each variable must point to; {kind} is Created or Canceled in the two handlers.
POINTS_TO = {
    "EVENT_BUS_ARN": {"Fn::GetAtt": ["BookingBus", "Arn"]},
    "FAN_OUT": {"Ref": "FanOut"},
    "BOOKING_CREATED_QUEUE_URL": {"Ref": "BookingCreatedQueue"},
    "BOOKING_CANCELED_QUEUE_URL": {"Ref": "BookingCanceledQueue"},
    "QUARANTINE_QUEUE_URL": {"Ref": "QuarantineQueue"},
    "ZOOM_SECRET_ARN": {"Fn::GetAtt": ["ZoomSecret", "Id"]},
    "SIGNATURE_TOLERANCE_SECONDS": {"Ref": "SignatureToleranceSeconds"},
    "BOOKINGS_TABLE_NAME": {"Ref": "BookingsTable"},
    "BOOKING_RETENTION_DAYS": {"Ref": "BookingRetentionDays"},
    "BOOKING_EVENTS_DLQ_URL": {"Ref": "BookingEventsDLQ"},
    "SHARE_ACCESS_LINKS": {"Ref": "ShareAccessLinks"},
}
PARAMETERS = {
    "ZoomSecretToken": None,
    "FanOut": "EventBridge",
    "SignatureToleranceSeconds": 300,
    "BookingRetentionDays": 0,
    "ArchiveRetentionDays": 30,
    "LogRetentionDays": 30,
    "ShareAccessLinks": "false",
    "AlarmEmail": "",
    "SubscriberAccountIds": "",
    "DeletionProtection": "false",
}
# What CloudFormation takes for a parameter's value, but for the patterns, which another test tries out.
TAKEN = {
    "ZoomSecretToken": {"Type": "String"},
    "FanOut": {"Type": "String", "AllowedValues": ["EventBridge", "SQS"]},
    "SignatureToleranceSeconds": {"Type": "Number", "MinValue": 30, "MaxValue": 3600},
    "BookingRetentionDays": {"Type": "Number", "MinValue": 0, "MaxValue": 3650},
    "ArchiveRetentionDays": {"Type": "Number", "MinValue": 1, "MaxValue": 3650},
    "ShareAccessLinks": {"Type": "String", "AllowedValues": ["true", "false"]},
    "AlarmEmail": {"Type": "String"},
    "SubscriberAccountIds": {"Type": "CommaDelimitedList"},
    "DeletionProtection": {"Type": "String", "AllowedValues": ["true", "false"]},
}
OUTPUTS = {
    "WebhookUrl": {
        "Fn::Sub": "https://${WebhookApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/webhooks/zoom"
    },
    "EventBusName": {"Ref": "BookingBus"},
    "EventBusArn": {"Fn::GetAtt": ["BookingBus", "Arn"]},
    "BookingsTableName": {"Ref": "BookingsTable"},
    "BookingCreatedQueueUrl": {"Ref": "BookingCreatedQueue"},
    "BookingCreatedDLQUrl": {"Ref": "BookingCreatedDLQ"},
    "BookingCanceledQueueUrl": {"Ref": "BookingCanceledQueue"},
    "BookingCanceledDLQUrl": {"Ref": "BookingCanceledDLQ"},
    "BookingEventsDLQUrl": {"Ref": "BookingEventsDLQ"},
    "QuarantineQueueUrl": {"Ref": "QuarantineQueue"},
    "ZoomSecretArn": {"Fn::GetAtt": ["ZoomSecret", "Id"]},
}
OTHER_OUTPUTS = {"DashboardUrl"}  # an address of the console, which changes with it
HANDLER_MAY = {
    ("sqs:ReceiveMessage", "{kind}Queue"),
    ("sqs:DeleteMessage", "{kind}Queue"),
    ("sqs:GetQueueAttributes", "{kind}Queue"),
    ("sqs:ChangeMessageVisibility", "{kind}Queue"),
    ("dynamodb:GetItem", "BookingsTable"),
    ("dynamodb:PutItem", "BookingsTable"),
    ("sqs:SendMessage", "QuarantineQueue"),
}
ROLES_MAY = {
    "WebhookRole": {
        ("secretsmanager:GetSecretValue", "ZoomSecret"),
        ("events:PutEvents", "BookingBus"),
        ("sqs:SendMessage", "BookingCreatedQueue"),
        ("sqs:SendMessage", "BookingCanceledQueue"),
        ("sqs:SendMessage", "QuarantineQueue"),
    },
    "BookingCreatedRole": {(action, name.format(kind="BookingCreated")) for action, name in HANDLER_MAY},
    "BookingCanceledRole": {(action, name.format(kind="BookingCanceled")) for action, name in HANDLER_MAY},
    "BookingEventsRole": {
        ("dynamodb:DescribeStream", "BookingsTable"),
        ("dynamodb:GetRecords", "BookingsTable"),
        ("dynamodb:GetShardIterator", "BookingsTable"),
        ("dynamodb:ListStreams", None),
        ("events:PutEvents", "BookingBus"),
        ("sqs:SendMessage", "BookingEventsDLQ"),
    },
}
MAY_BE_LOGGED = {
    "requestId", "requestTime", "routeKey", "status", "responseLatency",
    "integrationStatus", "integrationLatency", "integrationErrorMessage", "error.message",
}  # fmt: skip


def properties(name: str) -> Any:
    return stack(BOOKINGS).properties(name)


def variables(function: str) -> dict[str, Any]:
    found: dict[str, Any] = properties(function)["Environment"]["Variables"]
    return found


# ── what it takes and gives ─────────────────────────────────────────────────────────────────────────────────


def test_the_parameters_are_those_of_the_contract() -> None:
    parameters = source(BOOKINGS)["Parameters"]

    assert {name: parameter.get("Default") for name, parameter in parameters.items()} == PARAMETERS
    assert all(parameter["Description"] for parameter in parameters.values())


@pytest.mark.parametrize(("name", "taken"), TAKEN.items())
def test_a_parameter_takes_the_values_of_the_contract(name: str, taken: dict[str, Any]) -> None:
    parameter = source(BOOKINGS)["Parameters"][name]

    assert {key: parameter.get(key) for key in ("Type", "MinValue", "MaxValue", "AllowedValues")} == {
        "MinValue": None, "MaxValue": None, "AllowedValues": None, **taken,
    }  # fmt: skip


def test_logs_may_be_kept_for_as_long_as_cloudwatch_can() -> None:
    parameter = source(BOOKINGS)["Parameters"]["LogRetentionDays"]
    group = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::Logs::LogGroup").schema

    assert parameter["Type"] == "Number"
    assert parameter["AllowedValues"] == group["properties"]["RetentionInDays"]["enum"]


def test_the_conditions_ask_whether_the_parameter_was_given() -> None:
    def given(value: object) -> dict[str, Any]:
        return {"Fn::Not": [{"Fn::Equals": [value, ""]}]}

    assert stack(BOOKINGS).template["Conditions"] == {
        "AlarmsGoByEmail": given({"Ref": "AlarmEmail"}),
        "OtherAccountsSubscribe": given({"Fn::Join": ["", {"Ref": "SubscriberAccountIds"}]}),
    }


def test_the_secret_token_is_hidden_and_has_no_default() -> None:
    token = source(BOOKINGS)["Parameters"]["ZoomSecretToken"]

    assert (token["NoEcho"], token["MinLength"]) == (True, 16)
    assert "Default" not in token


def test_the_secret_token_goes_into_the_secret_and_nowhere_else() -> None:
    resources = dict(stack(BOOKINGS).resources)
    secret = resources.pop("ZoomSecret")

    assert secret["Properties"]["SecretString"] == {"Ref": "ZoomSecretToken"}
    assert "ZoomSecretToken" not in json.dumps([resources, stack(BOOKINGS).template["Outputs"]])


@pytest.mark.parametrize(
    ("parameter", "accepted", "refused"),
    [
        ("ZoomSecretToken", ["aB3-_dE9fG2hJ4kL6mN8pQ"], ["sixteen letters ", "with a\nline break"]),
        ("SubscriberAccountIds", ["", "123456789012"], ["1234", "arn:aws:iam::123456789012:root", "*"]),
        ("AlarmEmail", ["", "ops@example.com"], ["ops", "ops@example", "a b@example.com"]),
    ],
)
def test_a_parameter_accepts_what_it_should(parameter: str, accepted: list[str], refused: list[str]) -> None:
    pattern = re.compile(source(BOOKINGS)["Parameters"][parameter]["AllowedPattern"])

    assert all(pattern.fullmatch(text) for text in accepted)
    assert not any(pattern.fullmatch(text) for text in refused)


def test_every_parameter_has_a_label_and_a_place_in_the_form() -> None:
    form = source(BOOKINGS)["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = list(itertools.chain.from_iterable(group["Parameters"] for group in form["ParameterGroups"]))

    assert sorted(grouped) == sorted(PARAMETERS)
    assert form["ParameterLabels"].keys() == PARAMETERS.keys()


def test_the_outputs_are_those_of_the_contract() -> None:
    outputs = stack(BOOKINGS).template["Outputs"]

    assert outputs.keys() == OUTPUTS.keys() | OTHER_OUTPUTS
    assert {name: outputs[name]["Value"] for name in OUTPUTS} == OUTPUTS
    assert "${Dashboard}" in outputs["DashboardUrl"]["Value"]["Fn::Sub"]
    assert all(output["Description"] for output in outputs.values())


@pytest.mark.parametrize(("parameter", "default"), PARAMETERS.items())
def test_the_readme_names_a_parameter_with_its_default(parameter: str, default: object) -> None:
    cell = (
        f"`{default}`"
        if isinstance(default, str) and default
        else str("" if default in (None, "") else default)
    )

    (row,) = [row for row in README.read_text().splitlines() if row.startswith(f"| `{parameter}` |")]
    assert row.split("|")[2].strip() == cell


@pytest.mark.parametrize("output", sorted(OUTPUTS.keys() | OTHER_OUTPUTS))
def test_a_page_names_each_output(output: str) -> None:
    pages = (README, ROOT / "docs/operations.md", ROOT / "docs/subscribers.md")
    assert any(f"`{output}`" in page.read_text() for page in pages)


# ── the functions ───────────────────────────────────────────────────────────────────────────────────────────


def test_there_are_the_four_functions_of_the_contract() -> None:
    assert stack(BOOKINGS).of_type("AWS::Lambda::Function").keys() == SETTINGS.keys()


@pytest.mark.parametrize("function", SETTINGS)
def test_a_function_is_told_exactly_the_settings_it_reads(function: str) -> None:
    powertools = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}
    settings = {field.name.upper() for field in dataclasses.fields(SETTINGS[function])}

    assert variables(function).keys() == settings | powertools
    assert variables(function)["POWERTOOLS_SERVICE_NAME"] == SERVICES[function]


@pytest.mark.parametrize("function", SETTINGS)
def test_each_setting_points_to_what_its_name_says(function: str) -> None:
    own_queue = {"QUEUE_URL": {"Ref": function.replace("Function", "Queue")}}
    told = {name: value for name, value in variables(function).items() if "POWERTOOLS" not in name}

    assert told == {name: (POINTS_TO | own_queue)[name] for name in told}


@pytest.mark.parametrize("function", SETTINGS)
def test_every_value_a_parameter_allows_can_be_read_as_a_setting(function: str) -> None:
    parameters = source(BOOKINGS)["Parameters"]
    choices = {}
    for name, value in variables(function).items():
        parameter = parameters.get(logical(value), {})
        bounds = [parameter[bound] for bound in ("MinValue", "MaxValue", "Default") if bound in parameter]
        choices[name] = [str(choice) for choice in parameter.get("AllowedValues") or bounds or ["something"]]

    for values in itertools.product(*choices.values()):
        SETTINGS[function].from_environment(dict(zip(choices, values, strict=True)))


@pytest.mark.parametrize(
    ("function", "memory_mb", "timeout_seconds"),
    [
        ("WebhookFunction", 1024, 3),
        ("BookingCreatedFunction", 256, 10),
        ("BookingCanceledFunction", 256, 10),
        ("BookingEventsFunction", 256, 30),
    ],
)
def test_a_function_has_the_memory_and_the_time_it_was_measured_with(
    function: str, memory_mb: int, timeout_seconds: int
) -> None:
    assert (properties(function)["MemorySize"], properties(function)["Timeout"]) == (
        memory_mb,
        timeout_seconds,
    )


@pytest.mark.parametrize("function", SETTINGS)
def test_a_function_finds_its_handler_and_the_layer(function: str) -> None:
    folder = ROOT / source(BOOKINGS)["Resources"][function]["Properties"]["CodeUri"]

    assert properties(function)["Handler"] == "app.lambda_handler"
    assert [path.name for path in folder.iterdir() if path.name != "__pycache__"] == ["app.py"]
    (layer,) = properties(function)["Layers"]
    assert str(logical(layer)).startswith("RuntimeLayer")


def test_the_layer_is_built_by_its_makefile() -> None:
    layer = source(BOOKINGS)["Resources"]["RuntimeLayer"]

    assert layer["Metadata"]["BuildMethod"] == "makefile"
    makefile = (ROOT / layer["Properties"]["ContentUri"] / "Makefile").read_text()
    assert "\nbuild-RuntimeLayer:" in makefile


# ── the door ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_api_has_one_route() -> None:
    (api,) = stack(BOOKINGS).of_type("AWS::ApiGatewayV2::Api").values()

    assert {path: list(methods) for path, methods in api["Body"]["paths"].items()} == {
        "/webhooks/zoom": ["post"]
    }
    integration = api["Body"]["paths"]["/webhooks/zoom"]["post"]["x-amazon-apigateway-integration"]
    assert integration["payloadFormatVersion"] == "2.0"
    assert "WebhookFunction" in json.dumps(integration["uri"])


def test_only_that_route_may_call_the_function() -> None:
    (permission,) = stack(BOOKINGS).of_type("AWS::Lambda::Permission").values()

    assert logical(permission["FunctionName"]) == "WebhookFunction"
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["Action"] == "lambda:InvokeFunction"
    arn, values = permission["SourceArn"]["Fn::Sub"]
    assert arn.endswith(":${__ApiId__}/${__Stage__}/POST/webhooks/zoom")
    assert values == {"__ApiId__": {"Ref": "WebhookApi"}, "__Stage__": "*"}


def test_every_deployment_is_live_at_once_and_with_warnings_there_is_none() -> None:
    (api,) = stack(BOOKINGS).of_type("AWS::ApiGatewayV2::Api").values()
    (stage,) = stack(BOOKINGS).of_type("AWS::ApiGatewayV2::Stage").values()

    assert api["FailOnWarnings"] is True
    assert (stage["ApiId"], stage["StageName"], stage["AutoDeploy"]) == (
        {"Ref": "WebhookApi"},
        "$default",
        True,
    )


def test_logs_are_found_by_the_names_of_what_writes_them() -> None:
    groups = {
        name: group["LogGroupName"] for name, group in stack(BOOKINGS).of_type("AWS::Logs::LogGroup").items()
    }
    of_functions = {
        function.replace("Function", "LogGroup"): f"/aws/lambda/${{AWS::StackName}}-{service}"
        for function, service in SERVICES.items()
    }
    # Under /aws/vendedlogs/ one permission to write is enough for all.
    of_the_api = {"WebhookApiLogGroup": "/aws/vendedlogs/apis/${AWS::StackName}-webhook"}

    assert groups == {name: {"Fn::Sub": text} for name, text in (of_functions | of_the_api).items()}


def test_all_logs_are_kept_for_as_long_as_is_said() -> None:
    kept = {
        group["RetentionInDays"]["Ref"] for group in stack(BOOKINGS).of_type("AWS::Logs::LogGroup").values()
    }

    assert kept == {"LogRetentionDays"}


def test_the_access_log_holds_nothing_of_a_person() -> None:
    (stage,) = stack(BOOKINGS).of_type("AWS::ApiGatewayV2::Stage").values()
    line = json.loads(stage["AccessLogSettings"]["Format"])

    assert stage["AccessLogSettings"]["DestinationArn"] == {"Fn::GetAtt": ["WebhookApiLogGroup", "Arn"]}
    assert {str(value).removeprefix("$context.") for value in line.values()} <= MAY_BE_LOGGED
    assert {"requestId", "status", "latency", "integrationError"} <= line.keys()


def test_a_flood_is_bounded_far_above_what_zoom_sends() -> None:
    (stage,) = stack(BOOKINGS).of_type("AWS::ApiGatewayV2::Stage").values()

    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 1000, "ThrottlingBurstLimit": 2000}


def test_the_largest_body_fits_the_quarantine_queue() -> None:
    in_base64 = -(-MAX_BODY_BYTES // 3) * 4

    assert in_base64 + 64 * 1024 <= properties("QuarantineQueue")["MaximumMessageSize"]


# ── bus, table, stream ──────────────────────────────────────────────────────────────────────────────────────


def test_other_accounts_may_make_rules_for_booking_events_and_nothing_else() -> None:
    policies = stack(BOOKINGS).of_type("AWS::Events::EventBusPolicy")
    statements = {name: policy["Statement"] for name, policy in policies.items()}
    own_rules = {"events:creatorAccount": "${aws:PrincipalAccount}"}

    assert {action for statement in statements.values() for action in listed(statement["Action"])} == {
        "events:PutRule", "events:DeleteRule", "events:DescribeRule", "events:DisableRule",
        "events:EnableRule", "events:ListTagsForResource", "events:ListTargetsByRule", "events:PutTargets",
        "events:RemoveTargets", "events:TagResource", "events:UntagResource",
    }  # fmt: skip
    assert statements["SubscriberRulePolicy"]["Action"] == "events:PutRule"
    assert statements["SubscriberRulePolicy"]["Condition"] == {
        "StringEquals": {"events:source": "bookings"},
        "StringEqualsIfExists": own_rules,
    }
    assert statements["SubscriberTargetPolicy"]["Condition"] == {"StringEqualsIfExists": own_rules}
    for name, statement in statements.items():
        assert statement["Principal"] == {"AWS": {"Ref": "SubscriberAccountIds"}}
        assert stack(BOOKINGS).resources[name]["Condition"] == "OtherAccountsSubscribe"
        assert policies[name]["EventBusName"] == {"Ref": "BookingBus"}
        # The rules of this bus alone, by whichever name.
        assert statement["Resource"] == {
            "Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${BookingBus}/*"
        }


def test_the_archive_keeps_deliveries_of_the_bus_for_as_long_as_it_is_told() -> None:
    archive = properties("DeliveryArchive")

    assert logical(archive["SourceArn"]) == "BookingBus"
    assert archive["RetentionDays"] == {"Ref": "ArchiveRetentionDays"}


def test_the_table_is_the_one_of_the_contract() -> None:
    table = properties("BookingsTable")

    assert table["KeySchema"] == [{"AttributeName": "booking_id", "KeyType": "HASH"}]
    assert table["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "by_host",
            "KeySchema": [
                {"AttributeName": "host_user_id", "KeyType": "HASH"},
                {"AttributeName": "start", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ]
    assert {attribute["AttributeType"] for attribute in table["AttributeDefinitions"]} == {"S"}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_bookings_outlive_their_stack() -> None:
    table = stack(BOOKINGS).resources["BookingsTable"]

    assert table["DeletionPolicy"] == "RetainExceptOnCreate"
    assert table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}


def test_the_stream_waits_for_the_bus_as_long_as_it_can() -> None:
    # failure matrix: 12
    (mapping,) = stack(BOOKINGS).mappings("BookingsTable").values()

    assert logical(mapping["FunctionName"]) == "BookingEventsFunction"
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["MaximumRetryAttempts"] == -1
    assert mapping["MaximumRecordAgeInSeconds"] == 24 * 60 * 60
    assert mapping["BisectBatchOnFunctionError"] is True
    assert logical(mapping["DestinationConfig"]["OnFailure"]["Destination"]) == "BookingEventsDLQ"


def test_the_stream_brings_what_was_written_and_not_what_was_deleted() -> None:
    (mapping,) = stack(BOOKINGS).mappings("BookingsTable").values()
    patterns = [json.loads(entry["Pattern"]) for entry in mapping["FilterCriteria"]["Filters"]]

    # Plain lists of names: the emulator takes finer patterns for a match of everything.
    assert patterns == [{"eventName": ["INSERT", "MODIFY"]}]


@pytest.mark.parametrize("kind", ["BookingCreated", "BookingCanceled"])
def test_each_handler_has_its_own_queue(kind: str) -> None:
    # failure matrix: 19, 20, 22
    (mapping,) = stack(BOOKINGS).mappings(f"{kind}Queue").values()

    assert logical(mapping["FunctionName"]) == f"{kind}Function"
    assert logical(properties(f"{kind}Queue")["RedrivePolicy"]["deadLetterTargetArn"]) == f"{kind}DLQ"
    assert properties(f"{kind}Queue")["RedrivePolicy"]["maxReceiveCount"] == 10
    assert properties(f"{kind}Queue")["VisibilityTimeout"] == FIRST_DELAY_SECONDS


# ── what a rule can't deliver ───────────────────────────────────────────────────────────────────────────────


def may_send(of: Stack, rule: str, queue: str) -> bool:
    """Says whether a rule may send to a queue, as SQS decides it: by the queue's policies alone.

    What EventBridge sends comes over TLS, so the statement that wants TLS denies it nothing.
    """
    allowed = False
    for policy in of.of_type("AWS::SQS::QueuePolicy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            if logical(statement["Resource"]) != queue:
                continue
            if statement["Effect"] == "Deny":
                if statement["Condition"] != {"Bool": {"aws:SecureTransport": "false"}}:
                    return False
            elif (
                queue in [logical(each) for each in policy["Queues"]]
                and statement["Principal"] == {"Service": "events.amazonaws.com"}
                and "sqs:SendMessage" in listed(statement["Action"])
                and logical(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == rule
            ):
                allowed = True
    return allowed


@pytest.mark.parametrize("kind", ["BookingCreated", "BookingCanceled"])
def test_what_a_rule_may_not_send_to_its_queue_it_sends_to_the_dlq_which_rings(kind: str) -> None:
    # failure matrix: 15
    rule, queue, dlq = f"{kind}Rule", f"{kind}Queue", f"{kind}DLQ"
    (target,) = properties(rule)["Targets"]

    assert may_send(stack(BOOKINGS), rule, queue)
    # EventBridge does not repeat what it is not allowed to do: the event goes to the target's DLQ at once.
    forbidden = stack(BOOKINGS).broken(f"{queue}Policy.Properties.PolicyDocument.Statement.0")
    assert not may_send(forbidden, rule, queue)
    assert logical(target["DeadLetterConfig"]["Arn"]) == dlq
    assert may_send(forbidden, rule, dlq)
    # A key of one's own would need another permission; SQS's own does not.
    assert properties(dlq)["SqsManagedSseEnabled"] is True
    assert rings_at_the_first_message(dlq)


@pytest.mark.parametrize(
    "queue", ["BookingCreatedDLQ", "BookingCanceledDLQ", "BookingEventsDLQ", "QuarantineQueue"]
)
def test_the_first_message_that_is_set_aside_rings(queue: str) -> None:
    # failure matrix: 15, 20, 26, 38
    assert rings_at_the_first_message(queue)


def rings_at_the_first_message(queue: str) -> bool:
    """Says whether an alarm goes to the topic within a minute of a message in the queue."""
    how = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1,
        "AlarmActions": [{"Ref": "AlarmTopic"}],
    }
    alarms = stack(BOOKINGS).of_type("AWS::CloudWatch::Alarm").values()
    return any(how.items() <= alarm.items() for alarm in alarms)


@pytest.mark.parametrize("queue", ["BookingCreatedDLQ", "BookingCanceledDLQ"])
def test_a_message_can_be_redriven_for_two_weeks_from_its_first_arrival(queue: str) -> None:
    # failure matrix: 45
    source_queue = properties(queue.replace("DLQ", "Queue"))

    # A message keeps its age when it is moved, so what a source queue keeps is no time of the DLQ's.
    assert properties(queue)["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
    assert source_queue["MessageRetentionPeriod"] < properties(queue)["MessageRetentionPeriod"]


# ── who may what ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", ROLES_MAY)
def test_a_role_may_do_what_its_function_does_and_no_more(role: str) -> None:
    may = {
        (action, logical(resource))
        for name, statement in stack(BOOKINGS).role_statements()
        if name == role
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if not action.startswith("logs:")
    }

    assert may == ROLES_MAY[role]


@pytest.mark.parametrize(
    ("role", "sources"),
    [
        ("WebhookRole", ["zoom.scheduler", "zoom.scheduler.check"]),
        ("BookingEventsRole", ["bookings", "bookings.check"]),
    ],
)
def test_a_function_publishes_as_its_own_source_only(role: str, sources: list[str]) -> None:
    (condition,) = [
        statement["Condition"]
        for name, statement in stack(BOOKINGS).role_statements()
        if name == role and statement["Action"] == "events:PutEvents"
    ]

    assert condition == {"StringEqualsIfExists": {"events:source": sources}}


# ── traces ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_traced_so_no_trace_holds_a_response_or_an_error() -> None:
    # With tracing on, Powertools would put each answer and each exception into the trace unless told not to.
    for function in stack(BOOKINGS).of_type("AWS::Lambda::Function").values():
        assert "TracingConfig" not in function
    (stage,) = stack(BOOKINGS).of_type("AWS::ApiGatewayV2::Stage").values()
    assert "DataTraceEnabled" not in json.dumps(stage)
    assert "xray" not in json.dumps(stack(BOOKINGS).template).lower()
    assert "aws-xray-sdk" not in (ROOT / "layers/runtime/requirements.txt").read_text()
    sources = [*(ROOT / "layers/runtime/bookings").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]
    assert [path.name for path in sources if "Tracer" in path.read_text()] == []
