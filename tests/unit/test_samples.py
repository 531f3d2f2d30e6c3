"""The files of events/: what they claim to be, and in step with each other."""

import base64
import dataclasses
import hashlib
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import (
    APIGatewayProxyEventV2,
    DynamoDBStreamEvent,
    EventBridgeEvent,
    SQSEvent,
)
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import (
    DynamoDBRecordEventName,
    StreamViewType,
)

from bookings.aws.table import build_item
from bookings.domain.booking import merge
from bookings.zoom.delivery import to_delivery
from bookings.zoom.events import CANCELED, CREATED, parse_event

EVENTS = Path(__file__).parents[2] / "events"
DELIVERIES = {
    "scheduled_event_created.json": CREATED,
    "scheduled_event_canceled.json": CANCELED,
    "story/1_created.json": CREATED,
    "story/2_moved_canceled.json": CANCELED,
    "story/3_moved_created.json": CREATED,
    "story/4_canceled.json": CANCELED,
}
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def load(file: str) -> dict[str, Any]:
    loaded = json.loads((EVENTS / file).read_text())
    assert isinstance(loaded, dict)
    return loaded


def booked(file: str) -> dict[str, Any]:
    found = load(file)["payload"]["object"]
    assert isinstance(found, dict)
    return found


def test_no_sample_is_left_out_of_these_tests() -> None:
    found = {str(path.relative_to(EVENTS)) for path in EVENTS.rglob("*.json")}

    assert found == {
        *DELIVERIES,
        "url_validation.json",
        "lambda/webhook.json",
        "lambda/booking_created.json",
        "lambda/booking_canceled.json",
        "lambda/booking_events.json",
    }


@pytest.mark.parametrize(("file", "name"), DELIVERIES.items())
def test_every_delivery_is_valid_and_holds_known_fields_only(file: str, name: str) -> None:
    body = load(file)
    event = parse_event(body)

    assert event.event == name
    assert event.model_dump(exclude_unset=True) == body
    assert unknown_fields(event) == []


def unknown_fields(model: Any) -> list[str]:
    """The names the models don't know, at any depth."""
    found = list(model.model_extra)
    for field in type(model).model_fields:
        value = getattr(model, field)
        for part in value if isinstance(value, list) else [value]:
            if hasattr(part, "model_extra"):
                found += unknown_fields(part)
    return found


def test_the_challenge_has_a_token_of_zooms_form() -> None:
    body = load("url_validation.json")

    assert body["event"] == "endpoint.url_validation"
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", body["payload"]["plainToken"])
    assert list(body) == ["payload", "event_ts", "event"]


def test_the_references_samples_are_two_halves_of_one_move() -> None:
    created, canceled = load("scheduled_event_created.json"), load("scheduled_event_canceled.json")

    assert created["event_ts"] == canceled["event_ts"] == 1
    assert created["payload"]["object"]["rescheduled"] is canceled["payload"]["object"]["rescheduled"] is True
    assert canceled["payload"]["object"].pop("cancellation")["canceler_type"] == "host"
    assert canceled["payload"] == created["payload"]


def test_the_story_is_of_one_booking_moved_and_canceled_in_time() -> None:
    files = [file for file in DELIVERIES if file.startswith("story/")]
    times = [load(file)["event_ts"] for file in files]

    assert (
        len({(booked(file)["scheduled_event"]["event_id"], booked(file)["invitee_email"]) for file in files})
        == 1
    )
    assert times == sorted(times)
    assert times[2] - times[1] < 1000  # milliseconds: the halves of a move come together
    assert [booked(file)["rescheduled"] for file in files] == [False, True, True, False]
    assert [booked(file)["scheduled_event"]["start_date_time"] for file in files] == [
        "2026-11-26T14:00:00Z",
        "2026-11-26T14:00:00Z",
        "2026-11-27T09:00:00Z",
        "2026-11-27T09:00:00Z",
    ]
    assert booked(files[3])["cancellation"] == {
        "canceled_by": "maya.lindqvist@example.com",
        "canceler_type": "invitee",
        "cancel_at": "2026-11-20T15:05:58Z",
        "reason": "A colleague takes over; we will book again in January.",
    }


