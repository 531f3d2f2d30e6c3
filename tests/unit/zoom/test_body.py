"""The body: what is refused, and one canonical form for all ways to write the same value."""

import json
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bookings.limits import MAX_NESTING
from bookings.zoom import body as module
from bookings.zoom.body import BodyError, canonical_json, digest, parse_body
from bookings.zoom.events import CREATED
from tests.hostile.garbage import draw_garbage, known_garbage
from tests.samples import canceled, created, raw, sample

INT64_MAX = 2**63 - 1
CORPUS = Path(__file__).parents[2] / "hostile/corpus"


def nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


# failure matrix: 38
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{}{}", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
        (b'{"a": "\x01"}', "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"7", "not a JSON object"),
        (b'{"a": 1, "a": 1}', "a name twice"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "a name twice"),
        (b'{"a": NaN}', "not finite"),
        (b'{"a": Infinity}', "not finite"),
        (b'{"a": -Infinity}', "not finite"),
        (b'{"a": 1e400}', "not finite"),
        (b'{"a": -1e400}', "not finite"),
        (b'{"a": 9223372036854775808}', "beyond 64 bits"),
        (b'{"a": -9223372036854775809}', "beyond 64 bits"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "beyond 64 bits"),
        (nested(MAX_NESTING + 1), "levels deep"),
        (b'{"a":' + b"[" * MAX_NESTING + b"]" * MAX_NESTING + b"}", "levels deep"),
        (b'{"a":' * 120_000 + b"1" + b"}" * 120_000, "levels deep"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "levels deep"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_body_that_is_broken_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(BodyError, match=reason):
        parse_body(body)


# failure matrix: 38, 53
@pytest.mark.parametrize(
    "escape",
    [r"\u0000", r"\u0008", r"\u000b", r"\u000c", r"\u001f", r"\ud800", r"\udfff", r"\ufffe", r"\uffff"],
)
@pytest.mark.parametrize("where", ['{"a": "%s"}', '{"%s": 1}', '{"a": {"b": ["x", "y%sz"]}}'])
def test_a_character_that_a_queue_refuses_is_refused_wherever_it_stands(escape: str, where: str) -> None:
    with pytest.raises(BodyError, match="a queue refuses"):
        parse_body((where % escape).encode())


# failure matrix: 53
def test_a_refused_character_is_found_unescaped_too() -> None:
    with pytest.raises(BodyError, match="a queue refuses"):
        parse_body('{"a": "\uffff"}'.encode())


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b' \t\r\n{"a": 1}\n', {"a": 1}),
        (b'{"a": 9223372036854775807}', {"a": INT64_MAX}),
        (b'{"a": -9223372036854775808}', {"a": -INT64_MAX - 1}),
        (b'{"a": 1.5e3}', {"a": 1500.0}),
        (rb'{"a": "\t\n\r \ud83d\ude92 \ufffd \ue000"}', {"a": "\t\n\r \U0001f692 \ufffd \ue000"}),
        ('{"a": "Zoë – 🚗 \U0010ffff \x7f"}'.encode(), {"a": "Zoë – 🚗 \U0010ffff \x7f"}),
    ],
)
def test_a_sound_body_is_read_as_it_is(body: bytes, value: dict[str, Any]) -> None:
    assert parse_body(body) == value


def test_an_object_may_have_any_number_of_names() -> None:
    body = {f"name {number}": number for number in range(1000)}
    assert parse_body(json.dumps(body).encode()) == body


