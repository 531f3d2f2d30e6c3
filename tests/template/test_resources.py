"""The stack's resources have exactly these properties. Alarms and permissions have modules of their own."""

import dataclasses
import itertools
import json
from typing import Any

import pytest

from bookings.batch import delay_seconds
from bookings.limits import FIRST_DELAY_SECONDS, MAX_BODY_BYTES, MESSAGE_BYTES
from bookings.settings import BookingEventsSettings, BookingSettings, WebhookSettings
from tests.template import stacks
from tests.template.stacks import DAY, DLQ, ROOT, Properties, queue_mapping, stack

# The fields of the access log and their context variables: nothing personal.
ACCESS_LOG = {
    "requestId": "requestId", "time": "requestTime", "route": "routeKey", "status": "status",
    "latency": "responseLatency", "integrationStatus": "integrationStatus",
    "integrationLatency": "integrationLatency", "integrationError": "integrationErrorMessage",
    "error": "error.message",
}  # fmt: skip
LOG_FORMAT = json.dumps({name: f"$context.{variable}" for name, variable in ACCESS_LOG.items()})
INVOCATION = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/${__Stage__}"
INVOKED = {"__ApiId__": "!WebhookApi", "__Stage__": "*"}
KINDS = {"BookingCreated": "created", "BookingCanceled": "canceled"}
SOURCES = ["zoom.scheduler", "zoom.scheduler.check"]  # of bookings, and of test bookings
FUNCTIONS = {
    "Webhook": "webhook", "BookingCreated": "booking-created", "BookingCanceled": "booking-canceled",
    "BookingEvents": "booking-events",
}  # fmt: skip
(LAYER,) = stack().of_type("AWS::Lambda::LayerVersion")  # its name ends in a hash
NO_DLQ = DLQ | {"RedriveAllowPolicy": {"redrivePermission": "denyAll"}}


def function(name: str, memory_mb: int, timeout_seconds: int, **variables: str) -> Properties:
    """Returns a function without TracingConfig: a trace would hold each answer and each exception."""
    namespace = "!Sub ZoomSchedulerBookings/${AWS::StackName}"
    powertools = {"LOG_LEVEL": "INFO", "METRICS_NAMESPACE": namespace, "SERVICE_NAME": FUNCTIONS[name]}
    variables |= {f"POWERTOOLS_{variable}": value for variable, value in powertools.items()}
    return {
        "Handler": "app.lambda_handler", "Runtime": "python3.13", "Architectures": ["arm64"],
        "MemorySize": memory_mb, "Timeout": timeout_seconds, "Environment": {"Variables": variables},
        "Layers": [f"!{LAYER}"], "Role": f"!{name}Role.Arn",
        "LoggingConfig": {
            "LogGroup": f"!{name}LogGroup", "LogFormat": "JSON", "SystemLogLevel": "WARN",
            "ApplicationLogLevel": "INFO",
        },
    }  # fmt: skip


