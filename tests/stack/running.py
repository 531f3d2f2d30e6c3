"""The stack as the tests see it: a door that takes signed requests, and everything that becomes of them.

All tests share one running stack, each with event ids of its own. What a test changes about the stack it
changes by a context manager of `StackUnderTest`, which changes it back.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import io
import itertools
import json
import os
import signal
import struct
import termios
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from bookings.domain.booking import booking_id_of
from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from local.stack import ROOT, STACK_NAME, RunningStack
from local.template import fit
from tests.stack.deliveries import EMAIL, Body, created, encoded, scheduled_event, unknown

WAIT_SECONDS = 15.0
_POLL_SECONDS = 0.02

_BUCKET = "tests"
# What examples/subscriber/ is made of; the emulator would refuse any other type.
_KNOWN_TYPES = frozenset(
    {
        "AWS::CloudWatch::Alarm",
        "AWS::DynamoDB::Table",
        "AWS::Events::Rule",
        "AWS::IAM::Role",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Logs::LogGroup",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
    }
)


def wait_for[T](what: str, get: Callable[[], T], timeout_seconds: float = WAIT_SECONDS) -> T:
    """Returns the first value that is true; fails, saying what was waited for, when there is none in time."""
    deadline = time.monotonic() + timeout_seconds
    while not (value := get()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_seconds:.0f} s"
        time.sleep(_POLL_SECONDS)
    return value


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str | None
    body: bytes
    seconds: float
    request_id: str
    sent_at: int  # milliseconds since 1970

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def refused_fields(self) -> list[str]:
        return [error["field"] for error in self.json["errors"]]


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the bus as a subscriber's queue holds it."""

    source: str
    type: str
    resources: list[str]
    detail: dict[str, Any]
    text: str = field(repr=False)

    @property
    def event_id(self) -> str:
        """The `event_id` of the booking it is about; of a domain event or of a delivery."""
        if "booking" in self.detail:
            return str(self.booking.get("event_id"))
        return str(scheduled_event(self.detail)["event_id"])

    @property
    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = self.detail["metadata"]
        return metadata

    @property
    def booking(self) -> dict[str, Any]:
        booking: dict[str, Any] = self.detail["booking"]
        return booking


