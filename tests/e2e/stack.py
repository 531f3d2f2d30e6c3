"""The running stack as the tests see it: they post deliveries, and read items, events, queues and logs.

All tests share one stack, each with event ids of its own. A context manager undoes each change of the stack.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from threading import Thread
from typing import Any
from uuid import uuid4

import urllib3
from boto3.dynamodb.types import TypeDeserializer

from local.stack import ROOT, STACK_NAME, RunningStack
from local.template import package, read
from tests import samples

type Body = dict[str, Any] | bytes
type Headers = dict[str, str | None]  # None leaves a header out

HANDLERS = ("booking-created", "booking-canceled")
LEFT = ["emulator.log", "lock"]  # what a local stack leaves in its folder
DELIVERIES = "zoom.scheduler"
SOURCES = ("bookings", DELIVERIES, "bookings.check", "zoom.scheduler.check")


def wait_for[T](awaited: str, get: Callable[[], T]) -> T:
    """Returns the first true value. Fails after 60 s without one."""
    deadline = time.monotonic() + 60  # a busy machine must not fail a test
    while not (value := get()):
        assert time.monotonic() < deadline, f"{awaited}: not within 60 s"
        time.sleep(0.02)
    return value


@contextlib.contextmanager
def local(*command: str | Path, **environment: str) -> Iterator[Popen[str]]:
    """Runs `bookings local`. The end of the block kills it if it still runs."""
    with Popen(command, stdout=PIPE, stderr=STDOUT, text=True, env=os.environ | environment) as process:
        try:
            yield process
        finally:
            process.kill()


def workers(*environment: str) -> list[int]:
    """Returns the processes of this machine whose environment contains these texts."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            variables = (directory / "environ").read_text()
            if all(text in variables for text in environment):
                found.append(int(directory.name))
    return found


@contextlib.contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextlib.contextmanager
def changed(change: Callable[..., object], before: dict[str, Any], after: dict[str, Any]) -> Iterator[None]:
    with contextlib.ExitStack() as undo:
        undo.callback(change, **before)
        change(**after)
        yield


