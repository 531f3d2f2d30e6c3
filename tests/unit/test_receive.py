"""The door: every row of the HTTP contract, the two ways out, and never longer than Zoom waits."""

import base64
import itertools
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from bookings.counts import Count
from bookings.domain.booking import booking_id_of
from bookings.errors import ServiceUnavailable
from bookings.limits import (
    CALL_SECONDS,
    MAX_BODY_BYTES,
    PREPARATION_SECONDS,
    REQUEST_SECONDS,
    SECRET_MAX_AGE,
    SECRET_REFRESH_INTERVAL,
)
from bookings.settings import FanOut
from bookings.use_cases.answers import Answer
from bookings.use_cases.ports import SecretVersion
from bookings.use_cases.receive import Request
from bookings.zoom.events import CANCELED, CREATED
from tests.door import Door
from tests.fakes import (
    DENIED,
    HANGS,
    NOW,
    REFUSES,
    THROTTLED,
    UNREACHABLE,
    Trouble,
)
from tests.samples import MORNING_MS, REQUEST_ID, SECRET, canceled, created, raw, sample, signed

CHALLENGE = {
    "payload": {"plainToken": "xys8n8PGS7mAU0m5-YJjRA"},
    "event_ts": 1720705455858,
    "event": "endpoint.url_validation",
}
UNKNOWN = {"event": "scheduler.schedule_created", "event_ts": MORNING_MS, "payload": {"object": {"id": "x"}}}


@pytest.fixture
def door() -> Door:
    door = Door()
    door.warm()
    return door


def content(answer: Answer) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(answer.body or "")
    return read


def assert_problem(answer: Answer, status: int) -> dict[str, Any]:
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    details = content(answer)
    assert details["status"] == status
    assert details.keys() <= {"type", "title", "status", "detail", "errors"}
    return details


# -- A valid event ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [created(), canceled(), sample(CREATED), sample(CANCELED)])
def test_a_valid_event_is_published_as_it_came_and_answered_with_itself(
    door: Door, body: dict[str, Any]
) -> None:
    sent = json.dumps(body, indent=1).encode() + b"\n"
    answer = door.post(sent)
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.body == sent.decode()
    (event,) = door.bus.published
    assert (event.source, event.detail_type, event.detail) == ("zoom.scheduler", body["event"], sent.decode())
    assert event.resources == [f"zoom-request/{REQUEST_ID}"]
    assert door.counts.all == {Count.DELIVERY_PUBLISHED: 1}
    assert door.queues.contents == door.quarantine.contents == []
    assert answer.log == {
        "zoom_request_id": REQUEST_ID,
        "zoom_event": body["event"],
        "booking_id": booking_id_of(
            body["payload"]["object"]["scheduled_event"]["event_id"],
            body["payload"]["object"]["invitee_email"],
        ),
        "outcome": "published",
    }


@pytest.mark.parametrize(("name", "body"), [(CREATED, created()), (CANCELED, canceled())])
def test_with_sqs_first_an_event_goes_into_its_handlers_queue_in_the_shape_of_the_bus(
    name: str, body: dict[str, Any]
) -> None:
    door = Door(FanOut.SQS)
    assert door.post(body).status == 200
    (event,) = door.queues.queues[name].contents
    assert (event["source"], event["detail-type"], event["detail"]) == ("zoom.scheduler", name, body)
    assert event["resources"] == [f"zoom-request/{REQUEST_ID}"]
    assert len(door.queues.contents) == 1
    assert door.bus.published == []
    assert door.counts.all == {Count.DELIVERY_PUBLISHED: 1}


# failure matrix: 1, 41
def test_the_same_request_again_within_the_window_is_published_again(door: Door) -> None:
    request = signed(raw(created()), door.clock.now())
    assert [door.receiver.receive(request).status for _ in range(3)] == [200, 200, 200]
    assert len({event.detail for event in door.bus.published}) == 1


# failure matrix: 3
def test_a_retry_85_minutes_later_signed_afresh_is_accepted(door: Door) -> None:
    door.clock.advance(85 * 60)
    assert door.post(created()).status == 200


# failure matrix: 41
def test_a_captured_request_is_refused_outside_the_window(door: Door) -> None:
    request = signed(raw(created()), door.clock.now())
    door.clock.advance(301)
    assert door.receiver.receive(request).status == 401
    assert door.service_calls == 0


def test_an_event_without_an_email_is_accepted(door: Door) -> None:
    answer = door.post(created(invitee_email=None))
    assert answer.status == 200
    assert answer.log["booking_id"] == booking_id_of("evt-1", None)


# failure matrix: 37
def test_fields_and_values_that_nobody_knows_yet_are_published_as_they_are(door: Door) -> None:
    body = created(location_kind="hologram", payment={"amount": 12.5}, guests=None)
    assert door.post(body).status == 200
    assert json.loads(door.bus.published[0].detail) == body


