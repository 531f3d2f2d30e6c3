"""A strict SQS: standard queues with visibility, retention and dead letters.

Rules: the Amazon SQS API Reference and Developer Guide, read in November 2026. What a queue may do but need
not (deliver twice, out of order, fewer than asked for) is for the caller to add: see `SQS.choose`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.aws.account import ACCOUNT, REGION, counted_uuid
from tests.aws.errors import AWSError

MAX_MESSAGE_BYTES = 1_048_576
MAX_BATCH_ENTRIES = 10
MAX_RECEIVED = 10
MAX_BATCH_ID = 80
MAX_VISIBILITY_SECONDS = 43_200  # also of all the extensions of one receive together
MAX_WAIT_SECONDS = 20
MAX_DELAY_SECONDS = 900

# SQS takes #x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD and #x10000 to #x10FFFF ("SendMessage").
_REFUSED_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_SERVICE_NUMBER = 2
_QUEUE_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_BATCH_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_BATCH_ID}}}")
_HANDLE = re.compile(r"AQEB/(?P<queue>[^/]+)/(?P<message>[^/]+)/\d+")

_SYSTEM_ATTRIBUTES = {
    *(
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "AWSTraceHeader",
        "DeadLetterQueueSourceArn",
    ),
    *("MessageDeduplicationId", "MessageGroupId", "SenderId", "SentTimestamp", "SequenceNumber"),
}


# The method and the parameters of each operation, less the queue's URL.
_OPERATIONS: dict[str, tuple[str, set[str]]] = {
    "SendMessage": ("_send", {"MessageBody", "DelaySeconds"}),
    "ReceiveMessage": (
        "_receive",
        {
            *("AttributeNames", "MessageSystemAttributeNames", "MessageAttributeNames"),
            *("MaxNumberOfMessages", "VisibilityTimeout", "WaitTimeSeconds"),
        },
    ),
    "DeleteMessage": ("_delete", {"ReceiptHandle"}),
    "DeleteMessageBatch": ("_delete_batch", {"Entries"}),
    "ChangeMessageVisibility": ("_change_visibility", {"ReceiptHandle", "VisibilityTimeout"}),
    "ChangeMessageVisibilityBatch": ("_change_visibility_batch", {"Entries"}),
    "GetQueueAttributes": ("_attributes", {"AttributeNames"}),
}


@dataclass(slots=True)
class Message:
    """A message in a queue, for inspection only.

    Attributes:
        sent_at: when it was sent first; the move to a dead-letter queue keeps it.
        receives: how often it was received, in the queue it came from too.
        visible_at: from when on it is received.
        handle: of its last receive.
    """

    id: str
    body: str
    sent_at: datetime
    visible_at: datetime
    receives: int = 0
    first_received_at: datetime | None = None
    received_at: datetime | None = None
    handle: str | None = None
    source_arn: str | None = None

    def attributes(self) -> dict[str, str]:
        shown = {
            "SenderId": ACCOUNT,
            "ApproximateReceiveCount": str(self.receives),
            "SentTimestamp": _milliseconds(self.sent_at),
        }
        if self.first_received_at is not None:
            shown["ApproximateFirstReceiveTimestamp"] = _milliseconds(self.first_received_at)
        if self.source_arn is not None:
            shown["DeadLetterQueueSourceArn"] = self.source_arn
        return shown


class _Queue:
    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url
        self.arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        self.visibility = timedelta()
        self.retention = timedelta()
        self.max_message_bytes = MAX_MESSAGE_BYTES
        self.dead_letters: _Queue | None = None
        self.max_receives = 0
        self.messages: dict[str, Message] = {}
        self._none_expires_before: datetime | None = None

    def add(self, message: Message) -> None:
        expires_at = message.sent_at + self.retention
        if self._none_expires_before is None or expires_at < self._none_expires_before:
            self._none_expires_before = expires_at
        self.messages[message.id] = message

    def drop_expired(self, now: datetime) -> None:
        """Lets go what is older than the retention; looks only when something may be."""
        if self._none_expires_before is None or now < self._none_expires_before:
            return
        kept = {key: each for key, each in self.messages.items() if now < each.sent_at + self.retention}
        self.messages = kept
        self._none_expires_before = min(
            (each.sent_at + self.retention for each in kept.values()), default=None
        )


class SQS:
    """Keeps queues.

    Attributes:
        choose: which of the visible messages a receive may take, and in which order; all of them by age
            unless told otherwise.
    """

    def __init__(self, now: Callable[[], datetime], endpoint: str | None = None) -> None:
        self._now = now
        self._endpoint = endpoint or f"https://sqs.{REGION}.amazonaws.com"
        self._queues: dict[str, _Queue] = {}
        self._messages = 0
        self.choose: Callable[[list[Message]], list[Message]] | None = None

    # ── making queues and looking into them: not by SQS's API ────────────────────────────────────────────

    def create_queue(
        self,
        name: str,
        *,
        visibility_seconds: int = 30,
        retention_seconds: int = 345_600,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        dead_letters: str | None = None,
        max_receives: int | None = None,
    ) -> str:
        """Returns the URL of a new queue.

        Args:
            dead_letters: URL of the queue that takes what was received `max_receives` times.
        """
        if not _QUEUE_NAME.fullmatch(name) or not 60 <= retention_seconds <= 1_209_600:
            raise _invalid("Can only include alphanumeric characters, hyphens, or underscores.")
        if not 0 <= visibility_seconds <= MAX_VISIBILITY_SECONDS or (dead_letters is None) != (
            max_receives is None
        ):
            raise _invalid("The queue's attributes are not valid.")
        url = f"{self._endpoint}/{ACCOUNT}/{name}"
        if url in self._queues:
            raise AWSError(
                "QueueNameExists",
                "A queue already exists with the same name.",
                query_code="QueueAlreadyExists",
            )
        queue = _Queue(name, url)
        queue.visibility = timedelta(seconds=visibility_seconds)
        queue.retention = timedelta(seconds=retention_seconds)
        queue.max_message_bytes = max_message_bytes
        if dead_letters is not None and max_receives is not None:
            queue.dead_letters = self._queue(dead_letters)
            queue.max_receives = max_receives
        self._queues[url] = queue
        return url

    def arn(self, url: str) -> str:
        return self._queue(url).arn

    def url(self, arn: str) -> str:
        """Returns the URL of the queue that a rule or a redrive policy names by its ARN."""
        return next(queue.url for queue in self._queues.values() if queue.arn == arn)

    def messages(self, url: str) -> list[Message]:
        """Returns all that the queue keeps, visible or not, the oldest arrival first."""
        queue = self._queue(url)
        queue.drop_expired(self._now())
        return list(queue.messages.values())

    def next_visible_at(self, url: str) -> datetime | None:
        """Returns from when on a receive finds something, past or not; nothing if the queue is empty."""
        return min((each.visible_at for each in self.messages(url)), default=None)

    def move(self, source_url: str, destination_url: str) -> int:
        """Moves all visible messages, as a move task does, and returns how many.

        A moved message is a new one: new id, new time of sending, so a new retention, and never received
        ("Learn how to configure a dead-letter queue redrive in Amazon SQS", developer guide).
        """
        now = self._now()
        source, destination = self._queue(source_url), self._queue(destination_url)
        moved = [each for each in self.messages(source_url) if each.visible_at <= now]
        for message in moved:
            del source.messages[message.id]
            destination.add(self._new_message(message.body, now, now))
        return len(moved)

    # ── SQS's API ────────────────────────────────────────────────────────────────────────────────────────

    def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answers one of the operations on messages.

        Raises:
            AWSError: as the service answers.
            NotImplementedError: for an operation or a parameter beyond what is needed here.
        """
        known = _OPERATIONS.get(operation)
        if known is None:
            raise NotImplementedError(operation)
        method, names = known
        for name in parameters:
            if name not in names and name != "QueueUrl":
                raise NotImplementedError(f"{operation} with {name}")
        answer: dict[str, Any] = getattr(self, method)(self._queue(parameters["QueueUrl"]), parameters)
        return answer

    def _queue(self, url: str) -> _Queue:
        queue = self._queues.get(url)
        if queue is None:
            raise AWSError(
                "QueueDoesNotExist",
                "The specified queue does not exist.",
                query_code="AWS.SimpleQueueService.NonExistentQueue",
            )
        return queue

    def _new_message(self, body: str, now: datetime, visible_at: datetime) -> Message:
        self._messages += 1
        return Message(counted_uuid(_SERVICE_NUMBER, self._messages), body, now, visible_at)

    def _send(self, queue: _Queue, parameters: Mapping[str, Any]) -> dict[str, Any]:
        body = parameters["MessageBody"]
        delay = parameters.get("DelaySeconds", 0)
        check_body(body, queue.max_message_bytes)
        if not 0 <= delay <= MAX_DELAY_SECONDS:
            raise _invalid(f"Value {delay} for parameter DelaySeconds is invalid: 0 to {MAX_DELAY_SECONDS}.")
        now = self._now()
        message = self._new_message(body, now, now + timedelta(seconds=delay) if delay else now)
        queue.add(message)
        return {"MD5OfMessageBody": _md5(body), "MessageId": message.id}

    def _receive(self, queue: _Queue, parameters: Mapping[str, Any]) -> dict[str, Any]:
        most = parameters.get("MaxNumberOfMessages", 1)
        if not 1 <= most <= MAX_RECEIVED:
            raise _invalid(f"Value {most} for parameter MaxNumberOfMessages is invalid: 1 to {MAX_RECEIVED}.")
        wait = parameters.get("WaitTimeSeconds", 0)
        if not 0 <= wait <= MAX_WAIT_SECONDS:
            raise _invalid(f"Value {wait} for parameter WaitTimeSeconds is invalid: 0 to {MAX_WAIT_SECONDS}.")
        hidden = queue.visibility
        if "VisibilityTimeout" in parameters:
            hidden = _visibility(parameters["VisibilityTimeout"])
        wanted = _wanted_attributes(parameters)
        now = self._now()
        queue.drop_expired(now)
        visible = [each for each in queue.messages.values() if each.visible_at <= now]
        if self.choose is not None:
            visible = self.choose(visible)
        received: list[dict[str, Any]] = []
        for message in visible:
            if len(received) == most:
                break
            if queue.dead_letters is not None and message.receives >= queue.max_receives:
                del queue.messages[message.id]
                self._bury(message, queue, queue.dead_letters)
                continue
            received.append(self._hand_over(message, queue, now, hidden, wanted))
        return {"Messages": received} if received else {}

    def _bury(self, message: Message, source: _Queue, dead_letters: _Queue) -> None:
        """Moves a message to the dead-letter queue, where it keeps its id and the time it was sent first.

        "Setting-up dead-letter queue retention in Amazon SQS", developer guide.
        """
        message.source_arn = source.arn
        message.handle = None
        dead_letters.add(message)

    def _hand_over(
        self, message: Message, queue: _Queue, now: datetime, hidden: timedelta, wanted: set[str] | None
    ) -> dict[str, Any]:
        message.receives += 1
        message.visible_at = now + hidden
        message.received_at = now
        if message.first_received_at is None:
            message.first_received_at = now
        message.handle = f"AQEB/{queue.name}/{message.id}/{message.receives}"
        handed: dict[str, Any] = {
            "MessageId": message.id,
            "ReceiptHandle": message.handle,
            "MD5OfBody": _md5(message.body),
            "Body": message.body,
        }
        if wanted is None:
            handed["Attributes"] = message.attributes()
        elif wanted:
            attributes = {name: text for name, text in message.attributes().items() if name in wanted}
            if attributes:
                handed["Attributes"] = attributes
        return handed

    def _delete(self, queue: _Queue, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self._delete_by_handle(queue, parameters["ReceiptHandle"])
        return {}

    def _delete_by_handle(self, queue: _Queue, handle: str) -> None:
        """Deletes the message; with a handle of an earlier receive it says so too, and deletes nothing.

        "If you use an old ReceiptHandle, the request will succeed, but the message might not be deleted":
        here it never is, which is the case that a consumer has to bear.
        """
        message = self._told_by(queue, handle)
        if message is not None and message.handle == handle:
            del queue.messages[message.id]

    def _delete_batch(self, queue: _Queue, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return _each(
            parameters["Entries"], lambda entry: self._delete_by_handle(queue, entry["ReceiptHandle"])
        )

    def _change_visibility(self, queue: _Queue, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self._hide(queue, parameters["ReceiptHandle"], parameters["VisibilityTimeout"])
        return {}

    def _change_visibility_batch(self, queue: _Queue, parameters: Mapping[str, Any]) -> dict[str, Any]:
        def change(entry: Mapping[str, Any]) -> None:
            if entry.keys() - {"Id", "ReceiptHandle", "VisibilityTimeout"}:
                raise NotImplementedError(sorted(entry))
            self._hide(queue, entry["ReceiptHandle"], entry.get("VisibilityTimeout", 0))

        return _each(parameters["Entries"], change)

    def _hide(self, queue: _Queue, handle: str, seconds: int) -> None:
        hidden = _visibility(seconds)
        message = self._told_by(queue, handle)
        if message is None or message.handle != handle or message.received_at is None:
            raise _invalid(
                f"Value {handle} for parameter ReceiptHandle is invalid: no message is received by it."
            )
        now = self._now()
        if message.visible_at <= now:
            raise AWSError(
                "MessageNotInflight",
                "The specified message isn't in flight.",
                query_code="AWS.SimpleQueueService.MessageNotInflight",
            )
        if now + hidden - message.received_at > timedelta(seconds=MAX_VISIBILITY_SECONDS):
            raise _invalid(
                f"Value {seconds} for parameter VisibilityTimeout is invalid: over {MAX_VISIBILITY_SECONDS} "
                "seconds from the receive on."
            )
        message.visible_at = now + hidden

    def _told_by(self, queue: _Queue, handle: str) -> Message | None:
        """Returns the message of a handle, of whichever of its receives, while it is there."""
        told = _HANDLE.fullmatch(handle)
        if told is None or told["queue"] != queue.name:
            raise AWSError("ReceiptHandleIsInvalid", f"The input receipt handle {handle!r} is invalid.")
        queue.drop_expired(self._now())
        return queue.messages.get(told["message"])

    def _attributes(self, queue: _Queue, parameters: Mapping[str, Any]) -> dict[str, Any]:
        now = self._now()
        queue.drop_expired(now)
        kept = queue.messages.values()
        hidden = [each for each in kept if each.visible_at > now]
        delayed = sum(1 for each in hidden if each.received_at is None)
        shown = {
            "QueueArn": queue.arn,
            "ApproximateNumberOfMessages": str(len(kept) - len(hidden)),
            "ApproximateNumberOfMessagesNotVisible": str(len(hidden) - delayed),
            "ApproximateNumberOfMessagesDelayed": str(delayed),
            "VisibilityTimeout": str(queue.visibility // timedelta(seconds=1)),
            "MaximumMessageSize": str(queue.max_message_bytes),
            "MessageRetentionPeriod": str(queue.retention // timedelta(seconds=1)),
        }
        if queue.dead_letters is not None:
            shown["RedrivePolicy"] = json.dumps(
                {"deadLetterTargetArn": queue.dead_letters.arn, "maxReceiveCount": queue.max_receives}
            )
        wanted = parameters.get("AttributeNames", [])
        if "All" in wanted:
            return {"Attributes": shown}
        for name in wanted:
            if name not in shown and name != "RedrivePolicy":
                raise AWSError("InvalidAttributeName", f"Unknown Attribute {name}.")
        chosen = {name: shown[name] for name in wanted if name in shown}
        return {"Attributes": chosen} if chosen else {}


def check_body(body: str, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
    """Refuses a message that SendMessage refuses.

    Raises:
        AWSError: it is empty, too large, or has a character that SQS doesn't take.
    """
    if not body:
        raise AWSError("MissingParameter", "The request must contain the parameter MessageBody.")
    if _REFUSED_CHARACTER.search(body):
        raise AWSError("InvalidMessageContents", "Invalid binary character was found in the message body.")
    if len(body) > max_bytes or (not body.isascii() and len(body.encode()) > max_bytes):
        raise _invalid(
            f"One or more parameters are invalid. Reason: Message must be shorter than {max_bytes} bytes."
        )


def _each(entries: Sequence[Mapping[str, Any]], do: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
    """Does something for each entry of a batch; some may fail while others succeed."""
    _check_batch(entries)
    successful: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        try:
            do(entry)
        except AWSError as error:
            code = error.query_code or error.code
            failed.append({"Id": entry["Id"], "SenderFault": True, "Code": code, "Message": error.message})
        else:
            successful.append({"Id": entry["Id"]})
    return {"Successful": successful, "Failed": failed}


def _check_batch(entries: Sequence[Mapping[str, Any]]) -> None:
    if not entries:
        raise _batch_error("EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(entries) > MAX_BATCH_ENTRIES:
        raise _batch_error(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {MAX_BATCH_ENTRIES}. You have sent {len(entries)}.",
        )
    seen: set[str] = set()
    for entry in entries:
        if not _BATCH_ID.fullmatch(entry["Id"]):
            raise _batch_error(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can "
                f"be at most {MAX_BATCH_ID} letters long.",
            )
        if entry["Id"] in seen:
            raise _batch_error("BatchEntryIdsNotDistinct", f"Id {entry['Id']} repeated.")
        seen.add(entry["Id"])


def _wanted_attributes(parameters: Mapping[str, Any]) -> set[str] | None:
    """Returns the system attributes to tell; None for all."""
    if "MessageAttributeNames" in parameters and set(parameters["MessageAttributeNames"]) - {"All"}:
        raise NotImplementedError("message attributes: nobody here sends any")
    wanted = {*parameters.get("AttributeNames", ()), *parameters.get("MessageSystemAttributeNames", ())}
    if "All" in wanted:
        return None
    unknown = wanted - _SYSTEM_ATTRIBUTES
    if unknown:
        raise _invalid(f"Unknown Attribute {sorted(unknown)[0]}.")
    return wanted


def _visibility(seconds: int) -> timedelta:
    if not 0 <= seconds <= MAX_VISIBILITY_SECONDS:
        raise _invalid(
            f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and "
            f"{MAX_VISIBILITY_SECONDS}, if provided."
        )
    return timedelta(seconds=seconds)


def _invalid(message: str) -> AWSError:
    """InvalidParameterValue has no shape in the model; SQS answers it all the same ("Common Errors")."""
    return AWSError("InvalidParameterValue", message)


def _batch_error(code: str, message: str) -> AWSError:
    return AWSError(code, message, query_code=f"AWS.SimpleQueueService.{code}")


def _md5(body: str) -> str:
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def _milliseconds(at: datetime) -> str:
    return str(round(at.timestamp() * 1000))
