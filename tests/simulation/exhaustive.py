"""Every interleaving, every duplicate and every crash point of a few deliveries, complete.

`python -m tests.simulation.exhaustive` explores all worlds and prints how large each was; a violation ends
it with exit code 1 and a shortest way to it, a line a step. `test_exhaustive.py` explores a part of them.

What runs is the product's own code down to the AWS client: `RecordBatch`, `Recorder` and the table's
adapter, `Announcer` and the bus's adapter, `Receiver` and `Publisher`, `bookings erase`. `scripted.py`
tells how a process is stopped at each of its calls. A state is what outlives a step: the table, the
positions of all copies of deliveries and of the eraser, the stream since its checkpoint, what of it was
published. States are tuples of numbers; nothing is sampled, and no state is dropped.

**What may happen at a call.** It is carried out and answered; carried out and the answer lost, or the
answer is lost and the SDK makes the call again; not carried out (throttled, unreachable); the process dies
before it or after it. A conditional write is refused as DynamoDB does, with the item that stands there. A
message that was not acknowledged comes again, and one that was acknowledged may come again all the same.

**What was divided, and why that loses nothing.**

- A message that waits and a handler that has begun with it are one position: up to its first call a handler
  only computes, of its message alone, and dying there leaves the message as it was.
- Positions are a multiset: copies that say the same and stand at the same call are alike.
- *Door.* What the door does with one request depends on nothing but the services' answers to it. So its
  calls are explored by themselves, and for the rest an attempt is what became of it: how many copies are
  durable, and whether Zoom was told so. All copies may appear at once: one that appears later is one that
  waits.
- *Handlers and table.* They never see the stream's reader. All changes of the table that occur anywhere in
  their world are collected as a graph.
- *Announcer.* It sees the stream alone, so it is explored over every path in that graph, with records
  arriving at any moment and batches of any size. Some of these paths may not occur: that can only add
  states.
- *From the door to the subscriber*, all three at once, is explored for fewer copies, so that the division
  is not taken on trust alone.

Three bounds there are. An operator erases once. Of one event, so many copies may be on their way at a time
as its world says. And for a batch of several records, a call of the announcer is answered entry by entry or
not at all; that the connection hangs up, or that a call is refused as a whole, happens to batches of one.

**What must hold.** Of each write: it is the fold of what stood there and this delivery, by
`specification.py`; its revision is the next one; what is kept never gets older; what it announces is as the
specification says, under an id that stands for no other event in any world. Of each 2xx: something durable
took the delivery before. Of the announcer: it sends a record's event to the letter or not at all, and
passes no record whose event is neither on the bus nor in the DLQ. At the end: the table is what the
specification says of all deliveries, and delivering all of them again changes nothing. From each state the
end is reached once nothing fails any more.

One thing is set apart: `request_id` is Zoom's id of one attempt, for correlation, and not signed. Two
copies with two of them give, in two different schedules, one event with either; `metadata.id` does not tell
them apart, and should not: for whoever drops duplicates it is the same event. So texts are compared less
`request_id`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer

from bookings.limits import CALL_SECONDS
from bookings.settings import FanOut
from bookings.use_cases.announce import Announced, StreamRecord
from bookings.use_cases.answers import Answer
from tests.fakes import NOW
from tests.samples import MORNING_MS, canceled, created, raw
from tests.simulation.scripted import (
    Call,
    ConditionalCheckFailed,
    as_record,
    hung_up,
    no_answer,
    refused,
    run_announcer,
    run_door,
    run_eraser,
    run_handler,
    throttled,
)
from tests.simulation.specification import (
    ExpectedBooking,
    expected_state,
    reading_of,
    shared_fields,
    wrong_with_event,
)

T = MORNING_MS
SECOND, WINDOW, HOUR = 1000, 60_000, 3_600_000

MAX_ANSWER_SECONDS = 2.5

_OURS_ALONE = {"zoom_events", "revision", "expires_at", "erased_until"}

_deserialize = TypeDeserializer().deserialize

type Results = tuple[Any, ...]
type State = tuple[Any, ...]
type Move = tuple[str, int, tuple[int, ...]]
"""What happens, the table after it, and the positions that take the place of the process's."""


class Violation(AssertionError):
    """Something that must hold does not. The way to it is told a step a line."""

    def __init__(self, what: str, way: Sequence[str] = ()) -> None:
        super().__init__("\n".join([what, *(f"  {number:3}. {step}" for number, step in enumerate(way, 1))]))
        self.what = what


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """What a copy of a delivery says; copies that are alike share one.

    Attributes:
        name: as it stands in a trace.
    """

    name: str
    body: dict[str, Any] = field(repr=False)
    request_id: str | None = "request-1"


@dataclass(frozen=True)  # without slots, for what is computed once
class Row:
    """What stands in the table for one booking.

    Attributes:
        item: attribute values; None where nothing stands.
        erased_until: what the world knows of an erasure, whatever the item says of it.
    """

    number: int
    item: dict[str, Any] | None = field(repr=False)
    erased_until: int | None

    @cached_property
    def values(self) -> dict[str, Any]:
        return {name: _plain(_deserialize(value)) for name, value in (self.item or {}).items()}

    @property
    def is_booking(self) -> bool:
        return self.item is not None and "zoom_events" in self.item

    @property
    def revision(self) -> int:
        return int(self.item["revision"]["N"]) if self.item else 0

    def kept(self) -> dict[str, tuple[int, str]]:
        kept = self.values["zoom_events"] if self.is_booking else {}
        return {name: (each["event_time"], each["digest"]) for name, each in kept.items()}

    def public(self) -> dict[str, Any] | None:
        if not self.is_booking:
            return None
        return {name: value for name, value in self.values.items() if name not in _OURS_ALONE}

    def __str__(self) -> str:
        return self._told

    @cached_property
    def _told(self) -> str:
        if self.item is None:
            return "nothing"
        if not self.is_booking:
            return f"revision {self.revision}, erased"
        values = self.values
        kept = ", ".join(f"{name}@{each[0] - T:+}ms" for name, each in self.kept().items())
        moved = ", rescheduled" if values["rescheduled"] else ""
        return f"revision {self.revision}, {values['status']}{moved}, of {kept}"