@pytest.mark.parametrize("event_id", ["bookings-check-1", "bookings-check-"])
@pytest.mark.parametrize("body", [created(), canceled(), UNKNOWN])
def test_a_test_booking_is_published_by_the_sources_twin(
    door: Door, event_id: str, body: dict[str, Any]
) -> None:
    payload = body["payload"]["object"] | {"scheduled_event": {"event_id": event_id}}
    assert door.post(body | {"payload": {"object": payload}}).status == 200
    assert door.bus.published[0].source == "zoom.scheduler.check"


@pytest.mark.parametrize("request_id", [None, "", "a b", "x" * 129, "abc,def"])
def test_a_request_id_of_another_shape_is_left_out(door: Door, request_id: str | None) -> None:
    answer = door.post(created(), request_id=request_id)
    assert answer.status == 200
    assert door.bus.published[0].resources == []
    assert "zoom_request_id" not in answer.log


# failure matrix: 34
def test_a_body_at_the_cap_is_accepted_and_fits_bus_queue_and_quarantine(door: Door) -> None:
    body = created()
    body["payload"]["object"]["notes"] = ""
    body["payload"]["object"]["notes"] = "x" * (MAX_BODY_BYTES - len(raw(body)))
    assert len(raw(body)) == MAX_BODY_BYTES
    assert door.post(body).status == 200
    door.bus.trouble = UNREACHABLE
    assert door.post(body).status == 200
    assert door.post(raw(body)[:-1] + b" ").status == 400
    assert len(door.queues.contents) == len(door.quarantine.contents) == 1


# failure matrix: 34, 38
def test_the_most_errors_of_a_body_at_the_cap_fit_the_quarantine(door: Door) -> None:
    broken: dict[str, Any] = {"questions_and_answers": [{}] * 333}
    body = raw(created() | {"payload": {"object": broken}}).replace(b" ", b"")
    body += b" " * (MAX_BODY_BYTES - len(body))
    headers = signed(body, door.clock.now()).headers
    answer = door.receiver.receive(Request({**headers, "x-zm-request-id": "\x01" * 8000}, body))
    assert answer.status == 400
    (kept,) = door.quarantine.contents
    assert base64.b64decode(kept["body_base64"]) == body
    assert len(kept["errors"]) == 100


# failure matrix: 38
def test_of_a_body_that_is_wrong_everywhere_the_fields_are_not_named(door: Door) -> None:
    details = assert_problem(door.post(created(questions_and_answers=[{}] * 100_000)), 400)
    assert details["errors"] == [{"field": "", "message": "breaks the rules at 200000 places"}]
    assert len(door.quarantine.contents) == 1


# failure matrix: 34
@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 5_000_000])
def test_a_body_over_the_cap_is_answered_413_before_any_hmac(door: Door, size: int) -> None:
    answer = door.post(b"x" * size)
    assert "720,000 bytes" in assert_problem(answer, 413)["detail"]
    assert door.counts.all == {Count.TOO_LARGE: 1}
    # Unsigned it is refused for its size all the same: nobody looked at a signature.
    assert door.receiver.receive(Request({}, b"x" * size)).status == 413
    assert door.secret.calls == door.service_calls == 0


# failure matrix: 51
def test_a_form_at_its_limits_in_four_byte_characters_is_accepted(door: Door) -> None:
    answers = [
        {"question": "\U0001f697" * 1024, "position": at, "answer": ["\U0001f697" * 8192]} for at in range(10)
    ]
    body = created(
        questions_and_answers=answers, summary="\U0001f697" * 256, meeting_notes="\U0001f697" * 1024
    )
    assert door.post(body).status == 200


# -- Signatures and secrets -------------------------------------------------------------------------------


def changed(request: Request, **headers: str | None) -> Request:
    merged = dict(request.headers) | {name.replace("_", "-"): value for name, value in headers.items()}
    return Request({name: value for name, value in merged.items() if value is not None}, request.body)


