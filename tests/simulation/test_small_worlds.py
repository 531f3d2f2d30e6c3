"""Small worlds, complete: every order of up to four deliveries of a booking, with a duplicate or a crash."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import combinations, count, pairwise
from typing import Any

import pytest

from bookings.domain.booking import Booking, Snapshot
from bookings.envelope import Envelope
from bookings.use_cases.announce import Announcer
from bookings.use_cases.ports import Change
from bookings.use_cases.record import Recorder
from tests.fakes import InMemoryBookingStore, InMemoryBus, InMemoryCounts, InMemoryQueue, VirtualClock
from tests.samples import MORNING_MS, canceled, created, message
from tests.simulation import specification as spec
from tests.simulation.adversary import ProcessDied

T, MINUTE = MORNING_MS, 60_000
POOL = [
    created(T, summary="First"),
    created(T, summary="Another of the same time", start_date_time=""),
    created(T + MINUTE, rescheduled=True),
    canceled(T + MINUTE, cancellation={"reason": "Ill"}),
    canceled(T + 2 * MINUTE, rescheduled=True),
    canceled(T + 2 * MINUTE + 1, rescheduled=True, guests=[]),
]
MESSAGES = list(map(message, POOL))
NEVER, MOMENTS = 0, range(1, 5)

type Revisions = tuple[Booking, ...]
type State = tuple[Revisions, frozenset[int], bool]
"""The booking's revisions, the messages that wait, and whether there was a duplicate or a crash."""


def dying_at(moment: int) -> Callable[[Any, Callable[[], Any]], Any]:
    """Returns a caller whose process dies at a moment. There is one before and one after each call."""
    moments = count(1)

    def call(_deadline: Any, take: Callable[[], Any]) -> Any:
        if next(moments) == moment:
            raise ProcessDied
        result = take()
        if next(moments) == moment:
            raise ProcessDied
        return result

    return call


def record(state: State, number: int, moment: int) -> State:
    revisions, waiting, disturbed = state
    store, clock, counts = InMemoryBookingStore(), VirtualClock(), InMemoryCounts()
    store.items = {each.booking_id: each for each in revisions[-1:]}
    store.caller = dying_at(moment)
    queue = InMemoryQueue(clock)
    recorder = Recorder(store=store, quarantine=queue, retention_days=0, clock=clock, count=counts)
    disturbed |= moment != NEVER or number not in waiting
    with suppress(ProcessDied):
        recorder.record(MESSAGES[number])
        waiting -= {number}
    return ((*revisions, store.only) if store.writes else revisions), waiting, disturbed


def every_end(sent: frozenset[int]) -> Iterable[Revisions]:
    """Returns the revisions of a booking at the end of each schedule of these messages."""
    ahead: list[State] = [((), sent, False)]
    seen: dict[Any, State] = {}
    while ahead:
        state = revisions, waiting, disturbed = ahead.pop()
        if seen.setdefault((str(revisions), waiting, disturbed), state) is state:
            for number in waiting if disturbed else sent:
                ahead += [record(state, number, each) for each in (NEVER, *(() if disturbed else MOMENTS))]
    return {str(revisions): revisions for revisions, waiting, _ in seen.values() if not waiting}.values()


def announce(revisions: Revisions, moment: int) -> list[Envelope]:
    """Returns the events of all changes. The process dies at that moment, and then they all come again."""
    pairs = pairwise(map(snapshot, (None, *revisions)))
    changes = {str(number): Change(*pair) for number, pair in enumerate(pairs)}
    bus, queue = InMemoryBus(), InMemoryQueue()
    announcer = Announcer(
        bus=bus,
        dead_letters=queue,
        parse_change=lambda record: changes[record["dynamodb"]["SequenceNumber"]],
        share_access_links=False,
        count=InMemoryCounts(),
    )
    for bus.caller in (dying_at(moment), dying_at(NEVER)):
        with suppress(ProcessDied):
            announcer.announce([{"dynamodb": {"SequenceNumber": number}} for number in changes])
    return bus.published


def snapshot(booking: Booking | None) -> Snapshot | None:
    if booking is None:
        return None
    digests = {kind: event.digest for kind, event in booking.deliveries.items()}
    return Snapshot(booking.public_fields(), booking.revision, digests)


# failure matrix: 1, 3, 4, 5, 6, 7, 25, 27
@pytest.mark.no_cover  # it would double the time
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_every_schedule_ends_as_its_deliveries_say(size: int) -> None:
    announced: dict[str, Envelope] = {}
    for some in combinations(range(len(POOL)), size):
        expected = spec.expected_state([POOL[number] for number in some])
        assert expected
        for revisions in every_end(frozenset(some)):
            booking = revisions[-1]
            assert booking.public_fields() == expected.fields | {"request_id": booking.newest.request_id}
            assert {str(kind): each.order for kind, each in booking.deliveries.items()} == expected.orders
            assert [each.revision for each in revisions] == list(range(1, len(revisions) + 1))
            check_events(revisions, announced)


def check_events(revisions: Revisions, announced: dict[str, Envelope]) -> None:
    """Checks each change's event, and that no id is that of another event in any world."""
    for moment in range(2 * len(revisions) + 1):
        events = {each: json.loads(each.detail) for each in announce(revisions, moment)}
        for envelope, detail in events.items():
            assert announced.setdefault(detail["metadata"]["id"], envelope) == envelope
        found = {detail["metadata"]["revision"]: envelope for envelope, detail in events.items()}
        shown: Any = None
        for revision, booking in enumerate(revisions, 1):
            before, shown = shown, spec.shared_fields(booking.public_fields(), share_access_links=False)
            event = found.pop(revision, None)
            event_type, detail = (event.detail_type, events[event]) if event else (None, None)
            assert not spec.wrong_with_event(event_type, detail, before, shown, revision=revision)
        assert not found
