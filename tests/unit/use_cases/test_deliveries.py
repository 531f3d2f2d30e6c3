"""Whole deliveries over the use cases: receive, record, announce. With the cases from public reports."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bookings.aws.table import build_item
from bookings.counts import Count
from bookings.domain.booking import Booking, Snapshot, merge
from bookings.domain.events import domain_event
from bookings.envelope import Envelope
from bookings.use_cases.record import Recorder
from tests.fakes import DENIED, HANGS, InMemoryBookingStore
from tests.receiving import ReceiverUnderTest
from tests.samples import MORNING_MS, canceled, created, delivery, raw, signed

T = MORNING_MS
MINUTE_MS = 60_000


class Pipeline:
    """The use cases in a row, on fakes."""

    def __init__(self) -> None:
        self.webhook = ReceiverUnderTest().warm()
        self.store = InMemoryBookingStore()
        self.recorder = Recorder(
            store=self.store,
            quarantine=self.webhook.quarantine,
            retention_days=0,
            clock=self.webhook.clock,
            count=self.webhook.counts,
        )
        self.events: list[Envelope] = []
        self._announced: dict[str, Snapshot] = {}

    def post(self, *bodies: dict[str, Any] | bytes) -> list[Count]:
        """Sends deliveries, each signed now, and returns the outcome of each."""
        outcomes = []
        for body in bodies:
            assert self.webhook.post(body).status == 200
            outcomes += self.record()
        return outcomes

    def record(self) -> list[Count]:
        """Records the events on the bus and the messages in the queues."""
        messages = [
            envelope.to_message(account="1", region="x", time=self.webhook.clock.now())
            for envelope in self.webhook.bus.published
        ]
        self.webhook.bus.published.clear()
        for queue in self.webhook.queues.queues.values():
            messages += queue.messages
            queue.messages.clear()
        return [self._record(message) for message in messages]

    def _record(self, message: str) -> Count:
        writes = self.store.writes
        recorded = self.recorder.record(message)
        if self.store.writes > writes:
            booking = self.store.items[recorded.booking_id]
            assert isinstance(booking, Booking)
            self._announce(booking)
        return recorded.outcome

    def _announce(self, booking: Booking) -> None:
        digests = {kind: event.digest for kind, event in booking.deliveries.items()}
        after = Snapshot(booking.public_fields(), booking.revision, digests)
        event = domain_event(self._announced.get(booking.booking_id), after, share_access_links=False)
        self._announced[booking.booking_id] = after
        self.events += [event] if event else []

    @property
    def bookings(self) -> list[dict[str, Any]]:
        return [item.public_fields() for item in self.store.items.values() if isinstance(item, Booking)]

    @property
    def event_types(self) -> list[str]:
        return [event.detail_type for event in self.events]


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One situation from a public report.

    Attributes:
        bookings: fields of each booking in the end, by its place. None for a field that is absent.
        events: type of each event, and what its detail has at some paths.
        quarantined: reasons.
    """

    posts: list[dict[str, Any]]
    bookings: list[dict[str, Any]]
    events: list[tuple[str, dict[str, Any]]]
    quarantined: list[str] = field(default_factory=list)
    counts: dict[Count, int] = field(default_factory=dict)


def at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def placed(**location: Any) -> dict[str, Any]:
    return {"location": location, "location_kind": None, "external_location": None}


STREET = "Harbour Cafe, 12 Harbour St (map: https://maps.example.com/?q=12+Harbour+St)"
HILL = "Hill Office, 99 Hill Rd (map: https://maps.example.com/?q=99+Hill+Rd)"
FEES = {"fee": 49.9, "seats": 100, "latitude": 60.39299, "huge": 1e50, "tiny": 1e-150}
ANSWER_NULL = {"question": "Company?", "position": 1, "answer": None}
ANSWER_TEXT = {"question": "Company?", "position": 1, "answer": "Acme"}
DIAL_IN = {"kind": "google_meet", "phone": "+1", "pin": "44", "meeting_description": "PIN: 44. Passcode: 42"}
NEW_SLOT: dict[str, Any] = {"start_date_time": "2026-12-08T15:00:00Z", "end_date_time": None}
NEW_YORK = {"time_zone": "America/New_York", "start_date_time": "2026-12-07T09:00:00"}
UNREADABLE = {"2026-12-07T24:00:00Z", "1796634000000", "2026-12-07", "2026-W50-1"}

