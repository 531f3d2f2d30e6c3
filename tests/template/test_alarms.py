"""Every alarm rings when it should, and is quiet on a healthy day."""

import re
from pathlib import Path
from typing import Any

import pytest

from bookings import limits
from bookings.batch import delay_seconds
from bookings.counts import Count
from local.template import read
from tests.template.alarms import Metrics, key, rings_at

ROOT = Path(__file__).parents[2]
TEMPLATE = read(ROOT / "template.yaml")
ALARMS: dict[str, dict[str, Any]] = {
    name.removesuffix("Alarm"): resource["Properties"]
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}
HOUR, DAY = 60, 1440
QUEUES = ("BookingCreatedDLQ", "BookingCanceledDLQ", "BookingEventsDLQ", "QuarantineQueue")
VISIBLE = "ApproximateNumberOfMessagesVisible"
AGE = "ApproximateAgeOfOldestMessage"


def booking(at: int) -> dict[str, dict[int, float]]:
    """Returns the metrics of one booking. It is received in the next minute, and read in the one after."""
    return {
        "CreatedPublished webhook": {at: 1},
        "DeliveryReceived booking-created": {at + 1: 1},
        "BookingWritten booking-created": {at + 1: 1},
        "IteratorAge BookingEventsFunction": {at + 2: 900},
        "EventAnnounced booking-events": {at + 2: 1},
    }


def merged(*parts: Metrics) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for part in parts:
        for name, values in part.items():
            found.setdefault(name, {}).update(values)
    return found


CHALLENGES = {"ChallengeAnswered webhook": dict.fromkeys(range(-3 * DAY, 9 * DAY, 3 * DAY), 1.0)}
IDLE = CHALLENGES | {f"{VISIBLE} {queue}": dict.fromkeys(range(0, DAY, 60), 0.0) for queue in QUEUES}
CHECK = merged(booking(100), {"SignatureMalformed webhook": {100: 2}, "ChallengeAnswered webhook": {100: 1}})
HEALTHY: dict[str, Metrics] = {
    "an idle day": IDLE,
    # The delivery is in one hour, its receipt in the next, wherever the hour begins.
    "a lone booking": merged(IDLE, booking(59)),
    "bookings all day": merged(IDLE, *(booking(at) for at in range(0, DAY, 37))),
    "two runs of bookings check": merged(IDLE, CHECK, booking(900), {"SignatureMalformed webhook": {900: 2}}),
    "one slow PutEvents": merged(IDLE, booking(5), {"FallbackUsed webhook": {5: 1}}),
    "one forgery": merged(IDLE, {"SignatureMismatch webhook": {5: 1}}),
    "a flood of malformed requests": merged(
        IDLE, {"SignatureMalformed webhook": dict.fromkeys(range(0, 99, 9), 3000.0)}
    ),
    "one answer 503 that a retry mends": merged(IDLE, {"5xx WebhookApi": {5: 1}}),
    "one record that a retry mends": merged(IDLE, booking(5), {"RecordFailed booking-created": {5: 1}}),
    "a message delayed twice": merged(IDLE, {f"{AGE} BookingCreatedQueue": {5: 60, 6: 120, 7: 180}}),
}


@pytest.mark.parametrize("metrics", HEALTHY.values(), ids=HEALTHY)
@pytest.mark.parametrize("name", ALARMS)
def test_a_healthy_day_rings_no_alarm(name: str, metrics: Metrics) -> None:
    assert rings_at(ALARMS[name], metrics, DAY) is None


def every(minutes: int, value: float = 1, *, until: int = DAY) -> dict[int, float]:
    return dict.fromkeys(range(0, until, minutes), value)


