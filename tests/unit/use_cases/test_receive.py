"""Receiving: each row of the HTTP contract, the two destinations, and the time budget."""

import itertools
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookings.counts import Count
from bookings.domain.booking import booking_id_of
from bookings.errors import ServiceUnavailable
from bookings.limits import MAX_BODY_BYTES, PREPARATION_SECONDS, REQUEST_SECONDS, SECRET_MAX_AGE
from bookings.settings import FanOut
from bookings.use_cases.receive import Request
from bookings.zoom.events import CANCELED, CREATED
from tests.fakes import DENIED, HANGS, NOW, REFUSES, THROTTLED, UNREACHABLE, Trouble
from tests.receiving import (
    CHALLENGE,
    NEW_SECRET,
    PUBLISHED,
    UNKNOWN,
    WRONG_SECRET,
    ReceiverUnderTest,
    problem_of,
)
from tests.samples import MORNING_MS, REQUEST_ID, SECRET, canceled, created, raw, sample, signed

NOON = "2026-11-22T12:00:00Z"
AHEAD = MORNING_MS + 26 * 3_600_000  # a day after the fakes' clock


@pytest.fixture
def under_test() -> ReceiverUnderTest:
    return ReceiverUnderTest().warm()


@pytest.mark.parametrize("body", [created(), canceled(), sample(CREATED), sample(CANCELED)])
def test_valid_event_is_published_as_it_came(under_test: ReceiverUnderTest, body: dict[str, Any]) -> None:
    sent = json.dumps(body, indent=1).encode() + b"\n"
    answer = under_test.post(sent)
    assert (answer.status, answer.content_type, answer.body) == (200, "application/json", sent.decode())
    (event,) = under_test.bus.published
    assert (event.source, event.detail_type, event.detail) == ("zoom.scheduler", body["event"], sent.decode())
    assert event.resources == [f"zoom-request/{REQUEST_ID}"]
    assert under_test.counts.all == {PUBLISHED[body["event"]]: 1}
    assert len(under_test.queues.contents) == len(under_test.quarantined) == 0
    booked = body["payload"]["object"]
    booking_id = booking_id_of(booked["scheduled_event"]["event_id"], booked["invitee_email"])
    logged = {"zoom_event": body["event"], "booking_id": booking_id, "outcome": "published"}
    assert answer.log == logged | {"zoom_request_id": REQUEST_ID}


# failure matrix: 1, 3, 41
def test_captured_request_is_accepted_inside_the_window_only(under_test: ReceiverUnderTest) -> None:
    request = signed(raw(created()), under_test.clock.now())
    assert [under_test.receiver.receive(request).status for _ in range(3)] == [200, 200, 200]
    assert [event.detail for event in under_test.bus.published] == [raw(created()).decode()] * 3
    under_test.clock.advance(301)
    assert under_test.receiver.receive(request).status == 401
    under_test.clock.advance(85 * 60)
    assert under_test.post(created()).status == 200  # Zoom signs its retry afresh


