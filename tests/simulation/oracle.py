"""The invariants of every schedule, judged by the specification, Zoom's view and the services' contents."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from bookings.envelope import Envelope
from bookings.use_cases.answers import Answer
from tests.simulation import specification as spec
from tests.simulation.services import Bus, Item, Queue, Write
from tests.simulation.zoom import Expected, Webhook, quarantined_body

ANSWER_SECONDS, WINDOW_SECONDS = 2.5, 300
OK, BAD_REQUEST, UNAUTHORIZED, UNAVAILABLE = 200, 400, 401, 503

_NOT_PUBLIC = {"zoom_events", "revision", "expires_at", "erased_until"}
_deserialize = TypeDeserializer().deserialize


class Violation(AssertionError):
    """An invariant does not hold: its name, and the detail."""

    def __str__(self) -> str:
        return ": ".join(self.args)


class Oracle:
    """Judges each answer when it is given, and the services' contents at the end."""

    def __init__(self, bus: Bus, queues: Iterable[Queue], quarantine: Queue) -> None:
        self._bus = bus
        self._queues = tuple(queues)
        self._quarantine = quarantine

    @property
    def announced(self) -> list[Envelope]:
        """The domain events on the bus, without those that an operator announced."""
        return [each for each in self._bus.published if each.source.startswith("bookings")]

    @property
    def ids(self) -> dict[str, Envelope]:
        return {json.loads(each.detail)["metadata"]["id"]: each for each in self.announced}

    @property
    def quarantined(self) -> set[bytes]:
        return {quarantined_body(json.loads(message)) for message in self._quarantine.messages}

    def is_durable(self, body: bytes) -> bool:
        """Returns whether a body is on the bus, in a handler's queue or in quarantine."""
        in_queues = any(body.decode() in each for queue in self._queues for each in queue.messages)
        on_the_bus = any(body.decode() == envelope.detail for envelope in self._bus.published)
        return in_queues or on_the_bus or body in self.quarantined

    def answered(
        self, webhook: Webhook, answer: Answer | None, live: bool, seconds: float, age: float
    ) -> None:
        """Judges an answer, or a connection that ends without one, at the moment of it.

        Only a captured request's signature has an age.
        """
        status, in_window = answer and int(answer.status), age <= WINDOW_SECONDS
        if seconds > ANSWER_SECONDS:
            raise Violation("answered in time", f"{seconds:.3f} s")
        may_be_refused = status == UNAUTHORIZED and not (in_window and live)
        if answer is None or status == UNAVAILABLE or may_be_refused:
            return
        expected = OK if webhook.expected is Expected.PUBLISHED else int(webhook.expected)
        if status != expected or not in_window:
            raise Violation("no refusal of what is authentic", f"{status} to {webhook.request_id}")
        if status == BAD_REQUEST and webhook.body not in self.quarantined:
            raise Violation("quarantined whole", f"{webhook.request_id} is not there")
        if status == OK and not self.is_durable(webhook.body):
            raise Violation("durable when answered", f"{webhook.request_id} is nowhere")
        if status == OK and answer.body != webhook.body.decode():
            raise Violation("durable when answered", "the answer is not the event")

    def check_published(self, webhooks: Iterable[Webhook]) -> None:
        sent = {webhook.body for webhook in webhooks}
        deliveries = (each for each in self._bus.published if each.source.startswith("zoom.scheduler"))
        unknown = {each.detail.encode() for each in deliveries} - sent
        rewritten = self.quarantined - sent  # a handler writes the JSON of a body again
        if unknown or (rewritten and rewritten - set(map(canonical, webhooks))):
            raise Violation("published unchanged", "there is a body that Zoom never sent")
        for webhook in webhooks:
            if webhook.expected is Expected.PUBLISHED and not self.is_durable(webhook.body):
                raise Violation("no limbo", "an unknown event is lost")

    def check_table(
        self, items: Mapping[str, Item], webhooks: Iterable[Webhook], erased: Mapping[str, int]
    ) -> None:
        bodies: dict[str, list[Any]] = {}
        for content in (each.content for each in webhooks if each.expected is Expected.RECORDED):
            bodies.setdefault(spec.booking_key(content), []).append(content)
        for key in bodies.keys() | items.keys() | erased.keys():
            expected = spec.expected_state(bodies.get(key, ()), erased_until=erased.get(key, 0))
            item = plain(items[key]) if key in items else {}
            if key in erased and expected is None and "status" in item:
                raise Violation("not resurrected", f"{key} was erased")
            if wrong := _difference(item, expected):
                raise Violation("table equals the fold", f"{key} differs in {', '.join(wrong)}: {item}")

    def check_changes(self, stream: Iterable[Write], *, share: bool, all_announced: bool) -> None:
        """Checks every write by itself, and that its event is announced and no other."""
        events = self._events_by_change()
        bookings: dict[str, dict[str, Any]] = {}
        for _, key, _, new in stream:
            before, after = bookings.get(key, {}), plain(new or {})
            bookings[key] = after
            if new is None:
                continue
            revision = after["revision"]
            if revision != before.get("revision", 0) + 1:
                raise Violation("no lost update", f"{key}: revision {revision} is not the next one")
            newer = orders(after)
            if "status" in after and any(newer[kind] < order for kind, order in orders(before).items()):
                raise Violation("no lost update", f"{key}: an order goes back")
            found = events.pop((key, revision), None)
            if found or all_announced:
                event_type, detail = (found.detail_type, json.loads(found.detail)) if found else (None, None)
                was, now = _shown(before, share), _shown(after, share)
                wrong = spec.wrong_with_event(event_type, detail, was, now, revision=revision)
                if wrong:
                    raise Violation("one event a change", f"{key} revision {revision}: {wrong}")
        if events:
            raise Violation("one event a change", f"nothing changed for {sorted(events)}")

    def check_subscriber(self, items: Mapping[str, Item], *, share: bool, exactly: bool) -> None:
        """Checks that the newest event of each booking has its state, in all fields if `exactly`."""
        for key, item in items.items():
            if now := _shown(plain(item), share):
                seen = self._bus.subscriber.latest.get(key, {}).get("booking", {})
                canceled = now["status"] == "canceled" and not exactly
                names = {"status", "rescheduled"} if canceled else seen.keys() | now.keys()
                was, is_now = ({name: side[name] for name in names & side.keys()} for side in (seen, now))
                if spec.compared(was) != spec.compared(is_now) or (exactly and was != is_now):
                    raise Violation("subscribers agree", f"of {key} the newest event is {seen}")

    def _events_by_change(self) -> dict[tuple[str, int], Envelope]:
        by_id: dict[str, Envelope] = {}
        by_change: dict[tuple[str, int], Envelope] = {}
        for envelope in self.announced:
            metadata = json.loads(envelope.detail)["metadata"]
            if by_id.setdefault(metadata["id"], envelope) != envelope:
                raise Violation("identical re-emissions", f"two events of id {metadata['id']}")
            change = metadata["booking_id"], metadata["revision"]
            if by_change.setdefault(change, envelope) != envelope:
                raise Violation("one event a change", f"two events of {change}")
        return by_change


def _shown(item: dict[str, Any], share: bool) -> dict[str, Any] | None:
    return spec.shared_fields(public_fields(item), share_access_links=share) if "status" in item else None


def canonical(webhook: Webhook) -> bytes:
    """Returns a valid webhook's body as a handler writes it."""
    return spec.canonical_text(webhook.content).encode()


def _difference(item: dict[str, Any], expected: spec.ExpectedBooking | None) -> list[str]:
    """Returns the names in which an item, or none, is not the expected booking, or none."""
    if expected is None or "status" not in item:
        return ["being there"] if expected or "status" in item else []
    fields = public_fields(item)
    names = sorted((fields.keys() | expected.fields.keys()) - {"request_id"})
    differing = [name for name in names if fields.get(name) != expected.fields.get(name)]
    return differing if orders(item) == expected.orders else [*differing, "its deliveries"]


def orders(item: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """Returns event time and digest of each stored delivery."""
    stored = item.get("zoom_events", {})
    return {kind: (int(each["event_time"]), each["digest"]) for kind, each in stored.items()}


def public_fields(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in _NOT_PUBLIC}


def plain(item: Item) -> dict[str, Any]:
    return {name: _deserialize(value) for name, value in item.items()}
