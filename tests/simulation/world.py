"""One schedule: a history, its trouble and its accidents, all drawn from a seed."""

import gc
import json
import traceback
from collections import Counter
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache, partial
from math import inf
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from greenlet import getcurrent

from bookings import batch
from bookings.aws.table import build_tombstone, parse_change
from bookings.counts import Count
from bookings.domain.booking import Booking, Tombstone
from bookings.envelope import Envelope
from bookings.use_cases import announce, live_secrets, publish, receive, record, verify
from bookings.zoom.delivery import to_delivery
from bookings.zoom.events import CANCELED, CREATED
from cli.announce import announcements_of
from tests.fakes import InMemoryHandlerQueues, InMemorySecret
from tests.receiving import PUBLISHED
from tests.samples import SECRET
from tests.simulation.adversary import DAY, HOUR, SECRET_SERVICE, Adversary, Timeline
from tests.simulation.oracle import Oracle, Violation, canonical
from tests.simulation.services import Bus, Function, Queue, Subscriber, Table
from tests.simulation.zoom import START_MS, Expected, Webhook, Zoom, draw_history, quarantined_body

MAX_EVENTS = 20_000  # of a schedule; one with more does not come to rest
ROUNDS = 4  # of an operator who looks after the DLQs, the quarantine and Zoom's delivery log
STALE_SECONDS = 60.0  # in which a process may use a replaced secret: the least time between two refreshes
RETENTION_DAYS, LONG_AFTER = 30, 5 * 365 * DAY
WORTH_A_REPLAY = {"not_published", "no_invitee_email"}
POISON = "no event at all"

_SILENT = SimpleNamespace(info=lambda *_, **__: None, error=lambda *_, **__: None)
_delivery = lru_cache(200)(lambda text, request_id: to_delivery(json.loads(text), request_id))


Accident = StrEnum(
    "Accident",
    "ENDPOINT_DOWN RULE_FORBIDDEN DEPLOYED SECRET_STORED SECRET_REGENERATED FORGED CAPTURED ERASED POISONED "
    "REDRIVEN QUARANTINE_REPLAYED RECOVERED ANNOUNCED EVERYTHING_REPLAYED REBUILT OUTLIVED",
)
"""The events of a schedule beside the trouble, an operator's work included."""


def run_schedule(seed: int, write: Any = None) -> "World":
    """Runs the schedule of a seed; `write` takes the lines of its timeline. Raises a Violation."""
    random = Random(seed)  # noqa: S311 - no secret
    world = World(random, draw_history(random), write)
    world.by_bus, world.share = random.random() < 0.7, random.random() < 0.5
    world.retention_days = random.choice((0, 0, 0, RETENTION_DAYS))
    world.adversary.draw()
    world.draw_accidents()
    # The real functions log, and read each delivery again however often it comes.
    with patch.object(batch, "logger", _SILENT), patch.object(record, "to_delivery", _read_once):
        world.run()
        world.go_on()
    return world


def _read_once(body: dict[str, Any], request_id: str | None) -> Any:
    return _delivery(json.dumps(body), request_id)


def run_chunk(first_seed: int, count: int) -> tuple[int, Counter[str], str | None]:
    """Returns how many schedules held, how often each event was, and the failure of the next schedule."""
    met: Counter[str] = Counter()
    gc.disable()
    for seed in range(first_seed, first_seed + count):
        try:
            world = run_schedule(seed)
        except Exception:  # noqa: BLE001 - whatever it is, the seed shows it again
            return seed - first_seed, met, f"{traceback.format_exc()}Its timeline: make simulate SEED={seed}"
        met += world.adversary.met + world.accidents + world.counts
    gc.collect()
    return count, met, None