@dataclass(frozen=True, slots=True)
class Process:
    """A process at a call.

    Attributes:
        copies: a handler's messages; the eraser has none.
    """

    copies: tuple[Copy, ...]
    results: Results

    @property
    def waits(self) -> bool:
        """Whether it has not had any result yet: no more than a message in its queue."""
        return not self.results


class Universe:
    """All that deliveries can come to, computed and checked once: rows, positions, moves, events.

    Args:
        erase_at: the time of an erasure, in milliseconds.
    """

    def __init__(self, *, erase_at: int | None = None, share_access_links: bool = False) -> None:
        self.rows = [Row(0, None, None)]
        self.processes: list[Process] = []
        self.changes: dict[tuple[int, int], None] = {}
        self.event_of: dict[tuple[int, int], dict[str, Any] | None] = {}
        self.told_by: dict[str, str] = {}
        self._erase_at = erase_at
        self._share = share_access_links
        self._row_numbers: dict[tuple[str, int | None], int] = {}
        self._positions: dict[tuple[tuple[int, ...], Results], int] = {}
        self._moves: dict[tuple[int, int], list[Move]] = {}
        self._bodies: dict[str, dict[str, Any]] = {}
        self._request_ids: dict[str, set[str | None]] = {}
        self._announced: dict[tuple[tuple[int, ...], Results], Call | Announced] = {}
        self._records: dict[tuple[int, int, int], StreamRecord] = {}

    # -- Positions ----------------------------------------------------------------------------------------

    def waiting(self, copy: Copy) -> int:
        """Returns the position of a message that waits."""
        digest = reading_of(copy.body).order[1]
        self._bodies[digest] = copy.body
        self._request_ids.setdefault(digest, set()).add(copy.request_id)
        return self._position((copy,))

    def waiting_eraser(self) -> int:
        return self._position(())

    def together(self, one: int, other: int) -> int | None:
        """Returns the position of a batch of two messages that wait, None where there is none of them.

        Two messages that are in one queue, and wait, can be handed to a handler as a batch.
        """
        copies = [*self.processes[one].copies, *self.processes[other].copies]
        waiting = self.processes[one].waits and self.processes[other].waits
        if not waiting or len(copies) != 2 or len({copy.body["event"] for copy in copies}) != 1:
            return None
        return self._position(tuple(copies))

    def _position(self, copies: tuple[Copy, ...], results: Results = ()) -> int:
        key = (tuple(map(id, copies)), results)
        if key not in self._positions:
            self._positions[key] = len(self.processes)
            self.processes.append(Process(copies, results))
        return self._positions[key]

    def advance(self, position: int) -> int:
        """Returns how far a process is, so that whoever is furthest goes first where nothing fails."""
        return len(self.processes[position].results)

    def moves(self, position: int, row: int) -> list[Move]:
        """Returns what may happen next to a process, first what happens where nothing fails.

        Raises:
            Violation: one of these breaks a rule.
        """
        key = (position, row)
        if key not in self._moves:
            process = self.processes[position]
            make = self._handlers_moves if process.copies else self._erasers_moves
            # Two ways that come to the same are one, under the name of the first.
            distinct: dict[tuple[int, tuple[int, ...]], Move] = {}
            for move in make(process, position, self.rows[row]):
                distinct.setdefault(move[1:], move)
            self._moves[key] = list(distinct.values())
        return self._moves[key]

    def _handlers_moves(self, process: Process, position: int, row: Row) -> Iterator[Move]:
        who = f"the handler of {' and '.join(copy.name for copy in process.copies)}"
        call = self._run_handler(process)
        if not isinstance(call, Call) or call.operation != "PutItem":
            raise Violation(f"{who} makes a call that this world has not: {call}")
        come_again = tuple(self._position((copy,)) for copy in process.copies)
        if call.arguments["Item"]["booking_id"]["S"] != self._booking_id:
            raise Violation(f"{who} writes another booking than its own")
        if _holds(call, row.item):
            after = self._written(row, call.arguments["Item"], process.copies)
            wrote = f"{who} writes [{self.rows[after]}]"
            yield from self._after(wrote, process, "ok", after)
            yield from self._after(f"{wrote}, and its answer is lost", process, "lost", after)
            yield f"{wrote}, and the SDK, not answered, makes the call again", after, (position,)
            yield f"{wrote} and dies", after, come_again
        else:
            yield from self._after(
                f"{who} is refused by [{row}]", process, ("refused", row.number), row.number
            )
        yield from self._after(f"{who} is throttled", process, "throttled", row.number)
        yield from self._after(f"{who} gets no answer", process, "lost", row.number)
        yield f"{who} dies before its call", row.number, come_again

    def _after(self, what: str, process: Process, result: Any, row: int) -> Iterator[Move]:
        """Yields how a handler goes on after a result of its call."""
        copies, results = process.copies, (*process.results, result)
        ahead = self._run_handler(Process(copies, results))
        if isinstance(ahead, Call):
            yield what, row, (self._position(copies, results),)
            return
        failed = tuple(self._position((copies[number],)) for number in sorted(ahead))
        done = [self._position((copy,)) for number, copy in enumerate(copies) if number not in ahead]
        told = f"{what}; {len(done)} done, {len(failed)} to come again"
        yield told, row, failed
        for size in range(1, len(done) + 1):
            for some in itertools.combinations(done, size):
                yield f"{told}; of those done {size} come again all the same", row, (*failed, *some)

    def _run_handler(self, process: Process) -> Call | frozenset[int]:
        messages = [(copy.body, copy.request_id) for copy in process.copies]
        return run_handler(messages, [self._result(each) for each in process.results])

    def _erasers_moves(self, process: Process, position: int, row: Row) -> Iterator[Move]:
        call = self._run_eraser(process.results)
        again = (self._position(()),)
        if not isinstance(call, Call):
            raise Violation(f"the eraser ends without a call: {call}")
        if not process.results:
            yield "the operator erases nothing", row.number, ()
        if call.operation == "GetItem":
            yield from self._erasers_after("the eraser reads", process, ("read", row.number), row.number)
        elif call.operation == "PutItem":
            if _holds(call, row.item):
                after = self._erased(row, call.arguments["Item"])
                yield f"the eraser writes [{self.rows[after]}]", after, ()
            else:
                yield from self._erasers_after(
                    f"the eraser is refused by [{row}]", process, ("refused", row.number), row.number
                )
        else:
            raise Violation(f"the eraser makes a call that this world has not: {call}")
        yield "the eraser fails and is begun again", row.number, again

    def _erasers_after(self, what: str, process: Process, result: Any, row: int) -> Iterator[Move]:
        results = (*process.results, result)
        ahead = self._run_eraser(results)
        if isinstance(ahead, Call):
            yield what, row, (self._position((), results),)
        else:
            yield f"{what} and gives up", row, (self._position(()),)

    def _run_eraser(self, results: Results) -> Call | bool:
        assert self._erase_at is not None
        return run_eraser(self._booking_id, self._erase_at, [self._result(each) for each in results])

    @property
    def _booking_id(self) -> str:
        return next(reading_of(body).booking_id for body in self._bodies.values())

    def _result(self, result: Any) -> Any:
        match result:
            case "ok":
                return {}
            case "throttled":
                return throttled()
            case "lost":
                return no_answer()
            case ("refused", row):
                return ConditionalCheckFailed(self.rows[row].item)
            case ("read", row):
                item = self.rows[row].item
                return {"Item": item} if item is not None else {}
        raise AssertionError(result)

    # -- The table ----------------------------------------------------------------------------------------

    def _row(self, item: dict[str, Any], erased_until: int | None) -> int:
        key = (json.dumps(item, sort_keys=True, default=bytes.hex), erased_until)
        if key not in self._row_numbers:
            self._row_numbers[key] = len(self.rows)
            self.rows.append(Row(len(self.rows), item, erased_until))
        return self._row_numbers[key]

    def _written(self, before: Row, item: dict[str, Any], copies: Sequence[Copy]) -> int:
        """Returns the row that a handler writes, having seen that it is as it must be."""
        after = self.rows[self._row(item, before.erased_until)]
        if (before.number, after.number) in self.changes:
            return after.number
        old, new = before.kept(), after.kept()
        if any(new.get(name, (0, "")) < order for name, order in old.items()):
            raise Violation(f"what is kept got older: [{before}] became [{after}]")
        if old == new:
            raise Violation(f"a write changed nothing that is kept: [{before}] became [{after}]")
        # Of a batch, one message is written at a time: the one that is new.
        news = set(new.values()) - set(old.values())
        copy = next((copy for copy in copies if reading_of(copy.body).order in news), copies[0])
        bodies = [*(self._bodies[digest] for _, digest in old.values()), copy.body]
        try:
            self.check_row(after, bodies)
        except Violation as violation:
            raise Violation(f"the handler of {copy.name} writes over [{before}] {violation}") from None
        if after.revision != before.revision + 1:
            raise Violation(f"the revision is not the next one: [{before}] became [{after}]")
        self._check_event(before, after)
        return after.number

    def _erased(self, before: Row, item: dict[str, Any]) -> int:
        assert self._erase_at is not None
        # Whatever the clock of the eraser, what it erases must not come back.
        until = max([self._erase_at, *(at for at, _ in before.kept().values())])
        after = self.rows[self._row(item, until)]
        left = {"booking_id": self._booking_id, "revision": before.revision + 1, "erased_at": until}
        if after.values != left:
            raise Violation(f"an erasure left {sorted(after.values)}: [{before}] became [{after}]")
        self._check_event(before, after)
        return after.number

    def check_row(self, row: Row, bodies: Iterable[dict[str, Any]]) -> None:
        """Sees that a booking is what these bodies make.

        Raises:
            Violation: it is not.
        """
        expected = expected_state(bodies, erased_until=row.erased_until)
        wrong = _wrong_with_row(row, expected, self._request_ids)
        if wrong:
            raise Violation(f"{wrong}: there stands [{row}]")

    def _check_event(self, before: Row, after: Row) -> None:
        """Sees that a change announces what it must, under an id of its own, and keeps the event."""
        record = as_record(self._booking_id, before.item, after.item, 1)
        call = run_announcer([record], [], share_access_links=self._share)
        entry = None
        if isinstance(call, Call):
            if call.operation != "PutEvents" or len(call.arguments["Entries"]) != 1:
                raise Violation(f"a change of [{before}] to [{after}] is announced by {call}")
            (entry,) = call.arguments["Entries"]
        shown = [
            None if fields is None else shared_fields(fields, share_access_links=self._share)
            for fields in (before.public(), after.public())
        ]
        detail = json.loads(entry["Detail"]) if entry else None
        event_type = entry["DetailType"] if entry else None
        wrong = wrong_with_event(event_type, detail, *shown, revision=after.revision)
        if wrong:
            raise Violation(f"{wrong}: [{before}] became [{after}]")
        if detail:
            assert entry
            assert event_type
            event_id = detail["metadata"]["id"]
            detail["booking"].pop("request_id", None)
            text = f"{event_type} {entry['Source']} {json.dumps(detail, sort_keys=True)}"
            if self.told_by.setdefault(event_id, text) != text:
                raise Violation(f"the id {event_id} stands for two events:\n{self.told_by[event_id]}\n{text}")
        self.event_of[before.number, after.number] = entry
        self.changes[before.number, after.number] = None

    def settled(self, row: int, position: int) -> int:
        """Returns what stands in the table once a process has gone on to its end, and nothing failed."""
        waiting: tuple[int, ...] = (position,)
        while waiting:
            _, row, waiting = self.moves(waiting[0], row)[0]
        return row

    # -- The announcer ------------------------------------------------------------------------------------

    def announcer(self, path: tuple[int, ...], results: Results) -> Call | Announced:
        """Returns the announcer's next call for the changes along a path, or what became of them."""
        key = (path, results)
        if key not in self._announced:
            records = [self._record(*change, n) for n, change in enumerate(itertools.pairwise(path))]
            script = [_announcers_result(each) for each in results]
            self._announced[key] = run_announcer(records, script, share_access_links=self._share)
        return self._announced[key]

    def _record(self, old: int, new: int, number: int) -> StreamRecord:
        key = (old, new, number)
        if key not in self._records:
            images = self.rows[old].item, self.rows[new].item
            self._records[key] = as_record(self._booking_id, *images, number)
        return self._records[key]


