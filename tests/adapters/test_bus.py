"""The bus's adapter: entries as sent, partial failures, splitting."""

import dataclasses
import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from bookings.aws.bus import EventBridgeBus
from bookings.envelope import Envelope
from bookings.errors import RefusedByService, ServiceError, ServiceUnavailable
from bookings.limits import PUT_EVENTS_BYTES, PUT_EVENTS_ENTRIES
from tests.adapters.resources import Bus, Queue, in_time

ARN = "arn:aws:events:us-east-1:123456789012:event-bus/bookings"


def envelope(number: int = 1, *, detail: str | None = None) -> Envelope:
    return Envelope("bookings", "BookingCreated", detail or json.dumps({"number": number}))


def entry_of(sent: Envelope) -> dict[str, Any]:
    return {
        "EventBusName": ARN,
        "Source": sent.source,
        "DetailType": sent.detail_type,
        "Detail": sent.detail,
        "Resources": sent.resources,
    }


def told(results: list[ServiceError | None]) -> list[str | None]:
    return [None if error is None else f"{type(error).__name__} {error}" for error in results]


class Stubbed:
    """A bus whose answers are set beforehand; each call must carry exactly the entries expected."""

    def __init__(self) -> None:
        events = boto3.client("events")
        self._stub = Stubber(events)
        self._stub.activate()
        self.bus = EventBridgeBus(events, ARN)

    def expect(self, sent: list[Envelope], *results: dict[str, str]) -> None:
        answer = list(results) or [{"EventId": "e"} for _ in sent]
        self._stub.add_response(
            "put_events",
            {
                "FailedEntryCount": sum("ErrorCode" in result for result in answer),
                "Entries": answer,
            },
            {"Entries": [entry_of(one) for one in sent]},
        )

    def expect_error(self, sent: list[Envelope], code: str) -> None:
        self._stub.add_client_error(
            "put_events", code, "canary", expected_params={"Entries": [entry_of(one) for one in sent]}
        )

    def all_used(self) -> None:
        self._stub.assert_no_pending_responses()


# ── one event ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_event_arrives_as_it_was_published_to_the_character(aws: None) -> None:
    bus, queue = Bus(), Queue("everything")
    bus.subscribe(queue, {"source": ["zoom.scheduler"]})
    detail = '{"event": "scheduler.x", "text": "Gr\\u00fc\\u00dfe 🏝"}'
    sent = Envelope("zoom.scheduler", "scheduler.x", detail, request_id="abc_1-2")
    EventBridgeBus(boto3.client("events"), bus.arn).publish(sent, in_time())
    (message,) = queue.bodies()
    assert message["detail"] == json.loads(detail)
    assert (message["source"], message["detail-type"]) == ("zoom.scheduler", "scheduler.x")
    assert message["resources"] == ["zoom-request/abc_1-2"]


def test_an_entry_carries_the_body_unchanged_and_no_time_of_its_own() -> None:
    stubbed = Stubbed()
    sent = Envelope("zoom.scheduler", "scheduler.x", '{ "a" :1.0,"b":"\\u00e4"}\n', request_id="r1")
    stubbed.expect([sent])  # the entry is compared whole: it has no Time
    stubbed.bus.publish(sent, in_time())
    stubbed.all_used()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", ServiceUnavailable),
        ("InternalFailure", ServiceUnavailable),
        ("AccessDeniedException", ServiceUnavailable),
        ("NotAuthorizedForSourceException", ServiceUnavailable),
        ("SomethingNew", ServiceUnavailable),
        ("MalformedDetail", RefusedByService),
        ("InvalidArgument", RefusedByService),
    ],
)
def test_a_failed_entry_in_an_answer_of_200_is_a_failure(code: str, kind: type[ServiceError]) -> None:
    # failure matrix: 10, 14
    stubbed = Stubbed()
    stubbed.expect([envelope()], {"ErrorCode": code, "ErrorMessage": "canary"})
    with pytest.raises(kind, match=f"^EventBridge: {code}$"):
        stubbed.bus.publish(envelope(), in_time())


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", ServiceUnavailable),
        ("AccessDeniedException", ServiceUnavailable),
        ("ResourceNotFoundException", ServiceUnavailable),
        ("InternalException", ServiceUnavailable),
        ("ValidationException", RefusedByService),
    ],
)
def test_a_call_that_fails_as_a_whole_is_told_by_its_code(code: str, kind: type[ServiceError]) -> None:
    # failure matrix: 11, 14
    stubbed = Stubbed()
    stubbed.expect_error([envelope()], code)
    with pytest.raises(kind, match=f"^EventBridge: {code}$"):
        stubbed.bus.publish(envelope(), in_time())


