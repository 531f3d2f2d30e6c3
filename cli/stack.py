"""Finds the stack a command works on, local or deployed alike, and reaches its AWS services."""

import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import boto3
import botocore.session
import typer
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's, of which every failure to connect is one
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from bookings.use_cases.live_secrets import unusable
from cli.output import CommandError, WrongCallError, at_terminal, errors_shown

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

STATE_FILE = Path(".local/stack.json")
"""Written by the local stack while it runs; relative to where the command is called, as `make run` is."""

LOCAL_STACK_NAME = "bookings-local"
"""In the emulator's CloudFormation."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask first.")]

# The emulator takes this for its account's root, as id and as key; it is no secret.
_LOCAL_ROOT = "test"
LOCAL_CREDENTIALS = {"aws_access_key_id": _LOCAL_ROOT, "aws_secret_access_key": _LOCAL_ROOT}

_ACCESS_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_STALE_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "RequestExpired",
    "UnrecognizedClientException",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running stack.

    Attributes:
        name: as it stands in messages, "the local stack" or "stack NAME".
        cloudformation_name: as CloudFormation knows it.
        endpoint_url: of the emulator; None on AWS.
    """

    name: str
    cloudformation_name: str
    outputs: Mapping[str, str]
    session: boto3.session.Session = field(repr=False)
    config: Config = field(repr=False)
    endpoint_url: str | None = None

    @property
    def webhook_url(self) -> str:
        return self.output("WebhookUrl")

    def output(self, name: str) -> str:
        """Returns a stack output, or raises a `CommandError` if there is none of this name."""
        try:
            return self.outputs[name]
        except KeyError:
            raise CommandError(f"{self.name} has no output {name}; is it a stack of this template?") from None

    def parameter(self, name: str) -> str:
        """Returns the value of a parameter, or raises a `CommandError` if there is none of this name."""
        with self.errors_explained(f"read the parameter {name}"):
            client = self.session.client("cloudformation", endpoint_url=self.endpoint_url, config=self.config)
            [described] = client.describe_stacks(StackName=self.cloudformation_name)["Stacks"]
        for parameter in described.get("Parameters", []):
            if parameter.get("ParameterKey") == name:
                return parameter.get("ParameterValue", "")
        raise CommandError(f"{self.name} has no parameter {name}; is it a stack of this template?")

    def secret(self) -> str:
        """Returns the Zoom secret token, or raises a `CommandError` if it can't be read or is no token."""
        with self.errors_explained("read the Zoom secret token"):
            stored = self.secrets_manager().get_secret_value(SecretId=self.output("ZoomSecretArn"))
        token = stored["SecretString"].strip()
        if problem := unusable(token):
            raise CommandError(f"Can't sign for {self.name}: {problem}.")
        return token

    def dynamodb(self) -> "DynamoDBClient":
        return self.session.client("dynamodb", endpoint_url=self.endpoint_url, config=self.config)

    def event_bridge(self) -> "EventBridgeClient":
        return self.session.client("events", endpoint_url=self.endpoint_url, config=self.config)

    def sqs(self) -> "SQSClient":
        return self.session.client("sqs", endpoint_url=self.endpoint_url, config=self.config)

    def secrets_manager(self) -> "SecretsManagerClient":
        return self.session.client("secretsmanager", endpoint_url=self.endpoint_url, config=self.config)

    def confirm(self, task: str, *, yes: bool) -> None:
        """Asks whether to do the task here, and names account and region. A no ends the command with 1.

        Raises:
            WrongCallError: nobody can be asked, as there is no terminal.
        """
        if yes:
            return
        if not at_terminal():
            raise WrongCallError("There is no terminal to ask at: say --yes.")
        place = self.name
        if not self.endpoint_url:
            with self.errors_explained("look up the account"):
                account = self.session.client("sts", config=self.config).get_caller_identity()["Account"]
            place += f" (account {account}, {self.session.region_name})"
        typer.confirm(f"{task} {place}?", abort=True, err=True)

    def errors_explained(self, task: str) -> AbstractContextManager[None]:
        """Turns each of botocore's errors into a `CommandError` that says what to do about it."""
        return _errors_explained(f"{task} of {self.name}", self.endpoint_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """The options that choose a stack. Every command takes them."""

    local: Annotated[bool, typer.Option("--local", help="Work on the local stack (make run).")] = False
    stack: Annotated[str | None, typer.Option(metavar="NAME", help="The deployed CloudFormation stack.")] = (
        None
    )
    region: Annotated[str | None, typer.Option(help="The stack's region; else that of AWS_REGION.")] = None
    profile: Annotated[str | None, typer.Option(help="The AWS profile; else that of AWS_PROFILE.")] = None

    def find(self) -> Stack:
        return find_stack(local=self.local, name=self.stack, region=self.region, profile=self.profile)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Makes a command of a function: a parameter that is a dataclass of options becomes those options.

    A `CommandError` is shown and ends the command with its exit code.
    """
    plain = inspect.signature(function).parameters.values()
    groups: dict[str, Any] = {each.name: each.annotation for each in plain if is_dataclass(each.annotation)}
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [each.replace(kind=keyword) for each in plain if each.name not in groups] + [
        inspect.Parameter(option.name, keyword, default=option.default, annotation=option.type)
        for group in groups.values()
        for option in fields(group)
    ]

    @wraps(function)
    def called(**values: Any) -> None:
        with errors_shown():
            for name, group in groups.items():
                chosen = values.keys() & {option.name for option in fields(group)}
                values[name] = group(**{option: values.pop(option) for option in chosen})
            function(**values)

    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    return called


def find_stack(
    *, local: bool, name: str | None, region: str | None = None, profile: str | None = None
) -> Stack:
    """Returns the stack that was asked for; without a wish the local one, if it runs.

    Raises:
        CommandError: it is not there or can't be reached.
        WrongCallError: both were asked for, or none was and there is no local one.
    """
    if local and name is not None:
        raise WrongCallError("--local and --stack exclude each other.")
    if name is not None:
        return _deployed_stack(name, region, profile)
    if region is not None or profile is not None:
        raise WrongCallError("--region and --profile are those of a deployed stack: say --stack NAME.")
    if not local and not STATE_FILE.exists():
        raise WrongCallError(
            "Say which stack: --stack NAME for a deployed one, or start the local one with `make run`."
        )
    return _local_stack()


def _local_stack() -> Stack:
    try:
        state = json.loads(STATE_FILE.read_text(encoding="utf-8"))
        endpoint_url, region, outputs = state["endpoint_url"], state["region"], dict(state["outputs"])
        outputs["WebhookUrl"] = state["webhook_url"]
    except FileNotFoundError:
        raise CommandError(
            f"No local stack is running here ({STATE_FILE} is not there). Start one with `make run`, and "
            "call this from the same folder."
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        advice = "Start the local stack again with `make run`."
        raise CommandError(f"{STATE_FILE} can't be read. {advice}") from None
    return Stack(
        name="the local stack",
        cloudformation_name=LOCAL_STACK_NAME,
        outputs=outputs,
        session=local_session(region),
        config=local_config(read_timeout_seconds=10),
        endpoint_url=endpoint_url,
    )


def local_session(region: str) -> boto3.session.Session:
    """A session with the emulator. Nothing of the user's AWS set-up matters to it, no profile and no file."""
    core = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    return boto3.session.Session(botocore_session=core, region_name=region, **LOCAL_CREDENTIALS)


def local_config(*, read_timeout_seconds: float) -> Config:
    """How the emulator is called: directly whatever proxy there is, and once."""
    return Config(
        connect_timeout=2,
        read_timeout=read_timeout_seconds,
        retries={"total_max_attempts": 1},
        proxies={},
    )


def _deployed_stack(name: str, region: str | None, profile: str | None) -> Stack:
    config = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3})
    with _errors_explained(f"look up stack {name}", None):
        # boto3 itself reads AWS_DEFAULT_REGION only.
        session = boto3.session.Session(
            profile_name=profile, region_name=region or os.environ.get("AWS_REGION") or None
        )
        try:
            [described] = session.client("cloudformation", config=config).describe_stacks(StackName=name)[
                "Stacks"
            ]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                raise CommandError(
                    f"There is no stack {name} in {session.region_name} in this account. Other names: "
                    "`aws cloudformation list-stacks`; another region: --region; another account: "
                    "--profile."
                ) from None
            raise
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    return Stack(
        name=f"stack {name}", cloudformation_name=name, outputs=outputs, session=session, config=config
    )


