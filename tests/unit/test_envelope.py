"""The envelope: one form from bus and queue, and a refusal of everything else."""

import json
from datetime import UTC, datetime

import pytest

from bookings import envelope
from bookings.envelope import Envelope, MalformedEnvelope, ReceivedEnvelope, parse_message, source_for
from tests.samples import REQUEST_ID, created, message, raw


def to_message(detail: str, request_id: str | None = None, detail_type: str = "scheduler.x") -> str:
    event = Envelope("zoom.scheduler", detail_type, detail, request_id)
    time = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    return event.to_message(account="123456789012", region="eu-central-1", time=time)


def test_message_has_every_field_of_an_eventbridge_event() -> None:
    first, second = (json.loads(to_message('{"a": 1}', "request-1")) for _ in range(2))
    assert first.pop("id") != second["id"]
    assert len(second["id"]) == 36
    assert first == {
        "version": "0", "detail-type": "scheduler.x", "source": "zoom.scheduler", "account": "123456789012",
        "time": "2026-11-22T12:00:00Z", "region": "eu-central-1", "resources": ["zoom-request/request-1"],
        "detail": {"a": 1},
    }  # fmt: skip
    body = '{"b" : 1.50, "a":"\\u00e9 é \\ud83d\\ude92", "n": 1e2}'
    assert to_message(body).endswith(f'"detail": {body}}}')  # to the letter


@pytest.mark.parametrize("request_id", [None, REQUEST_ID])
def test_message_reads_the_same_from_queue_and_bus(request_id: str | None) -> None:
    body = created()
    by_queue = parse_message(to_message(raw(body).decode(), request_id, body["event"]))
    by_bus = parse_message(message(body, request_id=request_id))
    assert by_queue == by_bus == ReceivedEnvelope("zoom.scheduler", body["event"], body, request_id)


# failure matrix: 21, 43
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *((text, "not JSON") for text in ("", "canary", "{", "9" * 5000, "[" * 200_000)),
        *((text, "not a JSON object") for text in ("[]", '["canary"]', '"canary"', "null")),
        *(
            (text, "no source")
            for text in ("{}", '{"source": "canary"}', '{"source": "s", "detail-type": "t"}')
        ),
        ('{"source": 7, "detail-type": "t", "detail": {}}', "no source"),
        ('{"source": "s", "detail-type": null, "detail": {}}', "no source"),
        ('{"source": "s", "detail-type": "t", "detail": "{}"}', "no source"),
        ('{"source": "s", "detail-type": "t", "detail": []}', "no source"),
    ],
    ids=lambda text: text[:30],
)
def test_other_messages_are_refused_without_repeating_them(text: str, reason: str) -> None:
    with pytest.raises(MalformedEnvelope, match=reason) as refused:
        parse_message(text)
    assert "canary" not in str(refused.value)


def test_request_id_is_a_resource_in_its_own_form() -> None:
    def read(resources: object) -> str | None:
        event = {"source": "s", "detail-type": "t", "detail": {}, "resources": resources}
        return parse_message(json.dumps(event)).request_id

    for text in ("a", "a" * 128, REQUEST_ID, "A_b-9"):
        assert envelope.valid_request_id(text) == read([f"zoom-request/{text}"]) == text
    for text in ("", "a" * 129, "a,b", "a b", "a\n", "é", "<script>", "a/b"):
        assert envelope.valid_request_id(text) is read([f"zoom-request/{text}"]) is None
    assert envelope.valid_request_id(None) is None
    assert [read(others) for others in (["abc"], [7, None], [], "zoom-request/abc", None)] == [None] * 5
    assert read(["arn:aws:s3:::x", "zoom-request/abc"]) == "abc"
    assert Envelope("s", "t", "{}", "a").resources == ["zoom-request/a"]
    assert Envelope("s", "t", "{}").resources == []


@pytest.mark.parametrize("source", [envelope.DELIVERIES, envelope.BOOKINGS])
def test_test_bookings_have_sources_of_their_own(source: str) -> None:
    for event_id in ("bookings-check-1", "bookings-check-"):
        assert source_for(source, event_id) == f"{source}.check"
    for other in ("bookings-check", "x-bookings-check-1", "Bookings-Check-1", "", None):
        assert source_for(source, other) == source
