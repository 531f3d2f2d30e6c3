"""The table's adapter against moto's DynamoDB: items, conditional writes, sizes, the stream."""

import base64
import dataclasses
import json
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ConnectionClosedError, HTTPClientError, ReadTimeoutError
from botocore.stub import Stubber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bookings.aws.table import (
    DynamoDBBookingStore,
    build_item,
    build_tombstone,
    item_size,
    parse_change,
    parse_item,
)
from bookings.clock import SystemClock
from bookings.counts import Count
from bookings.domain.booking import Booking, Kind, Status, Tombstone, event_time_text
from bookings.domain.events import Snapshot
from bookings.envelope import DELIVERIES, Envelope
from bookings.errors import RefusedByService, ServiceUnavailable
from bookings.limits import ITEM_BYTES
from bookings.use_cases.announce import Change
from bookings.use_cases.ports import BookingTooLarge, RevisionConflict
from bookings.use_cases.record import Recorder
from tests.adapters.deliveries import (
    EVENT_TS,
    ROOT,
    booking_of,
    form_at_its_limits,
    four_byte_text,
    sample,
    with_object,
)
from tests.adapters.handlers import Outage
from tests.aws import dynamodb
from tests.fakes import InMemoryQueue

# What a body may hold once the door has let it in.
_characters = st.characters(
    codec="utf-8", exclude_characters=[*map(chr, {*range(32)} - {9, 10, 13}), "\ufffe", "\uffff"]
)
_texts = st.text(_characters, max_size=20)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts
)
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=12,
)
_objects = st.dictionaries(_texts, _json, max_size=4)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Valid bodies of either event, with whatever Zoom may add to the open objects."""
    kind = draw(st.sampled_from(["created", "canceled"]))
    fields: dict[str, Any] = {
        "invitee_first_name": draw(st.none() | _texts),
        "rescheduled": draw(st.none() | st.booleans()),
        "questions_and_answers": draw(
            st.none()
            | st.lists(
                st.builds(
                    lambda question, position, answer, added: (
                        added | {"question": question, "position": position, "answer": answer}
                    ),
                    _texts,
                    st.integers(0, 10),
                    st.lists(_texts, max_size=2),
                    _objects,
                ),
                max_size=2,
            )
        ),
        "tracking": draw(st.none() | st.fixed_dictionaries({"utm_source": _texts})),
        "scheduled_event__location": draw(_objects),
        "scheduled_event__external_location": draw(_objects),
        "scheduled_event__summary": draw(st.none() | _texts),
        "scheduled_event__guests": draw(st.none() | st.lists(_texts, max_size=2)),
    }
    return with_object(sample(kind, event_ts=EVENT_TS + draw(st.integers(0, 10))), **fields)


def store(table_name: str) -> DynamoDBBookingStore:
    return DynamoDBBookingStore(boto3.client("dynamodb"), table_name)


def stored_item(table_name: str, booking: Booking) -> dict[str, Any]:
    answer = boto3.client("dynamodb").get_item(
        TableName=table_name, Key={"booking_id": {"S": booking.booking_id}}
    )
    return dict(answer["Item"])


def same(one: Booking, other: Booking) -> bool:
    """Compares all that is stored of two bookings, numbers by their value."""
    return all_values(build_item(one, None)) == all_values(build_item(other, None))


def all_values(item: dict[str, Any]) -> dict[str, Any]:
    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in item.items()}


def kept_bodies(item: dict[str, Any]) -> set[Kind]:
    return {Kind(kind) for kind, kept in item["zoom_events"]["M"].items() if "body" in kept["M"]}


def message_of(body: dict[str, Any]) -> str:
    envelope = Envelope(DELIVERIES, body["event"], json.dumps(body, ensure_ascii=False))
    return envelope.to_message(account="123456789012", region="us-east-1", time=SystemClock().now())


def recorder(
    table_name: str,
    *,
    bookings_store: DynamoDBBookingStore | None = None,
    quarantine: InMemoryQueue | None = None,
    retention_days: int = 0,
    count: Callable[[Count], None] = lambda _: None,
) -> Recorder:
    return Recorder(
        store=bookings_store or store(table_name),
        quarantine=quarantine or InMemoryQueue(),
        retention_days=retention_days,
        clock=SystemClock(),
        count=count,
    )


# ── the item ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["created", "canceled"])
def test_a_sample_comes_back_from_the_table_as_it_was_written(table_name: str, name: str) -> None:
    booking = booking_of(sample(name), request_id="zoom-request-1")
    store(table_name).save(booking, replacing=None, expires_at=None)
    stored = parse_item(stored_item(table_name, booking))
    assert isinstance(stored, Booking)
    assert stored == booking


def test_an_item_holds_what_the_contract_names_and_nothing_empty() -> None:
    # failure matrix: 54
    item = build_item(booking_of(sample("created")), expires_at=1_800_000_000)
    assert {name: next(iter(value)) for name, value in item.items()} == {
        "booking_id": "S",
        "revision": "N",
        "status": "S",
        "rescheduled": "BOOL",
        "event_id": "S",
        "invitee": "M",
        "title": "S",
        "start": "S",
        "end": "S",
        "location": "M",
        "guests": "L",
        "attendees": "L",
        "answers": "L",
        "tracking": "M",
        "manage_url": "S",
        "created_at": "S",
        "updated_at": "S",
        "zoom_events": "M",
        "expires_at": "N",
    }  # no host_user_id and no account_id: the sample's are ""
    assert item["start"] == {"S": "2023-12-21T16:00:00Z"}
    assert item["updated_at"] == {"S": event_time_text(EVENT_TS)}
    assert item["invitee"]["M"]["phone"] == {"S": "+1 83798773"}
    assert item["location"]["M"]["online_meeting"]["M"]["meeting_id"] == {"S": "94777886776"}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(bodies(), min_size=1, max_size=3))
def test_any_booking_comes_back_from_its_item(drawn: list[dict[str, Any]]) -> None:
    booking = booking_of(*drawn)
    parsed = parse_item(build_item(booking, expires_at=None))
    assert isinstance(parsed, Booking)
    assert same(parsed, booking)
    assert {kind: (kept.order, kept.body) for kind, kept in parsed.deliveries.items()} == {
        kind: (kept.order, kept.body) for kind, kept in booking.deliveries.items()
    }


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(bodies(), min_size=1, max_size=2))
def test_moto_takes_any_booking_and_gives_it_back(table_name: str, drawn: list[dict[str, Any]]) -> None:
    booking = booking_of(*drawn)
    boto3.client("dynamodb").delete_item(TableName=table_name, Key={"booking_id": {"S": booking.booking_id}})
    store(table_name).save(booking, replacing=None, expires_at=None)
    parsed = parse_item(stored_item(table_name, booking))
    assert isinstance(parsed, Booking)
    assert same(parsed, booking)


def test_a_field_that_zoom_adds_is_kept_and_announced(table_name: str) -> None:
    # failure matrix: 37
    place = {"rooms": [{"floor": 3, "height_m": 2.75, "free": True}], "name": "Ägäis 🏝"}
    body = with_object(
        sample("created") | {"added_at_the_top": {"deep": [1, 2.5]}},
        scheduled_event__location=place,
        scheduled_event__location_kind="moon_base",
    )
    booking = booking_of(body)
    store(table_name).save(booking, replacing=None, expires_at=None)
    item = stored_item(table_name, booking)
    stored = parse_item(item)
    assert isinstance(stored, Booking)
    kept = stored.deliveries[Kind.CREATED].body
    assert kept is not None
    assert json.loads(kept)["added_at_the_top"] == {"deep": [1, 2.5]}
    announced = parse_change(json.loads(json.dumps(stream_record(item)))).after
    assert announced is not None
    assert announced.fields["location"]["kind"] == "moon_base"
    assert announced.fields["location"]["place"] == place


NUMBERS: list[tuple[float, float | str]] = [
    (0, 0),
    (-0.0, 0),
    (-5, -5),
    (2**63 - 1, 2**63 - 1),
    (-(2**63), -(2**63)),
    (0.1, 0.1),
    (-2.5, -2.5),
    (1.2345678901234567, 1.2345678901234567),
    (1e20, 1e20),
    (-1e37, -1e37),
    (1.5e37, 1.5e37),
    (9.999999999999998e37, 9.999999999999998e37),
    (1e-129, 1e-129),
    (-1.2345678901234567e-128, -1.2345678901234567e-128),
    # A decimal of 38 digits can't hold these exactly, zeros included.
    (1e38, "1e+38"),
    (-2.5e100, "-2.5e+100"),
    (1.7976931348623157e308, "1.7976931348623157e+308"),
    (9.9e-130, "9.9e-130"),
    (-5e-324, "-5e-324"),
]


@pytest.mark.parametrize(("number", "stored"), NUMBERS)
def test_number_is_read_by_us_and_by_boto3_or_is_text(
    table_name: str, number: float, stored: float | str
) -> None:
    body = with_object(sample("created"), scheduled_event__location={"number": number})
    booking = booking_of(json.loads(json.dumps(body)))
    store(table_name).save(booking, replacing=None, expires_at=None)
    item = stored_item(table_name, booking)
    place = item["location"]["M"]["place"]["M"]
    if "N" in place["number"]:
        place["number"] = {"N": f"{Decimal(place['number']['N']):f}"}  # as DynamoDB writes it
        boto3.client("dynamodb").put_item(TableName=table_name, Item=item)

    announced = parse_change(stream_record(stored_item(table_name, booking))).after
    assert announced is not None
    read = announced.fields["location"]["place"]["number"]
    assert read == stored
    # EventBridge refuses integers of more than 64 bits.
    assert isinstance(read, str | float) or -(2**63) <= read < 2**63
    table: Any = boto3.resource("dynamodb").Table(table_name)
    (row,) = table.scan()["Items"]
    expected = stored if isinstance(stored, str) else Decimal(repr(stored))
    assert row["location"]["place"]["number"] == expected


def test_a_name_that_dynamodb_does_not_take_is_left_to_the_kept_body(table_name: str) -> None:
    long_name = "n" * 65_536
    place = {"": "nameless", long_name: "too long", long_name[1:]: "fits", "name": "Room 4"}
    booking = booking_of(with_object(sample("created"), scheduled_event__location=place))
    store(table_name).save(booking, replacing=None, expires_at=None)
    item = stored_item(table_name, booking)
    assert item["location"]["M"]["place"]["M"] == {long_name[1:]: {"S": "fits"}, "name": {"S": "Room 4"}}
    stored = parse_item(item)
    assert isinstance(stored, Booking)
    assert (
        json.loads(stored.deliveries[Kind.CREATED].body or b"")["payload"]["object"]["scheduled_event"][
            "location"
        ]
        == place
    )


def test_the_deepest_body_that_passes_the_door_fits_dynamodbs_32_levels() -> None:
    deepest: dict[str, Any] = {"leaf": 1}
    for _ in range(27):  # the location is the body's fifth level, of 32
        deepest = {"inner": deepest}
    item = build_item(booking_of(with_object(sample("created"), scheduled_event__location=deepest)), None)

    def depth(value: dict[str, Any]) -> int:
        ((kind, content),) = value.items()
        inner = content.values() if kind == "M" else content if kind == "L" else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    assert max(map(depth, item.values())) <= 32


def test_a_host_id_too_long_for_the_index_is_left_out(table_name: str) -> None:
    for length, kept in ((2048, True), (2049, False)):
        body = sample("created")
        body["payload"]["user_id"] = "h" * length
        item = build_item(booking_of(body), expires_at=None)
        assert ("host_user_id" in item) is kept
        stored = parse_item(item)
        assert isinstance(stored, Booking)
        assert b"h" * length in (stored.deliveries[Kind.CREATED].body or b"")


def test_the_index_finds_a_hosts_bookings_by_their_start(table_name: str) -> None:
    expected = []
    for day in ("20", "22", "21"):
        body = with_object(
            sample("created"),
            scheduled_event__event_id=f"event-{day}",
            scheduled_event__start_date_time=f"2026-12-{day}T16:00:00Z",
        )
        body["payload"]["user_id"] = "host-1"
        booking = booking_of(body)
        store(table_name).save(booking, replacing=None, expires_at=None)
        expected.append((day, booking.booking_id))
    store(table_name).save(booking_of(sample("created")), replacing=None, expires_at=None)  # of no host
    found = boto3.client("dynamodb").query(
        TableName=table_name,
        IndexName="by_host",
        KeyConditionExpression="host_user_id = :host AND #start > :from",
        ExpressionAttributeNames={"#start": "start"},
        ExpressionAttributeValues={":host": {"S": "host-1"}, ":from": {"S": "2026-12-20T23:00:00Z"}},
    )["Items"]
    assert [item["booking_id"]["S"] for item in found] == [
        booking_id for day, booking_id in sorted(expected) if day > "20"
    ]


def test_the_expiry_stands_in_the_tables_ttl_attribute(table_name: str, template: dict[str, Any]) -> None:
    booking = booking_of(sample("created"))
    store(table_name).save(booking, replacing=None, expires_at=1_800_000_000)
    item = stored_item(table_name, booking)
    ttl = template["BookingsTable"]["Properties"]["TimeToLiveSpecification"]["AttributeName"]
    assert item[ttl] == {"N": "1800000000"}
    assert ttl not in build_item(booking, expires_at=None)


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_a_booking_at_either_end_of_time_is_recorded(table_name: str, end: str) -> None:
    now = int(SystemClock().now().timestamp() * 1000)
    body = with_object(sample("created", event_ts=now), scheduled_event__end_date_time=end)
    recorded = recorder(table_name, retention_days=3650).record(message_of(body))
    assert recorded.outcome is Count.BOOKING_WRITTEN
    item = stored_item(table_name, booking_of(body))
    assert item["end"] == {"S": end}
    latest = max(now // 1000, {"9": 253_402_300_799, "0": 0}[end[0]])
    assert item["expires_at"] == {"N": str(latest + 3650 * 86_400)}


def test_an_item_of_newer_code_with_more_attributes_is_read() -> None:
    # failure matrix: 46
    booking = booking_of(sample("created"))
    item = build_item(booking, expires_at=None)
    item["added_later"] = {"M": {"x": {"N": "1"}}}
    item["zoom_events"]["M"]["created"]["M"]["added_later"] = {"S": "y"}
    assert parse_item(item) == booking


def written_by_the_first_version() -> dict[str, Any]:
    """Returns an item as the first version wrote it, of the two deliveries in `merged_by_both`."""
    item: dict[str, Any] = json.loads((ROOT / "tests/data/booking_item.json").read_text())
    for kept in item["zoom_events"]["M"].values():
        kept["M"]["body"] = {"B": base64.b64decode(kept["M"]["body"]["B"])}
    return item


def merged_by_both() -> Booking:
    return booking_of(
        sample("created", event_ts=1_795_000_000_000), sample("canceled", event_ts=1_795_000_100_000)
    )


def test_an_item_written_by_the_first_version_is_read() -> None:
    # failure matrix: 46
    assert parse_item(written_by_the_first_version()) == merged_by_both()


def test_an_item_written_now_says_all_that_the_first_version_reads_in_it() -> None:
    # failure matrix: 46
    def unpacked(item: dict[str, Any]) -> dict[str, Any]:
        for kept in item["zoom_events"]["M"].values():
            kept["M"]["body"] = zlib.decompress(kept["M"]["body"]["B"]).decode()
        return item

    def within(old: Any, new: Any) -> bool:
        """Says whether the new has all of the old; what it has besides, the first version doesn't look at."""
        if isinstance(old, dict) and isinstance(new, dict):
            return all(name in new and within(value, new[name]) for name, value in old.items())
        return bool(old == new)

    now = unpacked(build_item(merged_by_both(), expires_at=None))
    assert within(unpacked(written_by_the_first_version()), now)


