"""Nothing that protects can be taken out of a template unnoticed: a test misses each entry, one at a time."""

import copy
from pathlib import Path

import pytest

from tests.template import test_subscriber_stack
from tests.template.mutants import GONE, NO_PROTECTION, Jury, Mutant, mutants
from tests.template.stacks import BOOKINGS, SUBSCRIBER, stack, walked

TEMPLATES = pytest.mark.parametrize("path", [BOOKINGS, SUBSCRIBER], ids=["bookings", "subscriber"])
MOST_EXEMPT_KINDS = 10

# One of each kind of protection, so that no exemption can come to cover one.
PROTECTIONS = [
    "BookingCreatedDLQ",
    "BookingCreatedQueue.Properties.RedrivePolicy",
    "BookingCreatedQueue.Properties.RedrivePolicy.maxReceiveCount",
    "BookingCreatedQueue.Properties.VisibilityTimeout",
    "BookingCreatedQueue.Properties.SqsManagedSseEnabled",
    "BookingCreatedRule.Properties.Targets.0.RetryPolicy",
    "BookingCreatedRule.Properties.Targets.0.RetryPolicy.MaximumEventAgeInSeconds",
    "BookingCreatedRule.Properties.Targets.0.DeadLetterConfig",
    "BookingCreatedQueuePolicy.Properties.PolicyDocument.Statement.0.Condition",
    "BookingCreatedQueuePolicy.Properties.PolicyDocument.Statement.1",
    "BookingCreatedQueuePolicy.Properties.PolicyDocument.Statement.1.Condition",
    "BookingCreatedFunctionDeliveries.Properties.FunctionResponseTypes",
    "BookingCreatedFunctionDeliveries.Properties.ScalingConfig.MaximumConcurrency",
    "BookingCreatedDLQAlarm",
    "BookingCreatedDLQAlarm.Properties.AlarmActions",
    "BookingCreatedDLQAlarm.Properties.ComparisonOperator",
    "BookingCreatedDLQAlarm.Properties.TreatMissingData",
    "BookingCreatedDLQAlarm.Properties.AlarmDescription",
    "BookingEventsFunctionChanges.Properties.BisectBatchOnFunctionError",
    "BookingEventsFunctionChanges.Properties.DestinationConfig",
    "BookingsTable.DeletionPolicy",
    "BookingsTable.UpdateReplacePolicy",
    "BookingsTable.Properties.PointInTimeRecoverySpecification",
    "BookingsTable.Properties.SSESpecification",
    "BookingsTable.Properties.DeletionProtectionEnabled",
    "BookingsTable.Properties.TimeToLiveSpecification",
    "DeliveryArchive",
    "DeliveryArchive.Properties.RetentionDays",
    "QuarantineQueue.Properties.RedriveAllowPolicy",
    "SubscriberRulePolicy.Condition",
    "SubscriberRulePolicy.Properties.Statement.Condition.StringEquals",
    "WebhookApiApiGatewayDefaultStage.Properties.AccessLogSettings",
    "WebhookApiApiGatewayDefaultStage.Properties.DefaultRouteSettings.ThrottlingRateLimit",
    "WebhookFunction.Properties.Timeout",
    "WebhookFunctionZoomDeliveryPermission.Properties.SourceArn",
    "WebhookLogGroup.Properties.RetentionInDays",
    "WebhookRole.Properties.Policies.0.PolicyDocument.Statement.1.Condition",
]


@TEMPLATES
def test_every_mutant_is_noticed(path: Path) -> None:
    jury = Jury(path)
    count = sum(1 for _ in mutants(jury.template))

    survivors = [str(mutant) for mutant in jury.survivors()]

    assert survivors == [], f"{count - len(survivors)} of {count} mutants were noticed"


@TEMPLATES
def test_the_template_as_it_is_is_not_blamed_before_and_after(path: Path) -> None:
    jury = Jury(path)

    assert jury.killer() is None
    assert jury.killer(Mutant(("Resources",))) is not None
    assert jury.killer() is None
    assert jury.template == stack(path).template


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_each_kind_of_protection_is_taken_away_once(protection: str) -> None:
    taken = {str(mutant) for mutant in mutants(stack(BOOKINGS).template)}

    assert f"Resources.{protection} gone" in taken


def test_a_protection_that_is_added_later_is_taken_away_too() -> None:
    template = copy.deepcopy(stack(BOOKINGS).template)
    template["Resources"]["BookingsTable"]["Properties"]["KinesisStreamSpecification"] = {"StreamArn": "x"}
    added = set(map(str, mutants(template))) - set(map(str, mutants(stack(BOOKINGS).template)))

    assert added == {
        "Resources.BookingsTable.Properties.KinesisStreamSpecification gone",
        "Resources.BookingsTable.Properties.KinesisStreamSpecification.StreamArn gone",
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("QuarantineQueue.Properties.SqsManagedSseEnabled", False),
        ("QuarantineAlarm.Properties.Threshold", 10),
        ("QuarantineAlarm.Properties.ComparisonOperator", "LessThanThreshold"),
        ("QuarantineQueuePolicy.Properties.PolicyDocument.Statement.0.Effect", "Allow"),
        ("BookingsTable.DeletionPolicy", "Delete"),
        ("BookingEventsFunction.Properties.LoggingConfig.LogGroup", {"Ref": "WebhookApiLogGroup"}),
        ("SubscriberRulePolicy.Properties.Statement.Condition", None),
    ],
)
def test_a_protection_is_weakened_too(path: str, value: object) -> None:
    all_of_them = mutants(stack(BOOKINGS).template)
    changed = [mutant.value for mutant in all_of_them if str(mutant).startswith(f"Resources.{path} =")]

    assert changed if value is None else value in changed


def test_a_template_with_too_few_tests_has_survivors() -> None:
    survivors = set(map(str, Jury(SUBSCRIBER, [test_subscriber_stack]).survivors()))

    assert "Resources.BookingStatesTable.Properties.PointInTimeRecoverySpecification gone" in survivors
    assert "Resources.SubscriberFunction.Properties.Environment.Variables.TABLE_NAME gone" not in survivors


@pytest.mark.parametrize(("reason", "kind"), NO_PROTECTION, ids=[reason for reason, _ in NO_PROTECTION])
def test_what_is_exempt_is_there_and_has_its_reason(reason: str, kind: object) -> None:
    everything = [*walked(stack(BOOKINGS).template), *walked(stack(SUBSCRIBER).template)]

    assert callable(kind)
    assert any(kind(path, value) for path, value in everything)
    assert len(reason.split()) >= 3


def test_few_kinds_are_exempt() -> None:
    assert len(NO_PROTECTION) <= MOST_EXEMPT_KINDS


def test_a_mutant_is_told_by_where_it_is_and_what_is_there() -> None:
    assert str(Mutant(("Resources", "A", "Targets", 0), GONE)) == "Resources.A.Targets.0 gone"
    assert str(Mutant(("Resources", "A", "Threshold"), 10)) == "Resources.A.Threshold = 10"
