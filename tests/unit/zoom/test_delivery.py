"""From Zoom's event to the domain's delivery: nothing lost, nothing empty, times and ids in one form."""

import copy
import json
from typing import Any

import pytest

from bookings.domain.booking import Kind, booking_id_of
from bookings.limits import MAX_EVENT_ID_BYTES
from bookings.zoom import events
from bookings.zoom.body import canonical_json, digest
from bookings.zoom.delivery import NoEventId, event_id_of, event_time_of, identify, to_delivery
from bookings.zoom.events import CANCELED, CREATED, InvalidEvent, UnknownEvent
from tests.samples import MORNING_MS, canceled, created, sample

ONLINE_MEETING = {
    "kind": "zoom",
    "meeting_id": "94777886776",
    "personal_meeting_id": "98656786887",
    "meeting_passcode": "958000",
    "meeting_description": "Invite you to meeting",
    "meeting_join_url": "https://zoom.us/j/7427752805",
}

OF_THE_SAMPLE = {
    "event_id": "woft7torlatbw8ek24bmit5k60",
    "invitee": {
        "email": "example@example.com",
        "first_name": "alax",
        "last_name": "bbbb",
        "time_zone": "Asia/Shanghai",
        "phone": "+1 83798773",
    },
    "title": "daily meeting",
    "start": "2023-12-21T16:00:00Z",
    "end": "2023-12-21T16:30:00Z",
    "location": {"kind": "zoom", "online_meeting": ONLINE_MEETING},
    "guests": ["tom@zoom.us"],
    "attendees": [{"display_name": "bob", "email": "abc@zoom.us"}],
    "answers": [{"question": "Please share anything that will help prepare for our meeting.", "position": 1}],
    "tracking": {
        "utm_source": "zoom",
        "utm_medium": "pay-per-clik",
        "utm_campaign": "spring_sale",
        "utm_content": "schedule link",
        "utm_term": "learning",
    },
    "manage_url": "https://scheduler.zoom.us/manage/m0o1uf25uq89wllenxxxxxxxxxxxx",
    "created_at": "2023-12-21T06:18:32Z",
}


# failure matrix: 54
@pytest.mark.parametrize(("name", "kind"), [(CREATED, Kind.CREATED), (CANCELED, Kind.CANCELED_BY_RESCHEDULE)])
def test_a_sample_has_every_detail(name: str, kind: Kind) -> None:
    delivery = to_delivery(sample(name), "request-1")
    assert delivery.details.as_dict() == OF_THE_SAMPLE
    assert delivery.kind is kind
    assert delivery.booking_id == "woft7torlatbw8ek24bmit5k60-6ec0087cb57192b8"
    assert delivery.event.rescheduled
    assert delivery.event.request_id == "request-1"
    assert delivery.event.cancellation == sample(name)["payload"]["object"].get("cancellation")
    assert (delivery.names_invitee, delivery.unreadable_times) == (True, ())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(created(rescheduled=True), Kind.CREATED, id="created by a move"),
        pytest.param(canceled(), Kind.CANCELED, id="canceled"),
        pytest.param(canceled(rescheduled=None), Kind.CANCELED, id="rescheduled null"),
        pytest.param(canceled(rescheduled=""), Kind.CANCELED, id="rescheduled empty"),
        pytest.param(canceled(rescheduled=True), Kind.CANCELED_BY_RESCHEDULE, id="canceled by a move"),
        pytest.param(created(status="cancelled"), Kind.CREATED, id="the status is no state"),
    ],
)
def test_the_kind_comes_from_event_name_and_rescheduled(body: dict[str, Any], kind: Kind) -> None:
    assert to_delivery(body).kind is kind


