"""The load run's own instruments: the front, the generator, and the books they keep."""

import base64
import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contestants import FLOOR, Contestant
from benchmarks.execution import Command, FunctionFailed
from benchmarks.load import wrk
from benchmarks.load.bench import Behind, behind, generator_process
from benchmarks.load.black_holes import Case, ColdStart, Hole, Service, Stage, dead_endpoints
from benchmarks.load.deliveries import Deliveries, Kind, event_id, new_run
from benchmarks.load.figures import Latency, Level, level, percentile, settle
from benchmarks.load.front import AllBusy, Environments, Front, requests_of
from benchmarks.load.generator import Answer, GeneratorFailed, Order, Sent, generate
from benchmarks.load.local_stack import Arrived, StackRun
from benchmarks.load.process import Process, ProcessFailed, descendants_of
from benchmarks.load.report import Run, as_json, as_markdown, as_text
from benchmarks.load.soak import Memory, Soak, Window, windows_of
from benchmarks.packaging import PEERS
from benchmarks.stub import PUT_EVENTS, SEND_MESSAGE, TOKEN, Behaviour, Services, Stub
from bookings.zoom.delivery import identify
from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, verify
from tests.kills.artefact import ROOT

PATIENCE_SECONDS = 20
RUN = "a" * 14


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("figures", "percent", "expected"),
    [
        (range(1, 101), 50, 50),
        (range(1, 101), 99, 99),
        (range(1, 101), 99.9, 100),
        (range(1, 1_001), 99.9, 999),
        (range(1, 10_001), 99.9, 9_990),
        ([7], 50, 7),
        ([1, 2], 50, 1),
        ([1, 2, 3], 0, 1),
    ],
)
def test_a_percentile_is_the_least_figure_that_so_many_do_not_pass(
    figures: Any, percent: float, expected: float
) -> None:
    assert percentile(list(figures), percent) == expected


def test_no_figures_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no figures"):
        percentile([], 50)


def test_a_latency_is_told_in_milliseconds_whatever_the_order() -> None:
    assert Latency.of([3_000, 1_000, 2_000]) == Latency(p50=2.0, p99=3.0, p999=3.0, most=3.0)


