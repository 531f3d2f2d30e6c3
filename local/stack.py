"""Deploys `template.yaml` to the emulator on this machine.

While the stack is up, other processes find it by `stack.json` in its directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError, WaiterError

from cli.stack import LOCAL_CREDENTIALS, LOCAL_STACK_NAME, local_config, local_session
from local.emulator import REGION, Observer, running_emulator
from local.template import LeftOut, Template, fit, read
from local.workarounds import EmulatorError, known_resource_types, start_functions

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
DIRECTORY = Path(".local")
STATE_FILE = "stack.json"
STACK_NAME = LOCAL_STACK_NAME

_BUCKET = "artifacts"
_PATIENCE = {"Delay": 0.05, "MaxAttempts": 2400}  # two minutes

Step = Callable[[str], AbstractContextManager[None]]
"""Surrounds each step of the start."""


class DeploymentError(Exception):
    """CloudFormation can't deploy the template. The message names each resource and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStack:
    """A local stack that is up, seen from any process. The fields are those of `stack.json`."""

    endpoint_url: str
    region: str
    webhook_url: str
    outputs: Mapping[str, str]
    credentials: Mapping[str, str]
    pid: int

    @classmethod
    def read(cls, directory: Path) -> RunningStack:
        """Reads the state file of the directory.

        Raises:
            FileNotFoundError: no stack is up there.
        """
        return cls(**json.loads((directory / STATE_FILE).read_text(encoding="utf-8")))

    def client(self, service: str) -> Any:
        """Returns a boto3 client with the permissions of the account's root."""
        return _client(service, self.endpoint_url)

    def physical_id(self, logical_id: str) -> str:
        """Returns the physical id of a resource of the template."""
        resource = self.client("cloudformation").describe_stack_resource(
            StackName=STACK_NAME, LogicalResourceId=logical_id
        )["StackResourceDetail"]
        return str(resource["PhysicalResourceId"])


@contextlib.contextmanager
def local_stack(
    *,
    port: int,
    secret: str,
    parameters: Mapping[str, str],
    template: Path,
    directory: Path,
    step: Step,
    observer: Observer,
) -> Iterator[tuple[RunningStack, list[LeftOut]]]:
    """Starts the emulator, deploys the template, and yields when the stack takes bookings.

    Args:
        port: 0 takes a free one.
        secret: the Zoom secret token.
        parameters: values that replace the template's defaults.
        template: a SAM template with the outputs of ours.
        directory: gets the state file, the emulator's log, and temporary files during the run.

    Raises:
        EmulatorError: another stack uses the directory, or the emulator can't start.
        TemplateError: the template does not fit.
        DeploymentError: CloudFormation or a function's import failed.
    """
    with contextlib.ExitStack() as on_exit:
        on_exit.enter_context(_directory_lock(directory))
        read(template)  # reports a broken template before the emulator's start
        with step("the AWS emulator"):
            emulator = on_exit.enter_context(running_emulator(port, directory, observer))
        upload = _uploader(emulator.endpoint_url)
        with step(f"{template.name}, expanded and packaged"):
            fitted, left_out = fit(template, upload, known_resource_types())
        with step(f"{len(fitted['Resources'])} resources, deployed by CloudFormation"):
            upload("template.json", json.dumps(fitted, default=str).encode())
            outputs = _deploy(emulator.endpoint_url, fitted, {**parameters, "ZoomSecretToken": secret})
        functions = _resources(emulator.endpoint_url, "AWS::Lambda::Function")
        emulator.api_id = next(iter(_resources(emulator.endpoint_url, "AWS::ApiGatewayV2::Api")), None)
        with step("the functions, imported"):
            problems = start_functions(list(functions))
            if problems:
                raise DeploymentError("\n".join(f"{functions[name]}: {problems[name]}" for name in problems))
        stack = RunningStack(
            endpoint_url=emulator.endpoint_url,
            region=REGION,
            webhook_url=outputs["WebhookUrl"],
            outputs=outputs,
            credentials=LOCAL_CREDENTIALS,
            pid=os.getpid(),
        )
        on_exit.enter_context(_state_file(directory / STATE_FILE, stack))
        yield stack, left_out


@functools.cache
def _client(service: str, endpoint_url: str) -> Any:
    make: Callable[..., Any] = local_session(REGION).client  # its overloads take literal names only
    return make(service, endpoint_url=endpoint_url, config=local_config(read_timeout_seconds=60))


def _uploader(endpoint_url: str) -> Callable[[str, bytes], str]:
    """Returns a function that stores an archive in the emulator's S3 and returns its address."""
    s3 = _client("s3", endpoint_url)
    s3.create_bucket(Bucket=_BUCKET)

    def upload(key: str, content: bytes) -> str:
        s3.put_object(Bucket=_BUCKET, Key=key, Body=content)
        return f"s3://{_BUCKET}/{key}"

    return upload


def _deploy(endpoint_url: str, template: Template, parameters: Mapping[str, str]) -> dict[str, str]:
    """Creates the stack and returns its outputs, with the webhook's address on this machine."""
    if "WebhookUrl" not in template.get("Outputs", {}):
        raise DeploymentError("the template has no output WebhookUrl")
    cloudformation = _client("cloudformation", endpoint_url)
    try:
        cloudformation.create_stack(
            StackName=STACK_NAME,
            TemplateURL=f"{endpoint_url}/{_BUCKET}/template.json",  # the template may exceed TemplateBody
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK_NAME, WaiterConfig=_PATIENCE)
    except ClientError as error:
        raise DeploymentError(error.response["Error"]["Message"]) from None
    except WaiterError as error:
        raise DeploymentError(_failures(cloudformation) or str(error)) from None
    (described,) = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    return outputs | {"WebhookUrl": endpoint_url + urlsplit(outputs["WebhookUrl"]).path}


def _failures(cloudformation: Any) -> str:
    """Returns a line for each resource that failed, oldest first. Consequences of a failure are left out."""
    events = cloudformation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    return "\n".join(
        f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
        and "cancelled" not in event.get("ResourceStatusReason", "").lower()
    )


def _resources(endpoint_url: str, kind: str) -> dict[str, str]:
    """Returns the logical ids of all resources of a type, by physical id."""
    described = _client("cloudformation", endpoint_url).describe_stack_resources(StackName=STACK_NAME)
    return {
        resource["PhysicalResourceId"]: resource["LogicalResourceId"]
        for resource in described["StackResources"]
        if resource["ResourceType"] == kind
    }


@contextlib.contextmanager
def _directory_lock(directory: Path) -> Iterator[None]:
    """Holds the directory until the process ends in any manner."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise EmulatorError(_other_stack(directory)) from None
        (directory / STATE_FILE).unlink(missing_ok=True)  # of a stack that was killed
        yield


def _other_stack(directory: Path) -> str:
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
    """Writes the state file at once, and removes it at the end."""
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(asdict(stack), indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
