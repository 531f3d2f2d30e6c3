"""A stack in a moto account, and a webhook on the loopback that takes what the commands post."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import Mock

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner

import cli.announce
import cli.messages
import cli.posting
import cli.since
import cli.zoom_log
from bookings.aws.table import build_item, build_tombstone
from bookings.domain.booking import Booking, Tombstone, merge
from bookings.zoom.delivery import to_delivery
from bookings.zoom.signature import check_form, verify
from cli.main import app

from ...zoom_api import FakeZoom, Reply, Request, served, zoom_on_loopback

ROOT = Path(__file__).parents[3]
EVENTS = ROOT / "events"
SECRET = "a-zoom-secret-token-of-these-tests"
STACK = "bookings-dev"
REQUEST_ID = "6f1f4f0e_9c55_4f63"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STEERING = frozenset("\x00\x07\r\x1b\x7f\x9b\u061c\u200f\u202e\u2066")  # the terminal

_SHARED = boto3.session.Session()
aws: Any = cache(_SHARED.client)
_CALL_AWS: Any = BaseClient._make_api_call  # type: ignore[attr-defined]  # not in the stubs
_FAKED = ("WebhookUrl", "ZoomSecretArn", "ShareAccessLinks", "DeletionProtection")
_TABLE_AND_BUS = re.compile(r"^  (?:BookingsTable|BookingBus):\n(?:    .*\n)+", re.MULTILINE)
_QUEUES = (
    "QuarantineQueue",
    *(f"Booking{kind}" for kind in ("CreatedQueue", "CanceledQueue")),
    *(f"Booking{kind}DLQ" for kind in ("Created", "Canceled", "Events")),
)
TEMPLATE = f"""
Parameters: {{{", ".join(f"{name}: {{Type: String}}" for name in _FAKED)}}}
Resources:
{"".join(_TABLE_AND_BUS.findall((ROOT / "template.yaml").read_text()))}
{"".join(f"  {name}: {{Type: AWS::SQS::Queue}}{chr(10)}" for name in _QUEUES)}
Outputs:
{"".join(f"  {name}Url: {{Value: !Ref {name}}}{chr(10)}" for name in _QUEUES)}
  WebhookUrl: {{Value: !Ref WebhookUrl}}
  BookingsTableName: {{Value: !Ref BookingsTable}}
  EventBusArn: {{Value: !GetAtt BookingBus.Arn}}
  ZoomSecretArn: {{Value: !Ref ZoomSecretArn}}
"""


@pytest.fixture(autouse=True)
def pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The seconds of each pause; nothing waits. The folder is empty, the clock frozen, the terminal wide."""
    waited: list[float] = []
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.announce, "_pause", waited.append)
    monkeypatch.setattr(cli.zoom_log, "_pause", waited.append)
    monkeypatch.setattr(cli.messages, "_pause", waited.append)
    monkeypatch.setattr(cli.messages, "_WAIT_SECONDS", 0)  # moto would really wait
    frozen = Mock(now=lambda _: NOW, fromisoformat=datetime.fromisoformat)
    monkeypatch.setattr(cli.since, "datetime", frozen)
    monkeypatch.setattr("time.time", NOW.timestamp)
    monkeypatch.setattr("time.time_ns", lambda: int(NOW.timestamp()) * 1_000_000_000)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    yield waited
    monkeypatch.undo()
    time.tzset()


