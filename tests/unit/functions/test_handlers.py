"""The handlers: they translate, call one use case, and let what is unexpected escape."""

import traceback
from types import ModuleType
from typing import Any, NoReturn

import pytest
from bookings import bootstrap
from bookings.announce import Announced
from bookings.errors import UnexpectedError
from bookings.settings import SettingsError

import functions.booking_canceled.app
import functions.booking_created.app
import functions.booking_events.app
from tests.printed import Printed


class Context:
    function_name = "handler"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:handler"
    aws_request_id = "52fdfc07-2182-154f-163f-5f0f9a621d72"

    def get_remaining_time_in_millis(self) -> int:
        return 9_999


class Batch:
    """A batch that says what it was given."""

    def process(self, event: dict[str, Any], remaining_ms: Any) -> dict[str, Any]:
        return {"batchItemFailures": [{"itemIdentifier": f"{event['Records']}, {remaining_ms()} ms"}]}


class AnnouncerOf:
    def __init__(self, announced: Announced) -> None:
        self.announced = announced
        self.records: list[Any] = []

    def announce(self, records: list[Any]) -> Announced:
        self.records.extend(records)
        return self.announced


HANDLERS = pytest.mark.parametrize("handler", [functions.booking_created.app, functions.booking_canceled.app])


@HANDLERS
def test_a_handler_answers_with_the_failures_of_its_batch(
    handler: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "record_batch", Batch)
    response = handler.lambda_handler({"Records": ["a record"]}, Context())
    assert response == {"batchItemFailures": [{"itemIdentifier": "['a record'], 9999 ms"}]}


# failure matrix: 43
@pytest.mark.parametrize(
    "handler", [functions.booking_created.app, functions.booking_canceled.app, functions.booking_events.app]
)
def test_what_is_unexpected_escapes_a_handler_without_its_message_which_lambda_would_log(
    handler: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> NoReturn:
        raise KeyError("canary")

    for factory in ("record_batch", "announcer"):
        monkeypatch.setattr(bootstrap, factory, fail)
    with pytest.raises(UnexpectedError, match=r"^KeyError at test_handlers\.py:\d+ < app\.py:\d+") as escaped:
        handler.lambda_handler({"Records": []}, Context())
    assert "canary" not in "".join(traceback.format_exception(escaped.value))


@HANDLERS
def test_an_error_of_ours_escapes_a_handler_as_it_is(
    handler: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> NoReturn:
        raise SettingsError("QUEUE_URL is not set")

    monkeypatch.setattr(bootstrap, "record_batch", fail)
    with pytest.raises(SettingsError, match=r"^QUEUE_URL is not set$"):
        handler.lambda_handler({"Records": []}, Context())


def announce(monkeypatch: pytest.MonkeyPatch, announced: Announced) -> dict[str, Any]:
    announcer = AnnouncerOf(announced)
    monkeypatch.setattr(bootstrap, "announcer", lambda: announcer)
    response: dict[str, Any] = functions.booking_events.app.lambda_handler({"Records": ["a", "b"]}, Context())
    assert announcer.records == ["a", "b"]
    return response


def test_a_batch_that_is_announced_is_done(monkeypatch: pytest.MonkeyPatch, printed: Printed) -> None:
    assert announce(monkeypatch, Announced()) == {"batchItemFailures": []}
    assert printed.text() == ""


# failure matrix: 12
def test_a_batch_that_must_come_again_says_from_where(
    monkeypatch: pytest.MonkeyPatch, printed: Printed
) -> None:
    response = announce(monkeypatch, Announced(failed_from="0042"))
    assert response == {"batchItemFailures": [{"itemIdentifier": "0042"}]}
    (line,) = printed.logs()
    assert (line["level"], line["sequence_number"]) == ("ERROR", "0042")


# failure matrix: 26
def test_each_event_that_was_refused_is_told(monkeypatch: pytest.MonkeyPatch, printed: Printed) -> None:
    refused = [("booking-1", "refused_by_bus"), ("booking-2", "unreadable_record")]
    assert announce(monkeypatch, Announced(refused=refused)) == {"batchItemFailures": []}
    told = printed.logs()
    assert [(line["booking_id"], line["reason"]) for line in told] == refused
    assert {line["level"] for line in told} == {"ERROR"}
