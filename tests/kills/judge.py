"""What must hold once nothing is left to do, whoever was killed when.

By the simulation's specification, which has nothing of the product in it: a mistake there is not made here.
"""

import base64
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tests.kills.deliveries import request_id_of
from tests.simulation import specification

_OURS = {"zoom_events", "revision"}  # attributes that no subscriber sees


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
    _the_table_holds_what_was_sent(outcome["table"], changes, bodies)
    _each_change_is_announced_once(outcome["inbox"], changes)


def _nothing_is_set_aside(set_aside: dict[str, list[str]]) -> None:
    for queue, messages in set_aside.items():
        if messages:
            raise Violation(f"{len(messages)} in {queue}", messages[0])


def _by_booking(records: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Returns the images of each booking's changes, in the order of the stream."""
    changes = defaultdict(list)
    for record in records:
        images = record["dynamodb"]
        changes[images["Keys"]["booking_id"]["S"]].append(
            {name: _plain(images[name]) for name in ("OldImage", "NewImage") if name in images}
        )
    return changes


def _each_change_follows_the_one_before(changes: dict[str, list[dict[str, Any]]]) -> None:
    """The revision counts the writes, and each write puts in a delivery that was not in before."""
    for booking_id, images in changes.items():
        before = None
        for number, image in enumerate(images, 1):
            after = image.get("NewImage")
            if after is None or image.get("OldImage") != before or after["revision"] != number:
                raise Violation(f"{booking_id}: change {number} does not follow the one before")
            if before and not _digests(after) - _digests(before):
                raise Violation(f"{booking_id}: change {number} has nothing new, so it was written twice")
            before = after


def _digests(item: dict[str, Any]) -> set[str]:
    return {kept["digest"] for kept in item["zoom_events"].values()}


def _the_table_holds_what_was_sent(
    table: dict[str, Any], changes: dict[str, list[dict[str, Any]]], bodies: Iterable[str]
) -> None:
    sent: dict[str, dict[str, str]] = defaultdict(dict)  # by booking and digest
    for body in bodies:
        reading = specification.reading_of(json.loads(body))
        sent[reading.booking_id][reading.order[1]] = body
    if table.keys() != sent.keys():
        raise Violation("the table has other bookings than were sent", str(table.keys() ^ sent.keys()))
    for booking_id, by_digest in sent.items():
        expected = specification.expected_state(json.loads(body) for body in by_digest.values())
        assert expected
        item = _plain(table[booking_id])
        wanted = expected.fields | {
            "request_id": request_id_of(by_digest[expected.newest[1]]),
            "revision": len(changes[booking_id]),
        }
        kept = {
            name: ((event["event_time"], event["digest"]), zlib.decompress(event["body"]).decode())
            for name, event in item.pop("zoom_events").items()
        }
        wanted_kept = {
            name: (order, specification.canonical_text(json.loads(by_digest[order[1]])))
            for name, order in expected.kept.items()
        }
        wrong = [name for name in sorted(wanted | item) if wanted.get(name) != item.get(name)]
        if kept != wanted_kept:
            wrong.append("zoom_events")
        if wrong:
            raise Violation(f"{booking_id}: the item is not what was sent", f"wrong: {', '.join(wrong)}")


def _each_change_is_announced_once(inbox: list[str], changes: dict[str, list[dict[str, Any]]]) -> None:
    """An event may come again, to the letter the same; each comes first after those before it."""
    announced: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for text in inbox:
        event = {name: json.loads(text)[name] for name in ("source", "detail-type", "resources", "detail")}
        metadata = event["detail"]["metadata"]
        of_booking = announced[metadata["booking_id"]]
        if of_booking.setdefault(metadata["revision"], event) != event:
            raise Violation(
                f"{metadata['booking_id']}: revision {metadata['revision']} is announced in two ways"
            )
        if max(of_booking) != metadata["revision"] and of_booking[metadata["revision"]] is event:
            raise Violation(
                f"{metadata['booking_id']}: revision {metadata['revision']} is announced too late"
            )
    if announced.keys() - changes.keys():
        raise Violation("events of bookings that are not there", str(announced.keys() - changes.keys()))
    ids = [event["detail"]["metadata"]["id"] for events in announced.values() for event in events.values()]
    if len(ids) != len(set(ids)):
        raise Violation("two events have one id")
    for booking_id, images in changes.items():
        if announced[booking_id].keys() - range(1, len(images) + 1):
            raise Violation(f"{booking_id}: a revision is announced that is not there")
        for number, image in enumerate(images, 1):
            before, after = (_shown(image.get(name)) for name in ("OldImage", "NewImage"))
            found = announced[booking_id].get(number, {})
            wrong = specification.wrong_with_event(
                found.get("detail-type"), found.get("detail"), before, after, revision=number
            )
            if wrong:
                raise Violation(f"{booking_id}: change {number}: {wrong}")
            if found and (found["source"], found["resources"]) != (
                "bookings",
                [f"zoom-request/{after['request_id']}" if after else ""],
            ):
                raise Violation(f"{booking_id}: change {number} is announced under a wrong name")


def _shown(image: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if image is None:
        return None
    public = {name: value for name, value in image.items() if name not in _OURS}
    return specification.shared_fields(public, share_access_links=False)


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in item.items()}


def _plain_value(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "M":
            return _plain(content)
        case "L":
            return [_plain_value(each) for each in content]
        case "B":
            return base64.b64decode(content)
        case "N":
            return int(content) if content.lstrip("-").isdigit() else float(content)
        case _:
            return content
