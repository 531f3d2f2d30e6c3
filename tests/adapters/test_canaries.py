"""Logs, metrics, errors and problems never repeat what was sent: each text and secret is a canary."""

# failure matrix: 43

import json
import re
import sys
import time
import traceback
from collections.abc import Iterator
from types import CodeType, SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from bookings.counts import Count
from tests.adapters.conftest import ROOT, TOKEN, Bus, Queue, http_event, stream_event
from tests.cold_start import SETTINGS, load_app
from tests.printed import Printed, captured
from tests.samples import raw

REFERENCE = json.loads((ROOT / "tests/data/zoom_reference.json").read_text())["events"]
CREATED, CANCELED = REFERENCE
QUEUES = {CREATED: "created", CANCELED: "canceled"}
SECRET = "canary-token-of-22-char"  # the current one; TOKEN is the one before
LOGGED = ("function_name", "memory_limit_in_mb", "invoked_function_arn", "aws_request_id")
CONTEXT = SimpleNamespace(**dict.fromkeys(LOGGED, ""), get_remaining_time_in_millis=lambda: 60_000)

# Fields of the objects that the reference leaves open, one of them new.
OPEN_FIELDS = ("id", "kind", "address", "phone_number", "meeting_passcode", "meeting_join_url", "new")


def value_at(name: str, path: str) -> Any:
    """Returns the value of an event at a path of the reference. A text is a canary."""
    fields = REFERENCE[name]
    if f"{path}[]" in fields:
        return [value_at(name, f"{path}[]")]
    if fields[path]["type"] == "object":
        inner = [each[len(path) + 1 :] for each in fields if each.startswith(f"{path}.")]
        direct = {field: value_at(name, f"{path}.{field}") for field in inner if not set(field) & set(".[")}
        return direct or {field: f"canary in {path}.{field}" for field in OPEN_FIELDS}
    return {"integer": 1, "boolean": False}.get(fields[path]["type"], f"canary in {path}")


def event_of(name: str) -> bytes:
    """Returns an event with every field of the reference."""
    body = {"event": name, "event_ts": int(time.time() * 1000), "payload": value_at(name, "payload")}
    return raw(body).replace(b"canary in payload.object.scheduled_event.event_id", b"evt-1")


def request(body: bytes, secret: str = SECRET) -> dict[str, Any]:
    """Returns a signed request. All else that the HTTP API passes holds canaries."""
    event = http_event(body, secret=secret)
    others = {*event["headers"], "clientid", "traceparent", "x-zm-trackingid", "authorization", "cookie"}
    for name in others - {"x-zm-signature", "x-zm-request-timestamp"}:
        event["headers"][name] = f"canary in {name}"
    event["requestContext"]["http"] |= {"sourceIp": "canary", "userAgent": "canary"}
    return event | {"rawQueryString": "canary=in-the-query", "cookies": ["canary in a cookie"]}