class Result(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


def bookings(*arguments: str, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(app, list(arguments), input=stdin)
    assert isinstance(result.exception, SystemExit | None)
    return Result(result.exit_code, result.stdout, result.stderr)


def on_stack(*arguments: str, stdin: bytes | None = None) -> Result:
    return bookings(*arguments, "--stack", STACK, stdin=stdin)


def booked(*stems: str, revision: int = 1, **changes: Any) -> Booking:
    """Returns the booking of deliveries in `events/story`. `changes` go into the object of each payload."""
    booking: Booking | None = None
    for stem in stems or ("1_created",):
        body = json.loads((EVENTS / f"story/{stem}.json").read_text())
        body["payload"]["object"] |= changes
        booking = merge(booking, to_delivery(body, REQUEST_ID))
    assert booking is not None
    return replace(booking, revision=revision)


@dataclass
class Deployed:
    """Records PutEvents. `replaced` holds functions of the real call and its parameters, by operation."""

    parameters: dict[str, str]
    outputs: dict[str, str] = field(default_factory=dict)
    published: list[Any] = field(default_factory=list)
    replaced: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def deploy(self, call: str = "update_stack", **changed: str) -> None:
        self.parameters.update(changed)
        cloudformation = aws("cloudformation")
        values = [{"ParameterKey": name, "ParameterValue": value} for name, value in self.parameters.items()]
        getattr(cloudformation, call)(StackName=STACK, TemplateBody=TEMPLATE, Parameters=values)
        [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        self.outputs.update({each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]})

    def put(self, *items: Booking | Tombstone | dict[str, Any], expires_at: int | None = None) -> None:
        for each in items:
            stored = build_item(each, expires_at) if isinstance(each, Booking) else each
            item = build_tombstone(stored) if isinstance(stored, Tombstone) else stored
            aws("dynamodb").put_item(TableName=self.outputs["BookingsTableName"], Item=item)

    def item(self, booking_id: str) -> Any:
        key, table = {"booking_id": {"S": booking_id}}, self.outputs["BookingsTableName"]
        return aws("dynamodb").get_item(TableName=table, Key=key)["Item"]

    def fail(self, operation: str, error: str | Exception) -> None:
        """Lets an AWS operation fail, with an error or an error code."""
        details: Any = {"Error": {"Code": error, "Message": "It says so."}}
        raised = ClientError(details, operation) if isinstance(error, str) else error
        self.replaced[operation] = Mock(side_effect=raised)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    with mock_aws():
        secret = aws("secretsmanager").create_secret(Name="zoom", SecretString=SECRET)
        found = Deployed(dict.fromkeys(_FAKED, "") | {"ZoomSecretArn": secret["ARN"]})
        found.deploy("create_stack", WebhookUrl="http://127.0.0.1:1/")

        def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            found.published += parameters.get("Entries", [])
            function: Any = found.replaced.get(operation, lambda real, parameters: real(parameters))
            return function(lambda changed: _CALL_AWS(client, operation, changed), parameters)

        monkeypatch.setattr(BaseClient, "_make_api_call", call)
        session = boto3.session.Session  # a new one reads its data files again
        monkeypatch.setattr(boto3.session, "Session", lambda **new: session(**new) if new else _SHARED)
        yield found


@dataclass
class Webhook:
    """Answers with `statuses`, then with 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    content_type: str = "application/json"
    body: bytes = b"{}"
    requests: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        headers = {"content-type": self.content_type, "location": "/elsewhere"}
        return self.statuses.pop(0) if self.statuses else 200, headers, self.body

    def posted(self, secret: str = SECRET) -> list[tuple[str, bytes]]:
        """Returns request id and body of each request. Each must be signed with the secret, and now."""
        for each in self.requests:
            signature, timestamp = each.headers["x-zm-signature"], each.headers["x-zm-request-timestamp"]
            assert verify([secret], *check_form(signature, timestamp, NOW, 0), each.body) == secret
        return [(each.headers["x-zm-request-id"], each.body) for each in self.requests]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    found = Webhook()
    with served(found.answer) as url:
        found.url = f"{url}/webhooks/zoom"
        yield found


@pytest.fixture
def dead_urls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A URL that refuses connections, and one that never answers."""
    monkeypatch.setattr(cli.posting, "_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(cli.zoom_log, "_TIMEOUT_SECONDS", 0.2)
    with socket.socket() as closed, socket.create_server(("127.0.0.1", 0)) as silent:
        closed.bind(("127.0.0.1", 0))  # bound and not listening, so that nobody else takes it
        yield [f"http://127.0.0.1:{each.getsockname()[1]}" for each in (closed, silent)]


@pytest.fixture
def zoom(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeZoom]:
    with zoom_on_loopback() as fake:
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        yield fake
