"""The kept connection over real sockets: what it bears, what it gives up in time, whom it trusts."""

import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import certifi
import pytest
from bookings.aws import connecting
from bookings.aws.connecting import MAX_CONNECTING, Address, Trust
from bookings.aws.connection import Connection
from bookings.aws.wire import MAX_BODY_BYTES, MAX_HEAD_BYTES, HungUp, NoAnswer, Response
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.adapters.raw_service import PATIENCE_SECONDS, Peer, RawService, Talk, answer, answering
from tests.certificates import AUTHORITY, make_certificates

CANARY = b"canary@example.com"

SHORT_SECONDS = 0.2
LONG_SECONDS = 5.0  # a machine may be slow, but what isn't bounded hangs for longer


def in_short() -> float:
    return time.monotonic() + SHORT_SECONDS


def in_long() -> float:
    return time.monotonic() + LONG_SECONDS


def request(body: bytes = b"{}") -> bytes:
    return b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def to(service: RawService, *, host: str = "127.0.0.1", secure: bool = False) -> Connection:
    return Connection(Address(host, service.port, secure))


@contextmanager
def given_up(message: str = "no answer in time", kind: type[NoAnswer] = NoAnswer) -> Iterator[None]:
    """Holds what is in the block to an end in time, with a kind of failure and no cause that tells more."""
    started = time.monotonic()
    with pytest.raises(NoAnswer) as raised:
        yield
    assert time.monotonic() - started < LONG_SECONDS
    assert (type(raised.value), str(raised.value)) == (kind, message)
    assert raised.value.__cause__ is None


# ── kept and closed ──────────────────────────────────────────────────────────────────────────────────────


def test_a_connection_is_made_once_and_kept() -> None:
    with RawService(answering) as service:
        kept = to(service)
        kept.open(in_long())
        kept.open(in_long())
        for body in (b"1", b"2", b"3"):
            assert kept.exchange(request(body), in_long()).body == body
        assert (service.connections, service.requests) == (1, [b"1", b"2", b"3"])


def test_a_connection_sends_at_once_what_it_is_given() -> None:
    with RawService(answering) as service:
        made = connecting._made(Address("127.0.0.1", service.port, secure=False), LONG_SECONDS)
        with made:
            assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def with_more(peer: Peer) -> None:
    peer.send(answer(CANARY))


IDLE_ENDS: dict[str, Callable[[Peer], None]] = {
    "closed": Peer.close,
    "reset": Peer.reset,
    "bytes that nobody asked for": with_more,
}


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("end", IDLE_ENDS)
def test_a_connection_that_ended_while_it_was_idle_is_replaced_and_the_request_sent_once(
    end: str, secure: bool, tls: ssl.SSLContext
) -> None:
    answered, ended = threading.Event(), threading.Event()

    def talk(peer: Peer) -> None:
        peer.send(answer(peer.request()))
        answered.wait(PATIENCE_SECONDS)
        IDLE_ENDS[end](peer)
        ended.set()
        peer.wait_for_the_end()

    with RawService(talk, answering, context=tls if secure else None) as service:
        kept = to(service, secure=secure)
        assert kept.exchange(request(b"first"), in_long()).body == b"first"
        answered.set()
        assert ended.wait(PATIENCE_SECONDS)
        assert kept.exchange(request(b"second"), in_long()).body == b"second"
        assert (service.connections, service.requests) == (2, [b"first", b"second"])


def test_the_tickets_that_come_after_the_handshake_end_no_connection(tls: ssl.SSLContext) -> None:
    versions = []

    def talk(peer: Peer) -> None:
        assert isinstance(peer.socket, ssl.SSLSocket)
        versions.append(peer.socket.version())
        handshaken.set()
        answering(peer)

    handshaken = threading.Event()
    with RawService(talk, context=tls) as service:
        kept = to(service, secure=True)
        kept.open(in_long())
        assert handshaken.wait(PATIENCE_SECONDS)  # the tickets are on their way
        for body in (b"1", b"2"):
            assert kept.exchange(request(body), in_long()).body == body
        assert versions == ["TLSv1.3"]
        assert service.connections == 1