REQUEST = signed(raw(created()), NOW)
FORGERIES = {
    "no signature": (changed(REQUEST, x_zm_signature=None), "SignatureMissing"),
    "no timestamp": (changed(REQUEST, x_zm_request_timestamp=None), "SignatureMissing"),
    "no headers": (Request({}, REQUEST.body), "SignatureMissing"),
    "another version": (
        changed(REQUEST, x_zm_signature=REQUEST.headers["x-zm-signature"].replace("v0", "v1")),
        "SignatureMalformed",
    ),
    "doubled": (
        changed(REQUEST, x_zm_signature=",".join([REQUEST.headers["x-zm-signature"]] * 2)),
        "SignatureMalformed",
    ),
    "in milliseconds": (
        changed(REQUEST, x_zm_request_timestamp=REQUEST.headers["x-zm-request-timestamp"] + "000"),
        "SignatureMalformed",
    ),
    "stale": (signed(raw(created()), NOW - timedelta(seconds=301)), "TimestampOutsideWindow"),
    "from the future": (signed(raw(created()), NOW + timedelta(seconds=301)), "TimestampOutsideWindow"),
    "by another secret": (signed(raw(created()), NOW, secret="x" * 22), "SignatureMismatch"),
    "of another body": (replace(REQUEST, body=raw(canceled())), "SignatureMismatch"),
    "of another time": (
        changed(REQUEST, x_zm_request_timestamp=str(int(NOW.timestamp()) + 1)),
        "SignatureMismatch",
    ),
    "of no body": (replace(REQUEST, body=b""), "SignatureMismatch"),
    "of a body in broken base64": (replace(REQUEST, body=None), "SignatureMismatch"),
    "an unsigned challenge": (Request({}, raw(CHALLENGE)), "SignatureMissing"),
    "a forged challenge": (signed(raw(CHALLENGE), NOW, secret="x" * 22), "SignatureMismatch"),
}


# failure matrix: 35, 40, 42
@pytest.mark.parametrize(("request_", "reason"), FORGERIES.values(), ids=FORGERIES)
def test_a_request_that_is_not_shown_to_be_zooms_is_answered_401(
    door: Door, request_: Request, reason: str
) -> None:
    answer = door.receiver.receive(request_)
    details = assert_problem(answer, 401)
    assert "errors" not in details
    assert answer.log == {"outcome": "refused", "reason": reason}
    mismatch = reason == "SignatureMismatch"
    assert door.counts.all == {Count.SIGNATURE_MISMATCH if mismatch else Count.SIGNATURE_MALFORMED: 1}
    assert door.service_calls == 0


# failure matrix: 32
def test_what_no_secret_could_make_acceptable_costs_no_call_at_all() -> None:
    door = Door()
    for name in ("no signature", "another version", "stale", "no headers", "of a body in broken base64"):
        assert door.receiver.receive(FORGERIES[name][0]).status == 401
    assert door.secret.calls == door.service_calls == 0


# failure matrix: 32
def test_a_flood_of_forgeries_refreshes_the_secret_once_a_minute(door: Door) -> None:
    for _ in range(600):
        forged = signed(raw(created()), door.clock.now(), secret="x" * 22)
        assert door.receiver.receive(forged).status == 401
        door.clock.advance(0.2)
    assert door.secret.calls == 2
    assert door.service_calls == 0


# failure matrix: 28
def test_during_a_rotation_requests_signed_with_either_secret_are_accepted(door: Door) -> None:
    door.secret.store("the-new-secret-of-22-c")
    assert door.post(created()).status == 200
    assert door.post(created(), secret="the-new-secret-of-22-c").status == 200
    assert door.post(created()).status == 200


# failure matrix: 28
def test_a_secret_changed_at_zoom_first_is_accepted_a_minute_after_it_is_stored_here(door: Door) -> None:
    new = "the-new-secret-of-22-c"
    assert door.post(created(), secret=new).status == 401
    door.secret.store(new)
    door.clock.advance(59)
    assert door.post(created(), secret=new).status == 401
    door.clock.advance(1)
    assert door.post(created(), secret=new).status == 200


# failure matrix: 29
def test_the_previous_secret_is_refused_after_its_grace(door: Door) -> None:
    door.secret.store("the-new-secret-of-22-c")
    door.clock.advance(24 * 3600 - 1)
    assert door.post(created()).status == 200
    door.clock.advance(1)
    assert door.post(created()).status == 401


# failure matrix: 30
@pytest.mark.parametrize("trouble", [DENIED, HANGS, UNREACHABLE])
def test_with_secrets_manager_down_a_cold_process_answers_503(trouble: Trouble) -> None:
    door = Door()
    door.secret.trouble = trouble
    answer = door.post(created())
    assert_problem(answer, 503)
    assert answer.log["outcome"] == "secret_unavailable"
    assert answer.log["reason"].startswith("fake: ")
    assert door.counts.all == {Count.NOTHING_TO_VERIFY_WITH: 1}
    assert door.service_calls == 0


# failure matrix: 31
def test_secret_that_is_a_json_object_is_answered_503() -> None:
    door = Door()
    door.secret.versions = [SecretVersion('{"ZoomSecretToken": "a-token-of-22-chars-00"}', door.clock.now())]
    answer = door.post(created())
    assert_problem(answer, 503)
    assert answer.log == {
        "outcome": "secret_unavailable",
        "reason": "the stored secret is a JSON object; store the token alone, as plain text",
    }
    assert door.service_calls == 0


