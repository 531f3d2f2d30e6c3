"""What must hold in every schedule, told by what the services and Zoom saw, and the specification."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.simulation.histories import Expected, Webhook
from tests.simulation.specification import (
    ExpectedBooking,
    booking_key,
    expected_state,
    reading_of,
    shared_fields,
    wrong_with_event,
)
from tests.simulation.zoom import Answered, quarantined_body

ANSWER_SECONDS = 2.5
REFRESH_SECONDS = 60.0
OK, NO_CONTENT, BAD_REQUEST, UNAUTHORIZED = 200, 204, 400, 401

_NOT_PUBLIC = {"zoom_events", "revision", "expires_at", "erased_until"}


class Violation(AssertionError):
    """An invariant does not hold.

    Attributes:
        invariant: its name, as `INVARIANTS` has it.
    """

    def __init__(self, invariant: str, detail: str) -> None:
        assert invariant in INVARIANTS, invariant
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant


INVARIANTS = {
    "answered in time": "every answer leaves within 2.5 s",
    "durable when answered": "what was answered 2xx was durable at that moment",
    "no refusal of what is authentic": "only a delivery that is kept in quarantine is ever answered 4xx",
    "quarantined whole": "what can't be used lies in quarantine byte for byte",
    "table equals the fold": "the table holds what the specification makes of the accepted deliveries",
    "no limbo": "no delivery is left in a queue, a DLQ or nowhere",
    "no lost update": "each write replaces what stood there, and no kept maximum goes back",
    "one event a change": "each change of state has one event, of the right type and content, and no more",
    "identical re-emissions": "events of one id are the same to the letter",
    "published unchanged": "what is on the bus is what Zoom sent",
    "comes to rest": "once the trouble is over, everything is done in bounded time",
    "replay changes nothing": "the whole history again writes nothing and announces nothing new",
    "rebuilt the same": "the history in an empty table makes the same bookings; no id means another event",
    "not resurrected": "what was deleted does not come back by an old delivery",
}


class Oracle:
    """Sees what was answered and what became durable, and judges what is left at the end."""

    def __init__(self, *, share_access_links: bool) -> None:
        self._share = share_access_links
        self.durable: set[str] = set()
        self.sent: list[tuple[str, str]] = []
        self.quarantined: list[bytes] = []
        self.announced: list[Mapping[str, Any]] = []
        self.answers = 0

    # ── while it runs ────────────────────────────────────────────────────────────────────────────────────

    def published(self, entries: Iterable[Mapping[str, Any]]) -> None:
        for entry in entries:
            if entry["Source"].startswith("zoom.scheduler"):
                self.durable.add(entry["Detail"])
            else:
                self.announced.append(entry)

    def queued(self, url: str, message: str) -> None:
        self.sent.append((url, message))
        if url.endswith("QuarantineQueue"):
            self.quarantined.append(quarantined_body(message))

    def answered(self, answer: Answered, *, secret_is_live: bool) -> None:
        """Judges an answer at the moment it is given."""
        self.answers += 1
        webhook, status = answer.webhook, answer.status
        if answer.seconds is not None and answer.seconds > ANSWER_SECONDS:
            raise Violation("answered in time", f"{answer.seconds:.3f} s")
        if status in (None, 500, 503):
            return
        if status == UNAUTHORIZED:
            if secret_is_live:
                raise Violation("no refusal of what is authentic", f"401 to {webhook.request_id}")
            return
        body = webhook.body
        wanted = {
            Expected.RECORDED: OK,
            Expected.QUARANTINED: BAD_REQUEST,
            Expected.PUBLISHED: OK,
            Expected.IGNORED: NO_CONTENT,
        }[webhook.expected]
        if status != wanted:
            raise Violation("no refusal of what is authentic", f"{status} to {webhook.request_id}")
        if webhook.expected is Expected.QUARANTINED and body not in self.quarantined:
            raise Violation("quarantined whole", f"{webhook.request_id} is not there")
        if status == OK:
            if not self.is_durable(body):
                raise Violation("durable when answered", f"{webhook.request_id} is nowhere")
            if answer.body != body.decode():
                raise Violation("durable when answered", "the answer is not the event")

    def is_durable(self, body: bytes) -> bool:
        """Returns whether a body is on the bus, in a handler's queue or in quarantine."""
        text = body.decode()
        return (
            text in self.durable
            or body in self.quarantined
            or any(text in message for _, message in self.sent)
        )

    # ── at the end ───────────────────────────────────────────────────────────────────────────────────────

    def check_published(self, webhooks: Iterable[Webhook]) -> None:
        sent = {webhook.body.decode() for webhook in webhooks}
        for detail in self.durable:
            if detail not in sent:
                raise Violation("published unchanged", "the bus has what Zoom never sent")
        for webhook in webhooks:
            if webhook.expected is Expected.PUBLISHED and not self.is_durable(webhook.body):
                raise Violation("no limbo", "an unknown event is not on the bus")

    def check_table(
        self, items: Mapping[str, Mapping[str, Any]], webhooks: Iterable[Webhook], erased: Mapping[str, int]
    ) -> None:
        """Compares the table with the specification's."""
        expected = expected_table(webhooks, erased)
        extra = items.keys() - expected.keys() - erased.keys()
        missing = {key for key, booking in expected.items() if booking} - items.keys()
        if extra or missing:
            raise Violation("table equals the fold", f"too many: {sorted(extra)}, missing: {sorted(missing)}")
        for key, item in items.items():
            self._check_item(key, plain(item), expected.get(key))

    def _check_item(self, key: str, item: dict[str, Any], expected: ExpectedBooking | None) -> None:
        if expected is None or "status" not in item:
            if "status" in item:
                raise Violation("not resurrected", f"{key} was erased")
            if expected:
                raise Violation("table equals the fold", f"{key} is erased, and was booked again")
            return
        kept = kept_of(item)
        if kept != expected.kept:
            raise Violation("table equals the fold", f"{key} keeps {kept}, not {expected.kept}")
        fields = public_fields(item)
        fields.pop("request_id", None)
        fields |= {name: expected.fields[name] for name in ("host_user_id",) if name in expected.fields}
        names = fields.keys() | expected.fields.keys()
        wrong = [name for name in sorted(names) if fields.get(name) != expected.fields.get(name)]
        if wrong:
            raise Violation("table equals the fold", f"{key} differs in {', '.join(wrong)}")

    def check_changes(self, stream: list[dict[str, Any]], *, announced_all: bool = True) -> None:
        """Checks every write by itself, and that each was announced as it must be and nothing else was."""
        events = self._events_by_change()
        images: dict[str, Mapping[str, Any] | None] = {}
        items: dict[str, dict[str, Any]] = {}
        for record in stream:
            change = record["dynamodb"]
            key = change["Keys"]["booking_id"]["S"]
            if change.get("OldImage") != images.get(key):
                raise Violation("no lost update", f"{key}: the stream skips a write")
            before = items.pop(key, None)
            images[key] = change.get("NewImage")
            if "NewImage" not in change:
                continue
            after = items[key] = plain(change["NewImage"])
            _check_write(key, before, after)
            was, now = self._seen(before), self._seen(after)
            found = events.pop((key, after["revision"]), None)
            detail = json.loads(found["Detail"]) if found else None
            wrong = wrong_with_event(
                found["DetailType"] if found else None, detail, was, now, revision=after["revision"]
            )
            if wrong and (announced_all or found):
                raise Violation("one event a change", f"{key} revision {after['revision']}: {wrong}")
        if events:
            raise Violation("one event a change", f"nothing changed for {sorted(events)}")

    def check_present_state(self, items: Mapping[str, Mapping[str, Any]]) -> None:
        """Checks that the newest event of each booking tells its present state, whatever was lost before."""
        newest: dict[str, Mapping[str, Any]] = {}
        for entry in self.announced:
            detail = json.loads(entry["Detail"])
            known = newest.setdefault(detail["metadata"]["booking_id"], detail)
            if detail["metadata"]["revision"] > known["metadata"]["revision"]:
                newest[detail["metadata"]["booking_id"]] = detail
        for key, item in items.items():
            now = self._seen(plain(item))
            if now and (key not in newest or newest[key]["booking"] != now):
                raise Violation("one event a change", f"the newest event of {key} is not its present state")

    def _seen(self, item: dict[str, Any] | None) -> dict[str, Any] | None:
        if item is None or "status" not in item:
            return None
        return shared_fields(public_fields(item), share_access_links=self._share)

    def _events_by_change(self) -> dict[tuple[str, int], Mapping[str, Any]]:
        by_id: dict[str, Mapping[str, Any]] = {}
        by_change: dict[tuple[str, int], Mapping[str, Any]] = {}
        for entry in self.announced:
            metadata = json.loads(entry["Detail"])["metadata"]
            known = by_id.setdefault(metadata["id"], entry)
            if known is not entry and _letters(known) != _letters(entry):
                raise Violation("identical re-emissions", f"two events of id {metadata['id']}")
            change = metadata["booking_id"], metadata["revision"]
            if by_change.setdefault(change, known) is not known:
                raise Violation("one event a change", f"two events of {change}")
        return by_change

    def ids(self) -> dict[str, Mapping[str, Any]]:
        """Returns the announced events by their ids."""
        return {json.loads(entry["Detail"])["metadata"]["id"]: entry for entry in self.announced}