def test_a_message_of_either_version_is_a_duplicate_to_the_other(table_name: str) -> None:
    # failure matrix: 46
    boto3.client("dynamodb").put_item(TableName=table_name, Item=written_by_the_first_version())
    bodies = [sample("created", event_ts=1_795_000_000_000), sample("canceled", event_ts=1_795_000_100_000)]
    outcomes = [recorder(table_name).record(message_of(body)).outcome for body in bodies]
    assert outcomes == [Count.DUPLICATE] * 2
    later = recorder(table_name).record(message_of(sample("created", event_ts=1_795_000_400_000)))
    assert later.outcome is Count.BOOKING_WRITTEN
    item = stored_item(table_name, merged_by_both())
    assert (item["status"], item["revision"]) == ({"S": "confirmed"}, {"N": "2"})


# ── the conditional write ────────────────────────────────────────────────────────────────────────────────


def test_a_first_write_makes_the_item_and_a_second_first_write_is_told_what_stands_there(
    table_name: str,
) -> None:
    # failure matrix: 23
    first = booking_of(sample("created"))
    store(table_name).save(first, replacing=None, expires_at=None)
    with pytest.raises(RevisionConflict) as conflict:
        store(table_name).save(booking_of(sample("canceled")), replacing=None, expires_at=None)
    assert conflict.value.stored == first
    assert parse_item(stored_item(table_name, first)) == first


