"""The secret token: rotated, unreadable, unusable. Nothing that another one signed is ever taken."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

import pytest

from tests.stack.deliveries import created
from tests.stack.running import StackUnderTest

pytestmark = pytest.mark.xdist_group("stack")

# A process reads the secrets again at most once a minute, and a forgery of another test may have used that
# up; so each test here begins with a process that has read nothing.


@contextlib.contextmanager
def stored(stack: StackUnderTest, token: str) -> Iterator[None]:
    """Stores a new token, and the old one again afterwards."""
    manager = stack.running.client("secretsmanager")
    arn = stack.running.outputs["ZoomSecretArn"]
    manager.put_secret_value(SecretId=arn, SecretString=token)
    try:
        yield
    finally:
        # Twice, so that AWSPREVIOUS is no longer the test's.
        for _ in range(2):
            manager.put_secret_value(SecretId=arn, SecretString=stack.secret)


# failure matrix: 28
def test_a_token_stored_here_first_is_accepted_beside_the_old_one(
    stack: StackUnderTest, event_id: str
) -> None:
    new = secrets.token_urlsafe(16)
    with stack.new_process("WebhookFunction"):
        assert stack.post(created(event_id)).status == 200
        assert stack.post(created(event_id), secret=new).status == 401

    with stack.new_process("WebhookFunction"):
        assert stack.post(created(event_id)).status == 200
        with stored(stack, new):
            assert stack.post(created(event_id), secret=new).status == 200
            assert stack.post(created(event_id)).status == 200
            assert stack.post(created(event_id), secret="neither of the two").status == 401


# failure matrix: 28
def test_the_challenge_is_answered_with_the_token_that_signed_it(stack: StackUnderTest) -> None:
    new = secrets.token_urlsafe(16)
    challenge = {"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "abc"}}
    with stored(stack, new), stack.new_process("WebhookFunction"):
        by_new, by_old = stack.post(challenge, secret=new), stack.post(challenge)

    assert (by_new.status, by_old.status) == (200, 200)
    assert by_new.json["encryptedToken"] != by_old.json["encryptedToken"]
    assert by_old.json == stack.post(challenge).json


# failure matrix: 32
def test_a_flood_of_forgeries_reads_the_secret_once_more_and_nothing_else(
    stack: StackUnderTest, event_id: str
) -> None:
    with stack.new_process("WebhookFunction"):
        assert stack.post(created(event_id)).status == 200
        assert stack.post(created(event_id), secret="a forger's token").status == 401
        # The one refresh is used up: what is stored within the minute can't be known yet.
        with stored(stack, secrets.token_urlsafe(16)):
            answers = [stack.post(created(event_id), secret="a forger's token") for _ in range(20)]
            assert {answer.status for answer in answers} == {401}
        assert stack.counted("webhook", "SecretRefreshFailed") == 0


# failure matrix: 30
def test_without_secrets_manager_a_warm_process_goes_on_and_a_cold_one_takes_nothing(
    stack: StackUnderTest, event_id: str
) -> None:
    with stack.new_process("WebhookFunction"):
        assert stack.post(created(event_id)).status == 200
        with stack.denied("WebhookRole", "secretsmanager:GetSecretValue"):
            forged = stack.post(created(event_id), secret="a forger's token")
            warm = stack.post(created(event_id))
            with stack.new_process("WebhookFunction"):
                cold = stack.post(created(f"{event_id}-cold"))
                cold_forged = stack.post(created(f"{event_id}-cold"), secret="a forger's token")

    # Who signed it can't be known: a new token may be stored.
    assert (forged.status, warm.status) == (503, 200)
    assert (cold.status, cold_forged.status) == (503, 503)
    assert stack.item(f"{event_id}-cold") is None


# failure matrix: 28, 30
def test_without_secrets_manager_what_a_new_token_signed_is_taken_at_zooms_retry(
    stack: StackUnderTest, event_id: str
) -> None:
    new = secrets.token_urlsafe(16)
    with stack.new_process("WebhookFunction"):
        assert stack.post(created(event_id)).status == 200
        with stored(stack, new):
            with stack.denied("WebhookRole", "secretsmanager:GetSecretValue"):
                body = created(f"{event_id}-new")
                assert [stack.post(body, secret=new).status for _ in range(2)] == [503, 503]
            with stack.new_process("WebhookFunction"):
                assert stack.post(body, secret=new).status == 200

    assert stack.booking(f"{event_id}-new")["status"] == "confirmed"


# failure matrix: 31
@pytest.mark.parametrize("token", ["   ", "fifteen letters"])
def test_a_blank_or_short_token_fails_closed(stack: StackUnderTest, event_id: str, token: str) -> None:
    with stored(stack, token), stack.new_process("WebhookFunction"):
        before = stack.counted("webhook", "SecretUnavailable")
        answers = [stack.post(created(event_id), secret=secret) for secret in (token, stack.secret)]
        assert [answer.status for answer in answers] == [503, 503]
        assert stack.counted("webhook", "SecretUnavailable") == before + 2

    assert stack.item(event_id) is None


def test_a_new_token_as_the_templates_parameter_is_the_new_secret(
    stack: StackUnderTest, event_id: str
) -> None:
    new = secrets.token_urlsafe(16)
    with stack.parameters(ZoomSecretToken=new), stack.new_process("WebhookFunction"):
        assert stack.post(created(event_id), secret=new).status == 200
        assert stack.post(created(event_id)).status == 200
