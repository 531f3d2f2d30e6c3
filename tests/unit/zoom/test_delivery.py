"""From Zoom's event to the domain's delivery: nothing lost, nothing empty, times and ids in one form."""

import copy
import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from bookings.domain.booking import Kind, booking_id_of
from bookings.limits import MAX_EVENT_ID_BYTES
from bookings.zoom import events
from bookings.zoom.body import canonical_json, digest
from bookings.zoom.delivery import (
    NoEventId,
    details_of,
    details_of_stored,
    event_id_of,
    event_time_of,
    identify,
    to_delivery,
)
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
def test_the_created_sample_of_the_reference_tells_every_detail_it_has() -> None:
    delivery = to_delivery(sample(CREATED), "request-1")
    assert delivery.event.details
    assert delivery.event.details.as_dict() == OF_THE_SAMPLE
    assert delivery.kind is Kind.CREATED
    assert delivery.booking_id == "woft7torlatbw8ek24bmit5k60-6ec0087cb57192b8"
    assert (delivery.event.event_time, delivery.event.rescheduled) == (1000, True)
    assert delivery.event.request_id == "request-1"


def test_the_canceled_sample_of_the_reference_tells_how_it_was_canceled_besides() -> None:
    delivery = to_delivery(sample(CANCELED))
    assert delivery.event.details
    assert delivery.event.details.as_dict() == OF_THE_SAMPLE | {
        "cancellation": {
            "canceled_by": "aa@bb.c",
            "canceler_type": "host",
            "cancel_at": "2023-12-21T16:30:00+08:00",
            "reason": "Time conflict",
        }
    }
    assert delivery.kind is Kind.CANCELED_BY_RESCHEDULE
    assert delivery.booking_id == to_delivery(sample(CREATED)).booking_id


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (created(), Kind.CREATED),
        (created(rescheduled=True), Kind.CREATED),
        (canceled(), Kind.CANCELED),
        (canceled(rescheduled=None), Kind.CANCELED),
        (canceled(rescheduled=""), Kind.CANCELED),
        (canceled(rescheduled=True), Kind.CANCELED_BY_RESCHEDULE),
        # Zoom's status is no state: a canceled event can say confirmed.
        (created(status="cancelled"), Kind.CREATED),
    ],
)
def test_the_kind_comes_from_the_name_of_the_event_and_from_rescheduled(
    body: dict[str, Any], kind: Kind
) -> None:
    assert to_delivery(body).kind is kind


# failure matrix: 37, 54
@pytest.mark.parametrize("nothing", [None, "", "missing"])
def test_a_booking_of_which_nothing_but_its_event_id_is_known_is_a_delivery(nothing: str | None) -> None:
    body = sample(CANCELED)
    emptied = body["payload"]["object"]
    scheduled = emptied["scheduled_event"]
    for owner in (body["payload"], emptied, scheduled):
        for name in list(owner):
            if name not in {"object", "scheduled_event", "event_id"}:
                owner[name] = nothing
                if nothing == "missing":
                    del owner[name]
    delivery = to_delivery(body)
    assert delivery.event.details
    assert delivery.event.details.as_dict() == {"event_id": "woft7torlatbw8ek24bmit5k60"}
    assert delivery.booking_id == booking_id_of("woft7torlatbw8ek24bmit5k60", None)


# failure matrix: 54
def test_nothing_empty_is_left_at_any_depth() -> None:
    body = created(
        location={"kind": "in-person_meeting", "address": {"street": "", "city": None}, "floor": 0},
        external_location={},
        guests=["", "a@example.com"],
        attendees=[{"display_name": "", "email": None}, {"email": "b@example.com"}],
        questions_and_answers=[{"question": "", "position": 0, "answer": []}],
        tracking={"utm_source": "", "salesforce_ids": [{}]},
    )
    details = details_of(body)
    assert details.location == {"kind": "zoom", "place": {"kind": "in-person_meeting", "floor": 0}}
    assert details.guests == ["a@example.com"]
    assert details.attendees == [{"email": "b@example.com"}]
    assert details.answers == [{"position": 0}]
    assert details.tracking is None


