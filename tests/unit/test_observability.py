"""What log lines and metrics hold, as far as the dashboard, the alarms and the operator rely on it."""

import runpy
import warnings
from types import SimpleNamespace

import pytest

from bookings import observability
from bookings.counts import Count
from bookings.observability import count, logger, metrics
from tests.printed import Printed

CONTEXT = SimpleNamespace(
    function_name="webhook",
    memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:webhook",
    aws_request_id="52fdfc07-2182-154f-163f-5f0f9a621d72",
)


def test_counts_are_metrics_with_the_service_dimension(printed: Printed) -> None:
    @metrics.log_metrics
    def handler(_event: object, _context: object) -> None:
        count(Count.FALLBACK_USED)
        count(Count.DELIVERY_PUBLISHED)
        count(Count.FALLBACK_USED)

    handler({}, CONTEXT)
    (line,) = printed.metrics()
    assert line["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "ZoomSchedulerBookings/tests",
            "Dimensions": [["service"]],
            "Metrics": [
                {"Name": "FallbackUsed", "Unit": "Count"},
                {"Name": "DeliveryPublished", "Unit": "Count"},
            ],
        }
    ]
    assert line["service"] == "tests"
    assert (line["FallbackUsed"], line["DeliveryPublished"]) == ([1.0, 1.0], [1.0])


def test_more_counts_than_a_metric_line_holds_are_all_printed(printed: Printed) -> None:
    @metrics.log_metrics
    def handler(_event: object, _context: object) -> None:
        for _ in range(250):
            count(Count.EVENT_ANNOUNCED)

    handler({}, CONTEXT)
    assert printed.counts() == {Count.EVENT_ANNOUNCED: 250}


def test_nothing_counted_prints_nothing_and_warns_of_nothing(printed: Printed) -> None:
    with warnings.catch_warnings(record=True, action="always") as warned:
        module = runpy.run_path(observability.__file__)  # as Lambda imports it
        module["metrics"].log_metrics(lambda _event, _context: None)({}, CONTEXT)
    assert warned == []
    assert printed.text() == ""


def test_a_log_line_says_which_invocation_it_belongs_to(
    printed: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aws_lambda_powertools.logging.logger.is_cold_start", True)

    @logger.inject_lambda_context(log_event=False)
    def handler(_event: object, _context: object) -> None:
        logger.error("record failed", extra={"message_id": "m-1"})

    for number in range(2):
        handler({}, SimpleNamespace(**vars(CONTEXT) | {"aws_request_id": f"request-{number}"}))
    first, second = printed.logs()
    assert (first["level"], first["message"], first["service"]) == ("ERROR", "record failed", "tests")
    assert first["message_id"] == "m-1"
    assert [line["function_request_id"] for line in (first, second)] == ["request-0", "request-1"]
    assert [line["cold_start"] for line in (first, second)] == [True, False]