def test_a_write_replaces_the_revision_it_names_and_no_other(table_name: str) -> None:
    # failure matrix: 23
    first = booking_of(sample("created"))
    store(table_name).save(first, replacing=None, expires_at=None)
    second = booking_of(sample("created"), sample("canceled", event_ts=EVENT_TS + 90_000), revision=2)
    store(table_name).save(second, replacing=1, expires_at=None)
    with pytest.raises(RevisionConflict) as conflict:
        store(table_name).save(dataclasses.replace(first, revision=2), replacing=1, expires_at=None)
    assert conflict.value.stored == second
    stored = parse_item(stored_item(table_name, first))
    assert isinstance(stored, Booking)
    assert (stored.status, stored.revision) == (Status.CANCELED, 2)


def test_a_write_over_an_item_that_was_deleted_is_told_that_nothing_stands_there(table_name: str) -> None:
    with pytest.raises(RevisionConflict) as conflict:
        store(table_name).save(booking_of(sample("created"), revision=4), replacing=3, expires_at=None)
    assert conflict.value.stored is None


def test_a_write_over_an_erased_booking_is_told_of_the_erasure(table_name: str) -> None:
    # failure matrix: 52
    booking = booking_of(sample("created"))
    put_tombstone(table_name, booking, erased_at=EVENT_TS)
    with pytest.raises(RevisionConflict) as conflict:
        store(table_name).save(booking, replacing=None, expires_at=None)
    assert conflict.value.stored == Tombstone(booking_id=booking.booking_id, erased_at=EVENT_TS, revision=3)