def test_the_least_integer_has_one_form_however_it_was_written() -> None:
    assert canonical_json(float(-(2**63))) == canonical_json(-(2**63)) == b"-9223372036854775808"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_has_no_form(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": number})


def test_a_body_may_be_nested_to_the_limit() -> None:
    assert MAX_NESTING == 32  # DynamoDB's
    assert parse_body(nested(MAX_NESTING))
    assert parse_body(b'{"a":' + b"[" * (MAX_NESTING - 1) + b"]" * (MAX_NESTING - 1) + b"}")


def walked_through(raw: bytes) -> dict[str, Any]:
    """Reads a body in the plain way: by the standard library, then every name and value is looked at."""
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=module._unique_names,
            parse_int=module._integer,
            parse_float=module._float,
            parse_constant=module._refuse_constant,
        )
    except UnicodeDecodeError:
        raise BodyError("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise BodyError(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise BodyError("the body is nested more than 32 levels deep") from None
    if not isinstance(value, dict):
        raise BodyError("the body is not a JSON object")
    module._check_all(value)
    return value


def outcome(read: Callable[[bytes], dict[str, Any]], body: bytes) -> str:
    try:
        return repr(read(body))
    except BodyError as error:
        return str(error)


IN_A_TEXT = (
    *("a", "é", "🚗", "\ufeff", "\ufffd", "\ufffe", "\uffff", "\uff21", "\x7f", "[", "{", "}}", "u0000"),
    *(r"\"", r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t", r"\u0000", r"\u0009", r"\u000A", r"\u001f"),
    *(r"\u0020", r"\u00e9", r"\ud83d\ude92", r"\uD83D", r"\udc00", r"\uDFff", r"\ud7ff", r"\ue000"),
    *(r"\ufffd", r"\uFFFE", r"\ufffF", r"\uffef"),
)
NO_TEXT = ("\x01", "\t", "\n", "\\", r"\v", r"\u", r"\u000", '"')
NUMBERS_ODD_AND_EVEN = (
    *("0", "-1", "1.5", "1e400", "-1e999", "01", "NaN", "-Infinity", "9" * 18, "9" * 19, "9" * 20, "9" * 30),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"),
)
PIECES = (*NO_TEXT, *NUMBERS_ODD_AND_EVEN, *'{}[]:, "', '"a":', '"b": [', '{"a": {', "null", "true")

TEXTS_AS_WRITTEN = st.lists(st.sampled_from(IN_A_TEXT), max_size=4).map("".join)
BROKEN_TEXTS = st.lists(st.sampled_from(IN_A_TEXT + NO_TEXT), max_size=4).map("".join)
SOUPS = st.lists(st.sampled_from(IN_A_TEXT + PIECES), max_size=12).map("".join)


def deep(brackets: list[str], core: str) -> str:
    opened = "".join('{"a": ' if each == "{" else "[" for each in brackets)
    return opened + core + "".join("}" if each == "{" else "]" for each in reversed(brackets))


RAW_TEXTS = (
    SOUPS
    | SOUPS.map(lambda soup: f'{{"a": {soup}}}')
    | BROKEN_TEXTS.map(lambda text: f'{{"a": "{text}"}}')
    | st.sampled_from(NUMBERS_ODD_AND_EVEN).map(lambda number: f'{{"a": [{number}, "b"]}}')
    | st.builds(
        lambda first, second, third: f'{{"{first}": ["{second}", 1], "x{third}": {{}}}}',
        *[TEXTS_AS_WRITTEN] * 3,
    )
    | st.builds(
        lambda brackets, core, before, after: f'{{"{before}": {deep(brackets, core)}, "z": "{after}"}}',
        st.lists(st.sampled_from("{["), min_size=29, max_size=33),
        st.sampled_from(["1", "{}", "[]", '"["', '"{{{"', r'"\uffff"', r'"\u00e9"', "[{}, {}]", "x"]),
        st.just("x") | TEXTS_AS_WRITTEN,
        st.just("y") | TEXTS_AS_WRITTEN,
    )
)


# failure matrix: 38, 53
@given(RAW_TEXTS)
@example("\ufeff{}")
@example('{"a": "\\\\u0000"}')
@settings(max_examples=600)
def test_a_body_is_read_as_if_all_of_it_were_looked_through(text: str) -> None:
    body = text.encode()
    assert outcome(parse_body, body) == outcome(walked_through, body)


@given(st.binary(max_size=60))
def test_bytes_are_read_as_if_all_of_them_were_looked_through(body: bytes) -> None:
    body = b'{"a": "' + body + b'"}'
    assert outcome(parse_body, body) == outcome(walked_through, body)


def test_garbage_is_read_as_if_all_of_it_were_looked_through() -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    drawn = [draw_garbage(chance) for _ in range(3000)]
    found = [path.read_bytes() for path in CORPUS.rglob("*") if path.is_file()]
    assert len(found) > 100
    for body in (*known_garbage().values(), *drawn, *found):
        assert outcome(parse_body, body) == outcome(walked_through, body)


ORDINARY = [
    raw(sample(CREATED)),
    raw(canceled(summary="Zoë – 🚗 \ue000 \U0010ffff")),
    raw(
        created(questions_and_answers=[{"question": "?", "position": n, "answer": ["!"]} for n in range(40)])
    ),
    rb'{"a": "\" \\ \/ \n \r \t \u00e9 \u0100 \uD7ff \ue000 \uFEFF \u0fff"}',
    rb'{"a": "u0000 ud800 uffff bf"}',
]


@pytest.mark.parametrize("body", ORDINARY)
def test_an_ordinary_body_is_not_looked_through_by_the_text(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_needed(_value: object) -> None:
        raise AssertionError

    monkeypatch.setattr(module, "_check_all", not_needed)
    assert parse_body(body) == json.loads(body)


@pytest.mark.parametrize(
    ("body", "needed"),
    [
        (nested(1), False),
        (nested(MAX_NESTING), False),
        (b'{"a": [' + b"[]," * (MAX_NESTING - 3) + b"[]]}", False),
        (b'{"a": [' + b"[]," * (MAX_NESTING - 2) + b"[]]}", True),
        (b'{"a": "' + b"[" * MAX_NESTING + b'"}', True),
    ],
)
def test_depth_is_looked_for_only_where_there_are_brackets_enough(
    body: bytes, needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[object] = []

    def look(value: object) -> bool:
        looked.append(value)
        return False

    monkeypatch.setattr(module, "_is_too_deep", look)
    assert parse_body(body) == json.loads(body)
    assert bool(looked) == needed


# failure matrix: 38
@given(st.binary(max_size=200))
def test_no_bytes_make_parsing_fail_in_another_way(body: bytes) -> None:
    with suppress(BodyError):
        parse_body(body)


# failure matrix: 43
@pytest.mark.parametrize(
    "body",
    [
        b'{"canary": canary}',
        b'{"canary": 1, "canary": 2}',
        b'{"canary": "canary\\ud800"}',
        b'{"canary": "canary\xff"}',
        b'["canary"]',
        b'"canary" canary',
        b'{"a": 77777777777777777777777}',
    ],
)
def test_no_refusal_repeats_what_stood_there(body: bytes) -> None:
    with pytest.raises(BodyError) as refused:
        parse_body(body)
    assert "canary" not in str(refused.value)
    assert "7777" not in str(refused.value)


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))
NUMBERS = st.integers(-(2**63), INT64_MAX) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=5)


def written_otherwise(value: Any, chance: random.Random) -> str:
    """Writes a JSON value in another of its ways: order, white space, escapes, forms of numbers."""

    def space() -> str:
        return chance.choice(["", " ", "\n", "\t ", "\r\n"])

    def text(content: str) -> str:
        return '"' + "".join(character(one) for one in content) + '"'

    def character(one: str) -> str:
        if chance.random() < 0.5:
            units = one.encode("utf-16-be")
            pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
            return "".join("\\u" + (pair.upper() if chance.random() < 0.5 else pair) for pair in pairs)
        return json.dumps(one, ensure_ascii=False)[1:-1]

    def number(content: float) -> str:
        if isinstance(content, int) and float(content) == content and abs(content) < 2**53:
            return chance.choice([str(content), f"{content}.0", f"{content}.00e0", f"{content}E+0"])
        return repr(content)

    if isinstance(value, dict):
        items = list(value.items())
        chance.shuffle(items)
        inner = ",".join(
            f"{space()}{text(name)}{space()}:{space()}{written_otherwise(item, chance)}{space()}"
            for name, item in items
        )
        return "{" + (inner or space()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(f"{space()}{written_otherwise(item, chance)}{space()}" for item in value) + "]"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return number(value)


# failure matrix: 2
@given(OBJECTS, st.randoms())
def test_every_way_to_write_a_value_has_one_canonical_form(
    value: dict[str, Any], chance: random.Random
) -> None:
    again = parse_body(written_otherwise(value, chance).encode())
    assert canonical_json(again) == canonical_json(value)


@given(OBJECTS)
def test_the_canonical_form_is_its_own(value: dict[str, Any]) -> None:
    canonical = canonical_json(value)
    assert canonical_json(parse_body(canonical)) == canonical


@given(OBJECTS)
def test_the_canonical_form_loses_nothing(value: dict[str, Any]) -> None:
    assert parse_body(canonical_json(value)) == value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": 0}, {"a": False}),
        ({"a": 1}, {"a": "1"}),
        ({"a": None}, {}),
        ({"a": ""}, {"a": None}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": 1}, {"A": 1}),
        ({"a": "é"}, {"a": "e\u0301"}),
        ({"a": 1.5}, {"a": 1.25}),
        ({"a": [[]]}, {"a": []}),
    ],
)
def test_different_values_have_different_forms(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert canonical_json(one) != canonical_json(other)


def test_the_digest_is_the_sha_256_of_the_canonical_form() -> None:
    assert canonical_json({"b": 1.0, "a": "é"}) == '{"a":"é","b":1}'.encode()
    assert digest(b'{"a":1}') == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


def test_a_whole_float_beyond_64_bits_stays_a_float() -> None:
    assert canonical_json({"a": 1e19}) == b'{"a":1e+19}'
    assert canonical_json({"a": 1e18}) == b'{"a":1000000000000000000}'


# failure matrix: 2
@given(st.integers(0, 2**32))
def test_a_delivery_written_again_has_the_same_digest(seed: int) -> None:
    body = created()
    again = parse_body(written_otherwise(body, random.Random(seed)).encode())  # noqa: S311 - no secret
    assert digest(canonical_json(again)) == digest(canonical_json(parse_body(raw(body))))
