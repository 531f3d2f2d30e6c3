"""How AWS is called: time-outs on a real wire, threads that run out, errors that tell nothing."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from bookings.aws.calls import BoundedCalls, again_if_hung_up, client, translated_errors
from bookings.services import RefusedByService, ServiceError, ServiceUnavailable
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from tests.adapters.loopback import Misbehaviour, Reply, Service

CANARY = "canary@example.com"


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Ends the calls that hang, once the test is over."""
    event = threading.Event()
    yield event
    event.set()


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_that_answers_in_time_gives_its_result() -> None:
    assert BoundedCalls().run("SQS", lambda: 42, 1.0) == 42


def test_a_call_that_hangs_is_given_up_in_time(release: threading.Event) -> None:
    # failure matrix: 13
    started = time.monotonic()
    with pytest.raises(ServiceUnavailable, match=r"^SQS: no answer within 0\.1 s$") as raised:
        BoundedCalls().run("SQS", lambda: release.wait(10), 0.1)
    assert 0.1 <= time.monotonic() - started < 5.0
    assert raised.value.answered is False


@pytest.mark.parametrize("left", [0, -1.5])
def test_without_time_left_nothing_is_called(left: float) -> None:
    called: list[bool] = []
    with pytest.raises(ServiceUnavailable, match=r"^SQS: no time left$"):
        BoundedCalls().run("SQS", lambda: called.append(True), left)
    assert called == []


def test_when_all_threads_hang_a_call_is_still_given_up_in_time_and_never_made_later(
    release: threading.Event,
) -> None:
    calls = BoundedCalls(threads=2)
    for _ in range(2):
        with pytest.raises(ServiceUnavailable):
            calls.run("SQS", lambda: release.wait(10), 0.05)
    called: list[str] = []
    with pytest.raises(ServiceUnavailable):
        calls.run("SQS", lambda: called.append("given up"), 0.05)
    release.set()
    # The threads are free again, and what was given up before it began is not done after all.
    calls.run("SQS", lambda: called.append("after"), 5.0)
    calls.run("SQS", lambda: called.append("after"), 5.0)
    assert called == ["after", "after"]


def test_an_error_of_the_call_itself_passes_through_unchanged() -> None:
    def fail() -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        BoundedCalls().run("SQS", fail, 1.0)


def test_a_client_gives_up_a_silent_service_after_its_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    with Service(lambda *_: Misbehaviour.SILENT) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", service.url)
        events = client("events", timeout_seconds=0.2, attempts=1)
        started = time.monotonic()
        with pytest.raises(ReadTimeoutError):
            events.put_events(Entries=[{"Source": "s", "DetailType": "t", "Detail": "{}"}])
        assert time.monotonic() - started < 5.0
        assert len(service.calls) == 1


def test_a_client_waits_no_longer_for_a_connection_than_for_an_answer() -> None:
    config = client("dynamodb", timeout_seconds=0.7, attempts=1).meta.config
    assert (config.connect_timeout, config.read_timeout) == (0.7, 0.7)


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_client_tries_a_failing_service_as_often_as_told(
    monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    monkeypatch.setattr("botocore.retries.standard.time.sleep", lambda _seconds: None)
    with Service(lambda *_: Reply({"__type": "InternalException"}, 500)) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", service.url)
        events = client("events", timeout_seconds=1, attempts=attempts)
        with pytest.raises(ClientError):
            events.put_events(Entries=[{"Source": "s", "DetailType": "t", "Detail": "{}"}])
        assert len(service.calls) == attempts


# ── closed connections ───────────────────────────────────────────────────────────────────────────────────


def failing(error: Exception, times: int) -> Callable[[], str]:
    left = [error] * times

    def call() -> str:
        if left:
            raise left.pop()
        return "done"

    return call


def test_a_call_on_a_connection_that_was_closed_meanwhile_is_made_once_more() -> None:
    closed = ConnectionClosedError(endpoint_url="https://sqs.invalid")
    assert again_if_hung_up(failing(closed, 1)) == "done"
    with pytest.raises(ConnectionClosedError):
        again_if_hung_up(failing(closed, 2))


def test_a_call_that_took_too_long_is_not_made_again() -> None:
    late = ReadTimeoutError(endpoint_url="https://sqs.invalid")
    with pytest.raises(ReadTimeoutError):
        again_if_hung_up(failing(late, 1))


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────


def translated(error: Exception) -> ServiceError:
    with pytest.raises(ServiceError) as raised, translated_errors("SQS"):
        raise error
    assert raised.value.__cause__ is None
    return raised.value


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", ServiceUnavailable),
        ("AccessDeniedException", ServiceUnavailable),
        ("AWS.SimpleQueueService.NonExistentQueue", ServiceUnavailable),
        ("KMS.DisabledException", ServiceUnavailable),
        ("KmsThrottled", ServiceUnavailable),
        ("503", ServiceUnavailable),
        ("InvalidMessageContents", RefusedByService),
        ("com.amazonaws.sqs#InvalidMessageContents", RefusedByService),
        ("AWS.SimpleQueueService.InvalidMessageContents", RefusedByService),
        ("InvalidParameterValue", RefusedByService),
        ("ValidationException", RefusedByService),
        ("SerializationException", RefusedByService),
    ],
)
def test_an_error_code_says_whether_trying_again_is_of_use(code: str, kind: type[ServiceError]) -> None:
    # failure matrix: 14, 47
    error = translated(ClientError({"Error": {"Code": code, "Message": CANARY}}, "SendMessage"))
    assert type(error) is kind
    assert str(error) == f"SQS: {code}"
    if isinstance(error, ServiceUnavailable):
        assert error.answered is True


def test_an_answer_without_a_code_is_an_unavailable_service() -> None:
    assert str(translated(ClientError({}, "SendMessage"))) == "SQS: unknown"


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url=CANARY),
        EndpointConnectionError(endpoint_url=CANARY),
        ConnectionClosedError(endpoint_url=CANARY),
        NoCredentialsError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_service_out_of_reach_is_told_by_the_kind_of_failure_alone(error: BotoCoreError) -> None:
    # failure matrix: 43
    told = translated(error)
    assert isinstance(told, ServiceUnavailable)
    assert told.answered is False
    assert str(told) == f"SQS: {type(error).__name__}"


def test_a_request_that_botocore_itself_refuses_is_never_tried_again() -> None:
    # failure matrix: 43
    told = translated(ParamValidationError(report=CANARY))
    assert type(told) is RefusedByService
    assert CANARY not in str(told)
