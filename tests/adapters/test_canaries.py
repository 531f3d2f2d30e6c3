"""A canary in every text of both events, in every header, in both secrets: nothing repeats it.

The tests take every path that prints something: accepted, refused, set aside, failed at any service, broken
anywhere in the code. They search all that the functions print, problem details, and the errors that escape.
"""

import importlib
import inspect
import json
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import CodeType, FrameType, FunctionType
from typing import Any, NoReturn

import boto3
import pytest

import bookings
from bookings.settings import FanOut, SettingsError
from tests.adapters.handlers import Functions, Outage, http_event, raw, sqs_event, stream_event
from tests.adapters.resources import TOKEN, Queue, Stack
from tests.canaries import CANCELED, CREATED, FIT, REFERENCE, body_of, canary, put, texts
from tests.printed import Printed

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")  # an invocation that broke at once

EVENTS = pytest.mark.parametrize("name", REFERENCE)

SECRET = "canary-token-of-22-char"  # the current one; TOKEN is the one before


def request(body: bytes, *, secret: str = SECRET, **headers: str) -> dict[str, Any]:
    """Returns a signed request; whatever else the API hands over holds canaries."""
    event = http_event(body, secret=secret, encoded=True)
    signed = {name: event["headers"][name] for name in ("x-zm-signature", "x-zm-request-timestamp")}
    others = {*event["headers"], "clientid", "traceparent", "x-zm-trackingid", "authorization", "cookie"}
    event["headers"] = {name: f"canary in {name}" for name in others} | signed | headers
    event |= {"rawQueryString": "canary=in-the-query", "cookies": ["canary in a cookie"]}
    event["requestContext"]["http"] |= {"sourceIp": "canary in the address", "userAgent": "canary"}
    return event


