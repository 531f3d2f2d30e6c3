"""Requests by somebody who doesn't know the secret, but has seen authentic ones and what was answered them.

All chance comes from one seed a try, so that a try is had again by its number alone.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.hostile.gateway import SIGNATURE, TIMESTAMP, Event, event_of, mac, signed_event
from tests.samples import canceled, created, raw

CHALLENGE = {
    "payload": {"plainToken": "xys8n8PGS7mAU0m5-YJjRA"},
    "event_ts": 1720705455858,
    "event": "endpoint.url_validation",
}

BODIES: dict[str, bytes] = {
    "created": raw(created()),
    "canceled": raw(canceled(summary="Zoë 🚗", rescheduled=True)),
    "challenge": raw(CHALLENGE),
    "unknown": raw({"event": "scheduler.schedule_created", "event_ts": 1, "payload": {}}),
    "other product": raw({"event": "meeting.started", "payload": {"object": {"id": "1"}}}),
    "unusable": b'{"event": "scheduler.x", "a": NaN}',
}
"""One of each that the door does anything for."""

REPLACEMENTS = (
    b"",
    b"\x00",
    b'"',
    b"{}",
    b":",
    b"v0:",
    b"\\u0000",
    b"\xff",
    b"\xef\xbb\xbf",
    b"null",
    b"1.0",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a forger has: authentic requests by what they are about, some of them stale, and one answer.

    Attributes:
        token_hash: the `encryptedToken` that answered the challenge.
    """

    fresh: tuple[tuple[dict[str, str], bytes], ...]
    stale: tuple[tuple[dict[str, str], bytes], ...]
    token_hash: str


def seen_at(now: datetime) -> Seen:
    def captured(at: datetime) -> tuple[tuple[dict[str, str], bytes], ...]:
        return tuple((signed_event(body, at)["headers"], body) for body in BODIES.values())

    return Seen(
        fresh=captured(now),
        stale=captured(now - timedelta(seconds=301)) + captured(now - timedelta(days=1)),
        token_hash=mac(b"xys8n8PGS7mAU0m5-YJjRA"),
    )


def flips(headers: dict[str, str], body: bytes) -> Iterator[Event]:
    """Yields an authentic request with each single bit of its body, its timestamp and its signature flipped.

    A header that is no UTF-8 any more is read as Latin-1, byte by byte, so no flip is left out.
    """
    for index in range(len(body) * 8):
        yield event_of(headers, _flipped(body, index))
    for name in (TIMESTAMP, SIGNATURE):
        value = headers[name].encode()
        for index in range(len(value) * 8):
            yield event_of(headers | {name: _text(_flipped(value, index))}, body)


def forge(random: Random, seen: Seen) -> Event:
    """Returns a request that most likely is no authentic one; what it is `is_authentic` tells."""
    pool = seen.fresh if random.random() < 0.85 else seen.stale
    headers, body = random.choice(pool)
    request = _Request(dict(headers), body)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        random.choice(_WAYS)(random, request, seen)
    event = event_of(request.headers, request.body)
    return random.choice(_GATEWAYS)(random, event) if random.random() < 0.08 else event


@dataclass(slots=True)
class _Request:
    headers: dict[str, str]
    body: bytes


def _flipped(value: bytes, index: int) -> bytes:
    changed = bytearray(value)
    changed[index // 8] ^= 1 << index % 8
    return bytes(changed)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _edited(random: Random, value: bytes) -> bytes:
    """Returns a value with some of it changed, lost, doubled or moved."""
    at = random.randrange(len(value) + 1)
    to = min(len(value), at + random.choice((1, 1, 2, 8, 64)))
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: _flipped(value, random.randrange(len(value) * 8)) if value else b"\x00",
        lambda: value[:at] + random.choice(REPLACEMENTS) + value[at:],
        lambda: value[:at] + value[to:],
        lambda: value[:to] + value[at:],
        lambda: value[:at] + random.randbytes(to - at) + value[to:],
        lambda: value[:at],
        lambda: value[to:] + value[:to],
    )
    return random.choice(ways)()


# ── ways to change a request ─────────────────────────────────────────────────────────────────────────────


def _edit_body(random: Random, request: _Request, _seen: Seen) -> None:
    for _ in range(random.choice((1, 1, 2, 5))):
        request.body = _edited(random, request.body)


