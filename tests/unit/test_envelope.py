"""The envelope: one shape whichever way an event came, and what is no event refused."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bookings.envelope import (
    BOOKINGS,
    DELIVERIES,
    Envelope,
    MalformedEnvelope,
    ReceivedEnvelope,
    parse_message,
    source_for,
    valid_request_id,
)
from tests.samples import REQUEST_ID, created, message, raw

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def to_message(envelope: Envelope) -> dict[str, Any]:
    text = envelope.to_message(account="123456789012", region="eu-central-1", time=AT)
    read: dict[str, Any] = json.loads(text)
    return read


def test_a_message_written_here_has_every_field_of_an_eventbridge_event() -> None:
    event = to_message(Envelope("zoom.scheduler", "scheduler.x", '{"a": 1}', "request-1"))
    assert len(event.pop("id")) == 36
    assert event == {
        "version": "0",
        "detail-type": "scheduler.x",
        "source": "zoom.scheduler",
        "account": "123456789012",
        "time": "2026-11-22T12:00:00Z",
        "region": "eu-central-1",
        "resources": ["zoom-request/request-1"],
        "detail": {"a": 1},
    }


def test_the_detail_of_a_message_is_the_body_to_the_letter() -> None:
    body = '{"b" : 1.50, "a":"\\u00e9 é \\ud83d\\ude92", "n": 1e2}'
    text = Envelope("s", "t", body).to_message(account="1", region="r", time=AT)
    assert text.endswith(f'"detail": {body}}}')


def test_two_messages_of_one_event_have_ids_of_their_own() -> None:
    envelope = Envelope("s", "t", "{}")
    assert to_message(envelope)["id"] != to_message(envelope)["id"]


@pytest.mark.parametrize("request_id", [None, REQUEST_ID])
def test_a_message_reads_the_same_whichever_way_it_came(request_id: str | None) -> None:
    body = created()
    ours = Envelope("zoom.scheduler", body["event"], raw(body).decode(), request_id)
    by_queue = parse_message(ours.to_message(account="123456789012", region="us-east-1", time=AT))
    by_bus = parse_message(message(body, request_id=request_id))
    assert by_queue == by_bus == ReceivedEnvelope("zoom.scheduler", body["event"], body, request_id)


# failure matrix: 21
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("hello", "not JSON"),
        ("{", "not JSON"),
        ("9" * 5000, "not JSON"),
        ("[" * 200_000, "not JSON"),
        ("[]", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ("null", "not a JSON object"),
        ("{}", "no source"),
        ('{"source": 7, "detail-type": "t", "detail": {}}', "no source"),
        ('{"source": "s", "detail-type": null, "detail": {}}', "no source"),
        ('{"source": "s", "detail-type": "t"}', "no source"),
        ('{"source": "s", "detail-type": "t", "detail": "{}"}', "no source"),
        ('{"source": "s", "detail-type": "t", "detail": []}', "no source"),
    ],
    ids=lambda text: text[:30],
)
def test_a_message_that_is_no_event_is_refused_with_what_is_missing(text: str, reason: str) -> None:
    with pytest.raises(MalformedEnvelope, match=reason):
        parse_message(text)


# failure matrix: 43
@pytest.mark.parametrize("text", ["canary", '["canary"]', '{"source": "canary", "detail": "canary"}'])
def test_a_refused_message_is_not_repeated(text: str) -> None:
    with pytest.raises(MalformedEnvelope) as refused:
        parse_message(text)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("resources", "request_id"),
    [
        (["zoom-request/abc_DEF-123"], "abc_DEF-123"),
        (["arn:aws:s3:::x", "zoom-request/abc"], "abc"),
        (["zoom-request/"], None),
        (["zoom-request/a b"], None),
        (["zoom-request/" + "a" * 129], None),
        (["zoom-request/abc\n"], None),
        (["abc"], None),
        ([7, None], None),
        ([], None),
        ("zoom-request/abc", None),
        (None, None),
    ],
)
def test_the_request_id_of_an_event_is_taken_in_its_own_form_only(
    resources: object, request_id: str | None
) -> None:
    text = json.dumps({"source": "s", "detail-type": "t", "detail": {}, "resources": resources})
    assert parse_message(text).request_id == request_id


@pytest.mark.parametrize("text", ["a", "a" * 128, REQUEST_ID, "A_b-9"])
def test_a_request_id_of_the_expected_shape_is_kept(text: str) -> None:
    assert valid_request_id(text) == text
    assert Envelope("s", "t", "{}", text).resources == [f"zoom-request/{text}"]


@pytest.mark.parametrize("text", [None, "", "a" * 129, "a,b", "a b", "a\n", "é", "<script>", "a/b"])
def test_a_request_id_of_another_shape_is_none(text: str | None) -> None:
    assert valid_request_id(text) is None


def test_an_event_without_a_request_id_has_no_resources() -> None:
    assert Envelope("s", "t", "{}").resources == []


@pytest.mark.parametrize("source", [DELIVERIES, BOOKINGS])
@pytest.mark.parametrize(
    ("event_id", "suffix"),
    [
        ("bookings-check-1", ".check"),
        ("bookings-check-", ".check"),
        ("bookings-check", ""),
        ("x-bookings-check-1", ""),
        ("Bookings-Check-1", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_test_booking_has_the_sources_twin(source: str, event_id: str | None, suffix: str) -> None:
    assert source_for(source, event_id) == source + suffix