class Said:
    """All that the functions said."""

    def __init__(self, functions: Functions, output: Printed) -> None:
        self._functions = functions
        self._output = output
        self._texts: list[str] = []

    def start(self, function: str) -> None:
        """Starts a function as Lambda does."""
        self._functions.start(function)

    def call(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Calls a function as Lambda does, which logs an error that escapes it."""
        try:
            answer = self._functions.call(function, event)
        except Exception as escaped:  # noqa: BLE001 - whatever escapes is looked at
            self._texts += [str(escaped), repr(escaped), *traceback.format_exception(escaped)]
            return {}
        if "json" not in (answer.get("headers") or {}).get("content-type", "").replace("problem+json", ""):
            self._texts.append(json.dumps(answer))
        return answer

    def status(self, event: dict[str, Any]) -> int:
        """Posts a request and returns how it was answered."""
        return int(self.call("webhook", event)["statusCode"])

    def nothing_it_should_not(self) -> None:
        """Fails where a canary is in what was said so far."""
        said = "\n".join([self._output.text(), *self._texts])
        assert "answered" in said or "recorded" in said or "record failed" in said, "nothing was said at all"
        assert [line for line in said.splitlines() if "canary" in line.lower() or TOKEN in line] == []


@pytest.fixture
def said(stack: Stack, functions: Functions, output: Printed) -> Said:
    boto3.client("secretsmanager").put_secret_value(SecretId=stack.secret_arn, SecretString=SECRET)
    return Said(functions, output)


def handler_of(stack: Stack, name: str) -> tuple[Queue, str]:
    """Returns the queue of an event's handler, and the handler's name."""
    if name == CREATED:
        return stack.created, "booking_created"
    return stack.canceled, "booking_canceled"


def test_every_field_has_a_canary() -> None:
    assert {name: len(texts(name)) for name in REFERENCE} == {CREATED: 42, CANCELED: 46}
    for name in REFERENCE:
        written = json.dumps(body_of(name))
        assert [path for path in texts(name) if canary(path) not in written and path not in FIT] == []


# failure matrix: 43
@EVENTS
@pytest.mark.parametrize("secret", [SECRET, TOKEN], ids=["current", "previous"])
@pytest.mark.parametrize("fan_out", FanOut)
def test_of_a_delivery_that_is_accepted_nothing_is_told_all_the_way_to_a_subscriber(
    stack: Stack, said: Said, monkeypatch: pytest.MonkeyPatch, name: str, secret: str, fan_out: FanOut
) -> None:
    monkeypatch.setenv("FAN_OUT", str(fan_out))
    queue, handler = handler_of(stack, name)
    for well_formed_times in (False, True):
        for again in range(2):  # the second is a duplicate, or a change of what is there
            body = body_of(name, well_formed_times=well_formed_times)
            body["payload"]["object"]["invitee_first_name"] += f" {again}"
            assert said.status(request(raw(body), secret=secret)) == 200
            assert said.call(handler, sqs_event(queue)) == {"batchItemFailures": []}
    assert said.call("booking_events", stream_event(stack.table_name)) == {"batchItemFailures": []}
    assert len(stack.subscriber.bodies()) >= 1
    said.nothing_it_should_not()


@EVENTS
def test_of_a_field_that_is_not_what_it_should_be_its_name_is_told_and_no_more(
    stack: Stack, said: Said, name: str
) -> None:
    refused = 0
    for path in texts(name):
        for value in ({"canary": ["canary"]}, ["canary", {"canary": 1}], 10**30):
            body = body_of(name)
            put(body, path, value)
            refused += said.status(request(raw(body))) == 400
    assert refused > 60
    said.nothing_it_should_not()


UNUSABLE = [
    b"canary",
    b'{"canary": "canary"',
    b'"canary"',
    b'["canary"]',
    b'{"event": "canary", "canary": NaN}',
    b'{"event": "canary", "canary": 1, "canary": 2}',
    b'{"event": "canary", "canary": "\xff"}',
    b'{"event": "canary", "canary": "\\ud800"}',
    '{"event": "canary", "canary": "\uffff canary"}'.encode(),
    b'{"canary": ' + b"[" * 200 + b'"canary"' + b"]" * 200 + b"}",
    b'{"event": ["canary"]}',
    b'{"event": "canary.product", "payload": "canary"}',
    b'{"event": "scheduler.canary of ours", "payload": "canary"}',
    b'{"event": "scheduler.new", "payload": {"canary": "canary"}}',
    b'{"event": "endpoint.url_validation", "payload": {"plainToken": "canary:canary"}}',
    b'{"event": "endpoint.url_validation", "payload": {"plainToken": {"canary": "canary"}}}',
    json.dumps(body_of(CREATED) | {"event_ts": 10**15}).encode(),
    json.dumps(body_of(CREATED, event_id="")).encode(),
    b"canary" * 120_001,
]


def test_of_a_body_that_can_not_be_used_nothing_is_told(said: Said) -> None:
    for body in UNUSABLE:
        assert said.status(request(body)) in {200, 204, 400, 413}
        assert said.status(request(body, secret="canary-of-a-forger-22c")) in {401, 413}
    said.nothing_it_should_not()


def test_of_a_request_that_is_not_shown_to_be_zooms_nothing_is_told(said: Said) -> None:
    body = raw(body_of(CREATED))
    genuine = request(body)
    for changed in (
        {"x-zm-signature": "canary"},
        {"x-zm-signature": "v0=canary"},
        {"x-zm-signature": "v0=" + "0" * 64},
        {"x-zm-request-timestamp": "canary"},
        {"x-zm-request-timestamp": "1795165924"},
    ):
        assert said.status(genuine | {"headers": genuine["headers"] | changed}) == 401
    assert said.status(genuine | {"body": "canary, not base64"}) == 401
    assert said.status(genuine | {"headers": {"canary": "canary"}}) == 401
    assert said.status(request(body, secret="canary-of-a-forger-22c")) == 401
    said.nothing_it_should_not()


@pytest.mark.parametrize("token", ["canary", "  canary  ", ""])
def test_of_a_secret_that_can_not_be_used_nothing_is_told(stack: Stack, said: Said, token: str) -> None:
    manager = boto3.client("secretsmanager")
    manager.put_secret_value(SecretId=stack.secret_arn, SecretString=token or " ")
    assert said.status(request(raw(body_of(CREATED)), secret=token or "x")) == 503
    said.nothing_it_should_not()


# failure matrix: 43
@pytest.mark.parametrize("code", ["ValidationException", "InternalFailure"])
def test_what_a_service_says_is_not_repeated(stack: Stack, said: Said, outage: Outage, code: str) -> None:
    body = raw(body_of(CREATED, well_formed_times=True))
    assert said.status(request(body)) == 200
    event = sqs_event(stack.created)
    operations = ("PutItem", "ChangeMessageVisibilityBatch", "PutEvents", "SendMessage", "GetSecretValue")
    for operation in operations:
        outage.of(operation, code)
    assert len(said.call("booking_created", event)["batchItemFailures"]) == 1
    assert said.status(request(body)) == 503
    assert said.status(request(b"canary")) == 503
    outage.ends()
    said.call("booking_created", event)
    changes = stream_event(stack.table_name)
    assert changes["Records"]
    outage.of("PutEvents", code)
    outage.of("SendMessage", code)
    said.call("booking_events", changes)
    changes["Records"][0]["dynamodb"]["NewImage"]["status"] = {"canary": "canary"}
    said.call("booking_events", changes)
    said.nothing_it_should_not()


# failure matrix: 43
@EVENTS
def test_of_a_poison_message_nothing_is_told(stack: Stack, said: Said, name: str) -> None:
    queue, handler = handler_of(stack, name)
    assert said.status(request(raw(body_of(name)))) == 200
    event = sqs_event(queue)
    (message,) = event["Records"]
    good = json.loads(message["body"])
    poison = [
        "canary",
        '["canary"]',
        json.dumps(good | {"detail": "canary"}),
        json.dumps(good | {"detail": {"canary": "canary"}}),
        json.dumps(good | {"source": ["canary"]}),
        json.dumps(good | {"detail": good["detail"] | {"event": "canary"}}),
        json.dumps(good | {"detail": good["detail"] | {"event_ts": "canary"}}),
        json.dumps(good | {"detail": good["detail"] | {"payload": {"object": "canary"}}}),
        json.dumps(good | {"detail": body_of(name, event_id="")}),
    ]
    event["Records"] = [message | {"messageId": f"{n}", "body": body} for n, body in enumerate(poison)]
    assert len(said.call(handler, event)["batchItemFailures"]) == len(poison)
    said.nothing_it_should_not()


def test_of_a_change_that_can_not_be_announced_nothing_is_told(stack: Stack, said: Said) -> None:
    assert said.status(request(raw(body_of(CREATED, well_formed_times=True)))) == 200
    said.call("booking_created", sqs_event(stack.created))
    (record,) = stream_event(stack.table_name)["Records"]
    for broken in (
        {"status": {"S": "canary"}},
        {"zoom_events": {"S": "canary"}},
        {"canary": {"canary": "canary"}},
        {"revision": {"N": "canary"}},
        {"title": {"S": "canary" * 200_000}},
    ):
        changed = json.loads(json.dumps(record))
        changed["dynamodb"]["NewImage"] |= broken
        said.call("booking_events", {"Records": [changed]})
    said.call("booking_events", {"Records": [{"canary": "canary"}]})
    said.call("booking_events", {"canary": "canary"})
    said.nothing_it_should_not()


# These describe errors. Nothing describes an error of their own.
TELLING = {"bookings.errors", "bookings.observability", "bookings.use_cases.answers", "bookings.counts"}
LAST_WORD = "unavailable"  # the webhook's answer when everything else has failed


@dataclass(frozen=True)
class Place:
    """Where a function of the package is called from: a module's name for it, or its class."""

    owner: Any
    name: str
    code: CodeType
    is_property: bool = False

    def __str__(self) -> str:
        return f"{self.owner.__name__}.{self.name}"


def places() -> Iterator[Place]:
    for found in pkgutil.walk_packages(bookings.__path__, "bookings."):
        if found.name in TELLING:
            continue
        module = importlib.import_module(found.name)
        for name, thing in vars(module).items():
            of = getattr(thing, "__module__", None) or ""
            if not of.startswith("bookings.") or of in TELLING or name == LAST_WORD:
                continue
            if not isinstance(thing, type) and isinstance(function := inspect.unwrap(thing), FunctionType):
                yield Place(module, name, function.__code__)
            elif isinstance(thing, type) and of == module.__name__:
                yield from methods(thing)


def methods(of: type) -> Iterator[Place]:
    for name, thing in vars(of).items():
        function = getattr(thing, "fget", None) or inspect.unwrap(getattr(thing, "__func__", thing))
        if isinstance(function, FunctionType):
            yield Place(of, name, function.__code__, isinstance(thing, property))


def run_by(call: Callable[[], object]) -> set[CodeType]:
    """Returns the code of every function that a call runs."""
    ran: set[CodeType] = set()

    def look(frame: FrameType, _event: str, _argument: object) -> None:
        ran.add(frame.f_code)

    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
    return ran


def breaking(code: set[CodeType], broken: set[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Yields once for each place that runs the code, while it fails with canaries; adds it to `broken`."""
    for place in places():
        if place.code not in code:
            continue

        def fail(*_: object, place: Place = place, **__: object) -> NoReturn:
            broken.add(str(place))
            try:
                raise KeyError("canary")
            except KeyError as error:
                raise ValueError("canary", {"canary": "canary"}) from error

        with monkeypatch.context() as patch:
            patch.setattr(place.owner, place.name, property(fail) if place.is_property else fail)
            yield


def test_whatever_breaks_wherever_its_words_are_told_nowhere(
    stack: Stack, said: Said, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = request(raw(body_of(CREATED, well_formed_times=True)))
    said.call("webhook", delivery)
    messages = sqs_event(stack.created)
    said.call("booking_created", messages)
    changes = stream_event(stack.table_name)
    broken: set[str] = set()
    for function, event in (
        ("webhook", delivery),
        ("booking_created", messages),
        ("booking_events", changes),
    ):
        at_start = run_by(partial(said.start, function))
        at_call = run_by(partial(said.call, function, event))
        for _ in breaking(at_call, broken, monkeypatch):
            said.call(function, event)
        for _ in breaking(at_start, broken, monkeypatch):
            outage.calls.clear()
            try:
                said.start(function)
            except (ValueError, SettingsError):
                # Lambda logs it whole, but nothing of a customer and no secret was there yet.
                assert outage.calls == []
            else:
                said.call(function, event)
    assert len(broken) > 100, sorted(broken)
    said.nothing_it_should_not()
