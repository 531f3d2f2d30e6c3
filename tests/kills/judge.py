"""What must hold once nothing is left to do, whoever was killed when."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from bookings.aws.table import build_item, parse_change
from bookings.booking import Booking, merge
from bookings.domain_events import domain_event
from bookings.zoom.delivery import to_delivery

from tests.kills import wire
from tests.kills.deliveries import request_id_of


class Violation(Exception):
    """Something is lost, doubled or wrong."""


def judge(outcome: dict[str, Any], bodies: Iterable[str]) -> None:
    """Judges what a round has left.

    Args:
        outcome: of `Cloud.outcome`, as it came over the wire.
        bodies: the deliveries, each of which Zoom saw taken.

    Raises:
        Violation: one of the rules is broken.
    """
    _nothing_is_set_aside(outcome["set_aside"])
    changes = _by_booking(outcome["changes"])
    _each_change_follows_the_one_before(changes)
    _the_table_is_the_fold(outcome["table"], changes, bodies)
    _each_change_is_announced_once(outcome["inbox"], changes)


def _nothing_is_set_aside(set_aside: dict[str, list[str]]) -> None:
    for queue, messages in set_aside.items():
        if messages:
            raise Violation(f"{len(messages)} in {queue}", messages[0])


def _by_booking(records: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    changes = defaultdict(list)
    for record in records:
        changes[record["dynamodb"]["Keys"]["booking_id"]["S"]].append(record)
    return changes


def _each_change_follows_the_one_before(changes: dict[str, list[dict[str, Any]]]) -> None:
    """The revision counts the writes, and each write puts in a delivery that was not in before."""
    for booking_id, records in changes.items():
        before = None
        for number, record in enumerate(records, 1):
            images = record["dynamodb"]
            after = images["NewImage"]
            if images.get("OldImage") != before or after["revision"]["N"] != str(number):
                raise Violation(f"{booking_id}: revision {number} does not follow the one before")
            if before and not _digests(after) - _digests(before):
                raise Violation(f"{booking_id}: revision {number} has nothing new, so it was written twice")
            before = after


def _digests(item: dict[str, Any]) -> set[str]:
    return {kept["M"]["digest"]["S"] for kept in item["zoom_events"]["M"].values()}


def _the_table_is_the_fold(
    table: dict[str, Any], changes: dict[str, list[dict[str, Any]]], bodies: Iterable[str]
) -> None:
    folded: dict[str, Booking] = {}
    for body in bodies:
        delivery = to_delivery(json.loads(body), request_id_of(body))
        folded[delivery.booking_id] = merge(folded.get(delivery.booking_id), delivery)
    if table.keys() != folded.keys():
        raise Violation("the table has other bookings than were sent", str(table.keys() ^ folded.keys()))
    for booking_id, booking in folded.items():
        written = dataclasses.replace(booking, revision=len(changes[booking_id]))
        expected = json.loads(json.dumps(build_item(written, None), default=wire.plain))
        if table[booking_id] != expected:
            wrong = [
                name
                for name in expected | table[booking_id]
                if expected.get(name) != table[booking_id].get(name)
            ]
            raise Violation(f"{booking_id}: the item is not what was sent", f"fields {wrong}")


def _each_change_is_announced_once(inbox: list[str], changes: dict[str, list[dict[str, Any]]]) -> None:
    announced: dict[str, dict[str, str]] = defaultdict(dict)
    for text in inbox:
        event = json.loads(text)
        metadata = event["detail"]["metadata"]
        said = json.dumps([event["source"], event["detail-type"], event["resources"], event["detail"]])
        if announced[metadata["booking_id"]].setdefault(metadata["id"], said) != said:
            raise Violation(f"{metadata['booking_id']}: event {metadata['id']} came in two wordings")
    if announced.keys() - changes.keys():
        raise Violation("events of bookings that are not there", str(announced.keys() - changes.keys()))
    for booking_id, records in changes.items():
        expected = {}
        for record in records:
            change = parse_change(record)
            assert change.after
            if envelope := domain_event(change.before, change.after, share_access_links=False):
                detail = json.loads(envelope.detail)
                said = json.dumps([envelope.source, envelope.detail_type, envelope.resources, detail])
                expected[detail["metadata"]["id"]] = said
        # In order as well: an event comes first when those before it have come.
        if list(announced[booking_id].items()) != list(expected.items()):
            counts = f"{len(expected)} to announce, {len(announced[booking_id])} announced"
            raise Violation(f"{booking_id}: its events are not its changes", counts)
