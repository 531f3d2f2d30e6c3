"""The handlers as Lambda calls them: their events, what they print, and services that fail under them."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError

from bookings.zoom.signature import sign
from tests.adapters.deliveries import ROOT
from tests.adapters.resources import TOKEN, Queue
from tests.cold_start import load_app

CANARY = "canary-7f3a"
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

CLIENT: Any = botocore.client.BaseClient  # its types lack the method that makes every call


@dataclass
class Context:
    """What Lambda passes with an invocation."""

    aws_request_id: str = "request-1"
    function_name: str = "function-1"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function-1"
    remaining_ms: int = 9_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


def http_event(
    body: bytes, *, encoded: bool = False, headers: Mapping[str, str] | None = None, secret: str = TOKEN
) -> dict[str, Any]:
    """Returns the HTTP API's event for a request that Zoom signed now."""
    event: dict[str, Any] = json.loads((ROOT / "events/lambda/webhook.json").read_text())
    timestamp = str(int(time.time()))
    event["headers"] |= {
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": sign(secret, timestamp, body),
        "content-length": str(len(body)),
        **(headers or {}),
    }
    event["isBase64Encoded"] = encoded
    event["body"] = base64.b64encode(body).decode() if encoded else body.decode()
    return event


def raw(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def now_ms() -> int:
    return int(time.time() * 1000)


def sqs_event(queue: Queue, *, receives: int | None = None) -> dict[str, Any]:
    """Returns what Lambda makes of the messages that wait in a queue."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"]
                | ({"ApproximateReceiveCount": str(receives)} if receives else {}),
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": queue.arn,
                "awsRegion": "us-east-1",
            }
            for message in queue.receive()
        ]
    }


def stream_event(table_name: str) -> dict[str, Any]:
    """Returns what Lambda makes of the table's stream: binary values in base64."""
    streams = boto3.client("dynamodbstreams")
    arn = boto3.client("dynamodb").describe_table(TableName=table_name)["Table"]["LatestStreamArn"]
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = streams.get_records(ShardIterator=iterator)["Records"]
    as_lambda: dict[str, Any] = {
        "Records": [{name: record[name] for name in ("eventName", "dynamodb")} for record in records]
    }
    text = json.dumps(
        as_lambda,
        default=lambda value: base64.b64encode(value).decode() if isinstance(value, bytes) else str(value),
    )
    decoded: dict[str, Any] = json.loads(text)
    return decoded


class Functions:
    """The functions on one execution environment each, which starts with the first call."""

    def __init__(self) -> None:
        self._started: dict[str, Handler] = {}

    def start(self, function: str) -> None:
        """Starts a new environment of the function `functions/{function}`, in place of the one before."""
        self._started[function] = load_app(function).lambda_handler

    def call(self, function: str, event: dict[str, Any], context: Context | None = None) -> dict[str, Any]:
        """Returns the handler's answer to an event."""
        if function not in self._started:
            self.start(function)
        return self._started[function](event, context or Context())


class Outage:
    """Makes calls fail inside botocore until it ends.

    Attributes:
        calls: the operations called so far.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._down: dict[str, str] = {}
        self.calls: list[str] = []
        real = CLIENT._make_api_call

        def call(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
            self.calls.append(operation)
            if code := self._down.get(operation):
                raise ClientError({"Error": {"Code": code, "Message": CANARY}}, operation)
            return real(client, operation, arguments)

        monkeypatch.setattr(CLIENT, "_make_api_call", call)

    def of(self, operation: str, code: str = "InternalFailure") -> None:
        self._down[operation] = code

    def ends(self) -> None:
        self._down.clear()
