"""Alarms and dashboard watch metrics that somebody publishes."""

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from bookings.counts import Count
from tests.template.stacks import BOOKINGS, ROOT, stack

OURS = {"Fn::Sub": "ZoomSchedulerBookings/${AWS::StackName}"}
FUNCTIONS = {
    "webhook": "WebhookFunction",
    "booking-created": "BookingCreatedFunction",
    "booking-canceled": "BookingCanceledFunction",
    "booking-events": "BookingEventsFunction",
}
# Metrics of AWS that are used here, with their one dimension and what it must be the name of.
OF_AWS = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ("QueueName", "AWS::SQS::Queue"),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): ("QueueName", "AWS::SQS::Queue"),
    ("AWS/SQS", "NumberOfMessagesSent"): ("QueueName", "AWS::SQS::Queue"),
    ("AWS/Lambda", "Errors"): ("FunctionName", "AWS::Lambda::Function"),
    ("AWS/Lambda", "IteratorAge"): ("FunctionName", "AWS::Lambda::Function"),
    ("AWS/ApiGateway", "5xx"): ("ApiId", "AWS::ApiGatewayV2::Api"),
    ("AWS/ApiGateway", "Latency"): ("ApiId", "AWS::ApiGatewayV2::Api"),
}


@dataclass(frozen=True, slots=True)
class Watch:
    """What sets an alarm off: a metric that is `threshold` or more in enough periods."""

    namespace: object
    metric: str
    dimension: tuple[str, object]
    statistic: str
    period_seconds: int
    threshold: int
    periods: int = 1
    of_them: int | None = None


def of_the_webhook(count: Count, period_seconds: int = 300, **when: int) -> Watch:
    return Watch(OURS, count, ("service", "webhook"), "Sum", period_seconds, 1, **when)


def age_of(queue: str) -> Watch:
    oldest, name = "ApproximateAgeOfOldestMessage", {"Fn::GetAtt": [queue, "QueueName"]}
    return Watch("AWS/SQS", oldest, ("QueueName", name), "Maximum", 60, 900)


# What a person must hear of though nothing is set aside by it, and how soon.
WATCHED = {
    "WebhookServerErrorAlarm": Watch(
        "AWS/ApiGateway", "5xx", ("ApiId", {"Ref": "WebhookApi"}), "Sum", 300, 1, periods=12, of_them=2
    ),
    "FallbackUsedAlarm": of_the_webhook(Count.FALLBACK_USED),
    "SecretUnavailableAlarm": of_the_webhook(Count.NOTHING_TO_VERIFY_WITH, 60),
    "SignatureMismatchAlarm": of_the_webhook(Count.SIGNATURE_MISMATCH, periods=288, of_them=2),
    "BookingCreatedQueueAgeAlarm": age_of("BookingCreatedQueue"),
    "BookingCanceledQueueAgeAlarm": age_of("BookingCanceledQueue"),
    "BookingEventsDelayAlarm": Watch(
        "AWS/Lambda",
        "IteratorAge",
        ("FunctionName", {"Ref": "BookingEventsFunction"}),
        "Maximum",
        60,
        900_000,
    ),
}

type Metric = tuple[str, str, dict[str, str]]


def text(value: Any) -> str:
    """Returns a value as `Fn::Sub` would be given it."""
    match value:
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": str(template)}:
            return template
        case _:
            return str(value)


def alarms() -> dict[str, Any]:
    return stack(BOOKINGS).of_type("AWS::CloudWatch::Alarm")


def of_alarms() -> Iterator[tuple[str, Metric]]:
    for name, alarm in alarms().items():
        math = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
        for metric in math or [alarm]:
            dimensions = {dimension["Name"]: text(dimension["Value"]) for dimension in metric["Dimensions"]}
            yield name, (text(metric["Namespace"]), metric["MetricName"], dimensions)


def widgets() -> list[dict[str, Any]]:
    body = stack(BOOKINGS).properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def of_dashboard() -> Iterator[tuple[str, Metric]]:
    for widget in widgets():
        before: list[str] = []
        for row in widget["properties"].get("metrics", []):
            before = in_full([part for part in row if isinstance(part, str)], before)
            namespace, metric, *dimensions = before
            yield (
                widget["properties"]["title"],
                (
                    namespace,
                    metric,
                    dict(itertools.batched(dimensions, 2, strict=True)),
                ),
            )


