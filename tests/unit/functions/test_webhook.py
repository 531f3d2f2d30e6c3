"""The webhook function: the HTTP API's event in, its response out, and 503 for any error."""

import base64
import itertools
import json
import sys
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

import pytest

import bookings
from bookings import bootstrap
from bookings.counts import Count
from bookings.observability import count
from bookings.use_cases.receive import Request
from bookings.zoom.events import CREATED
from tests.cold_start import load_app
from tests.fakes import DENIED, HANGS, REFUSES, UNREACHABLE, Trouble
from tests.monitored import monitored
from tests.printed import Printed
from tests.receiving import CHALLENGE, UNKNOWN, WRONG_SECRET, ReceiverUnderTest
from tests.samples import REQUEST_ID, SECRET, canceled, created, raw, signed

pytestmark = pytest.mark.usefixtures("printed")

PACKAGE = str(Path(bookings.__file__).parent)
BUG = Trouble(KeyError("canary"))  # type: ignore[arg-type]  # a bug, no service error
IDS = ("function_name", "memory_limit_in_mb", "invoked_function_arn", "aws_request_id")
CONTEXT = SimpleNamespace(**dict.fromkeys(IDS, "id"))


@pytest.fixture
def under_test(monkeypatch: pytest.MonkeyPatch) -> ReceiverUnderTest:
    under_test = ReceiverUnderTest(also_count=count)
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")  # never heeded: the event is personal
    monkeypatch.setattr(bootstrap, "receiver", lambda: under_test.receiver)
    return under_test


@pytest.fixture
def app(under_test: ReceiverUnderTest) -> ModuleType:
    return load_app("webhook")


def event(request: Request, *, encoded: bool = False, upper: bool = False) -> dict[str, Any]:
    """Returns a request as the HTTP API passes it, payload format 2.0."""
    body = request.body or b""
    headers = {name.title() if upper else name: value for name, value in request.headers.items()}
    return {
        "headers": headers | {"clientid": "canary-client-id", "user-agent": "Zoom Marketplace/1.0a"},
        "body": base64.b64encode(body).decode() if encoded else body.decode(),
        "isBase64Encoded": encoded,
    }