# -- Exploring ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Explored:
    """How large a world was."""

    name: str
    events: int
    copies: int
    states: int
    transitions: int
    ends: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.name:{_NAME}} {self.events:3} {self.copies:3} {self.states:>10,} {self.transitions:>11,} "
            f"{self.ends:>7,} {self.seconds:>7.1f}"
        )


_NAME = 66  # characters, of the longest name

HEADING = (
    f"{'world':{_NAME}} {'ev.':>3} {'cp.':>3} {'states':>10} {'transitions':>11} {'ends':>7} {'seconds':>7}"
)

type Told = Callable[[int, int], None]
"""Is told, now and then, how many states and transitions there were so far."""


def explore(
    name: str,
    initial: State,
    steps: Callable[[State], list[tuple[str, State]]],
    at_end: Callable[[State], None],
    *,
    sizes: tuple[int, int] = (0, 0),
    told: Told = lambda _states, _transitions: None,
) -> Explored:
    """Explores everything that can be reached, breadth first.

    Args:
        steps: returns what may happen in a state, first what happens where nothing fails; nothing at an end.
        at_end: raises a Violation if an end is not as it must be.

    Raises:
        Violation: with a shortest way from the beginning.
    """
    started = time.perf_counter()
    numbers = {initial: 0}
    states = [initial]
    parents = array("q", [-1])
    without_fault = array("q")
    transitions = ends = 0
    number = 0

    def way_to(number: int) -> list[str]:
        way: list[str] = []
        while number > 0:
            parent = parents[number]
            way.append(next(what for what, state in steps(states[parent]) if numbers[state] == number))
            number = parent
        return way[::-1]

    try:
        while number < len(states):
            following = steps(states[number])
            for _, state in following:
                if state not in numbers:
                    numbers[state] = len(states)
                    states.append(state)
                    parents.append(number)
            if following:
                without_fault.append(numbers[following[0][1]])
            else:
                at_end(states[number])
                without_fault.append(number)
                ends += 1
            transitions += len(following)
            number += 1
            if not number & 0xFFF:
                told(number, transitions)
    except Violation as violation:
        raise Violation(f"{name}: {violation}", way_to(number)) from None
    stuck = _never_at_an_end(without_fault)
    if stuck is not None:
        raise Violation(f"{name}: the end is out of reach, whatever does not fail from here", way_to(stuck))
    return Explored(name, *sizes, len(states), transitions, ends, time.perf_counter() - started)


