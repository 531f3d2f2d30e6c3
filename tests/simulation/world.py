"""One schedule: a history, its weather and its accidents, all drawn from a seed, and what must hold of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from bookings.aws.bus import EventBridgeBus
from bookings.counts import Count
from cli.announce import announcements_of, publish
from cli.erase import erase_booking
from cli.output import CommandError
from tests.aws.client import StrictClient
from tests.aws.events import matches
from tests.samples import SECRET
from tests.simulation.histories import START_MS, Expected, Webhook, draw_history
from tests.simulation.lambdas import EVENTS, WEBHOOK, Function, Surroundings, Tracer
from tests.simulation.mappings import Deliveries, QueueMapping, StreamMapping
from tests.simulation.oracle import Oracle, Violation, plain, public_fields
from tests.simulation.specification import booking_key
from tests.simulation.stack import CANCELED, CREATED, build_stack, function_settings
from tests.simulation.timeline import Timeline
from tests.simulation.weather import Weather, draw_weather
from tests.simulation.zoom import Answered, Zoom, quarantined_body

MAX_EVENTS = 20_000
"""Of the timeline, for one schedule; what takes more does not come to rest."""

ROUNDS = 4
"""Of an operator who looks after the DLQs and Zoom's delivery log."""

REPLAYED, REBUILT, OUTLIVED = 0.08, 0.03, 0.12
"""Shares of the schedules that go on after everything is done; each costs as much again."""

GRACE_SECONDS = 86_400.0
STALE_SECONDS = 60.0
"""How long a process may go on with a secret that has been replaced: the least time between two refreshes."""

LONG_AFTER = 5 * 365 * 86_400.0

_DLQS = ("BookingCreatedDLQ", "BookingCanceledDLQ")


class Accident(StrEnum):
    """What befalls a schedule beside the weather, and what an operator does about it."""

    ENDPOINT_DOWN = "the endpoint is down for a while"
    RULE_FORBIDDEN = "a rule may not send to its queue"
    DEPLOYED = "a deployment ends all processes"
    SECRET_STORED = "a new secret is stored"
    SECRET_REGENERATED = "Zoom signs with a new secret"
    FORGED = "somebody forges requests"
    ERASED = "an operator erases a booking"
    POISONED = "somebody puts into a queue what is no event"
    ANNOUNCED = "an operator announces the present state of the bookings"
    REDRIVEN = "an operator redrives a DLQ"
    RECOVERED = "an operator feeds a delivery from Zoom's delivery log"
    REQUEUED = "an operator replays the quarantine"
    REPLAYED = "everything is replayed"
    REBUILT = "the table is rebuilt from nothing"
    OUTLIVED = "the retention of all bookings passes"


@dataclass(frozen=True, slots=True)
class Report:
    """What a schedule was like.

    Attributes:
        deaths: processes that died in the middle.
        seconds: of virtual time.
        counts: of the product's own metrics.
        met: how often each trouble and each accident was.
    """

    webhooks: int
    answers: int
    writes: int
    announced: int
    deaths: int
    seconds: float
    counts: dict[Count, int]
    met: dict[str, int]


class Storyteller:
    """Writes what happens when, for a person to read."""

    def __init__(self, timeline: Timeline, write: Callable[[str], object]) -> None:
        self._timeline = timeline
        self._write = write

    def __call__(self, who: str, what: str) -> None:
        minutes, seconds = divmod(self._timeline.seconds, 60)
        hours, minutes = divmod(int(minutes), 60)
        self._write(f"+{hours:02d}:{minutes:02d}:{seconds:06.3f}  {who:20} {what}")


def run_schedule(seed: int, write: Callable[[str], object] | None = None) -> Report:
    """Runs the schedule of a seed and returns what it was like.

    Args:
        write: takes the lines of its story.

    Raises:
        Violation: an invariant does not hold.
    """
    random = Random(seed)  # noqa: S311 - chance that can be had again, no secret
    world = World(random, draw_history(random), draw_weather(random), write)
    report = world.run()
    world.take_apart()
    return report


