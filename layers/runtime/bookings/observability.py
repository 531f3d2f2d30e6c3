"""The functions' log and metrics. Callers pass only ids, names and reasons: nothing personal, no secret."""

import warnings

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from bookings.counts import Count

logger = Logger()
metrics = Metrics()

# An invocation without a metric is normal: a stream record may announce nothing.
warnings.filterwarnings("ignore", message="No application metrics to publish")


def count(name: Count) -> None:
    """Counts one occurrence. Powertools writes it when the invocation ends."""
    metrics.add_metric(name=str(name), unit=MetricUnit.Count, value=1)