def _never_at_an_end(following: array[int]) -> int | None:
    """Returns a state from which these steps lead to no end, None if there is none."""
    unknown, open_, ending = 0, 1, 2
    marks = bytearray(len(following))
    for begin in range(len(following)):
        number, way = begin, []
        while marks[number] == unknown:
            if following[number] == number:
                marks[number] = ending
                break
            marks[number] = open_
            way.append(number)
            number = following[number]
        if marks[number] == open_:
            return begin
        for each in way:
            marks[each] = ending
    return None


# -- Handlers and table -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class World:
    """Deliveries of one booking on their way into the table.

    Attributes:
        copies: each as often as it is on its way.
        erase_at: the time, in milliseconds, at which an operator may erase the booking, once; None for never.
        batches: whether a handler may also get two messages at once.
    """

    name: str
    copies: tuple[Copy, ...]
    erase_at: int | None = None
    batches: bool = False

    @property
    def distinct(self) -> list[Copy]:
        return list(dict.fromkeys(self.copies))

    @property
    def events(self) -> int:
        return len({reading_of(copy.body).order for copy in self.copies})


def explore_handlers(world: World, universe: Universe, told: Told = lambda *_: None) -> Explored:
    """Explores several handlers at once on the copies of a world.

    A state is the number of the row in the table, then the positions of all processes, sorted.
    """
    moves, advance = universe.moves, universe.advance
    bag = [universe.waiting(copy) for copy in world.copies]
    if world.erase_at is not None:
        bag.append(universe.waiting_eraser())

    def steps(state: State) -> list[tuple[str, State]]:
        row, *bag = state
        following: list[tuple[str, State]] = []
        last = -1
        for place, position in enumerate(bag):
            if position == last:
                continue
            last = position
            rest = bag[:place] + bag[place + 1 :]
            for what, after, goes_to in moves(position, row):
                ahead = sorted([*rest, *goes_to]) if goes_to else rest
                following.append((what, (after, *ahead)))
        if bag:
            # Where nothing fails, whoever is furthest goes first.
            furthest = max(bag, key=advance)
            skipped = 0
            for position in dict.fromkeys(bag):
                if position == furthest:
                    break
                skipped += len(moves(position, row))
            following[0], following[skipped] = following[skipped], following[0]
        if world.batches:
            for one, other in set(itertools.permutations(bag, 2)):
                batch = universe.together(one, other)
                if batch is not None:
                    rest = list(bag)
                    rest.remove(one)
                    rest.remove(other)
                    following.append(("a handler gets two messages at once", (row, *sorted([*rest, batch]))))
        return following

    def at_end(state: State) -> None:
        check_end(world, universe, universe.rows[state[0]])

    return explore(
        world.name,
        (0, *sorted(bag)),
        steps,
        at_end,
        sizes=(world.events, len(world.copies)),
        told=told,
    )


