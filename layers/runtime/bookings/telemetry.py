"""The functions' log and metrics. What goes in has been made fit for it: ids, names, reasons."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from bookings.counts import Count

logger = Logger()
metrics = Metrics()


def count(name: Count) -> None:
    """Counts one occurrence; it leaves with the log line that ends the invocation."""
    metrics.add_metric(name=str(name), unit=MetricUnit.Count, value=1)
