"""Every alarm with its exact threshold, the topic, and the dashboard."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from bookings.counts import Count
from tests.template.stacks import RINGING, ROOT, Properties, stack, watch

OURS = "!Sub ZoomSchedulerBookings/${AWS::StackName}"
MESSAGES = "AWS/SQS ApproximateNumberOfMessagesVisible QueueName"
ERRORS, ANY = "AWS/Lambda Errors FunctionName", "Sum >= 1 in 1 of 1 x 300 s"
AGE = "AWS/SQS ApproximateAgeOfOldestMessage QueueName"
DELAY = "AWS/Lambda IteratorAge FunctionName"
COUNTED = "service=webhook Sum >= 1 in"
FIRST = "Maximum >= 1 in 1 of 1 x 60 s"
LATE = "Maximum >= 900 in 1 of 1 x 60 s"  # the longest delay of a failed record
TO_THE_TOPIC = {"AlarmActions": ["!AlarmTopic"], "OKActions": ["!AlarmTopic"]}
ALARMS = {
    "QuarantineAlarm": f"{MESSAGES}=!QuarantineQueue.QueueName {FIRST}",
    "WebhookErrorAlarm": f"{ERRORS}=!WebhookFunction {ANY}",
    # Twice within an hour: Zoom's first retry mends a single 5xx.
    "WebhookServerErrorAlarm": "AWS/ApiGateway 5xx ApiId=!WebhookApi Sum >= 1 in 2 of 12 x 300 s",
    "FallbackUsedAlarm": f"{OURS} {Count.FALLBACK_USED} {COUNTED} 1 of 1 x 300 s",
    "SecretUnavailableAlarm": f"{OURS} {Count.NOTHING_TO_VERIFY_WITH} {COUNTED} 1 of 1 x 60 s",
    # Twice within a day, CloudWatch's longest: one forgery rings nothing, two bookings a day do.
    "SignatureMismatchAlarm": f"{OURS} {Count.SIGNATURE_MISMATCH} {COUNTED} 2 of 288 x 300 s",
    "BookingCreatedDLQAlarm": f"{MESSAGES}=!BookingCreatedDLQ.QueueName {FIRST}",
    "BookingCreatedErrorAlarm": f"{ERRORS}=!BookingCreatedFunction {ANY}",
    "BookingCreatedQueueAgeAlarm": f"{AGE}=!BookingCreatedQueue.QueueName {LATE}",
    "BookingCanceledDLQAlarm": f"{MESSAGES}=!BookingCanceledDLQ.QueueName {FIRST}",
    "BookingCanceledErrorAlarm": f"{ERRORS}=!BookingCanceledFunction {ANY}",
    "BookingCanceledQueueAgeAlarm": f"{AGE}=!BookingCanceledQueue.QueueName {LATE}",
    "BookingEventsDLQAlarm": f"{MESSAGES}=!BookingEventsDLQ.QueueName {FIRST}",
    "BookingEventsErrorAlarm": f"{ERRORS}=!BookingEventsFunction {ANY}",
    "BookingEventsDelayAlarm": f"{DELAY}=!BookingEventsFunction Maximum >= 900000 in 1 of 1 x 60 s",
}
# AWS's metrics on the dashboard, each with its dimension and the end of the value. A queue's Ref is its URL.
AWS_METRICS = {
    **dict.fromkeys((MESSAGES.split()[1], AGE.split()[1]), ("QueueName", ".QueueName}")),
    "IteratorAge": ("FunctionName", "Function}"),
    "Latency": ("ApiId", "${WebhookApi}"),
}


def alarms() -> dict[str, Properties]:
    return stack().plain("AWS::CloudWatch::Alarm")


# failure matrix: 12, 13, 14, 15, 20, 22, 26, 28, 31, 32, 38
@pytest.mark.parametrize("name", ALARMS)
def test_alarm_rings_at_this_threshold(name: str) -> None:
    assert watch(alarms()[name]) == ALARMS[name]
    assert TO_THE_TOPIC.items() <= alarms()[name].items()


# failure matrix: 14
def test_published_deliveries_are_compared_with_arrivals() -> None:
    def hourly(identity: str, namespace: str, name: str, *dimension: str) -> Properties:
        dimensions = [dict(zip(("Name", "Value"), dimension, strict=True))]
        metric = {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions}
        stat = {"Metric": metric, "Period": 3600, "Stat": "Sum"}
        return {"Id": identity, "ReturnData": False, "MetricStat": stat}

    alarm = alarms()["DeliveriesVanishAlarm"]
    expression, *metrics = alarm.pop("Metrics")

    assert metrics == [
        hourly("published", OURS, Count.DELIVERY_PUBLISHED, "service", "webhook"),
        hourly("created", "AWS/SQS", "NumberOfMessagesSent", "QueueName", "!BookingCreatedQueue.QueueName"),
        hourly("canceled", "AWS/SQS", "NumberOfMessagesSent", "QueueName", "!BookingCanceledQueue.QueueName"),
    ]
    assert expression.keys() == {"Id", "Label", "Expression"}  # it is the one that returns data
    assert alarm == RINGING | TO_THE_TOPIC | {"EvaluationPeriods": 1, "Threshold": 1}
    assert alarms().keys() == ALARMS.keys() | {"DeliveriesVanishAlarm"}


# failure matrix: 14
@pytest.mark.parametrize(
    ("published", "created", "canceled", "rings"),
    [
        (3, 0, 0, True), (1, 0, 0, True), (1, 1, 0, False),
        (5, 0, 1, False), (0, 0, 0, False), (0, 2, 0, False),
    ],
)  # fmt: skip
def test_vanished_deliveries_ring(published: int, created: int, canceled: int, rings: bool) -> None:
    written = re.fullmatch(r"IF\((.+), 1, 0\)", alarms()["DeliveriesVanishAlarm"]["Metrics"][0]["Expression"])
    assert written
    values = {"published": published, "created": created, "canceled": canceled}
    assert eval(written[1].replace("AND", "and"), {}, values) is rings  # noqa: S307 - our own template


# failure matrix: 28
def test_texts_say_how_to_end_a_rotation() -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    text = stack().of_type("AWS::CloudWatch::Alarm")["SignatureMismatchAlarm"]["AlarmDescription"]

    assert "`SignatureMismatchAlarm`" in page.partition("## Rotate the secret")[2].partition("\n## ")[0]
    assert all(words in text for words in ("changed at Zoom first", "Store the new one", "bookings recover"))


def widgets() -> list[dict[str, Any]]:
    body = stack().of_type("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]
    return list(json.loads(body["Fn::Sub"])["widgets"])


def shown() -> Iterator[tuple[str, str, str, str, str]]:
    """Yields title, namespace, metric, dimension and value of each line, without the shorthand."""
    for widget in widgets():
        before: list[str] = []
        for row in widget["properties"].get("metrics", []):
            parts = [part for part in row if isinstance(part, str)]
            if parts[0] == "...":
                parts = before[: len(before) - len(parts) + 1] + parts[1:]
            before = [before[place] if part == "." else part for place, part in enumerate(parts)]
            namespace, metric, name, value = before
            yield widget["properties"]["title"], namespace, metric, name, value


def test_dashboard_shows_metrics_that_somebody_publishes() -> None:
    services = {"webhook", "booking-created", "booking-canceled", "booking-events"}
    for _, namespace, metric, name, value in shown():
        if namespace == OURS.removeprefix("!Sub "):
            assert metric in set(Count)
            assert (name, value in services) == ("service", True)
        else:
            dimension, ending = AWS_METRICS[metric]
            assert (name, value[-len(ending) :]) == (dimension, ending)


def test_dashboard_shows_every_alarm() -> None:
    (listed,) = [widget["properties"]["alarms"] for widget in widgets() if widget["type"] == "alarm"]
    assert sorted(listed) == sorted(f"${{{name}.Arn}}" for name in alarms())


def test_dashboard_shows_every_result_of_a_delivery() -> None:
    assert {metric for title, _, metric, _, _ in shown() if title.startswith("Deliveries")} == {
        Count.DELIVERY_PUBLISHED, Count.UNKNOWN_EVENT_PUBLISHED, Count.OTHER_PRODUCT, Count.QUARANTINED,
        Count.SIGNATURE_MALFORMED, Count.SIGNATURE_MISMATCH, Count.TOO_LARGE, Count.NOT_DURABLE,
        Count.NOTHING_TO_VERIFY_WITH, Count.UNEXPECTED_ERROR,
    }  # fmt: skip


def test_widgets_do_not_overlap() -> None:
    areas = [[widget[key] for key in ("x", "y", "width", "height")] for widget in widgets()]
    cells = [(x + i, y + j) for x, y, width, height in areas for i in range(width) for j in range(height)]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24  # columns of a dashboard
