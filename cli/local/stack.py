"""The stack on this machine: the emulator, and `template.yaml` deployed to it.

While it runs, `stack.json` in its directory says where it is; by that file every other process finds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from cli.local.emulator import REGION, Emulator, EmulatorError, Observer
from cli.local.template import Fitted, LeftOut, TableSettings, TemplateError, fit, read
from cli.stack import LOCAL_STACK_NAME, local_config, local_session

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
DIRECTORY = Path(".local")
STATE_FILE = "stack.json"
STACK_NAME = LOCAL_STACK_NAME

_BUCKET = "artifacts"
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
_DEPLOY_SECONDS = 120
_POLL_SECONDS = 0.05

Step = Callable[[str], AbstractContextManager[None]]
"""Surrounds one step of the start, so that somebody can show it."""


class DeploymentError(Exception):
    """CloudFormation refused the template or failed on it. The message names each resource and reason."""


class AlreadyRunningError(EmulatorError):
    """Another local stack holds the directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStack:
    """A local stack that is up, seen from any process."""

    endpoint_url: str
    region: str
    webhook_url: str
    outputs: Mapping[str, str]
    pid: int
    _clients: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, directory: Path) -> RunningStack:
        """The one whose state file is in the directory.

        Raises:
            FileNotFoundError: none is ready there.
        """
        return cls(**json.loads((directory / STATE_FILE).read_text(encoding="utf-8")))

    def client(self, service: str) -> Any:
        """The boto3 client of the emulator's account root; one a service."""
        if service not in self._clients:
            self._clients[service] = _client(service, self.endpoint_url)
        return self._clients[service]

    def physical_id(self, logical_id: str) -> str:
        """What a resource of the template is called here, for what no output tells."""
        resource = self.client("cloudformation").describe_stack_resource(
            StackName=STACK_NAME, LogicalResourceId=logical_id
        )["StackResourceDetail"]
        return str(resource["PhysicalResourceId"])

    def update(self, parameters: Mapping[str, str]) -> None:
        """Deploys the same template with other values of some parameters.

        Raises:
            DeploymentError: the update failed and was rolled back.
        """
        cloudformation = self.client("cloudformation")
        known = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0].get("Parameters", [])
        values = [
            {"ParameterKey": name, "ParameterValue": parameters[name]}
            if name in parameters
            else {"ParameterKey": name, "UsePreviousValue": True}
            for name in {parameter["ParameterKey"] for parameter in known} | parameters.keys()
        ]
        try:
            cloudformation.update_stack(
                StackName=STACK_NAME, UsePreviousTemplate=True, Parameters=values, Capabilities=_CAPABILITIES
            )
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return
            raise DeploymentError(error.response["Error"]["Message"]) from None
        _wait_until_deployed(cloudformation, "UPDATE_COMPLETE")


class LocalStack:
    """A start of it: `with LocalStack(port=8080, secret=…) as stack`. Once a process, as the emulator.

    Args:
        port: 0 takes a free one.
        secret: the Zoom secret token it verifies with.
        parameters: of the template, over their defaults.
        template: another SAM template with the contract's names.
        directory: holds the state file, the emulator's log, and its temporary files while it runs.
        step: surrounds each step of the start.
        observer: told of each request to the webhook.
    """

    def __init__(
        self,
        *,
        port: int,
        secret: str,
        parameters: Mapping[str, str] | None = None,
        template: Path = TEMPLATE,
        directory: Path = DIRECTORY,
        step: Step = lambda _: nullcontext(),
        observer: Observer | None = None,
    ) -> None:
        self._port = port
        self._parameters = {**(parameters or {}), "ZoomSecretToken": secret}
        self._template = template
        self._directory = directory
        self._step = step
        self._observer = observer
        self._on_exit = ExitStack()
        self.left_out: tuple[LeftOut, ...] = ()
        self.was_ready = False

    def __enter__(self) -> RunningStack:
        """Starts and deploys it, and returns when it takes bookings.

        Raises:
            AlreadyRunningError: end the other one first.
            EmulatorError: no port, or no emulator.
            TemplateError: the template doesn't fit.
            DeploymentError: the template fits and can't be deployed.
        """
        with self._on_exit:
            self._on_exit.enter_context(_only_one(self._directory))
            read(self._template)  # a slip of the pen is told at once
            with self._step("the AWS emulator"):
                emulator = self._on_exit.enter_context(Emulator(self._port, self._directory, self._observer))
            with self._step(f"{self._template.name}, expanded and packaged"):
                fitted = fit(self._template, _Uploads(emulator.endpoint_url), emulator.known_resource_types())
                self.left_out = fitted.left_out
            with self._step(f"{len(fitted.template['Resources'])} resources, deployed by CloudFormation"):
                stack = _deploy(emulator, fitted, self._parameters)
            with self._step("the functions, imported"):
                _warm(emulator, stack)
            self.was_ready = True
            self._on_exit.enter_context(_state_file(self._directory / STATE_FILE, stack))
            self._on_exit = self._on_exit.pop_all()
        return stack

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._on_exit.close()