def check_end(world: World, universe: Universe, row: Row) -> None:
    """Sees that the table is what all deliveries make, and that all of them again change nothing.

    A booking that was erased is what those of the newer deliveries make that came after the erasure; once all
    have come again, it is what all of the newer ones make. Newer is what is newer than the eraser's clock and
    than all that was erased.

    Raises:
        Violation: it is not.
    """
    bodies = [copy.body for copy in world.distinct]
    if row.erased_until is None:
        universe.check_row(row, bodies)
    elif row.is_booking:
        some = [body for body in bodies if reading_of(body).order in row.kept().values()]
        universe.check_row(row, some)
    for order in itertools.permutations(world.distinct):
        again = row.number
        for copy in order:
            again = universe.settled(again, universe.waiting(copy))
        if row.erased_until is None and again != row.number:
            raise Violation(f"delivered again, they change [{row}] to [{universe.rows[again]}]")
        if any(reading_of(body).time > (row.erased_until or 0) for body in bodies):
            universe.check_row(universe.rows[again], bodies)
        elif again != row.number:
            raise Violation(f"delivered again, they bring [{universe.rows[again]}] back")


# -- Announcer ----------------------------------------------------------------------------------------------

type Batch = tuple[int, Results] | None
"""The reader's work: how many records it has taken, the results of its calls; None between two batches."""

type Stream = tuple[tuple[int, ...], int, int, Batch]
"""The rows since the checkpoint; which changes are on the bus and which in the DLQ, as bits; the reader."""


def stream_steps(universe: Universe, stream: Stream) -> list[tuple[str, Stream]]:
    """Returns what may happen to the stream's reader, first what happens where nothing fails.

    Raises:
        Violation: it sends what it must not, or leaves behind what it must not.
    """
    path, published, set_aside, batch = stream
    following: list[tuple[str, Stream]] = []
    if batch is None:
        for records in range(len(path) - 1, 0, -1):
            following += _reader_goes_on(
                universe, f"the announcer takes {records} of the stream's records", stream, records, ()
            )
        return following
    records, results = batch
    call = universe.announcer(path[: records + 1], results)
    assert isinstance(call, Call)
    for what, result, sent, kept in _announcers_results(universe, call, path[: records + 1]):
        moved = (path, published | sent, set_aside | kept, batch)
        if result is None:
            following.append((what, (*moved[:3], None)))
        else:
            following += _reader_goes_on(universe, what, moved, records, (*results, result))
    return following


def _reader_goes_on(
    universe: Universe, what: str, stream: Stream, records: int, results: Results
) -> list[tuple[str, Stream]]:
    path, published, set_aside, _ = stream
    ahead = universe.announcer(path[: records + 1], results)
    if isinstance(ahead, Call):
        return [(what, (path, published, set_aside, (records, results)))]
    passed = records if ahead.failed_from is None else int(ahead.failed_from)
    for number, change in enumerate(itertools.pairwise(path[: passed + 1])):
        if universe.event_of[change] and not (published | set_aside) >> number & 1:
            before, after = (universe.rows[each] for each in change)
            raise Violation(f"the stream passes an event that is nowhere: [{before}] to [{after}] ({what})")
    after_it = (path[passed:], published >> passed, set_aside >> passed, None)
    return [(f"{what}; the stream goes on after {passed}", after_it)]


def _announcers_results(
    universe: Universe, call: Call, path: tuple[int, ...]
) -> Iterator[tuple[str, Any, int, int]]:
    """Yields what may come of the announcer's call: told as, result or None if it dies, sent, set aside."""
    changes = list(itertools.pairwise(path))
    alone = len(changes) == 1
    if call.operation == "PutEvents":
        expected = [universe.event_of[change] for change in changes]
        entries = call.arguments["Entries"]
        if any(entry not in expected for entry in entries):
            raise Violation(f"the announcer sends what no change announces: {entries}")
        records = [expected.index(entry) for entry in entries]
        if records != sorted(set(records)):
            raise Violation(f"the announcer sends out of order, or twice in one call: {records}")
        subsets = [
            sum(1 << record for record, taken in zip(records, takes, strict=True) if taken)
            for takes in itertools.product([True, False], repeat=len(records))
        ]
        for codes in itertools.product(["taken", "failed", "refused"], repeat=len(records)):
            taken = sum(1 << record for record, code in zip(records, codes, strict=True) if code == "taken")
            yield f"the bus answers {', '.join(codes)}", ("answered", codes), taken, 0
        for sent in subsets:
            yield f"the bus takes {sent:b} and does not answer", "lost", sent, 0
            yield f"the bus takes {sent:b}, and the announcer dies", None, sent, 0
            if alone:
                yield f"the bus takes {sent:b} and hangs up", "hung up", sent, 0
        if alone:
            yield "the bus refuses the call", "refused", 0, 0
    elif call.operation == "SendMessage" and call.arguments["QueueUrl"] == "dead-letters":
        told = json.loads(call.arguments["MessageBody"])
        ids = [
            number
            for number, change in enumerate(changes)
            if (event := universe.event_of[change])
            and told.get("event", {}).get("detail") == json.loads(event["Detail"])
        ]
        # Without the event, the message only names the booking, of which it may be any change.
        kept = sum(1 << number for number in ids) if ids else (1 << len(changes)) - 1
        yield "the DLQ takes it", "sent", 0, kept
        yield "the DLQ takes it, and the announcer dies", None, 0, kept
        yield "the DLQ takes it and does not answer", "lost", 0, kept
        yield "the DLQ gives no answer", "lost", 0, 0
        if alone:
            yield "the DLQ refuses it", "refused", 0, 0
        yield "the announcer dies", None, 0, 0
    else:
        raise Violation(f"the announcer makes a call that this world has not: {call}")


def _announcers_result(result: Any) -> Any:
    match result:
        case ("answered", codes):
            entry = {
                "taken": {"EventId": "1"},
                "failed": {"ErrorCode": "InternalFailure"},
                "refused": {"ErrorCode": "MalformedDetail"},
            }
            return {"Entries": [entry[code] for code in codes]}
        case "sent":
            return {}
        case "lost":
            return no_answer()
        case "hung up":
            return hung_up()
        case "refused":
            return refused()
    raise AssertionError(result)


