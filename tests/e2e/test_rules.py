"""Each ready rule of docs/subscribers.md matches its events and no others, by TestEventPattern."""

import json
import re
from typing import Any

import pytest

from bookings.domain.events import EventType
from cli.contract import SCHEMAS, SUBSCRIBERS
from tests.e2e.stack import Stack

SECTION = SUBSCRIBERS.read_text(encoding="utf-8").partition("\n## Rules\n")[2].partition("\n## ")[0]
RULES = dict(re.findall(r"\n([A-Z][^\n]*?)(?: \(.*\))?:\n\n```json\n(.*?)```", SECTION, re.DOTALL))
CREATED, MOVED, UPDATED, CANCELED = EventType
PLAIN, HALF = {"rescheduled": False}, {"rescheduled": True}
GOOGLE = "Google Calendar"
CALENDARS, TOPIC = "Which calendars do you use?", "What would you like to talk about?"


def answers(question: str, *texts: str) -> dict[str, Any]:
    other = {"question": TOPIC, "position": 1, "answer": [GOOGLE, "Outlook"]}
    return {"answers": [other, {"question": question, "position": 2, "answer": [*texts]}]}


def event(kind: str, booking: dict[str, Any], source: str = "bookings") -> str:
    """Returns the schema's example with some fields changed. None leaves a field out."""
    whole = json.loads((SCHEMAS / f"{kind}.event.json").read_text(encoding="utf-8"))["examples"][0]
    changed = whole["detail"]["booking"] | booking
    whole["detail"]["booking"] = {name: value for name, value in changed.items() if value is not None}
    return json.dumps(whole | {"source": source})


# The events that a rule matches, and those that it does not.
type Cases = list[tuple[str, dict[str, Any]]]
CASES: dict[str, tuple[Cases, Cases]] = {
    "New bookings, without the new halves of moves": (
        [(CREATED, PLAIN)],
        [(CREATED, HALF), (UPDATED, PLAIN)],
    ),
    "Cancellations that are not reschedules": (
        [(CANCELED, PLAIN)],
        [(CANCELED, HALF), (UPDATED, PLAIN)],
    ),
    "Cancellations by the invitee": (
        [(CANCELED, {"cancellation": {"canceler_type": "invitee"}})],
        [(CANCELED, {"cancellation": {"canceler_type": "host"}}), (CREATED, {})],
    ),
    "Moves, within a calendar event and to a new one": (
        [(MOVED, PLAIN), (MOVED, HALF), (CREATED, HALF), (CANCELED, HALF)],
        [(CREATED, PLAIN), (CANCELED, PLAIN), (UPDATED, HALF)],
    ),
    "Bookings of one host": ([(CREATED, {}), (CANCELED, {})], [(CREATED, {"host_user_id": "another"})]),
    "Bookings of one campaign": (
        [(CREATED, {"tracking": {"utm_source": "newsletter"}})],
        [(CREATED, {"tracking": {"utm_medium": "newsletter"}}), (CREATED, {"tracking": None})],
    ),
    "Zoom meetings only": (
        [(CREATED, {"location": {"kind": "zoom"}})],
        [(CREATED, {"location": {"kind": "google_meet"}}), (CREATED, {"location": None})],
    ),
    "Bookings whose title begins with these words, in any case": (
        [(CREATED, {"title": "Onboarding call"}), (CREATED, {"title": "ONBOARDING"})],
        [(CREATED, {"title": "Our onboarding"}), (CREATED, {"title": None})],
    ),
    "An answer to a question": (
        [(CREATED, answers(CALENDARS, GOOGLE)), (CREATED, answers(CALENDARS, "-", GOOGLE))],
        [(CREATED, answers(CALENDARS, "Outlook")), (CREATED, answers(TOPIC, GOOGLE))],
    ),
    "A guest of one domain": (
        [(CREATED, {"guests": ["a@b.example", "Jo@Example.com"]})],
        [(CREATED, {"guests": ["a@example.com.example"]}), (CREATED, {"guests": None})],
    ),
    "Paid bookings": (
        [(CREATED, {"payment": {"status": "paid"}})],
        [(CREATED, {"payment": {"amount": 5}}), (CREATED, {"payment": None})],
    ),
    "Bookings of a month, in UTC": (
        [(CREATED, {"start": "2026-11-30T23:59:00Z"})],
        [(CREATED, {"start": "2026-12-01T00:00:00Z"}), (CREATED, {"start": None})],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CASES.keys() | RULES.keys()))
def test_rule_matches_its_events_only(stack: Stack, name: str) -> None:
    matching, others = CASES[name]
    events = [event(*case) for case in (*matching, *others)] + [event(*matching[0], source="bookings.check")]
    client = stack.client("events")
    results = [client.test_event_pattern(EventPattern=RULES[name], Event=each)["Result"] for each in events]
    assert results == [True] * len(matching) + [False] * (len(others) + 1)
