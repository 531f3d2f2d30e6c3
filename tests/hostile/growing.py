"""Requests that grow: each a shape that somebody may hope to be slow, made as large as is asked for.

Run as a program it counts the machine instructions that the receiver takes for each of them: it does so under
callgrind, which it tells by its client requests what belongs to which request.
"""

import ctypes
import gc
import json
import mmap
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bookings.use_cases.answers import Answer
from bookings.use_cases.live_secrets import LiveSecrets
from bookings.use_cases.ports import SecretVersion
from bookings.use_cases.publish import Publisher
from bookings.use_cases.receive import Receiver, Request
from bookings.use_cases.verify import Verifier
from bookings.zoom.events import CANCELED, CREATED
from tests.samples import SECRET, canceled, created, raw, signed

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class _Quiet:
    """All that surrounds a receiver; takes everything and does nothing, so that nothing else is counted."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    def current(self, _deadline: Any) -> SecretVersion:
        return SecretVersion(SECRET, datetime(2026, 1, 1, tzinfo=UTC))

    def previous(self, _deadline: Any) -> None:
        return None

    def publish(self, _envelope: Any, _deadline: Any) -> None:
        return None

    def send(self, _message: Any, deadline: Any = None) -> None:
        return None

    def __call__(self, _name: Any) -> None:
        return None


def quiet_receiver() -> Receiver:
    quiet = _Quiet()
    return Receiver(
        verifier=Verifier(LiveSecrets(quiet, quiet, quiet), 300, quiet),
        publisher=Publisher(quiet, quiet, count=quiet),
        handled_events=(CREATED, CANCELED),
        bus=quiet,
        quarantine=quiet,
        clock=quiet,
        count=quiet,
    )


# ── what grows ───────────────────────────────────────────────────────────────────────────────────────────


def _in_a_booking(piece: bytes, *, before: bytes = b'"', after: bytes = b'"') -> Callable[[int], bytes]:
    """Returns a body maker: a valid booking in one of whose unknown fields a piece stands over and over."""
    head, tail = raw(created(payment="HERE")).split(b'"HERE"')

    def make(size: int) -> bytes:
        return head + before + piece * max(1, size // len(piece)) + after + tail

    return make


def _in_a_list(piece: bytes) -> Callable[[int], bytes]:
    return _in_a_booking(piece + b",", before=b"[", after=piece + b"]")


def _of(field: str, value: Any) -> Callable[[int], bytes]:
    """Returns a body maker: one value again and again in a list of the reference."""
    per_value = len(raw(value)) + 2

    def make(size: int) -> bytes:
        body = canceled()
        owner = body["payload"]["object"]
        owner = owner["scheduled_event"] if field == "guests" else owner
        owner[field] = [value] * max(1, size // per_value)
        return raw(body)

    return make


def _many_names(size: int) -> bytes:
    return raw(created(payment={f"field number {number}": number for number in range(size // 28)}))


def _at_the_end(damage: bytes) -> Callable[[int], bytes]:
    """Returns a body maker: lines and lines of good JSON, and the damage in the last one."""
    make = _in_a_list(b'\n{"a": 1}')

    def spoilt(size: int) -> bytes:
        body = make(size)
        return body[:-2] + damage + body[-2:]

    return spoilt


BODIES: dict[str, Callable[[int], bytes]] = {
    "a long text": _in_a_booking(b"x"),
    "a text of emoji": _in_a_booking("🚗".encode()),
    "a text of escapes": _in_a_booking(rb"\u00e9"),
    "a text of pairs of escapes": _in_a_booking(rb"\ud83d\ude97"),
    "a text of backslashes": _in_a_booking(rb"\\"),
    "white space": _in_a_booking(b" \n", before=b"", after=b"1"),
    "integers": _in_a_list(b"7"),
    "the largest integers": _in_a_list(b"9223372036854775807"),
    "floats": _in_a_list(b"0.1"),
    "one long integer": _in_a_booking(b"9", before=b"", after=b""),
    "one long float": _in_a_booking(b"3", before=b"0.", after=b""),
    "one long exponent": _in_a_booking(b"0", before=b"1e", after=b"1"),
    "strings": _in_a_list(b'"ab"'),
    "objects": _in_a_list(b'{"a":{}}'),
    "lists 25 deep": _in_a_list(b"[" * 25 + b"]" * 25),
    "open lists": _in_a_booking(b"[", before=b"", after=b""),
    "open objects": _in_a_booking(b'{"a":', before=b"", after=b""),
    "many names": _many_names,
    "one name over and over": _in_a_booking(b'"a":1,', before=b"{", after=b'"a":1}'),
    "guests": _of("guests", "ann@example.com"),
    "guests of the wrong type": _of("guests", 7),
    "questions with nothing in them": _of("questions_and_answers", {}),
    "answers": _of("questions_and_answers", {"question": "?", "position": 1, "answer": ["!"]}),
    "broken at the end": _at_the_end(b"]"),
    "no UTF-8 at the end": _at_the_end(b"\xff"),
    "a refused character at the end": _at_the_end(rb',"\uffff"'),
    "an open text": lambda size: b'{"event": "' + b"x" * size,
    "an open text of escapes": lambda size: b'{"event": "' + rb"\n" * (size // 2),
    "no JSON": lambda size: b"x" * size,
    "nothing but commas": lambda size: b"," * size,
    "a long name of an event": lambda size: raw({"event": "scheduler." + "x" * size}),
    "a blank name of an event": lambda size: raw({"event": " " * size}),
    "another product": lambda size: raw({"event": "meeting.started", "payload": "x" * size}),
    "a long token": lambda size: raw(
        {"event": "endpoint.url_validation", "payload": {"plainToken": "x" * size}}
    ),
    "a long event id": lambda size: raw(created(event_id="x" * size)),
    "a long e-mail address": lambda size: raw(created(invitee_email="É" * (size // 2))),
}

REQUESTS: dict[str, Callable[[int], Request]] = {
    "unsigned": lambda size: Request({}, b"x" * size),
    "forged": lambda size: signed(b"x" * size, NOW, secret="x" * 22),
    "a long signature": lambda size: Request(
        {"x-zm-request-timestamp": "1795348800", "x-zm-signature": "v0=" + "a" * size}, b"{}"
    ),
    "a long timestamp": lambda size: Request(
        {"x-zm-request-timestamp": "1" * size, "x-zm-signature": "v0=" + "a" * 64}, b"{}"
    ),
    "a long request id": lambda size: signed(b"[]", NOW, request_id="x" * size),
}

SHAPES = [*BODIES, *REQUESTS]


def request(shape: str, size: int) -> Request:
    """Returns a request of about so many bytes; correctly signed, unless its shape is about that."""
    return signed(BODIES[shape](size), NOW) if shape in BODIES else REQUESTS[shape](size)


# ── under callgrind ──────────────────────────────────────────────────────────────────────────────────────


# callgrind.h, Valgrind 3.19: write what was counted, forget it, begin to count.
DUMP, ZERO, START = 0, 1, 4
_CALLGRIND = (ord("C") << 24) | (ord("T") << 16)

# The client request of valgrind.h for x86-64, as a function of (arguments, default): moves both to where it
# looks for them, rotates a register by 128 bits in all, which does nothing outside of valgrind, and returns
# the result.
_CLIENT_REQUEST = bytes.fromhex("4889f8 4889f2 48c1c703 48c1c70d 48c1c73d 48c1c733 4887db 4889d0 c3")


class Callgrind:
    """Callgrind, as a program that runs under it can talk to it; without it nothing happens."""

    def __init__(self) -> None:
        memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        memory.write(_CLIENT_REQUEST)
        self._memory = ctypes.c_char.from_buffer(memory)  # which it keeps alive

    def ask(self, request: int) -> None:
        """Makes it do something, exactly here: `START`, `DUMP` or `ZERO`."""
        client_request = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)
        arguments = (ctypes.c_uint64 * 6)(_CALLGRIND + request)
        client_request(ctypes.addressof(self._memory))(ctypes.addressof(arguments), 0)


def count_instructions(sizes: list[int]) -> None:
    """Handles each shape at each size, and makes callgrind write what each of them took, in this order."""
    callgrind = Callgrind()
    receiver = quiet_receiver()
    answers: list[Answer] = []
    for shape in SHAPES:
        receiver.receive(request(shape, 100))  # whatever is made once is made now
    requests = [request(shape, size) for shape in SHAPES for size in sizes]
    gc.disable()
    callgrind.ask(START)
    for each in requests:
        callgrind.ask(ZERO)
        answers.append(receiver.receive(each))
        callgrind.ask(DUMP)
    print(json.dumps([int(answer.status) for answer in answers]))


if __name__ == "__main__":
    count_instructions([int(size) for size in sys.argv[1:]])
