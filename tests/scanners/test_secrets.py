"""The secret scanner finds what would leak here, and lets pass what it says it lets pass."""

import subprocess
from pathlib import Path

import pytest

from tests.scanners.secrets import Finding, may_stand, secrets_in, tracked

# Made up, and put together here, so that the scanner doesn't find them in this file.
AWS_KEY = "AKIA" + "Q4LZ7XN2PT5VKWJD"
GITHUB_TOKEN = "ghp_" + "R7tW4yZ1bN6m" + "J3hG8fD5sA0c" + "LkP9xQ2vR7tW"
SLACK_TOKEN = "xoxb-" + "2847561029384-2847561029385-" + "hJ7kLmN2pQrS" + "4tUvWxYz6aBc"
ZOOM_TOKEN = "aB3-_dE9fG2h" + "J4kL6mN8pQ"  # as long and of the characters that Zoom's secret tokens have
PRIVATE_KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"

LEAKS = {
    "samconfig.toml": f'parameter_overrides = ["ZoomSecretToken={ZOOM_TOKEN}", "FanOut=SQS"]\n',
    "README.md": f"export ZOOM_WEBHOOK_SECRET={ZOOM_TOKEN}\n",
    "cli/send.py": f'ZOOM_CLIENT_SECRET = "{ZOOM_TOKEN}"\n',
    "cli/zoom_log.py": f'signed_with = "{ZOOM_TOKEN}"\n',
    "template.yaml": f"      SecretString: {ZOOM_TOKEN}\n",
    "cli/aws.py": f'key = "{AWS_KEY}"\n',
    ".github/workflows/ci.yml": f"        run: curl -H 'Authorization: Bearer {GITHUB_TOKEN}'\n",
    "cli/chat.py": f'chat = "{SLACK_TOKEN}"\n',
    "deploy.pem": f"{PRIVATE_KEY}\n",
    "tests/test_a.py": f'key = "{AWS_KEY}"\n',
    "events/a.json": f'  "key": "{AWS_KEY}"\n',
}


@pytest.mark.parametrize("path", LEAKS)
def test_a_secret_is_found_where_it_would_leak(path: str, tmp_path: Path) -> None:
    leaking = tmp_path / path
    leaking.parent.mkdir(parents=True, exist_ok=True)
    leaking.write_text(f"# the first line\n{LEAKS[path]}")

    found = list(secrets_in(tmp_path, [path]))

    assert {(finding.path, finding.line) for finding in found} == {(path, 2)}


def test_a_finding_never_shows_the_secret(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(f'token = "{ZOOM_TOKEN}"\n')

    assert {str(finding) for finding in secrets_in(tmp_path, ["a.py"])} >= {
        "a.py:1: Base64 High Entropy String"
    }
    assert ZOOM_TOKEN not in str(list(secrets_in(tmp_path, ["a.py"])))


@pytest.mark.parametrize("value", [AWS_KEY, GITHUB_TOKEN, SLACK_TOKEN, ZOOM_TOKEN, ZOOM_TOKEN.lower()])
def test_no_form_that_is_let_pass_is_that_of_a_key(value: str) -> None:
    assert not may_stand(value)


@pytest.mark.parametrize(
    "value", ["a-secret-token-of-22-c", "GetSecretValue", "k3v9q2m7x1d8fz6hw4tn0rbc5y-0bc914a87713f49e"]
)
def test_words_and_ids_are_let_pass(value: str) -> None:
    assert may_stand(value)


def test_a_file_that_git_does_not_have_yet_is_scanned_and_an_ignored_one_is_not(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("ignored\n")
    (tmp_path / "ignored").write_text("x")
    (tmp_path / "new.py").write_text("x")

    assert tracked(tmp_path) == [".gitignore", "new.py"]


def test_a_finding_names_its_place() -> None:
    assert str(Finding("a.py", 3, "AWS Access Key")) == "a.py:3: AWS Access Key"
