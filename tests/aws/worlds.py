"""The two worlds that the contract's scripts run in: the strict services, and moto behind boto3.

The strict one checks every call by botocore's model of the service: its parameters as botocore does, its
answer, and whether the service knows the error.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any

import boto3
import moto.core.utils
import pytest
from botocore.exceptions import ClientError
from botocore.model import Shape, StructureShape
from botocore.validate import ParamValidator

from tests.aws.client import StrictClient, service_model
from tests.aws.dynamodb import DynamoDB
from tests.aws.errors import AWSError
from tests.aws.events import EventBridge
from tests.aws.secretsmanager import SecretsManager
from tests.aws.sqs import SQS
from tests.fakes import VirtualClock

# Codes that a service's model has no shape for. "Common Errors" in the API References of SQS, EventBridge and
# DynamoDB ("Error handling with DynamoDB"), read in November 2026.
COMMON_ERRORS = {
    "dynamodb": {"ValidationException"},
    "events": {"ValidationException"},
    "secretsmanager": set[str](),
    "sqs": {"InvalidParameterValue", "MissingParameter"},
}


class World(ABC):
    """Services, and how they are set up."""

    def __init__(self) -> None:
        self.clock = VirtualClock()

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Lets the time pass after which something is due."""

    @abstractmethod
    def either(self, *, aws: Any, moto: Any) -> Any:
        """Returns what is expected in this world, where moto departs from AWS."""

    @abstractmethod
    def client(self, service_name: str) -> Any: ...

    @abstractmethod
    def secret(self, name: str, value: str) -> str: ...

    @abstractmethod
    def put_secret(self, arn: str, value: str) -> None: ...

    @abstractmethod
    def queue(
        self,
        name: str,
        *,
        visibility_seconds: int = 30,
        retention_seconds: int = 345_600,
        dead_letters: str | None = None,
        max_receives: int | None = None,
    ) -> str: ...

    @abstractmethod
    def arn(self, queue_url: str) -> str: ...

    @abstractmethod
    def bus(self, name: str) -> str: ...

    @abstractmethod
    def rule(self, bus: str, name: str, pattern: Mapping[str, Any], queue_url: str) -> None: ...

    @abstractmethod
    def table(self, name: str) -> None: ...

    @abstractmethod
    def stream(self, table: str) -> list[dict[str, Any]]:
        """Returns the changes of a table: the event's name and the images, binary values as bytes."""