def test_a_late_retry_does_not_bring_an_erased_booking_back_and_a_new_booking_does(table_name: str) -> None:
    # failure matrix: 52
    booking = booking_of(sample("created"))
    put_tombstone(table_name, booking, erased_at=EVENT_TS)
    assert recorder(table_name).record(message_of(sample("created"))).outcome is Count.ERASED
    assert "invitee" not in stored_item(table_name, booking)
    newer = sample("created", event_ts=EVENT_TS + 1)
    assert recorder(table_name).record(message_of(newer)).outcome is Count.BOOKING_WRITTEN
    item = stored_item(table_name, booking)
    assert (item["revision"], "erased_at" in item) == ({"N": "4"}, False)
    # What was erased stays away from what was made anew.
    older = sample("canceled", event_ts=EVENT_TS)
    assert recorder(table_name).record(message_of(older)).outcome is Count.ERASED
    assert stored_item(table_name, booking) == item


def test_a_booking_made_anew_remembers_its_erasure_and_tells_it_nobody() -> None:
    booking = booking_of(sample("created"), revision=4)
    item = build_item(dataclasses.replace(booking, erased_until=EVENT_TS), None)
    assert item == build_item(booking, None) | {"erased_until": {"N": str(EVENT_TS)}}
    assert parse_item(item) == dataclasses.replace(booking, erased_until=EVENT_TS)
    assert parse_change(json.loads(json.dumps(stream_record(item)))).after == snapshot_of(booking)