class World:
    """The stack, Zoom and an operator in one schedule.

    Attributes:
        calm: no accident is drawn, and nothing is done again afterwards.
    """

    def __init__(
        self,
        random: Random,
        webhooks: list[Webhook],
        weather: Weather,
        write: Callable[[str], object] | None = None,
        *,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.random = random
        self.webhooks = webhooks
        self.weather = weather
        self.timeline = Timeline()
        self.trace: Tracer | None = Storyteller(self.timeline, write) if write else None
        self.stack = build_stack(self.timeline.now, SECRET)
        self.around = Surroundings(self.timeline, random, weather, self.stack, self.trace)
        self.around.applied = self._applied
        self.settings = {
            "FAN_OUT": random.choice(("EventBridge", "EventBridge", "SQS")),
            "SHARE_ACCESS_LINKS": random.choice(("false", "true")),
            "BOOKING_RETENTION_DAYS": random.choice(("0", "0", "0", "30")),
        } | dict(settings or {})
        self.oracle = Oracle(share_access_links=self.settings["SHARE_ACCESS_LINKS"] == "true")
        self.functions = {
            name: Function(self.around, name, self.stack.environment(name, **self.settings))
            for name in (WEBHOOK, CREATED, CANCELED, EVENTS)
        }
        self.zoom = Zoom(self.around, self.functions[WEBHOOK], SECRET, self._answered)
        self.rules = Deliveries(
            self.around,
            chance_of_twice=random.choice((0.0, 0.0, 0.02, 0.3)),
            chance_of_late=random.choice((0.0, 0.05, 0.3)),
        )
        self.rules.arrived = self._poke
        self.stack.events.deliver = self.rules.deliver
        again = random.choice((0.0, 0.0, 0.02, 0.2))
        self.mappings = {
            self.stack.queues[f"{name}Queue"]: QueueMapping(
                self.around,
                self.stack.queues[f"{name}Queue"],
                self.functions[name],
                function_settings(name),
                chance_of_again=again,
            )
            for name in (CREATED, CANCELED)
        }
        self.stream = StreamMapping(self.around, self.functions[EVENTS], function_settings(EVENTS))
        self.erased: dict[str, int] = {}
        self.poison: list[str] = []
        self.deleted: list[str] = []
        self.accidents: dict[str, int] = {}
        self.calm = False
        self._writes_at_replay = ("", 0)
        # When each secret that Zoom signed with began to be live here, and when it was replaced.
        self._stored_at = {SECRET: -inf}
        self._replaced_at: dict[str, float] = {}

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> Report:
        """Lets everything happen, then checks what is left.

        Raises:
            Violation: an invariant does not hold.
        """
        for webhook in self.webhooks:
            self.zoom.send(webhook)
        if not self.calm:
            self._accidents()
        self._rest(self.weather.ends_at)
        self._tell("weather", "the trouble is over")
        self.weather.clear()
        self.rules.forbidden.clear()
        self.zoom.endpoint_down = (0.0, 0.0)
        self._come_to_rest()
        self._check()
        if not self.calm:
            self._afterwards()
        return Report(
            webhooks=len(self.webhooks),
            answers=self.oracle.answers,
            writes=len(self.stack.dynamodb.stream(self.stack.table)),
            announced=len(self.oracle.announced),
            deaths=self.around.deaths,
            seconds=self.timeline.seconds,
            counts=self.around.counts,
            met={str(trouble): number for trouble, number in self.weather.met.items()} | self.accidents,
        )

    def take_apart(self) -> None:
        """Lets go of all that refers to each other, so that nobody has to look for circles afterwards."""
        for function in self.functions.values():
            function.take_apart()
        for part in (*self.mappings.values(), self.stream, self.rules, self.zoom, self.around, self.timeline):
            vars(part).clear()
        vars(self).clear()

    def _accidents(self) -> None:
        """Draws what befalls the schedule beside the weather."""
        random, after = self.random, self.timeline.after
        if random.random() < 0.1:
            start = random.random() * 3_600.0
            self._happens(Accident.ENDPOINT_DOWN)
            self.zoom.endpoint_down = (start, start + random.choice((10.0, 1_000.0, 20_000.0)))
        if random.random() < 0.15:
            self._rotate(random.random() * 3_600.0)
        if random.random() < 0.2:
            after(random.random() * 100.0, lambda: self._forge(random.choice((1, 5))))
        if random.random() < 0.1:
            self._happens(Accident.RULE_FORBIDDEN)
            self.rules.forbidden.add(random.choice(("BookingCreatedRule", "BookingCanceledRule")))
        if random.random() < 0.1:
            after(random.random() * random.choice((100.0, 20_000.0)), self._deploy)
        if random.random() < 0.12:
            after(random.random() * random.choice((60.0, 10_000.0)), self._erase)
        if random.random() < 0.05:
            after(random.random() * 60.0, lambda: self.put_poison(random.choice(tuple(self.mappings))))

    def _deploy(self) -> None:
        self._happens(Accident.DEPLOYED)
        for function in self.functions.values():
            function.restart()

    def _rotate(self, at: float) -> None:
        """Plans the change of the secret, here first or at Zoom first."""
        secret = f"another-secret-{self.random.getrandbits(32):08x}"

        def store() -> None:
            self._happens(Accident.SECRET_STORED)
            self._replaced_at[SECRET] = self._stored_at[secret] = self.timeline.seconds
            self.stack.secretsmanager.put_secret_value(self.stack.secret_arn, secret)

        def regenerate() -> None:
            self._happens(Accident.SECRET_REGENERATED)
            self.zoom.secret = secret

        self._stored_at[secret] = inf
        later = self.random.choice((STALE_SECONDS + 1, 600.0, 4_000.0, 80_000.0))
        first, second = (store, regenerate) if self.random.random() < 0.5 else (regenerate, store)
        self.timeline.after(at, first)
        self.timeline.after(at + later, second)

    def _secret_is_live(self, secret: str, at: float) -> bool:
        """Returns whether what is signed with a secret must not be refused."""
        replaced = self._replaced_at.get(secret, inf)
        return self._stored_at[secret] + STALE_SECONDS < at < replaced + GRACE_SECONDS

    def _forge(self, times: int) -> None:
        self._happens(Accident.FORGED)
        for number in range(times):
            forged = Webhook(b'{"event": "meeting.started"}', 0.0, f"forged-{number}", Expected.IGNORED)

            def then(answer: Answered) -> None:
                if answer.status is not None and answer.status < 400:
                    raise Violation("no refusal of what is authentic", "a forgery was accepted")

            self.zoom.post(forged, "a-forgers-own-secret", then)

    def _erase(self) -> None:
        keys = [booking_key(each.decoded) for each in self.webhooks if each.expected is Expected.RECORDED]
        if keys:
            self.erase(self.random.choice(keys))

    def erase(self, key: str) -> None:
        """Erases a booking as the operator's command does, if there is one by now."""
        now_ms = START_MS + int(self.timeline.seconds * 1000)
        if "erased_at" in self.stack.dynamodb.items(self.stack.table).get(key, {}):
            return
        operator = SimpleNamespace(
            dynamodb=lambda: StrictClient("dynamodb", self.stack.dynamodb),
            output=lambda _name: self.stack.table,
            errors_explained=lambda _what: _Nothing(),
            name="simulated",
        )
        try:
            tombstone = erase_booking(cast("Any", operator), key, now_ms=now_ms)
        except CommandError:
            return  # there is no such booking yet
        self._happens(Accident.ERASED)
        self.erased[key] = tombstone.erased_at
        self.stream.poke()

    def put_poison(self, url: str) -> None:
        self._happens(Accident.POISONED)
        self.poison.append(f"no event at all, {len(self.poison)}")
        self.stack.sqs.call("SendMessage", {"QueueUrl": url, "MessageBody": self.poison[-1]})
        self._poke(url)

    # ── what follows ─────────────────────────────────────────────────────────────────────────────────────

    def _applied(self, operation: str, parameters: Mapping[str, Any], answer: dict[str, Any]) -> None:
        if operation == "PutEvents":
            taken = zip(parameters["Entries"], answer["Entries"], strict=True)
            self.oracle.published(entry for entry, result in taken if "EventId" in result)
        elif operation == "SendMessage":
            self.oracle.queued(parameters["QueueUrl"], parameters["MessageBody"])
            self._poke(parameters["QueueUrl"])
        elif operation == "PutItem":
            self.stream.poke()
        elif operation == "ChangeMessageVisibilityBatch":
            self._poke(parameters["QueueUrl"])

    def _poke(self, url: str) -> None:
        if url in self.mappings:
            self.mappings[url].poke()

    def _answered(self, answer: Answered) -> None:
        live = self._secret_is_live(answer.secret, self.timeline.seconds)
        self.oracle.answered(answer, secret_is_live=live)

    def _happens(self, accident: Accident) -> None:
        self.accidents[accident] = self.accidents.get(accident, 0) + 1
        self._tell("world", accident)

    def _tell(self, who: str, what: str) -> None:
        if self.trace:
            self.trace(who, what)

    # ── rest ─────────────────────────────────────────────────────────────────────────────────────────────

    def _rest(self, until_seconds: float) -> None:
        if not self.timeline.run(until_seconds, MAX_EVENTS):
            raise Violation("comes to rest", f"not within {MAX_EVENTS} events")

    def _come_to_rest(self) -> None:
        """Lets everything end that ends by itself, then does what an operator does, until nothing is left."""
        for _ in range(ROUNDS):
            self._rest(inf)
            if not self._operate():
                break
        else:
            raise Violation("comes to rest", f"an operator has work after {ROUNDS} rounds")
        left = [name for name, url in self.stack.queues.items() if self.stack.sqs.messages(url)]
        left = [name for name in left if name != "QuarantineQueue"]
        if left or not self.stream.caught_up:
            raise Violation("no limbo", f"left: {', '.join(left) or 'the stream'}")

    def _operate(self) -> bool:
        """Redrives, feeds what Zoom gave up, announces what the stream gave up; returns if it had to."""
        busy = False
        for name in _DLQS:
            source, target = self.stack.queues[name], self.stack.queues[name.replace("DLQ", "Queue")]
            self._delete(source, lambda message: message["Body"] in self.poison)
            if self.stack.sqs.messages(source):
                self._happens(Accident.REDRIVEN)
                self.stack.sqs.move(source, target)
                self._poke(target)
                busy = True
        gave_up, self.zoom.gave_up = self.zoom.gave_up, []
        for webhook in gave_up:
            if webhook.expected is Expected.QUARANTINED and webhook.body in self.oracle.quarantined:
                continue
            self._happens(Accident.RECOVERED)
            # Not at once: a process may know a secret that was just stored a minute later only.
            self.zoom.send(replace(webhook, sent_at=STALE_SECONDS + 1))
            busy = True
        busy = self._replay_quarantine() or busy
        if self.stream.given_up and Accident.ANNOUNCED not in self.accidents and not busy:
            self._happens(Accident.ANNOUNCED)
            self._announce()
            busy = True
        return busy

    def _replay_quarantine(self) -> bool:
        """Sends again what waits for a booking, as long as the table has changed since the last time."""
        url = self.stack.queues["QuarantineQueue"]
        waiting = [
            json.loads(quarantined_body(message.body))
            for message in self.stack.sqs.messages(url)
            if waits_for_booking(message.body)
        ]
        writes = len(self.stack.dynamodb.stream(self.stack.table))
        if not waiting or self._writes_at_replay == (self.stack.table, writes):
            return False
        self._writes_at_replay = (self.stack.table, writes)
        self._happens(Accident.REQUEUED)
        self._delete(url, lambda message: waits_for_booking(message["Body"]))
        for webhook in self.webhooks:
            if webhook.expected is Expected.RECORDED and webhook.decoded in waiting:
                self.zoom.send(replace(webhook, sent_at=STALE_SECONDS + 1))
        return True

    def _delete(self, url: str, which: Callable[[Mapping[str, Any]], bool]) -> None:
        """Deletes messages of a DLQ, which an operator has looked at."""
        for _ in self.stack.sqs.messages(url):
            looked_at = self.stack.sqs.call(
                "ReceiveMessage", {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0}
            ).get("Messages", [])
            for message in filter(which, looked_at):
                self.deleted.append(message["Body"])
                handle = message["ReceiptHandle"]
                self.stack.sqs.call("DeleteMessage", {"QueueUrl": url, "ReceiptHandle": handle})

    def _announce(self) -> None:
        """Announces the present state of all bookings, as the operator's command does."""
        self._delete(self.stack.queues["BookingEventsDLQ"], lambda _message: True)
        client = _OperatorsClient("events", self.stack.events, self._applied)
        share = self.settings["SHARE_ACCESS_LINKS"] == "true"
        items = cast("Any", list(self._items().values()))
        bus = EventBridgeBus(client, self.stack.bus_arn)
        announced = publish(bus, list(announcements_of(items, None, share=share)))
        assert not announced.not_announced

    # ── judgement ────────────────────────────────────────────────────────────────────────────────────────

    def _items(self) -> dict[str, Any]:
        return dict(self.stack.dynamodb.items(self.stack.table))

    def _check(self) -> None:
        self.oracle.check_published(self.webhooks)
        self.oracle.check_table(self._items(), self.webhooks, self.erased)
        if not set(self.poison) <= set(self.deleted):
            raise Violation("no limbo", "a poison message is not in the DLQ")
        if self.stream.given_up:
            self.oracle.check_present_state(self._items())
        else:
            self.oracle.check_changes(self.stack.dynamodb.stream(self.stack.table))

    def _afterwards(self) -> None:
        """Does one of the things that cost as much again, or none of them."""
        chance = self.random.random()
        if chance < REPLAYED:
            self._replay()
        elif chance < REPLAYED + REBUILT:
            self._rebuild()
        elif chance < REPLAYED + REBUILT + OUTLIVED and self.settings["BOOKING_RETENTION_DAYS"] != "0":
            self._outlive()

    def _replay(self) -> None:
        """Delivers the whole history again, from the archive and from Zoom; nothing may come of it."""
        self._happens(Accident.REPLAYED)
        writes = len(self.stack.dynamodb.stream(self.stack.table))
        items, ids = self._items(), self.oracle.ids().keys()
        self._deliver_everything()
        self._come_to_rest()
        if len(self.stack.dynamodb.stream(self.stack.table)) != writes or self._items() != items:
            raise Violation("replay changes nothing", "the table was written")
        if self.oracle.ids().keys() != ids:
            raise Violation("replay changes nothing", "an event was announced")

    def _deliver_everything(self, *, by_zoom: bool = False) -> None:
        if by_zoom or self.random.random() < 0.5:
            again = [each for each in self.webhooks if each.expected is Expected.RECORDED]
            self.random.shuffle(again)
            for webhook in again:
                self.zoom.send(replace(webhook, sent_at=0.0))
            return
        archived = list(self.stack.events.accepted[self.stack.bus_arn])
        self.random.shuffle(archived)
        for event in archived:
            if event.fields["source"] == "zoom.scheduler":  # what the archive keeps
                for rule in self.stack.rules:
                    if matches(rule.pattern, event.fields):
                        self.rules.deliver(event, rule)

    def _rebuild(self) -> None:
        """Delivers the whole history into an empty table, in another order."""
        self._happens(Accident.REBUILT)
        before = self._items()
        known = self.oracle.ids()
        erased, self.erased = self.erased, {}
        self._empty_table()
        self.oracle.announced = []
        self._deliver_everything(by_zoom=True)
        self._come_to_rest()
        self.oracle.check_table(self._items(), self.webhooks, self.erased)
        for event_id, entry in self.oracle.ids().items():
            if event_id in known and not same_change(known[event_id], entry):
                raise Violation("rebuilt the same", f"id {event_id} meant another event")
        for key, item in self._items().items():
            if key not in erased and not same_item(before[key], item):
                raise Violation("rebuilt the same", f"{key} is another one")

    def _empty_table(self) -> None:
        self.stack.table = "RebuiltTable"
        self.stack.dynamodb.create_table(self.stack.table)
        for name, function in self.functions.items():
            function.restart()
            self.functions[name] = function
            function.settings["BOOKINGS_TABLE_NAME"] = self.stack.table
        self.stream.begin_anew()

    def _outlive(self) -> None:
        """Lets all bookings pass their retention; what comes again then must not bring one back."""
        self._happens(Accident.OUTLIVED)
        self._rest(self.timeline.seconds + LONG_AFTER)
        self.stack.dynamodb.expire(self.stack.table)
        self.stream.poke()
        self._come_to_rest()
        kept = {key: item for key, item in self._items().items() if "erased_at" not in item}
        if kept:
            raise Violation("not resurrected", f"{sorted(kept)} outlives its retention")
        ids = self.oracle.ids().keys()
        self._deliver_everything()
        self._come_to_rest()
        back = [key for key, item in self._items().items() if "erased_at" not in item]
        if back or self.oracle.ids().keys() != ids:
            raise Violation("not resurrected", f"{sorted(back)} came back")


class _OperatorsClient(StrictClient):
    """A client whose calls succeed, and are seen."""

    def __init__(
        self, name: str, service: Any, applied: Callable[[str, Mapping[str, Any], dict[str, Any]], None]
    ) -> None:
        super().__init__(name, service)
        self._applied = applied

    def _invoke(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        answer = super()._invoke(operation, parameters)
        self._applied(operation, parameters, answer)
        return answer


class _Nothing:
    """A block that does nothing."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_error: object) -> None: ...


def waits_for_booking(message: str) -> bool:
    """Returns whether a quarantine message is a cancel without an e-mail."""
    return bool(json.loads(message)["reason"] == "no_invitee_email")


def same_change(one: Any, other: Any) -> bool:
    """Returns whether two events tell the same change: all but which copy of a delivery they name."""
    return bool(one["DetailType"] == other["DetailType"]) and _less_request(one) == _less_request(other)


def _less_request(entry: Any) -> dict[str, Any]:
    detail: dict[str, Any] = json.loads(entry["Detail"])
    detail["booking"].pop("request_id", None)
    return detail


def same_item(one: Any, other: Any) -> bool:
    """Returns whether two items are the same booking, but for the number of writes and for copies."""
    return _essence(one) == _essence(other)


def _essence(item: Any) -> dict[str, Any]:
    values = public_fields(plain(item))
    values.pop("request_id", None)
    return values
