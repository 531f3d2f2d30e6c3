"""Every item that `record` can write is announced, whole, as its schema says."""

import base64
import json
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bookings.aws.table import build_item, parse_change
from bookings.domain.booking import Booking, merge
from bookings.domain.events import EventType, domain_event
from bookings.limits import INT64_MAX, INT64_MIN
from tests.properties.histories import BODIES
from tests.samples import canceled, created, delivery

SCHEMAS = Path(__file__).parents[2] / "docs/schemas"
VALIDATORS = {
    name: Draft202012Validator(json.loads((SCHEMAS / f"{name}.detail.json").read_text(encoding="utf-8")))
    for name in EventType
}

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["https://zoom.us/j/9", "Hall 2, a.example/map", " "]
)
NUMBERS = st.integers(INT64_MIN, INT64_MAX) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OPEN = st.dictionaries(TEXTS | st.sampled_from(["kind", "joinUrl", "host_pin"]), VALUES, max_size=3)


def with_known(known: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Returns objects with some of the fields that Zoom documents, and with others."""
    return st.builds(lambda more, some: more | some, OPEN, st.fixed_dictionaries({}, optional=known))


MAYBE_TEXTS = st.none() | TEXTS
UTM = {f"utm_{name}": MAYBE_TEXTS for name in ("source", "medium", "campaign", "content", "term")}
POSITIONS = st.integers(INT64_MIN, INT64_MAX) | st.sampled_from([0.0, 2.0])
WILD_BODIES = st.builds(
    lambda make, changes, of_payload: make(**changes, **of_payload),
    st.sampled_from([created, canceled]),
    st.fixed_dictionaries(
        {},
        optional={
            "location": OPEN,
            "external_location": OPEN,
            "location_kind": MAYBE_TEXTS,
            "payment": VALUES,
            "tracking": with_known(UTM | {"salesforce_ids": st.lists(st.none() | OPEN, max_size=2)}),
            "cancellation": with_known(
                dict.fromkeys(("canceled_by", "canceler_type", "cancel_at", "reason"), MAYBE_TEXTS)
            ),
            "attendees": st.lists(
                with_known({"display_name": MAYBE_TEXTS, "email": MAYBE_TEXTS}), max_size=2
            ),
            "questions_and_answers": st.lists(
                st.builds(
                    lambda more, question, position, answer: (
                        more | {"question": question, "position": position, "answer": answer}
                    ),
                    *(OPEN, TEXTS, POSITIONS, MAYBE_TEXTS | st.lists(MAYBE_TEXTS, max_size=2)),
                ),
                max_size=2,
            ),
            "guests": st.lists(MAYBE_TEXTS, max_size=2),
            "summary": MAYBE_TEXTS,
            "invitee_email": MAYBE_TEXTS,
            "text_phone_number": MAYBE_TEXTS,
            "rescheduled": st.none() | st.booleans(),
            "start_date_time": st.sampled_from(
                ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59+00:00", "never", ""]
            ),
            "manage_url": MAYBE_TEXTS,
        },
    ),
    st.fixed_dictionaries({}, optional={"account_id": MAYBE_TEXTS, "user_id": MAYBE_TEXTS}),
)
"""Bodies that the webhook takes, with all that Zoom leaves open."""


def image(booking: Booking) -> dict[str, Any]:
    """Returns the booking's item as the stream shows it to Lambda."""
    item = build_item(booking, expires_at=1_800_000_000)
    shown: dict[str, Any] = json.loads(json.dumps(item, default=lambda body: base64.b64encode(body).decode()))
    return shown


@pytest.mark.parametrize("share", [True, False])
@given(before=st.none() | WILD_BODIES, history=st.lists(BODIES | WILD_BODIES, min_size=1, max_size=2))
def test_every_item_is_announced(
    share: bool, before: dict[str, Any] | None, history: list[dict[str, Any]]
) -> None:
    booking: Booking | None = reduce(merge, map(delivery, history), None)
    assert booking
    images = {"NewImage": image(booking)}
    if before:
        images["OldImage"] = image(merge(None, delivery(before)))
    change = parse_change({"dynamodb": images})
    assert change.after
    event = domain_event(change.before, change.after, share_access_links=share)
    assert event or before
    if event:
        detail = json.loads(event.detail)
        assert list(VALIDATORS[EventType(event.detail_type)].iter_errors(detail)) == []
        assert not share or detail["booking"] == change.after.fields
        assert event.detail == json.dumps(detail, ensure_ascii=False, sort_keys=True)
