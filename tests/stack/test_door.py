"""What the door answers, over HTTP: each row of the contract, and what an attacker may try."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string
import time
from collections.abc import Callable

import pytest

from bookings.zoom.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from local.demo import EVENTS
from tests.stack.deliveries import Body, canceled, created, encoded, padded, unknown
from tests.stack.running import Answer, StackUnderTest

pytestmark = pytest.mark.xdist_group("stack")

MAX_BODY_BYTES = 720_000


def challenge(token: str) -> Body:
    return {"event": "endpoint.url_validation", "event_ts": 1795165200416, "payload": {"plainToken": token}}


def is_problem(answer: Answer, status: int) -> bool:
    """Whether an answer is problem details of that status."""
    return (
        answer.status == status
        and answer.content_type == "application/problem+json"
        and {"type", "title", "status", "detail"} <= answer.json.keys()
        and answer.json["status"] == status
    )


def test_a_valid_delivery_is_answered_with_itself(stack: StackUnderTest, event_id: str) -> None:
    raw = encoded(created(event_id))

    answer = stack.post(raw)

    assert (answer.status, answer.content_type, answer.body) == (200, "application/json", raw)


def test_the_challenge_is_answered_with_its_token_and_the_hash_of_it(stack: StackUnderTest) -> None:
    raw = (EVENTS / "url_validation.json").read_bytes()
    token = json.loads(raw)["payload"]["plainToken"]

    answer = stack.post(raw)

    assert (answer.status, answer.content_type) == (200, "application/json")
    expected = hmac.new(stack.secret.encode(), token.encode(), hashlib.sha256).hexdigest()
    assert answer.json == {"plainToken": token, "encryptedToken": expected}


# failure matrix: 40
def test_the_challenge_is_no_oracle_for_signatures(stack: StackUnderTest, event_id: str) -> None:
    forged = encoded(created(event_id))
    timestamp = str(int(time.time()))
    # Whoever has this signed holds a valid signature of an event that Zoom never sent.
    token = f"v0:{timestamp}:{forged.decode()}"
    would_be = sign(stack.secret, timestamp, forged).removeprefix("v0=")

    unsigned = stack.post(challenge(token), headers={SIGNATURE_HEADER: None, TIMESTAMP_HEADER: None})
    guessed = stack.post(challenge(token), secret="a guess of the secret token")
    replayed = stack.post(challenge(token))  # even if the challenge itself were authentic

    assert is_problem(unsigned, 401)
    assert is_problem(guessed, 401)
    assert is_problem(replayed, 400)
    assert not any(would_be.encode() in answer.body for answer in (unsigned, guessed, replayed))
    assert stack.item(event_id) is None


def spelt_out(text: str, letters: str) -> str:
    """Returns a text as JSON writes it, with these of its letters as escapes."""
    return "".join(f"\\u{ord(each):04x}" if each in letters else json.dumps(each)[1:-1] for each in text)


# failure matrix: 40
@pytest.mark.parametrize(
    "letters", ["", ":", "v0:", string.printable], ids=["as it is", "the colons", "v0:", "everything"]
)
def test_whoever_attacks_by_the_challenge_gets_no_signature_and_makes_no_booking(
    stack: StackUnderTest, event_id: str, letters: str
) -> None:
    # A booking short enough to be a token; what has been captured is Zoom's own challenge and our answer.
    forged = encoded(
        {
            "event": "scheduler.scheduled_event_created",
            "event_ts": 1795165200416,
            "payload": {"object": {"scheduled_event": {"event_id": event_id}}},
        }
    )
    timestamp = str(int(time.time()))
    would_be = sign(stack.secret, timestamp, forged)
    genuine = encoded(challenge("xys8n8PGS7mAU0m5-YJjRA"))
    captured = {
        "content-type": "application/json",
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(stack.secret, timestamp, genuine),
    }
    token = f"v0:{timestamp}:{forged.decode()}"
    assert len(token) <= 256
    wanted = encoded(challenge("TOKEN")).replace(b"TOKEN", spelt_out(token, letters).encode())
    assert json.loads(wanted)["payload"]["plainToken"] == token

    unsigned = stack.request(wanted, {"content-type": "application/json"})
    under_the_captured_signature = stack.request(wanted, captured)
    signed_by_zoom = stack.request(
        wanted, captured | {SIGNATURE_HEADER: sign(stack.secret, timestamp, wanted)}
    )
    replayed = stack.request(genuine, captured)
    answers = [unsigned, under_the_captured_signature, signed_by_zoom, replayed]
    assert [answer.status for answer in answers] == [401, 401, 400, 200]
    assert not any(would_be.removeprefix("v0=").encode() in answer.body for answer in answers)

    with_the_answer = captured | {SIGNATURE_HEADER: "v0=" + replayed.json["encryptedToken"]}
    assert is_problem(stack.request(forged, with_the_answer), 401)
    assert is_problem(stack.request(forged, captured), 401)
    assert stack.raw_events(event_id) == []

    # With the signature that was hunted for it would have been a booking, so this is what was prevented.
    assert stack.request(forged, captured | {SIGNATURE_HEADER: would_be}).status == 200


# failure matrix: 40
@pytest.mark.parametrize(
    "token", ["v0:1795165200:{}", "a:b", "", "a" * 257, "a b", "new\nline", "é", "v0\\u003a1"]
)
def test_a_token_of_another_shape_is_not_signed(stack: StackUnderTest, token: str) -> None:
    raw = encoded(challenge(token)).replace(b"\\\\u003a", b"\\u003a")  # an escaped colon is a colon

    answer = stack.post(raw)

    assert is_problem(answer, 400)
    assert b"encryptedToken" not in answer.body


# failure matrix: 42
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _: None, id="missing"),
        pytest.param(lambda _: "", id="empty"),
        pytest.param(lambda signature: signature.replace("v0=", "v1="), id="another version"),
        pytest.param(lambda signature: signature.upper(), id="upper case"),
        pytest.param(lambda signature: signature[:-1], id="cut off"),
        pytest.param(lambda signature: signature.removeprefix("v0="), id="bare"),
        pytest.param(
            lambda signature: signature[:-1] + ("0" if signature[-1] != "0" else "1"), id="a flipped digit"
        ),
        pytest.param(lambda signature: f"{signature},{signature}", id="twice"),
    ],
)
def test_a_signature_that_is_not_exactly_right_is_refused(
    stack: StackUnderTest, event_id: str, change: Callable[[str], str | None]
) -> None:
    raw = encoded(created(event_id))
    timestamp = str(int(time.time()))
    signature = change(sign(stack.secret, timestamp, raw))

    answer = stack.post(raw, headers={TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature})

    assert is_problem(answer, 401)
    assert stack.item(event_id) is None


# failure matrix: 42
def test_a_body_or_a_time_that_was_changed_after_signing_is_refused(
    stack: StackUnderTest, event_id: str
) -> None:
    raw = encoded(created(event_id))
    now = int(time.time())
    signature = sign(stack.secret, str(now), raw)

    other_body = stack.post(
        raw.replace(b"Stockholm", b"Stockholn"),
        headers={TIMESTAMP_HEADER: str(now), SIGNATURE_HEADER: signature},
    )
    other_time = stack.post(raw, headers={TIMESTAMP_HEADER: str(now - 1), SIGNATURE_HEADER: signature})

    assert is_problem(other_body, 401)
    assert is_problem(other_time, 401)


# failure matrix: 33, 41
@pytest.mark.parametrize(("age_seconds", "status"), [(295, 200), (-295, 200), (302, 401), (-305, 401)])
def test_a_delivery_is_taken_within_the_window_either_way_and_not_outside(
    stack: StackUnderTest, event_id: str, age_seconds: int, status: int
) -> None:
    assert stack.post(created(event_id), age_seconds=age_seconds).status == status


@pytest.mark.parametrize("timestamp", ["", "1795165200000", "now", "-1795165200", "1795165200.0"])
def test_a_time_that_is_not_epoch_seconds_is_refused(
    stack: StackUnderTest, event_id: str, timestamp: str
) -> None:
    raw = encoded(created(event_id))
    headers = {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: sign(stack.secret, timestamp, raw)}

    assert is_problem(stack.post(raw, headers=headers), 401)


# failure matrix: 41
def test_a_captured_request_replayed_within_the_window_changes_nothing(
    stack: StackUnderTest, event_id: str
) -> None:
    raw = encoded(created(event_id))
    timestamp = str(int(time.time()))
    captured = {
        "content-type": "application/json",
        "x-zm-request-id": "captured-" + event_id,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(stack.secret, timestamp, raw),
    }

    assert [stack.request(raw, captured).status for _ in range(2)] == [200, 200]

    assert [event.type for event in stack.events(event_id)] == ["BookingCreated"]
    assert stack.booking(event_id)["revision"] == 1


# failure matrix: 34
def test_a_body_at_the_cap_is_taken_and_one_byte_more_is_not(stack: StackUnderTest, event_id: str) -> None:
    at_the_cap = padded(created(event_id), MAX_BODY_BYTES)
    assert len(at_the_cap) == MAX_BODY_BYTES

    assert stack.deliver(at_the_cap) == "BookingWritten"
    too_large = stack.post(padded(created(event_id), MAX_BODY_BYTES + 1))
    far_too_large = stack.post(padded(created(event_id), 5_000_000))

    assert is_problem(too_large, 413)
    assert is_problem(far_too_large, 413)
    assert [event.type for event in stack.events(event_id)] == ["BookingCreated"]
    (raw,) = stack.raw_events(event_id)
    assert len(raw.detail["payload"]["object"]["padding"]) > 700_000


# failure matrix: 34
def test_a_body_that_is_too_large_is_refused_before_its_signature_is_looked_at(
    stack: StackUnderTest, event_id: str
) -> None:
    raw = padded(created(event_id), MAX_BODY_BYTES + 1)

    assert is_problem(stack.post(raw, headers={SIGNATURE_HEADER: None}), 413)


# failure matrix: 35
def test_header_names_count_in_any_case(stack: StackUnderTest, event_id: str) -> None:
    raw = encoded(created(event_id))
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "X-Zm-Request-Timestamp": timestamp,
        "X-ZM-SIGNATURE": sign(stack.secret, timestamp, raw),
    }

    assert stack.request(raw, headers).status == 200


# failure matrix: 35
def test_a_body_that_the_gateway_hands_over_in_base64_is_verified_by_its_raw_bytes(
    stack: StackUnderTest, event_id: str
) -> None:
    answer = stack.post(created(event_id), headers={"content-type": "application/octet-stream"})

    assert answer.status == 200
    assert stack.booking(event_id)["status"] == "confirmed"


# failure matrix: 36
def test_a_scheduler_event_of_the_future_flows_to_subscribers_as_it_is(
    stack: StackUnderTest, event_id: str
) -> None:
    raw = encoded(unknown(event_id))

    answer = stack.post(raw)

    assert (answer.status, answer.body) == (200, raw)
    (event,) = stack.raw_events(event_id)
    assert event.type == "scheduler.scheduled_event_confirmed_by_host"
    assert event.detail == json.loads(raw)
    assert event.resources == [f"zoom-request/{answer.request_id}"]
    assert stack.item(event_id) is None


# failure matrix: 36
def test_another_products_event_is_accepted_and_goes_nowhere(stack: StackUnderTest, event_id: str) -> None:
    before = stack.counted("webhook", "OtherProduct")

    answer = stack.post(created(event_id) | {"event": "meeting.started"})

    assert (answer.status, answer.body) == (204, b"")
    assert stack.answered(answer)["outcome"] == "other_product"
    assert stack.counted("webhook", "OtherProduct") == before + 1
    assert stack.raw_events(event_id) == []


def test_a_delivery_that_breaks_the_reference_is_refused_field_by_field_and_kept_whole(
    stack: StackUnderTest, event_id: str
) -> None:
    body = canceled(event_id, summary=7, cancellation="gone")
    body["payload"]["object"]["questions_and_answers"] = [{"question": "?", "answer": "no list"}]
    del body["event_ts"]
    raw = json.dumps(body, indent=1).encode()

    answer = stack.post(raw)

    assert is_problem(answer, 400)
    assert sorted(answer.refused_fields) == [
        "event_ts",
        "payload.object.cancellation",
        "payload.object.questions_and_answers[0].answer",
        "payload.object.questions_and_answers[0].position",
        "payload.object.scheduled_event.summary",
    ]
    kept = stack.quarantined(answer)
    assert kept["reason"] == "invalid_event"
    assert kept["errors"] == answer.json["errors"]
    assert base64.b64decode(kept["body_base64"]) == raw
    # What it keeps is the request itself, to the letter: the signature over it still holds.
    assert sign(stack.secret, kept["timestamp"], base64.b64decode(kept["body_base64"])) == kept["signature"]
    assert stack.raw_events(event_id) == []


def test_a_repaired_delivery_from_quarantine_goes_through_the_door_again(
    stack: StackUnderTest, event_id: str
) -> None:
    answer = stack.post(created(event_id, time_zone=60))
    body = json.loads(base64.b64decode(stack.quarantined(answer)["body_base64"]))

    body["payload"]["object"]["time_zone"] = "Europe/Stockholm"

    assert stack.deliver(body) == "BookingWritten"


@pytest.mark.parametrize("missing", [None, "", "  "])
def test_a_delivery_without_an_event_id_is_kept_for_a_person(
    stack: StackUnderTest, missing: str | None
) -> None:
    answer = stack.post(created("unused", event_id=missing))

    assert is_problem(answer, 400)
    assert answer.refused_fields == ["payload.object.scheduled_event.event_id"]
    assert stack.quarantined(answer)["errors"] == answer.json["errors"]


# failure matrix: 38, 53
@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not JSON", id="not JSON"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b'"text"', id="a string"),
        pytest.param(b"{}", id="no event"),
        pytest.param(b'{"event": 7}', id="an event that is no name"),
        pytest.param(b'{"event": "scheduler.x", "a": NaN}', id="NaN"),
        pytest.param(b'{"event": "scheduler.x", "a": 1e999}', id="an infinite number"),
        pytest.param(b'{"event": "scheduler.x", "a": ' + b"9" * 5000 + b"}", id="a huge integer"),
        pytest.param(b'{"event": "scheduler.x", "a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", id="deep"),
        pytest.param(b'{"event": "scheduler.x", "event": "scheduler.y"}', id="a name twice"),
        pytest.param(b'{"event": "scheduler.x", "a": "\\ud800"}', id="a lone surrogate"),
        pytest.param(b'{"event": "scheduler.x", "a": "\\uffff"}', id="U+FFFF"),
        pytest.param('{"event": "scheduler.x", "a": "\ufffe"}'.encode(), id="U+FFFE"),
        pytest.param(b'{"event": "scheduler.x", "a": "\\u0001"}', id="a control character"),
        pytest.param(b'\xef\xbb\xbf{"event": "scheduler.x"}', id="a byte order mark"),
        pytest.param(b'{"event": "scheduler.scheduled_event_created", "payload": []}', id="wrong types"),
    ],
)
def test_a_signed_body_that_cant_be_used_is_in_quarantine_byte_for_byte(
    stack: StackUnderTest, raw: bytes
) -> None:
    answer = stack.post(raw)

    assert is_problem(answer, 400)
    assert answer.json["errors"]
    assert base64.b64decode(stack.quarantined(answer)["body_base64"]) == raw


# failure matrix: 35, 38
def test_bytes_that_are_no_text_at_all_are_kept_as_they_are(stack: StackUnderTest) -> None:
    raw = b'{"event": "scheduler.x", "a": "\xff\x00"}'

    answer = stack.post(raw, headers={"content-type": "application/octet-stream"})

    assert is_problem(answer, 400)
    assert base64.b64decode(stack.quarantined(answer)["body_base64"]) == raw


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/webhooks/zoom"),
        ("PUT", "/webhooks/zoom"),
        ("POST", "/webhooks/zoom/"),
        ("POST", "/webhooks"),
        ("POST", "/zoom"),
        ("POST", "/"),
        ("GET", "/"),
        ("POST", "/%1b%5b2J/caf%c3%a9?source=zoom"),
    ],
)
def test_other_paths_and_methods_are_not_found(stack: StackUnderTest, method: str, path: str) -> None:
    before = stack.log_lines("webhook")

    answer = stack.request_to(stack.running.endpoint_url + path, method)

    assert (answer.status, answer.content_type) == (404, "application/json")
    assert answer.json == {"message": "Not Found"}
    assert stack.log_lines("webhook") == before
