"""The stack's resources in moto: as real as it gets without AWS, one account for each test."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws  # before any client is made, which moto has to see being made
from samtranslator.yaml_helper import yaml_parse

from tests.adapters.deliveries import ROOT
from tests.adapters.handlers import Functions, Outage
from tests.adapters.resources import TOKEN, Bus, Queue, Stack
from tests.printed import Printed, captured


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    resources: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    return resources


@pytest.fixture
def table_name(aws: None, template: dict[str, Any]) -> str:
    """Name of a table with the keys, index, stream and TTL of the template's."""
    properties = template["BookingsTable"]["Properties"]
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName="bookings",
        BillingMode=properties["BillingMode"],
        AttributeDefinitions=properties["AttributeDefinitions"],
        KeySchema=properties["KeySchema"],
        GlobalSecondaryIndexes=properties["GlobalSecondaryIndexes"],
        StreamSpecification={
            "StreamEnabled": True,
            "StreamViewType": properties["StreamSpecification"]["StreamViewType"],
        },
    )
    dynamodb.update_time_to_live(
        TableName="bookings", TimeToLiveSpecification=properties["TimeToLiveSpecification"]
    )
    return "bookings"


@pytest.fixture
def stack(aws: None, table_name: str, template: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The stack without its functions; the rules' patterns are the template's, the settings are set."""
    bus = Bus()
    created, canceled, subscriber = Queue("created"), Queue("canceled"), Queue("subscriber")
    bus.subscribe(created, template["BookingCreatedRule"]["Properties"]["EventPattern"])
    bus.subscribe(canceled, template["BookingCanceledRule"]["Properties"]["EventPattern"])
    bus.subscribe(subscriber, {"source": ["bookings"]})
    secret = boto3.client("secretsmanager").create_secret(Name="zoom", SecretString=TOKEN)
    resources = Stack(
        bus=bus,
        created=created,
        canceled=canceled,
        quarantine=Queue("quarantine"),
        events_dlq=Queue("events-dlq"),
        subscriber=subscriber,
        table_name=table_name,
        secret_arn=secret["ARN"],
    )
    for name, value in resources.environment().items():
        monkeypatch.setenv(name, value)
    # moto's first answers are slow on a busy machine, and no test on moto is about time.
    monkeypatch.setattr("bookings.use_cases.receive.REQUEST_SECONDS", 60.0)
    monkeypatch.setattr("bookings.use_cases.verify.PREPARATION_SECONDS", 60.0)
    return resources


@pytest.fixture
def functions(stack: Stack) -> Functions:
    """The functions, none of them started yet."""
    return Functions()


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Iterator[Printed]:
    with captured(capsys) as printed:
        yield printed


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Outage:
    return Outage(monkeypatch)