FULL_FORM = [{"question": "🚗" * 1024, "position": at, "answer": ["🚗" * 8192]} for at in range(10)]
ACCEPTED = {
    "no e-mail": created(invitee_email=None),
    "new fields and values": created(location_kind="hologram", invented={"amount": 12.5}, guests=None),
    "a full form": created(questions_and_answers=FULL_FORM, summary="🚗" * 256, meeting_notes="🚗" * 1024),
    "a day ahead": created(AHEAD),
    "a day ahead in seconds": created(AHEAD // 1000),
    "at the cap": created(notes="x" * (MAX_BODY_BYTES - len(raw(created(notes=""))))),
}


# failure matrix: 34, 37, 51
@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_unusual_event_is_published_or_sent_whole(under_test: ReceiverUnderTest, body: Any) -> None:
    assert under_test.post(body).status == 200
    under_test.bus.trouble = UNREACHABLE
    assert under_test.post(body).status == 200
    assert [event.detail for event in under_test.bus.published] == [raw(body).decode()]
    assert [event["detail"] for event in under_test.queues.contents] == [body]


@pytest.mark.parametrize("name", [CREATED, "scheduler.without_a_model"])
def test_test_booking_has_its_own_source(under_test: ReceiverUnderTest, name: str) -> None:
    assert under_test.post(created(event_id="bookings-check-1") | {"event": name}).status == 200
    assert under_test.bus.published[0].source == "zoom.scheduler.check"


@pytest.mark.parametrize("request_id", [None, "", "a b", "x" * 129, "abc,def"])
def test_malformed_request_id_is_left_out(under_test: ReceiverUnderTest, request_id: str | None) -> None:
    answer = under_test.post(created(), request_id=request_id)
    assert (answer.status, under_test.bus.published[0].resources) == (200, [])
    assert "zoom_request_id" not in answer.log


# failure matrix: 34
def test_body_over_the_cap_is_answered_413_before_any_hmac() -> None:
    under_test = ReceiverUnderTest()
    answer = under_test.post(b"x" * (MAX_BODY_BYTES + 1))
    assert "720,000 bytes" in problem_of(answer, 413)["detail"]
    assert under_test.receiver.receive(Request({}, b"x" * 5_000_000)).status == 413
    assert under_test.counts.all == {Count.TOO_LARGE: 2}
    assert under_test.secret.calls == under_test.service_calls == 0


def test_challenge_is_answered_with_the_secret_that_verified_it(under_test: ReceiverUnderTest) -> None:
    first = under_test.post(CHALLENGE)
    assert (first.status, first.content_type) == (200, "application/json")
    assert json.loads(first.body or "").keys() == {"plainToken", "encryptedToken"}
    assert under_test.counts.all == {Count.CHALLENGE_ANSWERED: 1}
    under_test.secret.store(NEW_SECRET)
    assert under_test.post(CHALLENGE, secret=NEW_SECRET).body != first.body
    assert under_test.post(CHALLENGE).body == first.body
    assert under_test.service_calls == 0


def test_challenge_of_a_check_is_not_counted_as_zooms(under_test: ReceiverUnderTest) -> None:
    assert under_test.post(CHALLENGE | {"payload": {"plainToken": "bookings-check-1"}}).status == 200
    assert under_test.counts.all == {}


# failure matrix: 40
def test_challenge_of_another_form_is_answered_400(under_test: ReceiverUnderTest) -> None:
    answer = under_test.post(CHALLENGE | {"payload": {"plainToken": "v0:1795341600:{}"}})
    assert "encryptedToken" not in problem_of(answer, 400)["detail"]
    assert (answer.log["outcome"], [*under_test.counts.all]) == ("challenge_refused", ["ChallengeRefused"])


SLOW_ERROR = Trouble(ServiceUnavailable("fake: InternalFailure", answered=True), seconds=0.79)


# failure matrix: 13, 36, 39
@pytest.mark.parametrize("fan_out", FanOut)
@pytest.mark.parametrize("name", ["scheduler.schedule_created", "scheduler." + "x" * 118])
@pytest.mark.parametrize(
    ("bus", "quarantine", "status", "counted"),
    [
        (None, None, 200, Count.UNKNOWN_EVENT_PUBLISHED),
        *((trouble, None, 200, Count.QUARANTINED) for trouble in (DENIED, HANGS, REFUSES, SLOW_ERROR)),
        (DENIED, DENIED, 503, Count.NOT_DURABLE),
    ],
)
def test_event_without_a_model_goes_to_bus_or_quarantine(
    fan_out: FanOut, name: str, bus: Trouble | None, quarantine: Trouble | None, status: int, counted: Count
) -> None:
    under_test = ReceiverUnderTest(fan_out)
    under_test.bus.trouble, under_test.quarantine.trouble = bus, quarantine
    body = raw({"anything": [1, {"two": None}], "event": name})
    assert under_test.post(body).status == status
    published = [(event.detail_type, event.detail.encode()) for event in under_test.bus.published]
    assert published == ([(name, body)] if counted == Count.UNKNOWN_EVENT_PUBLISHED else [])
    assert under_test.quarantined == ([body] if counted == Count.QUARANTINED else [])
    assert (under_test.counts.all, under_test.queues.contents) == ({counted: 1}, [])


# failure matrix: 36
@pytest.mark.parametrize("name", ["meeting.started", "schedulers.x", "Scheduler.x", "endpoint.other", "x"])
def test_event_of_another_product_is_answered_204(under_test: ReceiverUnderTest, name: str) -> None:
    answer = under_test.post({"event": name, "payload": {}})
    assert (answer.status, answer.body, answer.content_type) == (204, None, None)
    assert (under_test.counts.all, under_test.service_calls) == ({Count.OTHER_PRODUCT: 1}, 0)


EVENT_ID, MANAGE_URL = "payload.object.scheduled_event.event_id", "payload.object.manage_url"
GUEST = "payload.object.scheduled_event.guests[1]"
UNUSABLE: dict[str, tuple[bytes, str, list[str]]] = {
    "not JSON": (b"{", "invalid_body", [""]),
    "a refused character": (rb'{"event": "scheduler.x", "a": "\uffff"}', "invalid_body", [""]),
    "no event": (b"{}", "invalid_event", ["event"]),
    "a blank event": (b'{"event": "  "}', "invalid_event", ["event"]),
    "a name too long": (raw({"event": "scheduler." + "x" * 119}), "invalid_event", ["event"]),
    "a name with a newline": (raw({"event": CREATED + "\n"}), "invalid_event", ["event"]),
    "no event time": (raw({"event": CREATED, "payload": {}}), "invalid_event", ["event_ts"]),
    "wrong types": (raw(created(manage_url=7, guests=["x", 1])), "invalid_event", [MANAGE_URL, GUEST]),
    "no event id": (raw({"event": CREATED, "event_ts": 1, "payload": {}}), "no_event_id", [EVENT_ID]),
    "a blank event id": (raw(created(event_id=" ")), "no_event_id", [EVENT_ID]),
    "an event id too long": (raw(created(event_id="x" * 1025)), "no_event_id", [EVENT_ID]),
    "a day and a second ahead": (raw(created(AHEAD + 1000)), "event_from_the_future", ["event_ts"]),
    "seconds in the year 5138": (raw(created(10**11 - 1)), "event_from_the_future", ["event_ts"]),
    "the end of int64": (raw(canceled(2**63 - 1)), "event_from_the_future", ["event_ts"]),
}


# failure matrix: 38, 53
@pytest.mark.parametrize(("body", "reason", "fields"), UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_delivery_is_in_quarantine_before_the_400(
    under_test: ReceiverUnderTest, body: bytes, reason: str, fields: list[str]
) -> None:
    answer = under_test.post(body)
    errors = problem_of(answer, 400)["errors"]
    assert [error["field"] for error in errors] == fields
    assert all(error["message"] for error in errors)
    assert (answer.log["outcome"], answer.log["reason"]) == ("quarantined", reason)
    assert under_test.quarantined == [body]
    (message,) = under_test.quarantine.contents
    sent = signed(body, NOW).headers
    assert (message["reason"], message["errors"], message["received_at"]) == (reason, errors, NOON)
    assert (message["request_id"], message["signature"]) == (REQUEST_ID, sent["x-zm-signature"])
    assert message["timestamp"] == sent["x-zm-request-timestamp"]
    assert under_test.counts.all == {Count.QUARANTINED: 1}
    assert len(under_test.bus.published) == len(under_test.queues.contents) == 0


# failure matrix: 39
@pytest.mark.parametrize("trouble", [DENIED, HANGS, UNREACHABLE, REFUSES])
def test_unusable_delivery_needs_the_quarantine(under_test: ReceiverUnderTest, trouble: Trouble) -> None:
    under_test.quarantine.trouble = trouble
    answer = under_test.post(created(event_id=""))
    problem_of(answer, 503)
    assert answer.log["outcome"] == "not_durable"
    assert under_test.counts.all == {Count.NOT_DURABLE: 1}


# failure matrix: 43
@pytest.mark.parametrize(
    "changes", [{"guests": ["canary", 7]}, {"guests": [["canary"]]}, {"event_id": "", "summary": "canary"}]
)
def test_answer_400_repeats_nothing_of_the_body(under_test: ReceiverUnderTest, changes: Any) -> None:
    answer = under_test.post(created(**changes))
    assert answer.status == 400
    assert "canary" not in f"{answer.body}{answer.log}{answer!r}{signed(b'canary', NOW)!r}"


# failure matrix: 38
@pytest.mark.parametrize(("wrong", "named"), [(500, 100), (1000, 100), (100_000, 1)])
def test_at_most_a_hundred_errors_are_named(under_test: ReceiverUnderTest, wrong: int, named: int) -> None:
    errors = problem_of(under_test.post(created(guests=[7] * wrong)), 400)["errors"]
    assert len(errors) == named
    assert under_test.quarantine.contents[0]["errors"] == errors


DOWN = (THROTTLED, DENIED, HANGS, UNREACHABLE)
TROUBLES: list[tuple[Any, Any, str, tuple[int, int]]] = [
    (None, None, "published", (1, 0)),
    *((first, None, "published", (0, 1)) for first in (*DOWN, REFUSES)),
    (replace(HANGS, took_it=True), None, "published", (1, 1)),
    *((first, fallback, "not_durable", (0, 0)) for first, fallback in itertools.product(DOWN, DOWN)),
    *((first, REFUSES, "quarantined", (0, 0)) for first in (*DOWN, REFUSES)),
]
COUNTED = {
    "not_durable": {Count.NOT_DURABLE: 1},
    "quarantined": {Count.QUARANTINED: 1},
}


# failure matrix: 9, 10, 11, 13, 14, 47, 53
@pytest.mark.parametrize("body", [created(), canceled()], ids=["created", "canceled"])
@pytest.mark.parametrize("fan_out", FanOut)
@pytest.mark.parametrize(("first", "fallback", "outcome", "sizes"), TROUBLES)
def test_delivery_is_durable_or_not_answered_2xx(
    body: Any, fan_out: FanOut, first: Any, fallback: Any, outcome: str, sizes: tuple[int, int]
) -> None:
    under_test = ReceiverUnderTest(fan_out).warm()
    bus, queue = under_test.bus, under_test.queues.queues[body["event"]]
    by_bus = fan_out is FanOut.EVENT_BRIDGE
    bus.trouble, queue.trouble = (first, fallback) if by_bus else (fallback, first)
    answer = under_test.post(body)
    assert answer.status == (503 if outcome == "not_durable" else 200)
    assert "fake" not in (answer.body or "")
    log = {"outcome": outcome, "zoom_event": body["event"], "zoom_request_id": REQUEST_ID}
    assert answer.log.items() >= log.items()
    on_bus = [(event.source, json.loads(event.detail)) for event in bus.published]
    in_queue = [(event["source"], event["detail"]) for event in queue.contents]
    copies = (on_bus, in_queue) if by_bus else (in_queue, on_bus)
    assert copies == tuple([("zoom.scheduler", body)] * size for size in sizes)
    assert under_test.quarantined == ([raw(body)] if outcome == "quarantined" else [])
    fallback_used = {Count.FALLBACK_USED: sizes[1]} if sizes[1] else {}
    counted = COUNTED.get(outcome) or {PUBLISHED[body["event"]]: 1}
    assert under_test.counts.all == counted | fallback_used


# failure matrix: 13
@pytest.mark.parametrize("body", [created(), UNKNOWN, {}, CHALLENGE, {"event": "x"}])
@pytest.mark.parametrize("fan_out", FanOut)
@pytest.mark.parametrize("trouble", [HANGS, SLOW_ERROR])
@pytest.mark.parametrize("secret", ["cold", "warm", "aged", "rotated"])
@pytest.mark.parametrize("genuine", [True, False])
def test_answer_leaves_in_time_while_every_service_hangs(
    body: dict[str, Any], fan_out: FanOut, trouble: Trouble, secret: str, genuine: bool
) -> None:
    under_test = ReceiverUnderTest(fan_out, secret_age=timedelta(hours=1))
    if secret != "cold":
        under_test.warm()
    if secret == "aged":
        under_test.clock.advance(SECRET_MAX_AGE.total_seconds() + 1)
    if secret == "rotated":
        under_test.secret.store(NEW_SECRET)
    under_test.all_in_trouble(trouble)
    start = under_test.clock.monotonic()
    answer = under_test.post(body, secret=SECRET if genuine else WRONG_SECRET)
    assert under_test.clock.monotonic() - start <= REQUEST_SECONDS
    if genuine and secret != "cold" and body in (CHALLENGE, {"event": "x"}):  # these need no service
        assert answer.status in (200, 204)
    else:
        assert answer.status == 503  # a forgery too: a newer secret may have signed it


# failure matrix: 11, 13, 30
@pytest.mark.parametrize(
    ("secret", "bus", "statuses"),
    [
        (replace(SLOW_ERROR, seconds=0.69), SLOW_ERROR, [200]),
        (HANGS, HANGS, [503, 200]),  # the second request does not read the secret again
    ],
)
def test_slow_secret_costs_at_most_one_retry(secret: Trouble, bus: Trouble, statuses: list[int]) -> None:
    under_test = ReceiverUnderTest(secret_age=timedelta(hours=1)).warm()
    under_test.clock.advance(SECRET_MAX_AGE.total_seconds() + 1)
    under_test.secret.trouble, under_test.bus.trouble = secret, bus
    assert [under_test.post(created()).status for _ in statuses] == statuses
    assert len(under_test.queues.contents) == 1


@pytest.mark.parametrize(("age", "reads"), [(timedelta(days=30), 1), (timedelta(hours=1), 2)])
def test_prepared_receiver_needs_no_read_for_its_first_request(age: timedelta, reads: int) -> None:
    under_test = ReceiverUnderTest(secret_age=age)
    under_test.receiver.prepare()
    assert (under_test.secret.calls, under_test.service_calls) == (reads, 0)
    assert under_test.post(created()).status == 200
    assert under_test.secret.calls == reads
    under_test.secret.store(NEW_SECRET)
    assert under_test.post(created(), secret=NEW_SECRET).status == 200


def test_preparation_that_hangs_ends_in_time() -> None:
    under_test = ReceiverUnderTest()
    under_test.secret.trouble = HANGS
    start = under_test.clock.monotonic()
    under_test.receiver.prepare()
    assert under_test.clock.monotonic() - start <= PREPARATION_SECONDS
    under_test.secret.trouble = None
    assert under_test.post(created()).status == 200
