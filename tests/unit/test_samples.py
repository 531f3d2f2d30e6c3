"""The files of events/ are valid and fit each other."""

import base64
import dataclasses
import hashlib
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest

from bookings.aws.table import build_item
from bookings.domain.booking import merge
from bookings.zoom.delivery import to_delivery
from bookings.zoom.events import CANCELED, CREATED, parse_event

EVENTS = Path(__file__).parents[2] / "events"
STORY = ["story/1_created", "story/2_moved_canceled", "story/3_moved_created", "story/4_canceled"]
DELIVERIES = ["scheduled_event_created", "scheduled_event_canceled", *STORY]
LAMBDA_EVENTS = {"lambda/webhook", *(f"lambda/booking_{name}" for name in ("created", "canceled", "events"))}


def load(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


@pytest.mark.parametrize("name", DELIVERIES)
def test_delivery_is_valid_and_has_known_fields_only(name: str) -> None:
    event = parse_event(load(name))
    assert event.event == (CREATED if name.endswith("created") else CANCELED)
    assert event.model_dump(exclude_unset=True) == load(name)
    assert type(event).model_validate(load(name), extra="forbid") == event


def test_challenge_and_references_samples() -> None:
    found = {str(path.relative_to(EVENTS).with_suffix("")) for path in EVENTS.rglob("*.json")}
    assert found == {*DELIVERIES, *LAMBDA_EVENTS, "url_validation"}  # each is tested here

    challenge, created, canceled = map(load, ("url_validation", *DELIVERIES[:2]))
    assert challenge["event"] == "endpoint.url_validation"
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", challenge["payload"]["plainToken"])
    # The two deliveries are the halves of one move.
    assert created["event_ts"] == canceled["event_ts"] == 1
    assert created["payload"]["object"]["rescheduled"] is True
    assert canceled["payload"]["object"].pop("cancellation")["canceler_type"] == "host"
    assert canceled["payload"] == created["payload"]


def test_story_moves_one_booking_and_cancels_it() -> None:
    bodies = [load(name) for name in STORY]
    booked, times = [body["payload"]["object"] for body in bodies], [body["event_ts"] for body in bodies]
    assert len({(each["scheduled_event"]["event_id"], each["invitee_email"]) for each in booked}) == 1
    assert times == sorted(times)
    assert times[2] - times[1] < 1000  # milliseconds: the halves of a move come together
    assert [(each["rescheduled"], each["scheduled_event"]["start_date_time"]) for each in booked] == [
        (False, "2026-11-26T14:00:00Z"), (True, "2026-11-26T14:00:00Z"),
        (True, "2026-11-27T09:00:00Z"), (False, "2026-11-27T09:00:00Z"),
    ]  # fmt: skip
    assert booked[3]["cancellation"]["canceled_by"] == booked[3]["invitee_email"]
    assert set(re.findall(r"[\w.+-]+@([\w.-]+)", json.dumps(bodies))) == {"example.com"}


def test_webhooks_event_carries_the_created_sample() -> None:
    event, body = load("lambda/webhook"), (EVENTS / "scheduled_event_created.json").read_text()
    headers, claimed = event["headers"], [event[name] for name in ("version", "routeKey", "isBase64Encoded")]
    forms = {"signature": "v0=[0-9a-f]{64}", "request-timestamp": r"\d{10}", "request-id": r"[\w-]+"}

    assert claimed == ["2.0", "POST /webhooks/zoom", False]
    assert event["body"] == body
    assert headers.keys() == {name.lower() for name in headers}
    assert headers["content-length"] == str(len(body.encode()))
    assert all(re.fullmatch(form, headers[f"x-zm-{name}"]) for name, form in forms.items())


@pytest.mark.parametrize("status", ["created", "canceled"])
def test_handlers_event_is_its_sample_from_the_bus(status: str) -> None:
    [record] = load(f"lambda/booking_{status}")["Records"]
    event, md5 = json.loads(record["body"]), hashlib.md5(record["body"].encode(), usedforsecurity=False)
    assert record["eventSourceARN"].endswith(f":Booking{status.title()}Queue")
    assert record["md5OfBody"] == md5.hexdigest()
    assert event["detail"] == load(f"scheduled_event_{status}")
    assert (event["source"], event["resources"][0][:13]) == ("zoom.scheduler", "zoom-request/")
    assert event["detail-type"] == event["detail"]["event"]


def test_streams_event_is_the_storys_new_booking() -> None:
    booking = merge(None, to_delivery(load(STORY[0]), "6f1f4f0e_9c55_4f63_8f0e_2b7a3a4d9c11"))
    item: Any = build_item(dataclasses.replace(booking, revision=1), expires_at=None)
    [record] = load("lambda/booking_events")["Records"]
    image = record["dynamodb"]["NewImage"]
    # The compression may change with zlib, so compare the plain bodies.
    bodies = [each["zoom_events"]["M"]["created"]["M"].pop("body")["B"] for each in (image, item)]

    assert (record["eventName"], "OldImage" in record["dynamodb"]) == ("INSERT", False)
    assert record["dynamodb"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert record["dynamodb"]["Keys"] == {"booking_id": image["booking_id"]}
    assert image == item
    assert zlib.decompress(base64.b64decode(bodies[0])) == zlib.decompress(bodies[1])