class World:
    """The pipeline, Zoom and an operator in one schedule."""

    by_bus, share, retention_days = True, False, 0

    def __init__(self, random: Random, webhooks: list[Webhook], write: Any = None) -> None:
        self.random = random
        self.webhooks = webhooks
        self._write = write
        self.timeline = Timeline()
        self.adversary = adversary = Adversary(self.timeline, random, self.trace)
        self.counts: Counter[str] = Counter()
        self.accidents: Counter[str] = Counter()
        self._erased: dict[str, int] = {}
        # Of each secret that Zoom signs with: from when until when it must not be refused.
        self._live = {SECRET: (-inf, inf)}

        self.dlqs = {event: Queue(adversary) for event in (CREATED, CANCELED)}
        self.queues = {event: Queue(adversary, dlq) for event, dlq in self.dlqs.items()}
        self.quarantine, self.events_dlq = Queue(adversary), Queue(adversary)
        self.bus = Bus(adversary, self.queues, self.dlqs)
        self.secret = InMemorySecret(self.timeline, SECRET)
        self.secret.caller = partial(adversary.call, SECRET_SERVICE)
        self.oracle = Oracle(self.bus, self.queues.values(), self.quarantine)
        self.webhook = Function("webhook", adversary, 3.0, self._receiver)
        self.zoom = Zoom(adversary, self.webhook, SECRET, self._answered)
        self.events = Function("events", adversary, 30.0, self._announcer)
        self.functions = [self.webhook, self.events]
        for event, queue in self.queues.items():
            queue.function = Function(
                event.rpartition("_")[2], adversary, 10.0, partial(self._record_batch, queue)
            )
            self.functions.append(queue.function)
        self.table = Table(adversary, self.events)

    def _receiver(self) -> receive.Receiver:
        queues = InMemoryHandlerQueues(self.timeline)
        queues.queues = self.queues
        primary, fallback = (self.bus, queues) if self.by_bus else (queues, self.bus)
        secrets = live_secrets.LiveSecrets(self.secret, self.timeline, self._count)
        return receive.Receiver(
            verifier=verify.Verifier(secrets, 300, self.timeline),
            publisher=publish.Publisher(primary, fallback, count=self._count),
            handled_events=PUBLISHED,
            bus=self.bus,
            quarantine=self.quarantine,
            clock=self.timeline,
            count=self._count,
        )

    def _record_batch(self, queue: Queue) -> batch.RecordBatch:
        recorder = record.Recorder(
            store=self.table,
            quarantine=self.quarantine,
            retention_days=self.retention_days,
            clock=self.timeline,
            count=self._count,
        )
        return batch.RecordBatch(recorder=recorder, redelivery=queue, count=self._count)

    def _announcer(self) -> announce.Announcer:
        return announce.Announcer(
            bus=self.bus,
            dead_letters=self.events_dlq,
            parse_change=parse_change,
            share_access_links=self.share,
            count=self._count,
        )

    def _count(self, name: Count) -> None:
        self.counts[name] += 1
        self.trace("counts", name)

    def trace(self, *event: object) -> None:
        if self._write:
            at, process = timedelta(seconds=self.timeline.seconds), getattr(getcurrent(), "name", "")
            self._write(f"+{at!s:20} {process:28} {' '.join(map(str, event))}")

    def draw_accidents(self) -> None:
        """Plans the events beside the adversary's trouble."""
        rare = (self._take_down, self._forbid_rule, self._deploy, self._erase, self.put_poison)
        for accident in (*rare, self._rotate, self._forge, self._capture):
            if self.random.random() < (0.1 if accident in rare else 0.2):
                latest = self.random.choice((10.0, HOUR, 10_000.0))
                self.timeline.after(self.random.random() * latest, accident)

    def _happens(self, accident: Accident) -> None:
        self.accidents[accident] += 1
        self.trace("world", accident)

    def _take_down(self) -> None:
        """Lets the endpoint answer nothing for a while."""
        self._happens(Accident.ENDPOINT_DOWN)
        self.zoom.is_down = True
        up_again = partial(setattr, self.zoom, "is_down", False)
        self.timeline.after(self.random.choice((10.0, 1_000.0, 20_000.0)), up_again)

    def _forbid_rule(self) -> None:
        self._happens(Accident.RULE_FORBIDDEN)
        self.bus.forbidden.add(self.random.choice((CREATED, CANCELED)))

    def _deploy(self) -> None:
        self._happens(Accident.DEPLOYED)
        for function in self.functions:
            function.restart()

    def _rotate(self) -> None:
        """Changes the secret, here first or at Zoom first."""
        old, secret = self.zoom.secret, f"another-secret-{self.random.getrandbits(32):08x}"
        self._live[secret] = inf, inf

        def store() -> None:
            self._happens(Accident.SECRET_STORED)
            now = self.timeline.seconds
            self._live |= {secret: (now + STALE_SECONDS, inf), old: (-inf, now + DAY)}
            self.secret.store(secret)

        def regenerate() -> None:
            self._happens(Accident.SECRET_REGENERATED)
            self.zoom.secret = secret

        first, second = self.random.sample([store, regenerate], 2)
        first()
        self.timeline.after(self.random.choice((61.0, 600.0, 4_000.0, 80_000.0)), second)

    def _forge(self) -> None:
        self._happens(Accident.FORGED)
        forged = Webhook(b'{"event": "meeting.started"}', {}, 0.0, "forged", Expected.QUARANTINED)
        self.zoom.post(forged, "a-secret-of-a-forger")

    def _capture(self) -> None:
        """Sends a captured request again, within the window of its signature or outside."""
        self._happens(Accident.CAPTURED)
        webhook, age = self.random.choice(self.webhooks), self.random.choice((1.0, 250.0, 302.0, 5_000.0))
        self.zoom.post(webhook, self.zoom.secret, age=age)

    def _erase(self) -> None:
        """Erases a booking as the operator's command does, if there is one by now."""
        stored = self.table.present(self.random.choice(list(self.table.items) or [""]))
        if isinstance(stored, Booking):
            self._happens(Accident.ERASED)
            now_ms = START_MS + int(self.timeline.seconds * 1000)
            erased_at = max(now_ms, stored.newest.event_time, stored.erased_until or 0)
            key, revision = stored.booking_id, stored.revision + 1
            self._erased[key] = erased_at
            tombstone = Tombstone(booking_id=key, erased_at=erased_at, revision=revision)
            self.table.put(key, build_tombstone(tombstone))

    def put_poison(self) -> None:
        self._happens(Accident.POISONED)
        self.queues[CREATED].put(POISON)

    def _answered(self, webhook: Webhook, secret: str, *outcome: Any) -> None:
        since, until = self._live.get(secret, (inf, inf))
        answer, seconds, age = outcome
        self.oracle.answered(webhook, answer, since < self.timeline.seconds < until, seconds, age)

    def run(self) -> None:
        """Lets everything happen, then checks the end."""
        for webhook in self.webhooks:
            self.zoom.send(webhook)
        self._rest(self.adversary.ends_at)
        self.trace("world", "the trouble is over")
        self.adversary.clear()
        self.bus.forbidden.clear()
        self.zoom.is_down = False
        self._come_to_rest()
        self.oracle.check_published(self.webhooks)
        self.oracle.check_table(self.table.items, self.webhooks, self._erased)
        lossy = Accident.ANNOUNCED in self.accidents
        self.oracle.check_changes(self.table.stream, share=self.share, all_announced=not lossy)
        self.oracle.check_subscriber(self.table.items, share=self.share, exactly=lossy)

    def _rest(self, until_seconds: float) -> None:
        if not self.timeline.run(until_seconds, MAX_EVENTS):
            raise Violation("comes to rest", f"not within {MAX_EVENTS} events")

    def _come_to_rest(self) -> None:
        """Lets everything end, with an operator's help."""
        self._recover()
        self._replay_quarantine()
        self._recover()
        self._announce()
        self._rest(inf)
        if any(queue.present for queue in (*self.queues.values(), *self.dlqs.values())):
            raise Violation("no limbo", "a message is left in a queue or a DLQ")
        if self.dlqs[CREATED].messages.count(POISON) < self.accidents[Accident.POISONED]:
            raise Violation("no limbo", "a poison message is not in the DLQ")
        if self.table.announced < len(self.table.stream):
            raise Violation("no limbo", "a change is left in the stream")

    def _recover(self) -> None:
        """Redrives the DLQs and sends the deliveries that Zoom gave up, until there are none."""
        for _ in range(ROUNDS):
            self._rest(inf)
            before = self.accidents.total()
            for event, dlq in self.dlqs.items():
                for body in dlq.take_all():
                    if body != POISON:
                        self._happens(Accident.REDRIVEN)
                        self.queues[event].put(body)
            gave_up, self.zoom.gave_up = self.zoom.gave_up, []
            for webhook in gave_up:
                unusable = webhook.expected is Expected.QUARANTINED
                if not unusable or webhook.body not in self.oracle.quarantined:
                    self._send_again(webhook, Accident.RECOVERED)
            if self.accidents.total() == before:
                return
        raise Violation("comes to rest", f"an operator has work after {ROUNDS} rounds")

    def _replay_quarantine(self) -> None:
        """Sends again what may be usable by now."""
        messages = [json.loads(message) for message in self.quarantine.take_all()]
        bodies = {quarantined_body(each) for each in messages if each["reason"] in WORTH_A_REPLAY}
        for webhook in self.webhooks if bodies else ():
            if webhook.body in bodies or canonical(webhook) in bodies:
                self._send_again(webhook, Accident.QUARANTINE_REPLAYED)

    def _send_again(self, webhook: Webhook, accident: Accident) -> None:
        self._happens(accident)
        # A process may know a new secret only a minute later.
        self.zoom.send(webhook._replace(sent_at=STALE_SECONDS + 1))

    def _announce(self) -> None:
        """Announces the present state of all bookings, as the command does, if an event was lost."""
        if self.events_dlq.take_all() or self.table.gave_up:
            self._happens(Accident.ANNOUNCED)
            self.table.gave_up = False
            items: Any = list(self.table.items.values())
            for announcement in announcements_of(items, None, share=self.share):
                self.bus.deliver(announcement.envelope)

    def go_on(self) -> None:
        """Replays, rebuilds or outlives everything in some schedules; each costs as much again."""
        after = (self._replay, self._rebuild, self._outlive, lambda: None)
        self.random.choices(after, (8, 3, 12 if self.retention_days else 0, 77))[0]()

    def _deliver_everything(self, *, by_zoom: bool) -> None:
        """Delivers the whole history again, from Zoom or from the archive, in another order."""
        if by_zoom:
            again = [each for each in self.webhooks if each.expected is Expected.RECORDED]
            for webhook in self.random.sample(again, len(again)):
                self.zoom.send(webhook._replace(sent_at=0.0))
        else:
            archive = [each for each in self.bus.published if each.source == "zoom.scheduler"]
            for envelope in self.random.sample(archive, len(archive)):
                self.bus.deliver(envelope)
        self._come_to_rest()

    def _replay(self) -> None:
        """Delivers everything again. Nothing may come of it."""
        self._happens(Accident.EVERYTHING_REPLAYED)
        writes, items, ids = len(self.table.stream), dict(self.table.items), self.oracle.ids.keys()
        self._deliver_everything(by_zoom=self.random.random() < 0.5)
        if len(self.table.stream) != writes or self.table.items != items:
            raise Violation("replay changes nothing", "the table was written")
        if self.oracle.ids.keys() != ids:
            raise Violation("replay changes nothing", "an event was announced")

    def _rebuild(self) -> None:
        """Delivers everything into an empty table."""
        self._happens(Accident.REBUILT)
        known = self.oracle.ids
        self.table = Table(self.adversary, self.events)
        self._deploy()
        self.bus.published = [each for each in self.bus.published if each.source.startswith("zoom")]
        self.bus.subscriber = Subscriber()
        self._deliver_everything(by_zoom=True)
        self.oracle.check_table(self.table.items, self.webhooks, {})
        for event_id, envelope in self.oracle.ids.items():
            if _content(known.get(event_id, envelope)) != _content(envelope):
                raise Violation("rebuilt the same", f"id {event_id} meant another event")

    def _outlive(self) -> None:
        """Lets all bookings pass their retention, then delivers everything. None may come back."""
        self._happens(Accident.OUTLIVED)
        self._rest(self.timeline.seconds + LONG_AFTER)
        now, ids = self.timeline.now().timestamp(), self.oracle.ids.keys()
        for key, item in list(self.table.items.items()):
            if "expires_at" in item and int(item["expires_at"]["N"]) <= now:
                self.table.put(key, None)
        self._deliver_everything(by_zoom=self.random.random() < 0.5)
        left = [key for key, item in self.table.items.items() if "erased_at" not in item]
        if left or self.oracle.ids.keys() != ids:
            raise Violation("not resurrected", f"{sorted(left)} outlives its retention, or came back")


def _content(envelope: Envelope) -> Any:
    """Returns an event without the request id, which differs between copies of a delivery."""
    detail = json.loads(envelope.detail)
    return envelope.detail_type, detail | {"booking": detail["booking"] | {"request_id": None}}