# failure matrix: 37, 54
@pytest.mark.parametrize("nothing", [None, "", [], "missing"], ids=["null", "empty", "empty list", "missing"])
def test_an_event_id_alone_makes_a_delivery(nothing: Any) -> None:
    body = sample(CANCELED)
    booked = body["payload"]["object"]
    objects = {"tracking", "cancellation", "location", "external_location", "invitee_counters"}
    lists = {"guests", "attendees", "questions_and_answers"}
    for owner in (body["payload"], booked, booked["scheduled_event"]):
        for name in list(owner):
            if name not in {"object", "scheduled_event", "event_id"}:
                owner[name] = nothing
                if nothing == "missing" or (nothing == [] and name not in objects | lists):
                    del owner[name]
    delivery = to_delivery(body)
    assert delivery.details.as_dict() == {"event_id": "woft7torlatbw8ek24bmit5k60"}
    assert delivery.event.cancellation is None
    assert delivery.booking_id == booking_id_of("woft7torlatbw8ek24bmit5k60", None)


# failure matrix: 54, 57
def test_nothing_empty_is_left_at_any_depth() -> None:
    body = created(
        location={"location_type": "in-person_meeting", "address": {"street": "", "city": None}, "floor": 0},
        location_kind=None,
        external_location={},
        guests=["", None, "a@example.com"],
        attendees=[{"display_name": "", "email": None}, None, [], {"email": "b@example.com"}],
        questions_and_answers=[
            {"question": "", "position": 0, "answer": []},
            {"question": "Null?", "position": 1, "answer": None},
            {"question": "None?", "position": 2},
            {"question": "Text?", "position": 3, "answer": "Acme"},
            {"question": "List?", "position": 4, "answer": ["a", None]},
            None,
        ],
        tracking={"utm_source": "", "salesforce_ids": [{}, None]},
    )
    details = to_delivery(body).details
    assert details.location == {
        "kind": "in-person_meeting",
        "place": {"location_type": "in-person_meeting", "floor": 0},
    }
    assert details.guests == ["a@example.com"]
    assert details.attendees == [{"email": "b@example.com"}]
    assert details.answers == [
        {"position": 0},
        {"question": "Null?", "position": 1},
        {"question": "None?", "position": 2},
        {"question": "Text?", "position": 3, "answer": ["Acme"]},
        {"question": "List?", "position": 4, "answer": ["a"]},
    ]
    assert details.tracking is None


# failure matrix: 37
def test_unknown_fields_are_in_details_and_stored_body() -> None:
    open_parts: dict[str, Any] = {
        "tracking": {"utm_source": "x", "utm_id": "42"},
        "attendees": [{"email": "a@example.com", "vip": True}],
        "payment": {"amount": 12.5, "currency": "EUR"},
    }
    beam = {"kind": "hologram", "beam": {"id": 7, "on": False}}
    body = created(location_kind="hologram", external_location=beam, unheard_of=[1], **open_parts)
    before = copy.deepcopy(body)
    delivery = to_delivery(body)
    details = delivery.details.as_dict()
    assert details["location"] == {"kind": "hologram", "online_meeting": beam}
    assert {name: details[name] for name in open_parts} == open_parts
    assert json.loads(delivery.event.body or b"") == body == before
    assert delivery.event.body == canonical_json(body)
    assert delivery.event.digest == digest(canonical_json(body))


@pytest.mark.parametrize("payment", ["paid", 12.5, [{"status": "paid"}], None])
def test_a_payment_that_is_no_object_is_left_out(payment: Any) -> None:
    assert to_delivery(created(payment=payment)).details == to_delivery(created()).details


@pytest.mark.parametrize(
    ("unified", "place", "online", "kind"),
    [
        ("zoom", "room", "teams", "zoom"),
        ("", "room", "teams", "room"),
        (None, None, "teams", "teams"),
        (None, 7, "teams", "teams"),
        (None, None, None, None),
    ],
)
def test_the_location_has_one_kind(unified: Any, place: Any, online: Any, kind: str | None) -> None:
    body = created(
        location_kind=unified,
        location={"location_type": place, "kind": "other", "floor": 1},
        external_location={"kind": online},
    )
    location = to_delivery(body).details.location
    assert location
    assert location.get("kind") == kind


