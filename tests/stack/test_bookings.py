"""A booking's way from the door to the table and to subscribers, in every order that Zoom may choose."""

from __future__ import annotations

import concurrent.futures
import json

import pytest

from bookings.domain.booking import booking_id_of
from local.demo import EVENTS
from tests.stack.deliveries import (
    CANARY,
    EMAIL,
    HOST,
    MINUTE,
    NOON,
    Body,
    canceled,
    created,
    scheduled_event,
)
from tests.stack.running import StackUnderTest, wait_for

pytestmark = pytest.mark.xdist_group("stack")


def types(stack: StackUnderTest, event_id: str) -> list[str]:
    return [event.type for event in stack.events(event_id)]


def moved(event_id: str, *, at: int, day: int) -> Body:
    """The created half of a move to another day of November."""
    return created(
        event_id,
        at=at,
        rescheduled=True,
        start_date_time=f"2026-11-{day}T09:00:00Z",
        end_date_time=f"2026-11-{day}T09:30:00Z",
    )


def test_a_created_delivery_becomes_a_confirmed_booking_with_all_it_tells(
    stack: StackUnderTest, event_id: str
) -> None:
    body = created(event_id)

    answer = stack.post(body)

    assert (answer.status, answer.content_type, answer.json) == (200, "application/json", body)
    item = stack.booking(event_id)
    kept = item.pop("zoom_events")
    assert item == {
        "booking_id": booking_id_of(event_id, EMAIL),
        "revision": 1,
        "status": "confirmed",
        "rescheduled": False,
        "event_id": event_id,
        "account_id": body["payload"]["account_id"],
        "host_user_id": HOST,
        "invitee": {
            "email": EMAIL,
            "first_name": CANARY,
            "last_name": CANARY,
            "time_zone": "Europe/Stockholm",
            "phone": f"+46 70 {CANARY}",
        },
        "title": f"Call {CANARY}",
        "start": "2026-11-26T14:00:00Z",
        "end": "2026-11-26T14:30:00Z",
        "location": {
            "kind": "zoom",
            "online_meeting": scheduled_event(body)["external_location"],
        },
        "guests": [f"guest.{EMAIL}"],
        "attendees": [{"display_name": CANARY, "email": EMAIL}],
        "answers": body["payload"]["object"]["questions_and_answers"],
        "tracking": body["payload"]["object"]["tracking"],
        "manage_url": body["payload"]["object"]["manage_url"],
        "created_at": "2026-11-20T09:12:03Z",
        "updated_at": "2026-11-20T09:00:00Z",
        "request_id": answer.request_id,
    }
    assert list(kept) == ["created"]
    assert types(stack, event_id) == ["BookingCreated"]


def test_a_canceled_booking_says_by_whom_and_why(stack: StackUnderTest, event_id: str) -> None:
    stack.deliver(created(event_id))
    stack.deliver(canceled(event_id, at=NOON + MINUTE))

    item = stack.booking(event_id)
    assert (item["status"], item["rescheduled"], item["revision"]) == ("canceled", False, 2)
    assert item["cancellation"]["reason"] == CANARY
    assert item["cancellation"]["canceler_type"] == "invitee"
    assert types(stack, event_id) == ["BookingCreated", "BookingCanceled"]


# failure matrix: 4
def test_a_late_created_does_not_resurrect_a_canceled_booking(stack: StackUnderTest, event_id: str) -> None:
    assert stack.deliver(canceled(event_id, at=NOON + MINUTE)) == "BookingWritten"
    assert stack.deliver(created(event_id)) == "BookingWritten"

    assert stack.booking(event_id)["status"] == "canceled"
    assert types(stack, event_id) == ["BookingCanceled"]


# failure matrix: 1
def test_the_same_delivery_again_changes_nothing_and_tells_nobody(
    stack: StackUnderTest, event_id: str
) -> None:
    body = created(event_id)
    assert stack.deliver(body) == "BookingWritten"
    written = stack.booking(event_id)

    assert [stack.deliver(body) for _ in range(3)] == ["Duplicate"] * 3

    assert stack.booking(event_id) == written
    assert types(stack, event_id) == ["BookingCreated"]
    assert len(stack.raw_events(event_id)) == 4


