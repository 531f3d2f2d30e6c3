"""`bookings rotate-secret`: the stored versions, and tokens that are refused."""

import json
from datetime import datetime, timedelta

import boto3
import pytest
import typer

from .conftest import SECRET, Deployed, on_stack

NEW = "the-next-token-of-these"
CALL = "rotate-secret"
DAY, QUARTER = timedelta(hours=24), timedelta(minutes=15)
SHORT = "the stored secret is shorter than 16 characters"
JSON = "the stored secret is a JSON object; store the token alone, as plain text"


def versions(deployed: Deployed) -> list[str]:
    """The values of AWSCURRENT and, if there is one, AWSPREVIOUS."""
    manager, arn = boto3.client("secretsmanager"), deployed.outputs["ZoomSecretArn"]
    listed = manager.list_secret_version_ids(SecretId=arn)["Versions"]
    stages = sorted(stage for version in listed for stage in version.get("VersionStages", []))
    return [manager.get_secret_value(SecretId=arn, VersionStage=each)["SecretString"] for each in stages]


@pytest.mark.parametrize(
    ("options", "stored", "expected", "grace"),
    [
        (("-",), SECRET, [NEW, SECRET], DAY),
        (("--leaked",), SECRET, [NEW, NEW], QUARTER),
        ((), NEW, [NEW, SECRET], DAY),
        (("--leaked",), NEW, [NEW, NEW], QUARTER),
    ],
    ids=["piped", "leaked", "stored already", "stored already, leaked"],
)
def test_the_old_token_ends_later(
    deployed: Deployed, options: tuple[str, ...], stored: str, expected: list[str], grace: timedelta
) -> None:
    if stored != SECRET:
        arn = deployed.outputs["ZoomSecretArn"]
        boto3.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=stored)
    result = on_stack(CALL, *options, "--yes", "--json", stdin=f" {NEW}\n".encode())
    assert result.exit_code == 0, result.stderr
    assert versions(deployed) == expected
    stored_at, ends_at = (datetime.fromisoformat(text) for text in json.loads(result.stdout).values())
    assert ends_at - stored_at == grace


def test_it_is_asked_for_and_not_shown(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.rotate_secret.at_terminal", lambda: True)
    monkeypatch.setattr(typer, "prompt", lambda _, *, hide_input, err: NEW if hide_input and err else "")
    result = on_stack(CALL, "--yes")
    assert (result.exit_code, versions(deployed)) == (0, [NEW, SECRET])
    assert "Wait a minute, then press Regenerate in Zoom." in result.stdout
    assert NEW not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("fifteen-letters", SHORT),
        ("two words of a token", "it has white space in it"),
        (f'{{"a":"{NEW}"}}', JSON),
    ],
)
def test_an_unusable_token_is_refused(deployed: Deployed, token: str, problem: str) -> None:
    result = on_stack(CALL, "--yes", stdin=token.encode())
    assert result.exit_code == 1
    assert result.stderr == f"Error: Nothing was stored. The webhook would refuse this token: {problem}.\n"
    assert versions(deployed) == [SECRET]


@pytest.mark.parametrize("options", [(NEW, "--yes"), ("-",)])
def test_a_wrong_call_stores_and_repeats_nothing(deployed: Deployed, options: tuple[str, ...]) -> None:
    result = on_stack(CALL, *options, stdin=NEW.encode())
    assert (result.exit_code, NEW in result.stdout + result.stderr) == (2, False)
    assert versions(deployed) == [SECRET]