# failure matrix: 28, 30
@pytest.mark.parametrize("trouble", [DENIED, HANGS, UNREACHABLE])
def test_with_secrets_manager_down_what_a_new_secret_signed_is_asked_for_again(
    door: Door, trouble: Trouble
) -> None:
    new = "the-new-secret-of-22-c"
    door.secret.store(new)
    door.secret.trouble = trouble
    answers = [door.post(created(), secret=new)]
    door.clock.advance(30)
    answers.append(door.post(created(), secret=new))
    for answer in answers:
        assert_problem(answer, 503)
        assert answer.log == {"outcome": "secret_unavailable", "reason": "the secrets may be outdated"}
    assert door.counts.all == {Count.REFRESH_FAILED: 1, Count.NOTHING_TO_VERIFY_WITH: 2}
    assert door.post(created()).status == 200

    door.secret.trouble = None
    door.clock.advance(SECRET_REFRESH_INTERVAL.total_seconds())
    assert door.post(created(), secret=new).status == 200  # Zoom's retry


# failure matrix: 30, 32
def test_with_secrets_manager_down_a_flood_of_forgeries_is_answered_503_and_costs_no_further_call(
    door: Door,
) -> None:
    door.secret.trouble = DENIED
    for _ in range(600):
        assert door.post(created(), secret="x" * 22).status == 503
        door.clock.advance(0.2)
    assert door.secret.calls == 2
    assert door.service_calls == 0


# failure matrix: 28, 32
def test_once_the_secrets_were_read_a_forgery_is_a_forgery_again(door: Door) -> None:
    door.secret.trouble = DENIED
    assert door.post(created(), secret="x" * 22).status == 503
    door.secret.trouble = None
    door.clock.advance(SECRET_REFRESH_INTERVAL.total_seconds())
    assert door.post(created(), secret="x" * 22).status == 401
    # Nothing was tried since, so that the secrets can't be read just now is not known and matters not.
    door.secret.trouble = DENIED
    assert door.post(created(), secret="x" * 22).status == 401


# failure matrix: 30
def test_with_secrets_manager_down_what_no_secret_could_have_signed_is_a_forgery_still(door: Door) -> None:
    door.secret.trouble = DENIED
    door.post(created(), secret="x" * 22)
    for name in ("no signature", "another version", "stale", "no headers", "of a body in broken base64"):
        assert door.receiver.receive(FORGERIES[name][0]).status == 401


# failure matrix: 30
@pytest.mark.parametrize("trouble", [DENIED, HANGS, UNREACHABLE])
def test_with_secrets_manager_down_a_warm_process_goes_on(door: Door, trouble: Trouble) -> None:
    door.secret.trouble = trouble
    door.clock.advance(SECRET_MAX_AGE.total_seconds() + 1)
    assert door.post(created()).status == 200
    assert door.counts.all == {Count.REFRESH_FAILED: 1, Count.DELIVERY_PUBLISHED: 1}


# failure matrix: 31
@pytest.mark.parametrize("secret", ["", " ", "fifteen-charact", " " * 22])
def test_with_an_unusable_secret_nothing_is_accepted(secret: str) -> None:
    door = Door()
    door.secret.store(secret)
    assert_problem(door.post(created(), secret=secret), 503)
    assert_problem(door.post(created()), 503)
    assert door.service_calls == 0


# failure matrix: 31
def test_a_secret_that_became_unusable_is_answered_503_and_not_401(door: Door) -> None:
    door.secret.store("")
    assert_problem(door.post(created(), secret="x" * 22), 503)


# -- The challenge ----------------------------------------------------------------------------------------


def test_a_signed_challenge_is_answered_with_the_secret_that_verified_it(door: Door) -> None:
    answer = door.post(CHALLENGE)
    assert (answer.status, answer.content_type) == (200, "application/json")
    first = content(answer)
    assert first.keys() == {"plainToken", "encryptedToken"}
    assert first["plainToken"] == "xys8n8PGS7mAU0m5-YJjRA"
    assert len(first["encryptedToken"]) == 64
    assert door.counts.all == {Count.CHALLENGE_ANSWERED: 1}
    assert door.service_calls == 0
    new = "the-new-secret-of-22-c"
    door.secret.store(new)
    assert content(door.post(CHALLENGE, secret=new))["encryptedToken"] != first["encryptedToken"]
    assert content(door.post(CHALLENGE)) == first


# failure matrix: 40
@pytest.mark.parametrize("token", ["v0:1795341600:{}", "a:b", "", "a" * 257, "abc\n", 7, None])
def test_a_challenge_that_would_sign_something_else_is_answered_400(door: Door, token: object) -> None:
    answer = door.post(CHALLENGE | {"payload": {"plainToken": token}})
    details = assert_problem(answer, 400)
    assert "encryptedToken" not in details["detail"]
    assert door.counts.all == {Count.CHALLENGE_REFUSED: 1}
    assert answer.log["outcome"] == "challenge_refused"


