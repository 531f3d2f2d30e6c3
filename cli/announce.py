"""`bookings announce`: puts the present state of bookings on the bus or into one queue, as events."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from bookings.aws.bus import EventBridgeBus
from bookings.aws.queues import SQSQueue
from bookings.aws.table import parse_change
from bookings.clock import utc_text
from bookings.domain.events import domain_event
from bookings.envelope import Envelope
from bookings.errors import RefusedByService, ServiceError
from bookings.use_cases.ports import EventBus
from cli.bookings_table import BookingIds, BookingsTable, erased
from cli.output import WrongCallError, console, print_json, printable, progress
from cli.since import TIMES, since_when
from cli.stack import JsonOption, Stack, StackOptions, YesOption, command

if TYPE_CHECKING:
    from cli.bookings_table import Item

_PASSES = 3
_EVENTS_A_PASS = 100

_pause = time.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A booking's state as an event."""

    booking_id: str
    envelope: Envelope = field(repr=False)


@dataclass(slots=True)
class Announced:
    """The outcome of the announcements.

    Attributes:
        not_announced: booking ids, each with the reason.
    """

    taken: int = 0
    not_announced: list[tuple[str, str]] = field(default_factory=list)


@command
def announce(
    where: StackOptions,
    booking_ids: BookingIds = None,
    everything: Annotated[bool, typer.Option("--all", help="Every booking in the table.")] = False,
    updated_since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"Bookings with an event of then or later: {TIMES}.")
    ] = None,
    to_queue: Annotated[
        str | None, typer.Option(metavar="URL", help="Only this queue of a subscriber, and not the bus.")
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Announce the present state of bookings to every subscriber, as events of the bus.

    For events that the stream gave up or a subscriber lost. A confirmed booking is announced as
    BookingCreated, a canceled one as BookingCanceled, with its present revision and without `previous`.
    Announced twice, it is the same event. Expired and erased bookings are left out. With --to-queue only
    the service behind that queue gets the events.

    Exit code 0 if the bus or the queue took each event, 1 if not, 2 for a wrong call.
    """
    if [bool(booking_ids), everything, updated_since is not None].count(True) != 1:
        raise WrongCallError("Say which: BOOKING_ID..., --all or --updated-since TIME.")
    begin = None if updated_since is None else since_when("--updated-since", updated_since)
    found = where.find()
    table = BookingsTable(found)
    share = found.parameter("ShareAccessLinks") == "true"
    with progress("Reading bookings …"):
        ids = dict.fromkeys(booking_ids or ())
        items = [_item_of_booking(table, each) for each in ids] if ids else table.items()
        announcements = list(announcements_of(items, begin, share=share))
    if len(announcements) > 1:
        whom = "one subscriber" if to_queue else "every subscriber"
        found.confirm(f"Announce {len(announcements)} bookings to {whom} of", yes=yes)
    with progress(f"Announcing {_many(len(announcements))} …"):
        bus: EventBus = OneQueue(found, to_queue) if to_queue else booking_bus(found)
        announced = publish(bus, announcements)
    if as_json:
        others = [{"booking_id": each, "reason": reason} for each, reason in announced.not_announced]
        print_json({"announced": announced.taken, "not_announced": others})
    else:
        _show(announced)
    if announced.not_announced:
        raise typer.Exit(1)


def publish(bus: EventBus, announcements: Sequence[Announcement]) -> Announced:
    """Publishes the events, those that the bus failed a few times; it stops at a bus that is down."""
    result = Announced()
    down = ""
    for some in batched(announcements, _EVENTS_A_PASS, strict=False):
        pending = [] if down else list(some)
        result.not_announced += [(each.booking_id, down) for each in some if down]
        for number in range(_PASSES):
            if not pending:
                break
            if number:
                _pause(number)
            failed: list[tuple[Announcement, str]] = []
            errors = bus.publish_all([each.envelope for each in pending])
            for each, error in zip(pending, errors, strict=True):
                if error is None:
                    result.taken += 1
                elif isinstance(error, RefusedByService):
                    result.not_announced.append((each.booking_id, str(error)))
                else:
                    failed.append((each, str(error)))
            pending = [each for each, _ in failed]
        if pending:
            result.not_announced += [(each.booking_id, reason) for each, reason in failed]
            down = failed[0][1]
    return result


def _item_of_booking(table: BookingsTable, booking_id: str) -> "Item":
    item = table.item(booking_id)
    if "erased_at" in item:
        raise erased(booking_id, int(item["erased_at"]["N"]))
    return item


def announcements_of(
    items: "Iterable[Item]", begin: datetime | None, *, share: bool
) -> Iterator[Announcement]:
    """Yields the event of each booking, as its first write would have announced it."""
    for item in items:
        # The item as the stream would show it had it just been made; a tombstone shows nothing.
        snapshot = parse_change({"dynamodb": {"NewImage": item}}).after
        if snapshot is None or (begin and str(snapshot.fields["updated_at"]) < utc_text(begin)):
            continue
        envelope = domain_event(None, snapshot, share_access_links=share)
        if envelope:
            yield Announcement(booking_id=snapshot.booking_id, envelope=envelope)


def booking_bus(stack: Stack) -> EventBridgeBus:
    return EventBridgeBus(stack.event_bridge(), stack.output("EventBusArn"))


class OneQueue:
    """Sends events to the queue of one subscriber, in the form that EventBridge gives them."""

    def __init__(self, stack: Stack, url: str) -> None:
        # arn:aws:events:region:account:event-bus/name
        self._region, self._account = stack.output("EventBusArn").split(":")[3:5]
        self._queue = SQSQueue(stack.sqs(), url)

    def publish_all(self, envelopes: Sequence[Envelope]) -> list[ServiceError | None]:
        return [self._error(envelope) for envelope in envelopes]

    def _error(self, envelope: Envelope) -> ServiceError | None:
        now = datetime.now(UTC)
        try:
            self._queue.send(envelope.to_message(account=self._account, region=self._region, time=now))
        except ServiceError as error:
            return error
        return None


def _show(announced: Announced) -> None:
    out = console()
    for booking_id, reason in announced.not_announced:
        out.print(Text(printable(f"{booking_id}: not announced, {reason}"), style="bold red"), soft_wrap=True)
    said: Any = f"Announced {_many(announced.taken)}"
    if announced.not_announced:
        said += f", {len(announced.not_announced)} not: call this again, as it changes nothing to do so twice"
    out.print(Text(f"{said}."), soft_wrap=True)


def _many(number: int) -> str:
    return "1 booking" if number == 1 else f"{number} bookings"