# failure matrix: 2
def test_the_same_event_written_another_way_is_the_same_event(stack: StackUnderTest, event_id: str) -> None:
    body = created(event_id)
    stack.deliver(body)

    rewritten = json.dumps(body, sort_keys=True, indent=3, ensure_ascii=True).encode()

    assert stack.deliver(rewritten) == "Duplicate"
    assert stack.booking(event_id)["revision"] == 1
    assert types(stack, event_id) == ["BookingCreated"]


# failure matrix: 3
def test_a_retry_is_merged_by_its_event_time_and_not_by_its_arrival(
    stack: StackUnderTest, event_id: str
) -> None:
    stack.deliver(created(event_id, at=NOON + MINUTE, summary="The newer title"))

    # Zoom sends the older one again 85 minutes late: same event time, signed at this moment.
    assert stack.deliver(created(event_id, at=NOON - 85 * MINUTE, summary="The older title")) == "Superseded"

    assert stack.booking(event_id)["title"] == "The newer title"


# failure matrix: 6
def test_an_older_created_changes_nothing(stack: StackUnderTest, event_id: str) -> None:
    stack.deliver(created(event_id, at=NOON + MINUTE))
    before = stack.booking(event_id)

    assert stack.deliver(created(event_id, summary="Earlier")) == "Superseded"

    assert stack.booking(event_id) == before
    assert types(stack, event_id) == ["BookingCreated"]


# failure matrix: 7
def test_of_two_bodies_with_one_event_time_the_same_one_wins_in_either_order(
    stack: StackUnderTest, event_id: str
) -> None:
    bodies = [created(event_id, summary=title) for title in ("One", "Two")]
    outcomes = [stack.deliver(body) for body in bodies]
    winner = stack.booking(event_id)["title"]
    stack.delete_item(event_id)

    outcomes += [stack.deliver(body) for body in reversed(bodies)]

    assert stack.booking(event_id)["title"] == winner
    # Of the two orders one brings the winner last, which is written, and one the loser, which is not.
    assert sorted(outcomes) == ["BookingWritten"] * 3 + ["Conflict"]
    assert stack.counted("booking-created", "Conflict") >= 2


# failure matrix: 5
@pytest.mark.parametrize("gap", [0, 450, -450], ids=["same time", "rising", "falling"])
@pytest.mark.parametrize("canceled_first", [True, False])
def test_both_halves_of_a_move_leave_the_booking_confirmed_at_its_new_time(
    stack: StackUnderTest, event_id: str, gap: int, *, canceled_first: bool
) -> None:
    stack.deliver(created(event_id))
    move = NOON + 10 * MINUTE
    halves = [canceled(event_id, at=move, rescheduled=True), moved(event_id, at=move + gap, day=27)]
    for half in halves if canceled_first else halves[::-1]:
        stack.deliver(half)

    item = stack.booking(event_id)
    assert (item["status"], item["rescheduled"]) == ("confirmed", True)
    assert (item["start"], item["end"]) == ("2026-11-27T09:00:00Z", "2026-11-27T09:30:00Z")
    assert "cancellation" not in item
    between = ["BookingCanceled"] if canceled_first else []
    assert types(stack, event_id) == ["BookingCreated", *between, "BookingRescheduled"]


# failure matrix: 5
@pytest.mark.parametrize("canceled_first", [True, False])
def test_a_move_to_a_new_event_id_cancels_the_old_booking_as_moved(
    stack: StackUnderTest, event_id: str, *, canceled_first: bool
) -> None:
    new_id = f"{event_id}-new"
    stack.deliver(created(event_id))
    move = NOON + 10 * MINUTE
    halves = [canceled(event_id, at=move, rescheduled=True), moved(new_id, at=move, day=27)]
    for half in halves if canceled_first else halves[::-1]:
        stack.deliver(half)

    old, new = stack.booking(event_id), stack.booking(new_id)
    assert (old["status"], old["rescheduled"]) == ("canceled", True)
    assert (new["status"], new["rescheduled"], new["start"]) == ("confirmed", True, "2026-11-27T09:00:00Z")
    assert types(stack, event_id) == ["BookingCreated", "BookingCanceled"]
    assert types(stack, new_id) == ["BookingCreated"]
    assert all(event.booking["rescheduled"] for event in stack.domain_events.about(new_id))


