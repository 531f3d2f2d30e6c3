"""The small worlds, complete; and that each rule, once it is broken in the product, is seen to be broken."""

import dataclasses
import hashlib
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

import bookings.aws.bus
import bookings.aws.clients
import bookings.aws.table
import bookings.domain.booking
import bookings.domain.events
import bookings.use_cases.publish
import bookings.use_cases.record
from bookings.aws.table import DynamoDBBookingStore
from bookings.batch import RecordBatch
from bookings.counts import Count
from bookings.domain.booking import Booking, Delivery, StoredDelivery, merge
from bookings.errors import ServiceError, ServiceUnavailable
from bookings.settings import FanOut
from bookings.use_cases.announce import Announced, Announcer
from bookings.use_cases.ports import RevisionConflict
from bookings.use_cases.record import Recorder
from tests.simulation.exhaustive import (
    MADE,
    OFF,
    POOL,
    SECOND,
    SMALL_POOL,
    USUAL_ATTEMPTS,
    WINDOW,
    WORLDS,
    T,
    Universe,
    Violation,
    World,
    booked,
    called_off,
    every,
    explore_all,
    explore_announcer,
    explore_door,
    explore_handlers,
    explore_many,
    moved_away,
    moved_here,
)

pytestmark = pytest.mark.no_cover  # it would double the time, and other tests measure it


# failure matrix: 16, 17, 23, 24, 25, 44
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_every_schedule_of_a_world_ends_as_its_deliveries_say(world: World) -> None:
    universe = Universe(erase_at=world.erase_at)
    explored = explore_handlers(world, universe)
    assert explored.ends >= 1
    # Each of the deliveries was the first one somewhere.
    firsts = {new for old, new in universe.changes if old == 0}
    assert len(firsts) == len(world.distinct)


# failure matrix: 5, 7
def test_every_schedule_of_any_three_of_a_pool_twice_each_ends_as_they_say() -> None:
    explored = explore_many("small triples", every(SMALL_POOL, 3, times=2))
    assert explored.states > 30_000


# failure matrix: 27
def test_every_schedule_of_the_stream_announces_each_change() -> None:
    universe = Universe()
    explore_handlers(World("booked, canceled", (MADE, OFF)), universe)
    assert explore_announcer("announcer", universe).states > 5_000


# failure matrix: 8, 9, 10, 11, 13
@pytest.mark.parametrize("fan_out", FanOut)
def test_zoom_is_told_200_only_of_what_is_durable_whatever_fails(fan_out: FanOut) -> None:
    explored, attempts = explore_door(MADE.body, fan_out)
    assert explored.ends > 1_000
    assert {(each.durable > 0, each.answered) for each in attempts} == {
        (False, False),
        (False, True),  # in quarantine
        (True, False),
        (True, True),
    }


def test_the_usual_attempts_are_what_becomes_of_a_request_that_nothing_refuses() -> None:
    _, attempts = explore_door(MADE.body, FanOut.EVENT_BRIDGE, refusing=False)
    assert {each for each in attempts if each.durable <= 2} == USUAL_ATTEMPTS


def test_every_schedule_from_the_door_to_the_subscriber_ends_as_its_deliveries_say() -> None:
    explored = explore_all(World("booked, canceled", (MADE, OFF)), Universe(), USUAL_ATTEMPTS, 1)
    assert explored.states > 100_000


# -- Bugs, seeded into the product ------------------------------------------------------------------------

Patch = pytest.MonkeyPatch


def last_write_wins(patch: Patch) -> None:
    def naive(booking: Booking | None, delivery: Delivery) -> Booking:
        alone = merge(None, delivery)
        if booking and delivery.event in booking.deliveries.values():
            return booking
        kept = {**(booking.deliveries if booking else {}), **alone.deliveries}
        return dataclasses.replace(alone, deliveries=kept, revision=booking.revision if booking else 0)

    patch.setattr(bookings.use_cases.record, "merge", naive)


def a_tie_goes_to_whoever_comes_last(patch: Patch) -> None:
    patch.setattr(StoredDelivery, "order", property(lambda self: (self.event_time,)))

    def naive(booking: Booking | None, delivery: Delivery) -> Booking:
        present = booking.deliveries.get(delivery.kind) if booking else None
        if booking and present and present.event_time == delivery.event.event_time:
            if present.digest == delivery.event.digest:
                return booking
            kept = {kind: each for kind, each in booking.deliveries.items() if kind is not delivery.kind}
            booking = dataclasses.replace(booking, deliveries=kept)
        return merge(booking, delivery)

    patch.setattr(bookings.use_cases.record, "merge", naive)