@contextmanager
def _errors_explained(task: str, endpoint_url: str | None) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise CommandError(f"Can't {task}: {_advice(error)}") from None
    except (NoCredentialsError, PartialCredentialsError):
        raise CommandError(
            f"Can't {task}: there are no AWS credentials. Get some with `aws configure` or `aws sso login`, "
            "or name a profile with --profile."
        ) from None
    except NoRegionError:
        raise CommandError(f"Can't {task}: no region is chosen. Name one with --region.") from None
    except (ConnectionError, HTTPClientError):
        if endpoint_url:
            raise CommandError(
                f"Can't {task}: {endpoint_url} does not answer; it must have ended without notice. Start it "
                "again with `make run`."
            ) from None
        raise CommandError(f"Can't {task}: AWS can't be reached. Is there a network?") from None
    except BotoCoreError as error:
        raise CommandError(f"Can't {task}: {error}") from None


def _advice(error: ClientError) -> str:
    said: Any = error.response["Error"]
    if said["Code"] in _ACCESS_DENIED:
        return f"these AWS credentials may not do that ({error.operation_name})."
    if said["Code"] in _STALE_CREDENTIALS:
        return "AWS does not accept these credentials; have they expired? Try `aws sso login`."
    return f"{said['Code']}: {said['Message']}"