CASES = {
    "01 moved, then lost for good": Case(
        posts=[created(T), canceled(T + MINUTE_MS, rescheduled=True), canceled(T + 9 * MINUTE_MS)],
        bookings=[{"status": "canceled", "rescheduled": False}],
        events=[
            ("BookingCreated", {"booking.rescheduled": False}),
            ("BookingCanceled", {"booking.rescheduled": True}),
            ("BookingCanceled", {"booking.rescheduled": False, "previous.rescheduled": True}),
        ],
    ),
    "02 guests removed while moving": Case(
        posts=[
            created(T, text_phone_number="+47"),
            canceled(T + MINUTE_MS, rescheduled=True, text_phone_number="+47"),
            created(T + MINUTE_MS, rescheduled=True, guests=[], start_date_time="2026-12-08T09:00:00Z"),
        ],
        bookings=[{"status": "confirmed", "guests": None, "invitee.phone": None}],
        events=[
            ("BookingCreated", {"booking.invitee.phone": "+47"}),
            ("BookingCanceled", {}),
            ("BookingRescheduled", {"booking.guests": None, "booking.invitee.phone": None}),
        ],
    ),
    "03 a later created without answers": Case(
        posts=[
            created(T, text_phone_number="+47", tracking={"utm_source": "newsletter"}),
            created(T + MINUTE_MS, text_phone_number=None, tracking=None, questions_and_answers=None),
        ],
        bookings=[{"answers": None, "tracking": None, "invitee.phone": None}],
        events=[("BookingCreated", {}), ("BookingUpdated", {"booking.answers": None})],
    ),
    "05 emitted twice": Case(
        posts=[created(T, created=None), created(T + 1900, created=None)],
        bookings=[{"status": "confirmed", "created_at": None}],
        events=[("BookingCreated", {})],
    ),
    "09 a group canceled without an invitee": Case(
        posts=[created(T), created(T, invitee_email="ulf@x.org"), canceled(T + 9, invitee_email=None)],
        bookings=[{"status": "confirmed"}, {"status": "confirmed"}],
        events=[("BookingCreated", {}), ("BookingCreated", {})],
        quarantined=["no_invitee_email"],
        counts={Count.QUARANTINED: 1},
    ),
    "11 an e-mail with a trailing space": Case(
        posts=[created(T, invitee_email="Ida@x.org "), canceled(T + 9, invitee_email="ida@x.org")],
        bookings=[{"status": "canceled"}],
        events=[("BookingCreated", {}), ("BookingCanceled", {})],
    ),
    "13 local time with a zone beside it": Case(
        posts=[created(T, **NEW_YORK)],
        bookings=[{"start": "2026-12-07T14:00:00Z"}],
        events=[("BookingCreated", {"booking.start": "2026-12-07T14:00:00Z"})],
    ),
    **{
        f"14 {text} as a time": Case(
            posts=[created(T, start_date_time=text)],
            bookings=[{"status": "confirmed", "start": None}],
            events=[("BookingCreated", {"booking.start": None})],
            counts={Count.TIME_UNREADABLE: 1},
        )
        for text in sorted(UNREADABLE)
    },
    "15 an older shape of a location": Case(
        posts=[created(T, **placed(location_type="in-person_meeting", custom_location="12 Harbour St"))],
        bookings=[{"location.kind": "in-person_meeting", "location.place.custom_location": "12 Harbour St"}],
        events=[("BookingCreated", {"booking.location.kind": "in-person_meeting"})],
    ),
    "16 an address with a map link": Case(
        posts=[
            created(T, **placed(custom_location=STREET, additional_info="ring at no.2/back door")),
            created(T + 9, **placed(custom_location=HILL, additional_info="ring at no.2/back door")),
        ],
        bookings=[{"location.place.custom_location": HILL}],
        events=[
            (
                "BookingCreated",
                {
                    "booking.location.place.custom_location": "Harbour Cafe, 12 Harbour St (map: )",
                    "booking.location.place.additional_info": "ring at no.2/back door",
                },
            ),
            (
                "BookingUpdated",
                {
                    "booking.location.place.custom_location": "Hill Office, 99 Hill Rd (map: )",
                    "previous.location.place.custom_location": "Harbour Cafe, 12 Harbour St (map: )",
                },
            ),
        ],
    ),
    "17 a dial-in PIN": Case(
        posts=[created(T, external_location=DIAL_IN)],
        bookings=[{"location.online_meeting": DIAL_IN}],
        events=[
            ("BookingCreated", {"booking.location.online_meeting": {"kind": "google_meet", "phone": "+1"}})
        ],
    ),
    "18 numbers in a location": Case(
        posts=[created(T, **placed(**FEES))],
        bookings=[{"location.place": FEES}],
        events=[("BookingCreated", {"booking.location.place": FEES})],
    ),
    "19 a null answer": Case(
        posts=[created(T, questions_and_answers=[ANSWER_NULL])],
        bookings=[{"answers": [{"question": "Company?", "position": 1}]}],
        events=[("BookingCreated", {})],
    ),
    "19 a null guest, canceled too": Case(
        posts=[created(T, guests=["a@x.org", None]), canceled(T + 9, guests=[None])],
        bookings=[{"status": "canceled", "guests": ["a@x.org"]}],
        events=[("BookingCreated", {}), ("BookingCanceled", {})],
    ),
    "19 an answer as text": Case(
        posts=[created(T, questions_and_answers=[ANSWER_TEXT])],
        bookings=[{"answers": [{"question": "Company?", "position": 1, "answer": ["Acme"]}]}],
        events=[("BookingCreated", {})],
    ),
    "24 paid later": Case(
        posts=[
            created(T, payment={"status": "pending", "amount": 49.9}),
            created(T + 9, payment={"status": "paid", "amount": 49.9}),
        ],
        bookings=[{"payment": {"status": "paid", "amount": 49.9}}],
        events=[("BookingCreated", {}), ("BookingUpdated", {"booking.payment.status": "paid"})],
    ),
    "32 the new half of a move has no end": Case(
        posts=[canceled(T, rescheduled=True), created(T, rescheduled=True, **NEW_SLOT)],
        bookings=[{"start": "2026-12-08T15:00:00Z", "end": None}],
        events=[("BookingCanceled", {}), ("BookingRescheduled", {"booking.end": None})],
    ),
    "33 a cancel without an e-mail": Case(
        posts=[created(T), canceled(T + 1000, invitee_email=None)],
        bookings=[{"status": "confirmed"}],
        events=[("BookingCreated", {})],
        quarantined=["no_invitee_email"],
    ),
}