# The alarm, the metrics of a failure, and the minute by which it rings.
FAILURES: dict[str, tuple[str, Metrics, int]] = {
    "a delivery quarantined": ("Quarantined", {"Quarantined webhook": {5: 1}}, 6),
    "a cancel without an e-mail": ("Quarantined", {"Quarantined booking-canceled": {5: 1}}, 6),
    "an old message in quarantine": ("QuarantineDepth", {f"{VISIBLE} QuarantineQueue": every(60)}, 5),
    "503 to a delivery and its retry": ("WebhookServerError", {"5xx WebhookApi": {0: 1, 5: 1}}, 6),
    "a flood": ("RequestsThrottled", {"RequestsThrottled api": {5: 70}}, 6),
    "the bus is deleted, two bookings": ("FallbackUsed", {"FallbackUsed webhook": {0: 1, 600: 1}}, 601),
    "no secret": ("SecretUnavailable", {"SecretUnavailable webhook": {5: 1}}, 6),
    "the token changed at Zoom first": (
        "SignatureMismatch",
        {"SignatureMismatch webhook": {0: 1, 700: 1}},
        701,
    ),
    "Zoom never validated": ("ChallengeMissing", {}, 1),
    "created deliveries vanish": ("CreatedVanish", {"CreatedPublished webhook": {0: 1, 90: 1}}, 151),
    "canceled deliveries vanish": ("CanceledVanish", {"CanceledPublished webhook": {0: 1, 90: 1}}, 151),
    "only canceled ones vanish": (
        "CanceledVanish",
        merged(*(booking(at) for at in range(0, DAY, 37)), {"CanceledPublished webhook": {0: 1, 90: 1}}),
        151,
    ),
    "a queue's policy is gone": ("RuleGivenUp", {"InvocationsSentToDlq BookingCreatedRule": {5: 1}}, 6),
    "a canceled queue's policy is gone": (
        "RuleGivenUp",
        {"InvocationsSentToDlq BookingCanceledRule": {5: 1}},
        6,
    ),
    "the table is down": ("RecordFailed", {"RecordFailed booking-created": {0: 1, 1: 1, 6: 1}}, 15),
    "a canceled handler's bug": ("RecordFailed", {"RecordFailed booking-canceled": {0: 1, 3: 1, 7: 1}}, 15),
    "a record fails at its last receive": ("RecordGivenUp", {"RecordGivenUp booking-created": {5: 1}}, 6),
    "created in the DLQ": ("BookingCreatedDLQ", {f"{VISIBLE} BookingCreatedDLQ": every(60)}, 5),
    "canceled in the DLQ": ("BookingCanceledDLQ", {f"{VISIBLE} BookingCanceledDLQ": every(60)}, 5),
    "nobody reads created": ("BookingCreatedQueueAge", {f"{AGE} BookingCreatedQueue": {10: 600}}, 11),
    "nobody reads canceled": ("BookingCanceledQueueAge", {f"{AGE} BookingCanceledQueue": {10: 600}}, 11),
    "the bus refuses an event": ("EventRefused", {"EventRefused booking-events": {5: 1}}, 6),
    "events in the DLQ": ("BookingEventsDLQ", {f"{VISIBLE} BookingEventsDLQ": every(60)}, 5),
    "the bus is down": ("BookingEventsDelay", {"IteratorAge BookingEventsFunction": {20: 900_000}}, 21),
    "the stream's mapping is off": (
        "BookingEventsUnread",
        {"BookingWritten booking-canceled": {0: 1, 90: 1}},
        151,
    ),
    "a function times out": ("FunctionErrors", {"Errors BookingEventsFunction": {5: 1}}, 6),
    "no concurrency left": ("Throttles", {"Throttles WebhookFunction": {0: 9, 6: 9}}, 15),
}


@pytest.mark.parametrize(("name", "metrics", "by"), FAILURES.values(), ids=FAILURES)
def test_a_failure_rings_its_alarm(name: str, metrics: Metrics, by: int) -> None:
    rang = rings_at(ALARMS[name], metrics, DAY)
    assert rang is not None
    assert rang <= by


def test_every_alarm_has_a_failure() -> None:
    assert {name for name, _, _ in FAILURES.values()} == set(ALARMS)


# failure matrix: 22
def test_an_hour_of_a_table_that_is_down_rings_within_15_minutes() -> None:
    receives, minute = {}, 0
    for receive in range(1, 6):
        receives[minute] = 1.0
        minute += delay_seconds(receive) // 60
    rang = rings_at(ALARMS["RecordFailed"], {"RecordFailed booking-created": receives}, DAY)
    assert rang is not None
    assert rang <= 15


