"""The stack of `template.yaml` in strict services: queues, bus, rules, table and secret as it sets them."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from tests.aws.dynamodb import DynamoDB
from tests.aws.events import EventBridge, Rule
from tests.aws.secretsmanager import SecretsManager
from tests.aws.sqs import SQS

ROOT = Path(__file__).parents[2]

CREATED = "BookingCreated"
CANCELED = "BookingCanceled"


@functools.cache
def resources() -> dict[str, Any]:
    """Returns the template's resources."""
    parsed: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    return parsed


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """What the template says of a function and of the mapping that feeds it."""

    timeout_seconds: float
    batch_size: int = 1
    partial_responses: bool = False
    maximum_age_seconds: float | None = None
    event_names: frozenset[str] = frozenset()


@functools.cache
def function_settings(name: str) -> FunctionSettings:
    properties = resources()[f"{name}Function"]["Properties"]
    for event in properties["Events"].values():
        source = event["Properties"]
        patterns = source.get("FilterCriteria", {}).get("Filters", [])
        return FunctionSettings(
            timeout_seconds=properties["Timeout"],
            batch_size=source.get("BatchSize", 10),
            partial_responses="ReportBatchItemFailures" in source.get("FunctionResponseTypes", []),
            maximum_age_seconds=source.get("MaximumRecordAgeInSeconds"),
            event_names=frozenset(
                name for each in patterns for name in yaml_parse(each["Pattern"])["eventName"]
            ),
        )
    raise AssertionError(f"{name} has no event")


@dataclass(slots=True)
class Stack:
    """The services, with the stack in them.

    Attributes:
        queues: URLs by the names of their resources.
        rules: those of the bus.
    """

    sqs: SQS
    events: EventBridge
    dynamodb: DynamoDB
    secretsmanager: SecretsManager
    queues: dict[str, str]
    bus_arn: str
    rules: list[Rule]
    secret_arn: str
    table: str = "BookingsTable"

    @property
    def services(self) -> dict[str, Any]:
        """Returns the services by their names in boto3."""
        return {
            "sqs": self.sqs,
            "events": self.events,
            "dynamodb": self.dynamodb,
            "secretsmanager": self.secretsmanager,
        }

    def environment(self, function: str, **settings: str) -> dict[str, str]:
        """Returns the environment variables of a function."""
        return {
            "EVENT_BUS_ARN": self.bus_arn,
            "FAN_OUT": "EventBridge",
            "BOOKING_CREATED_QUEUE_URL": self.queues["BookingCreatedQueue"],
            "BOOKING_CANCELED_QUEUE_URL": self.queues["BookingCanceledQueue"],
            "QUARANTINE_QUEUE_URL": self.queues["QuarantineQueue"],
            "ZOOM_SECRET_ARN": self.secret_arn,
            "SIGNATURE_TOLERANCE_SECONDS": "300",
            "BOOKINGS_TABLE_NAME": self.table,
            "BOOKING_RETENTION_DAYS": "0",
            "QUEUE_URL": self.queues.get(f"{function}Queue", ""),
            "BOOKING_EVENTS_DLQ_URL": self.queues["BookingEventsDLQ"],
            "SHARE_ACCESS_LINKS": "false",
        } | settings


def build_stack(now: Callable[[], datetime], secret: str) -> Stack:
    """Returns the stack as `sam deploy` would make it."""
    sqs, events, dynamodb, secretsmanager = SQS(now), EventBridge(now), DynamoDB(now), SecretsManager(now)
    queues: dict[str, str] = {}
    for name, properties in _queues():
        redrive = properties.get("RedrivePolicy")
        queues[name] = sqs.create_queue(
            name,
            visibility_seconds=properties.get("VisibilityTimeout", 30),
            retention_seconds=properties.get("MessageRetentionPeriod", 345_600),
            max_message_bytes=properties.get("MaximumMessageSize", 1_048_576),
            dead_letters=queues[redrive["deadLetterTargetArn"]["Fn::GetAtt"][0]] if redrive else None,
            max_receives=redrive["maxReceiveCount"] if redrive else None,
        )
    bus_arn = events.create_event_bus("bookings")
    rules: list[Rule] = []
    for name, properties in _of_type("AWS::Events::Rule"):
        (target,) = properties["Targets"]
        queue = queues[target["Arn"]["Fn::GetAtt"][0]]
        rules.append(events.put_rule(bus_arn, name, properties["EventPattern"], sqs.arn(queue)))
    stack = Stack(
        sqs=sqs,
        events=events,
        dynamodb=dynamodb,
        secretsmanager=secretsmanager,
        queues=queues,
        bus_arn=bus_arn,
        rules=rules,
        secret_arn=secretsmanager.create_secret("zoom", secret),
    )
    dynamodb.create_table(stack.table)
    return stack


@functools.cache
def _of_type(kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, each["Properties"]) for name, each in resources().items() if each["Type"] == kind]


@functools.cache
def _queues() -> list[tuple[str, dict[str, Any]]]:
    """Returns the queues' properties, those without a DLQ first."""
    return sorted(_of_type("AWS::SQS::Queue"), key=lambda entry: "RedrivePolicy" in entry[1])
