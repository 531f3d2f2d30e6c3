"""Bodies that are correctly signed and still no delivery: broken as text, as JSON, or in what they say."""

import json
import operator
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from bookings.zoom.events import CANCELED, CREATED
from tests.samples import canceled, created, raw, sample

LITERALS = (
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "1e999",
        "-1e999",
        "1e-999",
        "1e200",
        "1e-200",
        "0e0",
        "-0",
        "-0.0",
        "1.0",
    ),
    *(
        "1e0",
        "1e18",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
    ),
    *(
        "-9223372036854775809",
        "9" * 4000,
        "-" + "9" * 4301,
        "0." + "3" * 4000,
        "1" * 400 + ".5",
        "1e" + "9" * 400,
    ),
    *("01", "+1", "1.", ".5", "0x10", "1_000", "--1", "1e", "True", "undefined", "None", "''", "'a'", "`a`"),
    *(
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\ud83d\\ude00"',
        '"\\u0000"',
        '"\\uffff"',
        '"\ufffe"',
        '"\x01"',
        '"\x7f"',
    ),
    *(
        '"\\x41"',
        '"\\u00g0"',
        '"\\u+041"',
        '"\\',
        '"',
        '"\u2028"',
        '"\ufeff"',
        '"' + "é" * 2000 + '"',
        '"\\/"',
    ),
    *(
        "null",
        "true",
        "false",
        "[]",
        "{}",
        '""',
        '" "',
        "[[]]",
        '{"":{}}',
        '{"a":1,"a":2}',
        '{"a":1,"\\u0061":2}',
    ),
    *(
        '{"__proto__":{}}',
        '{"$ref":"#"}',
        "[" * 40 + "]" * 40,
        "[" * 31 + "]" * 31,
        '{"a":' * 33 + "1" + "}" * 33,
    ),
    *(
        '"scheduler.scheduled_event_created"',
        '"endpoint.url_validation"',
        '"' + "x" * 1025 + '"',
        '"v0:1:{}"',
    ),
    *(
        '"0001-01-01T00:00:00+23:59"',
        '"9999-12-31T23:59:59-23:59"',
        '"2026-W01-1"',
        '"2026-11-22T16:00:00Z\\u0000"',
    ),
)
"""What may stand where a value does, some of it JSON."""

DEPTHS = (31, 32, 33, 1000, 100_000)

_BETWEEN = (
    " ",
    "\n",
    "\t",
    "\r",
    "\x00",
    "\x0b",
    "\xa0",
    "\ufeff",
    "//",
    "/**/",
    ",",
    ",,",
    ":",
    "\\",
    "}",
    "]",
)
_ENCODINGS = (
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-7",
    "utf-8-sig",
    "latin-1",
    "cp1252",
    "cp037",
)


