"""The signature: known answers, every way in which it can be wrong, the window's edges."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bookings.zoom.signature import (
    SignatureError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    TimestampOutsideWindow,
    check_form,
    hash_token,
    sign,
    verify,
)

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data/signature_vectors.json").read_text()
)["vectors"]
SECRET = "a-secret-token-of-22-c"
TIMESTAMP = "1795341600"
BODY = '{"event":"x","text":"Zoë"}'.encode()


def check(signature: str | None, timestamp: str | None, now: float = int(TIMESTAMP)) -> tuple[str, str]:
    return check_form(signature, timestamp, datetime.fromtimestamp(now, UTC), 300)


def accepted(signature: str, timestamp: str, body: bytes) -> bool:
    """Says whether a request passes the form and the MAC."""
    try:
        check(signature, timestamp)
        verify([SECRET], signature, timestamp, body)
    except SignatureError:
        return False
    return True


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_mac_of_a_known_vector_is_the_known_one(vector: dict[str, Any]) -> None:
    assert sign(vector["secret"], vector["timestamp"], vector["body"].encode()) == vector["signature"]


def test_the_challenge_of_a_known_vector_has_the_known_answer() -> None:
    vector = VECTORS[0]
    plain_token = json.loads(vector["body"])["payload"]["plainToken"]
    assert hash_token(vector["secret"], plain_token) == vector["encryptedToken"]


def test_a_body_that_was_parsed_and_written_again_does_not_verify() -> None:
    vector = VECTORS[1]
    body = vector["body"].encode()
    assert verify([vector["secret"]], vector["signature"], vector["timestamp"], body) == vector["secret"]
    again = json.dumps(json.loads(body), separators=(",", ":")).encode()
    with pytest.raises(SignatureMismatch):
        verify([vector["secret"]], vector["signature"], vector["timestamp"], again)


# failure matrix: 42
def test_any_flipped_bit_of_the_body_is_refused() -> None:
    signature = sign(SECRET, TIMESTAMP, BODY)
    assert accepted(signature, TIMESTAMP, BODY)
    for bit in range(len(BODY) * 8):
        flipped = bytearray(BODY)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not accepted(signature, TIMESTAMP, bytes(flipped)), bit


# failure matrix: 42
@pytest.mark.parametrize("part", ["signature", "timestamp"])
def test_any_flipped_bit_of_the_signature_or_the_timestamp_is_refused(part: str) -> None:
    values = {"signature": sign(SECRET, TIMESTAMP, BODY), "timestamp": TIMESTAMP}
    for bit in range(len(values[part]) * 8):
        flipped = bytearray(values[part].encode())
        flipped[bit // 8] ^= 1 << bit % 8
        changed = values | {part: flipped.decode("latin-1")}
        assert not accepted(changed["signature"], changed["timestamp"], BODY), bit


MAC = sign(SECRET, TIMESTAMP, BODY).removeprefix("v0=")


# failure matrix: 42
@pytest.mark.parametrize(
    "signature",
    [
        f"v1={MAC}",
        f"V0={MAC}",
        MAC,
        f"v0={MAC.upper()}",
        f"v0={MAC}\n",
        f" v0={MAC}",
        f"v0={MAC} ",
        f"v0={MAC},v0={MAC}",
        f"v0={MAC[:-1]}",
        f"v0={MAC}0",
        f"v0={MAC[:-1]}é",
        f"v0={MAC[:-1]}\u0663",
    ],
)
def test_a_signature_of_another_form_is_malformed(signature: str) -> None:
    with pytest.raises(SignatureMalformed):
        check(signature, TIMESTAMP)


@pytest.mark.parametrize(
    "timestamp",
    [
        f"{TIMESTAMP}000",
        TIMESTAMP[:-1],
        f"{TIMESTAMP}\n",
        f" {TIMESTAMP}",
        f"+{TIMESTAMP[1:]}",
        f"{TIMESTAMP}.0",
        f"{TIMESTAMP},{TIMESTAMP}",
        "1e9",
        "\u0661" * 10,
        "17_9534160",
    ],
)
def test_a_timestamp_that_is_not_ten_digits_is_malformed(timestamp: str) -> None:
    with pytest.raises(SignatureMalformed):
        check(f"v0={MAC}", timestamp)


@pytest.mark.parametrize(
    ("signature", "timestamp"),
    [(None, TIMESTAMP), ("", TIMESTAMP), (f"v0={MAC}", None), (f"v0={MAC}", ""), (None, None)],
)
def test_a_request_without_signature_or_timestamp_misses_it(
    signature: str | None, timestamp: str | None
) -> None:
    with pytest.raises(SignatureMissing):
        check(signature, timestamp)


# failure matrix: 33
@pytest.mark.parametrize("skew", [-300, -299.5, 0, 299.5, 300])
def test_a_clock_that_differs_by_up_to_the_window_is_accepted(skew: float) -> None:
    assert check(f"v0={MAC}", TIMESTAMP, int(TIMESTAMP) + skew) == (f"v0={MAC}", TIMESTAMP)


# failure matrix: 33
@pytest.mark.parametrize("skew", [-301, -300.001, 300.001, 301, 86_400])
def test_a_clock_that_differs_by_more_than_the_window_is_refused(skew: float) -> None:
    with pytest.raises(TimestampOutsideWindow):
        check(f"v0={MAC}", TIMESTAMP, int(TIMESTAMP) + skew)


def test_the_secret_that_signed_is_told_from_the_others() -> None:
    signature = sign("the-previous-one-of-22", TIMESTAMP, BODY)
    secrets = [SECRET, "the-previous-one-of-22"]
    assert verify(secrets, signature, TIMESTAMP, BODY) == "the-previous-one-of-22"


@pytest.mark.parametrize("secrets", [[], ["another-secret-of-22-c"], [SECRET + "x", SECRET[:-1]]])
def test_a_signature_by_none_of_the_secrets_is_a_mismatch(secrets: list[str]) -> None:
    with pytest.raises(SignatureMismatch):
        verify(secrets, sign(SECRET, TIMESTAMP, BODY), TIMESTAMP, BODY)


def test_no_error_repeats_what_was_sent() -> None:
    for signature, timestamp in (("canary", TIMESTAMP), (f"v0={MAC}", "canary"), (f"v0={MAC}", "1000000000")):
        with pytest.raises(SignatureError) as refused:
            check(signature, timestamp)
        assert "canary" not in str(refused.value)
        assert "1000000000" not in str(refused.value)