def test_a_read_is_of_what_was_written_last_and_none_where_nothing_stands(table_name: str) -> None:
    dynamodb: Any = boto3.client("dynamodb")
    asked: list[dict[str, Any]] = []
    dynamodb.meta.events.register(
        "provide-client-params.dynamodb.GetItem", lambda params, **_: asked.append(params)
    )
    reading = DynamoDBBookingStore(dynamodb, table_name)
    booking = booking_of(sample("created"))
    assert reading.load(booking.booking_id) is None
    store(table_name).save(booking, replacing=None, expires_at=None)
    assert reading.load(booking.booking_id) == booking
    put_tombstone(table_name, booking, erased_at=EVENT_TS)
    erased = Tombstone(booking_id=booking.booking_id, erased_at=EVENT_TS, revision=3)
    assert reading.load(booking.booking_id) == erased
    # moto reads the last write in any case, DynamoDB only if it is asked to.
    assert {each["ConsistentRead"] for each in asked} == {True}


class _AnswerLost:
    """A DynamoDB client whose first write is applied, and its answer lost."""

    def __init__(self, real: Any, error: HTTPClientError) -> None:
        self._real = real
        self._errors = [error]
        self.exceptions = real.exceptions

    def put_item(self, **parameters: Any) -> Any:
        answer = self._real.put_item(**parameters)
        if self._errors:
            raise self._errors.pop()
        return answer


