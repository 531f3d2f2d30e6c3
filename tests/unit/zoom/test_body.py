"""The body: strict JSON or a refusal, and one canonical form for every spelling of a value."""

import json
import random
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.limits import INT64_MAX, INT64_MIN, MAX_NESTING
from bookings.zoom.body import BodyError, canonical_json, digest, parse_body


def nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


REFUSED = {
    "not JSON": [
        *(b"", b"{", b"{}{}", b"{'a': 1}", b'{"a": 1,}', b'\xef\xbb\xbf{"a": 1}', b'{"a": "\x01"}'),
        *(b'{"a": 01}', b'{"canary": canary}', b'"canary" canary'),
    ],
    "not UTF-8": [b'{"a": "\xff"}', b'{"canary": "\xed\xa0\x80"}', '{"a": 1}'.encode("utf-16")],
    "not a JSON object": [b"[]", b"null", b'"canary"'],
    "a name twice": [b'{"canary": 1, "canary": 1}', b'{"a": {"b": 1, "\\u0062": 2}}'],
    "a character that a queue refuses": [b'{"canary": "canary\\ud800"}'],
    "not finite": [b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e400}'],
    "beyond 64 bits": [
        *(b'{"a": 9223372036854775808}', b'{"a": -9223372036854775809}', b'{"a": ' + b"9" * 10_000 + b"}"),
    ],
    "levels deep": [
        *(nested(MAX_NESTING + 1), b'{"a":' + b"[" * MAX_NESTING + b"]" * MAX_NESTING + b"}"),
        *(b'{"a":' * 120_000 + b"1" + b"}" * 120_000, b"[" * 100_000),
    ],
}


# failure matrix: 38, 43
@pytest.mark.parametrize(
    ("reason", "body"), [(reason, body) for reason in REFUSED for body in REFUSED[reason]]
)
def test_broken_body_is_refused_with_the_reason_alone(reason: str, body: bytes) -> None:
    with pytest.raises(BodyError, match=rf"^(?!.*(canary|999)).*{reason}"):
        parse_body(body)


# failure matrix: 53
@pytest.mark.parametrize(
    ("template", "step"), [('{"a": "%s"}', 1), ('{"%s": 1}', 7), ('{"a": {"b": ["x", "y%sz"]}}', 11)]
)
def test_character_is_accepted_if_a_queue_accepts_it(template: str, step: int) -> None:
    # SQS: #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF
    accepted = {0x9, 0xA, 0xD, *range(0x20, 0xD800), *range(0xE000, 0xFFFE)}
    for code in range(0xFFFF, -1, -step):
        spellings = [f"\\u{code:04x}", f"\\u{code:04X}"]
        if code >= 0x20 and chr(code) not in '"\\':  # JSON has no raw control characters
            spellings.append(chr(code))
        for spelling in spellings:
            with nullcontext() if code in accepted else pytest.raises(BodyError):
                parse_body((template % spelling).encode(errors="surrogatepass"))


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b' \t\r\n{"a": 1}\n', {"a": 1}),
        (b'{"a": 9223372036854775807}', {"a": INT64_MAX}),
        (b'{"a": -9223372036854775808}', {"a": INT64_MIN}),
        (b'{"a": 1.5e3}', {"a": 1500.0}),
        (rb'{"a": "\t\n\r \ud83d\ude92 \\u0000"}', {"a": "\t\n\r \U0001f692 \\u0000"}),
        ('{"a": "Zoë – 🚗 \U0010ffff \x7f"}'.encode(), {"a": "Zoë – 🚗 \U0010ffff \x7f"}),
        (nested(MAX_NESTING), json.loads(nested(MAX_NESTING))),
        (b'{"a": [' + b"[]," * 100 + b"[]]}", {"a": [[]] * 101}),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_sound_body_is_read_as_it_is(body: bytes, value: dict[str, Any]) -> None:
    assert parse_body(body) == value


