"""Deliveries written and signed by other implementations are verified by their raw bytes."""

import json
from pathlib import Path

import pytest

from bookings.use_cases.answers import Answer
from bookings.use_cases.receive import Request
from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER
from tests.receiving import ReceiverUnderTest

DATA = Path(__file__).parents[1] / "data"
FOREIGN = json.loads((DATA / "foreign_signatures.json").read_text(encoding="utf-8"))
ZOOMS = {
    vector["name"][:2]: vector
    for vector in json.loads((DATA / "signature_vectors.json").read_text(encoding="utf-8"))["vectors"]
}


def post(secret: str, timestamp: str, signature: str, body: str) -> tuple[Answer, list[bytes]]:
    """Returns the answer at the time of the timestamp, and the published details."""
    under_test = ReceiverUnderTest()
    under_test.clock.advance(int(timestamp) - under_test.clock.now().timestamp())
    under_test.secret.store(secret)
    headers = {SIGNATURE_HEADER: signature, TIMESTAMP_HEADER: timestamp}
    answer = under_test.receiver.receive(Request(headers, body.encode()))
    return answer, [event.detail.encode() for event in under_test.bus.published]


# failure matrix: 35
@pytest.mark.parametrize("vector", FOREIGN["vectors"], ids=lambda vector: vector["serialiser"])
def test_foreign_delivery_is_verified_by_its_raw_bytes(vector: dict[str, str]) -> None:
    request = FOREIGN["secret"], FOREIGN["timestamp"], vector["signature"]
    answer, published = post(*request, vector["body"])
    assert (answer.status, answer.body) == (200, vector["body"])
    assert published == [vector["body"].encode()]
    # Parsed and written again it is another body, even where it says the same.
    again = json.dumps(json.loads(vector["body"]), separators=(",", ":"), ensure_ascii=False)
    if again != vector["body"]:
        answer, published = post(*request, again)
        assert (answer.status, published) == (401, [])


def test_zooms_own_challenge_has_the_answer_that_zoom_expects() -> None:
    vector = ZOOMS["V1"]
    answer, _ = post(vector["secret"], vector["timestamp"], vector["signature"], vector["body"])
    assert answer.status == 200
    assert json.loads(answer.body or "")["encryptedToken"] == vector["encryptedToken"]


def test_zooms_own_event_is_accepted_only_as_it_was_written() -> None:
    vector = ZOOMS["V2"]
    request = vector["secret"], vector["timestamp"], vector["signature"]
    assert post(*request, vector["body"])[0].status == 204
    for in_ascii in (True, False):
        again = json.dumps(json.loads(vector["body"]), separators=(",", ":"), ensure_ascii=in_ascii)
        assert post(*request, again)[0].status == 401