def explore_announcer(name: str, universe: Universe, told: Told = lambda *_: None) -> Explored:
    """Explores the announcer over every path of changes that the universe's worlds have made so far."""
    onward: dict[int, list[int]] = {}
    for old, new in universe.changes:
        onward.setdefault(old, []).append(new)

    def steps(state: State) -> list[tuple[str, State]]:
        path, published, set_aside, batch = state
        following: list[tuple[str, State]] = list(stream_steps(universe, (path, published, set_aside, batch)))
        following += [
            (f"the stream gets [{universe.rows[new]}]", ((*path, new), published, set_aside, batch))
            for new in onward.get(path[-1], ())
        ]
        return following

    def at_end(state: State) -> None:
        assert len(state[0]) == 1

    return explore(name, ((0,), 0, 0, None), steps, at_end, sizes=(len(universe.changes), 0), told=told)


# -- Door ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one request at the door.

    Attributes:
        durable: how many copies a handler will get.
        answered: whether Zoom was told 200, and so sends it no more.
    """

    durable: int
    answered: bool


USUAL_ATTEMPTS = {Attempt(durable, answered) for durable in range(3) for answered in (False, True)} - {
    Attempt(0, answered=True)
}
"""What may become of a request that no service refuses; up to two copies. A test sees that it is so."""

# What a call may come to: told as, its result, how many seconds it takes, and whether it was carried out.
_SURE, _OPEN, _NOT = "carried out", "carried out or not", "not carried out"
_BUS_RESULTS: list[tuple[str, Any, float, str]] = [
    ("takes it", {"Entries": [{"EventId": "1"}]}, 0.0, _SURE),
    ("takes it, slowly", {"Entries": [{"EventId": "1"}]}, 0.79, _SURE),
    ("fails the entry", {"Entries": [{"ErrorCode": "InternalFailure"}]}, 0.0, _NOT),
    ("fails the entry, slowly", {"Entries": [{"ErrorCode": "ThrottlingException"}]}, 0.79, _NOT),
    ("refuses the entry", {"Entries": [{"ErrorCode": "MalformedDetail"}]}, 0.0, _NOT),
    ("throttles", throttled(), 0.0, _NOT),
    ("hangs", no_answer(), CALL_SECONDS, _OPEN),
    ("hangs up", hung_up(), 0.0, _OPEN),
    ("hangs up, slowly", hung_up(), 0.79, _OPEN),
]
_QUEUE_RESULTS: list[tuple[str, Any, float, str]] = [
    ("takes it", {}, 0.0, _SURE),
    ("takes it, slowly", {}, 0.79, _SURE),
    ("throttles", throttled(), 0.0, _NOT),
    ("throttles, slowly", throttled(), 0.79, _NOT),
    ("refuses it", refused(), 0.0, _NOT),
    ("hangs", no_answer(), CALL_SECONDS, _OPEN),
    ("hangs up", hung_up(), 0.0, _OPEN),
    ("hangs up, slowly", hung_up(), 0.79, _OPEN),
]


def explore_door(
    body: dict[str, Any],
    fan_out: FanOut,
    *,
    refusing: bool = True,
    at: datetime = NOW,
) -> tuple[Explored, set[Attempt]]:
    """Explores all that one request of Zoom may come to, and returns the different ends of it.

    Args:
        refusing: whether a service may refuse the delivery for itself.

    Raises:
        Violation: a 2xx before anything durable took the delivery, an answer other than 200 and 503, or none
            in time.
    """
    started = time.perf_counter()
    text = raw(body).decode()
    attempts: set[Attempt] = set()
    nodes = calls = ends = 0
    pending: list[list[tuple[str, Any, float, str, str]]] = [[]]
    while pending:
        way = pending.pop()
        nodes += 1
        told = [f"{service} {what}" for what, _, _, _, service in way]
        try:
            script = [(result, seconds) for _, result, seconds, _, _ in way]
            request = run_door(body, script, fan_out=fan_out, at=at)
            call, seconds = request.ahead, request.seconds
            carried_out = [(service, done) for *_, done, service in way]
            sure = [service for service, done in carried_out if done == _SURE]
            by_handlers = [done for service, done in carried_out if service != "the quarantine"]
            durable, maybe = by_handlers.count(_SURE), by_handlers.count(_OPEN)
            answered = False
            if isinstance(call, Answer):
                ends += 1
                answered = call.status == 200
                _check_answer(call, text, seconds, sure)
            else:
                service = _asked(call, body["event"], text)
                results = _BUS_RESULTS if service == "the bus" else _QUEUE_RESULTS
                some = [each for each in results if refusing or "refuses" not in each[0]]
                calls += len(some)
                pending += [[*way, (*each, service)] for each in some]
            # Where it makes a call, it may die instead: then this is what became of the request as well.
            attempts |= {Attempt(durable + more, answered) for more in range(maybe + 1)}
        except Violation as violation:
            raise Violation(f"door, {fan_out}: {violation}", told) from None
    name = f"door, {fan_out} first, {body['event'].rpartition('_')[2]}"
    return Explored(name, 1, 1, nodes, calls, ends, time.perf_counter() - started), attempts


def _check_answer(answer: Answer, text: str, seconds: float, sure: list[str]) -> None:
    if answer.status not in {200, 503}:
        raise Violation(f"Zoom is told {answer.status}")
    if seconds > MAX_ANSWER_SECONDS:
        raise Violation(f"Zoom is told after {seconds:.2f} s")
    if answer.status == 200 and not sure:
        raise Violation("Zoom is told 200, and nothing durable has the delivery for sure")
    if answer.status == 200 and answer.body != text:
        raise Violation("Zoom is told 200, but not the event as it was received")


def _asked(call: Call, event: str, text: str) -> str:
    """Returns which service the door asks, having seen that it gives it the whole delivery."""
    if call.operation == "PutEvents":
        (entry,) = call.arguments["Entries"]
        if (entry["Source"], entry["DetailType"], entry["Detail"]) != ("zoom.scheduler", event, text):
            raise Violation(f"the door publishes something else: {entry}")
        return "the bus"
    if call.operation == "SendMessage" and call.arguments["QueueUrl"] == event:
        if json.loads(call.arguments["MessageBody"])["detail"] != json.loads(text):
            raise Violation("the door sends something else")
        return "the queue"
    if call.operation == "SendMessage" and call.arguments["QueueUrl"] == "quarantine":
        return "the quarantine"
    raise Violation(f"the door makes a call that this world has not: {call}")


# -- From the door to the subscriber ------------------------------------------------------------------------


def explore_all(
    world: World,
    universe: Universe,
    attempts: set[Attempt],
    at_a_time: int,
    told: Told = lambda *_: None,
) -> Explored:
    """Explores a Zoom that sends until it is told 200, the handlers and the announcer together.

    Args:
        attempts: what may become of one request, see `explore_door`.
        at_a_time: of one event so many copies may be on their way at once; while they are, Zoom's further
            attempts wait. The one bound of this world.
    """
    copies = world.distinct
    waiting = [universe.waiting(copy) for copy in copies]
    moves, advance, processes = universe.moves, universe.advance, universe.processes
    in_order = sorted(attempts, key=lambda each: (not each.answered, each.durable))

    def of_zoom(state: State) -> list[tuple[str, State]]:
        *stream, bag, unanswered = state
        following: list[tuple[str, State]] = []
        for event in unanswered:
            on_their_way = sum(copies[event] in processes[position].copies for position in bag)
            for attempt in in_order:
                if on_their_way + attempt.durable > at_a_time:
                    continue
                told = "is told 200" if attempt.answered else "is not told 200"
                still = (
                    tuple(each for each in unanswered if each != event) if attempt.answered else unanswered
                )
                ahead = (*stream, tuple(sorted([*bag, *[waiting[event]] * attempt.durable])), still)
                what = f"Zoom sends {copies[event].name} and {told}: {attempt.durable} copies are durable"
                following.append((what, ahead))
        return following

    def of_handlers(state: State) -> list[tuple[str, State]]:
        path, published, set_aside, batch, bag, unanswered = state
        following: list[tuple[str, State]] = []
        for position in sorted(dict.fromkeys(bag), key=advance, reverse=True):
            place = bag.index(position)
            rest = bag[:place] + bag[place + 1 :]
            for what, after, goes_to in moves(position, path[-1]):
                ahead = tuple(sorted((*rest, *goes_to))) if goes_to else rest
                longer = path if after == path[-1] else (*path, after)
                following.append((what, (longer, published, set_aside, batch, ahead, unanswered)))
        return following

    def steps(state: State) -> list[tuple[str, State]]:
        path, published, set_aside, batch, *rest = state
        of_reader = [
            (what, (*ahead, *rest))
            for what, ahead in stream_steps(universe, (path, published, set_aside, batch))
        ]
        return of_handlers(state) + of_reader + of_zoom(state)

    def at_end(state: State) -> None:
        check_end(world, universe, universe.rows[state[0][-1]])

    initial = ((0,), 0, 0, None, (), tuple(range(len(copies))))
    sizes = (world.events, at_a_time * len(copies))
    return explore(world.name, initial, steps, at_end, sizes=sizes, told=told)


def _wrong_with_row(
    row: Row, expected: ExpectedBooking | None, request_ids: dict[str, set[str | None]]
) -> str | None:
    if expected is None:
        return None if not row.is_booking else "there must not be a booking"
    if not row.is_booking:
        return "there must be a booking"
    if row.kept() != expected.kept:
        return "kept are not the newest"
    fields = row.public() or {}
    request_id = fields.pop("request_id", None)
    if fields != expected.fields:
        names = sorted({*fields, *expected.fields})
        return f"differing in {[name for name in names if fields.get(name) != expected.fields.get(name)]}"
    if request_id not in request_ids[expected.newest[1]]:
        return "its request id is not one of its newest delivery"
    return None


def _holds(call: Call, item: dict[str, Any] | None) -> bool:
    """Returns whether a write's condition holds; knows the two that the product has, and that of none."""
    match call.arguments.get("ConditionExpression"):
        case None:
            return True
        case "attribute_not_exists(booking_id)":
            return item is None
        case "revision = :revision":
            wanted = call.arguments["ExpressionAttributeValues"][":revision"]
            return item is not None and item["revision"] == wanted
        case other:
            raise Violation(f"a condition that this table does not know: {other}")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.__bytes__() if isinstance(value, Binary) else value