def test_an_arrival_rings_again_although_others_lie_there() -> None:
    metrics = {"RecordGivenUp booking-created": {5: 1.0, 9: 1.0}}
    minutes = [at for at in range(1, 20) if rings_at(ALARMS["RecordGivenUp"], metrics, at) == at]
    assert minutes == [6]
    later = {"RecordGivenUp booking-created": {9: 1.0}}
    assert rings_at(ALARMS["RecordGivenUp"], later, 20) == 10


def test_our_metrics_are_counted_and_shown() -> None:
    ours = {str(count) for count in Count}
    counted = {
        key(metric).split()[0]
        for alarm in ALARMS.values()
        for metric in [
            alarm,
            *(part["MetricStat"]["Metric"] for part in alarm.get("Metrics", []) if "MetricStat" in part),
        ]
        if "ZoomSchedulerBookings" in str(metric.get("Namespace", ""))
    }
    assert counted - ours == {"RequestsThrottled"}  # by the filter of the access log


def test_the_cost_of_an_idle_stack_counts_every_metric() -> None:
    metrics = sum(
        len([1 for part in alarm.get("Metrics", [{"MetricStat": 1}]) if "MetricStat" in part])
        for alarm in ALARMS.values()
    )
    assert f"{metrics} metrics in alarms {metrics / 10:.1f}" in (ROOT / "docs/operations.md").read_text()


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_says_what_to_do(name: str) -> None:
    alarm = ALARMS[name]
    physical = alarm["AlarmName"]["Fn::Sub"]
    assert re.fullmatch(r"\$\{AWS::StackName\}-(page|ticket)-[a-z0-9-]+", physical)
    topic = [{"Fn::If": ["TopicIsOurs", {"Ref": "AlarmTopic"}, {"Ref": "AlarmTopicArn"}]}]
    assert alarm["AlarmActions"] == topic
    assert alarm.get("OKActions", topic) == topic
    page = (ROOT / "docs/operations.md").read_text()
    assert f"`{physical.removeprefix('${AWS::StackName}-')}`" in page
    assert len(alarm["AlarmDescription"]) <= 1024


def test_the_numbers_in_texts_are_the_codes() -> None:
    resources = TEMPLATE["Resources"]
    for kind in ("Created", "Canceled"):
        queue = resources[f"Booking{kind}Queue"]["Properties"]
        assert queue["RedrivePolicy"]["maxReceiveCount"] == limits.MAX_RECEIVES
        assert (
            f"{queue['MessageRetentionPeriod'] // 86_400} days"
            in ALARMS[f"Booking{kind}QueueAge"]["AlarmDescription"]
        )
        age = ALARMS[f"Booking{kind}QueueAge"]
        assert f"for {age['Threshold'] // 60} minutes" in age["AlarmDescription"]
        # The third receive takes a message out of the metric, so only an unread queue gets that old.
        assert delay_seconds(1) + delay_seconds(2) < age["Threshold"]
    assert f"{limits.MAX_RECEIVES}th receive" in ALARMS["RecordGivenUp"]["AlarmDescription"]
    assert (
        f"shorter than {limits.SECRET_MIN_LENGTH} characters"
        in ALARMS["SecretUnavailable"]["AlarmDescription"]
    )
    delay = ALARMS["BookingEventsDelay"]
    assert f"{delay['Threshold'] // 60_000} minutes late" in delay["AlarmDescription"]
    changes = resources["BookingEventsFunction"]["Properties"]["Events"]["Changes"]["Properties"]
    assert f"After {changes['MaximumRecordAgeInSeconds'] // 3600} hours" in delay["AlarmDescription"]
    minutes = sum(delay_seconds(receive) for receive in range(1, limits.MAX_RECEIVES)) // 60
    assert minutes in range(90, 100)
    assert "for 90 minutes" in ALARMS["RecordFailed"]["AlarmDescription"]
