"""A signed body that can't be used is in quarantine byte for byte, before the answer 400."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.drawn import BODIES, SAMPLES, edited
from tests.properties.outcomes import assert_not_lost

# Each replaces a name or a value of a body.
LITERALS = (
    *("NaN", "-Infinity", "1e999", "-0", "1.0", "1e18", "1e-200", "9223372036854775808", "01", "0x10", "1_0"),
    *("9" * 4301, "0." + "3" * 4000, "1e" + "9" * 400, "True", "undefined", "'a'", "null", "false"),
    *(r'"\ud800"', r'"\ud83d\ude00"', r'"\u0000"', '"\uffff"', '"\x01"', '"\x7f"', r'"\x41"', '"', '""'),
    *('{"":{}}', '{"a":1,"a":2}', r'{"a":1,"\u0061":2}', '{"__proto__":{}}', "[]", "[null]", '"x" "y"'),
    *('"scheduler.scheduled_event_created"', '"endpoint.url_validation"', '"' + "x" * 1025 + '"', '"é🚗"'),
    *("[" * depth + "]" * depth for depth in (25, 31, 40, 20_000)),
    *('{"a":' * depth + "1" + "}" * depth for depth in (26, 33, 20_000)),
)
SCALARS = re.compile(rb'"[^"]*"|[0-9]+|true|false')
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7", "cp037")


@st.composite
def garbage(draw: st.DrawFn) -> bytes:
    """Draws a body broken once or twice. Some are fit after all."""
    body = draw(st.sampled_from([*BODIES.values(), *SAMPLES]))
    for _ in range(draw(st.integers(1, 2))):
        match draw(st.sampled_from(("literal", "literal", "literal", "bytes", "encoding", "random"))):
            case "literal":
                if places := list(SCALARS.finditer(body)):
                    place = draw(st.sampled_from(places))
                    literal = draw(st.sampled_from(LITERALS)).encode()
                    body = body[: place.start()] + literal + body[place.end() :]
            case "bytes":
                body = draw(edited(body))
            case "encoding":
                body = body.decode(errors="replace").encode(draw(st.sampled_from(ENCODINGS)), "replace")
            case "random":
                body = draw(st.binary(max_size=100))
    return body


# failure matrix: 38, 53
@given(garbage())
@settings(max_examples=500)
def test_no_signed_garbage_is_lost(body: bytes) -> None:
    assert_not_lost(body)
