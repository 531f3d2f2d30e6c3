"""The product's adapters on the strict services: what they send is taken, what comes back is understood."""

import dataclasses
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import HealthCheck, given, settings

import cli.show
from bookings.aws.bus import EventBridgeBus
from bookings.aws.queues import SQSHandlerQueues, SQSQueue, SQSRedelivery
from bookings.aws.secrets import SecretsManagerSecret
from bookings.aws.table import DynamoDBBookingStore, build_item, item_size, parse_change, parse_item
from bookings.clock import Deadline
from bookings.domain.booking import Booking, Tombstone
from bookings.domain.events import Snapshot
from bookings.envelope import Envelope, parse_message
from bookings.errors import RefusedByService, ServiceUnavailable
from bookings.limits import (
    ITEM_BYTES,
    KEY_BYTES,
    MESSAGE_BYTES,
    PUT_EVENTS_BYTES,
    PUT_EVENTS_ENTRIES,
    REQUEST_SECONDS,
)
from bookings.use_cases.announce import Change
from bookings.use_cases.ports import RevisionConflict
from bookings.zoom.events import CREATED
from cli.erase import erase_booking
from cli.stack import Stack
from tests.adapters.deliveries import EVENT_TS, booking_of, form_at_its_limits, sample, with_object
from tests.adapters.test_table import bodies
from tests.aws import dynamodb, events, sqs
from tests.aws.errors import REQUEST_ID, AWSError
from tests.aws.worlds import CheckedClient, StrictWorld
from tests.fakes import NOW
from tests.leaks import WATCH

TABLE = "bookings"


def deadline(world: StrictWorld) -> Deadline:
    return Deadline(world.clock, REQUEST_SECONDS)


def store(world: StrictWorld) -> DynamoDBBookingStore:
    with suppress(AWSError):  # it may be there already
        world.table(TABLE)
    return DynamoDBBookingStore(world.client("dynamodb"), TABLE)


def snapshot_of(booking: Booking) -> Snapshot:
    return Snapshot(
        fields=booking.public_fields(),
        revision=booking.revision,
        digests={kind: kept.digest for kind, kept in booking.deliveries.items()},
    )


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_booking_is_written_once_for_each_revision_and_a_conflict_tells_what_is_there(
    strict: StrictWorld,
) -> None:
    first = booking_of(sample("created"))
    second = booking_of(sample("created"), sample("canceled", event_ts=EVENT_TS + 90_000), revision=2)
    assert store(strict).save(first, replacing=None, expires_at=None) == 0
    for booking, replacing in ((first, None), (second, 2)):
        with pytest.raises(RevisionConflict) as raised:
            store(strict).save(booking, replacing=replacing, expires_at=None)
        assert isinstance(raised.value.stored, Booking)
        assert snapshot_of(raised.value.stored) == snapshot_of(first)
    store(strict).save(second, replacing=1, expires_at=1_900_000_000)
    assert [parse_change(record) for record in strict.dynamodb.stream(TABLE)] == [
        Change(None, snapshot_of(first)),
        Change(snapshot_of(first), snapshot_of(second)),
    ]


def test_a_conflict_with_nothing_tells_nothing(strict: StrictWorld) -> None:
    with pytest.raises(RevisionConflict) as raised:
        store(strict).save(booking_of(sample("created"), revision=2), replacing=1, expires_at=None)
    assert raised.value.stored is None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bodies())
