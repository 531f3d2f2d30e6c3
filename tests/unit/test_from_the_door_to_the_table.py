"""A delivery's whole way on fakes: what one part leaves behind, the next one gets."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bookings.counts import Count
from bookings.domain.booking import Booking, Status
from bookings.domain.events import Snapshot, domain_event
from bookings.envelope import Envelope
from bookings.use_cases.record import Recorded, Recorder
from tests.door import Door
from tests.fakes import DENIED, HANGS, NOW, InMemoryBookingStore, InMemoryQueue
from tests.samples import MORNING_MS, canceled, created, raw, signed

T = MORNING_MS
MINUTE_MS = 60_000


class Way:
    """The door, the queues behind it, a handler, the table, and what its stream would tell."""

    def __init__(self) -> None:
        self.door = Door()
        self.door.warm()
        self.store = InMemoryBookingStore()
        self.recorder = Recorder(
            store=self.store,
            quarantine=InMemoryQueue(self.door.clock),
            retention_days=0,
            clock=self.door.clock,
            count=self.door.counts,
        )
        self.announced: list[Envelope] = []
        self._before: dict[str, Snapshot] = {}

    def carry(self) -> list[Recorded]:
        """Brings what is on the bus and in the queues to the handler."""
        messages = [
            envelope.to_message(account="1", region="x", time=self.door.clock.now())
            for envelope in self.door.bus.published
        ]
        self.door.bus.published.clear()
        for queue in self.door.queues.queues.values():
            messages += queue.messages
            queue.messages.clear()
        return [self.record(message) for message in messages]

    def post(self, *bodies: dict[str, Any] | bytes) -> list[Count]:
        """Sends deliveries, each signed at its moment, and returns what became of them."""
        assert [self.door.post(body).status for body in bodies] == [200] * len(bodies)
        return [recorded.outcome for recorded in self.carry()]

    def record(self, message: str) -> Recorded:
        writes = self.store.writes
        recorded = self.recorder.record(message)
        if self.store.writes > writes:
            booking = self.store.items[recorded.booking_id]
            assert isinstance(booking, Booking)
            self._announce(booking)
        return recorded

    def _announce(self, booking: Booking) -> None:
        digests = {kind: event.digest for kind, event in booking.deliveries.items()}
        after = Snapshot(booking.public_fields(), booking.revision, digests)
        event = domain_event(self._before.get(booking.booking_id), after, share_access_links=True)
        self._before[booking.booking_id] = after
        if event:
            self.announced.append(event)

    @property
    def told(self) -> list[str]:
        return [event.detail_type for event in self.announced]

    @property
    def bookings(self) -> list[Booking]:
        return [item for item in self.store.items.values() if isinstance(item, Booking)]

    @property
    def table(self) -> dict[str, Any]:
        """The items, less what counts their writes."""
        return {key: replace(item, revision=0) for key, item in self.store.items.items()}


@pytest.fixture
def way() -> Way:
    return Way()


# failure matrix: 1, 41
def test_a_captured_request_replayed_within_the_window_is_one_booking_and_one_event(way: Way) -> None:
    request = signed(raw(created()), way.door.clock.now())
    assert [way.door.receiver.receive(request).status for _ in range(3)] == [200] * 3
    assert [recorded.outcome for recorded in way.carry()] == [
        Count.BOOKING_WRITTEN,
        Count.DUPLICATE,
        Count.DUPLICATE,
    ]
    assert way.store.only.revision == 1
    assert way.told == ["BookingCreated"]


LOST = [
    created(T),
    canceled(T + MINUTE_MS, rescheduled=True),
    canceled(T + 60 * MINUTE_MS),
]
EMITTED_TWICE = [created(T, created=""), created(T + 1900, created="")]
TRAILING_SPACE = [
    created(T, invitee_email="Ida@guest.example "),
    canceled(T + 1, invitee_email="ida@guest.example"),
]
COMPOSED, DECOMPOSED = "zo\u00eb@guest.example", "zoe\u0308@guest.example"
OTHER_UNICODE_FORM = [created(T, invitee_email=DECOMPOSED), canceled(T + 1, invitee_email=COMPOSED)]


@pytest.mark.parametrize(
    ("bodies", "status", "events"),
    [
        pytest.param(
            LOST,
            Status.CANCELED,
            [("BookingCreated", False), ("BookingCanceled", True), ("BookingCanceled", False)],
            id="moved, then lost for good",
        ),
        pytest.param(EMITTED_TWICE, Status.CONFIRMED, [("BookingCreated", False)], id="emitted twice"),
        pytest.param(
            TRAILING_SPACE,
            Status.CANCELED,
            [("BookingCreated", False), ("BookingCanceled", False)],
            id="white space around the e-mail",
        ),
        pytest.param(
            OTHER_UNICODE_FORM,
            Status.CANCELED,
            [("BookingCreated", False), ("BookingCanceled", False)],
            id="another Unicode form of the e-mail",
        ),
    ],
)
def test_case_from_a_public_report(
    way: Way, bodies: list[dict[str, Any]], status: Status, events: list[tuple[str, bool]]
) -> None:
    way.post(*bodies)
    assert way.store.only.status is status
    details = [json.loads(event.detail) for event in way.announced]
    told = zip(way.told, (detail["booking"]["rescheduled"] for detail in details), strict=True)
    assert list(told) == events


# failure matrix: 2
@pytest.mark.parametrize(
    "again",
    [
        json.dumps(created(summary="Zoë"), sort_keys=True).encode(),
        json.dumps(created(summary="Zoë"), indent=3, ensure_ascii=False).encode(),
        json.dumps(created(summary="Zoë"), separators=(",", ":")).encode(),
        raw(created(summary="Zoë") | {"event_ts": float(T)}),
    ],
    ids=["sorted, in ASCII", "with white space", "without", "with a float"],
)
def test_the_same_event_written_another_way_is_no_second_event(way: Way, again: bytes) -> None:
    assert way.post(created(summary="Zoë")) == [Count.BOOKING_WRITTEN]
    assert way.post(again) == [Count.DUPLICATE]
    assert way.store.only.revision == 1
    assert way.told == ["BookingCreated"]


# failure matrix: 3
def test_a_retry_85_minutes_later_is_merged_by_its_event_time(way: Way) -> None:
    late, newer = created(T, summary="Late"), created(T + 30 * MINUTE_MS, summary="Newer")
    way.door.clock.advance(30 * 60)
    assert way.post(newer) == [Count.BOOKING_WRITTEN]
    way.door.clock.advance(55 * 60)
    assert way.post(late) == [Count.SUPERSEDED]
    assert way.store.only.details.title == "Newer"
    # One that nothing has overtaken is as good as new, and stands under its own time.
    assert way.post(created(T, event_id="evt-2")) == [Count.BOOKING_WRITTEN]
    assert [booking.public_fields()["updated_at"] for booking in way.bookings] == [
        "2026-11-22T10:30:00Z",
        "2026-11-22T10:00:00Z",
    ]


# failure matrix: 9, 16
def test_a_delivery_that_both_ways_have_taken_is_one_booking_and_one_event(way: Way) -> None:
    way.door.bus.trouble = replace(HANGS, took_it=True)
    assert way.door.post(created()).status == 200
    assert [recorded.outcome for recorded in way.carry()] == [Count.BOOKING_WRITTEN, Count.DUPLICATE]
    assert way.store.only.revision == 1
    assert way.told == ["BookingCreated"]


# failure matrix: 12
def test_with_the_bus_down_for_a_day_every_booking_is_in_the_table_at_once(way: Way) -> None:
    way.door.bus.trouble = DENIED
    for hour in range(24):
        at = T + hour * 60 * MINUTE_MS
        outcomes = way.post(
            created(at, event_id=f"evt-{hour}"), canceled(at + MINUTE_MS, event_id=f"evt-{hour}")
        )
        assert outcomes == [Count.BOOKING_WRITTEN] * 2
        assert len(way.store.items) == hour + 1
        way.door.clock.advance(3600)
    assert {booking.status for booking in way.bookings} == {Status.CANCELED}


HISTORIES = st.lists(
    st.builds(
        lambda make, at, event_id, rescheduled, title: make(
            T + at * 30_000, event_id=event_id, rescheduled=rescheduled, summary=title
        ),
        st.sampled_from([created, canceled]),
        st.integers(0, 4),
        st.sampled_from(["evt-1", "evt-2"]),
        st.booleans(),
        st.sampled_from(["One", "Other", ""]),
    ),
    min_size=1,
    max_size=8,
)


def messages_of(bodies: Sequence[dict[str, Any]]) -> list[str]:
    return [
        Envelope("zoom.scheduler", body["event"], json.dumps(body)).to_message(
            account="1", region="x", time=NOW
        )
        for body in bodies
    ]


# failure matrix: 44
@given(HISTORIES, st.randoms())
def test_a_history_replayed_into_its_table_writes_nothing_and_tells_nobody(
    history: list[dict[str, Any]], chance: random.Random
) -> None:
    way = Way()
    for message in messages_of(history):
        way.record(message)
    writes, told, table = way.store.writes, list(way.announced), dict(way.store.items)
    again = messages_of(history) * 2
    chance.shuffle(again)
    for message in again:
        way.record(message)
    assert (way.store.writes, way.announced, way.store.items) == (writes, told, table)


# Of what the created lacks, the older canceled tells something: second it updates, first it is canceled.
FILLED_IN = [created(T, guests=[]), canceled(T - 1, guests=["guest@example.com"])]
ONE_MOMENT = [created(T, summary="one"), created(T, summary="other")]


def reverses_two() -> random.Random:
    return random.Random(1)  # noqa: S311 - an order, no secret


# failure matrix: 44
@given(HISTORIES, st.randoms())
@example(FILLED_IN, reverses_two())
@example(ONE_MOMENT, reverses_two())
def test_a_history_replayed_into_an_empty_table_ends_in_the_same_items_and_uses_no_id_for_another_event(
    history: list[dict[str, Any]], chance: random.Random
) -> None:
    first, second = Way(), Way()
    for message in messages_of(history):
        first.record(message)
    again = messages_of(history)
    chance.shuffle(again)
    for message in again:
        second.record(message)
    assert second.table == first.table
    used: dict[str, Envelope] = {}
    for event in [*first.announced, *second.announced]:
        assert used.setdefault(json.loads(event.detail)["metadata"]["id"], event) == event