def the_halves_of_a_move_are_a_cancel(patch: Patch) -> None:
    patch.setattr(bookings.domain.booking, "_halves_of_one_move", lambda *_: False)


def the_window_ends_a_millisecond_early(patch: Patch) -> None:
    patch.setattr(bookings.domain.booking, "MOVE_WINDOW_MS", WINDOW - 1)


def the_window_ends_a_millisecond_late(patch: Patch) -> None:
    patch.setattr(bookings.domain.booking, "MOVE_WINDOW_MS", WINDOW + 1)


def writes_are_unconditional(patch: Patch) -> None:
    def save(self: Any, booking: Booking, *, replacing: int | None, expires_at: int | None) -> int:
        self._client.put_item(
            TableName=self._table_name, Item=bookings.aws.table.build_item(booking, expires_at)
        )
        return 0

    patch.setattr(DynamoDBBookingStore, "save", save)


def a_lost_race_counts_as_success(patch: Patch) -> None:
    real = DynamoDBBookingStore.save

    def save(self: Any, booking: Booking, **how: Any) -> int:
        try:
            return real(self, booking, **how)
        except RevisionConflict:
            return 0

    patch.setattr(DynamoDBBookingStore, "save", save)


def a_lost_race_is_written_over(patch: Patch) -> None:
    real = DynamoDBBookingStore.save

    def save(self: Any, booking: Booking, *, replacing: int | None, expires_at: int | None) -> int:
        try:
            return real(self, booking, replacing=replacing, expires_at=expires_at)
        except RevisionConflict as conflict:
            if conflict.stored is None:
                raise
            stands = conflict.stored.revision
            return real(
                self,
                dataclasses.replace(booking, revision=stands + 1),
                replacing=stands,
                expires_at=expires_at,
            )

    patch.setattr(DynamoDBBookingStore, "save", save)


def a_message_is_done_before_its_write(patch: Patch) -> None:
    real = Recorder._merge_into_table

    def merge_into_table(self: Recorder, delivery: Delivery) -> tuple[Count, int]:
        try:
            return real(self, delivery)
        except ServiceUnavailable:
            return Count.BOOKING_WRITTEN, 0

    patch.setattr(Recorder, "_merge_into_table", merge_into_table)


def a_batch_is_done_if_any_of_it_is(patch: Patch) -> None:
    real = RecordBatch.process

    def process(self: RecordBatch, event: Any, remaining_ms: Any) -> PartialItemFailureResponse:
        response = real(self, event, remaining_ms)
        some = 0 < len(response["batchItemFailures"]) < len(event["Records"])
        return {"batchItemFailures": []} if some else response

    patch.setattr(RecordBatch, "process", process)


def tombstones_are_ignored(patch: Patch) -> None:
    patch.setattr(bookings.use_cases.record, "_erased_until", lambda _stored: None)


def a_booking_made_anew_forgets_its_erasure(patch: Patch) -> None:
    real = bookings.aws.table.build_item

    def build_item(booking: Booking, expires_at: int | None) -> dict[str, Any]:
        return real(dataclasses.replace(booking, erased_until=None), expires_at)

    patch.setattr(bookings.aws.table, "build_item", build_item)


def ids_know_no_digests(patch: Patch) -> None:
    def event_id(_before: object, after: Any) -> str:
        return hashlib.sha256(f"{after.booking_id}\n{after.revision}".encode()).hexdigest()[:32]

    patch.setattr(bookings.domain.events, "_event_id", event_id)


def ids_know_only_where_a_change_led(patch: Patch) -> None:
    real = bookings.domain.events._event_id
    patch.setattr(bookings.domain.events, "_event_id", lambda _before, after: real(None, after))


def ids_are_made_up_each_time(patch: Patch) -> None:
    patch.setattr(bookings.domain.events, "_event_id", lambda *_: uuid.uuid4().hex)


def failed_entries_are_ignored(patch: Patch) -> None:
    patch.setattr(bookings.aws.bus, "_error_of", lambda _entry: None)


