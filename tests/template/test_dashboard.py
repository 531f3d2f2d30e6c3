"""The dashboard shows metrics that somebody publishes, and every alarm."""

import json
from collections.abc import Iterator
from typing import Any

from bookings.counts import Count
from tests.template.stacks import stack

NAMESPACE = "ZoomSchedulerBookings/${AWS::StackName}"
# AWS's metrics on the dashboard, each with its dimension and the end of the value. A queue's Ref is its URL.
AWS_METRICS = {
    **dict.fromkeys(
        ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"), ("QueueName", ".QueueName}")
    ),
    "IteratorAge": ("FunctionName", "Function}"),
    "Latency": ("ApiId", "${WebhookApi}"),
}


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
        if namespace == NAMESPACE:
            assert metric in set(Count)
            assert (name, value in services) == ("service", True)
        else:
            dimension, ending = AWS_METRICS[metric]
            assert (name, value[-len(ending) :]) == (dimension, ending)


def test_dashboard_shows_every_alarm() -> None:
    (listed,) = [widget["properties"]["alarms"] for widget in widgets() if widget["type"] == "alarm"]
    assert sorted(listed) == sorted(f"${{{name}.Arn}}" for name in stack().of_type("AWS::CloudWatch::Alarm"))


def test_dashboard_shows_every_result_of_a_delivery() -> None:
    assert {metric for title, _, metric, _, _ in shown() if title.startswith("Deliveries")} == {
        Count.CREATED_PUBLISHED, Count.CANCELED_PUBLISHED, Count.UNKNOWN_EVENT_PUBLISHED,
        Count.OTHER_PRODUCT, Count.QUARANTINED,
        Count.SIGNATURE_MALFORMED, Count.SIGNATURE_MISMATCH, Count.TOO_LARGE, Count.NOT_DURABLE,
        Count.NOTHING_TO_VERIFY_WITH, Count.UNEXPECTED_ERROR,
    }  # fmt: skip


def test_widgets_do_not_overlap() -> None:
    areas = [[widget[key] for key in ("x", "y", "width", "height")] for widget in widgets()]
    cells = [(x + i, y + j) for x, y, width, height in areas for i in range(width) for j in range(height)]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24  # columns of a dashboard
