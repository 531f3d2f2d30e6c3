"""The signature: known answers, its form, and the edges of the window."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bookings.zoom import signature as module
from bookings.zoom.signature import check_form, hash_token, sign, verify

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data/signature_vectors.json").read_text()
)["vectors"]
SECRET = "a-secret-token-of-22-c"
NOW = 1_795_341_600
TIMESTAMP = str(NOW)
BODY = '{"event":"x","text":"Zoë"}'.encode()
SIGNATURE = sign(SECRET, TIMESTAMP, BODY)
MAC = SIGNATURE.removeprefix("v0=")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_mac_of_a_known_vector_is_the_known_one(vector: dict[str, Any]) -> None:
    assert sign(vector["secret"], vector["timestamp"], vector["body"].encode()) == vector["signature"]
    if "encryptedToken" in vector:
        plain_token = json.loads(vector["body"])["payload"]["plainToken"]
        assert hash_token(vector["secret"], plain_token) == vector["encryptedToken"]


OTHER_FORMS = (
    *("v1={}", "V0={}", "{}", "v0={}\n", " v0={}", "v0={} ", "v0={0},v0={0}", "v0={:.63}", "v0={}0"),
    *("v0={:.63}é", "v0={:.63}\u0663", f"v0={MAC.upper()}", "canary"),
)
OTHER_TIMES = (
    *("{}000", "{:.9}", "{}\n", " {}", "+{:.9}", "{}.0", "{0},{0}", "1e9", "17_9534160", "canary"),
    "\u0661" * 10,
)


# failure matrix: 33, 42, 43
@pytest.mark.parametrize(
    ("signature", "timestamp", "skew", "error"),
    [
        *((form.format(MAC), TIMESTAMP, 0, "SignatureMalformed") for form in OTHER_FORMS),
        *((SIGNATURE, form.format(TIMESTAMP), 0, "SignatureMalformed") for form in OTHER_TIMES),
        *((signature, TIMESTAMP, 0, "SignatureMissing") for signature in (None, "")),
        *((SIGNATURE, timestamp, 0, "SignatureMissing") for timestamp in (None, "")),
        *((SIGNATURE, TIMESTAMP, skew, "TimestampOutsideWindow") for skew in (-301, -300.001, 300.001, 301)),
        *((SIGNATURE, TIMESTAMP, skew, None) for skew in (-300, -299.5, 0, 299.5, 300)),
    ],
)
def test_form_and_time_are_checked(signature: Any, timestamp: Any, skew: float, error: str | None) -> None:
    now = datetime.fromtimestamp(NOW + skew, UTC)
    if error is None:
        assert check_form(signature, timestamp, now, 300) == (signature, timestamp)
        return
    with pytest.raises(getattr(module, error), match=r"^(?!.*(canary|1795341600))"):
        check_form(signature, timestamp, now, 300)


@pytest.mark.parametrize("secrets", [[], ["another-secret-of-22-c"], [SECRET + "x", SECRET[:-1]]])
def test_only_a_secret_that_signed_is_returned(secrets: list[str]) -> None:
    with pytest.raises(module.SignatureMismatch):
        verify(secrets, SIGNATURE, TIMESTAMP, BODY)
    assert verify([*secrets, SECRET], SIGNATURE, TIMESTAMP, BODY) == SECRET