def _edit_header(random: Random, request: _Request, _seen: Seen) -> None:
    name = random.choice((TIMESTAMP, SIGNATURE))
    if name in request.headers:
        request.headers[name] = _text(_edited(random, request.headers[name].encode()))


def _swap_body(random: Random, request: _Request, seen: Seen) -> None:
    """Puts another event under this signature."""
    request.body = random.choice(seen.fresh)[1]


def _say_it_otherwise(random: Random, request: _Request, _seen: Seen) -> None:
    """Writes the same JSON in other bytes."""
    try:
        value = json.loads(request.body)
    except (ValueError, RecursionError):
        return
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: json.dumps(value).encode(),
        lambda: json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(),
        lambda: json.dumps(value, sort_keys=True).encode(),
        lambda: json.dumps(value, indent=2).encode(),
        lambda: request.body + random.choice((b"\n", b" ", b"\r\n", b"\x00")),
        lambda: b" " + request.body,
        lambda: b"\xef\xbb\xbf" + request.body,
        lambda: request.body.decode(errors="replace").encode("utf-16"),
        lambda: request.body.replace(b"e", b"\\u0065", 1),
    )
    request.body = random.choice(ways)()


def _change_time(random: Random, request: _Request, _seen: Seen) -> None:
    text = request.headers.get(TIMESTAMP, "")
    try:
        seconds = int(text)
    except ValueError:
        return
    request.headers[TIMESTAMP] = random.choice(
        (
            str(seconds + random.choice((-1, 1, -300, 300, 301, 86_400, -86_400, 2**31, 2**63))),
            f"{text}000",
            f"{text}.0",
            f"+{text}",
            f"-{text}",
            f" {text}",
            f"{text} ",
            f"{text}\n",
            f"0{text}",
            f"{text},{text}",
            hex(seconds),
            f"{seconds:_}",
            f"{seconds:e}",
            text.translate({48 + digit: 0xFF10 + digit for digit in range(10)}),  # full-width digits
            text.translate({48 + digit: 0x0660 + digit for digit in range(10)}),  # Arabic digits
            text[:-1],
            "",
            "NaN",
            "inf",
        )
    )


def _change_signature(random: Random, request: _Request, seen: Seen) -> None:
    """Writes the signature in another form, or another one made without the secret."""
    text = request.headers.get(SIGNATURE, "")
    bare = text.removeprefix("v0=")
    content = b"v0:" + request.headers.get(TIMESTAMP, "").encode() + b":" + request.body
    ways: tuple[Callable[[], str], ...] = (
        text.upper,
        lambda: bare,
        lambda: f"v1={bare}",
        lambda: f"V0={bare}",
        lambda: f"v0={bare.upper()}",
        lambda: f"v0:{bare}",
        lambda: f"v0 = {bare}",
        lambda: f"sha256={bare}",
        lambda: f"{text},{text}",
        lambda: f"v0={'0' * 64},{text}",
        lambda: f"{text},v0={'0' * 64}",
        lambda: f" {text}",
        lambda: f"{text} ",
        lambda: f"{text}\n",
        lambda: f"{text}\x00",
        lambda: f"{text}0",
        lambda: text[:-1],
        lambda: f"v0={bare.translate({48 + digit: 0xFF10 + digit for digit in range(10)})}",
        lambda: "v0=" + "0" * 64,
        lambda: "v0=",
        lambda: "",
        lambda: "v0=" + random.randbytes(32).hex(),
        lambda: "v0=" + hashlib.sha256(content).hexdigest(),
        lambda: "v0=" + hmac.new(b"", content, hashlib.sha256).hexdigest(),
        lambda: "v0=" + hmac.new(random.randbytes(16), content, hashlib.sha256).hexdigest(),
        lambda: "v0=" + hmac.new(content, content, hashlib.sha256).hexdigest(),
        lambda: f"v0={seen.token_hash}",
        lambda: random.choice(seen.fresh + seen.stale)[0][SIGNATURE],
        lambda: "v0=" + base64.b64encode(bytes.fromhex(seen.token_hash)).decode(),
    )
    request.headers[SIGNATURE] = random.choice(ways)()


