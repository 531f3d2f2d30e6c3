"""The receiver's work grows no faster than the request.

Bytecode instructions are counted, so a busy machine changes nothing. Loops inside C are not seen.
"""

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import pytest

from bookings.use_cases.receive import Request
from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER
from tests.fakes import NOW
from tests.monitored import monitored
from tests.receiving import CHALLENGE, WRONG_SECRET, ReceiverUnderTest
from tests.samples import created, raw, signed

SMALL, LARGE = 8_000, 32_000
TESTS = str(Path(__file__).parents[1])
MAX_GROWTH = LARGE / SMALL * 1.05

HEAD, TAIL = raw(created(new_field="HERE")).split(b'"HERE"')


def repeated(piece: bytes, before: bytes = b"[", after: bytes = b"0]") -> Callable[[int], bytes]:
    """Returns a maker of bookings with an unknown field that repeats a piece."""
    return lambda size: HEAD + before + piece * (size // len(piece)) + after + TAIL


ANSWERS = [{"question": "?", "position": 1, "answer": ["!"]}]

BODIES: dict[str, Callable[[int], bytes]] = {
    "long text": repeated("🚗".encode(), b'"', b'"'),
    "escapes": repeated(rb"\ud83d\ude97", b'"', b'"'),
    "backslashes": repeated(rb"\\", b'"', b'"'),
    "suspect escapes": repeated(rb"\u0009", b'"', b'"'),
    "white space": repeated(b" \n", b"", b"1"),
    "integers": repeated(b"9223372036854775807,"),
    "one integer": repeated(b"9", b"", b""),
    "strings": repeated(b'"ab",'),
    "objects": repeated(b'{"a":{}},'),
    "lists 25 deep": repeated(b"[" * 25 + b"]" * 25 + b","),
    "open lists": repeated(b"[", b"", b""),
    "one name": repeated(b'"a":1,', b"{", b'"a":1}'),
    "many names": lambda size: raw(created(new_field={f"number {at}": at for at in range(size // 20)})),
    "guests": lambda size: raw(created(guests=["ann@example.com"] * (size // 19))),
    "wrong guests": lambda size: raw(created(guests=[7] * (size // 3))),
    "empty answers": lambda size: raw(created(questions_and_answers=[{}] * (size // 4))),
    "answers": lambda size: raw(created(questions_and_answers=ANSWERS * (size // 55))),
    "broken at the end": repeated(b'\n{"a": 1},', after=b"]]"),
    "refused at the end": repeated(b'\n{"a": 1},', after=rb'"\uffff"]'),
    "open text": lambda size: b'{"event": "' + rb"\n" * (size // 2),
    "long event name": lambda size: raw({"event": "scheduler." + "x" * size}),
    "long token": lambda size: raw(CHALLENGE | {"payload": {"plainToken": "x" * size}}),
    "long event id": lambda size: raw(created(event_id="x" * size)),
    "long e-mail": lambda size: raw(created(invitee_email="É" * (size // 2))),
}


def headed(signature: str, timestamp: str) -> Request:
    return Request({TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature}, b"{}")


REQUESTS: dict[str, Callable[[int], Request]] = {
    "unsigned": lambda size: Request({}, b"x" * size),
    "forged": lambda size: signed(b"x" * size, NOW, secret=WRONG_SECRET),
    "long signature": lambda size: headed("v0=" + "a" * size, str(int(NOW.timestamp()))),
    "long timestamp": lambda size: headed("v0=" + "a" * 64, "1" * size),
    "long request id": lambda size: signed(b"[]", NOW, request_id="x" * size),
}


def instructions_of(call: Callable[[], object]) -> int:
    """Returns the number of bytecode instructions that a call runs, without those of the fakes."""
    counted = 0

    def count(code: CodeType, _offset: int) -> None:
        nonlocal counted
        counted += not code.co_filename.startswith(TESTS)

    gc.disable()
    with monitored(sys.monitoring.events.INSTRUCTION, count):
        call()
    gc.enable()
    return counted


@pytest.mark.parametrize("shape", [*BODIES, *REQUESTS])
def test_work_grows_no_faster_than_the_request(shape: str) -> None:
    def request(size: int) -> Request:
        return signed(BODIES[shape](size), NOW) if shape in BODIES else REQUESTS[shape](size)

    under_test = ReceiverUnderTest()
    under_test.receiver.receive(request(100))  # runs everything that runs once
    small, large = request(SMALL), request(LARGE)
    before = instructions_of(lambda: under_test.receiver.receive(small))
    after = instructions_of(lambda: under_test.receiver.receive(large))
    assert before > 50
    assert after <= before * MAX_GROWTH