def the_stream_goes_on_after_a_failure(patch: Patch) -> None:
    real = Announcer.announce

    def announce(self: Announcer, records: Any) -> Announced:
        return dataclasses.replace(real(self, records), failed_from=None)

    patch.setattr(Announcer, "announce", announce)


def what_the_bus_refuses_is_dropped(patch: Patch) -> None:
    patch.setattr(Announcer, "_set_aside", lambda *_: ("", ""))


def the_door_says_200_when_both_ways_failed(patch: Patch) -> None:
    real = bookings.use_cases.publish.Publisher.publish

    def publish(self: Any, *arguments: Any) -> None:
        try:
            real(self, *arguments)
        except ServiceError:
            return

    patch.setattr(bookings.use_cases.publish.Publisher, "publish", publish)


def calls_begin_without_time(patch: Patch) -> None:
    patch.setattr(bookings.aws.clients, "_require_time", lambda _deadline: None)


def handlers(*copies: Any, erase_at: int | None = None, batches: bool = False) -> Callable[[], object]:
    world = World("seeded", copies, erase_at, batches)
    return lambda: explore_handlers(world, Universe(erase_at=erase_at))


def announcer() -> None:
    universe = Universe()
    explore_handlers(World("seeded", (MADE, OFF)), universe)
    explore_announcer("seeded", universe)


def door() -> None:
    explore_door(MADE.body, FanOut.EVENT_BRIDGE)


TIE = (POOL[0], POOL[-1])
REBOOKED = (booked(0, summary=""), booked(1), called_off(2), booked(3, summary=""))
ERASED = (booked(0), called_off(SECOND), booked(3 * SECOND))
ERASED_AT = T + 2 * SECOND

SEEDED: list[tuple[Callable[[Patch], None], Callable[[], object], str]] = [
    (last_write_wins, handlers(booked(0), booked(1)), "kept got older"),
    (a_tie_goes_to_whoever_comes_last, handlers(*TIE), "kept got older"),
    (
        the_halves_of_a_move_are_a_cancel,
        handlers(MADE, moved_here(0), moved_away(SECOND)),
        "differing in .*status",
    ),
    (the_window_ends_a_millisecond_early, handlers(moved_here(0), moved_away(WINDOW)), "differing"),
    (the_window_ends_a_millisecond_late, handlers(moved_here(0), moved_away(WINDOW + 1)), "differing"),
    (writes_are_unconditional, handlers(MADE, OFF), "kept got older"),
    (a_lost_race_counts_as_success, handlers(MADE, OFF), "kept are not the newest"),
    (a_lost_race_is_written_over, handlers(MADE, OFF), "kept got older"),
    (a_message_is_done_before_its_write, handlers(MADE, OFF), "kept are not the newest"),
    (a_batch_is_done_if_any_of_it_is, handlers(MADE, POOL[0], batches=True), "kept are not the newest"),
    (tombstones_are_ignored, handlers(*ERASED, erase_at=ERASED_AT), "must not be a booking"),
    (a_booking_made_anew_forgets_its_erasure, handlers(*ERASED, erase_at=ERASED_AT), "not the newest"),
    (ids_know_no_digests, handlers(MADE, OFF), "stands for two events"),
    (ids_know_only_where_a_change_led, handlers(*REBOOKED), "stands for two events"),
    (ids_are_made_up_each_time, announcer, "sends what no change announces"),
    (failed_entries_are_ignored, announcer, "an event that is nowhere"),
    (failed_entries_are_ignored, door, "nothing durable has the delivery"),
    (the_stream_goes_on_after_a_failure, announcer, "an event that is nowhere"),
    (what_the_bus_refuses_is_dropped, announcer, "an event that is nowhere"),
    (the_door_says_200_when_both_ways_failed, door, "nothing durable has the delivery"),
    (calls_begin_without_time, door, "Zoom is told after"),
]


@pytest.mark.parametrize(
    ("seed", "exploration", "seen_as"), SEEDED, ids=[f"{seed.__name__}: {seen}" for seed, _, seen in SEEDED]
)
def test_a_seeded_bug_is_found(
    monkeypatch: pytest.MonkeyPatch,
    seed: Callable[[Patch], None],
    exploration: Callable[[], object],
    seen_as: str,
) -> None:
    if exploration not in (announcer, door):  # other tests have seen that these find nothing
        exploration()
    seed(monkeypatch)
    with pytest.raises(Violation, match=seen_as):
        exploration()