def in_full(row: list[str], before: list[str]) -> list[str]:
    """Returns a row of a dashboard without its shorthand: `.` what stood there, `...` all up to the rest."""
    if row and row[0] == "...":
        rest = row[1:]
        row = before[: len(before) - len(rest)] + rest
    return [before[place] if part == "." else part for place, part in enumerate(row)]


@pytest.mark.parametrize(("place", "metric"), [*of_alarms(), *of_dashboard()])
def test_a_metric_that_is_watched_is_one_that_is_published(place: str, metric: Metric) -> None:
    namespace, name, dimensions = metric
    if namespace == OURS["Fn::Sub"]:
        assert name in set(Count)
        assert dimensions.keys() == {"service"}
        assert dimensions["service"] in FUNCTIONS
    else:
        dimension, kind = OF_AWS[namespace, name]
        assert dimensions.keys() == {dimension}
        reference = re.fullmatch(r"\$\{(\w+)(\.QueueName)?\}", dimensions[dimension])
        assert reference is not None, place
        assert reference[1] in stack(BOOKINGS).of_type(kind)
        assert (reference[2] is not None) == (dimension == "QueueName")  # a Ref of a queue is its URL


@pytest.mark.parametrize(("service", "function"), FUNCTIONS.items())
def test_a_function_publishes_under_the_name_that_is_watched(service: str, function: str) -> None:
    variables = stack(BOOKINGS).properties(function)["Environment"]["Variables"]

    assert variables["POWERTOOLS_SERVICE_NAME"] == service
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == OURS


@pytest.mark.parametrize(("alarm", "watched"), WATCHED.items())
def test_what_a_person_must_hear_of_is_watched(alarm: str, watched: Watch) -> None:
    # failure matrix: 12, 13, 14, 28, 31
    properties = alarms()[alarm]
    (dimension,) = properties["Dimensions"]

    assert properties["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert watched == Watch(
        namespace=properties["Namespace"],
        metric=properties["MetricName"],
        dimension=(dimension["Name"], dimension["Value"]),
        statistic=properties["Statistic"],
        period_seconds=properties["Period"],
        threshold=properties["Threshold"],
        periods=properties["EvaluationPeriods"],
        of_them=properties.get("DatapointsToAlarm"),
    )


def test_what_was_published_is_held_against_what_came_into_the_two_queues() -> None:
    properties = alarms()["DeliveriesVanishAlarm"]
    metrics = {each["Id"]: each["MetricStat"] for each in properties["Metrics"] if "MetricStat" in each}
    created, canceled = (
        {
            "Namespace": "AWS/SQS",
            "MetricName": "NumberOfMessagesSent",
            "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}],
        }
        for queue in ("BookingCreatedQueue", "BookingCanceledQueue")
    )
    published = {
        "Namespace": OURS,
        "MetricName": Count.DELIVERY_PUBLISHED,
        "Dimensions": [{"Name": "service", "Value": "webhook"}],
    }
    by_the_hour = {"Period": 3600, "Stat": "Sum"}

    assert metrics == {
        "published": {"Metric": published, **by_the_hour},
        "created": {"Metric": created, **by_the_hour},
        "canceled": {"Metric": canceled, **by_the_hour},
    }
    assert properties["EvaluationPeriods"] == 1
    assert [each for each in properties["Metrics"] if each.get("ReturnData", True)] == [
        properties["Metrics"][0]
    ]


@pytest.mark.parametrize(
    ("published", "created", "canceled", "rings"),
    [
        (3, 0, 0, True),
        (1, 0, 0, True),
        (1, 1, 0, False),
        (5, 0, 1, False),
        (0, 0, 0, False),
        (0, 2, 0, False),
    ],
)
def test_deliveries_that_come_out_nowhere_ring(
    published: int, created: int, canceled: int, rings: bool
) -> None:
    # failure matrix: 14
    properties = alarms()["DeliveriesVanishAlarm"]
    (expression,) = [each["Expression"] for each in properties["Metrics"] if "Expression" in each]
    metrics = {each["Id"]: each for each in properties["Metrics"] if "MetricStat" in each}
    written = re.fullmatch(r"IF\((?P<when>.+), 1, 0\)", expression)

    assert written is not None
    assert metrics.keys() == {"published", "created", "canceled"}
    assert {each["ReturnData"] for each in metrics.values()} == {False}
    condition = written["when"].replace("AND", "and")
    values = {"published": published, "created": created, "canceled": canceled}
    assert eval(condition, {}, values) is rings  # noqa: S307 - our own template's
    assert (properties["Threshold"], properties["ComparisonOperator"]) == (
        1,
        "GreaterThanOrEqualToThreshold",
    )


