"""The webhook under Lambda's real runtime client, with services on this machine: start, answers, death."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bookings.zoom.signature import sign
from tests.adapters.deliveries import ROOT, sample
from tests.adapters.loopback import Misbehaviour, Reply, Service
from tests.adapters.resources import TOKEN
from tests.adapters.runtime import FunctionProcess

ARN = "arn:aws:events:us-east-1:123456789012:event-bus/bookings"
ANSWER_SECONDS = 2.5  # of the contract; Zoom hangs up after 3


class Services:
    """EventBridge, SQS and Secrets Manager as one service.

    Attributes:
        replies: the answers by operation.
        next: what happens to the next calls instead.
    """

    def __init__(self) -> None:
        self.replies: dict[str, Reply | Misbehaviour] = {}
        self.next: list[Misbehaviour] = []
        self.service = Service(self._answer)

    def restore(self) -> None:
        self.service.calls.clear()
        self.next.clear()
        self.replies = {
            "GetSecretValue": Reply({"SecretString": TOKEN, "CreatedDate": 1_700_000_000.0}),
            "PutEvents": Reply({"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}),
            "SendMessage": Reply({"MessageId": "m"}),
        }

    def called(self) -> list[str]:
        return [operation for operation, _ in self.service.calls]

    def environment(self) -> dict[str, str]:
        url = self.service.url
        return {
            "AWS_ENDPOINT_URL": url,
            "EVENT_BUS_ARN": ARN,
            "FAN_OUT": "EventBridge",
            "BOOKING_CREATED_QUEUE_URL": f"{url}/created",
            "BOOKING_CANCELED_QUEUE_URL": f"{url}/canceled",
            "QUARANTINE_QUEUE_URL": f"{url}/quarantine",
            "ZOOM_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:zoom",
            "SIGNATURE_TOLERANCE_SECONDS": "300",
            "POWERTOOLS_SERVICE_NAME": "webhook",
            "POWERTOOLS_METRICS_NAMESPACE": "ZoomSchedulerBookings/tests",
            "POWERTOOLS_LOG_LEVEL": "INFO",
        }

    def _answer(self, operation: str, _content: dict[str, Any]) -> Reply | Misbehaviour:
        return self.next.pop(0) if self.next else self.replies[operation]


@pytest.fixture(scope="module")
def running() -> Iterator[Services]:
    services = Services()
    with services.service:
        yield services


@pytest.fixture
def services(running: Services) -> Services:
    running.restore()
    return running


@contextmanager
def started(services: Services, folder: Path, **changed: str) -> Iterator[FunctionProcess]:
    environment = {name: value for name, value in (services.environment() | changed).items() if value}
    with FunctionProcess("webhook", environment, folder / "log") as process:
        yield process


@pytest.fixture(scope="module")
def warm(running: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionProcess]:
    """One process for the tests that leave it alive. A forgery has used up its refresh of the secret."""
    running.restore()
    with started(running, tmp_path_factory.mktemp("webhook")) as process:
        answer, _ = process.invoke(http_event(raw(), signature="v0=" + "0" * 64))
        assert answer["statusCode"] == 401
        assert running.called() == ["GetSecretValue"] * 2
        yield process


def raw() -> bytes:
    return json.dumps(sample("created", event_ts=int(time.time() * 1000))).encode()


def http_event(body: bytes, *, signature: str | None = None) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events/lambda/webhook.json").read_text())
    timestamp = str(int(time.time()))
    event["headers"] |= {
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": signature or sign(TOKEN, timestamp, body),
    }
    return event | {"body": body.decode()}


def test_a_forged_request_is_answered_401_without_a_call(services: Services, warm: FunctionProcess) -> None:
    answer, _ = warm.invoke(http_event(raw(), signature="v0=" + "1" * 64))
    assert answer["statusCode"] == 401
    assert answer["headers"] == {"content-type": "application/problem+json"}
    assert json.loads(answer["body"])["status"] == 401
    assert services.called() == []


def test_a_signed_delivery_is_published_and_answered_with_itself(
    services: Services, warm: FunctionProcess
) -> None:
    body = raw()
    answer, seconds = warm.invoke(http_event(body))
    assert answer == {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": body.decode(),
    }
    assert seconds < ANSWER_SECONDS
    ((operation, content),) = services.service.calls
    (entry,) = content["Entries"]
    assert (operation, entry["Detail"], entry["EventBusName"]) == ("PutEvents", body.decode(), ARN)

    lines = [json.loads(line) for line in warm.output().splitlines() if line.startswith("{")]
    counted = [line for line in lines if "DeliveryPublished" in line]
    assert [line["service"] for line in counted] == ["webhook"]
    assert {line["service"] for line in lines if line.get("message") == "answered"} == {"webhook"}


def test_a_silent_bus_is_passed_by_in_time(services: Services, warm: FunctionProcess) -> None:
    # failure matrix: 11
    services.replies["PutEvents"] = Misbehaviour.SILENT
    answer, seconds = warm.invoke(http_event(raw()))
    assert answer["statusCode"] == 200
    assert seconds < ANSWER_SECONDS
    assert services.called() == ["PutEvents", "SendMessage"]


def test_services_that_are_all_silent_are_a_503_in_time_every_time(
    services: Services, warm: FunctionProcess
) -> None:
    # failure matrix: 13
    services.replies |= {"PutEvents": Misbehaviour.SILENT, "SendMessage": Misbehaviour.SILENT}
    for _ in range(2):
        answer, seconds = warm.invoke(http_event(raw()))
        assert answer["statusCode"] == 503
        assert seconds < ANSWER_SECONDS


@pytest.mark.parametrize("hang_ups", [1, 2])
def test_closed_connection_costs_one_more_request(
    services: Services, warm: FunctionProcess, hang_ups: int
) -> None:
    # failure matrix: 11
    services.next = [Misbehaviour.HANG_UP] * hang_ups
    answer, seconds = warm.invoke(http_event(raw()))
    assert answer["statusCode"] == 200
    assert seconds < ANSWER_SECONDS
    fallback = ["SendMessage"] * (hang_ups - 1)
    assert services.called() == ["PutEvents", "PutEvents", *fallback]


def test_a_process_killed_while_it_publishes_has_not_answered_and_the_retry_succeeds(
    services: Services, tmp_path: Path
) -> None:
    # failure matrix: 8, 9, 25
    event = http_event(raw())
    services.replies |= {"PutEvents": Misbehaviour.SILENT, "SendMessage": Misbehaviour.SILENT}
    with started(services, tmp_path) as process:
        process.begin(event)
        give_up_at = time.monotonic() + 20
        while "PutEvents" not in services.called() and time.monotonic() < give_up_at:
            time.sleep(0.005)  # a process of its own can't be waited for otherwise
        # Nothing is durable yet. On a slow machine it may already say so, but that is all it can say.
        answer = process.answer_within(1.0)
        assert answer is None or answer["statusCode"] == 503
        process.kill()
    services.restore()
    with started(services, tmp_path) as process:
        answer, _ = process.invoke(event)
    assert answer["statusCode"] == 200
    assert services.called() == ["GetSecretValue", "PutEvents"]


def test_start_with_a_setting_missing_fails_and_names_it(services: Services, tmp_path: Path) -> None:
    # failure matrix: 49
    with started(services, tmp_path, EVENT_BUS_ARN="") as process:
        error = process.failed_start()
    assert error["errorType"] == "SettingsError"
    assert error["errorMessage"] == "EVENT_BUS_ARN is not set"
    assert services.called() == []


def test_start_without_credentials_fails_and_shows_none(services: Services, tmp_path: Path) -> None:
    # failure matrix: 49
    half = {
        "AWS_ACCESS_KEY_ID": "AKIACANARY",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_SESSION_TOKEN": "canary-token",
    }
    with FunctionProcess("webhook", services.environment() | half, tmp_path / "log") as process:
        error = process.failed_start()
        output = process.output()
    assert error["errorType"] == "PartialCredentialsError"
    assert "AWS_SECRET_ACCESS_KEY" in error["errorMessage"]
    for secret in ("AKIACANARY", "canary-token"):
        assert secret not in json.dumps(error)
        assert secret not in output
    assert services.called() == []
