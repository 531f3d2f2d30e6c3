"""The webhook function: the HTTP API's event in, its response out, and 503 for whatever goes wrong."""

import base64
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any, NoReturn

import pytest

import bookings
from bookings import bootstrap
from bookings.counts import Count
from bookings.observability import count
from bookings.settings import SettingsError
from bookings.use_cases.receive import Request
from bookings.zoom.events import CREATED
from tests.cold_start import REFUSES_CONNECTIONS, SETTINGS, load_app
from tests.door import Door
from tests.fakes import DENIED, HANGS, REFUSES, UNREACHABLE, Trouble
from tests.printed import Printed
from tests.samples import REQUEST_ID, canceled, created, raw, signed

pytestmark = pytest.mark.usefixtures("printed")

PACKAGE = str(Path(bookings.__file__).parent)
CONTEXT = SimpleNamespace(
    function_name="webhook",
    memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:webhook",
    aws_request_id="52fdfc07-2182-154f-163f-5f0f9a621d72",
)


@pytest.fixture
def door() -> Door:
    return Door(also_count=count)


@pytest.fixture
def app(door: Door, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The function after a cold start."""
    monkeypatch.setattr(bootstrap, "receiver", lambda: door.receiver)
    return load_app("webhook")


def event(request: Request, *, encoded: bool = False, upper: bool = False) -> dict[str, Any]:
    """Returns a request as the HTTP API hands it over, payload format 2.0."""
    body = request.body or b""
    headers = {name.title() if upper else name: value for name, value in request.headers.items()}
    return {
        "version": "2.0",
        "routeKey": "POST /webhooks/zoom",
        "rawPath": "/webhooks/zoom",
        "rawQueryString": "",
        "headers": headers | {"clientid": "canary-client-id", "user-agent": "Zoom Marketplace/1.0a"},
        "requestContext": {"http": {"method": "POST", "sourceIp": "127.0.0.1"}, "requestId": "gateway-id"},
        "body": base64.b64encode(body).decode() if encoded else body.decode(),
        "isBase64Encoded": encoded,
    }


def invoke(app: ModuleType, lambda_event: dict[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = app.lambda_handler(lambda_event, CONTEXT)
    return response


# failure matrix: 35
@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("upper", [False, True])
def test_a_delivery_is_verified_by_its_raw_bytes_and_answered_with_itself(
    app: ModuleType, door: Door, encoded: bool, upper: bool
) -> None:
    body = raw(created(summary="Zoë 🚗 \\u00e9"))
    response = invoke(app, event(signed(body, door.clock.now()), encoded=encoded, upper=upper))
    assert response == {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": body.decode(),
    }
    assert door.bus.published[0].detail.encode() == body


def test_a_204_has_no_body_and_no_content_type(app: ModuleType, door: Door) -> None:
    response = invoke(app, event(signed(raw({"event": "meeting.started"}), door.clock.now())))
    assert response == {"statusCode": 204}


def test_a_refusal_is_problem_details(app: ModuleType, door: Door) -> None:
    response = invoke(app, event(Request({}, b"{}")))
    assert response["statusCode"] == 401
    assert response["headers"] == {"content-type": "application/problem+json"}
    assert json.loads(response["body"])["title"] == "Unauthorized"


# failure matrix: 35
@pytest.mark.parametrize(
    "body", ["not base64!", "Zm9v!", "Zm9v\n", "YQ", "YQ==YQ==", "Zm9v\nYmFy", "é", "YQ="]
)
def test_broken_base64_is_answered_401(app: ModuleType, door: Door, body: str) -> None:
    broken = event(signed(b"foo", door.clock.now()), encoded=True) | {"body": body}
    assert invoke(app, broken)["statusCode"] == 401
    assert door.service_calls == 0


# failure matrix: 35
def test_a_header_that_came_twice_in_different_case_is_joined_and_refused(
    app: ModuleType, door: Door
) -> None:
    twice = event(signed(raw(created()), door.clock.now()))
    twice["headers"]["X-Zm-Signature"] = twice["headers"]["x-zm-signature"]
    request = app.to_request(twice)
    assert request.headers["x-zm-signature"].count("v0=") == 2
    assert invoke(app, twice)["statusCode"] == 401


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"headers": None},
        {"headers": {}, "body": None},
        {"headers": {}, "body": "", "isBase64Encoded": True},
    ],
)
def test_an_event_without_headers_or_body_is_answered_401(
    app: ModuleType, door: Door, strange: dict[str, Any]
) -> None:
    assert invoke(app, strange)["statusCode"] == 401


# failure matrix: 34
@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize(("size", "status"), [(720_000, 401), (720_001, 413), (4_000_000, 413)])
def test_the_cap_is_on_the_raw_bytes(
    app: ModuleType, door: Door, encoded: bool, size: int, status: int
) -> None:
    assert invoke(app, event(Request({}, b"x" * size), encoded=encoded))["statusCode"] == status


def test_the_cap_counts_bytes_and_not_characters(app: ModuleType, door: Door) -> None:
    assert invoke(app, event(Request({}, "é".encode() * 360_001)))["statusCode"] == 413


def test_the_log_tells_what_became_of_a_delivery(app: ModuleType, door: Door, printed: Printed) -> None:
    invoke(app, event(signed(raw(created()), door.clock.now())))
    (line,) = printed.logs()
    assert (line["message"], line["level"]) == ("answered", "INFO")
    assert (line["status"], line["outcome"], line["zoom_event"]) == (200, "published", CREATED)
    assert line["zoom_request_id"] == REQUEST_ID
    assert line["booking_id"].startswith("evt-1-")
    assert line["function_request_id"] == CONTEXT.aws_request_id


# -- Whatever goes wrong ----------------------------------------------------------------------------------


class _Injected(Exception):
    pass


# failure matrix: 49
@pytest.mark.parametrize(
    "error", [ZeroDivisionError("canary"), KeyError("canary"), MemoryError(), RecursionError()]
)
def test_an_unexpected_error_is_answered_503_without_detail(
    app: ModuleType, door: Door, monkeypatch: pytest.MonkeyPatch, printed: Printed, error: Exception
) -> None:
    def fail(_: Request) -> NoReturn:
        raise error

    monkeypatch.setattr(door.receiver, "receive", fail)
    response = invoke(app, event(Request({}, b"")))
    assert response["statusCode"] == 503
    assert response["headers"] == {"content-type": "application/problem+json"}
    assert "canary" not in response["body"]
    assert type(error).__name__ not in response["body"]
    logged, answered = printed.logs()
    assert (logged["message"], logged["level"], logged["error"]) == (
        "unexpected error",
        "ERROR",
        type(error).__name__,
    )
    assert (answered["status"], answered["outcome"]) == (503, "unexpected_error")
    assert "canary" not in printed.text()
    (counted,) = printed.metrics()
    assert counted[Count.UNEXPECTED_ERROR] == [1.0]


# failure matrix: 49
@pytest.mark.parametrize(
    "strange", [{"headers": 7}, {"headers": {"a": "b"}, "body": 7}, {"headers": {7: "b"}}]
)
def test_an_event_that_no_gateway_sends_is_answered_503(app: ModuleType, strange: dict[str, Any]) -> None:
    assert invoke(app, strange)["statusCode"] == 503


@contextmanager
def each_line_of_ours(app: ModuleType, seen: Callable[[str], None]) -> Iterator[None]:
    """Calls with the file's name before each line of our package and of the function, in the order they run.

    By the interpreter's monitoring and not by a trace function: coverage has that one.
    """
    tool = next(number for number in range(6) if sys.monitoring.get_tool(number) is None)

    def line(code: CodeType, _line: int) -> None:
        if code.co_filename.startswith(PACKAGE) or code.co_filename == app.__file__:
            seen(code.co_filename)

    sys.monitoring.use_tool_id(tool, "tests")
    sys.monitoring.register_callback(tool, sys.monitoring.events.LINE, line)
    sys.monitoring.set_events(tool, sys.monitoring.events.LINE)
    try:
        yield
    finally:
        sys.monitoring.set_events(tool, 0)
        sys.monitoring.register_callback(tool, sys.monitoring.events.LINE, None)
        sys.monitoring.free_tool_id(tool)


DELIVERIES = {
    "published": (created(), False),
    "carried by the fallback": (canceled(), True),
    "quarantined": (created(invitee_email=7), False),
    "published with no model": ({"event": "scheduler.other"}, False),
    "a challenge": ({"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}}, False),
}


# failure matrix: 8, 49
@pytest.mark.parametrize(("body", "bus_down"), DELIVERIES.values(), ids=DELIVERIES)
def test_an_exception_at_any_line_is_answered_503_or_escapes(
    app: ModuleType, body: dict[str, Any], bus_down: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that escapes is the gateway's own 5xx, so Zoom tries again as well.

    Only the handler's own lines around its one catch let one escape.
    """

    def run(fail_at: int) -> tuple[int, int | None, str]:
        """Returns how many lines ran, the status, None where the error escaped, and where it was raised."""
        door = Door(also_count=count)  # it reads its secret within the request, so that this fails too
        door.bus.trouble = DENIED if bus_down else None
        monkeypatch.setattr(app, "receiver", door.receiver)
        lambda_event = event(signed(raw(body), door.clock.now()))
        ran, where = 0, ""

        def seen(name: str) -> None:
            nonlocal ran, where
            ran += 1
            if ran == fail_at:
                where = name
                raise _Injected

        try:
            with each_line_of_ours(app, seen):
                status = invoke(app, lambda_event)["statusCode"]
        except _Injected:
            return ran, None, where
        return ran, status, where

    lines_run, answered, _ = run(fail_at=0)
    assert answered in (200, 400)
    assert lines_run > 50
    for fail_at in itertools.count(1):
        ran, status, where = run(fail_at)
        if ran < fail_at:
            break
        assert status == 503 or (status is None and where == app.__file__), (fail_at, where, status)


# -- What is told of a delivery ---------------------------------------------------------------------------


def fail_like_a_bug(*_: object) -> NoReturn:
    raise KeyError("canary")


def full_of_canaries(body: dict[str, Any]) -> dict[str, Any]:
    """Returns a body with a canary in every text but the event's name and id."""

    def canary(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: canary(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [canary(item) for item in value]
        return "canary" if isinstance(value, str) and name not in {"event", "event_id"} else value

    filled: dict[str, Any] = canary(body)
    return filled


# failure matrix: 43
@pytest.mark.parametrize("make", [created, canceled])
@pytest.mark.parametrize(
    "outcome", ["published", "fallback", "quarantined", "refused", "503", "bug", "broken"]
)
@pytest.mark.parametrize("log_event", ["false", "true"])
def test_nothing_personal_and_no_secret_is_in_log_or_metrics(
    door: Door,
    printed: Printed,
    monkeypatch: pytest.MonkeyPatch,
    make: Any,
    outcome: str,
    log_event: str,
) -> None:
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", log_event)
    monkeypatch.setattr(bootstrap, "receiver", lambda: door.receiver)
    secret = "canary-secret-of-22-ch"
    door.secret.store(secret)
    body = full_of_canaries(make(tracking={"utm_source": "x"}, meeting_notes="x", payment={"iban": "x"}))
    if outcome == "fallback":
        door.bus.trouble = DENIED
    if outcome == "503":
        door.bus.trouble = HANGS
        door.queues.in_trouble(DENIED)
    if outcome == "quarantined":
        body["payload"]["object"]["rescheduled"] = "canary"
    if outcome == "bug":
        monkeypatch.setattr(door.bus, "_call", fail_like_a_bug)
    content = b"canary" + raw(body) if outcome == "broken" else raw(body)
    request = signed(content, door.clock.now(), secret="x" * 22 if outcome == "refused" else secret)
    response = invoke(load_app("webhook"), event(request))
    expected = {"published": 200, "fallback": 200, "quarantined": 400, "refused": 401, "broken": 400}
    assert response["statusCode"] == expected.get(outcome, 503)
    text = printed.text()
    assert "CloudWatchMetrics" in text
    assert "canary" not in text
    assert request.headers["x-zm-signature"].removeprefix("v0=") not in text
    if response["statusCode"] != 200:
        assert "canary" not in response["body"]


def test_each_invocation_prints_its_own_counts(app: ModuleType, printed: Printed) -> None:
    for _ in range(2):
        invoke(app, event(Request({}, b"")))
    assert [line[Count.SIGNATURE_MALFORMED] for line in printed.metrics()] == [[1.0], [1.0]]


# -- The start --------------------------------------------------------------------------------------------


def test_start_reads_the_secret_for_the_first_delivery(app: ModuleType, door: Door) -> None:
    assert (door.secret.calls, door.service_calls) == (1, 0)
    assert invoke(app, event(signed(raw(created()), door.clock.now())))["statusCode"] == 200
    assert door.secret.calls == 1


# failure matrix: 30
@pytest.mark.parametrize("trouble", [HANGS, DENIED, UNREACHABLE, REFUSES])
def test_start_succeeds_while_the_secret_cannot_be_read(
    door: Door, monkeypatch: pytest.MonkeyPatch, trouble: Trouble
) -> None:
    door.secret.trouble = trouble
    monkeypatch.setattr(bootstrap, "receiver", lambda: door.receiver)
    app = load_app("webhook")
    delivery = event(signed(raw(created()), door.clock.now()))
    assert invoke(app, delivery)["statusCode"] == 503
    door.secret.trouble = None
    assert invoke(app, delivery)["statusCode"] == 200


# failure matrix: 49
def test_start_succeeds_though_the_read_of_the_secret_has_a_bug(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door.secret, "_call", fail_like_a_bug)
    monkeypatch.setattr(bootstrap, "receiver", lambda: door.receiver)
    app = load_app("webhook")
    assert invoke(app, event(signed(raw(created()), door.clock.now())))["statusCode"] == 503


def test_any_other_error_fails_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "receiver", fail_like_a_bug)
    with pytest.raises(KeyError):
        load_app("webhook")


# failure matrix: 30
def test_start_needs_no_service(monkeypatch: pytest.MonkeyPatch, printed: Printed) -> None:
    for name, value in SETTINGS["webhook"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", REFUSES_CONNECTIONS)
    app = load_app("webhook")
    assert invoke(app, event(signed(raw(created()), datetime.now(UTC))))["statusCode"] == 503
    assert printed.counts() == {Count.NOTHING_TO_VERIFY_WITH: 1}


@pytest.mark.parametrize("name", SETTINGS["webhook"])
def test_start_fails_on_a_wrong_setting_and_names_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for each, value in SETTINGS["webhook"].items():
        monkeypatch.setenv(each, value)
    monkeypatch.setenv(name, "")
    with pytest.raises(SettingsError, match=f"^{name} is not set$"):
        load_app("webhook")