def spelled(value: Any, chance: random.Random) -> str:
    """Writes a JSON value with its own order, white space, escapes and forms of numbers."""
    gap = chance.choice(("", " ", "\n", "\t ", "\r\n"))
    if isinstance(value, dict):
        items = [f"{gap}{spelled(name, chance)}{gap}:{spelled(item, chance)}" for name, item in value.items()]
        chance.shuffle(items)
        return f"{gap}{{{','.join(items)}{gap}}}{gap}"
    if isinstance(value, list):
        return f"{gap}[{gap}{','.join(spelled(item, chance) for item in value)}]{gap}"
    if isinstance(value, str):
        units = (character.encode("utf-16-be", "surrogatepass").hex() for character in value)
        escapes = ("".join(f"\\u{unit[at : at + 4]}" for at in range(0, len(unit), 4)) for unit in units)
        plain = (json.dumps(character, ensure_ascii=False)[1:-1] for character in value)
        return '"' + "".join(chance.choice(pair) for pair in zip(plain, escapes, strict=True)) + '"'
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return chance.choice((str(value), f"{value}.0", f"{value}.00e0", f"{value}E+0"))
    return json.dumps(value)


SOUND = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=9)
ODD = st.text('a"\\/\b\f\n\t\x00\x1fé🚗\ud800\ud7ff\ue000\ufffd\ufffe\uffff[{', max_size=3)
NUMBERS = st.integers(INT64_MIN, INT64_MAX) | st.floats(allow_nan=False, allow_infinity=False)


def objects(texts: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    values = st.recursive(
        st.none() | st.booleans() | NUMBERS | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=12,
    )
    return st.dictionaries(texts, values, max_size=4)


# failure matrix: 2
@given(objects(SOUND), st.randoms())
def test_every_spelling_of_a_value_has_one_canonical_form(
    value: dict[str, Any], chance: random.Random
) -> None:
    canonical = canonical_json(value)
    assert parse_body(canonical) == value
    again = canonical_json(parse_body(spelled(value, chance).encode()))
    assert (again, digest(again)) == (canonical, digest(canonical))


# failure matrix: 38, 53
@given(objects(ODD), st.integers(0, 33), st.randoms())
def test_depth_and_characters_are_refused_in_any_spelling(
    value: dict[str, Any], depth: int, chance: random.Random
) -> None:
    inner: Any = value
    for _ in range(depth):
        inner = [inner] if chance.random() < 0.5 else {"a": inner}
    body = {"b": inner, "c": value}
    is_bad = levels(body) > MAX_NESTING or any(character in repr(body) for character in BAD)
    try:
        read = parse_body(spelled(body, chance).encode(errors="surrogatepass"))
    except BodyError:
        assert is_bad
    else:
        assert (is_bad, read) == (False, body)


BAD = (r"\x08", r"\x0c", r"\x00", r"\x1f", r"\ud800", r"\ufffe", r"\uffff")  # as `repr` shows them


def levels(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(levels, inner), default=0) if isinstance(value, (dict, list)) else 0


def test_different_values_have_different_forms() -> None:
    scalars = [None, True, False, 1, 0, 1.5, 1.25, "", "1", "é", "e\u0301"]
    containers = [[], [[]], [1, 2], [2, 1], {}, {"a": 1}, {"A": 1}, {"a": None}]
    forms = {canonical_json(value) for value in (*scalars, *containers)}
    assert len(forms) == len(scalars) + len(containers)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"b": 1.0, "a": "é"}, '{"a":"é","b":1}'),
        (1e18, "1000000000000000000"),
        (float(INT64_MIN), "-9223372036854775808"),
        (1e19, "1e+19"),
    ],
)
def test_canonical_form_is_a_known_one(value: object, form: str) -> None:
    assert canonical_json(value).decode() == form
    assert digest(b'{"a":1}') == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


def test_number_that_json_lacks_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})