def test_an_event_over_the_limit_is_refused_without_a_call() -> None:
    # failure matrix: 26
    stubbed = Stubbed()
    with pytest.raises(RefusedByService, match="1,000,000 bytes"):
        stubbed.bus.publish(envelope(detail=json.dumps({"text": "ä" * (PUT_EVENTS_BYTES // 2)})), in_time())


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────


def test_results_stand_in_the_order_of_the_events() -> None:
    # failure matrix: 27
    stubbed = Stubbed()
    sent = [envelope(number) for number in range(3)]
    stubbed.expect(
        sent, {"EventId": "1"}, {"ErrorCode": "ThrottlingException"}, {"ErrorCode": "MalformedDetail"}
    )
    assert told(stubbed.bus.publish_all(sent)) == [
        None,
        "ServiceUnavailable EventBridge: ThrottlingException",
        "RefusedByService EventBridge: MalformedDetail",
    ]


def test_a_batch_is_split_into_calls_of_ten() -> None:
    stubbed = Stubbed()
    sent = [envelope(number) for number in range(2 * PUT_EVENTS_ENTRIES + 1)]
    for start in (0, 10, 20):
        stubbed.expect(sent[start : start + 10])
    assert told(stubbed.bus.publish_all(sent)) == [None] * 21
    stubbed.all_used()


def test_a_batch_is_split_so_that_no_call_passes_a_megabyte() -> None:
    stubbed = Stubbed()
    small, half = envelope(), envelope(detail=json.dumps({"text": "é" * 240_000}, ensure_ascii=False))
    stubbed.expect([small, half, half])
    stubbed.expect([half, small])
    assert told(stubbed.bus.publish_all([small, half, half, half, small])) == [None] * 5
    stubbed.all_used()


def test_events_of_test_bookings_go_in_calls_of_their_own() -> None:
    stubbed = Stubbed()
    real, test = envelope(), dataclasses.replace(envelope(), source="bookings.check")
    for call in ([real, real], [test], [real]):
        stubbed.expect(call)
    assert stubbed.bus.publish_all([real, real, test, real]) == [None] * 4
    stubbed.all_used()


def test_nothing_to_publish_is_no_call() -> None:
    assert Stubbed().bus.publish_all([]) == []


def test_a_call_refused_as_a_whole_is_made_for_each_event_to_find_which() -> None:
    # failure matrix: 26
    stubbed = Stubbed()
    sent = [envelope(number) for number in range(3)]
    stubbed.expect_error(sent, "ValidationException")
    stubbed.expect([sent[0]])
    stubbed.expect_error([sent[1]], "ValidationException")
    stubbed.expect([sent[2]])
    assert told(stubbed.bus.publish_all(sent)) == [
        None,
        "RefusedByService EventBridge: ValidationException",
        None,
    ]
    stubbed.all_used()


def test_the_search_for_a_refused_event_stops_when_the_bus_fails() -> None:
    # failure matrix: 12, 26
    stubbed = Stubbed()
    sent = [envelope(number) for number in range(4)]
    stubbed.expect_error(sent, "ValidationException")
    stubbed.expect([sent[0]])
    stubbed.expect_error([sent[1]], "InternalException")
    down = "ServiceUnavailable EventBridge: InternalException"
    assert told(stubbed.bus.publish_all(sent)) == [None, down, down, down]
    stubbed.all_used()


def test_an_event_over_the_limit_is_refused_by_itself_and_the_others_go_on() -> None:
    # failure matrix: 26
    stubbed = Stubbed()
    large = envelope(detail=json.dumps({"text": "x" * PUT_EVENTS_BYTES}))
    stubbed.expect([envelope(1)])
    stubbed.expect([envelope(2)])
    assert told(stubbed.bus.publish_all([envelope(1), large, envelope(2)])) == [
        None,
        "RefusedByService EventBridge: over 1,000,000 bytes",
        None,
    ]
    stubbed.all_used()


def test_after_a_failure_the_rest_of_a_batch_is_not_tried() -> None:
    # failure matrix: 12
    stubbed = Stubbed()
    sent = [envelope(number) for number in range(12)]
    stubbed.expect_error(sent[:10], "InternalException")
    assert told(stubbed.bus.publish_all(sent)) == ["ServiceUnavailable EventBridge: InternalException"] * 12
    stubbed.all_used()
