"""Keeps the newest state of each booking in a table of its own: a service that subscribes to booking events.

Triggered by batches of SubscriberQueue: events of source `bookings`. EventBridge delivers each at least once
and in no order, so every subscriber has two questions, and one conditional write answers both:

- *Have I seen this?* `metadata.id` is the same for each copy of an event. Use it as the idempotency key where
  your work is a call to somebody else (an e-mail, a payment).
- *Is it still true?* `metadata.revision` counts a booking's changes. An event below the revision that was
  seen last is about the past, and is dropped: what it says has been overtaken.

An event that fails comes back after the queue's visibility timeout, and goes to SubscriberDLQ after five
receives; the others of its batch are done. Put your own work into `handle`. Log ids, never people:
`booking_id` is made to be logged, the fields of `booking` are not.
"""

import json
import logging
import os
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

SCHEMA_VERSION = "1"
"""The only one there is. Within it fields are added, never changed; ignore those you don't know."""

logger = logging.getLogger()
logger.setLevel(logging.INFO)


class UnknownSchema(Exception):
    """The event has a shape that this code was not written for; it waits in the DLQ for code that was."""


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    failed = []
    for record in event["Records"]:
        try:
            handle(json.loads(record["body"]))
        except Exception as error:  # noqa: BLE001 - whatever it is, it fails this record and no other
            failed.append({"itemIdentifier": record["messageId"]})
            logger.error(
                "event failed", extra={"message_id": record["messageId"], "error": type(error).__name__}
            )
    return {"batchItemFailures": failed}


def handle(event: dict[str, Any]) -> None:
    """Takes one booking event.

    Raises:
        UnknownSchema: its schema version is another one.
        ClientError: the table did not take it; it comes back.
    """
    metadata, booking = event["detail"]["metadata"], event["detail"]["booking"]
    if metadata["schema_version"] != SCHEMA_VERSION:
        raise UnknownSchema(metadata["schema_version"])
    outcome = "kept" if keep_newest(metadata, booking) else "seen or overtaken"
    logger.info(
        outcome,
        extra={
            "event": event["detail-type"],
            "event_id": metadata["id"],
            "booking_id": metadata["booking_id"],
            "revision": metadata["revision"],
        },
    )


def keep_newest(metadata: dict[str, Any], booking: dict[str, Any]) -> bool:
    """Writes the booking's state unless it is known or overtaken; returns whether it wrote."""
    item = {"status": booking["status"], "start": booking.get("start"), "event_id": metadata["id"]}
    try:
        table().put_item(
            TableName=os.environ["TABLE_NAME"],
            Item={
                "booking_id": {"S": metadata["booking_id"]},
                "revision": {"N": str(metadata["revision"])},
                **{name: {"S": value} for name, value in item.items() if value},
            },
            ConditionExpression="attribute_not_exists(booking_id) OR revision < :revision",
            ExpressionAttributeValues={":revision": {"N": str(metadata["revision"])}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True


@cache
def table() -> Any:
    return boto3.client("dynamodb")
