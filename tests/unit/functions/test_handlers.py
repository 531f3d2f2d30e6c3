"""The handlers: they translate, call one use case, and let what is unexpected escape."""

import traceback
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from bookings import bootstrap
from bookings.counts import Count
from bookings.errors import ServiceUnavailable, UnexpectedError
from bookings.observability import count
from bookings.settings import SettingsError
from bookings.use_cases.announce import Announced
from tests.cold_start import REFUSES_CONNECTIONS, SETTINGS, load_app
from tests.printed import Printed

pytestmark = pytest.mark.usefixtures("printed")

CONTEXT = SimpleNamespace(
    function_name="handler",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:handler",
    aws_request_id="52fdfc07-2182-154f-163f-5f0f9a621d72",
    get_remaining_time_in_millis=lambda: 9_999,
)
HANDLERS = ["booking_created", "booking_canceled", "booking_events"]
FAILED = {"batchItemFailures": [{"itemIdentifier": "message-1"}]}

Start = Callable[[str, Callable[..., Any]], Any]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    """Starts a function with a function of the test as its use case, and returns its handler."""

    def handler_of(function: str, use_case: Callable[..., Any]) -> Any:
        replaced = SimpleNamespace(process=use_case, announce=use_case)
        for factory in ("record_batch", "announcer"):
            monkeypatch.setattr(bootstrap, factory, lambda: replaced)
        return load_app(function).lambda_handler

    return handler_of


@pytest.mark.parametrize("function", ["booking_created", "booking_canceled"])
def test_a_handler_answers_with_the_failures_of_its_batch(start: Start, function: str) -> None:
    seen: list[tuple[Any, int]] = []

    def process(event: Any, remaining_ms: Callable[[], int]) -> PartialItemFailureResponse:
        seen.append((event, remaining_ms()))
        return {"batchItemFailures": [{"itemIdentifier": "message-1"}]}

    assert start(function, process)({"Records": ["a record"]}, CONTEXT) == FAILED
    assert seen == [({"Records": ["a record"]}, 9_999)]


# failure matrix: 43
@pytest.mark.parametrize("function", HANDLERS)
def test_an_unexpected_error_escapes_without_its_message(start: Start, function: str) -> None:
    def fail(*_: object) -> NoReturn:
        raise KeyError("canary")

    handler = start(function, fail)
    with pytest.raises(UnexpectedError, match=r"^KeyError at test_handlers\.py:\d+ < app\.py:\d+") as escaped:
        handler({"Records": []}, CONTEXT)
    assert "canary" not in "".join(traceback.format_exception(escaped.value))


@pytest.mark.parametrize("function", HANDLERS)
def test_an_error_of_ours_escapes_a_handler_as_it_is(start: Start, function: str) -> None:
    def fail(*_: object) -> NoReturn:
        raise ServiceUnavailable("SQS: ThrottlingException")

    handler = start(function, fail)
    with pytest.raises(ServiceUnavailable, match=r"^SQS: ThrottlingException$"):
        handler({"Records": []}, CONTEXT)


@pytest.mark.parametrize("function", HANDLERS)
def test_counts_are_printed_once_though_the_handler_fails(
    start: Start, printed: Printed, function: str
) -> None:
    def fail_after_counting(*_: object) -> NoReturn:
        count(Count.RECORD_FAILED)
        raise ServiceUnavailable("down")

    handler = start(function, fail_after_counting)
    for _ in range(2):
        with pytest.raises(ServiceUnavailable):
            handler({"Records": []}, CONTEXT)
    assert [line[Count.RECORD_FAILED] for line in printed.metrics()] == [[1.0], [1.0]]


# failure matrix: 43
@pytest.mark.parametrize("function", HANDLERS)
def test_the_event_is_not_logged_whatever_the_environment_says(
    start: Start, printed: Printed, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    start(function, lambda *_: Announced())({"Records": ["canary"]}, CONTEXT)
    assert printed.text() == ""


def announce(start: Start, announced: Announced) -> dict[str, Any]:
    records: list[str] = []

    def use_case(seen: list[str]) -> Announced:
        records.extend(seen)
        return announced

    response: dict[str, Any] = start("booking_events", use_case)({"Records": ["a", "b"]}, CONTEXT)
    assert records == ["a", "b"]
    return response


def test_a_batch_that_is_announced_is_done(start: Start, printed: Printed) -> None:
    assert announce(start, Announced()) == {"batchItemFailures": []}
    assert printed.text() == ""


# failure matrix: 12
def test_a_batch_that_must_come_again_says_from_where(start: Start, printed: Printed) -> None:
    response = announce(start, Announced(failed_from="0042"))
    assert response == {"batchItemFailures": [{"itemIdentifier": "0042"}]}
    (line,) = printed.logs()
    assert (line["level"], line["sequence_number"]) == ("ERROR", "0042")


# failure matrix: 26
def test_each_event_that_was_refused_is_told(start: Start, printed: Printed) -> None:
    refused = [("booking-1", "refused_by_bus"), ("booking-2", "unreadable_record")]
    assert announce(start, Announced(refused=refused)) == {"batchItemFailures": []}
    lines = printed.logs()
    assert [(line["booking_id"], line["reason"]) for line in lines] == refused
    assert {line["level"] for line in lines} == {"ERROR"}


# -- The start --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", HANDLERS)
def test_start_needs_no_service(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", REFUSES_CONNECTIONS)
    for name, value in SETTINGS[function].items():
        monkeypatch.setenv(name, value)
    assert load_app(function).lambda_handler


@pytest.mark.parametrize(
    ("function", "name"), [(function, name) for function in HANDLERS for name in SETTINGS[function]]
)
def test_start_fails_on_a_wrong_setting_and_names_it(
    monkeypatch: pytest.MonkeyPatch, function: str, name: str
) -> None:
    for each, value in SETTINGS[function].items():
        monkeypatch.setenv(each, value)
    monkeypatch.setenv(name, "")
    with pytest.raises(SettingsError, match=f"^{name} is not set$"):
        load_app(function)