@pytest.mark.parametrize("file", [file for file in DELIVERIES if file.startswith("story/")])
def test_every_address_in_the_story_is_at_example_com(file: str) -> None:
    addresses = re.findall(r"[\w.+-]+@[\w.-]+", (EVENTS / file).read_text())

    assert addresses
    assert {address.partition("@")[2] for address in addresses} == {"example.com"}


def test_the_webhooks_event_is_an_http_api_request_with_the_created_sample() -> None:
    event = APIGatewayProxyEventV2(load("lambda/webhook.json"))

    assert (event.version, event.route_key) == ("2.0", "POST /webhooks/zoom")
    assert event.request_context.http.method == "POST"
    assert event.body == (EVENTS / "scheduled_event_created.json").read_text()
    assert event.is_base64_encoded is False
    assert event.headers["content-length"] == str(len(event.body.encode()))
    assert event.headers["content-type"] == "application/json; charset=utf-8"
    assert re.fullmatch(r"v0=[0-9a-f]{64}", event.headers["x-zm-signature"])
    assert re.fullmatch(r"[0-9]{10}", event.headers["x-zm-request-timestamp"])
    assert REQUEST_ID.fullmatch(event.headers["x-zm-request-id"])
    assert all(name == name.lower() for name in event.headers)


@pytest.mark.parametrize(
    ("function", "queue"),
    [("booking_created", "BookingCreatedQueue"), ("booking_canceled", "BookingCanceledQueue")],
)
def test_a_handlers_event_is_a_queue_message_with_its_sample_from_the_bus(function: str, queue: str) -> None:
    sample = load(f"scheduled_event_{function.removeprefix('booking_')}.json")

    [record] = SQSEvent(load(f"lambda/{function}.json")).records
    envelope = EventBridgeEvent(record.json_body)

    assert record.event_source == "aws:sqs"
    assert record.event_source_arn.endswith(f":{queue}")
    assert record.md5_of_body == hashlib.md5(record.body.encode(), usedforsecurity=False).hexdigest()
    assert (envelope.source, envelope.detail_type) == ("zoom.scheduler", sample["event"])
    assert envelope.detail == sample
    [resource] = envelope.resources
    assert REQUEST_ID.fullmatch(resource.removeprefix("zoom-request/"))


def test_the_streams_event_is_the_storys_booking_being_new() -> None:
    booking = merge(None, to_delivery(load("story/1_created.json"), "6f1f4f0e_9c55_4f63_8f0e_2b7a3a4d9c11"))
    item = build_item(dataclasses.replace(booking, revision=1), expires_at=None)
    content = load("lambda/booking_events.json")

    [record] = DynamoDBStreamEvent(content).records
    assert record.dynamodb is not None
    assert record.event_name is DynamoDBRecordEventName.INSERT
    assert record.dynamodb.stream_view_type is StreamViewType.NEW_AND_OLD_IMAGES
    assert record.dynamodb.old_image == {}
    assert record.dynamodb.keys == {"booking_id": "k3v9q2m7x1d8fz6hw4tn0rbc5y-0bc914a87713f49e"}
    image = content["Records"][0]["dynamodb"]["NewImage"]
    # How the body is compressed may change with zlib; what it says may not.
    assert uncompressed(image, base64.b64decode) == uncompressed(item, bytes)
    assert json.loads(kept_body(image)) == load("story/1_created.json")


def kept_body(image: dict[str, Any]) -> str:
    body = image["zoom_events"]["M"]["created"]["M"]["body"]["S"]
    assert isinstance(body, str)
    return body


def uncompressed(image: dict[str, Any], as_bytes: Callable[[Any], bytes]) -> dict[str, Any]:
    """An item whose kept body is a text."""
    kept = image["zoom_events"]["M"]["created"]["M"]
    if "B" in kept["body"]:
        kept["body"] = {"S": zlib.decompress(as_bytes(kept["body"]["B"])).decode()}
    return image
