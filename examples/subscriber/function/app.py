"""Posts each booking event to a chat, or logs it. Drops duplicates and older events.

Triggered by batches of SubscriberQueue. An event that fails comes back after the queue's visibility timeout.
After five receives it goes to SubscriberDLQ. The others of its batch are done.

Put your own work in the place of `post`. Log ids only: the other fields of a booking are personal data.
"""

import html
import json
import os
from functools import cache
from typing import Any
from urllib.request import Request, urlopen

import boto3

from booking_events import BookingEvent, Metadata

CHAT_TIMEOUT_SECONDS = 3
HEADLINES = {
    "BookingCreated": "New booking",
    "BookingRescheduled": "Moved",
    "BookingUpdated": "Changed",
    "BookingCanceled": "Canceled",
}


class UnknownSchema(Exception):
    """The event is of another schema version. It waits in the DLQ for code that knows it."""


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    failed = []
    for record in event["Records"]:
        try:
            handle(parse(record["body"]))
        except Exception as error:  # noqa: BLE001 - any error fails this record only
            failed.append({"itemIdentifier": record["messageId"]})
            # Not the error's text: it can hold the webhook's URL, or parts of the event.
            status = getattr(error, "code", None)  # of an answer over HTTP
            log("failed", message_id=record["messageId"], error=type(error).__name__, status=status)
    return {"batchItemFailures": failed}


def parse(body: str) -> BookingEvent:
    """Returns the event in a queue message.

    Raises:
        UnknownSchema: the copy of the models does not fit it.
    """
    event: BookingEvent = json.loads(body)
    if event["detail"]["metadata"]["schema_version"] != "1":
        raise UnknownSchema
    return event


def handle(event: BookingEvent) -> None:
    """Posts an event unless it or a newer one of its booking was posted.

    Remembers it afterwards, so no error or crash loses a message. A crash in between repeats it.
    """
    metadata = event["detail"]["metadata"]
    url = os.environ["CHAT_WEBHOOK_URL"]
    outcome = "old"
    if is_news(metadata):
        if url:
            post(url, text_of(event))
        outcome = "posted" if url else "logged"
        remember(metadata)
    ids = {name: metadata[name] for name in ("booking_id", "revision")}
    log(outcome, event=event["detail-type"], **ids)


def is_news(metadata: Metadata) -> bool:
    """Whether nothing as new was posted of this booking."""
    found = table().get_item(Key={"booking_id": metadata["booking_id"]}, ConsistentRead=True)
    return bool(metadata["revision"] > found.get("Item", {}).get("revision", 0))


def remember(metadata: Metadata) -> bool:
    """Stores the revision. Returns False for a duplicate or an older event."""
    try:
        table().put_item(
            Item={"booking_id": metadata["booking_id"], "revision": metadata["revision"]},
            ConditionExpression="attribute_not_exists(booking_id) OR revision < :new",
            ExpressionAttributeValues={":new": metadata["revision"]},
        )
    except table().meta.client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def text_of(event: BookingEvent) -> str:
    """Returns a line for the chat. The invitee can't mention anybody in it: `<` is escaped."""
    booking = event["detail"]["booking"]
    headline = HEADLINES[event["detail-type"]]
    if event["detail-type"] == "BookingCanceled" and booking["rescheduled"]:
        headline = "Canceled for another time"
    invitee = booking.get("invitee", {})
    name = f"{invitee.get('first_name', '')} {invitee.get('last_name', '')}".strip()
    parts = [booking.get("title"), booking.get("start"), name or invitee.get("email")]
    details = ", ".join(part for part in parts if part)
    return html.escape(f"{headline}: {details}", quote=False)


def post(url: str, text: str) -> None:
    """Posts a message, as Slack, Google Chat and Mattermost take it.

    Raises:
        OSError: the chat did not take it, or not in time.
    """
    body = json.dumps({"text": text}).encode()
    request = Request(url, body, {"content-type": "application/json"})  # noqa: S310 - https by the template
    with urlopen(request, timeout=CHAT_TIMEOUT_SECONDS):  # noqa: S310 - the same
        pass


def log(outcome: str, **ids: object) -> None:
    print(json.dumps({"outcome": outcome, **ids}))


@cache
def table() -> Any:
    return boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])
