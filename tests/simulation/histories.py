"""What happens on a booking page, as the webhooks that Zoom makes of it: drawn from a schedule's seed."""

import json
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from random import Random
from typing import Any

from tests.samples import canceled, created, sample
from tests.simulation.timeline import START

START_MS = int(START.timestamp() * 1000)

_SLOTS = (
    "2026-12-01T16:00:00Z",
    "2026-12-02T09:30:00+01:00",
    "2026-12-03T07:15:00.500Z",
    "2026-12-04 09:00:00",  # local time
    "2026-W50-1",  # not to be read
    "",
)
_ANSWERED = [{"question": "Topic?", "position": 0, "answer": ["Prices"]}]
_NEAR_MISSES = [
    {"question": "Topic?", "position": 0, "answer": "Prices"},
    None,
    {"question": "?", "position": 1},
]
_PLACES: tuple[dict[str, Any], ...] = (
    {
        "location": {
            "location_type": "in-person_meeting",
            "custom_location": "Hill Rd (https://maps.example/x) 9",
        }
    },
    {"location": {"additional_info": "ring at no.2/back door"}, "location_kind": ""},
    {
        "external_location": {
            "kind": "google_meet",
            "pin": "1",
            "meeting_description": "PIN: 1",
            "phone": "+1",
        }
    },
    {"location": [], "external_location": None},
)


class Expected(Enum):
    """What must become of a webhook."""

    RECORDED = auto()
    QUARANTINED = auto()
    PUBLISHED = auto()  # and that is all: nothing of ours handles it
    IGNORED = auto()  # another product's


@dataclass(frozen=True, slots=True)
class Webhook:
    """One event as Zoom sends it.

    Attributes:
        sent_at: virtual seconds.
        request_id: stable over the retries of this delivery.
    """

    body: bytes
    sent_at: float
    request_id: str
    expected: Expected

    @property
    def decoded(self) -> dict[str, Any]:
        """Is the same object each time; nobody changes it."""
        return _decoded(self.body)


