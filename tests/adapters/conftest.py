"""The stack's resources in moto, a new account for each test, and the events of the functions."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws  # before any client exists, because moto has to see it created
from samtranslator.yaml_helper import yaml_parse

from bookings.clock import Deadline, SystemClock
from bookings.zoom.signature import sign

ROOT = Path(__file__).parents[2]
TOKEN = "token-of-the-tests-22c"


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture(scope="session")
def table() -> dict[str, Any]:
    """The table's properties in the template."""
    resources: Any = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    return dict(resources["BookingsTable"]["Properties"])


@pytest.fixture
def bookings(aws: None, table: dict[str, Any]) -> None:
    """A table named `bookings` with the template's keys, index and stream."""
    names = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    stream: Any = table["StreamSpecification"] | {"StreamEnabled": True}
    properties: Any = {name: table[name] for name in names}
    boto3.client("dynamodb").create_table(TableName="bookings", StreamSpecification=stream, **properties)


def in_time() -> Deadline:
    """Returns a deadline that no call misses."""
    return Deadline(SystemClock(), 60.0)


class Queue:
    """A queue, and its messages."""

    def __init__(self, name: str) -> None:
        self.client = boto3.client("sqs")
        limit: Any = {"MaximumMessageSize": "1048576"}
        self.url: str = self.client.create_queue(QueueName=name, Attributes=limit)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"

    def receive(self) -> list[Any]:
        options: Any = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"]}
        return list(self.client.receive_message(QueueUrl=self.url, **options).get("Messages", []))

    def bodies(self) -> list[Any]:
        return [json.loads(message["Body"]) for message in self.receive()]


class Bus:
    """The booking bus. Each rule sends to a queue of its own."""

    def __init__(self) -> None:
        self.client = boto3.client("events")
        self.arn: str = self.client.create_event_bus(Name="bookings")["EventBusArn"]

    def subscribe(self, name: str, pattern: dict[str, Any]) -> Queue:
        queue = Queue(name)
        self.client.put_rule(Name=name, EventBusName="bookings", EventPattern=json.dumps(pattern))
        targets: Any = [{"Id": "queue", "Arn": queue.arn}]
        self.client.put_targets(Rule=name, EventBusName="bookings", Targets=targets)
        return queue


def http_event(body: bytes, *, secret: str = TOKEN) -> dict[str, Any]:
    """Returns the HTTP API's event for a request that Zoom signed now."""
    event: dict[str, Any] = json.loads((ROOT / "events/lambda/webhook.json").read_text())
    timestamp = str(int(time.time()))
    event["headers"] |= {"x-zm-request-timestamp": timestamp, "x-zm-signature": sign(secret, timestamp, body)}
    return event | {"isBase64Encoded": True, "body": base64.b64encode(body).decode()}


def stream_event() -> dict[str, Any]:
    """Returns all changes of the table as Lambda passes them."""
    streams = boto3.client("dynamodbstreams")
    arn = boto3.client("dynamodb").describe_table(TableName="bookings")["Table"]["LatestStreamArn"]
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    start: Any = {"ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    iterator = streams.get_shard_iterator(StreamArn=arn, **start)["ShardIterator"]
    records = streams.get_records(ShardIterator=iterator)["Records"]
    return in_lambda_form({"Records": [{"dynamodb": record["dynamodb"]} for record in records]})


def in_lambda_form(event: dict[str, Any]) -> dict[str, Any]:
    """Returns an event after its way through JSON, in which Lambda writes bytes as base64."""

    def written(value: Any) -> str:
        return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)

    read: dict[str, Any] = json.loads(json.dumps(event, default=written))
    return read