# fmt: off
EXPECTED: dict[str, dict[str, Properties]] = {
    "AWS::SQS::Queue": {
        "QuarantineQueue": NO_DLQ,
        "BookingCreatedQueue": stacks.source_queue("BookingCreatedDLQ", receives=10),
        "BookingCanceledQueue": stacks.source_queue("BookingCanceledDLQ", receives=10),
        "BookingCreatedDLQ": DLQ, "BookingCanceledDLQ": DLQ, "BookingEventsDLQ": NO_DLQ,
    },
    "AWS::Events::Rule": {
        f"{kind}Rule": stacks.rule("BookingBus", f"{kind}Queue", f"{kind}DLQ", {
            "source": SOURCES, "detail-type": [f"scheduler.scheduled_event_{status}"],
        }) for kind, status in KINDS.items()
    },
    "AWS::Lambda::EventSourceMapping": {
        "BookingCreatedFunctionDeliveries": queue_mapping("BookingCreatedQueue", "BookingCreatedFunction"),
        "BookingCanceledFunctionDeliveries": queue_mapping("BookingCanceledQueue", "BookingCanceledFunction"),
        "BookingEventsFunctionChanges": {
            "EventSourceArn": "!BookingsTable.StreamArn", "FunctionName": "!BookingEventsFunction",
            "StartingPosition": "TRIM_HORIZON", "BatchSize": 10,  # the entries of one PutEvents
            "FunctionResponseTypes": ["ReportBatchItemFailures"], "BisectBatchOnFunctionError": True,
            "MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": 79_200,  # only age bounds the retries
            "DestinationConfig": {"OnFailure": {"Destination": "!BookingEventsDLQ.Arn"}},
            # Plain lists of names: the emulator takes finer patterns for a match of everything.
            "FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT", "MODIFY"]}'}]},
        },
    },
    "AWS::Lambda::Function": {
        "WebhookFunction": function(
            "Webhook", 1024, 3, EVENT_BUS_ARN="!BookingBus.Arn", FAN_OUT="!FanOut",
            BOOKING_CREATED_QUEUE_URL="!BookingCreatedQueue", ZOOM_SECRET_ARN="!ZoomSecret.Id",
            BOOKING_CANCELED_QUEUE_URL="!BookingCanceledQueue", QUARANTINE_QUEUE_URL="!QuarantineQueue",
            SIGNATURE_TOLERANCE_SECONDS="!SignatureToleranceSeconds",
        ),
        **{f"{kind}Function": function(
            kind, 256, 10, QUEUE_URL=f"!{kind}Queue", QUARANTINE_QUEUE_URL="!QuarantineQueue",
            BOOKINGS_TABLE_NAME="!BookingsTable", BOOKING_RETENTION_DAYS="!BookingRetentionDays",
        ) for kind in KINDS},
        "BookingEventsFunction": function(
            "BookingEvents", 256, 30, EVENT_BUS_ARN="!BookingBus.Arn",
            BOOKING_EVENTS_DLQ_URL="!BookingEventsDLQ", SHARE_ACCESS_LINKS="!ShareAccessLinks",
        ),
    },
    "AWS::Lambda::LayerVersion": {LAYER: {
        "LayerName": "!Sub ${AWS::StackName}-runtime",
        "CompatibleRuntimes": ["python3.13"], "CompatibleArchitectures": ["arm64"],
    }},
    "AWS::Logs::LogGroup": {
        f"{name}LogGroup": {"LogGroupName": f"!Sub {path}", "RetentionInDays": "!LogRetentionDays"}
        for name, path in [
            # Under /aws/vendedlogs/ one permission covers all groups.
            ("WebhookApi", "/aws/vendedlogs/apis/${AWS::StackName}-webhook"),
            *((name, f"/aws/lambda/${{AWS::StackName}}-{service}") for name, service in FUNCTIONS.items()),
        ]
    },
    "AWS::DynamoDB::Table": {"BookingsTable": {
        "BillingMode": "PAY_PER_REQUEST", "SSESpecification": {"SSEEnabled": True},
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"}
                                 for name in ("booking_id", "host_user_id", "start")],
        "KeySchema": [{"AttributeName": "booking_id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [{
            "IndexName": "by_host", "Projection": {"ProjectionType": "KEYS_ONLY"},
            "KeySchema": [{"AttributeName": "host_user_id", "KeyType": "HASH"},
                          {"AttributeName": "start", "KeyType": "RANGE"}],
        }],
        "DeletionProtectionEnabled": "!DeletionProtection",
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
        "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }},
    "AWS::Events::EventBus": {"BookingBus": {"Name": "!Sub ${AWS::StackName}-bookings"}},
    "AWS::Events::Archive": {"DeliveryArchive": {
        "SourceArn": "!BookingBus.Arn", "EventPattern": {"source": ["zoom.scheduler"]},
        "RetentionDays": "!ArchiveRetentionDays",
    }},
    "AWS::ApiGatewayV2::Stage": {"WebhookApiApiGatewayDefaultStage": {
        "ApiId": "!WebhookApi", "StageName": "$default", "AutoDeploy": True,
        "DefaultRouteSettings": {
            "ThrottlingRateLimit": "!RequestsPerSecond",
            "ThrottlingBurstLimit": {"Fn::FindInMap": ["Burst", "!RequestsPerSecond", "Requests"]},
        },
        "AccessLogSettings": {"DestinationArn": "!WebhookApiLogGroup.Arn", "Format": LOG_FORMAT},
    }},
    "AWS::Lambda::Permission": {"WebhookFunctionZoomDeliveryPermission": {
        "Action": "lambda:InvokeFunction", "FunctionName": "!WebhookFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": {"Fn::Sub": [f"{INVOCATION}/POST/webhooks/zoom", INVOKED]},
    }},
    "AWS::SecretsManager::Secret": {
        "ZoomSecret": {"SecretString": {"Fn::If": ["TokenIsGiven", "!ZoomSecretToken", "not-set"]}},
    },
    "AWS::Logs::MetricFilter": {"RequestsThrottledFilter": {
        "LogGroupName": "!WebhookApiLogGroup", "FilterPattern": '{ $.status = "429" }',
        "MetricTransformations": [{
            "MetricNamespace": "!Sub ZoomSchedulerBookings/${AWS::StackName}",
            "MetricName": "RequestsThrottled", "MetricValue": "1",
        }],
    }},
    # CloudWatch can't publish to a topic with AWS's own SNS key.
    "AWS::SNS::Topic": {"AlarmTopic": {}},
    "AWS::SNS::Subscription": {"AlarmEmailSubscription": {
        "TopicArn": {"Fn::If": ["TopicIsOurs", "!AlarmTopic", "!AlarmTopicArn"]},
        "Protocol": "email", "Endpoint": "!AlarmEmail",
    }},
}
# fmt: on