def an_answer(number: int, status: int = 200, latency_us: int = 1_000, *, cold: bool = False) -> Answer:
    return Answer(number, status, latency_us, latency_us // 2, cold, 0.1)


def sent(*answers: Answer, unanswered: tuple[int, ...] = (), seconds: float = 1.0) -> Sent:
    return Sent(list(answers), list(unanswered), seconds, 0.1)


def ids(*numbers: int) -> dict[str, int]:
    return {event_id(RUN, number): 1 for number in numbers}


def test_a_delivery_that_was_taken_once_on_either_way_is_in_order() -> None:
    ledger = settle(RUN, [sent(an_answer(0), an_answer(1))], ids(0), ids(1))
    assert (ledger.kept, ledger.problems) == (2, [])


def test_a_delivery_that_was_answered_200_and_that_nobody_has_is_lost() -> None:
    ledger = settle(RUN, [sent(an_answer(0), an_answer(1))], ids(0))
    assert ledger.lost == (event_id(RUN, 1),)
    assert ledger.problems == [f"1 lost, such as {event_id(RUN, 1)}"]


@pytest.mark.parametrize("taken", [({event_id(RUN, 0): 2},), (ids(0), ids(0))], ids=["on one way", "on both"])
def test_a_delivery_that_was_taken_twice_is_told(taken: tuple[dict[str, int], ...]) -> None:
    assert settle(RUN, [sent(an_answer(0))], *taken).doubled == (event_id(RUN, 0),)


def test_what_the_fallback_took_because_the_bus_was_too_slow_is_explained() -> None:
    slow = an_answer(0)._replace(function_us=900_000)
    ledger = settle(RUN, [sent(slow)], ids(0), ids(0))
    assert (ledger.both_ways, ledger.doubled, ledger.problems) == ((event_id(RUN, 0),), (), [])
    twice_on_the_bus = {event_id(RUN, 0): 2}
    assert settle(RUN, [sent(slow)], twice_on_the_bus).doubled == (event_id(RUN, 0),)
    assert settle(RUN, [sent(slow)], twice_on_the_bus, ids(0)).doubled == (event_id(RUN, 0),)


def test_a_delivery_that_was_refused_or_not_answered_may_have_been_taken_or_not() -> None:
    found = [sent(an_answer(0, status=503), an_answer(1, status=503), unanswered=(2, 3))]
    assert settle(RUN, found, ids(1, 2)).problems == []


def test_what_was_taken_and_never_sent_is_told() -> None:
    assert settle(RUN, [sent(an_answer(0))], ids(0, 9)).strange == (event_id(RUN, 9),)


def test_a_level_tells_the_rate_and_the_cpu_of_each_delivery() -> None:
    found = sent(an_answer(0), an_answer(1, status=503, cold=True), unanswered=(2,), seconds=0.5)
    told = level("x", 2, found, cpu_seconds={"function": 0.004})
    assert told.per_second == 4
    assert told.cpu_ms == {"function": 2.0, "generator": 50.0}
    assert told.statuses == {200: 1, 503: 1}
    assert (told.unanswered, told.colds) == (1, 1)
    assert told.function == Latency(0.5, 0.5, 0.5, 0.5)


# ── the front ────────────────────────────────────────────────────────────────────────────────────────────


class FakeEnvironment:
    """An environment that answers when it is let, and finds out whether it is handed two events at once."""

    def __init__(self, number: int, let: Callable[[], object], *, fails: bool = False) -> None:
        self.pid = number
        self.closed = False
        self.events: list[Mapping[str, Any]] = []
        self._let = let
        self._fails = fails
        self._busy = threading.Lock()

    def wait_for_request(self) -> None:
        """It always waits for one."""

    def answer_to(self, event: Mapping[str, Any]) -> tuple[Any, float]:
        assert self._busy.acquire(blocking=False), "two events at once"
        try:
            self.events.append(event)
            self._let()
            if self._fails:
                raise FunctionFailed("no")
            answer = {"statusCode": 200, "headers": {"content-type": "text/x"}, "body": f"{self.pid}: é"}
            return answer, time.perf_counter()
        finally:
            self._busy.release()

    def end(self) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True


def at_once() -> None:
    """Lets an environment answer."""


class Held:
    """Holds environments back until so many are at work."""

    def __init__(self, parties: int) -> None:
        self.wait = threading.Barrier(parties, timeout=PATIENCE_SECONDS).wait


def in_threads(count: int, call: Callable[[], object]) -> None:
    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def test_an_idle_environment_answers_before_a_new_one_is_started() -> None:
    environments = Environments(lambda number: FakeEnvironment(number, at_once), most=5)
    invocations = [environments.invoke({}) for _ in range(3)]
    assert [each.answer["body"] for each in invocations] == ["1: é"] * 3
    assert [each.cold for each in invocations] == [True, False, False]


def test_where_all_are_busy_another_one_is_started_and_kept() -> None:
    held = Held(3)
    environments = Environments(lambda number: FakeEnvironment(number, held.wait), most=5)
    in_threads(3, lambda: environments.invoke({}))  # none goes on before three are at work
    in_threads(3, lambda: environments.invoke({}))
    assert environments.pids == [1, 2, 3]


def test_an_environment_has_one_event_at_a_time() -> None:
    made: list[FakeEnvironment] = []

    def start(number: int) -> FakeEnvironment:
        made.append(FakeEnvironment(number, lambda: time.sleep(0.001)))
        return made[-1]

    environments = Environments(start, most=8)
    in_threads(8, lambda: [environments.invoke({}) for _ in range(10)])
    assert sum(len(each.events) for each in made) == 80


def test_beyond_the_bound_an_event_is_refused() -> None:
    working, go_on = threading.Event(), threading.Event()

    def work() -> None:
        working.set()
        go_on.wait(PATIENCE_SECONDS)

    environments = Environments(lambda number: FakeEnvironment(number, work), most=1)
    thread = threading.Thread(target=environments.invoke, args=({},))
    thread.start()
    assert working.wait(PATIENCE_SECONDS)
    with pytest.raises(AllBusy):
        environments.invoke({})
    go_on.set()
    thread.join()
    environments.invoke({})


def test_an_environment_that_fails_is_ended_and_leaves_its_place() -> None:
    made: list[FakeEnvironment] = []

    def start(number: int) -> FakeEnvironment:
        made.append(FakeEnvironment(number, at_once, fails=number == 1))
        return made[-1]

    environments = Environments(start, most=1)
    with pytest.raises(FunctionFailed):
        environments.invoke({})
    assert made[0].closed
    assert environments.invoke({}).cold
    assert environments.pids == [2]


def test_an_environment_that_does_not_start_leaves_its_place() -> None:
    numbers = itertools.count()

    def start(number: int) -> FakeEnvironment:
        if next(numbers) == 0:
            raise FunctionFailed("no")
        return FakeEnvironment(number, at_once)

    environments = Environments(start, most=1)
    with pytest.raises(FunctionFailed):
        environments.invoke({})
    environments.invoke({})


def test_after_the_idle_ones_are_ended_the_next_is_cold() -> None:
    made: list[FakeEnvironment] = []

    def start(number: int) -> FakeEnvironment:
        made.append(FakeEnvironment(number, at_once))
        return made[-1]

    environments = Environments(start, most=1)
    environments.invoke({})
    environments.end_idle()
    assert made[0].closed
    assert environments.invoke({}).cold


@contextlib.contextmanager
def served(environments: Environments) -> Iterator[int]:
    front = Front(environments)
    front.start()
    try:
        yield front.port
    finally:
        front.close()
        environments.end()


def test_the_front_hands_over_a_request_as_the_http_api_does_and_keeps_the_connection() -> None:
    environment = FakeEnvironment(1, at_once)
    with served(Environments(lambda _: environment, most=1)) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        for body in ('{"ä": 1}'.encode(), b"\xff"):
            connection.request("POST", "/webhooks/zoom", body, {"X-Zm-Request-Id": "r"})
            answer = connection.getresponse()
            assert (answer.status, answer.read().decode()) == (200, "1: é")
            assert answer.getheader("content-type") == "text/x"
            assert int(answer.getheader("x-function-us", "-1")) >= 0
        connection.request("GET", "/webhooks/zoom")
        assert connection.getresponse().status == 404
    first, second = environment.events
    assert (first["version"], first["routeKey"]) == ("2.0", "POST /webhooks/zoom")
    assert first["headers"]["x-zm-request-id"] == "r"
    assert (first["body"], first["isBase64Encoded"]) == ('{"ä": 1}', False)
    assert (base64.b64decode(second["body"]), second["isBase64Encoded"]) == (b"\xff", True)
    assert abs(first["requestContext"]["timeEpoch"] / 1000 - time.time()) < 60


@pytest.mark.parametrize(("most", "status"), [(0, 503), (1, 500)])
def test_the_front_answers_what_the_gateway_would_where_no_function_does(most: int, status: int) -> None:
    failing = Environments(lambda number: FakeEnvironment(number, at_once, fails=True), most)
    with served(failing) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        connection.request("POST", "/webhooks/zoom", b"{}")
        answer = connection.getresponse()
        assert answer.status == status
        assert json.loads(answer.read()).keys() == {"message"}


# ── deliveries and their generator ───────────────────────────────────────────────────────────────────────


def parts_of(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    return {name: value for name, _, value in (line.partition(": ") for line in lines)}, body


def test_each_delivery_is_signed_now_and_of_a_booking_of_its_own() -> None:
    run = new_run()
    deliveries = Deliveries("127.0.0.1", "/webhooks/zoom", TOKEN, run)
    found = set()
    for number in range(3):
        headers, body = parts_of(deliveries.request(number))
        assert int(headers["content-length"]) == len(body)
        assert abs(int(headers[TIMESTAMP_HEADER]) - time.time()) < 60
        assert verify([TOKEN], headers[SIGNATURE_HEADER], headers[TIMESTAMP_HEADER], body) == TOKEN
        content = json.loads(body)
        assert content["payload"]["object"]["scheduled_event"]["event_id"] == event_id(run, number)
        assert abs(content["event_ts"] / 1000 - time.time()) < 60
        found.add(identify(content).booking_id)
    assert len(found) == 3


def test_an_unusable_delivery_is_signed_and_has_no_event_id() -> None:
    headers, body = parts_of(Deliveries("h", "/", TOKEN, RUN, Kind.UNUSABLE).request(1))
    assert verify([TOKEN], headers[SIGNATURE_HEADER], headers[TIMESTAMP_HEADER], body)
    assert "event_id" not in json.loads(body)["payload"]["object"]["scheduled_event"]


class Server:
    """Answers requests on loopback, in a thread a connection, and knows how many it had at once."""

    def __init__(self, answer: Callable[[int], bytes]) -> None:
        self.bodies: list[bytes] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            for _, _, body in requests_of(connection):
                with self._lock:
                    self._at_once += 1
                    self.most_at_once = max(self.most_at_once, self._at_once)
                    self.bodies.append(body)
                    number = len(self.bodies)
                answer = self._answer(number)
                with self._lock:
                    self._at_once -= 1
                if not answer:
                    return
                connection.sendall(answer)


OK = b"HTTP/1.1 200 -\r\nx-function-us: 12\r\ncontent-length: 2\r\n\r\n{}"


@contextlib.contextmanager
def server(answer: Callable[[int], bytes]) -> Iterator[Server]:
    serving = Server(answer)
    try:
        yield serving
    finally:
        serving.close()


def an_order(port: int, **more: Any) -> Order:
    return replace(Order("127.0.0.1", port, "/", TOKEN, RUN, connections=2, seconds=10.0), **more)


def test_the_generator_sends_each_number_once_over_so_many_connections() -> None:
    def slowly(_number: int) -> bytes:
        time.sleep(0.005)
        return OK

    with server(slowly) as serving:
        found = generate(an_order(serving.port, connections=3, each=5, first=100))
        assert serving.most_at_once == 3
    assert sorted(answer.number for answer in found.answers) == list(range(100, 115))
    assert found.next_number == 115
    assert len(set(serving.bodies)) == 15
    assert {(answer.status, answer.function_us) for answer in found.answers} == {(200, 12)}
    assert all(answer.latency_us >= 5_000 for answer in found.answers)


def test_the_generator_tells_what_had_no_answer_and_sends_nothing_twice() -> None:
    with server(lambda number: OK if number != 2 else b"") as serving:
        found = generate(an_order(serving.port, connections=1, each=4))
    assert found.unanswered == [1]
    assert sorted(answer.number for answer in found.answers) == [0, 2, 3]
    assert len(serving.bodies) == 4


def test_a_paced_generator_keeps_its_pace_and_counts_from_when_a_delivery_was_due() -> None:
    def once_late(number: int) -> bytes:
        time.sleep(0.25 if number == 1 else 0)
        return OK

    with server(once_late) as serving:
        found = generate(an_order(serving.port, connections=1, seconds=0.5, per_second=20.0))
    assert len(found.answers) == 10
    first, second = (answer.latency_us for answer in found.answers[:2])
    assert first > 250_000
    assert second > 150_000  # it was due 50 ms after the first, and had to wait for it


def test_the_generator_says_that_nothing_serves_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(GeneratorFailed, match="takes no connection"):
        generate(an_order(port))


def test_an_answer_of_unknown_length_is_no_measurement() -> None:
    with (
        server(lambda _: b"HTTP/1.1 200 -\r\n\r\n") as serving,
        pytest.raises(GeneratorFailed, match="length"),
    ):
        generate(an_order(serving.port))


def test_the_generators_ceiling_is_measured_against_a_server_that_answers_at_once() -> None:
    with Process("benchmarks.load.instant", {}, in_order=True) as instant:
        found = generate(an_order(instant.started["port"], connections=4, each=50))
    assert len(found.answers) == 200
    assert {answer.status for answer in found.answers} == {200}


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────


def front_order(folder: Path, logs: Path) -> dict[str, Any]:
    return {
        "arguments": [sys.executable, "-m", "awslambdaric", "app.lambda_handler"],
        "folder": str(folder),
        "environment": {"ZOOM_WEBHOOK_SECRET_TOKEN": TOKEN, "PYTHONDONTWRITEBYTECODE": "1"},
        "logs": str(logs),
        "most": 2,
    }


def test_a_function_behind_the_front_answers_under_its_runtime_client(tmp_path: Path) -> None:
    with Process("benchmarks.load.front", front_order(PEERS / "floor", tmp_path), in_order=True) as front:
        port = front.started["port"]
        found = generate(an_order(port, path="/webhooks/zoom", each=3, connections=2))
        (pids,) = front.ask({"do": "pids"}).values()
        assert sorted(descendants_of(front.pid)) == sorted(pids)
    assert {answer.status for answer in found.answers} == {200}
    assert 1 <= sum(answer.cold for answer in found.answers) == len(pids) <= 2
    assert all(0 < answer.function_us <= answer.latency_us for answer in found.answers)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


STARTER = f"""
import json, signal, sys, time
from benchmarks.load.generator import Order, generate
from benchmarks.load.process import Process

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it at first
with Process("benchmarks.load.front", json.loads(sys.argv[1]), in_order=True) as front:
    path, port = "/webhooks/zoom", front.started["port"]
    generate(Order("127.0.0.1", port, path, "{TOKEN}", "{RUN}", connections=2, seconds=10, each=1))
    print(json.dumps([front.pid, *front.ask({{"do": "pids"}})["pids"]]), flush=True)
    time.sleep({PATIENCE_SECONDS})
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_when_whoever_started_it_ends_in_whatever_way_no_process_is_left(
    number: signal.Signals, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, json.dumps(front_order(PEERS / "floor", tmp_path))],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout
        started = json.loads(process.stdout.readline())
        assert len(started) >= 2
        process.send_signal(number)
        process.wait(PATIENCE_SECONDS)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(map(runs, started)) and time.monotonic() < deadline:
        time.sleep(0.02)  # another process can't be waited for otherwise
    assert not any(map(runs, started))


def runs(pid: int) -> bool:
    """Tells whether a process runs; one that has ended may stay a zombie until somebody asks for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_process_that_refuses_an_order_or_ends_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Process("benchmarks.load.generator", {}) as generator:
        order = {"host": "127.0.0.1", "port": port, "path": "/", "token": TOKEN, "run": RUN}
        with pytest.raises(ProcessFailed, match="takes no connection"):
            generator.ask({**order, "connections": 1, "seconds": 1, "kind": Kind.CREATED})
        os.kill(generator.pid, signal.SIGKILL)
        with pytest.raises(ProcessFailed, match="has ended"):
            generator.ask({})


# ── the stub, and holes ──────────────────────────────────────────────────────────────────────────────────


def put_events(connection: http.client.HTTPSConnection, name: str) -> http.client.HTTPResponse:
    entry = {"Detail": json.dumps({"payload": {"object": {"scheduled_event": {"event_id": name}}}})}
    headers = {"x-amz-target": "AWSEvents.PutEvents", "content-type": "application/x-amz-json-1.1"}
    connection.request("POST", "/", json.dumps({"Entries": [entry]}), headers)
    return connection.getresponse()


@contextlib.contextmanager
def connected(stub: Stub, seconds: float = PATIENCE_SECONDS) -> Iterator[http.client.HTTPSConnection]:
    port = int(stub.url.rpartition(":")[2])
    context = ssl.create_default_context(cafile=str(stub.authority))
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=seconds, context=context)
    try:
        yield connection
    finally:
        connection.close()


def test_the_stub_takes_is_silent_hangs_up_and_tells_what_it_took() -> None:
    with Stub() as stub:
        with connected(stub) as connection:
            assert put_events(connection, "first").read()
            assert put_events(connection, "first").read()  # on the same connection
        stub.behave({PUT_EVENTS: Behaviour.SILENT})
        with connected(stub, 0.2) as connection, pytest.raises(TimeoutError):
            put_events(connection, "swallowed")
        stub.behave({PUT_EVENTS: Behaviour.HANGS_UP})
        with connected(stub) as connection:
            answer = put_events(connection, "second")
            assert (answer.status, answer.getheader("connection")) == (200, None)
            answer.read()
            assert connection.sock
            assert connection.sock.recv(1) == b""
        stub.behave({})
        assert stub.taken(PUT_EVENTS) == {"first": 2, "second": 1}
        assert stub.taken(SEND_MESSAGE) == {}
        assert stub.counts() == {"PutEvents": 4}
        stub.remember(False)
        assert stub.taken(PUT_EVENTS) == {}


def test_the_stub_knows_a_delivery_in_a_message_too() -> None:
    services = Services()
    body = json.dumps({"detail": {"payload": {"object": {"scheduled_event": {"event_id": "x"}}}}})
    services.answer("SendMessage", {"MessageBody": body})
    services.answer("SendMessage", {"MessageBody": "quarantined, in base64"})
    assert services.taken == {PUT_EVENTS: {}, SEND_MESSAGE: {"x": 1}}


def test_unreachable_address_swallows_and_mute_one_is_silent() -> None:
    with dead_endpoints(Hole.UNREACHABLE, (Service.EVENTS,)) as environment:
        (url,) = environment.values()
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 0.2)
    with dead_endpoints(Hole.MUTE, (Service.SQS,)) as environment:
        port = int(environment["AWS_ENDPOINT_URL_SQS"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 0.2) as connection:
            connection.sendall(b"x")
            with pytest.raises(TimeoutError):
                connection.recv(1)


@pytest.fixture
def floor_behind() -> Iterator[Behind]:
    """The bare floor, which answers 200 and publishes nothing, behind the front."""
    folder = PEERS / "floor"
    variables = {"ZOOM_WEBHOOK_SECRET_TOKEN": TOKEN, "PYTHONDONTWRITEBYTECODE": "1"}
    command = Command((sys.executable, "-m", "awslambdaric", "app.lambda_handler"), folder, variables)
    with (
        Stub() as stub,
        generator_process() as generator,
        behind(Contestant(FLOOR, command, folder), stub, generator, most=2) as front,
    ):
        yield front


def test_a_function_that_answers_200_and_publishes_nothing_loses_everything(floor_behind: Behind) -> None:
    floor_behind.warm(2)
    told, found = floor_behind.measure(2, 0.5)
    count = len(found.answers)
    assert told.statuses == {200: count}
    assert told.problems
    assert told.problems[0].startswith(f"{count} lost")
    assert told.cpu_ms.keys() == {"function", "front", "stub of AWS", "generator"}
    assert told.cpu_ms["function"] > told.cpu_ms["stub of AWS"]
    assert 1 <= told.processes <= 2
    floor_behind.end_idle()
    assert floor_behind.generator.send(1, each=1).answers[0].cold


@pytest.mark.skipif(not wrk.installed(), reason="wrk is not installed")
def test_wrk_sends_each_signed_delivery_and_loss_is_told(floor_behind: Behind) -> None:
    second = wrk.measure(floor_behind, 2, 1.0)
    assert second.answered > 20
    assert second.errors == 0  # a signature that doesn't fit is answered 401, an error
    assert second.problems == [f"{second.answered} lost"]
    assert second.latency.p50 <= second.latency.p99 <= second.latency.most


@pytest.mark.parametrize(
    ("errors", "taken", "problems"),
    [(0, 10, []), (0, 11, []), (0, 8, ["2 lost"]), (1, 10, ["1 errors"]), (1, 9, ["1 lost", "1 errors"])],
)
def test_what_wrk_counts_is_held_against_what_was_taken(errors: int, taken: int, problems: list[str]) -> None:
    second = wrk.Second(4, 10.0, Latency(1, 1, 1, 1), errors, answered=10, taken=taken)
    assert second.problems == problems


# ── the soak ─────────────────────────────────────────────────────────────────────────────────────────────


def test_memory_is_told_from_the_warm_up_on() -> None:
    flat = Memory.of([30.0, 40.0, 50.0, *[50.0] * 8], seconds_apart=10)
    assert (flat.start, flat.after_warm_up, flat.end, flat.most, flat.kb_a_minute) == (
        30.0,
        50.0,
        50.0,
        50.0,
        0.0,
    )
    growing = Memory.of([50.0 + number for number in range(11)], seconds_apart=10)
    assert growing.kb_a_minute == pytest.approx(6 * 1_024)
    assert growing.after_warm_up == 52.0


def test_a_window_holds_the_deliveries_of_its_slices() -> None:
    slices = [sent(an_answer(number, latency_us=number * 1_000)) for number in (1, 2, 3)]
    first, second = windows_of(slices, 2)
    assert (first.from_seconds, first.deliveries, first.latency.most) == (0, 2, 2.0)
    assert (second.from_seconds, second.deliveries, second.latency.most) == (20, 1, 3.0)


# ── the report ───────────────────────────────────────────────────────────────────────────────────────────

LATENCY = Latency(1.0, 2.0, 3.0, 4.0)
FINE = Level("ours: webhook", 4, 500.0, LATENCY, LATENCY, {200: 9}, 0, {"function": 2.0}, 4, 0, 0, [])
CASE = Case(Hole.MUTE, (Service.EVENTS,), 8, Stage.FIRST, {200: 8}, 0, 0.9, 4.0)
SOAK = Soak(
    60.0, [Window(0, 6_000, LATENCY)], [Memory(50, 51, 51, 52, 0.1, (50, 51, 52, 51))], [FINE], ended=False
)
START = ColdStart(Hole.SILENT, 200, 400.0, 900.0, in_queue=True)


def a_run(**more: Any) -> Run:
    run = Run(
        ceiling=replace(FINE, name="the generator alone", problems=None),
        levels=[FINE],
        trouble=[],
        second=None,
        stack=StackRun([FINE], [Arrived(200, 1.5)]),
        soak=SOAK,
        cold_starts=[START],
        cases=[CASE],
        command="make load SECONDS=60",
        machine="2 shared cores",
        load="0.1 before and 0.9 at the end",
        day="2026-11-25",
    )
    return replace(run, **more)


def test_a_run_in_order_says_so_and_how_to_repeat_it() -> None:
    report = as_markdown(a_run())
    assert "`make load SECONDS=60` on 2026-11-25: 2 shared cores. Load average" in report
    assert "| ours: webhook | 4 | 500 | 1.00 | 2.00 | 3.00 | 4.00 | 1.00 | 2.00 | 9 × 200 | 4 |" in report
    assert "wrk is not installed here" in report
    assert "Nothing: " in report
    assert "WRONG" not in as_text(a_run())


def test_what_ours_takes_over_the_floor_is_told_of_as_many_connections() -> None:
    floor = replace(FINE, name=FLOOR, latency=replace(LATENCY, p50=0.25), cpu_ms={"function": 0.5})
    run = a_run(levels=[FINE, replace(floor, connections=8), floor])
    assert "| 4 | 1.00 | 0.250 | 0.750 | 1.50 |" in as_markdown(run)
    assert "| 8 | 1.00 |" not in as_markdown(run)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"levels": [replace(FINE, problems=["1 lost, such as x"])]}, "4 connections: 1 lost"),
        ({"trouble": [replace(FINE, statuses={200: 8, 503: 1})]}, "answered 8 × 200, 1 × 503"),
        ({"levels": [replace(FINE, unanswered=2)]}, "2 without an answer"),
        ({"soak": replace(SOAK, levels=[replace(FINE, statuses={200: 8, 503: 1})])}, "answered 8 × 200, 1 ×"),
        ({"soak": replace(SOAK, ended=True)}, "a process of the function ended"),
        ({"cases": [replace(CASE, function_seconds=2.51)]}, "an answer after 2.51 s"),
        ({"cases": [replace(CASE, statuses={200: 7, 503: 1})]}, "answered 503 instead of 200"),
        ({"cold_starts": [replace(START, first_call_ms=2_501.0)]}, "an answer after 2,501 ms"),
        ({"cold_starts": [replace(START, in_queue=False)]}, "answered 200, and not in the queue"),
    ],
)
def test_what_is_wrong_is_told_first(more: dict[str, Any], told: str) -> None:
    run = a_run(**more)
    assert told in as_markdown(run).split("## From one")[0]
    assert f"WRONG: {run.problems[0]}" in as_text(run)
    assert json.loads(as_json(run))["problems"] == run.problems


@pytest.mark.parametrize(
    ("services", "stage", "status"),
    [
        ((Service.EVENTS,), Stage.FIRST, 200),
        ((Service.SQS,), Stage.WARM, 503),
        ((Service.SECRETS,), Stage.WARM, 200),
        ((Service.SECRETS,), Stage.SECOND, 503),
        (tuple(Service), Stage.WARM, 503),
    ],
)
def test_each_hole_has_its_right_answer(services: tuple[Service, ...], stage: Stage, status: int) -> None:
    assert replace(CASE, services=services, stage=stage, statuses={status: 8}).problems == []
    assert replace(CASE, services=services, stage=stage, statuses={418: 8}).problems
