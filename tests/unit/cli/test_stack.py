"""Finding the stack a command works on, and what is said when it can't be reached."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    UnauthorizedSSOTokenError,
)

from cli.output import CommandError, WrongCallError
from cli.stack import find_stack

from .conftest import REGION, SECRET, STACK_NAME, Deployed, Local, Server, booked, bookings

NO_CREDENTIALS = (
    "there are no AWS credentials. Get some with `aws configure` or `aws sso login`, or name a profile in "
    "AWS_PROFILE."
)
UNREACHABLE = "AWS can't be reached. Is there a network?"
Failing = Callable[[str, Exception], None]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Makes one AWS operation fail."""
    make_call: Any = boto3.client("sts")._make_api_call.__func__

    def fail(failed: str, error: Exception) -> None:
        def call(client: Any, operation: str, values: dict[str, Any]) -> Any:
            if operation == failed:
                raise error
            return make_call(client, operation, values)

        monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)

    return fail


def client_error(operation: str, code: str, message: str = "It says so.") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def told(*, local: bool = False, name: str | None = None) -> str:
    with pytest.raises(CommandError) as caught:
        find_stack(local=local, name=name)
    assert caught.value.exit_code == 1
    return str(caught.value)


def write_state(**changes: Any) -> None:
    state = {
        "endpoint_url": "http://127.0.0.1:1",
        "region": "us-east-1",
        "webhook_url": "http://127.0.0.1:1/webhooks/zoom",
        "outputs": {"BookingsTableName": "table", "ZoomSecretArn": "arn"},
    }
    Path(".local").mkdir()
    Path(".local/stack.json").write_text(json.dumps(state | changes))


def test_a_deployed_stack_is_found_by_its_name(deployed: Deployed) -> None:
    stack = find_stack(local=False, name=STACK_NAME)

    assert stack.outputs == deployed.outputs
    assert stack.webhook_url == "http://127.0.0.1:1/webhooks/zoom"
    assert stack.secret() == SECRET
    assert stack.endpoint_url is None


def test_a_parameter_has_the_value_it_was_deployed_with(deployed: Deployed) -> None:
    assert find_stack(local=False, name=STACK_NAME).parameter("ShareAccessLinks") == "false"
    deployed.update(ShareAccessLinks="true")
    assert find_stack(local=False, name=STACK_NAME).parameter("ShareAccessLinks") == "true"


def test_a_parameter_that_the_stack_does_not_have_is_told(deployed: Deployed) -> None:
    with pytest.raises(CommandError) as caught:
        find_stack(local=False, name=STACK_NAME).parameter("Colour")
    assert str(caught.value) == (
        f"stack {STACK_NAME} has no parameter Colour; is it a stack of this template?"
    )


def test_a_secret_is_taken_without_the_white_space_around_it_as_the_webhook_takes_it(
    deployed: Deployed,
) -> None:
    stack = find_stack(local=False, name=STACK_NAME)
    boto3.client("secretsmanager").put_secret_value(
        SecretId=deployed.outputs["ZoomSecretArn"], SecretString=f" {SECRET}\n"
    )
    assert stack.secret() == SECRET


def test_the_local_stack_is_found_by_its_state_file(local: Local) -> None:
    stack = find_stack(local=True, name=None)

    assert stack.endpoint_url == local.state["endpoint_url"]
    assert stack.webhook_url == local.state["webhook_url"]
    assert stack.output("BookingsTableName") == local.outputs["BookingsTableName"]
    assert stack.secret() == SECRET
    assert set(local.credentials) == {"test"}


def test_neither_named_is_the_local_one_while_it_runs(local: Local) -> None:
    assert find_stack(local=False, name=None).name == "the local stack"


def test_a_name_goes_before_a_local_stack_that_runs(local: Local) -> None:
    assert find_stack(local=False, name=STACK_NAME).name == f"stack {STACK_NAME}"


def test_a_stack_does_not_show_its_secrets_when_it_is_printed(local: Local) -> None:
    stack = find_stack(local=True, name=None)

    assert SECRET not in repr(stack)
    assert "session" not in repr(stack)


def test_the_local_stack_needs_nothing_of_the_users_aws_set_up(
    webhook: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    webhook.content_type, webhook.body = (
        "application/x-amz-json-1.1",
        b'{"SecretString": "from the emulator"}',
    )
    write_state(endpoint_url=webhook.url.removesuffix("/webhooks/zoom"))
    broken = tmp_path / "broken"
    broken.write_text("[not closed")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(broken))
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    assert find_stack(local=True, name=None).secret() == "from the emulator"
    assert "Credential=test/" in webhook.requests[0][1]["authorization"]