def rings(alarm: str, metric: Count, *minutes: int) -> bool:
    """Says whether an alarm rings for a metric counted at these minutes of a day, as CloudWatch does."""
    properties = alarms()[alarm]
    assert (properties["Statistic"], properties["Threshold"]) == ("Sum", 1)
    assert properties["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    if properties["MetricName"] != metric:
        return False
    breaching = {minute * 60 // properties["Period"] for minute in minutes}
    looked_at = properties["EvaluationPeriods"]
    needed = properties.get("DatapointsToAlarm", looked_at)
    return any(sum(last - looked_at < each <= last for each in breaching) >= needed for last in breaching)


@pytest.mark.parametrize(
    ("minutes", "told"),
    [
        ((0,), False),
        ((0, 1, 2, 3), False),  # a flood that is over soon
        ((0, 5), True),
        ((3, 23 * 60), True),  # of a page that sees two bookings a day
    ],
)
def test_a_secret_changed_at_zoom_first_rings_and_one_forgery_does_not(
    minutes: tuple[int, ...], told: bool
) -> None:
    # failure matrix: 28
    assert rings("SignatureMismatchAlarm", Count.SIGNATURE_MISMATCH, *minutes) is told


def test_a_secret_that_cant_be_read_rings_at_the_first_delivery() -> None:
    assert rings("SecretUnavailableAlarm", Count.NOTHING_TO_VERIFY_WITH, 0)


def test_operations_name_the_alarm_of_a_rotation() -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    section = page.partition("## Rotate the secret")[2].partition("\n## ")[0]
    said = alarms()["SignatureMismatchAlarm"]["AlarmDescription"]

    assert "`SignatureMismatchAlarm`" in section
    for text in ("changed at Zoom first", "Store the new one", "bookings recover"):
        assert text in said


def test_an_alarm_looks_back_no_further_than_cloudwatch_can() -> None:
    for name, alarm in alarms().items():
        math = [each["MetricStat"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
        assert max(each["Period"] for each in math or [alarm]) * alarm["EvaluationPeriods"] <= 86_400, name
        assert alarm.get("DatapointsToAlarm", 1) <= alarm["EvaluationPeriods"], name


def test_alarms_go_to_the_topic_which_cloudwatch_may_use_and_a_person_reads() -> None:
    topic = {"Ref": "AlarmTopic"}
    subscription = stack(BOOKINGS).resources["AlarmEmailSubscription"]

    for alarm in alarms().values():
        assert (alarm["AlarmActions"], alarm["OKActions"]) == ([topic], [topic])
    # CloudWatch can't publish to a topic that AWS's own SNS key encrypts.
    assert "KmsMasterKeyId" not in stack(BOOKINGS).properties("AlarmTopic")
    allowed = stack(BOOKINGS).properties("AlarmTopicPolicy")["PolicyDocument"]["Statement"][0]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert (allowed["Action"], allowed["Resource"]) == ("sns:Publish", topic)
    assert allowed["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnEquals": {"aws:SourceArn": [{"Fn::GetAtt": [name, "Arn"]} for name in alarms()]},
    }
    assert subscription["Properties"] == {
        "TopicArn": topic,
        "Protocol": "email",
        "Endpoint": {"Ref": "AlarmEmail"},
    }
    assert subscription["Condition"] == "AlarmsGoByEmail"


def test_the_dashboard_shows_every_alarm() -> None:
    (shown,) = [widget["properties"]["alarms"] for widget in widgets() if widget["type"] == "alarm"]

    assert sorted(shown) == sorted(f"${{{name}.Arn}}" for name in alarms())


def test_the_dashboard_tells_what_became_of_every_delivery() -> None:
    shown = {metric for place, (_, metric, _) in of_dashboard() if place.startswith("Deliveries")}

    assert shown == {
        Count.DELIVERY_PUBLISHED, Count.UNKNOWN_EVENT_PUBLISHED, Count.OTHER_PRODUCT, Count.QUARANTINED,
        Count.SIGNATURE_MALFORMED, Count.SIGNATURE_MISMATCH, Count.TOO_LARGE, Count.NOT_DURABLE,
        Count.NOTHING_TO_VERIFY_WITH, Count.UNEXPECTED_ERROR,
    }  # fmt: skip


def test_no_widget_of_the_dashboard_lies_over_another() -> None:
    cells = [
        (x, y)
        for widget in widgets()
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24  # columns of a dashboard