def expected_table(
    webhooks: Iterable[Webhook], erased: Mapping[str, int]
) -> dict[str, ExpectedBooking | None]:
    """Returns what the deliveries must have made; None for a booking of which only its erasure is left."""
    bodies: dict[str, list[Any]] = {}
    for webhook in webhooks:
        if webhook.expected is Expected.RECORDED:
            body = webhook.decoded
            bodies.setdefault(booking_key(body), []).append(reading_of(body))
    return {key: expected_state(each, erased_until=erased.get(key)) for key, each in bodies.items()}


def _check_write(key: str, before: dict[str, Any] | None, after: dict[str, Any]) -> None:
    if after["revision"] != (before["revision"] if before else 0) + 1:
        raise Violation("no lost update", f"{key}: revision {after['revision']} is not the next one")
    if before and "status" in before and "status" in after:
        kept = kept_of(after)
        for kind, order in kept_of(before).items():
            if kept.get(kind, (0, "")) < order:
                raise Violation("no lost update", f"{key}: {kind} goes back")


def _letters(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return entry["Source"], entry["DetailType"], entry["Detail"], tuple(entry["Resources"])


def kept_of(item: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """Returns the order of each event that an item keeps."""
    return {kind: (each["event_time"], each["digest"]) for kind, each in item["zoom_events"].items()}


def public_fields(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in _NOT_PUBLIC}


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an item or an image as plain values; a binary one as it stands, bytes or base64."""
    return {name: _plain(value) for name, value in item.items()}


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "S" | "BOOL" | "B":
            return content
        case "N":
            return float(content) if "." in content or "E" in content else int(content)
        case "M":
            return {name: _plain(each) for name, each in content.items()}
        case "L":
            return [_plain(each) for each in content]
    raise AssertionError(f"an item of ours has no {kind}")