# -- Other events -----------------------------------------------------------------------------------------


# failure matrix: 36
@pytest.mark.parametrize("fan_out", FanOut)
@pytest.mark.parametrize("name", ["scheduler.schedule_created", "scheduler.x", "scheduler." + "x" * 118])
def test_a_scheduler_event_we_have_no_model_for_is_published_as_it_is(fan_out: FanOut, name: str) -> None:
    door = Door(fan_out)
    body = {"anything": [1, {"two": None}], "event": name}
    answer = door.post(body)
    assert (answer.status, content(answer)) == (200, body)
    (event,) = door.bus.published
    assert (event.source, event.detail_type) == ("zoom.scheduler", name)
    assert json.loads(event.detail) == body
    assert door.counts.all == {Count.UNKNOWN_EVENT_PUBLISHED: 1}


# failure matrix: 36
@pytest.mark.parametrize("fan_out", FanOut)
@pytest.mark.parametrize("trouble", [DENIED, HANGS, REFUSES])
def test_a_scheduler_event_we_have_no_model_for_goes_to_quarantine_while_the_bus_is_down(
    fan_out: FanOut, trouble: Trouble
) -> None:
    door = Door(fan_out)
    door.bus.trouble = trouble
    answer = door.post(UNKNOWN)
    assert answer.status == 200
    assert answer.log["outcome"] == "quarantined"
    (kept,) = door.quarantine.contents
    assert kept["reason"] == "not_published"
    assert json.loads(base64.b64decode(kept["body_base64"])) == UNKNOWN
    assert door.counts.all == {Count.QUARANTINED: 1}
    assert door.queues.contents == []


# failure matrix: 39
def test_a_scheduler_event_that_neither_bus_nor_quarantine_takes_is_answered_503(door: Door) -> None:
    door.bus.trouble = door.quarantine.trouble = DENIED
    assert_problem(door.post(UNKNOWN), 503)
    assert door.counts.all == {Count.NOT_DURABLE: 1}


# failure matrix: 13, 36
def test_unknown_event_leaves_the_quarantine_its_time(door: Door) -> None:
    slow_error = ServiceUnavailable("fake: InternalFailure", answered=True)
    door.bus.trouble = Trouble(slow_error, seconds=CALL_SECONDS - 0.01)
    assert door.post(UNKNOWN).status == 200
    assert len(door.quarantine.messages) == 1


# failure matrix: 36
@pytest.mark.parametrize("name", ["meeting.started", "schedulers.x", "Scheduler.x", "endpoint.other", "x"])
def test_an_event_of_another_product_is_answered_204_and_counted(door: Door, name: str) -> None:
    answer = door.post({"event": name, "payload": {}})
    assert (answer.status, answer.body, answer.content_type) == (204, None, None)
    assert door.counts.all == {Count.OTHER_PRODUCT: 1}
    assert door.service_calls == 0


# -- What can't be used -----------------------------------------------------------------------------------


def without(body: dict[str, Any], *path: str) -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(json.dumps(body))
    owner = copied
    for name in path[:-1]:
        owner = owner[name]
    del owner[path[-1]]
    return copied


EVENT_ID = "payload.object.scheduled_event.event_id"
AHEAD = MORNING_MS + 26 * 3_600_000  # a day after the fakes' clock