# failure matrix: 55, 56, 57, 58
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_case_from_a_public_report(pipeline: Pipeline, case: Case) -> None:
    pipeline.post(*case.posts)
    for booking, fields in zip(pipeline.bookings, case.bookings, strict=True):
        assert {path: at(booking, path) for path in fields} == fields
    details = [json.loads(event.detail) for event in pipeline.events]
    assert pipeline.event_types == [event_type for event_type, _ in case.events]
    for detail, (_, fields) in zip(details, case.events, strict=True):
        assert {path: at(detail, path) for path in fields} == fields
    assert [message["reason"] for message in pipeline.webhook.quarantine.contents] == case.quarantined
    counts = pipeline.webhook.counts.all
    assert {name: counts[name] for name in case.counts} == case.counts


def test_numbers_that_no_decimal_holds_are_stored_as_text() -> None:
    booking = merge(None, delivery(created(T, **placed(**FEES))))
    place = build_item(booking, None)["location"]["M"]["place"]["M"]
    assert (place["huge"], place["tiny"], place["fee"]) == ({"S": "1e+50"}, {"S": "1e-150"}, {"N": "49.9"})


# failure matrix: 1, 41
def test_a_captured_request_replayed_changes_nothing(pipeline: Pipeline) -> None:
    request = signed(raw(created()), pipeline.webhook.clock.now())
    assert [pipeline.webhook.receiver.receive(request).status for _ in range(3)] == [200] * 3
    assert pipeline.record() == [Count.BOOKING_WRITTEN, Count.DUPLICATE, Count.DUPLICATE]
    assert (pipeline.store.only.revision, pipeline.event_types) == (1, ["BookingCreated"])


# failure matrix: 2
@pytest.mark.parametrize(
    "again",
    [
        json.dumps(created(summary="Zoë"), sort_keys=True).encode(),
        json.dumps(created(summary="Zoë"), indent=3, ensure_ascii=False).encode(),
        json.dumps(created(summary="Zoë"), separators=(",", ":")).encode(),
        raw(created(summary="Zoë") | {"event_ts": float(T)}),
    ],
    ids=["sorted, in ASCII", "with white space", "without", "with a float"],
)
def test_an_event_re_serialised_is_a_duplicate(pipeline: Pipeline, again: bytes) -> None:
    assert pipeline.post(created(summary="Zoë"), again) == [Count.BOOKING_WRITTEN, Count.DUPLICATE]
    assert (pipeline.store.only.revision, pipeline.event_types) == (1, ["BookingCreated"])


# failure matrix: 3
def test_a_late_retry_is_merged_by_event_time(pipeline: Pipeline) -> None:
    late, newer = created(T, summary="Late"), created(T + 30 * MINUTE_MS, summary="Newer")
    pipeline.webhook.clock.advance(30 * 60)
    assert pipeline.post(newer) == [Count.BOOKING_WRITTEN]
    pipeline.webhook.clock.advance(55 * 60)
    assert pipeline.post(late, created(T, event_id="evt-2")) == [Count.SUPERSEDED, Count.BOOKING_WRITTEN]
    assert [(booking["title"], booking["updated_at"]) for booking in pipeline.bookings] == [
        ("Newer", "2026-11-22T10:30:00Z"),
        ("First meeting", "2026-11-22T10:00:00Z"),
    ]


# failure matrix: 9, 16
def test_a_delivery_in_bus_and_queue_is_one_booking(pipeline: Pipeline) -> None:
    pipeline.webhook.bus.trouble = replace(HANGS, took_it=True)
    assert pipeline.webhook.post(created()).status == 200
    assert pipeline.record() == [Count.BOOKING_WRITTEN, Count.DUPLICATE]
    assert (pipeline.store.only.revision, pipeline.event_types) == (1, ["BookingCreated"])


# failure matrix: 12
def test_bookings_reach_the_table_while_the_bus_is_down(pipeline: Pipeline) -> None:
    pipeline.webhook.bus.trouble = DENIED
    for hour in range(24):
        event_id, time = f"evt-{hour}", T + hour * 60 * MINUTE_MS
        posts = created(time, event_id=event_id), canceled(time + MINUTE_MS, event_id=event_id)
        assert pipeline.post(*posts) == [Count.BOOKING_WRITTEN] * 2
        pipeline.webhook.clock.advance(3600)
    assert [booking["status"] for booking in pipeline.bookings] == ["canceled"] * 24
