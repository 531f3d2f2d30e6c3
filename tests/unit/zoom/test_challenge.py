"""The challenge: answered for a token of a token's form, and never a way to have something else signed."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.zoom.challenge import ChallengeRefused, answer_challenge

VECTOR = json.loads((Path(__file__).parents[2] / "data/signature_vectors.json").read_text())["vectors"][0]
SECRET = "a-secret-token-of-22-c"


def challenge(token: object) -> dict[str, Any]:
    return {"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": token}}


def test_a_real_challenge_has_its_real_answer() -> None:
    assert answer_challenge(json.loads(VECTOR["body"]), VECTOR["secret"]) == {
        "plainToken": "xys8n8PGS7mAU0m5-YJjRA",
        "encryptedToken": VECTOR["encryptedToken"],
    }


@pytest.mark.parametrize("token", ["a", "a" * 256, "azAZ09_.~+/=-"])
def test_a_token_of_a_tokens_form_is_answered(token: str) -> None:
    assert answer_challenge(challenge(token), SECRET)["plainToken"] == token


# failure matrix: 40
@pytest.mark.parametrize(
    "token",
    [
        'v0:1795341600:{"event":"scheduler.scheduled_event_created"}',
        "a:b",
        "",
        "a" * 257,
        "abc\n",
        "abc def",
        '{"a"}',
        "abcé",
        "\u0430bc",
        "abc\x00",
        None,
        7,
        ["abc"],
        {"plainToken": "abc"},
    ],
)
def test_a_token_of_another_form_is_refused(token: object) -> None:
    with pytest.raises(ChallengeRefused):
        answer_challenge(challenge(token), SECRET)


# failure matrix: 40
def test_a_colon_behind_an_escape_is_refused() -> None:
    body = json.loads(r'{"payload": {"plainToken": "v0\u003a1795341600\u003aforged"}}')
    with pytest.raises(ChallengeRefused):
        answer_challenge(body, SECRET)


@pytest.mark.parametrize(
    "body", [{}, {"payload": None}, {"payload": "abc"}, {"payload": []}, {"payload": {}}]
)
def test_a_challenge_without_a_token_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ChallengeRefused):
        answer_challenge(body, SECRET)


# failure matrix: 40
@given(st.text(max_size=300) | st.from_regex(r"v0:[0-9]{10}:\{.{0,9}\}", fullmatch=True))
def test_whatever_is_answered_could_never_be_signed_content(token: str) -> None:
    with suppress(ChallengeRefused):
        assert ":" not in answer_challenge(challenge(token), SECRET)["plainToken"]