UNUSABLE: dict[str, tuple[bytes, str, list[str]]] = {
    "not JSON": (b"{", "invalid_body", [""]),
    "empty": (b"", "invalid_body", [""]),
    "not UTF-8": (b'{"event": "\xff\xfe"}', "invalid_body", [""]),
    "a list": (b"[]", "invalid_body", [""]),
    "NaN": (b'{"event": NaN}', "invalid_body", [""]),
    "a huge integer": (b'{"event": 1' + b"0" * 9999 + b"}", "invalid_body", [""]),
    "deep": (b'{"a":' * 90_000, "invalid_body", [""]),
    "a name twice": (b'{"event": "x", "event": "y"}', "invalid_body", [""]),
    "a lone surrogate": (rb'{"event": "\ud800"}', "invalid_body", [""]),
    "a refused character": (rb'{"event": "scheduler.x", "a": "\uffff"}', "invalid_body", [""]),
    "a control character": (rb'{"event": "scheduler.x", "\u0000": 1}', "invalid_body", [""]),
    "no event": (b"{}", "invalid_event", ["event"]),
    "an event of no name": (b'{"event": ""}', "invalid_event", ["event"]),
    "an event of a blank name": (b'{"event": "  "}', "invalid_event", ["event"]),
    "an event of another type": (b'{"event": 7}', "invalid_event", ["event"]),
    "a name too long": (raw({"event": "scheduler." + "x" * 119}), "invalid_event", ["event"]),
    "a name of other characters": (raw({"event": "scheduler.x y"}), "invalid_event", ["event"]),
    "a name that goes on": (raw({"event": CREATED + "\n"}), "invalid_event", ["event"]),
    "no event time": (raw(without(created(), "event_ts")), "invalid_event", ["event_ts"]),
    "no payload": (raw(without(created(), "payload")), "invalid_event", ["payload"]),
    "wrong types": (
        raw(created(invitee_email=7, guests=[1, "x", 2])),
        "invalid_event",
        [
            "payload.object.invitee_email",
            "payload.object.scheduled_event.guests[0]",
            "payload.object.scheduled_event.guests[2]",
        ],
    ),
    "half a question": (
        raw(created(questions_and_answers=[{"question": "?"}])),
        "invalid_event",
        [
            "payload.object.questions_and_answers[0].position",
        ],
    ),
    "no event id": (
        raw(without(created(), "payload", "object", "scheduled_event", "event_id")),
        "no_event_id",
        [EVENT_ID],
    ),
    "a blank event id": (raw(created(event_id=" ")), "no_event_id", [EVENT_ID]),
    "a null event id": (raw(created(event_id=None)), "no_event_id", [EVENT_ID]),  # type: ignore[arg-type]  # what Zoom may send
    "an event id too long": (raw(created(event_id="x" * 1025)), "no_event_id", [EVENT_ID]),
    "a day and a second ahead": (raw(created(AHEAD + 1000)), "event_from_the_future", ["event_ts"]),
    "seconds in the year 5138": (raw(created(10**11 - 1)), "event_from_the_future", ["event_ts"]),
    "the end of int64": (raw(canceled(2**63 - 1)), "event_from_the_future", ["event_ts"]),
}