def known_garbage() -> dict[str, bytes]:
    """Returns what must be tried every time, by what is wrong with it."""
    event = created()
    text = raw(event)
    found = {
        "nothing": b"",
        "white space": b" \r\n\t",
        "no JSON": b"event=scheduler.x&payload=1",
        "XML": b'<?xml version="1.0"?><event/>',
        "half of it": text[: len(text) // 2],
        "twice": text + text,
        "zeros": b"\x00" * 100,
        "every byte": bytes(range(256)),
        "a byte order mark": b"\xef\xbb\xbf" + text,
        "a surrogate in UTF-8": text.replace(b"Ann", b"A\xed\xa0\x80n"),
        "an overlong character": text.replace(b"Ann", b"A\xc0\x80n"),
        "a name twice": text.replace(b'"event_ts"', b'"event_ts": 1, "event_ts"', 1),
        "a name twice, once escaped": text.replace(b'"event_ts"', b'"event\\u005fts": 1, "event_ts"', 1),
        "a lone surrogate as a name": text.replace(b'"event_ts"', b'"\\udfff": 1, "event_ts"', 1),
        "an integer of 4,000 digits": text.replace(b"1795341600000", b"1" * 4000),
        "a float of 4,000 digits": text.replace(b"1795341600000", b"1." + b"1" * 4000),
        "an exponent of 4,000 digits": text.replace(b"1795341600000", b"1e" + b"1" * 4000),
    }
    found |= {
        f"{literal} as the time": text.replace(b"1795341600000", literal.encode())
        for literal in (
            "NaN",
            "-Infinity",
            "1e999",
            "1.5",
            "-1",
            "true",
            "null",
            '"1795341600000"',
            "[1]",
            "-0",
            "1e12",
        )
    }
    found |= {f"lists {depth} deep": _nested(b"[", b"]", depth) for depth in DEPTHS}
    found |= {f"objects {depth} deep": _nested(b'{"a":', b"}", depth) for depth in DEPTHS}
    found |= {f"open lists {depth} deep": b'{"event":' + b"[" * depth for depth in DEPTHS}
    found |= {
        f"in {encoding}": text.decode().encode(encoding) for encoding in _ENCODINGS if encoding != "latin-1"
    }
    return found


def _nested(opening: bytes, closing: bytes, depth: int) -> bytes:
    inner = opening * depth + b"1" + closing * depth
    return raw(created(payment="HERE")).replace(b'"HERE"', inner)


_BASES: tuple[bytes, ...] = tuple(
    raw(body)
    for body in (
        *(created(), canceled(), sample(CREATED), sample(CANCELED)),
        *({"event": "scheduler.x", "a": [1, {"b": None}]}, {"event": "meeting.started", "payload": {}}),
        {"event": "endpoint.url_validation", "payload": {"plainToken": "xys8n8PGS7mAU0m5-YJjRA"}},
    )
)


def draw_garbage(random: Random) -> bytes:
    """Returns a body, most of them broken in one or two ways, some of them fit after all."""
    body = random.choice(_BASES)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        body = broken(random, body)
    return body


def broken(random: Random, body: bytes) -> bytes:
    """Returns a body changed in one way."""
    return random.choice(_WAYS)(random, body)


def _with_a_literal(random: Random, body: bytes) -> bytes:
    """Puts something in the place of a value."""
    value = _tree(body)
    places = list(_places(value))
    if not places:
        return random.choice(LITERALS).encode(errors="surrogatepass")
    put = random.choice(places)
    put("\x02HERE\x02")
    literal = random.choice(LITERALS)
    return _dumped(value).replace(b'"\\u0002HERE\\u0002"', literal.encode(errors="surrogatepass"))


def _with_a_moved_value(random: Random, body: bytes) -> bytes:
    """Puts one value of the body in the place of another."""
    value = _tree(body)
    places = list(_places(value))
    if len(places) < 2:
        return body
    source = random.choice([*_values(value)])
    random.choice(places)(json.loads(json.dumps(source)))
    return _dumped(value)


def _with_another_name(random: Random, body: bytes) -> bytes:
    tree = _tree(body)
    objects = [each for each in _values(tree) if isinstance(each, dict) and each]
    if not objects:
        return body
    owner = random.choice(objects)
    name = random.choice(list(owner))
    other = random.choice((name.upper(), name + " ", "", "event", "payload", "é", "x" * 5000, name[:-1]))
    owner[other] = owner.pop(name)
    return _dumped(tree)


def _with_broken_text(random: Random, body: bytes) -> bytes:
    at = random.randrange(len(body) + 1)
    return body[:at] + random.choice(_BETWEEN).encode() + body[at:]


def _with_lost_bytes(random: Random, body: bytes) -> bytes:
    at = random.randrange(len(body) + 1)
    return body[:at] + body[at + random.choice((1, 2, 10, len(body))) :]


def _with_random_bytes(random: Random, body: bytes) -> bytes:
    at = random.randrange(len(body) + 1)
    return body[:at] + random.randbytes(random.choice((1, 2, 4, 30))) + body[at + random.choice((0, 1, 4)) :]


def _doubled(random: Random, body: bytes) -> bytes:
    at = random.randrange(len(body) + 1)
    to = min(len(body), at + random.choice((1, 20, 200, 1000)))
    return body[:to] + body[at:]


def _in_another_encoding(random: Random, body: bytes) -> bytes:
    return body.decode(errors="replace").encode(random.choice(_ENCODINGS), errors="replace")


def _deeper(random: Random, body: bytes) -> bytes:
    depth = random.choice((1, 5, 26, 27, 28, 31, 200))
    value = _tree(body)
    places = list(_places(value))
    deep: Any = random.choice(("x", 1, None, {}, []))
    for _ in range(depth):
        deep = {"a": deep} if random.random() < 0.5 else [deep]
    if not places:
        return _dumped(deep)
    random.choice(places)(deep)
    return _dumped(value)


def _nonsense(random: Random, _body: bytes) -> bytes:
    return random.randbytes(random.choice((1, 5, 100, 2000)))


_WAYS: tuple[Callable[[Random, bytes], bytes], ...] = (
    *(_with_a_literal, _with_a_literal, _with_a_literal, _with_a_moved_value, _with_another_name),
    *(_with_broken_text, _with_lost_bytes, _with_random_bytes, _doubled, _in_another_encoding, _deeper),
    _nonsense,
)


# ── a body as a tree ─────────────────────────────────────────────────────────────────────────────────────


def _tree(body: bytes) -> Any:
    """Returns the body's value, however broken it is; a text that is no JSON at all as a string."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode(errors="replace")


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()


def _values(value: Any) -> list[Any]:
    found, pending = [], [value]
    while pending:
        each = pending.pop()
        found.append(each)
        pending.extend(each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())
    return found


def _places(value: Any) -> list[Callable[[Any], None]]:
    """Returns a way to put something into each place of a value."""
    found: list[Callable[[Any], None]] = []
    for owner in _values(value):
        keys = owner if isinstance(owner, dict) else range(len(owner)) if isinstance(owner, list) else ()
        for key in keys:
            found.append(partial(operator.setitem, owner, key))
    return found
