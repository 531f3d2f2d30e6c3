"""The three small handlers: each calls one use case, and hides the details of an unexpected error."""

import traceback
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from bookings import bootstrap
from bookings.counts import Count
from bookings.errors import ServiceUnavailable, UnexpectedError
from bookings.observability import count
from bookings.settings import SettingsError
from bookings.use_cases.announce import Announced
from tests.cold_start import REFUSES_CONNECTIONS, SETTINGS, load_app
from tests.printed import Printed

pytestmark = pytest.mark.usefixtures("printed")

IDS = ("function_name", "memory_limit_in_mb", "invoked_function_arn", "aws_request_id")
CONTEXT = SimpleNamespace(**dict.fromkeys(IDS, "id"), get_remaining_time_in_millis=lambda: 9_999)
EVENT = {"Records": ["canary"]}
HANDLERS = ["booking_created", "booking_canceled", "booking_events"]
Start = Callable[[str, Callable[..., Any]], Any]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    """Starts a function with the test's use case, and returns its handler."""

    def handler_of(function: str, use_case: Callable[..., Any]) -> Any:
        monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")  # never heeded: the event is personal
        replaced = SimpleNamespace(process=use_case, announce=use_case)
        for factory in ("record_batch", "announcer"):
            monkeypatch.setattr(bootstrap, factory, lambda: replaced)
        return load_app(function).lambda_handler

    return handler_of


@pytest.mark.parametrize("function", ["booking_created", "booking_canceled"])
def test_handler_returns_the_failures_of_its_batch(start: Start, function: str) -> None:
    handler = start(function, lambda event, remaining_ms: (event, remaining_ms()))
    assert handler(EVENT, CONTEXT) == (EVENT, 9_999)


# failure matrix: 12, 26
@pytest.mark.parametrize(
    ("announced", "failures", "logged"),
    [
        (Announced(), [], []),
        (Announced(failed_from="42"), [{"itemIdentifier": "42"}], [{"sequence_number": "42"}]),
        (Announced(refused=[("id-1", "why")]), [], [{"booking_id": "id-1", "reason": "why"}]),
    ],
)
def test_booking_events_returns_and_logs_the_outcome(
    start: Start, printed: Printed, announced: Announced, failures: list[Any], logged: list[dict[str, str]]
) -> None:
    handler = start("booking_events", {"a": announced}.__getitem__)
    assert handler({"Records": "a"}, CONTEXT) == {"batchItemFailures": failures}
    lines = printed.logs()
    assert [line["level"] for line in lines] == ["ERROR"] * len(logged)
    assert all(wanted.items() <= line.items() for wanted, line in zip(logged, lines, strict=True))


# failure matrix: 43
@pytest.mark.parametrize("function", HANDLERS)
def test_unexpected_error_escapes_without_its_message(start: Start, printed: Printed, function: str) -> None:
    errors: list[Exception] = [KeyError("canary"), ServiceUnavailable("SQS: ThrottlingException")]

    def fail(*_: object) -> NoReturn:
        count(Count.RECORD_FAILED)
        raise errors.pop(0)

    handler = start(function, fail)
    with pytest.raises(UnexpectedError, match=r"^KeyError at test_handlers\.py:\d+ < app\.py:\d+") as escaped:
        handler(EVENT, CONTEXT)
    assert "canary" not in "".join(traceback.format_exception(escaped.value))
    with pytest.raises(ServiceUnavailable, match=r"^SQS: ThrottlingException$"):  # one of ours
        handler(EVENT, CONTEXT)
    assert [line[Count.RECORD_FAILED] for line in printed.metrics()] == [[1.0], [1.0]]
    assert "canary" not in printed.text()


@pytest.mark.parametrize("function", ["webhook", *HANDLERS])
def test_start_needs_each_setting_and_no_service(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", REFUSES_CONNECTIONS)
    for name, value in SETTINGS[function].items():
        monkeypatch.setenv(name, value)
    assert load_app(function).lambda_handler
    for name, value in SETTINGS[function].items():
        monkeypatch.setenv(name, "")
        with pytest.raises(SettingsError, match=f"^{name} is not set$"):
            load_app(function)
        monkeypatch.setenv(name, value)