class Functions:
    """The functions on moto, and all that they say."""

    def __init__(self, printed: Printed) -> None:
        self.printed = printed
        self.said: list[str] = []
        self.handlers: dict[str, Any] = {}
        # moto finds the resources of the default settings by their names.
        bus = Bus()
        self.subscriber = bus.subscribe("subscriber", {"source": ["bookings"]})
        self.queues = {name: bus.subscribe(queue, {"detail-type": [name]}) for name, queue in QUEUES.items()}
        _ = Queue("quarantine"), Queue("dlq")
        boto3.client("secretsmanager").create_secret(Name="zoom", SecretString=TOKEN)
        boto3.client("secretsmanager").put_secret_value(SecretId="zoom", SecretString=SECRET)

    def call(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Calls a function as Lambda does, which starts it once, and logs an error that escapes it."""
        if function not in self.handlers:
            self.handlers[function] = load_app(function).lambda_handler
        try:
            answer: dict[str, Any] = self.handlers[function](event, CONTEXT)
        except Exception as escaped:  # noqa: BLE001 - Lambda logs it whole
            self.said += traceback.format_exception(escaped)
            return {}
        if answer.get("statusCode") != 200:  # a 200 repeats the delivery to Zoom
            self.said.append(json.dumps(answer))
        return answer

    def post(self, *bodies: bytes, secret: str = SECRET) -> None:
        for body in bodies:
            self.call("webhook", request(body, secret))

    def deliver(self, name: str, secret: str = SECRET) -> dict[str, Any]:
        """Takes a delivery to its handler. Returns Lambda's record of the message."""
        self.post(event_of(name), secret=secret)
        (message,) = self.queues[name].receive()
        record = {"messageId": "1", "receiptHandle": "1", "body": message["Body"], "eventSource": "aws:sqs"}
        record |= {"attributes": message["Attributes"]}
        assert self.call(f"booking_{QUEUES[name]}", {"Records": [record]}) == {"batchItemFailures": []}
        return record

    def assert_silence(self, *counts: Count) -> None:
        said = "\n".join([self.printed.text(), *self.said])
        assert [line for line in said.splitlines() if "canary" in line.lower() or TOKEN in line] == []
        assert set(counts) <= self.printed.counts().keys()


@pytest.fixture
def functions(
    bookings: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Functions]:
    for name, value in [variable for settings in SETTINGS.values() for variable in settings.items()]:
        monkeypatch.setenv(name, value)
    # moto's first answers are slow on a busy machine.
    monkeypatch.setattr("bookings.use_cases.receive.REQUEST_SECONDS", 60.0)
    monkeypatch.setattr("bookings.use_cases.verify.PREPARATION_SECONDS", 60.0)
    with captured(capsys) as printed:
        yield Functions(printed)


@pytest.mark.parametrize("fan_out", ["EventBridge", "SQS"])
@pytest.mark.parametrize(("name", "secret"), [(CREATED, SECRET), (CANCELED, TOKEN)])
def test_accepted_delivery_is_not_repeated(
    functions: Functions, monkeypatch: pytest.MonkeyPatch, name: str, secret: str, fan_out: str
) -> None:
    monkeypatch.setenv("FAN_OUT", fan_out)
    functions.deliver(name, secret)
    assert functions.call("booking_events", stream_event()) == {"batchItemFailures": []}
    assert functions.subscriber.bodies()
    published = Count.CREATED_PUBLISHED if name == CREATED else Count.CANCELED_PUBLISHED
    functions.assert_silence(published, Count.TIME_UNREADABLE, Count.EVENT_ANNOUNCED)


@pytest.mark.parametrize(("name", "texts"), [(CREATED, 48), (CANCELED, 52)])
def test_wrong_field_is_named_without_its_value(functions: Functions, name: str, texts: int) -> None:
    body = event_of(name)
    canaries = set(re.findall(rb'"canary in [^"]*"', body))
    assert len(canaries) == texts
    for value in (b'{"canary": ["canary"]}', b'["canary", {"canary": 1}]', b"1" + b"0" * 30):
        functions.post(*(body.replace(canary, value) for canary in canaries))
    assert sum('"statusCode": 400' in answer for answer in functions.said) > 60
    functions.assert_silence(Count.QUARANTINED)


UNUSABLE = {
    b"canary": Count.QUARANTINED,
    b'{"event": "canary", "canary": NaN}': Count.QUARANTINED,
    b'{"event": "canary", "canary": "\\ud800"}': Count.QUARANTINED,
    b'{"event": "canary.product", "payload": "canary"}': Count.OTHER_PRODUCT,
    b'{"event": "scheduler.canary of ours", "payload": "canary"}': Count.QUARANTINED,
    b'{"event": "endpoint.url_validation", "payload": {"plainToken": "canary:"}}': Count.CHALLENGE_REFUSED,
    event_of(CREATED).replace(b"evt-1", b""): Count.QUARANTINED,
    b"canary" * 120_001: Count.TOO_LARGE,
}
VERIFICATION = (Count.SIGNATURE_MISMATCH, Count.SIGNATURE_MALFORMED, Count.NOTHING_TO_VERIFY_WITH)


def test_refused_request_is_not_repeated(functions: Functions) -> None:
    functions.post(*UNUSABLE)
    functions.post(*UNUSABLE, secret="canary-of-a-forger-22c")
    delivery = request(event_of(CREATED))
    for name, value in (("x-zm-signature", "v0=canary"), ("x-zm-request-timestamp", "canary")):
        functions.call("webhook", delivery | {"headers": delivery["headers"] | {name: value}})
    functions.call("webhook", delivery | {"body": "canary, not base64"})
    for token in ("  canary  ", '{"canary": "canary-of-22-characters"}'):
        boto3.client("secretsmanager").put_secret_value(SecretId="zoom", SecretString=token)
        functions.handlers.clear()
        functions.post(event_of(CREATED), secret=token)
    functions.assert_silence(*UNUSABLE.values(), *VERIFICATION)


@pytest.mark.parametrize("code", ["ValidationException", "InternalFailure"])
def test_error_of_a_service_is_not_repeated(
    functions: Functions, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    # failure matrix: 13, 22, 39
    record, changes = functions.deliver(CREATED), stream_event()

    def fail(_client: Any, operation: str, _arguments: dict[str, Any]) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "canary"}}, operation)

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", fail)
    functions.post(event_of(CREATED), b"canary")
    functions.call("booking_created", {"Records": [record]})
    functions.call("booking_events", changes)
    functions.assert_silence(Count.NOT_DURABLE, Count.RECORD_FAILED, Count.ANNOUNCEMENT_DELAYED)