def test_a_write_whose_answer_was_lost_is_found_done_when_the_message_comes_again(table_name: str) -> None:
    # failure matrix: 24
    silent = _AnswerLost(boto3.client("dynamodb"), ReadTimeoutError(endpoint_url="https://dynamodb.invalid"))
    at_work = recorder(table_name, bookings_store=DynamoDBBookingStore(silent, table_name))
    with pytest.raises(ServiceUnavailable):
        at_work.record(message_of(sample("created")))
    assert at_work.record(message_of(sample("created"))).outcome is Count.DUPLICATE
    assert stored_item(table_name, booking_of(sample("created")))["revision"] == {"N": "1"}


def test_write_before_a_closed_connection_is_found_at_once(table_name: str) -> None:
    # failure matrix: 24
    closed = ConnectionClosedError(endpoint_url="https://dynamodb.invalid")
    closing = DynamoDBBookingStore(_AnswerLost(boto3.client("dynamodb"), closed), table_name)
    recorded = recorder(table_name, bookings_store=closing).record(message_of(sample("created")))
    assert recorded.outcome is Count.DUPLICATE
    assert stored_item(table_name, booking_of(sample("created")))["revision"] == {"N": "1"}


def test_new_booking_costs_one_call(table_name: str, outage: Outage) -> None:
    assert recorder(table_name).record(message_of(sample("created"))).outcome is Count.BOOKING_WRITTEN
    assert outage.calls == ["PutItem"]


def test_two_handlers_at_once_both_win_in_the_end(table_name: str) -> None:
    # failure matrix: 17
    class Interrupted(DynamoDBBookingStore):
        """Another handler writes just before this one's first write."""

        interrupted = False

        def save(self, booking: Booking, *, replacing: int | None, expires_at: int | None) -> int:
            if not self.interrupted:
                self.interrupted = True
                recorder(table_name).record(message_of(sample("canceled", event_ts=EVENT_TS + 90_000)))
            return super().save(booking, replacing=replacing, expires_at=expires_at)

    interrupted = Interrupted(boto3.client("dynamodb"), table_name)
    recorded = recorder(table_name, bookings_store=interrupted).record(message_of(sample("created")))
    assert recorded.outcome is Count.BOOKING_WRITTEN
    stored = parse_item(stored_item(table_name, booking_of(sample("created"))))
    assert isinstance(stored, Booking)
    assert (stored.status, stored.revision, set(stored.deliveries)) == (
        Status.CANCELED,
        2,
        {Kind.CREATED, Kind.CANCELED_BY_RESCHEDULE},
    )


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ProvisionedThroughputExceededException", ServiceUnavailable),
        ("ThrottlingException", ServiceUnavailable),
        ("InternalServerError", ServiceUnavailable),
        ("ResourceNotFoundException", ServiceUnavailable),
        ("AccessDeniedException", ServiceUnavailable),
        ("KMSAccessDeniedException", ServiceUnavailable),
        ("ValidationException", RefusedByService),
    ],
)
def test_a_failed_write_is_told_by_its_code_alone(
    code: str, error: type[ServiceUnavailable | RefusedByService]
) -> None:
    # failure matrix: 22, 47
    dynamodb: Any = boto3.client("dynamodb")
    with Stubber(dynamodb) as stub:
        stub.add_client_error("put_item", code, "canary@example.com is not welcome", 400)
        with pytest.raises(error) as raised:
            DynamoDBBookingStore(dynamodb, "bookings").save(
                booking_of(sample("created")), replacing=None, expires_at=None
            )
    assert str(raised.value) == f"DynamoDB: {code}"


def test_a_failed_read_is_told_by_its_code_alone() -> None:
    # failure matrix: 22, 47
    dynamodb: Any = boto3.client("dynamodb")
    with Stubber(dynamodb) as stub:
        stub.add_client_error("get_item", "AccessDeniedException", "canary@example.com is not welcome", 400)
        with pytest.raises(ServiceUnavailable) as raised:
            DynamoDBBookingStore(dynamodb, "bookings").load("booking-1")
    assert str(raised.value) == "DynamoDB: AccessDeniedException"


# ── sizes ────────────────────────────────────────────────────────────────────────────────────────────────


def bulky(name: str, event_ts: int, seed: int, characters: int) -> dict[str, Any]:
    """A body whose notes, which are no attribute of the item, make its kept body large."""
    return with_object(
        sample(name, event_ts=event_ts),
        rescheduled=False,
        scheduled_event__meeting_notes=four_byte_text(characters, seed),
    )