def _move_the_boundary(random: Random, request: _Request, _seen: Seen) -> None:
    """Lets the timestamp take some of the body, or give some to it: what is signed stays the same bytes."""
    text = request.headers.get(TIMESTAMP, "")
    if random.random() < 0.5:
        taken = random.randrange(1, 40)
        request.headers[TIMESTAMP] = _text(text.encode() + b":" + request.body[:taken])
        request.body = request.body[taken:].removeprefix(b":")
    else:
        given = random.randrange(1, 11)
        request.headers[TIMESTAMP] = text[:-given]
        request.body = text[-given:].encode() + b":" + request.body


def _change_headers(random: Random, request: _Request, seen: Seen) -> None:
    """Names headers otherwise, leaves them out, doubles them, or lets them change places."""
    name = random.choice((TIMESTAMP, SIGNATURE))
    value = request.headers.pop(name, "")
    other = random.choice(seen.stale + seen.fresh)[0][name]
    match random.randrange(10):
        case 0:
            pass  # it is missing
        case 1:
            request.headers[random.choice((name.upper(), name.title()))] = value
        case 2:
            request.headers |= {name: value, name.upper(): random.choice((value, other))}
        case 3:
            request.headers |= {name.title(): other, name: value}
        case 4:
            request.headers[name] = f"{value},{other}"
        case 5:
            odd = (
                f" {name}",
                f"{name} ",
                name.replace("-", "_"),
                f"x-original-{name}",
                f"{name}\x00",
                "ſ" + name,
            )
            request.headers[random.choice(odd)] = value
        case 6:
            request.headers[name] = random.choice(("", " ", "\x00", "null", "undefined", "[object Object]"))
        case 7:
            request.headers[name] = value + "x" * random.choice((1, 100, 8000))
        case 8:
            swapped = SIGNATURE if name == TIMESTAMP else TIMESTAMP
            request.headers[name] = request.headers.get(swapped, "")
            request.headers[swapped] = value
        case _:
            request.headers |= {name: value, "x-zm-request-id": "\x00" * 300, "clientid": "x" * 5000}


def _make_up(random: Random, request: _Request, _seen: Seen) -> None:
    """Keeps nothing of what was seen."""
    request.body = random.randbytes(random.choice((0, 1, 20, 300)))
    request.headers = {TIMESTAMP: str(random.getrandbits(33)), SIGNATURE: "v0=" + random.randbytes(32).hex()}


def _change_length(random: Random, request: _Request, _seen: Seen) -> None:
    request.body = random.choice((b"", request.body * 2, request.body + b" " * random.choice((1, 10_000))))


_WAYS = (
    *(_edit_body, _edit_body, _edit_header, _edit_header, _swap_body, _say_it_otherwise, _change_time),
    *(_change_signature, _change_signature, _move_the_boundary, _change_headers, _change_headers, _make_up),
    _change_length,
)


# ── ways to confuse the gateway's event ──────────────────────────────────────────────────────────────────


def _in_base64(_random: Random, event: Event) -> Event:
    """Is still authentic if it was: the gateway does that to types it doesn't know as text."""
    if event["isBase64Encoded"]:
        return event
    return event | {"body": base64.b64encode(event["body"].encode()).decode(), "isBase64Encoded": True}


def _in_broken_base64(random: Random, event: Event) -> Event:
    text: str = _in_base64(random, event)["body"]
    ways: tuple[Callable[[], str], ...] = (
        lambda: text.rstrip("=") + random.choice(("", "=", "==", "===", "====")),
        lambda: text.replace("+", "-").replace("/", "_") + random.choice(("-", "_", "")),
        lambda: text[:76] + "\n" + text[76:],
        lambda: text + random.choice((" ", "\n", "!", "A", "AA", "AAA", "=AAA")),
        lambda: base64.b64encode(text.encode()).decode(),
    )
    return event | {"body": random.choice(ways)(), "isBase64Encoded": True}


def _with_the_wrong_flag(_random: Random, event: Event) -> Event:
    return event | {"isBase64Encoded": not event["isBase64Encoded"]}


def _without_a_part(random: Random, event: Event) -> Event:
    emptied: dict[str, Any] = random.choice(({"body": None}, {"body": ""}, {"headers": {}}))
    return event | emptied


_GATEWAYS = (_in_base64, _in_broken_base64, _with_the_wrong_flag, _without_a_part)