class Queue:
    """A queue of the stack."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self.url = url

    def send(self, *messages: str) -> None:
        """Puts messages in as one call, so that the handler gets them as one batch."""
        self._sqs.send_message_batch(
            QueueUrl=self.url,
            Entries=[{"Id": str(number), "MessageBody": text} for number, text in enumerate(messages)],
        )

    def take(self) -> list[str]:
        """The messages that are visible, which it deletes."""
        texts = []
        while messages := self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                texts.append(message["Body"])
        return texts

    def purge(self) -> None:
        """Deletes what is in it, messages in flight too."""
        self._sqs.purge_queue(QueueUrl=self.url)

    def attributes(self) -> dict[str, str]:
        attributes: dict[str, str] = self._sqs.get_queue_attributes(
            QueueUrl=self.url, AttributeNames=["All"]
        )["Attributes"]
        return attributes

    @property
    def arn(self) -> str:
        return self.attributes()["QueueArn"]

    @property
    def empty(self) -> bool:
        """Whether nothing is in it, visible or in flight."""
        return self.waiting == self.in_flight == 0

    @property
    def in_flight(self) -> int:
        return int(self.attributes()["ApproximateNumberOfMessagesNotVisible"])

    @property
    def waiting(self) -> int:
        return int(self.attributes()["ApproximateNumberOfMessages"])

    @contextlib.contextmanager
    def redelivering(self, *, after_seconds: int = 1, at_most: int = 10) -> Iterator[None]:
        """Makes what failed come back at once, for so many receives, so that no test has to wait."""
        before = self.attributes()
        redrive = json.loads(before["RedrivePolicy"]) | {"maxReceiveCount": at_most}
        changed = {"VisibilityTimeout": str(after_seconds), "RedrivePolicy": json.dumps(redrive)}
        self._sqs.set_queue_attributes(QueueUrl=self.url, Attributes=changed)
        try:
            yield
        finally:
            self._sqs.set_queue_attributes(
                QueueUrl=self.url, Attributes={name: before[name] for name in changed}
            )


class Subscription:
    """A rule for some sources with a queue of its own; remembers every event it received, in order."""

    def __init__(self, stack: RunningStack, name: str, sources: Iterable[str]) -> None:
        sqs, events = stack.client("sqs"), stack.client("events")
        bus = stack.outputs["EventBusName"]
        self._queue = Queue(sqs, sqs.create_queue(QueueName=name)["QueueUrl"])
        events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": list(sources)}))
        events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": self._queue.arn}])
        self._received: list[Event] = []

    def about(self, event_id: str) -> list[Event]:
        """The events about that booking so far."""
        for text in self._queue.take():
            envelope = json.loads(text)
            self._received.append(
                Event(
                    envelope["source"],
                    envelope["detail-type"],
                    envelope["resources"],
                    envelope["detail"],
                    text,
                )
            )
        return [event for event in self._received if event.event_id == event_id]


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """A stack that a test deployed beside the one under test."""

    _cloudformation: Any
    name: str

    def physical_id(self, logical_id: str) -> str:
        resource = self._cloudformation.describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical_id
        )["StackResourceDetail"]
        return str(resource["PhysicalResourceId"])


class StackUnderTest:
    """A running stack and what a test does to it."""

    def __init__(self, running: RunningStack, secret: str) -> None:
        self.running = running
        self.secret = secret
        self.created_queue = self.queue("BookingCreatedQueueUrl")
        self.canceled_queue = self.queue("BookingCanceledQueueUrl")
        self.created_dlq = self.queue("BookingCreatedDLQUrl")
        self.canceled_dlq = self.queue("BookingCanceledDLQUrl")
        self.events_dlq = self.queue("BookingEventsDLQUrl")
        self.dlqs = (self.created_dlq, self.canceled_dlq, self.events_dlq)
        self._quarantine = self.queue("QuarantineQueueUrl")
        self._quarantined: list[dict[str, Any]] = []
        self.domain_events = Subscription(running, "domain-events", ["bookings"])
        self.checks = Subscription(running, "checks", ["bookings.check", "zoom.scheduler.check"])
        self.raw = Subscription(running, "raw", ["zoom.scheduler"])
        self._began = self.now()
        self._fences = itertools.count()

    def queue(self, output: str) -> Queue:
        return self.queue_at(self.running.outputs[output])

    def queue_at(self, url: str) -> Queue:
        return Queue(self.running.client("sqs"), url)

    # ── the door ──────────────────────────────────────────────────────────────────────────────────────────

    def post(
        self,
        body: Body | bytes,
        *,
        secret: str | None = None,
        age_seconds: int = 0,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """Posts a delivery, signed as Zoom does, under a request id of its own.

        Args:
            secret: another one than the stack's.
            age_seconds: how long ago it says it was sent.
            headers: in place of what it would have; None leaves one out.
        """
        raw = body if isinstance(body, bytes) else encoded(body)
        timestamp = str(int(time.time()) - age_seconds)
        request_id = str(uuid.uuid4())
        sent: dict[str, str | None] = {
            "content-type": "application/json; charset=utf-8",
            "x-zm-request-id": request_id,
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: sign(secret or self.secret, timestamp, raw),
            **(headers or {}),
        }
        return self.request(raw, {name: value for name, value in sent.items() if value is not None})

    def request(self, raw: bytes, headers: Mapping[str, str]) -> Answer:
        """Posts exactly these bytes with exactly these headers."""
        return self.request_to(self.running.webhook_url, "POST", raw, headers)

    def request_to(
        self, url: str, method: str, raw: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        target = urlsplit(url)
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=30)
        sent_at = self.now()
        began = time.perf_counter()
        try:
            path = target._replace(scheme="", netloc="").geturl()
            connection.request(method, path, raw, dict(headers or {}))
            response = connection.getresponse()
            body = response.read()
            return Answer(
                response.status,
                response.getheader("content-type"),
                body,
                time.perf_counter() - began,
                (headers or {}).get("x-zm-request-id", ""),
                sent_at,
            )
        finally:
            connection.close()

    def deliver(self, body: Body | bytes) -> str:
        """Posts a delivery and returns the outcome that its handler logged for it."""
        answer = self.post(body)
        assert answer.status == http.HTTPStatus.OK, answer
        return self.outcome(answer)

    def outcome(self, answer: Answer) -> str:
        """What its handler made of a delivery, as soon as it says so."""
        return wait_for(
            f"a handler's log line of {answer.request_id}",
            lambda: next(
                (
                    str(line["outcome"])
                    for name in ("booking-created", "booking-canceled")
                    for line in self.log_lines(name, since=answer.sent_at)
                    if line.get("message") == "recorded" and line.get("zoom_request_id") == answer.request_id
                ),
                "",
            ),
        )

    # ── what becomes of it ────────────────────────────────────────────────────────────────────────────────

    def read(self, table: str, key: Mapping[str, str]) -> dict[str, Any] | None:
        """An item of a table, as plain values."""
        found = self.running.client("dynamodb").get_item(
            TableName=table, Key={name: {"S": value} for name, value in key.items()}, ConsistentRead=True
        )
        deserialize = TypeDeserializer().deserialize
        return (
            {name: deserialize(value) for name, value in found["Item"].items()} if "Item" in found else None
        )

    def item(self, event_id: str, email: str | None = EMAIL) -> dict[str, Any] | None:
        """The booking's item as it stands."""
        key = {"booking_id": booking_id_of(event_id, email)}
        return self.read(self.running.outputs["BookingsTableName"], key)

    def booking(self, event_id: str, email: str | None = EMAIL) -> dict[str, Any]:
        """The booking's item, as soon as there is one."""
        return wait_for(f"booking {event_id}", lambda: self.item(event_id, email) or {})

    def put_item(self, item: Mapping[str, Any]) -> None:
        """Writes an item in attribute-value form, past the handlers."""
        self.running.client("dynamodb").put_item(
            TableName=self.running.outputs["BookingsTableName"], Item=dict(item)
        )

    def delete_item(self, event_id: str, email: str | None = EMAIL) -> None:
        self.running.client("dynamodb").delete_item(
            TableName=self.running.outputs["BookingsTableName"],
            Key={"booking_id": {"S": booking_id_of(event_id, email)}},
        )

    def events(self, event_id: str) -> list[Event]:
        """All domain events about a booking, once nothing more can come of what was recorded so far.

        The stream keeps its order, so a later booking's event comes after all of them.
        """
        fence = f"fence-{next(self._fences)}"
        self.deliver(created(fence))
        wait_for(f"the domain event of {fence}", lambda: self.domain_events.about(fence))
        return self.domain_events.about(event_id)

    def raw_events(self, event_id: str) -> list[Event]:
        """All deliveries about a booking that are on the bus, once nothing more can come."""
        fence = f"fence-{next(self._fences)}"
        assert self.post(unknown(fence)).status == http.HTTPStatus.OK
        wait_for(f"the delivery of {fence}", lambda: self.raw.about(fence))
        return self.raw.about(event_id)

    def quarantined(self, answer: Answer) -> dict[str, Any]:
        """The quarantine's message about a request."""

        def found() -> dict[str, Any]:
            self._quarantined += [json.loads(text) for text in self._quarantine.take()]
            return next(
                (message for message in self._quarantined if message["request_id"] == answer.request_id), {}
            )

        return wait_for(f"{answer.request_id} in quarantine", found)

    @staticmethod
    def now() -> int:
        """This moment as logs give it, in milliseconds since 1970."""
        return int(time.time() * 1000)

    def log_texts(self, group: str, *, since: int = 0) -> list[str]:
        """Everything in a log group of the stack, or what is there since that moment (in milliseconds)."""
        pages = self.running.client("logs").get_paginator("filter_log_events")
        return [
            event["message"]
            for page in pages.paginate(logGroupName=group, startTime=since or self._began)
            for event in page["events"]
        ]

    def log_lines(self, function: str, *, since: int = 0) -> list[dict[str, Any]]:
        """What a function wrote into its log itself, told by the name that its lines carry."""
        texts = self.log_texts(f"/aws/lambda/{STACK_NAME}-{function}", since=since)
        return [json.loads(text) for text in texts if text.startswith("{")]

    def answered(self, answer: Answer) -> dict[str, Any]:
        """The line in which the webhook says how it answered a request."""
        return wait_for(
            f"the webhook's log line of {answer.request_id}",
            lambda: next(
                (
                    line
                    for line in self.log_lines("webhook", since=answer.sent_at)
                    if line.get("message") == "answered" and line.get("zoom_request_id") == answer.request_id
                ),
                {},
            ),
        )

    def counted(self, name: str, metric: str) -> int:
        """How often a function has counted a metric."""
        return sum(len(line.get(metric, [])) for line in self.log_lines(name) if "_aws" in line)

    # ── what a test changes, and changes back ─────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def denied(self, role: str, *actions: str) -> Iterator[None]:
        """Makes AWS refuse these actions to a role of the template."""
        iam = self.running.client("iam")
        target = {"RoleName": self.running.physical_id(role), "PolicyName": "DeniedByATest"}
        statement = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
        iam.put_role_policy(
            **target, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        )
        try:
            yield
        finally:
            iam.delete_role_policy(**target)

    @contextlib.contextmanager
    def stream_giving_up(self) -> Iterator[None]:
        """Makes the table's stream give up after a second instead of most of a day."""
        lambdas = self.running.client("lambda")
        [mapping] = lambdas.list_event_source_mappings(
            FunctionName=self.running.physical_id("BookingEventsFunction")
        )["EventSourceMappings"]
        lambdas.update_event_source_mapping(UUID=mapping["UUID"], MaximumRecordAgeInSeconds=1)
        try:
            yield
        finally:
            lambdas.update_event_source_mapping(
                UUID=mapping["UUID"], MaximumRecordAgeInSeconds=mapping["MaximumRecordAgeInSeconds"]
            )

    def refused_to(self, role: str, *calls: Callable[[Callable[[str], Any]], object]) -> list[str]:
        """The error codes by which AWS refuses each call to whoever takes on a role of the template.

        A call gets a function that makes its clients; one that is not refused gives "".
        """
        arn = self.running.client("iam").get_role(RoleName=self.running.physical_id(role))["Role"]["Arn"]
        credentials = self.running.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")[
            "Credentials"
        ]

        def client(service: str) -> Any:
            make: Callable[..., Any] = boto3.client  # typed by each service's name; ours is any
            return make(
                service,
                endpoint_url=self.running.endpoint_url,
                region_name=self.running.region,
                aws_access_key_id=credentials["AccessKeyId"],
                aws_secret_access_key=credentials["SecretAccessKey"],
                aws_session_token=credentials["SessionToken"],
            )

        codes = []
        for call in calls:
            try:
                call(client)
            except ClientError as refusal:
                codes.append(refusal.response["Error"]["Code"])
            else:
                codes.append("")
        return codes

    @contextlib.contextmanager
    def environment(self, function: str, **variables: str) -> Iterator[None]:
        """Starts a function anew with more environment variables, and once more without them."""
        lambdas = self.running.client("lambda")
        name = self.running.physical_id(function)
        before = lambdas.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        lambdas.update_function_configuration(
            FunctionName=name, Environment={"Variables": before | variables}
        )
        try:
            yield
        finally:
            lambdas.update_function_configuration(FunctionName=name, Environment={"Variables": before})

    def new_process(self, function: str) -> contextlib.AbstractContextManager[None]:
        """Starts a function anew: it knows no secret yet, and may read it."""
        return self.environment(function, STARTED_FOR=str(uuid.uuid4()))

    @contextlib.contextmanager
    def parameters(self, **changed: str) -> Iterator[None]:
        """Deploys other values of parameters, and the old ones afterwards."""
        cloudformation = self.running.client("cloudformation")
        described = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        before = {
            parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in described["Parameters"]
        }
        before["ZoomSecretToken"] = self.secret  # described as asterisks

        def update(values: Mapping[str, str]) -> None:
            parameters: list[dict[str, Any]] = [
                {"ParameterKey": name, "ParameterValue": values[name]}
                if name in values
                else {"ParameterKey": name, "UsePreviousValue": True}
                for name in before
            ]
            cloudformation.update_stack(
                StackName=STACK_NAME,
                UsePreviousTemplate=True,
                Parameters=parameters,
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
            waiter = cloudformation.get_waiter("stack_update_complete")
            waiter.wait(StackName=STACK_NAME, WaiterConfig={"Delay": _POLL_SECONDS, "MaxAttempts": 1500})

        changed = {name: value for name, value in changed.items() if before[name] != value}
        if not changed:  # CloudFormation would refuse the update
            yield
            return
        update(changed)
        try:
            yield
        finally:
            update({name: before[name] for name in changed})

    @contextlib.contextmanager
    def broken(self, name: str, source: Path) -> Iterator[None]:
        """Deploys a version of a function that raises whatever it gets, and the right one afterwards.

        Args:
            name: the function's own.
            source: its right version.
        """
        lambdas = self.running.client("lambda")
        raising = "def lambda_handler(event, context):\n    raise RuntimeError('broken by a test')\n"
        lambdas.update_function_code(FunctionName=name, ZipFile=_archive(raising.encode()))
        try:
            yield
        finally:
            lambdas.update_function_code(FunctionName=name, ZipFile=_archive(source.read_bytes()))

    def broken_handler(self, events: str) -> contextlib.AbstractContextManager[None]:
        """Breaks the handler of `created` or of `canceled` deliveries."""
        name = self.running.physical_id(f"Booking{events.title()}Function")
        return self.broken(name, ROOT / f"functions/booking_{events}/app.py")

    @contextlib.contextmanager
    def deployed(self, name: str, template: Path, parameters: Mapping[str, str]) -> Iterator[DeployedStack]:
        """Deploys another SAM template beside the stack, and deletes it afterwards."""
        s3, cloudformation = self.running.client("s3"), self.running.client("cloudformation")

        def upload(key: str, content: bytes) -> str:
            s3.put_object(Bucket=_BUCKET, Key=f"{name}/{key}", Body=content)
            return f"s3://{_BUCKET}/{name}/{key}"

        s3.create_bucket(Bucket=_BUCKET)
        fitted, _ = fit(template, upload, _KNOWN_TYPES)
        upload("template.json", json.dumps(fitted, default=str).encode())
        cloudformation.create_stack(
            StackName=name,
            TemplateURL=f"{self.running.endpoint_url}/{_BUCKET}/{name}/template.json",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        described: dict[str, Any] = wait_for(
            f"stack {name}",
            lambda: next(
                (
                    stack
                    for stack in cloudformation.describe_stacks(StackName=name)["Stacks"]
                    if not stack["StackStatus"].endswith("_IN_PROGRESS")
                ),
                {},
            ),
        )
        assert described["StackStatus"] == "CREATE_COMPLETE", described
        try:
            yield DeployedStack(cloudformation, name)
        finally:
            cloudformation.delete_stack(StackName=name)

    def processes(self, function: str) -> list[int]:
        """The processes that run a function now: the emulator's children, known by their environment."""
        name = f"AWS_LAMBDA_FUNCTION_NAME={self.running.physical_id(function)}".encode()
        found = []
        for directory in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                if _parent(directory) != self.running.pid:
                    continue
                if name in (directory / "environ").read_bytes().split(b"\0"):
                    found.append(int(directory.name))
        return found

    def signal(self, function: str, number: signal.Signals) -> None:
        """Sends a signal to each process of a function; SIGSTOP leaves it with what it gets next unread."""
        processes = self.processes(function)
        for pid in processes:
            os.kill(pid, number)
        if number is signal.SIGSTOP:
            # On a busy machine a thread that waits for its next event could still take it before it stops.
            wait_for("the processes to stop", lambda: all(_stopped(pid) for pid in processes))

    def unread(self, function: str) -> int:
        """How many bytes of events its processes were handed and have not read yet."""
        unread = 0
        for pid in self.processes(function):
            with Path(f"/proc/{pid}/fd/0").open("rb") as pipe:
                (waiting,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
                unread += waiting
        return unread


def _stopped(pid: int) -> bool:
    return all(
        (task / "stat").read_text().rpartition(")")[2].split()[0] == "T"
        for task in Path(f"/proc/{pid}/task").iterdir()
    )


def _parent(directory: Path) -> int:
    """The parent of a process, by its folder in /proc."""
    # The name, in brackets, may hold anything; the fields behind it are the state and the parent.
    return int((directory / "stat").read_text().rpartition(")")[2].split()[1])


def _archive(source: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", source)
    return content.getvalue()
