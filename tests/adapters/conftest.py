"""The stack's resources in moto: as real as it gets without AWS, one account for each test."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from bookings import bootstrap
from moto import mock_aws  # before any client is made, which moto has to see being made
from samtranslator.yaml_helper import yaml_parse

from cli.boto_client import BotoClient
from tests.adapters.deliveries import ROOT
from tests.adapters.handlers import Outage
from tests.adapters.resources import TOKEN, Bus, Queue, Stack
from tests.printed import Printed


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
def stack(
    aws: None, table_name: str, template: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stack]:
    """The stack without its functions; the rules' patterns are the template's, the settings are set."""
    bus = Bus()
    created, canceled, subscriber = Queue("created"), Queue("canceled"), Queue("subscriber")
    bus.subscribe(created, template["BookingCreatedRule"]["Properties"]["EventPattern"])
    bus.subscribe(canceled, template["BookingCanceledRule"]["Properties"]["EventPattern"])
    bus.subscribe(subscriber, {"source": ["bookings"]})
    secret = boto3.client("secretsmanager").create_secret(Name="zoom", SecretString=TOKEN)
    made = Stack(
        bus=bus,
        created=created,
        canceled=canceled,
        quarantine=Queue("quarantine"),
        events_dlq=Queue("events-dlq"),
        subscriber=subscriber,
        table_name=table_name,
        secret_arn=secret["ARN"],
    )
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    # moto answers inside of boto3.
    monkeypatch.setattr(bootstrap, "client", lambda service, **_: BotoClient(boto3.client(service)))
    # moto's first answers take their time on a busy machine, and here no time-out is what is tested.
    for constant in (
        "receive.BUDGET_SECONDS",
        "receive.ATTEMPT_SECONDS",
        "publish.ATTEMPT_SECONDS",
        "live_secrets.FETCH_SECONDS",
        "record.QUARANTINE_SECONDS",
        "announce.DEAD_LETTER_SECONDS",
    ):
        monkeypatch.setattr(f"bookings.{constant}", 60.0)
    clear_bootstrap()
    yield made
    clear_bootstrap()


def clear_bootstrap() -> None:
    for factory in (bootstrap.receiver, bootstrap.record_batch, bootstrap.announcer):
        factory.cache_clear()


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Printed:
    return Printed(capsys)


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Outage:
    return Outage(monkeypatch)