@lru_cache(maxsize=500)
def _decoded(body: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(body)
    return value


def draw_history(random: Random) -> list[Webhook]:
    """Returns the webhooks of a schedule: one or two bookings, and now and then something else."""
    webhooks: list[Webhook] = []
    for number in range(random.choice((1, 1, 1, 1, 1, 2))):
        for body, at in _booking(random, f"evt-{number}"):
            webhooks.extend(_sent(random, body, at, Expected.RECORDED))
    if random.random() < 0.06:
        webhooks.extend(_something_else(random))
    return webhooks


def _booking(random: Random, event_id: str) -> list[tuple[dict[str, Any], float]]:
    """Returns the bodies of one booking's life, with when Zoom sends each first."""
    now = random.random() * 60.0
    bodies: list[tuple[dict[str, Any], float]] = []
    current = event_id
    large = random.random() < 0.004  # an item may not hold two such bodies
    check = random.random() < 0.05
    if check:
        current = f"bookings-check-{event_id}"
    email = random.choice(("", None, " ")) if random.random() < 0.1 else "ann@example.com"
    for step in range(random.choice((1, 1, 1, 1, 2, 2, 3))):
        action = "book" if step == 0 else random.choice(("cancel", "move", "move to", "book", "rise"))
        at = START_MS + int(now * 1000)
        match action:
            case "book":
                bodies.append((_created(random, at, current, large=large), now))
            case "cancel":
                bodies.append((_canceled(random, at, current, large=large), now))
            case "move" | "move to":
                rise = random.choice((0, 0, 1, -1, 30_000, 60_000, -60_000, 60_001))
                target = current if action == "move" else f"{current}-{step}"
                bodies.append((_canceled(random, at, current, large=large, rescheduled=True), now))
                bodies.append(
                    (
                        _created(random, max(START_MS, at + rise), target, large=large, rescheduled=True),
                        now + 0.5,
                    )
                )
                current = target
            case _:  # the same moment says two things
                bodies.append((_created(random, bodies[-1][0]["event_ts"], current, large=large), now))
        now += random.choice((0.0, 0.001, 1.0, 30.0, 59.0, 61.0, 600.0, 5_000.0))
    for body, _ in bodies:
        body["payload"]["object"]["invitee_email"] = email
    if random.random() < 0.05:
        random.choice(bodies)[0]["payload"]["object"].pop("invitee_email")
    return bodies


def _created(
    random: Random, at: int, event_id: str, *, large: bool, rescheduled: bool = False
) -> dict[str, Any]:
    return created(at, event_id=event_id, rescheduled=rescheduled, **_details(random, large=large))


def _canceled(
    random: Random, at: int, event_id: str, *, large: bool, rescheduled: bool = False
) -> dict[str, Any]:
    return canceled(at, event_id=event_id, rescheduled=rescheduled, **_details(random, large=large))


def _details(random: Random, *, large: bool) -> dict[str, Any]:
    """Returns fields that differ from the sample's: missing, empty, unknown, large."""
    chance = random.random()
    slot = random.choice(_SLOTS)
    details: dict[str, Any] = {
        "start_date_time": slot,
        "questions_and_answers": random.choice(([], _ANSWERED, _ANSWERED, _NEAR_MISSES)),
    }
    if chance > 0.8:
        details |= random.choice(_PLACES) | {"guests": ["guest@example.com", None]}
    if chance < 0.3:
        details["summary"] = random.choice(("", None, "Tour 🚲", "First meeting"))
    if chance < 0.15:
        details |= {"text_phone_number": "+1 83798773", "guests": [], "payment": {"amount": 12.50, "n": 1.0}}
    if large:
        details["questions_and_answers"] = [
            {"question": _noise(random, 8192), "position": 0, "answer": [_noise(random, 1024)]}
            for _ in range(6)
        ]
    if random.random() < 0.1:
        details["user_id"] = ""
    return details


def _noise(random: Random, length: int) -> str:
    """Returns characters of four bytes that don't compress."""
    return "".join(chr(0x10000 + random.getrandbits(19)) for _ in range(length))


def _sent(random: Random, body: dict[str, Any], at: float, expected: Expected) -> list[Webhook]:
    """Returns the deliveries of one body: one, or one for each of two subscriptions."""
    late = random.choice((0.0, 0.0, 0.1, 5.0, 900.0, 20_000.0))
    deliveries = [Webhook(_written(random, body), at + random.random() * late, _request_id(random), expected)]
    while random.random() < 0.1:
        deliveries.append(
            Webhook(_written(random, body), at + random.random() * late, _request_id(random), expected)
        )
    return deliveries


def _written(random: Random, body: dict[str, Any]) -> bytes:
    """Returns the body as bytes, in one of the ways to write the same JSON."""
    chance = random.random()
    if chance < 0.7:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    if chance < 0.85:
        return json.dumps(body, sort_keys=True).encode()
    return json.dumps(dict(reversed(body.items())), indent=1).encode()


def _request_id(random: Random) -> str:
    return f"request-{random.getrandbits(40):010x}"


def _something_else(random: Random) -> list[Webhook]:
    at = random.random() * 3_600.0
    now = START_MS + int(at * 1000)
    lacking = created(now)
    lacking["payload"]["object"]["scheduled_event"]["event_id"] = " "
    body, expected = random.choice(
        (
            (b'{"event": "scheduler.scheduled_event_created", "event_ts": 1', Expected.QUARANTINED),
            (json.dumps(lacking).encode(), Expected.QUARANTINED),
            (json.dumps(created(now + 20 * 86_400_000)).encode(), Expected.QUARANTINED),
            (json.dumps(created("soon")).encode(), Expected.QUARANTINED),  # type: ignore[arg-type]  # on purpose
            (b'{"event": "scheduler.page_renamed", "payload": {"name": 1.50}}', Expected.PUBLISHED),
            (
                json.dumps(
                    sample("scheduler.scheduled_event_created") | {"event": "meeting.started"}
                ).encode(),
                Expected.IGNORED,
            ),
        )
    )
    return [Webhook(body, at, _request_id(random), expected)]