def history(events: list[dict[str, Any]]) -> list[str]:
    """Returns the revision and the type of each domain event."""
    return [f"{event['metadata']['revision']} {event['type']}" for event in events]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request. `sent_at` is in milliseconds since 1970."""

    status: int
    content_type: str | None
    body: bytes
    request_id: str
    sent_at: int
    seconds: float


class Stack:
    """A running stack behind its webhook, with one subscriber to every event of its bus."""

    def __init__(self, folder: Path, secret: str, report: str) -> None:
        self.folder, self.secret, self.report = folder, secret, json.loads(report)
        running = RunningStack.read(folder / ".local")
        self.url, self.outputs, self.pid = running.endpoint_url, running.outputs, running.pid
        self.client, self.physical_id = running.client, running.physical_id
        self._pool = urllib3.PoolManager(maxsize=16)
        self._received: list[str] = []
        self._quarantined: list[str] = []
        self._subscription, arn = self.queue("subscriber")
        events, rule = self.client("events"), {"EventBusName": self.outputs["EventBusName"]}
        events.put_rule(Name="all", EventPattern=json.dumps({"source": SOURCES}), **rule)
        events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}], **rule)

    def queue(self, name: str) -> tuple[str, str]:
        """Makes a queue for everybody. Returns its URL and its ARN."""
        allow = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
        policy = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [allow]})}
        url = self.client("sqs").create_queue(QueueName=name, Attributes=policy)["QueueUrl"]
        return url, self._attributes(url)["QueueArn"]

    def post(
        self, body: Body, *, secret: str | None = None, age_seconds: int = 0, headers: Headers | None = None
    ) -> Answer:
        raw = body if isinstance(body, bytes) else samples.raw(body)
        at, request_id = datetime.now(UTC) - timedelta(seconds=age_seconds), str(uuid4())
        signed = samples.signed(raw, at, secret=secret or self.secret, request_id=request_id).headers
        sent = {name: value for name, value in {**signed, **(headers or {})}.items() if value is not None}
        sent_at, began = int(time.time() * 1000), time.perf_counter()
        url = self.outputs["WebhookUrl"]
        got = self._pool.request("POST", url, body=raw, headers=sent, retries=False, timeout=30)
        seconds, content_type = time.perf_counter() - began, got.headers.get("content-type")
        return Answer(got.status, content_type, got.data, request_id, sent_at, seconds)

    def deliver(self, body: Body, headers: Headers | None = None) -> str:
        answer = self.post(body, headers=headers)
        assert answer.status == 200, answer
        return self.outcome(answer)

    def outcome(self, answer: Answer) -> str:
        def find() -> list[dict[str, Any]]:
            return [x for each in HANDLERS for x in self.log(each, answer, answer.request_id)]

        return str(wait_for(f"the outcome of {answer.request_id}", find)[0]["outcome"])

    def items(self, *event_ids: str) -> list[dict[str, Any]]:
        """Returns all items of these events, tombstones too."""
        scan = self.client("dynamodb").get_paginator("scan")
        pages = scan.paginate(TableName=self.outputs["BookingsTableName"], ConsistentRead=True)
        plain = TypeDeserializer().deserialize
        found = [plain({"M": item}) for page in pages for item in page["Items"]]
        return [item for item in found if item["booking_id"].rpartition("-")[0] in event_ids]

    def received(self, *event_ids: str, source: str = "bookings") -> list[dict[str, Any]]:
        """Returns the subscriber's events about these Zoom events so far, as their details with a `type`."""
        self._received += self.take(self._subscription)
        mine = [text for text in self._received if any(f'"event_id": "{each}"' in text for each in event_ids)]
        events = [event for event in map(json.loads, mine) if event["source"] == source]
        return [{"type": x["detail-type"], "resources": x["resources"]} | x["detail"] for x in events]

    def events(self, *event_ids: str, source: str = "bookings") -> list[dict[str, Any]]:
        """Returns the same once nothing more can come: the stream brings a later booking after them."""
        fence = f"fence-{uuid4()}"
        self.deliver(samples.created(event_id=fence))
        wait_for(f"the event of {fence}", lambda: self.received(fence))
        return self.received(*event_ids, source=source)

    def quarantined(self, answer: Answer) -> Any:
        def find() -> list[Any]:
            self._quarantined += self.take(self.outputs["QuarantineQueueUrl"])
            return [json.loads(text) for text in self._quarantined if answer.request_id in text]

        return wait_for(f"{answer.request_id} in quarantine", find)[0]

    @contextlib.contextmanager
    def deployed(self, template: str, name: str, **parameters: str) -> Iterator[dict[str, str]]:
        """Deploys an example beside the stack. Yields its outputs and its resources' physical ids."""
        s3, cloudformation = self.client("s3"), self.client("cloudformation")
        s3.create_bucket(Bucket="examples")

        def upload(key: str, content: bytes) -> str:
            s3.put_object(Bucket="examples", Key=key, Body=content)
            return f"s3://examples/{key}"

        path = ROOT / "examples" / template
        source = read(path)
        package(source, path.parent, upload)
        source["Resources"].pop("SubscriberBusPolicy", None)  # the emulator lets everybody put events
        values = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        body = {
            "TemplateBody": json.dumps(source, default=str),
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        cloudformation.create_stack(StackName=name, Parameters=values, **body)
        patience = {"Delay": 0.05, "MaxAttempts": 400}
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=patience)
        [described] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}
        yield {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources} | outputs
        cloudformation.delete_stack(StackName=name)

    def send(self, url: str, *texts: str) -> None:
        """Sends messages in one call, so the handler gets them in one batch."""
        entries = [{"Id": str(number), "MessageBody": text} for number, text in enumerate(texts)]
        self.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)

    def take(self, url: str) -> list[str]:
        """Receives and deletes the visible messages."""
        sqs, texts = self.client("sqs"), []
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(found)]
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)
            texts += [message["Body"] for message in found]
        return texts

    def messages(self, url: str, states: tuple[str, ...] = ("", "NotVisible")) -> int:
        """Returns the number of messages in a queue, visible or in flight."""
        found = self._attributes(url)
        return sum(int(found[f"ApproximateNumberOfMessages{state}"]) for state in states)

    def _attributes(self, url: str) -> Any:
        return self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    def log_texts(self, group: str, since_ms: int = 0) -> list[str]:
        pages = self.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=group, startTime=since_ms)
        return [event["message"] for page in found for event in page["events"]]

    def log(self, function: str, since: Answer, text: str = "") -> list[dict[str, Any]]:
        """Returns the lines with this text that a function wrote itself since a request."""
        lines = self.log_texts(f"/aws/lambda/{STACK_NAME}-{function}", since.sent_at)
        return [json.loads(line) for line in lines if line.startswith("{") and text in line]

    def processes(self, function: str) -> list[int]:
        return workers(f"AWS_LAMBDA_FUNCTION_NAME={self.physical_id(function)}\0", self.url)

    @contextlib.contextmanager
    def denied(self, role: str, *actions: str) -> Iterator[None]:
        """Denies actions to a role of the template."""
        iam, name = self.client("iam"), {"RoleName": self.physical_id(role), "PolicyName": "Denied"}
        statement = {"Effect": "Deny", "Action": actions, "Resource": "*"}
        with contextlib.ExitStack() as undo:
            iam.put_role_policy(**name, PolicyDocument=json.dumps({"Statement": [statement]}))
            undo.callback(iam.delete_role_policy, **name)
            yield

    def environment(self, function: str, **variables: str) -> AbstractContextManager[None]:
        """Starts a function anew with these environment variables, and once more without them."""
        lambdas, name = self.client("lambda"), self.physical_id(function)
        before = lambdas.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        change = partial(lambdas.update_function_configuration, FunctionName=name)
        after = {"Variables": before | {"STARTED_FOR": str(uuid4())} | variables}
        return changed(change, {"Environment": {"Variables": before}}, {"Environment": after})

    def paused(self, function: str) -> AbstractContextManager[None]:
        """Stops the polling of a function's queue."""
        lambdas, name = self.client("lambda"), self.physical_id(function)
        [mapping] = lambdas.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        change = partial(lambdas.update_event_source_mapping, UUID=mapping["UUID"])
        return changed(change, {"Enabled": True}, {"Enabled": False})

    def redelivery(self, url: str, receives: int = 10, seconds: int = 1) -> AbstractContextManager[None]:
        """Brings a failed message back soon, and moves it to the DLQ after so many receives."""
        before = {name: self._attributes(url)[name] for name in ("VisibilityTimeout", "RedrivePolicy")}
        policy = json.loads(before["RedrivePolicy"]) | {"maxReceiveCount": receives}
        after = {"VisibilityTimeout": str(seconds), "RedrivePolicy": json.dumps(policy)}
        change = partial(self.client("sqs").set_queue_attributes, QueueUrl=url)
        return changed(change, {"Attributes": before}, {"Attributes": after})