# failure matrix: 38, 53
@pytest.mark.parametrize(("body", "reason", "fields"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_authentic_but_unusable_is_in_quarantine_whole_before_the_answer(
    door: Door, body: bytes, reason: str, fields: list[str]
) -> None:
    answer = door.post(body)
    details = assert_problem(answer, 400)
    assert [error["field"] for error in details["errors"]] == fields
    assert all(error["message"] for error in details["errors"])
    assert (answer.log["outcome"], answer.log["reason"]) == ("quarantined", reason)
    (kept,) = door.quarantine.contents
    assert kept.keys() == {
        "reason",
        "errors",
        "received_at",
        "request_id",
        "timestamp",
        "signature",
        "body_base64",
    }
    assert base64.b64decode(kept["body_base64"]) == body
    assert (kept["reason"], kept["errors"]) == (reason, details["errors"])
    assert (kept["request_id"], kept["received_at"]) == (REQUEST_ID, "2026-11-22T12:00:00Z")
    assert door.counts.all == {Count.QUARANTINED: 1}
    assert door.bus.published == []
    assert door.queues.contents == []


def test_an_event_time_a_day_ahead_is_still_accepted(door: Door) -> None:
    assert door.post(created(AHEAD)).status == 200
    assert door.post(created(int(NOW.timestamp()) + 86_400)).status == 200


def test_a_message_from_quarantine_can_be_fed_through_the_door_again(door: Door) -> None:
    body = raw(created(AHEAD + 1000))
    request = signed(body, door.clock.now())
    assert door.receiver.receive(request).status == 400
    (kept,) = door.quarantine.contents
    again = {"x-zm-signature": kept["signature"], "x-zm-request-timestamp": kept["timestamp"]}
    assert again.items() <= dict(request.headers).items()
    door.clock.advance(3600)
    assert door.post(base64.b64decode(kept["body_base64"])).status == 200


# failure matrix: 39
@pytest.mark.parametrize("trouble", [DENIED, HANGS, UNREACHABLE, REFUSES])
@pytest.mark.parametrize("name", ["not JSON", "no event id", "wrong types", "the end of int64"])
def test_while_the_quarantine_is_down_the_unusable_is_answered_503(
    door: Door, trouble: Trouble, name: str
) -> None:
    door.quarantine.trouble = trouble
    answer = door.post(UNUSABLE[name][0])
    assert_problem(answer, 503)
    assert answer.log["outcome"] == "not_durable"
    assert door.counts.all == {Count.NOT_DURABLE: 1}


# failure matrix: 43
@pytest.mark.parametrize(
    "body",
    [
        created(guests=["canary", 7]),
        created(guests=[["canary"]], invitee_email={"canary": 1}),
        created(AHEAD + 1000, summary="canary"),
        created(event_id="", summary="canary"),
        {"event": "scheduler.canary canary"},
    ],
)
def test_an_answer_to_the_unusable_repeats_nothing_of_it(door: Door, body: dict[str, Any]) -> None:
    answer = door.post(body)
    assert answer.status == 400
    assert "canary" not in f"{answer.body}{answer.log}"


def test_at_most_a_hundred_errors_are_named(door: Door) -> None:
    details = assert_problem(door.post(created(guests=[7] * 500)), 400)
    assert len(details["errors"]) == 100
    assert len(door.quarantine.contents[0]["errors"]) == 100


# -- The two ways out -------------------------------------------------------------------------------------


@dataclass
class Ways:
    """The first way and the fallback of a fan-out, to be put in trouble alike."""

    door: Door
    bus_first: bool

    def trouble(self, first: Trouble | None, fallback: Trouble | None) -> None:
        on_bus, on_queues = (first, fallback) if self.bus_first else (fallback, first)
        self.door.bus.trouble = on_bus
        self.door.queues.in_trouble(on_queues)

    @property
    def by_first(self) -> int:
        return len(self.door.bus.published if self.bus_first else self.door.queues.contents)

    @property
    def by_fallback(self) -> int:
        return len(self.door.queues.contents if self.bus_first else self.door.bus.published)


@pytest.fixture(params=FanOut)
def ways(request: pytest.FixtureRequest) -> Ways:
    door = Door(request.param)
    door.warm()
    return Ways(door, request.param is FanOut.EVENT_BRIDGE)


# failure matrix: 10, 11, 14, 47
@pytest.mark.parametrize("trouble", [THROTTLED, DENIED, HANGS, UNREACHABLE, REFUSES])
@pytest.mark.parametrize("body", [created(), canceled()])
def test_the_fallback_carries_what_the_first_way_does_not_take(
    ways: Ways, trouble: Trouble, body: dict[str, Any]
) -> None:
    ways.trouble(trouble, None)
    assert ways.door.post(body).status == 200
    assert (ways.by_first, ways.by_fallback) == (0, 1)
    assert ways.door.counts.all == {Count.DELIVERY_PUBLISHED: 1, Count.FALLBACK_USED: 1}


# failure matrix: 10
def test_a_first_way_that_answers_is_tried_twice_before_the_fallback(ways: Ways) -> None:
    service = ways.door.bus if ways.bus_first else ways.door.queues.queues[CREATED]
    service.next = [THROTTLED, None]
    assert ways.door.post(created()).status == 200
    assert (ways.by_first, ways.by_fallback) == (1, 0)
    assert ways.door.counts.all == {Count.DELIVERY_PUBLISHED: 1}
    service.next = [THROTTLED, THROTTLED, None]
    assert ways.door.post(created()).status == 200
    assert (ways.by_first, ways.by_fallback) == (1, 1)


# failure matrix: 11
def test_a_first_way_that_does_not_answer_is_not_tried_again(ways: Ways) -> None:
    ways.trouble(HANGS, None)
    assert ways.door.post(created()).status == 200
    service = ways.door.bus if ways.bus_first else ways.door.queues.queues[CREATED]
    assert service.calls == 1
    assert (ways.by_first, ways.by_fallback) == (0, 1)


# failure matrix: 9
def test_an_answer_that_was_lost_makes_a_duplicate_and_no_loss(ways: Ways) -> None:
    ways.trouble(replace(HANGS, took_it=True), None)
    assert ways.door.post(created()).status == 200
    assert (ways.by_first, ways.by_fallback) == (1, 1)


# failure matrix: 10, 13
@pytest.mark.parametrize(
    ("first", "fallback"), list(itertools.product([THROTTLED, DENIED, HANGS, UNREACHABLE], repeat=2))
)
def test_with_both_ways_down_the_answer_is_503(ways: Ways, first: Trouble, fallback: Trouble) -> None:
    ways.trouble(first, fallback)
    answer = ways.door.post(created())
    details = assert_problem(answer, 503)
    assert "fake" not in details["detail"]
    assert answer.log["outcome"] == "not_durable"
    assert answer.log["zoom_request_id"] == REQUEST_ID
    assert answer.log["zoom_event"] == CREATED
    assert ways.door.counts.all == {Count.NOT_DURABLE: 1}


# failure matrix: 53
@pytest.mark.parametrize("first", [DENIED, UNREACHABLE, REFUSES, HANGS])
def test_what_the_last_way_refuses_for_itself_is_in_quarantine(ways: Ways, first: Trouble) -> None:
    ways.trouble(first, REFUSES)
    answer = ways.door.post(created())
    assert answer.status == 200
    assert answer.log["outcome"] == "quarantined"
    (kept,) = ways.door.quarantine.contents
    assert kept["reason"] == "not_published"
    assert json.loads(base64.b64decode(kept["body_base64"])) == created()
    assert ways.door.counts.all == {Count.QUARANTINED: 1}


# failure matrix: 12
def test_with_the_bus_down_for_a_day_every_booking_goes_by_the_queues(door: Door) -> None:
    door.bus.trouble = DENIED
    for hour in range(24):
        assert door.post(created(MORNING_MS + hour * 3_600_000, event_id=f"evt-{hour}")).status == 200
        door.clock.advance(3600)
    booked = [event["detail"]["payload"]["object"] for event in door.queues.contents]
    assert [each["scheduled_event"]["event_id"] for each in booked] == [f"evt-{hour}" for hour in range(24)]


# -- The budget -------------------------------------------------------------------------------------------

SLOW_ANSWER = Trouble(ServiceUnavailable("fake: InternalFailure", answered=True), seconds=0.79)
BODIES = {
    "created": raw(created()),
    "unknown": raw(UNKNOWN),
    "unusable": b"{",
    "challenge": raw(CHALLENGE),
    "another product": raw({"event": "meeting.started"}),
}


# failure matrix: 13
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("fan_out", FanOut)
@pytest.mark.parametrize("trouble", [HANGS, SLOW_ANSWER])
@pytest.mark.parametrize("secret", ["cold", "warm", "aged", "rotated"])
@pytest.mark.parametrize("genuine", [True, False])
def test_with_every_service_hanging_an_answer_leaves_in_time(
    body: bytes, fan_out: FanOut, trouble: Trouble, secret: str, genuine: bool
) -> None:
    door = Door(fan_out, age=timedelta(hours=1))
    if secret != "cold":
        door.warm()
    if secret == "aged":
        door.clock.advance(SECRET_MAX_AGE.total_seconds() + 1)
    if secret == "rotated":
        door.secret.store("the-new-secret-of-22-c")
    for service in (door.bus, door.quarantine, door.secret, *door.queues.queues.values()):
        service.trouble = trouble
    start = door.clock.monotonic()
    answer = door.post(body, secret=SECRET if genuine else "x" * 22)
    assert door.clock.monotonic() - start <= REQUEST_SECONDS
    needs_no_service = body in (BODIES["challenge"], BODIES["another product"])
    if genuine and needs_no_service and secret != "cold":
        assert answer.status in (200, 204)
    else:
        assert answer.status == 503  # to a forgery too: which it is can't be known without the secret


# failure matrix: 11, 13
def test_a_slow_secret_and_a_slow_bus_leave_the_fallback_enough_time() -> None:
    door = Door(age=timedelta(hours=1))
    door.warm()
    door.clock.advance(SECRET_MAX_AGE.total_seconds() + 1)
    door.secret.trouble = replace(SLOW_ANSWER, seconds=0.69)
    door.bus.trouble = SLOW_ANSWER
    assert door.post(created()).status == 200
    assert len(door.queues.contents) == 1


# failure matrix: 11, 13, 30
def test_a_silent_secret_and_a_silent_bus_cost_one_retry() -> None:
    door = Door(age=timedelta(hours=1))
    door.warm()
    door.clock.advance(SECRET_MAX_AGE.total_seconds() + 1)
    door.secret.trouble = door.bus.trouble = HANGS
    assert door.post(created()).status == 503  # the queue's call could pass the deadline
    assert door.post(created()).status == 200  # the secret is read at most once a minute
    assert len(door.queues.contents) == 1


# failure matrix: 43
def test_a_request_shows_nothing_of_itself_in_a_repr() -> None:
    assert repr(signed(b"canary", NOW)) == "Request()"


# ── while the function starts ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("age", "reads"), [(timedelta(days=30), 1), (timedelta(hours=1), 2)])
def test_a_prepared_receiver_has_its_secret_before_the_first_request(age: timedelta, reads: int) -> None:
    door = Door(age=age)
    door.receiver.prepare()
    assert (door.secret.calls, door.service_calls) == (reads, 0)
    assert door.post(created()).status == 200
    assert door.secret.calls == reads
    assert door.counts.all == {Count.DELIVERY_PUBLISHED: 1}


def test_a_receiver_that_was_prepared_before_a_rotation_reads_again_when_it_must() -> None:
    door = Door()
    door.receiver.prepare()
    door.secret.store("the-new-secret-of-22-c")
    assert door.post(created(), secret="the-new-secret-of-22-c").status == 200


def test_a_preparation_that_hangs_ends_in_time_and_leaves_the_reading_to_the_first_request() -> None:
    door = Door()
    door.secret.trouble = HANGS
    before = door.clock.monotonic()
    door.receiver.prepare()
    assert door.clock.monotonic() - before <= PREPARATION_SECONDS
    door.secret.trouble = None
    assert door.post(created()).status == 200
