"""The challenge: answered for a token of the right form. Nothing else is signed."""

import json
from pathlib import Path
from typing import Any

import pytest

from bookings.zoom.challenge import ChallengeRefused, answer_challenge

VECTOR = json.loads((Path(__file__).parents[2] / "data/signature_vectors.json").read_text())["vectors"][0]
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~+/=-"


def answered(payload: object) -> Any:
    """Returns the token of the answer. None if nothing was signed."""
    try:
        return answer_challenge({"payload": payload}, "a-secret-token-of-22-c")["plainToken"]
    except ChallengeRefused:
        return None


def test_real_challenge_has_its_real_answer() -> None:
    answer = {"plainToken": "xys8n8PGS7mAU0m5-YJjRA", "encryptedToken": VECTOR["encryptedToken"]}
    assert answer_challenge(json.loads(VECTOR["body"]), VECTOR["secret"]) == answer


# failure matrix: 40
@pytest.mark.parametrize("place", ["{}", "{}good", "go{}od", "good{}"])
def test_token_is_answered_if_all_its_characters_are_allowed(place: str) -> None:
    allowed = [chr(code) for code in range(0x1100) if answered({"plainToken": place.format(chr(code))})]
    assert allowed == sorted(CHARACTERS)


# failure matrix: 40
def test_only_a_token_of_the_right_form_is_answered() -> None:
    right, wrong = ("a", "a" * 256, CHARACTERS), ("", "a" * 257, "v0:1795341600:{}", None, 7, ["a"])
    assert [answered({"plainToken": token}) for token in right] == [*right]
    assert {answered({"plainToken": token}) for token in wrong} == {None}
    assert {answered(None), answered("abc"), answered([]), answered({})} == {None}