# -- The worlds ---------------------------------------------------------------------------------------------


def booked(at: int, **changes: Any) -> Copy:
    """Returns a created; its body lacks some details that a canceled's may fill."""
    changes = {"summary": f"Booked at {at}", "guests": [], "invitee_last_name": ""} | changes
    return Copy(f"created@{at:+}ms", created(T + at, **changes))


def moved_here(at: int, **changes: Any) -> Copy:
    """Returns the new half of a move."""
    changes = {
        "summary": f"Moved here at {at}",
        "start_date_time": "2026-11-27T09:00:00Z",
        "end_date_time": "2026-11-27T09:30:00Z",
    } | changes
    return Copy(f"created by a move@{at:+}ms", created(T + at, rescheduled=True, **changes))


def called_off(at: int, **changes: Any) -> Copy:
    """Returns a canceled for good."""
    changes = {"cancellation": {"reason": f"Called off at {at}"}, "text_phone_number": "+1"} | changes
    return Copy(f"canceled@{at:+}ms", canceled(T + at, **changes))


def moved_away(at: int, **changes: Any) -> Copy:
    """Returns the old half of a move."""
    changes = {"cancellation": {"reason": f"Moved away at {at}"}, "guests": ["late@example.com"]} | changes
    return Copy(f"canceled by a move@{at:+}ms", canceled(T + at, rescheduled=True, **changes))


TIMES = (0, WINDOW, WINDOW + 1)
"""Equal, rising and falling; a millisecond apart, as far as two halves of a move may be, and further."""

POOL: tuple[Copy, ...] = (
    *(make(at) for make in (booked, moved_here, called_off, moved_away) for at in TIMES),
    # Another body of the same kind and time as one of the others: a tie.
    booked(0, summary="Booked at the same time"),
)

SMALL_POOL: tuple[Copy, ...] = (
    booked(0),
    booked(0, summary="Booked at the same time"),
    moved_here(WINDOW),
    called_off(WINDOW),
    moved_away(0),
    moved_away(2 * WINDOW + 1),
)