def test_a_booking_told_anew_with_other_answers_is_an_update(stack: StackUnderTest, event_id: str) -> None:
    stack.deliver(created(event_id))
    stack.deliver(created(event_id, at=NOON + MINUTE, summary="Another title"))

    assert types(stack, event_id) == ["BookingCreated", "BookingUpdated"]


def test_two_seats_of_a_group_event_are_two_bookings(stack: StackUnderTest, event_id: str) -> None:
    stack.deliver(created(event_id, invitee_email="one@example.com"))
    stack.deliver(created(event_id, invitee_email="TWO@example.com"))
    stack.deliver(canceled(event_id, at=NOON + MINUTE, invitee_email="two@Example.com"))

    assert stack.booking(event_id, "one@example.com")["status"] == "confirmed"
    assert stack.booking(event_id, "two@example.com")["status"] == "canceled"


def test_without_an_email_a_booking_is_told_by_its_event_id(stack: StackUnderTest, event_id: str) -> None:
    stack.deliver(created(event_id, invitee_email=""))
    stack.deliver(canceled(event_id, at=NOON + MINUTE, invitee_email=None))

    assert stack.booking(event_id, None)["status"] == "canceled"


# failure matrix: 54
def test_the_samples_of_the_reference_with_their_empty_strings_end_confirmed(stack: StackUnderTest) -> None:
    for name in ("scheduled_event_canceled.json", "scheduled_event_created.json"):
        stack.deliver((EVENTS / name).read_bytes())

    item = stack.booking("woft7torlatbw8ek24bmit5k60", "example@example.com")
    assert item["status"] == "confirmed"
    assert not {"host_user_id", "account_id"} & item.keys()  # "" there
    assert item["updated_at"] == "1970-01-01T00:00:01Z"


# failure matrix: 37
def test_what_zoom_may_add_is_kept_to_the_table_and_to_subscribers(
    stack: StackUnderTest, event_id: str
) -> None:
    body = created(
        event_id,
        location_kind="hologram",
        location={"kind": "hologram", "room": {"floor": 3, "share": 0.25}},
        guests=None,
        status="tentative",
        payment={"amount": 12.5, "currency": "EUR"},
    )
    stack.deliver(body)

    item = stack.booking(event_id)
    assert item["location"]["kind"] == "hologram"
    assert "guests" not in item
    (announced,) = stack.events(event_id)
    assert announced.booking["location"]["place"] == {"kind": "hologram", "room": {"floor": 3, "share": 0.25}}
    (raw,) = stack.raw_events(event_id)
    assert raw.detail == body


# failure matrix: 17, 23
def test_deliveries_that_arrive_all_at_once_end_in_one_right_booking(
    stack: StackUnderTest, event_id: str
) -> None:
    bodies = [created(event_id, at=NOON + n * MINUTE, summary=f"Title {n}") for n in range(8)]
    bodies += [canceled(event_id, at=NOON + (2 * n + 1) * MINUTE // 2) for n in range(7)]

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(stack.post, bodies * 2))

    assert {answer.status for answer in answers} == {200}
    outcomes = [stack.outcome(answer) for answer in answers]
    item = stack.booking(event_id)
    assert (item["status"], item["title"]) == ("confirmed", "Title 7")
    assert item["revision"] == outcomes.count("BookingWritten")
    events = stack.events(event_id)
    assert len({event.metadata["id"] for event in events}) == len(events)
    assert events[-1].booking["title"] == "Title 7"


# failure matrix: 16
def test_a_message_that_the_bus_delivers_twice_is_recorded_once(stack: StackUnderTest, event_id: str) -> None:
    stack.deliver(created(event_id))
    (raw,) = stack.raw_events(event_id)

    stack.created_queue.send(raw.text, raw.text)

    request_id = raw.resources[0].removeprefix("zoom-request/")
    wait_for(
        "both copies",
        lambda: (
            [
                line["outcome"]
                for line in stack.log_lines("booking-created")
                if line.get("zoom_request_id") == request_id
            ]
            == ["BookingWritten", "Duplicate", "Duplicate"]
        ),
    )
    assert stack.booking(event_id)["revision"] == 1
    assert types(stack, event_id) == ["BookingCreated"]