def _client(service: str, endpoint_url: str) -> Any:
    make: Callable[..., Any] = local_session(REGION).client  # typed by each service's name; ours is any
    return make(
        service,
        endpoint_url=endpoint_url,
        config=local_config(read_timeout_seconds=60),
    )


class _Uploads:
    """Stores archives in the emulator's S3."""

    def __init__(self, endpoint_url: str) -> None:
        self._s3 = _client("s3", endpoint_url)
        self._s3.create_bucket(Bucket=_BUCKET)

    def __call__(self, key: str, content: bytes) -> str:
        self._s3.put_object(Bucket=_BUCKET, Key=key, Body=content)
        return f"s3://{_BUCKET}/{key}"


def _deploy(emulator: Emulator, fitted: Fitted, parameters: Mapping[str, str]) -> RunningStack:
    endpoint_url = emulator.endpoint_url
    cloudformation = _client("cloudformation", endpoint_url)
    s3 = _client("s3", endpoint_url)
    s3.put_object(Bucket=_BUCKET, Key="template.json", Body=fitted.text().encode())
    try:
        cloudformation.create_stack(
            StackName=STACK_NAME,
            TemplateURL=f"{endpoint_url}/{_BUCKET}/template.json",  # in the body it could be too long
            Capabilities=_CAPABILITIES,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
    except ClientError as error:
        raise DeploymentError(error.response["Error"]["Message"]) from None
    described = _wait_until_deployed(cloudformation, "CREATE_COMPLETE")
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    resources = cloudformation.describe_stack_resources(StackName=STACK_NAME)["StackResources"]
    _apply_table_settings(endpoint_url, fitted.tables, resources)
    for resource in resources:
        if resource["ResourceType"] == "AWS::ApiGatewayV2::Api":
            emulator.forward_webhooks_to(resource["PhysicalResourceId"])
    if "WebhookUrl" not in outputs:
        raise DeploymentError("the template has no output WebhookUrl")
    webhook_url = endpoint_url + urlsplit(outputs["WebhookUrl"]).path
    return RunningStack(
        endpoint_url=endpoint_url,
        region=REGION,
        webhook_url=webhook_url,
        outputs=outputs | {"WebhookUrl": webhook_url},
        pid=os.getpid(),
    )


def _wait_until_deployed(cloudformation: Any, wanted: str) -> dict[str, Any]:
    deadline = time.monotonic() + _DEPLOY_SECONDS
    while time.monotonic() < deadline:
        described: dict[str, Any] = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        status = described["StackStatus"]
        if status == wanted:
            return described
        if not status.endswith("_IN_PROGRESS"):
            raise DeploymentError(_failures(cloudformation) or f"the stack is {status}")
        time.sleep(_POLL_SECONDS)
    raise DeploymentError(f"CloudFormation isn't done after {_DEPLOY_SECONDS} s")


def _failures(cloudformation: Any) -> str:
    """One line for each resource that failed, oldest first; what only failed in consequence is left out."""
    events = cloudformation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    return "\n".join(
        f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
        and "cancelled" not in event.get("ResourceStatusReason", "").lower()
    )


def _apply_table_settings(
    endpoint_url: str, tables: tuple[TableSettings, ...], resources: list[dict[str, Any]]
) -> None:
    names = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    dynamodb = _client("dynamodb", endpoint_url)
    for table in tables:
        if table.time_to_live:
            dynamodb.update_time_to_live(
                TableName=names[table.logical_id], TimeToLiveSpecification=table.time_to_live
            )
        if table.point_in_time_recovery:
            dynamodb.update_continuous_backups(
                TableName=names[table.logical_id],
                PointInTimeRecoverySpecification=table.point_in_time_recovery,
            )


def _warm(emulator: Emulator, stack: RunningStack) -> None:
    resources = stack.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)[
        "StackResources"
    ]
    functions = {
        resource["PhysicalResourceId"]: resource["LogicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }
    problems = emulator.warm(list(functions))
    if problems:
        raise DeploymentError(
            "\n".join(f"{functions[name]}: {problem}" for name, problem in problems.items())
        )


@contextlib.contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Holds the directory. The lock ends with the process, however that ends."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunningError(_who_runs(directory)) from None
        (directory / STATE_FILE).unlink(missing_ok=True)  # of one that was killed
        yield


def _who_runs(directory: Path) -> str:
    try:
        running = RunningStack.read(directory)
    except (OSError, ValueError, TypeError):
        return f"another local stack is starting or ending in {directory}: wait a moment, or end it"
    return (
        f"a local stack is running already, at {running.webhook_url} (process {running.pid}). "
        f"Use it, end it with Ctrl-C or `kill {running.pid}`, or choose another --state-dir"
    )


@contextlib.contextmanager
def _state_file(path: Path, stack: RunningStack) -> Iterator[None]:
    """Present while the stack is ready, and whole whenever it is there."""
    content = {
        "endpoint_url": stack.endpoint_url,
        "region": stack.region,
        "webhook_url": stack.webhook_url,
        "outputs": dict(stack.outputs),
        "pid": stack.pid,
    }
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


__all__ = [
    "AlreadyRunningError",
    "DeploymentError",
    "EmulatorError",
    "LocalStack",
    "RunningStack",
    "TemplateError",
]
