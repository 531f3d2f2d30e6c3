"""The webhook over HTTP: the answer to each kind of request."""

import base64
import hashlib
import hmac
import json
import time
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from bookings.zoom.signature import sign
from tests.e2e.conftest import TOLERANCE_SECONDS
from tests.e2e.stack import DELIVERIES, Body, Stack, changed, history
from tests.samples import canceled, created, raw

CAP = 720_000  # bytes
JSON, PROBLEM = "application/json", "application/problem+json"
OCTETS = {"content-type": "application/octet-stream"}  # the HTTP API hands such a body over in base64
GOOD, BAD = created(event_id="good"), created(event_id="bad")
FORGER = "the secret of a forger"


def challenge(token: str) -> bytes:
    return raw({"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": token}})


def padded(size: int, **changes: Any) -> bytes:
    unpadded = len(raw(created(padding="", **changes)))
    return raw(created(padding="x" * (size - unpadded), **changes))


ANSWERS: dict[str, tuple[Body, dict[str, Any], int]] = {
    # failure matrix: 33, 34, 35, 36
    "created": (GOOD, {}, 200),
    "base64": (GOOD, {"headers": OCTETS}, 200),
    "old": (GOOD, {"age_seconds": TOLERANCE_SECONDS - 5}, 200),
    "at the cap": (padded(CAP, event_id="good"), {}, 200),
    "unknown event": (GOOD | {"event": "scheduler.new"}, {}, 200),
    "another product": (BAD | {"event": "meeting.started"}, {}, 204),
    "unsigned": (BAD, {"headers": {"x-zm-signature": None}}, 401),
    "forged": (BAD, {"secret": FORGER}, 401),
    "stale": (BAD, {"age_seconds": TOLERANCE_SECONDS + 5}, 401),
    "a byte over the cap": (padded(CAP + 1, event_id="bad"), {}, 413),
    "5 MB": (b"x" * 5_000_000, {}, 413),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_request_has_its_answer(stack: Stack, case: str) -> None:
    body, options, status = ANSWERS[case]
    answer = stack.post(body, **options)
    assert (answer.status, answer.content_type) == (status, PROBLEM if status >= 400 else JSON)
    if status == 200:
        assert answer.body == (body if isinstance(body, bytes) else raw(body))
    else:
        assert stack.events("bad", source=DELIVERIES) == []


EVENT, WRONG = "payload.object.scheduled_event", raw(canceled(summary=7) | {"event_ts": None})
UNUSABLE: dict[str, tuple[bytes, str, list[str]]] = {
    # failure matrix: 35, 38, 53
    "no JSON": (b"no JSON", "invalid_body", [""]),
    "no text": (b'{"event": "scheduler.x", "a": "\xff\x00"}', "invalid_body", [""]),
    "wrong types": (WRONG, "invalid_event", ["event_ts", f"{EVENT}.summary"]),
    "U+FFFF": (b'{"event": "scheduler.x", "a": "\\uffff"}', "invalid_body", [""]),
    "no event id": (raw(created(event_id=" ")), "no_event_id", [f"{EVENT}.event_id"]),
    "at the cap": (padded(CAP, summary=7), "invalid_event", [f"{EVENT}.summary"]),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_body_is_answered_400_and_quarantined(stack: Stack, case: str) -> None:
    body, reason, fields = UNUSABLE[case]
    answer = stack.post(body, headers={**OCTETS})
    assert (answer.status, answer.content_type) == (400, PROBLEM)
    errors, message = json.loads(answer.body)["errors"], stack.quarantined(answer)
    assert sorted(error["field"] for error in errors) == fields
    assert (message["reason"], message["errors"]) == (reason, errors)
    assert base64.b64decode(message["body_base64"]) == body
    assert message["signature"] == sign(stack.secret, message["timestamp"], body)


# failure matrix: 40
def test_challenge_is_answered_and_signs_no_event(stack: Stack) -> None:
    digest = hmac.new(stack.secret.encode(), b"a-token", hashlib.sha256).hexdigest()
    answer = stack.post(challenge("a-token"))
    assert json.loads(answer.body) == {"plainToken": "a-token", "encryptedToken": digest}
    forged, timestamp = raw({"event": "scheduler.new", "payload": {}}), str(int(time.time()))
    token = f"v0:{timestamp}:{forged.decode()}"
    escaped = "".join(f"\\u{ord(each):04x}" for each in token)
    for body in (challenge(token), challenge("X").replace(b"X", escaped.encode())):
        assert json.loads(body)["payload"]["plainToken"] == token
        answer = stack.post(body)
        assert answer.status == 400
        assert sign(stack.secret, timestamp, forged).removeprefix("v0=").encode() not in answer.body


# failure matrix: 41
def test_captured_request_replayed_changes_nothing(stack: Stack, event_id: str) -> None:
    body, timestamp = raw(created(event_id=event_id)), str(int(time.time()))
    captured = {"x-zm-signature": sign(stack.secret, timestamp, body), "x-zm-request-timestamp": timestamp}
    assert [stack.post(body, headers={**captured}).status for _ in range(2)] == [200, 200]
    assert history(stack.events(event_id)) == ["1 BookingCreated"]
    assert [item["revision"] for item in stack.items(event_id)] == [1]


# failure matrix: 28
def test_rotation_of_the_secret_refuses_no_delivery(stack: Stack) -> None:
    new, arn = uuid4().hex, {"SecretId": stack.outputs["ZoomSecretArn"]}
    store = partial(stack.client("secretsmanager").put_secret_value, **arn)
    with stack.environment("WebhookFunction"):  # a process refreshes its secret once a minute at most
        assert stack.post(GOOD).status == 200
        with changed(store, {"SecretString": stack.secret}, {"SecretString": new}):
            by_new, by_old = (stack.post(challenge("abc"), secret=each) for each in (new, stack.secret))
            assert stack.post(GOOD, secret=FORGER).status == 401
    assert (by_new.status, by_old.status, by_new.body == by_old.body) == (200, 200, False)
