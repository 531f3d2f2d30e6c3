"""Finding the stack of a command, and the messages when it can't be reached."""

import json
from pathlib import Path
from typing import Any

import botocore.exceptions as botocore
import pytest

from cli.output import CommandError
from cli.stack import Stack, find_stack

from .conftest import SECRET, STACK, Deployed, Webhook, aws, bookings

DENIED = "these AWS credentials may not do that"
NOT_OURS = "is it a stack of this template?"


def on_aws() -> Stack:
    return find_stack(local=False, name=STACK)


def error_of(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(CommandError) as caught:
        call(*arguments, **named)
    return str(caught.value)


def write_state(content: bytes | None = None, endpoint_url: str = "http://127.0.0.1:1") -> None:
    state = {"endpoint_url": endpoint_url, "region": "us-east-1", "webhook_url": "http://127.0.0.1:1/zoom"}
    outputs = {"BookingsTableName": "table", "ZoomSecretArn": "arn"}
    Path(".local").mkdir()
    Path(".local/stack.json").write_bytes(content or json.dumps(state | {"outputs": outputs}).encode())


def test_deployed_stack_is_found_by_name(deployed: Deployed) -> None:
    write_state()  # a local stack that runs doesn't matter then
    aws("secretsmanager").put_secret_value(SecretId="zoom", SecretString=f" {SECRET}\n")
    stack = on_aws()
    assert (stack.name, stack.outputs, stack.endpoint_url) == (f"stack {STACK}", deployed.outputs, None)
    assert (stack.webhook_url, stack.secret()) == ("http://127.0.0.1:1/", SECRET)
    assert [word for word in (SECRET, "session") if word in repr(stack)] == []
    deployed.deploy(ShareAccessLinks="true")
    assert stack.parameter("ShareAccessLinks") == "true"
    assert error_of(stack.parameter, "Colour") == f"stack {STACK} has no parameter Colour; {NOT_OURS}"
    aws("secretsmanager").put_secret_value(SecretId="zoom", SecretString="short")
    problem = "the stored secret is shorter than 16 characters"
    assert error_of(stack.secret) == f"Can't sign for stack {STACK}: {problem}."
    deployed.fail("GetSecretValue", "AccessDeniedException")
    problem = f"{DENIED} (GetSecretValue)"
    assert error_of(stack.secret) == f"Can't read the Zoom secret token of stack {STACK}: {problem}."


def test_local_stack_needs_no_aws_setting(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    webhook.body = b'{"SecretString": "from the emulator"}'
    write_state(endpoint_url=webhook.url.removesuffix("/webhooks/zoom"))
    Path("broken").write_text("[not closed")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE"):
        monkeypatch.setenv(name, "broken")
    for name in ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    for local in (True, False):  # a local stack that runs is the default
        stack = find_stack(local=local, name=None)
        assert (stack.name, stack.secret()) == ("the local stack", "from the emulator")
        assert stack.webhook_url == "http://127.0.0.1:1/zoom"
    assert "Credential=test/" in webhook.requests[0].headers["authorization"]


@pytest.mark.parametrize("content", [b"-", b"{", b"[]", b"{}", b'{"endpoint_url": "http://a"}', b"\xff"])
def test_broken_state_file_is_reported(content: bytes) -> None:
    write_state(content)
    message = ".local/stack.json can't be read. Start the local stack again with `make run`."
    assert error_of(find_stack, local=True, name=None) == message


def test_stack_that_is_not_there_is_explained(deployed: Deployed, dead_urls: list[str]) -> None:
    queue = '{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}'
    aws("cloudformation").create_stack(StackName="other", TemplateBody=queue)
    targets = ("", "--local", "--stack typo", "--stack other")
    results = [bookings("show", *target.split()) for target in targets]
    write_state(endpoint_url=dead_urls[0])
    results.append(bookings("show"))
    assert [(exit_code, shown) for exit_code, shown, _ in results] == [(2, ""), *[(1, "")] * 4]
    assert "".join(errors for *_, errors in results) == (
        "Error: Say which stack: --stack NAME for a deployed one, or start the local one with `make run`.\n"
        "Error: No local stack is running here (.local/stack.json is not there). Start one with `make run`, "
        "and call this from the same folder.\n"
        f"Error: There is no stack typo in us-east-1 in this account. Other names: `aws cloudformation "
        "list-stacks`; another region: --region; another account: --profile.\n"
        f"Error: stack other has no output BookingsTableName; {NOT_OURS}\n"
        f"Error: Can't read the bookings of the local stack: {dead_urls[0]} does not answer; it must have "
        "ended without notice. Start it again with `make run`.\n"
    )


def test_missing_setting_of_aws_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert error_of(on_aws) == (
        f"Can't look up stack {STACK}: there are no AWS credentials. Get some with `aws configure` or `aws "
        "sso login`, or name a profile with --profile."
    )
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert error_of(on_aws).endswith(f"stack {STACK}: no region is chosen. Name one with --region.")
    monkeypatch.setenv("AWS_PROFILE", "absent")
    assert error_of(on_aws).endswith(f"stack {STACK}: The config profile (absent) could not be found")


def test_error_of_aws_becomes_advice(deployed: Deployed, subtests: pytest.Subtests) -> None:
    unreachable = "AWS can't be reached. Is there a network?"
    for error, advice in (
        (botocore.EndpointConnectionError(endpoint_url="https://a"), unreachable),
        (botocore.ConnectTimeoutError(endpoint_url="https://a"), unreachable),
        (botocore.ReadTimeoutError(endpoint_url="https://a"), unreachable),
        (botocore.UnauthorizedSSOTokenError(), str(botocore.UnauthorizedSSOTokenError())),
        ("AccessDenied", f"{DENIED} (DescribeStacks)."),
        ("ExpiredToken", "AWS does not accept these credentials; have they expired? Try `aws sso login`."),
        ("Throttling", "Throttling: It says so."),
    ):
        deployed.fail("DescribeStacks", error)
        with subtests.test(str(error)):
            assert error_of(on_aws) == f"Can't look up stack {STACK}: {advice}"
