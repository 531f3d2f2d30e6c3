"""Evaluates the alarms of the template over sample metrics, by the rules in decision 25.

It knows only the parts that these alarms use: Sum, Maximum, SampleCount, SUM, FILL, IF, M of N, missing data.
"""

import re
from collections.abc import Mapping
from typing import Any

Metrics = Mapping[str, Mapping[int, float]]
"""Values by minute. The key is a metric's name and its last dimension: `RecordFailed booking-created`."""

_STATISTICS: dict[str, Any] = {"Sum": sum, "Maximum": max, "SampleCount": len}
_COMPARISONS: dict[str, Any] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}
_FUNCTIONS: dict[str, Any] = {
    "FILL": lambda value, default: default if value is None else value,
    "IF": lambda condition, then, otherwise: then if condition else otherwise,
    "SUM": sum,
}


def rings_at(alarm: Mapping[str, Any], metrics: Metrics, minutes: int) -> int | None:
    """Returns the first minute at which the alarm rings, None if it stays quiet.

    It looks right behind each value, and once an hour.
    """
    behind = {minute + 1 for values in metrics.values() for minute in values}
    looks = sorted(behind.union(range(1, minutes + 1, 60)) & set(range(1, minutes + 1)))
    return next((minute for minute in looks if _rings(alarm, metrics, minute)), None)


def key(metric: Mapping[str, Any]) -> str:
    """Returns the key of a metric of the template."""
    dimensions = metric.get("Dimensions") or [{"Value": "api"}]
    names = re.findall(r"[\w-]+", str(dimensions[-1]["Value"]).replace("QueueName", ""))
    rules = [name for name in names if name.endswith("Rule")]  # of a rule's ARN
    return f"{metric['MetricName']} {(rules or names)[-1]}"


def _rings(alarm: Mapping[str, Any], metrics: Metrics, minute: int) -> bool:
    periods = alarm["EvaluationPeriods"]
    breaching = sum(_breaches(alarm, metrics, minute, period) for period in range(periods))
    return breaching >= int(alarm.get("DatapointsToAlarm", periods))


def _breaches(alarm: Mapping[str, Any], metrics: Metrics, minute: int, period: int) -> bool:
    value = _datapoint(alarm, metrics, minute, period)
    if value is None:
        return bool(alarm["TreatMissingData"] == "breaching")
    return bool(_COMPARISONS[alarm["ComparisonOperator"]](value, alarm["Threshold"]))


def _datapoint(alarm: Mapping[str, Any], metrics: Metrics, minute: int, period: int) -> float | None:
    if "Metrics" not in alarm:
        return _statistic(alarm, alarm["Statistic"], alarm["Period"], metrics, minute, period)
    values = {
        part["Id"]: _statistic(stat["Metric"], stat["Stat"], stat["Period"], metrics, minute, period)
        for part in alarm["Metrics"]
        if (stat := part.get("MetricStat"))
    }
    (expression,) = (part["Expression"] for part in alarm["Metrics"] if "Expression" in part)
    names = _FUNCTIONS | values
    return float(eval(expression.replace("AND", "and"), {}, names))  # noqa: S307 - of our own template


def _statistic(
    metric: Mapping[str, Any], statistic: str, seconds: int, metrics: Metrics, minute: int, period: int
) -> float | None:
    """Returns the value of one period. Periods count back from the minute: they slide."""
    last = minute - period * seconds // 60
    first = last - seconds // 60
    values = [value for at, value in metrics.get(key(metric), {}).items() if first <= at < last]
    return float(_STATISTICS[statistic](values)) if values else None
