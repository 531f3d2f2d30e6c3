"""Log lines and metrics, as far as dashboard, alarms and operator rely on them."""

import runpy
import warnings
from types import SimpleNamespace
from typing import Any

import pytest

from bookings import observability
from bookings.counts import Count
from bookings.observability import count, logger, metrics
from tests.printed import Printed


def context(request_id: str = "request-0") -> Any:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:webhook"
    names = {"function_name": "webhook", "invoked_function_arn": arn, "aws_request_id": request_id}
    return SimpleNamespace(memory_limit_in_mb=1024, **names)


@metrics.log_metrics
def counting(names: list[Count], _context: object) -> None:
    for name in names:
        count(name)


def test_counts_are_metrics_with_the_service_dimension(printed: Printed) -> None:
    counting([Count.FALLBACK_USED, Count.CREATED_PUBLISHED, Count.FALLBACK_USED], context())
    (line,) = printed.metrics()
    names = [{"Name": name, "Unit": "Count"} for name in ("FallbackUsed", "CreatedPublished")]
    namespace, dimensions = "ZoomSchedulerBookings/tests", [["service"]]
    assert line["_aws"]["CloudWatchMetrics"] == [
        {"Namespace": namespace, "Dimensions": dimensions, "Metrics": names}
    ]
    assert (line["service"], line["FallbackUsed"], line["CreatedPublished"]) == ("tests", [1, 1], [1])


def test_more_counts_than_a_line_holds_are_all_printed(printed: Printed) -> None:
    counting([Count.EVENT_ANNOUNCED] * 250, context())
    assert printed.counts() == {Count.EVENT_ANNOUNCED: 250}


def test_no_count_prints_and_warns_nothing(printed: Printed) -> None:
    with warnings.catch_warnings(record=True, action="always") as warned:
        module = runpy.run_path(observability.__file__)  # as Lambda imports it
        module["metrics"].log_metrics(lambda _event, _context: None)({}, context())
    assert (warned, printed.text()) == ([], "")


def test_log_line_names_its_invocation(printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aws_lambda_powertools.logging.logger.is_cold_start", True)

    @logger.inject_lambda_context(log_event=False)
    def handler(_event: object, _context: object) -> None:
        logger.error("record failed", extra={"message_id": "m-1"})

    handler({}, context("request-1"))
    handler({}, context("request-2"))
    names = ("level", "message", "service", "message_id", "function_request_id", "cold_start")
    assert [tuple(line[name] for name in names) for line in printed.logs()] == [
        ("ERROR", "record failed", "tests", "m-1", "request-1", True),
        ("ERROR", "record failed", "tests", "m-1", "request-2", False),
    ]