def test_an_item_gives_up_the_older_bodies_first_and_the_newest_last(table_name: str) -> None:
    # failure matrix: 51
    # Each body takes about three of its four bytes a character: 100,000 make a good half of an item.
    older, newer = bulky("created", EVENT_TS, 1, 100_000), bulky("canceled", EVENT_TS + 1, 2, 100_000)
    booking = booking_of(older, newer)
    assert store(table_name).save(booking, replacing=None, expires_at=None) == 1
    item = stored_item(table_name, booking)
    assert kept_bodies(item) == {Kind.CANCELED}
    assert {kind: kept["M"]["digest"]["S"] for kind, kept in item["zoom_events"]["M"].items()} == {
        kind: kept.digest for kind, kept in booking.deliveries.items()
    }

    # The other way round by time, and written in a second step, over what was read.
    newest = bulky("created", EVENT_TS + 2, 3, 100_000)
    stored = parse_item(item)
    assert isinstance(stored, Booking)
    turned = booking_of(newer, newest, revision=2)
    assert store(table_name).save(turned, replacing=1, expires_at=None) == 1
    assert kept_bodies(stored_item(table_name, turned)) == {Kind.CREATED}


def test_an_item_gives_up_even_the_newest_body_before_it_is_too_large(table_name: str) -> None:
    # failure matrix: 51
    booking = booking_of(bulky("created", EVENT_TS, 1, 175_000))
    assert store(table_name).save(booking, replacing=None, expires_at=None) == 1
    assert kept_bodies(stored_item(table_name, booking)) == set()


def test_a_booking_whose_bodies_fit_gives_up_none(table_name: str) -> None:
    booking = booking_of(bulky("created", EVENT_TS, 1, 50_000), bulky("canceled", EVENT_TS + 1, 2, 50_000))
    assert store(table_name).save(booking, replacing=None, expires_at=None) == 0
    assert kept_bodies(stored_item(table_name, booking)) == {Kind.CREATED, Kind.CANCELED}


def test_a_booking_that_does_not_fit_without_its_bodies_goes_to_quarantine_whole(table_name: str) -> None:
    body = with_object(sample("created"), scheduled_event__location={"plan": "x" * ITEM_BYTES})
    with pytest.raises(BookingTooLarge):
        store(table_name).save(booking_of(body), replacing=None, expires_at=None)
    quarantine = InMemoryQueue()
    recorded = recorder(table_name, quarantine=quarantine).record(message_of(body))
    assert recorded.outcome is Count.QUARANTINED
    (message,) = quarantine.contents
    assert message["reason"] == "too_large"
    assert json.loads(base64.b64decode(message["body_base64"])) == body


def test_the_form_at_its_limits_is_accepted_and_canceled_in_four_byte_characters(table_name: str) -> None:
    # failure matrix: 51
    counted: list[Count] = []
    at_work = recorder(table_name, count=counted.append)
    created = form_at_its_limits("created")
    assert len(json.dumps(created, ensure_ascii=False).encode()) > 370_000
    canceled = form_at_its_limits("canceled", event_ts=EVENT_TS + 90_000)
    for body in (created, canceled):
        assert at_work.record(message_of(body)).outcome is Count.BOOKING_WRITTEN
    item = stored_item(table_name, booking_of(created))
    assert item_size(item) <= ITEM_BYTES < dynamodb.MAX_ITEM_BYTES
    stored = parse_item(item)
    assert isinstance(stored, Booking)
    assert stored.status is Status.CANCELED
    assert stored.details.answers == created["payload"]["object"]["questions_and_answers"]
    assert stored.details.title == created["payload"]["object"]["scheduled_event"]["summary"]
    assert (
        counted.count(Count.BODY_GIVEN_UP) == 2
    )  # the created's with its write, the canceled's with its own
    # A retry of the delivery whose body was given up is known by its digest.
    assert at_work.record(message_of(created)).outcome is Count.DUPLICATE


_stored = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-1000, max_value=1000)
    | _texts
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_texts.filter(bool), inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(_texts.filter(bool), _stored, max_size=5))
def test_our_count_of_an_items_size_is_never_below_dynamodbs(values: dict[str, Any]) -> None:
    serialize = TypeSerializer().serialize
    item = {name: serialize(value) for name, value in values.items()}
    expected = sum(len(name.encode()) + dynamodb.taken(value)[2] for name, value in item.items())
    assert item_size(item) >= expected


# ── the stream ───────────────────────────────────────────────────────────────────────────────────────────