def another_attempt(copy: Copy) -> Copy:
    """Returns a copy that Zoom sent again, as an attempt with an id of its own."""
    return Copy(f"{copy.name}, sent again", copy.body, "request-2")


MADE, OFF, AWAY, HERE = booked(-HOUR), called_off(HOUR), moved_away(0), moved_here(SECOND)
"""Booked, then moved under the same id, then called off."""

WORLDS: tuple[World, ...] = (
    World("booked, canceled", (MADE, MADE, OFF, OFF)),
    World("canceled at the very time of the created", tuple(2 * [booked(0), called_off(0)])),
    World(
        "sent twice by Zoom, each attempt delivered twice",
        tuple(2 * [MADE, another_attempt(MADE), OFF, another_attempt(OFF)]),
    ),
    World("booked, moved under the same id", (MADE, MADE, AWAY, AWAY, HERE, HERE)),
    World("the old half of a move under its own id", (MADE, MADE, AWAY, AWAY)),
    World("the new half of a move under its own id", (HERE, HERE, HERE)),
    World("booked, moved, called off", (MADE, AWAY, HERE, OFF)),
    World("called off and moved away", (MADE, MADE, AWAY, AWAY, OFF, OFF)),
    World(
        "two of a kind, some of them in one batch",
        (MADE, POOL[0], OFF, OFF),
        batches=True,
    ),
    World(
        "booked, canceled, booked again, an erasure in between",
        (booked(0), called_off(SECOND), booked(3 * SECOND)),
        erase_at=T + 2 * SECOND,
    ),
    World(
        "an erasure at the very time of a canceled",
        (MADE, called_off(0), OFF, OFF),
        erase_at=T,
    ),
)


def explore_many(
    name: str, worlds: Sequence[World], told: Told = lambda *_: None, *, universe: Universe | None = None
) -> Explored:
    """Explores the handlers of many worlds, of one pool of deliveries, and returns their sizes together."""
    universe = universe or Universe(erase_at=worlds[0].erase_at)
    started = time.perf_counter()
    states = transitions = ends = 0
    for world in worlds:
        explored = explore_handlers(world, universe)
        states, transitions = states + explored.states, transitions + explored.transitions
        ends += explored.ends
        told(states, transitions)
    copies = max(len(world.copies) for world in worlds)
    events = max(world.events for world in worlds)
    return Explored(name, events, copies, states, transitions, ends, time.perf_counter() - started)


def every(
    pool: Sequence[Copy], events: int, *, times: int, erase_at: int | None = None, batches: bool = False
) -> list[World]:
    """Returns the worlds of every choice of so many events, each so many times on its way."""
    return [
        World(", ".join(copy.name for copy in some), tuple(times * list(some)), erase_at, batches)
        for some in itertools.combinations(pool, events)
    ]


def explorations() -> Iterator[tuple[str, Callable[[Told], Explored]]]:
    """Yields all there is to explore, with its name."""
    for fan_out in FanOut:
        for copy in (MADE, OFF):
            yield f"door, {fan_out} first", partial(_door, copy.body, fan_out)
    for world in WORLDS:
        universe = Universe(erase_at=world.erase_at)
        yield world.name, partial(explore_handlers, world, universe)
        yield f"  announcer: {world.name}", partial(_announcer, world, universe)
    for name, copies, at_a_time in (
        ("from the door on: booked, canceled", (MADE, OFF), 3),
        ("from the door on: both halves of a move", (AWAY, HERE), 2),
        ("from the door on: two bodies of one event time", (POOL[0], POOL[-1]), 2),
    ):
        yield name, partial(explore_all, World(name, copies), Universe(), USUAL_ATTEMPTS, at_a_time)
    for name, worlds in (
        ("every pair, three times each", every(POOL, 2, times=3)),
        ("every triple, twice each", every(POOL, 3, times=2)),
        ("every four, once each", every(POOL, 4, times=1)),
        ("every triple, in batches too", every(POOL, 3, times=1, batches=True)),
        ("every triple, erased at 0 ms", every(POOL, 3, times=1, erase_at=T)),
        ("every triple, erased at 60,000 ms", every(POOL, 3, times=1, erase_at=T + WINDOW)),
    ):
        yield name, partial(explore_many, name, worlds)


def _announcer(world: World, universe: Universe, told: Told) -> Explored:
    if not universe.changes:
        explore_handlers(world, universe)
    return explore_announcer(f"  announcer: {world.name}", universe, told)


def _door(body: dict[str, Any], fan_out: FanOut, _told: Told) -> Explored:
    return explore_door(body, fan_out)[0]


class _Progress:
    """Tells on stderr how far an exploration has come: each second on a terminal, else now and then."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._started = self._told = time.perf_counter()
        self._terminal = sys.stderr.isatty()

    def __call__(self, states: int, transitions: int) -> None:
        now = time.perf_counter()
        if now - self._told < (1 if self._terminal else 30):
            return
        self._told = now
        rate = transitions / (now - self._started)
        told = f"{self._name.strip()}: {states:,} states, {rate:,.0f} transitions a second"
        print(f"\r{told:99}" if self._terminal else told, end="" if self._terminal else "\n", file=sys.stderr)

    def end(self) -> None:
        if self._terminal:
            print(f"\r{'':99}\r", end="", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Explores, and returns the exit code: 1 once a rule is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.exhaustive", description=main.__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="only what has this in its name")
    only = parser.parse_args(arguments).only
    print(HEADING, flush=True)
    states = transitions = 0
    started = time.perf_counter()
    for name, exploration in explorations():
        if only not in name:
            continue
        progress = _Progress(name)
        try:
            explored = exploration(progress)
        except Violation as violation:
            progress.end()
            print(violation, flush=True)
            return 1
        progress.end()
        states, transitions = states + explored.states, transitions + explored.transitions
        print(explored, flush=True)
    seconds = time.perf_counter() - started
    print(f"{'all':{_NAME + 8}} {states:>10,} {transitions:>11,} {'':>7} {seconds:>7.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
