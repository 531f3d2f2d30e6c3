"""Bodies of each kind that the webhook acts on, and edits of their bytes."""

from hypothesis import strategies as st

from bookings.zoom.events import CANCELED, CREATED
from tests.receiving import CHALLENGE, OTHER_PRODUCT, UNKNOWN
from tests.samples import canceled, created, raw, sample

BODIES: dict[str, bytes] = {
    "created": raw(created()),
    "canceled": raw(canceled(summary="Zoë 🚗", rescheduled=True)),
    "challenge": raw(CHALLENGE),
    "no model": raw(UNKNOWN),
    "other product": raw(OTHER_PRODUCT),
    "unusable": b'{"event": "scheduler.x", "a": NaN}',
}
SAMPLES = (raw(sample(CREATED)), raw(sample(CANCELED)))

_PIECES = (
    *(b"", b"\x00", b'"', b"{}", b"[", b"}", b":", b",", b"\\", b" ", b"\r\n", b"v0:", rb"\u0000", b"\xff"),
    *(b"\xef\xbb\xbf", b"\xed\xa0\x80", b"null", b"1.0", b"//", b"\xc2\xa0"),
)


@st.composite
def edited(draw: st.DrawFn, value: bytes) -> bytes:
    """Draws bytes with one part of them replaced, left out, doubled or cut off."""
    start = draw(st.integers(0, len(value)))
    end = min(len(value), start + draw(st.sampled_from((0, 0, 1, 2, 10, 100, len(value)))))
    piece = draw(st.sampled_from(_PIECES) | st.binary(max_size=8) | st.just(value[start:end] * 2))
    return value[:start] + piece + value[end:]