def test_a_connection_may_be_closed_at_any_time_and_is_made_again() -> None:
    with RawService(answering) as service:
        kept = to(service)
        kept.close()
        kept.exchange(request(), in_long())
        kept.close()
        kept.close()
        kept.exchange(request(), in_long())
        assert service.connections == 2


@pytest.mark.parametrize("end", [Peer.close, Peer.reset], ids=["closed", "reset"])
@pytest.mark.parametrize("read", [True, False], ids=["request read", "request begun to be read"])
def test_a_service_that_closes_before_it_answers_has_hung_up(end: Callable[[Peer], None], read: bool) -> None:
    def talk(peer: Peer) -> None:
        if read:
            peer.request()
        else:
            peer.socket.recv(1)
        end(peer)

    with RawService(talk, answering) as service:
        kept = to(service)
        with given_up("the connection was closed", HungUp):
            kept.exchange(request(b"1" * (1 << 22)), in_long())
        assert kept.exchange(request(b"2"), in_long()).body == b"2"
        assert service.connections == 2


@pytest.mark.parametrize(
    "begun",
    [
        b"H",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        answer(CANARY)[:-1],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
)
@pytest.mark.parametrize("end", [Peer.close, Peer.reset], ids=["closed", "reset"])
def test_a_service_that_closes_in_the_middle_of_its_answer_has_not_merely_hung_up(
    begun: bytes, end: Callable[[Peer], None]
) -> None:
    taken = threading.Event()

    def talk(peer: Peer) -> None:
        peer.request()
        peer.send(begun)
        taken.wait(0.05)  # a reset takes with it what was not read yet
        end(peer)

    with RawService(talk, answering) as service:
        kept = to(service)
        with given_up("ConnectionResetError"):
            kept.exchange(request(b"1"), in_long())
        assert kept.exchange(request(b"2"), in_long()).body == b"2"
        assert service.requests == [b"1", b"2"]


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────


def silent(peer: Peer) -> None:
    peer.request()
    peer.wait_for_the_end()


def trickling(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    for _ in peer.ticks():
        peer.send(b"x")


def announcing(peer: Peer) -> None:
    peer.request()
    for _ in peer.ticks():
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")


def endless_trailers(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n")
    for _ in peer.ticks():
        peer.send(b"a: b\r\n")


@pytest.mark.parametrize("talk", [silent, trickling, announcing, endless_trailers])
def test_an_answer_is_waited_for_as_a_whole_and_no_longer(talk: Talk) -> None:
    # failure matrix: 13
    with RawService(talk) as service:
        kept = to(service)
        started = time.monotonic()
        with given_up():
            kept.exchange(request(), in_short())
        assert time.monotonic() - started >= SHORT_SECONDS
        assert kept._socket is None


def test_a_service_that_stops_reading_is_given_up_in_time() -> None:
    with RawService(lambda peer: peer.wait_for_the_end()) as service, given_up():
        to(service).exchange(request(b"x" * (1 << 25)), in_short())


@pytest.mark.parametrize("late", [0.0, 1.5])
def test_without_time_left_nothing_is_connected_and_nothing_sent(late: float) -> None:
    with RawService(answering) as service:
        kept = to(service)
        with given_up("no time left"):
            kept.exchange(request(), time.monotonic() - late)
        with given_up("no time left"):
            kept.open(time.monotonic() - late)
        kept.open(in_long())
        with given_up("no time left"):
            kept.exchange(request(), time.monotonic() - late)
        kept.exchange(request(b"1"), in_long())
        assert (service.connections, service.requests) == (1, [b"1"])


class HangingNames:
    """A resolver that hangs on some names until it is released."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.released = threading.Event()
        self.asked = 0
        self._real = socket.getaddrinfo
        patch.setattr("socket.getaddrinfo", self._look_up)

    def _look_up(self, host: str, *rest: Any) -> object:
        if host == "hangs.example":
            self.asked += 1
            self.released.wait(PATIENCE_SECONDS)
        return self._real("127.0.0.1", *rest)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingNames]:
    hanging = HangingNames(monkeypatch)
    yield hanging
    hanging.released.set()


def test_a_name_that_can_not_be_looked_up_is_given_up_in_time_and_what_comes_late_is_closed(
    names: HangingNames,
) -> None:
    # failure matrix: 13
    left: list[bool] = []
    closed = threading.Event()

    def talk(peer: Peer) -> None:
        left.append(peer.is_left())
        closed.set()

    with RawService(talk) as service:
        with given_up("no connection in time"):
            to(service, host="hangs.example").open(in_short())
        names.released.set()
        assert closed.wait(PATIENCE_SECONDS)
        assert left == [True]


def test_connections_that_hang_are_bounded_and_hinder_no_other(names: HangingNames) -> None:
    with RawService(answering) as service:
        hanging, other = to(service, host="hangs.example"), to(service)
        for _ in range(MAX_CONNECTING):
            with given_up("no connection in time"):
                hanging.exchange(request(), time.monotonic() + 0.02)
        with given_up("too many connections are being made"):
            hanging.exchange(request(), in_long())
        assert names.asked == MAX_CONNECTING
        assert other.exchange(request(b"other"), in_long()).body == b"other"

        names.released.set()
        give_up_at = in_long()
        while hanging._connector._free._value < MAX_CONNECTING and time.monotonic() < give_up_at:
            time.sleep(0.005)
        assert hanging.exchange(request(b"again"), in_long()).body == b"again"


def test_a_handshake_that_never_ends_is_given_up_in_time(tls: ssl.SSLContext) -> None:
    with (
        RawService(lambda peer: peer.wait_for_the_end()) as service,
        given_up("no connection in time"),
    ):
        to(service, secure=True).open(in_short())


def test_a_connection_that_takes_too_long_says_so_before_it_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def late(*_: object) -> socket.socket:
        raise TimeoutError

    monkeypatch.setattr("socket.create_connection", late)
    with given_up("no connection in time"):
        Connection(Address("127.0.0.1", 1, secure=False)).open(in_long())


def test_a_connection_that_is_made_at_the_very_moment_it_would_be_given_up_is_taken() -> None:
    with RawService(answering) as service:
        attempt = connecting._Attempt(
            Address("127.0.0.1", service.port, secure=False), LONG_SECONDS, lambda: None
        )
        attempt.run()
        attempt._ended.clear()  # as if the wait had been over before it was told
        with attempt.result(0) as made:
            assert made.getpeername()[1] == service.port


def test_where_no_thread_can_be_started_there_is_no_answer_and_later_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with RawService(answering) as service:
        kept = to(service)
        with monkeypatch.context() as patch:
            patch.setattr("threading.Thread.start", full)
            for _ in range(MAX_CONNECTING + 1):
                with given_up("no thread to connect in"):
                    kept.open(in_long())
        assert kept.exchange(request(b"later"), in_long()).body == b"later"


def test_a_connection_that_is_refused_is_told_by_its_kind() -> None:
    with RawService(answering) as service:
        pass
    with given_up("ConnectionRefusedError"):
        to(service).open(in_long())


# ── what an answer may be ────────────────────────────────────────────────────────────────────────────────


READY = Path("/dev/null").open("rb")  # noqa: SIM115 - stands for a socket on which something has come


class Pieces:
    """A socket on which an answer comes in these pieces, and then nothing more."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self.closed = False

    def setblocking(self, flag: bool) -> None:
        assert not flag

    def fileno(self) -> int:
        return READY.fileno()

    def send(self, content: memoryview) -> int:
        return len(content)

    def recv(self, most: int) -> bytes:
        if not self._pieces:
            # A byte alone is asked for to see whether it is open; else the wait for more would end some day.
            raise BlockingIOError if most == 1 else TimeoutError
        piece = self._pieces.pop(0)
        if len(piece) > most:
            self._pieces.insert(0, piece[most:])
        return piece[:most]

    def close(self) -> None:
        self.closed = True


def exchanged(*pieces: bytes) -> tuple[Response | str, bool]:
    """Returns what came of an answer in these pieces, and whether the connection was closed over it."""
    come = Pieces(*pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connecting, "_made", lambda *_: come)
        try:
            return Connection(Address("x", 1, secure=False)).exchange(request(), in_long()), come.closed
        except NoAnswer as error:
            return str(error), come.closed


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"

ANSWERS: dict[str, tuple[bytes, Response]] = {
    "with its length": (
        b"HTTP/1.1 200 OK\r\nX-Amzn-RequestId:  a:b \r\nContent-Length: 2\r\n\r\n{}",
        Response(200, {"x-amzn-requestid": "a:b", "content-length": "2"}, b"{}"),
    ),
    "empty": (b"HTTP/1.1 400 \r\ncontent-length:0\r\n\r\n", Response(400, {"content-length": "0"}, b"")),
    "without a reason": (
        b"HTTP/1.1 503\r\ncontent-length: 1\r\n\r\nx",
        Response(503, {"content-length": "1"}, b"x"),
    ),
    "chunked": (
        CHUNKED + b"3\r\nabc\r\n00A\r\n\r\n23456\r\n9\r\n0\r\n\r\n",
        Response(200, {"transfer-encoding": "Chunked"}, b"abc\r\n23456\r\n9"),
    ),
    "chunked with extensions and trailers": (
        CHUNKED + b'1;a="b;c"\r\nx\r\n1 ; d\r\ny\r\n0;e\r\nX-One: 1\r\nX-Two: 2\r\n\r\n',
        Response(200, {"transfer-encoding": "Chunked"}, b"xy"),
    ),
    "chunked and empty": (CHUNKED + b"0\r\n\r\n", Response(200, {"transfer-encoding": "Chunked"}, b"")),
    "announced": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
        Response(200, {"content-length": "2"}, b"[]"),
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_whatever_form_it_has(name: str) -> None:
    come, expected = ANSWERS[name]
    assert exchanged(come) == (expected, False)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(1, 150)))
@example("chunked with extensions and trailers", list(range(200)))
def test_in_whatever_pieces_an_answer_comes_it_is_the_same(name: str, cuts: list[int]) -> None:
    come, expected = ANSWERS[name]
    ends = sorted({0, *cuts, len(come)})
    pieces = [come[start:end] for start, end in pairwise(ends)]
    assert exchanged(*pieces) == (expected, False)


def test_a_large_answer_is_read_whole() -> None:
    body = bytes(range(256)) * 40_000
    chunks = [body[start : start + 77_777] for start in range(0, len(body), 77_777)]
    chunked = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks) + b"0\r\n\r\n"

    def talk(peer: Peer) -> None:
        peer.request()
        peer.send(answer(body))
        peer.request()
        peer.send(chunked)
        peer.wait_for_the_end()

    with RawService(talk) as service:
        kept = to(service)
        digests = [hashlib.sha256(kept.exchange(request(), in_long()).body).digest() for _ in range(2)]
        assert digests == [hashlib.sha256(body).digest()] * 2


@pytest.mark.parametrize("said", [b"close", b"Close"])
def test_a_connection_that_the_service_wants_closed_is_not_used_again(said: bytes) -> None:
    def talk(peer: Peer) -> None:
        body = peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nconnection: %b\r\ncontent-length: 1\r\n\r\n%b" % (said, body))
        assert peer.is_left()

    with RawService(talk) as service:
        kept = to(service)
        for body in (b"1", b"2"):
            assert kept.exchange(request(body), in_long()).body == body
        assert service.connections == 2


def test_a_connection_on_which_more_has_come_is_not_used_again() -> None:
    # What follows would be taken for the answer to the next request.
    answered, closed = exchanged(answer(b"{}") + answer(CANARY))
    assert isinstance(answered, Response)
    assert (answered.body, closed) == (b"{}", True)


HUGE = b"9" * 30
NO_ANSWERS: dict[str, tuple[bytes, str]] = {
    "of HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}", "ValueError"),
    "of HTTP/2": (b"HTTP/2 200\r\ncontent-length: 2\r\n\r\n{}", "ValueError"),
    "no HTTP": (CANARY + b"\r\n\r\n", "ValueError"),
    "nothing of a status": (b"HTTP/1.1\r\n\r\n", "ValueError"),
    "a short status": (b"HTTP/1.1 20 OK\r\n\r\n", "ValueError"),
    "a signed status": (b"HTTP/1.1 +20 OK\r\n\r\n", "ValueError"),
    "a status in words": (b"HTTP/1.1 yes OK\r\n\r\n", "ValueError"),
    "a superscript status": (b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n", "ValueError"),
    "no length": (b"HTTP/1.1 200 OK\r\n\r\n{}", "ValueError"),
    "an empty length": (b"HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n{}", "ValueError"),
    "a negative length": (b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}", "ValueError"),
    "a signed length": (b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\n{}", "ValueError"),
    "a length with an underscore": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 1_0\r\n\r\n0123456789",
        "ValueError",
    ),
    "a length in words": (b"HTTP/1.1 200 OK\r\ncontent-length: " + CANARY + b"\r\n\r\n{}", "ValueError"),
    "a superscript length": (b"HTTP/1.1 200 OK\r\ncontent-length: \xb2\r\n\r\n{}", "ValueError"),
    "a huge length": (b"HTTP/1.1 200 OK\r\ncontent-length: " + HUGE + b"\r\n\r\n{}", "ValueError"),
    "a length over the most": (
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        "ValueError",
    ),
    "less than it says": (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}", "no answer in time"),
    "an endless line": (b"HTTP/1.1 200 OK\r\nx: " + CANARY * 10_000, "ValueError"),
    "endless lines": (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * (MAX_HEAD_BYTES // 4), "ValueError"),
    "a chunk without a size": (CHUNKED + b"\r\nabc\r\n0\r\n\r\n", "ValueError"),
    "a chunk of a negative size": (CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n", "ValueError"),
    "a chunk of a signed size": (CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n", "ValueError"),
    "a chunk of a size with 0x": (CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", "ValueError"),
    "a chunk of a size with an underscore": (CHUNKED + b"0_3\r\nabc\r\n0\r\n\r\n", "ValueError"),
    "a chunk of a size in words": (CHUNKED + CANARY + b"\r\nabc\r\n0\r\n\r\n", "ValueError"),
    "a chunk over the most": (CHUNKED + b"fffffffff\r\n", "ValueError"),
    "chunks over the most": (
        CHUNKED + b"1\r\nx\r\n%x\r\n" % MAX_BODY_BYTES,
        "ValueError",
    ),
    "a chunk longer than it says": (CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", "ValueError"),
    "a chunk without its end": (CHUNKED + b"3\r\nabcde0\r\n\r\n", "ValueError"),
    "an endless size of a chunk": (CHUNKED + b"3;" + b"x" * 3 * MAX_HEAD_BYTES, "ValueError"),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_is_no_answer_is_told_by_its_kind_alone_and_ends_the_connection(name: str) -> None:
    # failure matrix: 43
    come, kind = NO_ANSWERS[name]
    pieces = [come[start : start + (1 << 15)] for start in range(0, len(come), 1 << 15)]
    assert exchanged(*pieces) == (kind, True)


def test_after_no_answer_the_peer_sees_the_connection_closed() -> None:
    closed = threading.Event()

    def talk(peer: Peer) -> None:
        peer.request()
        peer.send(CANARY + b"\r\n\r\n")
        if peer.is_left():
            closed.set()

    with RawService(talk) as service:
        with given_up("ValueError"):
            to(service).exchange(request(), in_long())
        assert closed.wait(PATIENCE_SECONDS)


def test_an_answer_that_something_interrupts_is_not_taken_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Interrupted(Pieces):
        def recv(self, most: int) -> bytes:
            raise KeyboardInterrupt

    come = Interrupted()
    monkeypatch.setattr(connecting, "_made", lambda *_: come)
    kept = Connection(Address("x", 1, secure=False))
    with pytest.raises(KeyboardInterrupt):
        kept.exchange(request(), in_long())
    assert come.closed


def test_a_send_that_has_to_read_first_goes_on_when_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    # As when the other side of a TLS connection asks for new keys in the middle of a request.
    class Asking(Pieces):
        asked = False

        def send(self, content: memoryview) -> int:
            if not self.asked:
                self.asked = True
                raise ssl.SSLWantReadError
            return super().send(content)

    monkeypatch.setattr(connecting, "_made", lambda *_: Asking(answer(b"1")))
    kept = Connection(Address("x", 1, secure=False))
    assert kept.exchange(request(), in_long()).body == b"1"


def test_a_connection_whose_end_can_not_be_told_is_over_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stubborn(Pieces):
        def close(self) -> None:
            raise OSError

    sockets = [Stubborn(answer(b"1"), answer(b"unasked")), Pieces(answer(b"2"))]
    monkeypatch.setattr(connecting, "_made", lambda *_: sockets.pop(0))
    kept = Connection(Address("x", 1, secure=False))
    assert [kept.exchange(request(), in_long()).body for _ in range(2)] == [b"1", b"2"]


def test_an_answer_shows_no_body_where_it_is_printed() -> None:
    assert repr(Response(200, {}, CANARY)) == "Response(status=200, headers={})"


# ── trust ────────────────────────────────────────────────────────────────────────────────────────────────

# "SHA-256 Hash of Subject Public Key Information", https://www.amazontrust.com/repository, November 2026.
PUBLISHED_KEYS = {
    "Amazon Root CA 1": "fbe3018031f9586bcbf41727e417b7d1c45c2f47f93be372a17b96b50757d5a2",
    "Amazon Root CA 2": "7f4296fc5b6a4e3b35d3c369623e364ab1af381d8fa7121533c9d6c633ea2461",
    "Amazon Root CA 3": "36abc32656acfc645c61b71613c4bf21c787f5cabbee48348d58597803d7abc9",
    "Amazon Root CA 4": "f7ecded5c66047d28ed6466b543c40e0743abe81d109254dcf845d4c2c7853c5",
    "Starfield Services Root Certificate Authority - G2": (
        "2b071c59a0a0ae76b0eadb2bad23bad4580b69c3601b630c2eaf0613afa83f92"
    ),
}

REPLACED_WITHIN_SECONDS = 2 * 365 * 86_400


def named(bundle: Path) -> dict[str, tuple[bytes, float]]:
    """Returns those certificates of a bundle that have one of the five names, each with when it ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(bundle)
    found: dict[str, tuple[bytes, float]] = {}
    for der, told in zip(context.get_ca_certs(binary_form=True), context.get_ca_certs(), strict=True):
        words = str(told["subject"])
        for name in PUBLISHED_KEYS:
            if f"'{name}'" in words:
                found[name] = der, ssl.cert_time_to_seconds(str(told["notAfter"]))
    return found


def public_key_info(certificate: bytes) -> bytes:
    """Returns the subject's public key, as RFC 5280 has it, from a certificate in DER."""
    to_be_signed = parts_of(next(parts_of(next(parts_of(certificate))[0]))[0])
    _version, _serial, _signed_by, _issuer, _validity, _subject, key, *_ = to_be_signed
    return key[1]


def parts_of(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields each value of a DER sequence: what it holds, and the whole of it."""
    place = 0
    while place < len(content):
        length, start = content[place + 1], place + 2
        if length > 127:  # of the bytes that say the length
            start += length - 128
            length = int.from_bytes(content[place + 2 : start])
        yield content[start : start + length], content[place : start + length]
        place = start + length


OURS = named(connecting._ROOTS)


def test_the_roots_are_the_five_that_amazon_publishes() -> None:
    keys = {name: hashlib.sha256(public_key_info(der)).hexdigest() for name, (der, _) in OURS.items()}
    assert keys == PUBLISHED_KEYS
    assert connecting._ROOTS.read_bytes().count(b"BEGIN CERTIFICATE") == len(PUBLISHED_KEYS)


def test_the_roots_are_the_same_as_in_a_common_bundle() -> None:
    assert named(Path(certifi.where())) == OURS


@pytest.mark.parametrize("name", PUBLISHED_KEYS)
def test_no_root_ends_before_it_can_be_replaced(name: str) -> None:
    _, ends_at = OURS[name]
    assert ends_at > time.time() + REPLACED_WITHIN_SECONDS


def test_only_the_roots_are_trusted_and_names_are_checked() -> None:
    context = Trust(connecting._ROOTS).context()
    assert len(context.get_ca_certs()) == len(PUBLISHED_KEYS)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    folder = tmp_path_factory.mktemp("certificates")
    return make_certificates(folder), folder / AUTHORITY


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> Trust:
    """A process that has trusted nobody yet."""
    made = Trust(connecting._ROOTS)
    monkeypatch.setattr(connecting, "trust", made)
    return made


@pytest.fixture
def tls(
    certificates: tuple[ssl.SSLContext, Path], trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> ssl.SSLContext:
    """A server's context, whose authority is trusted."""
    context, authority = certificates
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
    return context


def system_trusts(authorities: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")


def test_an_authority_that_nobody_trusts_is_refused_and_the_systems_are_tried_once(
    certificates: tuple[ssl.SSLContext, Path], trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    system_trusts(connecting._ROOTS, monkeypatch)
    with RawService(answering, context=certificates[0]) as service:
        for connections in (2, 3, 4):
            with given_up("SSLCertVerificationError"):
                to(service, secure=True).exchange(request(CANARY), in_long())
            assert service.connections == connections
        assert service.requests == []


def test_an_authority_of_the_systems_is_trusted_where_the_five_roots_do_not_do(
    certificates: tuple[ssl.SSLContext, Path], trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = certificates
    system_trusts(authority, monkeypatch)
    with RawService(answering, context=context) as service:
        for connections in (2, 3):  # the second one knows at once
            assert to(service, secure=True).exchange(request(b"x"), in_long()).body == b"x"
            assert service.connections == connections
        assert service.requests == [b"x", b"x"]


def test_two_connections_that_find_out_at_once_are_both_made(
    certificates: tuple[ssl.SSLContext, Path], trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    system_trusts(certificates[1], monkeypatch)
    tried = trust.context()
    assert [trust.widen(tried), trust.widen(tried), trust.widen(trust.context())] == [True, True, False]


def test_a_bundle_of_ones_own_replaces_all_authorities_and_is_never_widened(
    certificates: tuple[ssl.SSLContext, Path], trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = certificates
    system_trusts(authority, monkeypatch)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(connecting._ROOTS))
    with RawService(answering, context=context) as service:
        for connections in (1, 2):
            with given_up("SSLCertVerificationError"):
                to(service, secure=True).open(in_long())
            assert service.connections == connections


def test_a_bundle_of_ones_own_is_trusted(tls: ssl.SSLContext, trust: Trust) -> None:
    with RawService(answering, context=tls) as service:
        assert to(service, secure=True).exchange(request(b"x"), in_long()).body == b"x"
    assert len(trust.context().get_ca_certs()) == 1


def test_a_bundle_that_is_not_there_is_told_by_its_kind_however_often(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/canary/bundle.pem")
    with RawService(answering) as service:
        kept = to(service, secure=True)
        for _ in range(MAX_CONNECTING + 1):
            with given_up("FileNotFoundError"):
                kept.open(in_long())


def test_a_certificate_for_another_host_is_refused(tls: ssl.SSLContext, names: HangingNames) -> None:
    names.released.set()
    with RawService(answering, context=tls) as service:
        with given_up("SSLCertVerificationError"):
            to(service, host="another.example", secure=True).exchange(request(CANARY), in_long())
        assert to(service, host="localhost", secure=True).exchange(request(b"x"), in_long()).body == b"x"
        assert service.requests == [b"x"]