class CheckedClient(StrictClient):
    """A strict client that holds each answer and each error against botocore's model."""

    def __init__(self, service_name: str, service: Any) -> None:
        super().__init__(service_name, service, validate=True)

    def _invoke(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        model = service_model(self._service_name).operation_model(operation)
        try:
            answer = super()._invoke(operation, parameters)
        except AWSError as error:
            conforms_error(error, self._service_name, model.error_shapes)
            raise
        if model.output_shape is None:
            assert answer == {}
        else:
            conforms(answer, model.output_shape)
        return answer


def conforms(answer: Mapping[str, Any], shape: Shape | StructureShape) -> None:
    """Fails on an answer that the model doesn't describe: unknown members, other types, other ranges."""
    report = ParamValidator().validate(answer, shape)
    assert not report.has_errors(), report.generate_report()


def conforms_error(error: AWSError, service_name: str, modelled: Sequence[Shape]) -> None:
    """Fails on an error that the operation doesn't have, or that carries what its shape doesn't describe."""
    shapes = {shape.name: shape for shape in modelled}
    assert error.code in shapes.keys() | COMMON_ERRORS[service_name]
    if error.code in shapes:
        conforms(error.extra, shapes[error.code])
    else:
        assert not error.extra


class StrictWorld(World):
    def __init__(self) -> None:
        super().__init__()
        self.dynamodb = DynamoDB(self.clock.now)
        self.events = EventBridge(self.clock.now)
        self.secretsmanager = SecretsManager(self.clock.now)
        self.sqs = SQS(self.clock.now)
        self.events.deliver = lambda event, rule: self._send(event.text, rule.target_arn)

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def either(self, *, aws: Any, moto: Any) -> Any:
        return aws

    def client(self, service_name: str) -> Any:
        return CheckedClient(service_name, getattr(self, service_name))

    def secret(self, name: str, value: str) -> str:
        return self.secretsmanager.create_secret(name, value)

    def put_secret(self, arn: str, value: str) -> None:
        self.secretsmanager.put_secret_value(arn, value)

    def queue(self, name: str, **attributes: Any) -> str:
        return self.sqs.create_queue(name, **attributes)

    def arn(self, queue_url: str) -> str:
        return self.sqs.arn(queue_url)

    def bus(self, name: str) -> str:
        return self.events.create_event_bus(name)

    def rule(self, bus: str, name: str, pattern: Mapping[str, Any], queue_url: str) -> None:
        self.events.put_rule(bus, name, pattern, self.sqs.arn(queue_url))

    def table(self, name: str) -> None:
        self.dynamodb.create_table(name)

    def stream(self, table: str) -> list[dict[str, Any]]:
        return [_change(record) for record in self.dynamodb.stream(table)]

    def _send(self, text: str, target_arn: str) -> None:
        self.sqs.call("SendMessage", {"QueueUrl": self.sqs.url(target_arn), "MessageBody": text})


class MotoWorld(World):
    """Made while moto is active; its SQS goes by the world's clock."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__()
        patch.setattr(moto.core.utils, "utcnow", self._utcnow)

    def _utcnow(self) -> datetime:
        return self.clock.now().replace(tzinfo=None)

    def wait(self, seconds: float) -> None:
        """Waits a millisecond more: at the instant itself moto still hides a message."""
        self.clock.advance(seconds + 0.001)

    def either(self, *, aws: Any, moto: Any) -> Any:
        return moto

    def client(self, service_name: str) -> Any:
        return _boto3_client(service_name)

    def secret(self, name: str, value: str) -> str:
        return str(self.client("secretsmanager").create_secret(Name=name, SecretString=value)["ARN"])

    def put_secret(self, arn: str, value: str) -> None:
        self.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=value)

    def queue(
        self,
        name: str,
        *,
        visibility_seconds: int = 30,
        retention_seconds: int = 345_600,
        dead_letters: str | None = None,
        max_receives: int | None = None,
    ) -> str:
        attributes = {
            "MaximumMessageSize": "1048576",
            "VisibilityTimeout": str(visibility_seconds),
            "MessageRetentionPeriod": str(retention_seconds),
        }
        if dead_letters is not None:
            attributes["RedrivePolicy"] = json.dumps(
                {"deadLetterTargetArn": self.arn(dead_letters), "maxReceiveCount": max_receives}
            )
        return str(self.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def arn(self, queue_url: str) -> str:
        answer = self.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def bus(self, name: str) -> str:
        return str(self.client("events").create_event_bus(Name=name)["EventBusArn"])

    def rule(self, bus: str, name: str, pattern: Mapping[str, Any], queue_url: str) -> None:
        events = self.client("events")
        events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
        target = {"Id": "queue", "Arn": self.arn(queue_url)}
        events.put_targets(Rule=name, EventBusName=bus, Targets=[target])

    def table(self, name: str) -> None:
        keys = [
            {"AttributeName": "host_user_id", "KeyType": "HASH"},
            {"AttributeName": "start", "KeyType": "RANGE"},
        ]
        self.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": each, "AttributeType": "S"}
                for each in ("booking_id", "host_user_id", "start")
            ],
            KeySchema=[{"AttributeName": "booking_id", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {"IndexName": "by_host", "KeySchema": keys, "Projection": {"ProjectionType": "KEYS_ONLY"}}
            ],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )

    def stream(self, table: str) -> list[dict[str, Any]]:
        streams = self.client("dynamodbstreams")
        arn = self.client("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]
        shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        return [_change(record) for record in streams.get_records(ShardIterator=iterator)["Records"]]


@cache
def _boto3_client(service_name: str) -> Any:
    """Returns a client for all tests: moto stands behind it while it is active, and making one is slow."""
    make: Any = boto3.client
    return make(service_name)


def _change(record: Mapping[str, Any]) -> dict[str, Any]:
    images = record["dynamodb"]
    return {
        "eventName": record["eventName"],
        **{name: images[name] for name in ("Keys", "OldImage", "NewImage") if images.get(name)},
    }


def said(call: Callable[[], Any]) -> Any:
    """Returns what a call answers, less what isn't the service's, or the code of its error."""
    try:
        answer = call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def only_aws_refuses(world: World, answer: Any, code: str) -> None:
    """Checks a refusal that moto doesn't know: it takes what AWS refuses by its documentation."""
    if isinstance(world, StrictWorld):
        assert answer == code
    else:
        assert not isinstance(answer, str), "moto has learnt it: the script can say the same of both"


class ByMoto(Enum):
    """What moto does with a call that AWS refuses."""

    REFUSES = "says the same"
    TAKES = "takes it"
    FAILS = "fails itself, with an error of its own code"


def check_refusal(
    world: World, call: Callable[[], Any], by_moto: ByMoto, code: str = "ValidationException"
) -> None:
    """Checks that AWS refuses a call with a code, and that moto does what it is known for."""
    if isinstance(world, StrictWorld) or by_moto is ByMoto.REFUSES:
        assert said(call) == code
    elif by_moto is ByMoto.TAKES:
        assert not isinstance(said(call), str), "moto has learnt it: the script can say the same of both"
    else:
        with pytest.raises(Exception, match=r"\A(?!An error occurred)"):
            call()