@pytest.mark.parametrize("name", REFERENCE)
def test_poison_is_not_repeated(functions: Functions, name: str) -> None:
    # failure matrix: 18, 20, 21, 26
    record = functions.deliver(name)
    good = json.loads(record["body"])
    wrong = ({"event": "canary"}, {"event_ts": "canary"}, {"payload": {"object": "canary"}})
    details = ["canary", {"canary": "canary"}, *(good["detail"] | change for change in wrong)]
    bodies = ["canary", '["canary"]', json.dumps(good | {"source": ["canary"]})]
    bodies += [json.dumps(good | {"detail": detail}) for detail in details]
    records = [record | {"messageId": f"{number}", "body": body} for number, body in enumerate(bodies)]
    answer = functions.call(f"booking_{QUEUES[name]}", {"Records": [*records, record]})
    assert len(answer["batchItemFailures"]) == len(bodies)
    (change,) = (each["dynamodb"] for each in stream_event()["Records"])
    large = {"title": {"S": "canary" * 200_000}}
    for broken in (large, {"zoom_events": {"S": "canary"}}, {"canary": "canary"}):
        image = change["NewImage"] | broken
        functions.call("booking_events", {"Records": [{"dynamodb": change | {"NewImage": image}}]})
    functions.call("booking_events", {"canary": "canary"})
    functions.assert_silence(Count.RECORD_FAILED, Count.DUPLICATE, Count.EVENT_REFUSED)


# These describe errors. Nothing describes an error of their own.
DESCRIBING = ("errors.py", "observability.py", "answers.py", "counts.py")


def test_bug_in_any_function_is_not_repeated(functions: Functions) -> None:
    # failure matrix: 49
    events = {"booking_created": {"Records": [functions.deliver(CREATED)]}}
    events |= {"webhook": request(event_of(CREATED)), "booking_events": stream_event()}
    broken: set[CodeType] = set()
    intact = True

    def fail_once(code: CodeType, _offset: int) -> None:
        """Fails in the first function of the package that has not failed before."""
        nonlocal intact
        file = code.co_filename
        is_ours = file.startswith(str(ROOT / "layers/runtime/bookings")) and not file.endswith(DESCRIBING)
        if intact and is_ours and code not in broken and code.co_name != "unavailable":
            intact = False
            broken.add(code)
            raise ValueError("canary", {"canary": "canary"}) from KeyError("canary")

    tool = next(number for number in range(6) if sys.monitoring.get_tool(number) is None)
    sys.monitoring.use_tool_id(tool, "tests")
    sys.monitoring.register_callback(tool, sys.monitoring.events.PY_START, fail_once)
    for function, event in events.items():
        functions.call(function, event)
        sys.monitoring.set_events(tool, sys.monitoring.events.PY_START)
        intact = False
        while not intact:
            intact = True
            functions.call(function, event)
        sys.monitoring.set_events(tool, 0)
    sys.monitoring.free_tool_id(tool)
    assert len(broken) > 100, sorted(code.co_qualname for code in broken)
    functions.assert_silence(Count.UNEXPECTED_ERROR, Count.RECORD_FAILED, Count.EVENT_REFUSED)