# failure matrix: 37
def test_what_the_reference_does_not_know_stays_in_location_tracking_answers_and_the_kept_body() -> None:
    body = created(
        location_kind="hologram",
        external_location={"kind": "hologram", "beam": {"id": 7, "on": False}},
        tracking={"utm_source": "x", "utm_id": "42"},
        attendees=[{"email": "a@example.com", "vip": True}],
        payment={"amount": 12.5, "currency": "EUR"},
    )
    delivery = to_delivery(body)
    details = delivery.event.details
    assert details
    assert details.location == {
        "kind": "hologram",
        "online_meeting": {"kind": "hologram", "beam": {"id": 7, "on": False}},
    }
    assert details.tracking == {"utm_source": "x", "utm_id": "42"}
    assert details.attendees == [{"email": "a@example.com", "vip": True}]
    assert delivery.event.body
    assert json.loads(delivery.event.body) == body


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (("zoom", "teams", "room"), "zoom"),
        (("", "teams", "room"), "teams"),
        ((None, None, "room"), "room"),
    ],
)
def test_the_kind_of_a_location_comes_from_wherever_it_stands(
    kinds: tuple[str | None, str | None, str | None], told: str
) -> None:
    unified, online, place = kinds
    details = details_of(
        created(location_kind=unified, external_location={"kind": online}, location={"kind": place})
    )
    assert details.location
    assert details.location["kind"] == told


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2023-12-21T16:00:00Z", "2023-12-21T16:00:00Z"),
        ("2023-12-21T16:00:00.987Z", "2023-12-21T16:00:00Z"),
        ("2023-12-21T16:30:00+08:00", "2023-12-21T08:30:00Z"),
        ("2023-12-21T16:30:00-09:30", "2023-12-22T02:00:00Z"),
        ("2023-12-21T16:30:00", "2023-12-21T16:30:00Z"),
        ("2023-12-21", "2023-12-21T00:00:00Z"),
        ("0999-01-01T00:00:00Z", "0999-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("9999-12-31T23:59:59-01:00", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("tomorrow at noon", None),
        ("2023-13-45T99:00:00Z", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_is_stored_as_utc_in_whole_seconds_and_what_is_no_time_is_absent(
    text: str | None, stored: str | None
) -> None:
    assert details_of(created(start_date_time=text)).start == stored


def test_a_booking_without_its_own_moment_of_creation_has_its_events() -> None:
    body = created(created="")
    body["payload"]["object"]["scheduled_event"]["created"] = "2026-11-19T08:00:00+01:00"
    assert details_of(body).created_at == "2026-11-19T07:00:00Z"


@pytest.mark.parametrize(
    ("event_ts", "milliseconds"),
    [
        (0, 0),
        (1, 1000),
        (1_720_705_455, 1_720_705_455_000),
        (10**11 - 1, (10**11 - 1) * 1000),
        (10**11, 10**11),
        (1_720_705_455_858, 1_720_705_455_858),
    ],
)
def test_event_times_below_ten_to_the_eleventh_are_seconds(event_ts: int, milliseconds: int) -> None:
    assert event_time_of(event_ts) == milliseconds
    assert to_delivery(created(event_ts)).event.event_time == milliseconds


def test_an_event_time_written_as_a_whole_float_is_an_integer() -> None:
    body = created()
    body["event_ts"] = float(MORNING_MS)
    event_time = to_delivery(body).event.event_time
    assert event_time == MORNING_MS
    assert isinstance(event_time, int)


@pytest.mark.parametrize("email", ["Ann@Example.com", "ANN@EXAMPLE.COM", "ann@example.com"])
def test_the_case_of_an_email_makes_no_other_booking(email: str) -> None:
    assert to_delivery(created(invitee_email=email)).booking_id == "evt-1-5ac5a5633d9fabf4"


def test_another_email_makes_another_booking_of_the_same_event() -> None:
    ids = {to_delivery(created(invitee_email=email)).booking_id for email in ("a@x.org", "b@x.org", None)}
    assert len(ids) == 3
    assert all(booking_id.startswith("evt-1-") for booking_id in ids)


@pytest.mark.parametrize("event_id", [None, "", "   ", "\n"])
def test_an_event_without_an_id_is_refused(event_id: str | None) -> None:
    body = created()
    body["payload"]["object"]["scheduled_event"]["event_id"] = event_id
    with pytest.raises(NoEventId, match="is needed"):
        to_delivery(body)


@pytest.mark.parametrize("part", ["scheduled_event", "object"])
@pytest.mark.parametrize("nothing", [None, "", "missing"])
def test_an_event_without_what_holds_its_id_is_refused(part: str, nothing: str | None) -> None:
    body = created()
    owner = body["payload"] if part == "object" else body["payload"]["object"]
    owner[part] = nothing
    if nothing == "missing":
        del owner[part]
    with pytest.raises(NoEventId):
        to_delivery(body)


def test_an_event_id_too_long_for_a_key_is_refused() -> None:
    longest = "é" * (MAX_EVENT_ID_BYTES // 2)
    booking_id = to_delivery(created(event_id=longest)).booking_id
    assert len(booking_id.encode()) <= 2048
    with pytest.raises(NoEventId, match="at most 1024 bytes"):
        to_delivery(created(event_id=longest + "e"))


def test_a_body_that_is_not_valid_or_of_another_event_is_refused() -> None:
    with pytest.raises(InvalidEvent):
        to_delivery(created(invitee_email=7))
    with pytest.raises(UnknownEvent):
        to_delivery(created() | {"event": "scheduler.schedule_created"})


# failure matrix: 36
@pytest.mark.parametrize("name", ["scheduler.scheduled_event_accepted", "scheduler.scheduled_event_moved"])
def test_an_event_with_a_new_model_is_not_taken_for_a_cancel(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    class NewEvent(BaseModel):
        event: str
        event_ts: int

    body = canceled() | {"event": name}
    monkeypatch.setitem(events._MODELS, name, NewEvent)
    assert identify(body).event == body["event"]
    with pytest.raises(UnknownEvent) as unknown:
        to_delivery(body)
    assert unknown.value.name == body["event"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"payload": None},
        {"payload": []},
        {"payload": {"object": 7}},
        {"payload": {"object": {"scheduled_event": "x"}}},
        {"payload": {"object": {"scheduled_event": {"event_id": 7}}}},
        {"payload": {"object": {"scheduled_event": {"event_id": ["x"]}}}},
    ],
)
def test_the_event_id_of_a_body_of_any_shape_is_none(body: dict[str, Any]) -> None:
    assert event_id_of(body) is None


def test_the_kept_body_is_canonical_and_its_digest_is_of_it() -> None:
    body = created()
    event = to_delivery(body).event
    assert event.body == canonical_json(body)
    assert event.digest == digest(canonical_json(body))


# failure matrix: 46
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "summary": st.none() | st.text(),
            "start_date_time": st.none() | st.text() | st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
            "location": st.none() | st.dictionaries(st.text(), st.none() | st.integers() | st.text()),
            "guests": st.none() | st.lists(st.text()),
            "tracking": st.none() | st.fixed_dictionaries({"utm_source": st.text(), "new": st.floats(0, 1)}),
            "invitee_email": st.none() | st.text(),
        },
    )
)
def test_the_kept_body_tells_the_same_details_as_the_delivery(changes: dict[str, Any]) -> None:
    body = created(**changes)
    before = copy.deepcopy(body)
    event = to_delivery(body).event
    assert event.body
    assert details_of_stored(event.body) == event.details
    assert body == before


def test_an_identity_stays_as_it_was_found() -> None:
    with pytest.raises(FrozenInstanceError):
        identify(created()).booking_id = "another"  # type: ignore[misc]  # that is what is tried


def test_an_account_and_its_host_are_those_of_the_payload() -> None:
    body = created()
    body["payload"] |= {"account_id": "account-1", "user_id": "host-1"}

    details = to_delivery(body).event.details
    assert details is not None
    assert (details.account_id, details.host_user_id) == ("account-1", "host-1")
