"""Stacks for the commands to find: one that seems deployed, one that seems to run on this machine."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from bookings.aws.table import build_item
from bookings.domain.booking import Booking, merge
from bookings.zoom.delivery import to_delivery
from cli.main import app
from tests import zoom_api

EVENTS = Path(__file__).parents[3] / "events"
SECRET = "a-zoom-secret-token-of-these-tests"
REGION = "eu-north-1"
STACK_NAME = "bookings-dev"
REQUEST_ID = "6f1f4f0e_9c55_4f63"

# What of the template the commands read.
TEMPLATE = {
    "Resources": {
        "BookingsTable": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": "S"}
                    for name in ("booking_id", "host_user_id", "start")
                ],
                "KeySchema": [{"AttributeName": "booking_id", "KeyType": "HASH"}],
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": "by_host",
                        "KeySchema": [
                            {"AttributeName": "host_user_id", "KeyType": "HASH"},
                            {"AttributeName": "start", "KeyType": "RANGE"},
                        ],
                        "Projection": {"ProjectionType": "KEYS_ONLY"},
                    }
                ],
            },
        },
        "BookingBus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "bookings-dev"}},
    },
    "Parameters": {
        "WebhookUrl": {"Type": "String"},
        "ZoomSecretArn": {"Type": "String"},
        "ShareAccessLinks": {"Type": "String"},
    },
    "Outputs": {
        "WebhookUrl": {"Value": {"Ref": "WebhookUrl"}},
        "BookingsTableName": {"Value": {"Ref": "BookingsTable"}},
        "EventBusArn": {"Value": {"Fn::GetAtt": ["BookingBus", "Arn"]}},
        "ZoomSecretArn": {"Value": {"Ref": "ZoomSecretArn"}},  # moto makes no secrets in a stack
    },
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own, and none of the developer's AWS set-up."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "ZOOM_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")


def bookings(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def booked(*files: str, **changes: Any) -> Booking:
    """The booking that sample deliveries make, some fields of their payload's object changed."""
    booking: Booking | None = None
    for file in files:
        body = json.loads((EVENTS / file).read_text())
        body["payload"]["object"] |= changes
        booking = merge(booking, to_delivery(body, REQUEST_ID))
    assert booking is not None
    return booking


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A stack in a moto account."""

    outputs: dict[str, str]

    def put(self, booking: Booking, *, expires_at: int | None = None) -> None:
        self.put_item(build_item(booking, expires_at))

    def put_item(self, item: dict[str, Any]) -> None:
        boto3.client("dynamodb").put_item(TableName=self.outputs["BookingsTableName"], Item=item)

    def point_webhook_at(self, url: str) -> None:
        self.update(WebhookUrl=url)

    def update(self, **changed: str) -> None:
        """Deploys other values of parameters."""
        boto3.client("cloudformation").update_stack(
            StackName=STACK_NAME,
            UsePreviousTemplate=True,
            Parameters=[
                {"ParameterKey": name, "ParameterValue": changed[name]}
                if name in changed
                else {"ParameterKey": name, "UsePreviousValue": True}
                for name in ("WebhookUrl", "ZoomSecretArn", "ShareAccessLinks")
            ],
        )


@pytest.fixture
def deployed() -> Iterator[Deployed]:
    with mock_aws():
        secret = boto3.client("secretsmanager").create_secret(Name="zoom", SecretString=SECRET)
        cloudformation = boto3.client("cloudformation")
        cloudformation.create_stack(
            StackName=STACK_NAME,
            TemplateBody=json.dumps(TEMPLATE),
            Parameters=[
                {"ParameterKey": "WebhookUrl", "ParameterValue": "http://127.0.0.1:1/webhooks/zoom"},
                {"ParameterKey": "ZoomSecretArn", "ParameterValue": secret["ARN"]},
                {"ParameterKey": "ShareAccessLinks", "ParameterValue": "false"},
            ],
        )
        [stack] = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
        yield Deployed(outputs={output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]})


@dataclass(kw_only=True)
class Server:
    """A server on the loopback that keeps what it was asked.

    Attributes:
        statuses: what it answers first, in this order; then `status`.
    """

    url: str
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    status: int = 200
    statuses: list[int] = field(default_factory=list)
    content_type: str = "application/json"
    body: bytes = b"{}"


class _Handler(BaseHTTPRequestHandler):
    server: "_HTTPServer"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, content_type, answer = self.server.answer(self.path, headers, body)
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(answer)))
        if status in (301, 302, 307, 308):
            self.send_header("location", "/elsewhere")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(answer: Any) -> Iterator[_HTTPServer]:
    """Serves on the loopback what `answer` makes of a path, headers and a body."""
    server = _HTTPServer(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def webhook() -> Iterator[Server]:
    found = Server(url="")

    def answer(path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        found.requests.append((path, headers, body))
        return found.statuses.pop(0) if found.statuses else found.status, found.content_type, found.body

    with serving(answer) as server:
        found.url = f"{server.url}/webhooks/zoom"
        yield found


@dataclass(frozen=True, kw_only=True)
class Local(Deployed):
    """The same stack behind an endpoint on the loopback, with its state file."""

    state: dict[str, Any]
    credentials: list[str]

    def write_state(self, **changes: Any) -> None:
        Path(".local").mkdir(exist_ok=True)
        Path(".local/stack.json").write_text(json.dumps(self.state | changes))


@pytest.fixture
def local(deployed: Deployed, webhook: Server) -> Iterator[Local]:
    """An emulator as the commands see one: AWS's protocol on a local port. What it answers is moto's."""
    credentials: list[str] = []

    def answer(_path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        credentials.append(headers["authorization"].partition("Credential=")[2].partition("/")[0])
        service, _, operation = headers["x-amz-target"].partition(".")
        client: Any = boto3.client("dynamodb" if "Dynamo" in service else "secretsmanager")
        method = getattr(client, re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower())
        answered = method(**json.loads(body))
        del answered["ResponseMetadata"]
        content = json.dumps(answered, default=_json_value)
        return 200, headers["content-type"], content.encode()

    with serving(answer) as server:
        found = Local(
            outputs=deployed.outputs,
            credentials=credentials,
            state={
                "endpoint_url": server.url,
                "region": "us-east-1",
                "webhook_url": webhook.url,
                "outputs": deployed.outputs,
                "pid": 1,
            },
        )
        found.write_state()
        yield found


def _json_value(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()


@pytest.fixture
def zoom(monkeypatch: pytest.MonkeyPatch) -> Iterator[zoom_api.FakeZoom]:
    with zoom_api.zoom_on_loopback() as fake:
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        yield fake