def stream_record(new: dict[str, Any] | None, old: dict[str, Any] | None = None) -> dict[str, Any]:
    """A stream record as Lambda hands it over: binary values in base64."""
    images = {"NewImage": new, "OldImage": old}
    return {
        "eventName": "INSERT" if old is None else "REMOVE" if new is None else "MODIFY",
        "dynamodb": {name: _as_json(image) for name, image in images.items() if image is not None},
    }


def _as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _as_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    return value


def streamed_changes(table_name: str) -> Iterator[Change]:
    """Changes in the table's stream, in order, each by way of Lambda's form of its record."""
    streams = boto3.client("dynamodbstreams")
    arn = boto3.client("dynamodb").describe_table(TableName=table_name)["Table"]["LatestStreamArn"]
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        for record in streams.get_records(ShardIterator=iterator)["Records"]:
            images = record["dynamodb"]
            yield parse_change(
                json.loads(json.dumps(stream_record(images.get("NewImage"), images.get("OldImage"))))
            )


def snapshot_of(booking: Booking) -> Snapshot:
    return Snapshot(
        fields=booking.public_fields(),
        revision=booking.revision,
        digests={kind: kept.digest for kind, kept in booking.deliveries.items()},
    )


def test_a_stream_tells_what_was_before_and_what_is_after(table_name: str) -> None:
    first = booking_of(sample("created"))
    second = booking_of(sample("created"), sample("canceled", event_ts=EVENT_TS + 90_000), revision=2)
    store(table_name).save(first, replacing=None, expires_at=1_900_000_000)
    store(table_name).save(second, replacing=1, expires_at=1_900_000_000)
    boto3.client("dynamodb").delete_item(TableName=table_name, Key={"booking_id": {"S": first.booking_id}})
    assert list(streamed_changes(table_name)) == [
        Change(None, snapshot_of(first)),
        Change(snapshot_of(first), snapshot_of(second)),
        Change(snapshot_of(second), None),
    ]


@pytest.mark.parametrize(("text", "value"), [("1" + "0" * 38, 1e38), ("-25" + "0" * 99, -2.5e100)])
def test_a_number_with_more_digits_than_boto3_reads_is_read(text: str, value: float) -> None:
    # DynamoDB writes 1e38 with all its zeros, and boto3 takes them for precision: boto/boto3 issue 2500.
    item = build_item(booking_of(sample("created")), expires_at=None) | {
        "location": {"M": {"far": {"N": text}, "all": {"L": [{"N": text}]}}}
    }
    after = parse_change(stream_record(item)).after
    stored = parse_item(item)
    assert after is not None
    assert isinstance(stored, Booking)
    assert after.fields["location"] == stored.details.location == {"far": value, "all": [value]}


def test_a_null_that_somebody_else_wrote_is_read() -> None:
    # Ours never does; a person who mends an item by hand may.
    item = build_item(booking_of(sample("created")), expires_at=None) | {
        "location": {"M": {"far": {"NULL": True}, "all": {"L": [{"NULL": True}]}}}
    }
    stored = parse_item(item)
    assert isinstance(stored, Booking)
    assert stored.details.location == {"far": None, "all": [None]}


def test_an_erasure_is_no_booking_before_or_after(table_name: str) -> None:
    booking = booking_of(sample("created"))
    store(table_name).save(booking, replacing=None, expires_at=None)
    put_tombstone(table_name, booking, erased_at=EVENT_TS)
    again = booking_of(sample("created", event_ts=EVENT_TS + 1), revision=4)
    store(table_name).save(again, replacing=3, expires_at=None)
    assert list(streamed_changes(table_name)) == [
        Change(None, snapshot_of(booking)),
        Change(snapshot_of(booking), None),
        Change(None, snapshot_of(again)),
    ]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bodies())
def test_what_is_announced_of_an_item_is_what_was_stored(body: dict[str, Any]) -> None:
    item = build_item(booking_of(body), expires_at=None)
    after = parse_change(json.loads(json.dumps(stream_record(item)))).after
    stored = parse_item(item)
    assert after is not None
    assert isinstance(stored, Booking)
    assert after == snapshot_of(stored)
    json.dumps(after.fields, allow_nan=False)


def put_tombstone(table_name: str, booking: Booking, *, erased_at: int) -> None:
    tombstone = Tombstone(booking_id=booking.booking_id, erased_at=erased_at, revision=3)
    boto3.client("dynamodb").put_item(TableName=table_name, Item=build_tombstone(tombstone))