def test_without_a_stack_a_person_is_told_how_to_name_one() -> None:
    with pytest.raises(WrongCallError) as caught:
        find_stack(local=False, name=None)

    assert str(caught.value) == (
        "Say which stack: --stack NAME for a deployed one, or start the local one with `make run`."
    )


def test_both_stacks_at_once_are_a_wrong_call(local: Local) -> None:
    with pytest.raises(WrongCallError, match=r"^--local and --stack exclude each other\.$"):
        find_stack(local=True, name=STACK_NAME)


def test_no_local_stack_is_told_with_how_to_start_one() -> None:
    assert told(local=True) == (
        "No local stack is running here (.local/stack.json is not there). Start one with `make run`, and "
        "call this from the same folder."
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"endpoint_url": "http://127.0.0.1:1"}', "\xff"])
def test_a_state_file_that_is_broken_is_told(text: str) -> None:
    Path(".local").mkdir()
    Path(".local/stack.json").write_bytes(text.encode("latin-1"))

    assert told(local=True) == (
        ".local/stack.json can't be read. Start the local stack again with `make run`."
    )


def test_a_local_stack_that_has_ended_without_notice_is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: nobody else takes it meanwhile
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        write_state(endpoint_url=url)

        result = bookings("show", "--local")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: Can't read the bookings of the local stack: {url} does not answer; it must have ended "
        "without notice. Start it again with `make run`.\n"
    )


def test_an_unknown_stack_is_told_with_where_it_was_looked_for(deployed: Deployed) -> None:
    assert told(name="bookings-typo") == (
        f"There is no stack bookings-typo in {REGION} in this account. Other names: `aws cloudformation "
        "list-stacks`; another region: AWS_REGION; another account: AWS_PROFILE."
    )


def test_a_stack_of_another_template_is_told(deployed: Deployed) -> None:
    boto3.client("cloudformation").create_stack(
        StackName="other",
        TemplateBody='{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}',
    )

    result = bookings("show", "--stack", "other")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: stack other has no output BookingsTableName; is it a stack of this template?\n"
    )


def test_no_credentials_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert told(name=STACK_NAME) == f"Can't look up stack {STACK_NAME}: {NO_CREDENTIALS}"


def test_no_region_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    assert told(name=STACK_NAME) == (
        f"Can't look up stack {STACK_NAME}: no region is chosen. Name one in AWS_REGION."
    )


def test_an_unknown_profile_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")

    assert told(name=STACK_NAME) == (
        f"Can't look up stack {STACK_NAME}: The config profile (no-such-profile) could not be found"
    )


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (NoCredentialsError(), NO_CREDENTIALS),
        (EndpointConnectionError(endpoint_url="https://cloudformation"), UNREACHABLE),
        (ConnectTimeoutError(endpoint_url="https://cloudformation"), UNREACHABLE),
        (ReadTimeoutError(endpoint_url="https://cloudformation"), UNREACHABLE),
        (UnauthorizedSSOTokenError(), str(UnauthorizedSSOTokenError())),
        (
            client_error("DescribeStacks", "AccessDenied"),
            "these AWS credentials may not do that (DescribeStacks).",
        ),
        (
            client_error("DescribeStacks", "ExpiredToken"),
            "AWS does not accept these credentials; have they expired? Try `aws sso login`.",
        ),
        (client_error("DescribeStacks", "Throttling"), "Throttling: It says so."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_aws_answers_becomes_advice(failing: Failing, error: Exception, advice: str) -> None:
    failing("DescribeStacks", error)

    assert told(name=STACK_NAME) == f"Can't look up stack {STACK_NAME}: {advice}"


def test_a_secret_that_may_not_be_read_is_told(deployed: Deployed, failing: Failing) -> None:
    stack = find_stack(local=False, name=STACK_NAME)
    failing("GetSecretValue", client_error("GetSecretValue", "AccessDeniedException"))

    with pytest.raises(CommandError) as caught:
        stack.secret()

    assert str(caught.value) == (
        f"Can't read the Zoom secret token of stack {STACK_NAME}: these AWS credentials may not do that "
        "(GetSecretValue)."
    )


@pytest.mark.parametrize("operation", ["GetItem", "Scan", "Query", "BatchGetItem"])
def test_a_table_that_may_not_be_read_is_told(deployed: Deployed, failing: Failing, operation: str) -> None:
    deployed.put(booked("story/1_created.json"))
    failing(operation, client_error(operation, "AccessDeniedException"))
    arguments = {"GetItem": ["some-id"], "Scan": []}.get(operation, ["--host", "Hq3vT0xVRkOe7nP2sLwA9g"])

    result = bookings("show", *arguments, "--stack", STACK_NAME)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: Can't read the bookings of stack {STACK_NAME}: these AWS credentials may not do that "
        f"({operation}).\n"
    )
