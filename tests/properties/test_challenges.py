"""A challenge never signs anything that could be a delivery's signature.

The answer is HMAC(secret, token), and Zoom signs a delivery with HMAC(secret, "v0:{timestamp}:{body}"). These
challenges are signed: somebody captured one, or got Zoom to send one.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from bookings.use_cases.receive import Request
from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER
from tests.fakes import NOW
from tests.receiving import CHALLENGE, ReceiverUnderTest
from tests.samples import SECRET, raw, signed

TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{1,256}")
TIMESTAMP = str(int(NOW.timestamp()))
# The shortest booking. With "v0:{timestamp}:" before it, it is no longer than a token may be.
BOOKING = (
    '{"event":"scheduler.scheduled_event_created","event_ts":1795341600000,'
    '"payload":{"object":{"scheduled_event":{"event_id":"evt-forged"}}}}'
)
FORGED = f"v0:{TIMESTAMP}:{BOOKING}"
COLONS = (
    *("\uff1a", "\ufe55", "\u2236", "\ua789", "%3a", "&#58;", "=3A", "+ADo-", ":\u0301", "\u200b:"),
    *("\x00:", "\r\n:", "\u2028:", ";", ".", "="),
)
ODD = ("\x00", "\n", " ", "\ufeff", "\ud800", "a" * 300, "v0")
TOKENS = (
    st.sampled_from([FORGED, f"v0:{TIMESTAMP}:", f"v0:{TIMESTAMP}:{{}}", f"v0:{TIMESTAMP}:" + "A" * 242])
    | st.sampled_from([FORGED.replace(":", colon, times) for colon in COLONS for times in (1, -1)])
    | st.sampled_from([FORGED + odd for odd in ODD] + [odd + FORGED for odd in ODD])
    | st.text("v0:A=é\x7f", max_size=257)
    | st.from_regex(TOKEN, fullmatch=True)
)

NAMES = (
    *['"endpoint.url_validation"'] * 6,
    *('"endpoint.url_validation "', '"ENDPOINT.URL_VALIDATION"', '["endpoint.url_validation"]'),
    *(r'"endpoint\u002eurl_validation"', '"scheduler.endpoint.url_validation"', "null"),
)
PAYLOADS = (
    *['{"plainToken":TOKEN}'] * 6,
    *('{"plainToken":"good","plainToken":TOKEN}', r'{"plainToken":TOKEN,"plain\u0054oken":"good"}'),
    *('{"plainToken":"good","plaintoken":TOKEN}', '{"plainToken":"good"},"payload":{"plainToken":TOKEN}'),
    *('{"plainToken":"good","encryptedToken":TOKEN}', '{"plainToken":"good"},"plainToken":TOKEN', "TOKEN"),
    *('{"plainToken":[TOKEN]}', '{"plainToken":{"plainToken":TOKEN}}', '[{"plainToken":TOKEN}]'),
)
SPELLINGS: tuple[Callable[[str], str], ...] = (
    json.dumps,
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: json.dumps(text).replace(":", r"\u003a"),
    lambda text: json.dumps(text).replace("v", r"\u0076", 1),
    lambda text: '"' + re.sub("(....)", r"\\u\1", text.encode("utf-16-be", "surrogatepass").hex()) + '"',
)
ENCODINGS: tuple[Callable[[bytes], bytes], ...] = (
    *[bytes] * 6,
    lambda body: b"\xef\xbb\xbf" + body,
    lambda body: body.decode(errors="replace").encode("utf-16"),
    lambda body: body.replace(b"v0:", b"v0\xc0\xba"),  # an overlong colon
    lambda body: body.replace(b"v0:", b"v0\xed\xa0\x80:"),  # a surrogate
    lambda body: body + b"\x00",
    lambda body: body + body,
    lambda body: b"[" + body + b"]",
)


@st.composite
def challenges(draw: st.DrawFn, token: str) -> bytes:
    """Draws a body that wants a token signed, in one of many disguises."""
    payload = draw(st.sampled_from(PAYLOADS)).replace("TOKEN", draw(st.sampled_from(SPELLINGS))(token))
    text = f'{{"event":{draw(st.sampled_from(NAMES))},"payload":{payload}}}'
    return draw(st.sampled_from(ENCODINGS))(text.encode(errors="surrogatepass"))


def mac(content: str) -> str:
    return hmac.new(SECRET.encode(), content.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()


# failure matrix: 40
@given(TOKENS, st.data())
@settings(max_examples=400)
def test_no_disguised_challenge_signs_a_delivery(token: str, data: st.DataObject) -> None:
    under_test = ReceiverUnderTest()
    answer = under_test.post(data.draw(challenges(token)))
    text = answer.body or ""
    if answer.log["outcome"] != "challenge_answered":
        assert answer.status in (200, 204, 400)
        assert mac(token) not in text
        return
    content = json.loads(text)
    answered = content["plainToken"]
    assert content == {"plainToken": answered, "encryptedToken": mac(answered)}
    assert TOKEN.fullmatch(answered)  # signed content has a colon
    headers = {SIGNATURE_HEADER: f"v0={content['encryptedToken']}", TIMESTAMP_HEADER: TIMESTAMP}
    assert under_test.receiver.receive(Request(headers, BOOKING.encode())).status == 401


# failure matrix: 40
@given(TOKENS)
def test_no_challenge_is_answered_unless_it_was_signed(token: str) -> None:
    body = json.dumps(CHALLENGE | {"payload": {"plainToken": token}}).encode()
    captured = signed(raw(CHALLENGE), NOW).headers
    for headers in ({}, captured, {**captured, SIGNATURE_HEADER: f"v0={mac('')}"}):
        answer = ReceiverUnderTest().receiver.receive(Request(headers, body))
        assert answer.status == 401
        assert mac(token) not in (answer.body or "")


def test_shortest_forged_booking_is_not_too_long_for_a_token() -> None:
    # Otherwise the length alone refuses it, and the tests above show nothing.
    assert len(FORGED) <= 256