# failure matrix: 58
def test_an_unreadable_time_is_left_out_and_named() -> None:
    body = created(start_date_time="2026-W50-1", end_date_time="2026-12-07T09:30:00", created="soon")
    body["payload"]["object"]["time_zone"] = "America/New_York"
    delivery = to_delivery(body)
    assert (delivery.details.start, delivery.details.end) == (None, "2026-12-07T14:30:00Z")
    assert delivery.unreadable_times == ("start_date_time", "created")


def test_created_at_is_zooms_own_or_absent() -> None:
    body = created(created="")
    assert to_delivery(body).details.created_at is None
    body["payload"]["object"]["scheduled_event"]["created"] = "2026-11-19T08:00:00+01:00"
    assert to_delivery(body).details.created_at == "2026-11-19T07:00:00Z"


@pytest.mark.parametrize(
    ("event_ts", "milliseconds"),
    [
        (0, 0),
        (1_720_705_455, 1_720_705_455_000),
        (10**11 - 1, (10**11 - 1) * 1000),
        (10**11, 10**11),
        (float(MORNING_MS), MORNING_MS),
    ],
)
def test_event_times_below_ten_to_the_eleventh_are_seconds(event_ts: int, milliseconds: int) -> None:
    assert event_time_of(event_ts) == milliseconds
    event_time = to_delivery(created(event_ts)).event.event_time
    assert (event_time, type(event_time)) == (milliseconds, int)


# failure matrix: 55
@pytest.mark.parametrize("email", ["ann@example.com", "", " ", None])
@pytest.mark.parametrize("make", [created, canceled])
def test_only_a_cancel_without_email_needs_a_booking(make: Any, email: str | None) -> None:
    delivery = to_delivery(make(invitee_email=email))
    assert delivery.booking_id == booking_id_of("evt-1", email)
    assert delivery.needs_booking is (make is canceled and email != "ann@example.com")


PARTS = ("object", "scheduled_event", "event_id")


@pytest.mark.parametrize(
    ("part", "nothing"),
    [*((part, nothing) for part in PARTS for nothing in (None, "", "missing")), ("event_id", "\n")],
)
def test_an_event_without_an_id_is_refused(part: str, nothing: str | None) -> None:
    body = created()
    booked = body["payload"]["object"]
    owner = {"object": body["payload"], "scheduled_event": booked, "event_id": booked["scheduled_event"]}[
        part
    ]
    owner[part] = nothing
    if nothing == "missing":
        del owner[part]
    with pytest.raises(NoEventId, match="is needed"):
        to_delivery(body)


def test_an_event_id_too_long_for_a_key_is_refused() -> None:
    longest = "é" * (MAX_EVENT_ID_BYTES // 2)
    assert len(to_delivery(created(event_id=longest)).booking_id.encode()) <= 2048
    with pytest.raises(NoEventId, match="at most 1024 bytes"):
        to_delivery(created(event_id=longest + "e"))


def test_an_invalid_body_is_refused() -> None:
    with pytest.raises(InvalidEvent):
        to_delivery(created(invitee_email=7))


# failure matrix: 36
def test_an_event_with_a_new_model_is_not_taken_for_a_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    class NewEvent(events.ScheduledEventCanceled):
        event: str  # type: ignore[assignment]  # any name

    monkeypatch.setitem(events._MODELS, "scheduler.scheduled_event_moved", NewEvent)
    body = canceled() | {"event": "scheduler.scheduled_event_moved"}
    assert identify(body).event == "scheduler.scheduled_event_moved"
    for unknown in (body, body | {"event": "scheduler.schedule_created"}):
        with pytest.raises(UnknownEvent) as caught:
            to_delivery(unknown)
        assert caught.value.name == unknown["event"]


@pytest.mark.parametrize(
    "payload",
    [None, [], {"object": 7}, {"object": {"scheduled_event": "x"}}, {"object": {"scheduled_event": {}}}],
)
def test_a_body_of_any_shape_may_lack_an_event_id(payload: Any) -> None:
    assert event_id_of({"payload": payload}) is None
    assert event_id_of({"payload": {"object": {"scheduled_event": {"event_id": 7}}}}) is None
    assert event_id_of(created(event_id="evt-9")) == "evt-9"