def invoke(app: ModuleType, lambda_event: dict[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = app.lambda_handler(lambda_event, CONTEXT)
    return response


# failure matrix: 35
@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("upper", [False, True])
def test_delivery_is_verified_by_its_raw_bytes_and_logged(
    app: ModuleType, under_test: ReceiverUnderTest, printed: Printed, encoded: bool, upper: bool
) -> None:
    body = raw(created(summary="Zoë 🚗 \\u00e9"))
    assert (under_test.secret.calls, under_test.service_calls) == (1, 0)  # read by the start
    response = invoke(app, event(signed(body, under_test.clock.now()), encoded=encoded, upper=upper))
    headers = {"content-type": "application/json"}
    assert response == {"statusCode": 200, "headers": headers, "body": body.decode()}
    assert under_test.bus.published[0].detail.encode() == body
    (line,) = printed.logs()
    assert (line["message"], line["level"], line["status"]) == ("answered", "INFO", 200)
    assert (line["outcome"], line["zoom_event"], line["booking_id"][:6]) == ("published", CREATED, "evt-1-")
    assert (line["zoom_request_id"], line["function_request_id"]) == (REQUEST_ID, "id")
    assert invoke(app, event(signed(b'{"event": "x"}', under_test.clock.now()))) == {"statusCode": 204}
    assert under_test.secret.calls == 1


TWICE = event(signed(raw(created()), ReceiverUnderTest().clock.now()))
TWICE["headers"]["X-Zm-Signature"] = TWICE["headers"]["x-zm-signature"]
SIGNED_FOO = event(signed(b"foo", ReceiverUnderTest().clock.now()), encoded=True)
BROKEN_BASE64 = ("not base64!", "Zm9v!", "Zm9v\n", "YQ", "YQ==YQ==", "Zm9v\nYmFy", "é", "YQ=")


# failure matrix: 34, 35, 49
@pytest.mark.parametrize(
    ("lambda_event", "status"),
    [
        *((SIGNED_FOO | {"body": text}, 401) for text in BROKEN_BASE64),
        *((TWICE, 401), ({}, 401), ({"headers": None, "body": None}, 401), ({"isBase64Encoded": True}, 401)),
        *((event(Request({}, b"x" * 720_000), encoded=encoded), 401) for encoded in (False, True)),
        *((event(Request({}, b"x" * 720_001), encoded=encoded), 413) for encoded in (False, True)),
        *((event(Request({}, "é".encode() * 360_001)), 413), ({"headers": 7}, 503), ({"body": 7}, 503)),
    ],
    ids=lambda value: repr(value)[-60:],
)
def test_unusual_gateway_event_is_answered(
    app: ModuleType, under_test: ReceiverUnderTest, lambda_event: dict[str, Any], status: int
) -> None:
    response = invoke(app, lambda_event)
    assert response["statusCode"] == status
    assert response["headers"] == {"content-type": "application/problem+json"}
    assert json.loads(response["body"])["status"] == status
    assert under_test.service_calls == 0


# failure matrix: 8, 49
@pytest.mark.parametrize("trouble", [None, DENIED])
@pytest.mark.parametrize("body", [created(), created(invitee_email=7), UNKNOWN, CHALLENGE])
def test_exception_at_any_line_is_answered_503_or_escapes(
    app: ModuleType, body: Any, trouble: Trouble | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that escapes is the gateway's 5xx, so Zoom tries again as well."""

    class Injected(Exception):
        pass

    def run(fail_at: int) -> tuple[int | None, str]:
        """Returns the status, None if the error escaped, and the file where it was raised."""
        under_test = ReceiverUnderTest(also_count=count)  # it reads its secret within the request
        under_test.bus.trouble = trouble
        monkeypatch.setattr(app, "receiver", under_test.receiver)
        lambda_event = event(signed(raw(body), under_test.clock.now()))
        ran, where = 0, ""

        def seen(code: CodeType, _line: int) -> None:
            nonlocal ran, where
            if code.co_filename.startswith(PACKAGE) or code.co_filename == app.__file__:
                ran += 1
                if ran == fail_at:
                    where = code.co_filename
                    raise Injected

        try:
            with monitored(sys.monitoring.events.LINE, seen):
                return invoke(app, lambda_event)["statusCode"], where
        except Injected:
            return None, where

    assert run(fail_at=0)[0] in (200, 400)
    for fail_at in itertools.count(1):
        status, where = run(fail_at)
        if not where:  # the request has fewer lines
            break
        assert status == 503 or (status is None and where == app.__file__), (fail_at, where, status)
    assert fail_at > 50


def with_canaries(fields: dict[str, Any]) -> dict[str, Any]:
    personal = {name for name, value in fields.items() if isinstance(value, str)} - {"event", "event_id"}
    return fields | dict.fromkeys(personal, "canary")


# failure matrix: 43, 49
@pytest.mark.parametrize(
    ("outcome", "status"),
    [("published", 200), ("quarantined", 400), ("refused", 401), ("not durable", 503), ("bug", 503)],
)
def test_nothing_personal_is_logged(
    app: ModuleType, under_test: ReceiverUnderTest, printed: Printed, outcome: str, status: int
) -> None:
    guests: list[Any] = ["canary", 7] if outcome == "quarantined" else ["canary"]
    body = raw(canceled(guests=guests, tracking={"utm_source": "x"}, new_field={"iban": "x"}))
    content = raw(json.loads(body, object_hook=with_canaries))
    if outcome == "not durable":
        under_test.bus.trouble = HANGS
        under_test.queues.in_trouble(DENIED)
    if outcome == "bug":
        under_test.bus.trouble = BUG
    secret = WRONG_SECRET if outcome == "refused" else SECRET
    request = signed(content, under_test.clock.now(), secret=secret)
    response = invoke(app, event(request))
    assert response["statusCode"] == status
    text = printed.text() + (response["body"] if status != 200 else "")
    assert not any(word in text for word in ("canary", SECRET, request.headers["x-zm-signature"][3:]))
    if outcome == "refused":
        assert printed.logs() == []  # a flood of forgeries must not fill the log
    if outcome == "bug":
        logged, answered = printed.logs()
        assert (logged["message"], logged["level"]) == ("unexpected error", "ERROR")
        assert (logged["error"], answered["outcome"]) == ("KeyError", "unexpected_error")
        assert "KeyError" not in response["body"]
        assert [line[Count.UNEXPECTED_ERROR] for line in printed.metrics()] == [[1.0]]


# failure matrix: 30, 49
@pytest.mark.parametrize("trouble", [HANGS, DENIED, UNREACHABLE, REFUSES, BUG])
def test_start_needs_no_readable_secret(under_test: ReceiverUnderTest, trouble: Trouble) -> None:
    delivery = event(signed(raw(created()), under_test.clock.now()))
    under_test.secret.trouble = trouble
    app = load_app("webhook")
    assert invoke(app, delivery)["statusCode"] == 503
    under_test.secret.trouble = None
    assert invoke(app, delivery)["statusCode"] == 200
