"""A request that Zoom did not sign is answered 401, and costs no call but the refresh of the secret."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookings.counts import Count
from bookings.use_cases.answers import Answer
from bookings.use_cases.receive import Request
from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, hash_token
from tests.fakes import NOW
from tests.properties.drawn import BODIES, edited
from tests.receiving import WRONG_SECRET, ReceiverUnderTest, problem_of
from tests.samples import SECRET, signed

REFUSALS = {
    "x-zm-signature and x-zm-request-timestamp are both needed.",
    "x-zm-request-timestamp must be epoch seconds, ten digits.",
    "x-zm-signature must be v0= and 64 lower-case hex digits.",
    "x-zm-request-timestamp must be within 300 s of now.",
    "the body is not valid base64.",
    "the signature does not match the body and the timestamp.",
}
"""The only details that somebody without the secret reads. They hold nothing of the request."""

Signed = tuple[str, str, bytes]


def captured(age: timedelta = timedelta(0)) -> list[Signed]:
    """Returns signature, timestamp and body of authentic requests, as somebody may have seen them."""
    requests = [signed(body, NOW - age) for body in BODIES.values()]
    return [
        (request.headers[SIGNATURE_HEADER], request.headers[TIMESTAMP_HEADER], request.body or b"")
        for request in requests
    ]


FRESH = captured()
STALE = captured(timedelta(seconds=301)) + captured(timedelta(days=1))
FULL_WIDTH = {48 + digit: 0xFF10 + digit for digit in range(10)}
SIGNATURES = (
    *("{digits}", "v1={digits}", "V0={digits}", "sha256={digits}", "{text},{text}", "{text}, v0=" + "0" * 64),
    *("v0=" + "0" * 64 + ", {text}", " {text}", "{text}\n", '"{text}"', "{text}" + "0" * 8000, ""),
    *("v0=" + hash_token(SECRET, "xys8n8PGS7mAU0m5-YJjRA"), FRESH[0][0]),  # the answer to the challenge
)
CHANGES = ("body", "body", "other body", "signature", "timestamp", "digits", "bytes", "cut")
TIMESTAMPS = ("{text}000", "{text}.0", "+{digits}", "{text}\n", "{text},{text}", "1" * 4000, "inf", "")


@st.composite
def changed_requests(draw: st.DrawFn) -> Signed:
    """Draws a captured request after one to three changes. Some changes undo each other."""
    signature, timestamp, body = draw(st.sampled_from(FRESH + STALE))
    for _ in range(draw(st.integers(1, 3))):
        match draw(st.sampled_from(CHANGES)):
            case "body":
                body = draw(edited(body))
            case "other body":
                body = draw(st.sampled_from(list(BODIES.values())))
            case "signature":
                signature = draw(st.sampled_from(SIGNATURES)).format(text=signature, digits=signature[3:])
            case "timestamp":
                timestamp = draw(st.sampled_from(TIMESTAMPS)).format(text=timestamp, digits=timestamp[1:])
            case "digits":
                signature, timestamp = signature.translate(FULL_WIDTH), timestamp.translate(FULL_WIDTH)
            case "bytes":
                signature = draw(edited(signature.encode())).decode("latin-1")
            case "cut":  # the signed bytes stay the same, cut at another place
                size = draw(st.integers(1, 10))
                timestamp, body = timestamp[:-size], f"{timestamp[-size:]}:".encode() + body
    return signature, timestamp, body


def receive(under_test: ReceiverUnderTest, signature: str, timestamp: str, body: bytes) -> Answer:
    return under_test.receiver.receive(
        Request({SIGNATURE_HEADER: signature, TIMESTAMP_HEADER: timestamp}, body)
    )


def assert_refused(under_test: ReceiverUnderTest, answer: Answer) -> None:
    details = problem_of(answer, 401)
    assert details.pop("detail") in REFUSALS
    assert details == {"type": "about:blank", "title": "Unauthorized", "status": 401}
    assert under_test.service_calls == 0
    assert sum(under_test.counts.all.values()) == 1
    assert under_test.counts.all.keys() <= {Count.SIGNATURE_MALFORMED, Count.SIGNATURE_MISMATCH}
    under_test.counts.all.clear()


def flips(value: bytes) -> Iterator[bytes]:
    for bit in range(len(value) * 8):
        flipped = bytearray(value)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


# failure matrix: 42
@pytest.mark.parametrize("request_", FRESH, ids=BODIES)
def test_no_single_flipped_bit_is_accepted(request_: Signed) -> None:
    under_test = ReceiverUnderTest().warm()
    signature, timestamp, body = request_
    for bad in flips(body):
        assert_refused(under_test, receive(under_test, signature, timestamp, bad))
    for bad in flips(signature.encode()):
        assert_refused(under_test, receive(under_test, bad.decode("latin-1"), timestamp, body))
    for bad in flips(timestamp.encode()):
        assert_refused(under_test, receive(under_test, signature, bad.decode("latin-1"), body))
    assert under_test.secret.calls == 1
    assert receive(under_test, *request_).status in (200, 204, 400)


# failure matrix: 35, 42
@given(changed_requests())
@settings(max_examples=400)
def test_no_changed_request_is_accepted(request_: Signed) -> None:
    under_test = ReceiverUnderTest().warm()
    answer = receive(under_test, *request_)
    if request_ in FRESH:
        assert answer.status in (200, 204, 400)
    else:
        assert_refused(under_test, answer)


# failure matrix: 32
@given(st.lists(st.floats(0, 50), min_size=10, max_size=60))
def test_forgeries_read_the_secret_at_most_once_a_minute(pauses: list[float]) -> None:
    under_test = ReceiverUnderTest().warm()
    start = under_test.clock.monotonic()
    for pause in pauses:
        assert_refused(under_test, under_test.post({"event": "x"}, secret=WRONG_SECRET))
        minutes = (under_test.clock.monotonic() - start) // 60
        assert 1 <= under_test.secret.calls <= minutes + 1
        under_test.clock.advance(pause)