def test_whatever_the_door_lets_in_is_stored_and_announced_the_same(body: dict[str, Any]) -> None:
    world = StrictWorld()
    booking = booking_of(body)
    store(world).save(booking, replacing=None, expires_at=EVENT_TS // 1000)
    (record,) = world.dynamodb.stream(TABLE)
    after = parse_change(json.loads(json.dumps(record))).after
    stored = parse_item(world.dynamodb.items(TABLE)[booking.booking_id])
    assert isinstance(stored, Booking)
    assert after == snapshot_of(stored)


def test_the_form_at_its_limits_fits_by_dynamodbs_own_count(strict: StrictWorld) -> None:
    # failure matrix: 51
    booking = booking_of(form_at_its_limits("created"), form_at_its_limits("canceled", event_ts=EVENT_TS + 1))
    store(strict).save(booking, replacing=None, expires_at=None)
    item = strict.dynamodb.items(TABLE)[booking.booking_id]
    size = sum(len(name.encode()) + dynamodb.taken(value)[2] for name, value in item.items())
    assert size <= item_size(item) <= ITEM_BYTES < dynamodb.MAX_ITEM_BYTES


@pytest.mark.parametrize("user_id", ["", "x" * KEY_BYTES, "é" * (KEY_BYTES // 2) + "x"])
def test_a_host_that_can_be_no_key_is_left_out(strict: StrictWorld, user_id: str) -> None:
    # failure matrix: 54
    body = sample("created")
    body["payload"]["user_id"] = user_id
    booking = booking_of(body)
    store(strict).save(booking, replacing=None, expires_at=None)
    item = strict.dynamodb.items(TABLE)[booking.booking_id]
    assert ("host_user_id" in item) is (user_id == "x" * KEY_BYTES)


def test_an_item_that_dynamodb_refuses_is_told_apart_from_a_table_that_is_down(strict: StrictWorld) -> None:
    at_work = store(strict)
    nameless = dataclasses.replace(booking_of(sample("created")), booking_id="")
    with pytest.raises(RefusedByService, match=rf"^DynamoDB: ValidationException, request {REQUEST_ID}$"):
        at_work.save(nameless, replacing=None, expires_at=None)
    elsewhere = DynamoDBBookingStore(strict.client("dynamodb"), "elsewhere")
    with pytest.raises(
        ServiceUnavailable, match=rf"^DynamoDB: ResourceNotFoundException, request {REQUEST_ID}$"
    ):
        elsewhere.save(booking_of(sample("created")), replacing=None, expires_at=None)


class Faulty(CheckedClient):
    """A client whose calls fail by a script: before they are taken, or after."""

    def __init__(self, service_name: str, service: Any, *faults: tuple[str, Exception] | None) -> None:
        super().__init__(service_name, service)
        self._faults = list(faults)

    def _invoke(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        fault = self._faults.pop(0) if self._faults else None
        if fault is None:
            return super()._invoke(operation, parameters)
        when, error = fault
        if when == "after":
            super()._invoke(operation, parameters)
        raise error


def test_a_client_may_fail_before_and_after_its_call(strict: StrictWorld) -> None:
    # failure matrix: 22, 24
    store(strict)
    throttled = AWSError("ThrottlingException", "slow down")
    lost = ReadTimeoutError(endpoint_url="https://dynamodb.invalid")
    client = Faulty("dynamodb", strict.dynamodb, ("before", throttled), ("after", lost))
    at_work = DynamoDBBookingStore(client, TABLE)
    booking = booking_of(sample("created"))
    with pytest.raises(ServiceUnavailable, match=rf"^DynamoDB: ThrottlingException, request {REQUEST_ID}$"):
        at_work.save(booking, replacing=None, expires_at=None)
    assert strict.dynamodb.items(TABLE) == {}
    with pytest.raises(ServiceUnavailable, match=r"^DynamoDB: ReadTimeoutError$"):
        at_work.save(booking, replacing=None, expires_at=None)
    assert strict.dynamodb.items(TABLE).keys() == {booking.booking_id}
    with pytest.raises(RevisionConflict):
        at_work.save(booking, replacing=None, expires_at=None)


# ── the bus ──────────────────────────────────────────────────────────────────────────────────────────────


def bus(world: StrictWorld) -> tuple[EventBridgeBus, str, str]:
    """Returns a bus, its ARN, and the URL of a queue that gets everything."""
    arn = world.bus("bookings")
    url = world.queue("everything")
    world.rule("bookings", "everything", {"source": [{"exists": True}]}, url)
    return EventBridgeBus(world.client("events"), arn), arn, url


def bodies_of(world: StrictWorld, url: str) -> list[str]:
    return [message.body for message in world.sqs.messages(url)]


def test_a_handler_sees_no_difference_between_the_two_ways_of_an_event(strict: StrictWorld) -> None:
    # failure matrix: 11
    by_bus, arn, bridged = bus(strict)
    direct = strict.queue("direct")
    sent = Envelope("zoom.scheduler", CREATED, json.dumps(sample("created")), request_id="abc_1-2")
    by_bus.publish(sent, deadline(strict))
    queue = SQSQueue(strict.client("sqs"), direct)
    SQSHandlerQueues({CREATED: queue}, arn, strict.clock).publish(sent, deadline(strict))
    (one,), (other,) = bodies_of(strict, bridged), bodies_of(strict, direct)
    assert parse_message(one) == parse_message(other)
    assert json.loads(one) | {"id": ""} == json.loads(other) | {"id": ""}
    assert list(json.loads(one)) == list(json.loads(other))


def test_events_that_eventbridge_refuses_are_told_and_the_others_published(strict: StrictWorld) -> None:
    # failure matrix: 26, 27
    publisher, arn, _ = bus(strict)
    envelopes = [
        Envelope("bookings", "BookingCreated", detail)
        for detail in ('{"n": 1}', f'{{"n": {2**63}}}', '{"n": 2}', json.dumps({"t": "x" * PUT_EVENTS_BYTES}))
    ]
    results = publisher.publish_all(envelopes)
    assert [None if each is None else f"{type(each).__name__} {each}" for each in results] == [
        None,
        "RefusedByService EventBridge: MalformedDetail",
        None,
        "RefusedByService EventBridge: over 1,000,000 bytes",
    ]
    assert [event.fields["detail"]["n"] for event in strict.events.accepted[arn]] == [1, 2]


def test_every_call_of_a_batch_is_one_that_eventbridge_takes(strict: StrictWorld) -> None:
    publisher, arn, _ = bus(strict)
    sizes = [10, 900_000, 99_000, 999_700, 999_799, *[10] * 25, 600_000, 600_000]
    envelopes = [Envelope("bookings", "BookingCreated", f'{{"t":"{"x" * (size - 8)}"}}') for size in sizes]
    assert publisher.publish_all(envelopes) == [None] * len(sizes)
    assert [len(event.fields["detail"]["t"]) + 8 for event in strict.events.accepted[arn]] == sizes
    assert PUT_EVENTS_BYTES < events.MAX_ENTRIES_BYTES
    assert PUT_EVENTS_ENTRIES == events.MAX_ENTRIES


def test_a_bus_that_was_deleted_takes_events_and_drops_them(strict: StrictWorld) -> None:
    # What AWS does, and nothing that a publisher can see: tests/aws/test_events.py names the reports.
    publisher, arn, _ = bus(strict)
    strict.events.delete_event_bus(arn)
    publisher.publish(Envelope("bookings", "BookingCreated", "{}"), deadline(strict))
    assert len(strict.events.dropped) == 1


# ── the queues ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_is_sent_and_what_sqs_refuses_is_told(strict: StrictWorld) -> None:
    # failure matrix: 53
    url = strict.queue("quarantine")
    queue = SQSQueue(strict.client("sqs"), url)
    queue.send("Grüße 🏝")
    with pytest.raises(RefusedByService, match=rf"^SQS: InvalidMessageContents, request {REQUEST_ID}$"):
        queue.send("a\uffffb")
    assert bodies_of(strict, url) == ["Grüße 🏝"]
    assert MESSAGE_BYTES == sqs.MAX_MESSAGE_BYTES
    gone = SQSQueue(strict.client("sqs"), url + "-gone")
    with pytest.raises(
        ServiceUnavailable, match=rf"^SQS: AWS\.SimpleQueueService\.NonExistentQueue, request {REQUEST_ID}$"
    ):
        gone.send("x")


def test_more_messages_than_a_call_takes_are_delayed_and_a_stale_handle_is_told(strict: StrictWorld) -> None:
    # failure matrix: 22
    url = strict.queue("created", visibility_seconds=60)
    client = strict.client("sqs")
    for number in range(12):
        client.send_message(QueueUrl=url, MessageBody=str(number))
    receive = {"QueueUrl": url, "MaxNumberOfMessages": 10}
    received = client.receive_message(**receive)["Messages"] + client.receive_message(**receive)["Messages"]
    delays = [(message["ReceiptHandle"], 100 + number) for number, message in enumerate(received)]
    redelivery = SQSRedelivery(client, url)
    redelivery.delay(delays)
    assert [round((each.visible_at - NOW).total_seconds()) for each in strict.sqs.messages(url)] == list(
        range(100, 112)
    )
    client.delete_message(QueueUrl=url, ReceiptHandle=delays[3][0])
    with pytest.raises(ServiceUnavailable, match=r"^SQS: InvalidParameterValue$"):
        redelivery.delay(delays)
    assert len(strict.sqs.messages(url)) == 11


# ── the secret ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_rotated_secret_has_both_versions_with_their_times(strict: StrictWorld) -> None:
    # failure matrix: 28
    arn = strict.secret("zoom", "first-token-0123456789")
    secret = SecretsManagerSecret(strict.client("secretsmanager"), arn)
    assert secret.previous(deadline(strict)) is None
    strict.clock.advance(3600)
    strict.put_secret(arn, "second-token-0123456789")
    current, previous = secret.current(deadline(strict)), secret.previous(deadline(strict))
    assert previous is not None
    assert (current.value, previous.value) == ("second-token-0123456789", "first-token-0123456789")
    assert (current.created_at - previous.created_at).total_seconds() == 3600
    gone = SecretsManagerSecret(strict.client("secretsmanager"), arn + "-gone")
    with pytest.raises(
        ServiceUnavailable, match=rf"^Secrets Manager: ResourceNotFoundException, request {REQUEST_ID}$"
    ):
        gone.current(deadline(strict))


# ── the operator's commands ──────────────────────────────────────────────────────────────────────────────


class _Session:
    """A session whose clients are strict."""

    def __init__(self, world: StrictWorld) -> None:
        self._world = world

    def client(self, service_name: str, **_: Any) -> Any:
        return self._world.client(service_name)


def stack_in(world: StrictWorld) -> Stack:
    session: Any = _Session(world)
    return Stack(
        name="a stack",
        cloudformation_name="a-stack",
        outputs={"BookingsTableName": TABLE},
        session=session,
        config=session,
    )


def test_the_commands_read_and_erase_what_the_handlers_wrote(
    strict: StrictWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = stack_in(strict)
    monkeypatch.setattr(cli.show, "find_stack", lambda **_: stack)
    written = []
    for number in range(3):
        body = with_object(sample("created"), scheduled_event__event_id=f"event-{number}")
        body["payload"]["user_id"] = f"host-{number % 2}"
        written.append(booking_of(body))
        store(strict).save(written[-1], replacing=None, expires_at=None)

    def shown(**arguments: Any) -> Any:
        with WATCH.expecting():  # it prints bookings; that is what it is for
            cli.show.show(**{"booking_id": None, "host": None} | arguments, as_json=True)
            return json.loads(capsys.readouterr().out)

    assert {each["booking_id"] for each in shown()} == {each.booking_id for each in written}
    assert {each["booking_id"] for each in shown(host="host-0")} == {
        written[0].booking_id,
        written[2].booking_id,
    }
    assert shown(booking_id=written[1].booking_id)["revision"] == 1
    tombstone = erase_booking(stack, written[0].booking_id, now_ms=EVENT_TS + 1)
    assert parse_item(strict.dynamodb.items(TABLE)[written[0].booking_id]) == Tombstone(
        booking_id=written[0].booking_id, erased_at=EVENT_TS + 1, revision=2
    )
    assert tombstone.revision == 2
    assert {each["booking_id"] for each in shown()} == {each.booking_id for each in written[1:]}


def test_an_items_attributes_are_all_there_after_a_round_trip(strict: StrictWorld) -> None:
    booking = booking_of(sample("created"))
    store(strict).save(booking, replacing=None, expires_at=7)
    assert strict.dynamodb.items(TABLE)[booking.booking_id] == build_item(booking, 7)