# failure matrix: 12, 15, 19, 20, 45
@pytest.mark.parametrize("kind", EXPECTED)
def test_resources_have_these_properties(kind: str) -> None:
    assert stack().plain(kind) == EXPECTED[kind]


def test_no_other_type_exists_and_few_resources_are_retained() -> None:
    types = {resource["Type"] for resource in stack().resources.values()}
    assert types - EXPECTED.keys() == {
        "AWS::ApiGatewayV2::Api", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard",
        "AWS::IAM::Role", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy",
    }  # fmt: skip
    attributes = {
        name: {key: value for key, value in resource.items() if key not in ("Type", "Properties")}
        for name, resource in stack().resources.items()
    }
    assert {name: found for name, found in attributes.items() if found} == {
        "AlarmTopic": {"Condition": "TopicIsOurs"},
        "AlarmTopicPolicy": {"Condition": "TopicIsOurs"},
        "AlarmEmailSubscription": {"Condition": "AlarmsGoByEmail"},
        "BookingsTable": {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"},
        LAYER: {"DeletionPolicy": "Delete"},  # a function keeps its version
    }


# failure matrix: 22
@pytest.mark.parametrize("kind", KINDS)
def test_times_of_a_queue_fit_each_other(kind: str) -> None:
    queues = stack().of_type("AWS::SQS::Queue")
    queue, dlq = queues[f"{kind}Queue"], queues[f"{kind}DLQ"]
    waits = [delay_seconds(receive) for receive in range(1, queue["RedrivePolicy"]["maxReceiveCount"])]
    timeout = stack().of_type("AWS::Lambda::Function")[f"{kind}Function"]["Timeout"]

    assert queue["VisibilityTimeout"] >= 6 * timeout  # AWS's advice
    assert queue["VisibilityTimeout"] == FIRST_DELAY_SECONDS
    assert 3600 < sum(waits) < queue["MessageRetentionPeriod"]  # an outage of an hour reaches no DLQ
    # A message keeps its age in the DLQ.
    assert dlq["MessageRetentionPeriod"] - queue["MessageRetentionPeriod"] == 10 * DAY


def test_quarantine_takes_the_largest_body_in_base64() -> None:
    most = stack().of_type("AWS::SQS::Queue")["QuarantineQueue"]["MaximumMessageSize"]
    assert -(-MAX_BODY_BYTES // 3) * 4 + 64 * 1024 <= most == MESSAGE_BYTES


@pytest.mark.parametrize("name", FUNCTIONS)
def test_variables_are_the_settings_for_every_allowed_value(name: str) -> None:
    others = {"Webhook": WebhookSettings, "BookingEvents": BookingEventsSettings}
    settings: Any = others.get(name, BookingSettings)
    variables = EXPECTED["AWS::Lambda::Function"][f"{name}Function"]["Environment"]["Variables"]
    fields = {field.name.upper() for field in dataclasses.fields(settings)}
    assert {variable for variable in variables if not variable.startswith("POWERTOOLS")} == fields

    choices: dict[str, list[Any]] = {}
    for variable in fields:
        parameter = stack().template["Parameters"].get(variables[variable].removeprefix("!"), {})
        bounds = [parameter[bound] for bound in ("MinValue", "MaxValue", "Default") if bound in parameter]
        choices[variable] = parameter.get("AllowedValues") or bounds or ["something"]
    for values in itertools.product(*choices.values()):
        settings.from_environment(dict(zip(choices, map(str, values), strict=True)))


def test_no_trace_holds_an_answer_or_an_error() -> None:
    sources = [*(ROOT / "layers/runtime/bookings").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]

    assert "xray" not in json.dumps(stack().template).lower()
    assert "aws-xray-sdk" not in (ROOT / "layers/runtime/requirements.txt").read_text()
    assert [path.name for path in sources if "Tracer" in path.read_text()] == []


def test_api_has_one_route_to_the_webhook() -> None:
    api = stack().plain("AWS::ApiGatewayV2::Api")["WebhookApi"]
    body = api.pop("Body")
    ((path, methods),) = body["paths"].items()
    integration = methods["post"].pop("x-amazon-apigateway-integration")

    assert api == {"FailOnWarnings": True}
    assert (path, methods) == ("/webhooks/zoom", {"post": {"responses": {}}})
    assert integration["payloadFormatVersion"] == "2.0"
    assert integration["uri"].endswith("/functions/${WebhookFunction.Arn}/invocations")
