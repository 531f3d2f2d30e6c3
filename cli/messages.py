"""The messages that wait for a person, in quarantine and DLQs: why each is there, and acting on them."""

import base64
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer
from rich.text import Text

from bookings.clock import utc_text
from bookings.domain.booking import booking_id_of
from bookings.limits import SQS_BATCH_ENTRIES
from bookings.zoom.delivery import event_id_of
from cli.output import CommandError, WrongCallError, console, print_json, printable, progress
from cli.posting import ONLY_IN_QUARANTINE, Outcome
from cli.stack import JsonOption, Stack, StackOptions, YesOption, command

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

QUEUES = {
    "quarantine": "QuarantineQueueUrl",
    "created": "BookingCreatedDLQUrl",
    "canceled": "BookingCanceledDLQUrl",
    "events": "BookingEventsDLQUrl",
}
"""The stack's output of each queue, by its name in the commands."""

_HIDDEN_SECONDS = 30  # a killed command leaves messages hidden for so long

_pause = time.sleep


class WaitingMessages:
    """A queue that is read within a `with` block. At its end messages that are left are visible again."""

    def __init__(self, stack: Stack, queue: str) -> None:
        self._stack, self.queue, self._client = stack, queue, stack.sqs()
        self._url = stack.output(QUEUES[queue])
        self._handles: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack.errors_explained(f"make the messages of {self.queue} visible again"):
            for handle in self._handles.values():
                self._client.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=handle, VisibilityTimeout=0
                )

    def read(self, limit: float = float("inf")) -> "Iterator[Message]":
        """Yields each message once, and hides it from other readers."""
        seen: set[str] = set()
        while len(seen) < limit:
            with self._stack.errors_explained(f"receive the messages of {self.queue}"):
                received = self._client.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=int(min(SQS_BATCH_ENTRIES, limit - len(seen))),
                    WaitTimeSeconds=1,  # asks all of SQS's servers; without it some messages are missed
                    VisibilityTimeout=_HIDDEN_SECONDS,
                    AttributeNames=["All"],
                    MessageAttributeNames=["All"],
                ).get("Messages", [])
            self._handles |= {each["MessageId"]: each["ReceiptHandle"] for each in received}
            new = [each for each in received if each["MessageId"] not in seen]
            if not new:
                return
            seen |= {each["MessageId"] for each in new}
            yield from (Message(self, each, json_object(each["Body"])) for each in new)

    def delete(self, message_id: str) -> None:
        handle = self._handles.pop(message_id)
        with self._stack.errors_explained(f"delete a message of {self.queue}"):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=handle)


@dataclass(frozen=True, slots=True)
class Message:
    """A message, and its content if that is a JSON object."""

    waiting: WaitingMessages
    sqs: "MessageTypeDef" = field(repr=False)
    content: dict[str, Any] = field(repr=False)

    @property
    def message_id(self) -> str:
        return self.sqs["MessageId"]

    @property
    def delivery(self) -> bytes | None:
        """Zoom's delivery in it: of the quarantine as it came, of a DLQ the JSON of it."""
        match self.content:
            case {"body_base64": str(encoded)}:
                return base64.b64decode(encoded)
            case {"detail": dict(detail)}:
                return json.dumps(detail, ensure_ascii=False).encode()
        return None

    @property
    def booking_id(self) -> str | None:
        """The booking it is about. A delivery without event id or e-mail has the key of the empty one."""
        body = json_object(self.delivery or b"")
        match body:
            case {"payload": {"object": {"invitee_email": str(email)}}}:
                return booking_id_of(event_id_of(body) or "", email)
            case {"payload": _}:
                return booking_id_of(event_id_of(body) or "", None)
        return self.content.get("booking_id")

    @property
    def reason(self) -> str:
        attributes = self.sqs.get("MessageAttributes", {})
        if "ERROR_CODE" in attributes:
            values = [attributes[name]["StringValue"] for name in sorted(attributes) if "ERROR_" in name]
            return f"not delivered by its rule: {', '.join(values)}"
        if "DDBStreamBatchInfo" in self.content:
            return "given up by the stream; only positions of records are left"
        words = [self.content[name] for name in ("reason", "error") if name in self.content]
        return ": ".join(words) or "given up by its handler, whose log has the cause"

    def as_dict(self, *, whole: bool) -> dict[str, Any]:
        """Returns why it waits, without personal data unless it is wanted whole."""
        system, body = self.sqs["Attributes"], self.delivery
        known = {
            "queue": self.waiting.queue,
            "message_id": self.message_id,
            "booking_id": self.booking_id,
            "reason": self.reason,
            "errors": self.content.get("errors", []),
            "sent_at": utc_text(datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, UTC)),
            "receives": int(system["ApproximateReceiveCount"]),
        }
        if whole and body is not None:
            known["delivery"] = json_object(body) or body.decode(errors="replace")
        elif whole:
            known["content"] = self.content or self.sqs["Body"]
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions(StackOptions):
    """The options that select messages to read."""

    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...",
            help="Messages, as `list` shows them; of DLQs also created, canceled or events.",
        ),
    ] = None
    limit: Annotated[int, typer.Option(min=1, help="Read at most so many messages of a queue.")] = 100
    as_json: JsonOption = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActOptions(ReadOptions):
    """The options that select messages to act on."""

    everything: Annotated[bool, typer.Option("--all", help="Every message.")] = False
    per_second: Annotated[float, typer.Option(min=0.1, help="Act on at most so many a second.")] = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DropOptions(ActOptions):
    """The options that select messages to delete."""

    yes: YesOption = False


Action = Callable[[Message], tuple[Outcome, str]]
"""Returns the outcome, and a text that says it. An accepted or quarantined message is deleted."""


def message_commands(
    help_text: str, queues: Sequence[str], verb: str, verb_help: str, action_of: Callable[[Stack], Action]
) -> typer.Typer:
    """Returns the commands `list`, `show`, `drop`, and the verb that sends messages again."""
    app = typer.Typer(help=help_text, no_args_is_help=True, pretty_exceptions_enable=False)

    @app.command("list")
    @command
    def list_messages(options: ReadOptions) -> None:
        """List why each message is there. Each is hidden from other readers meanwhile, for 30 s at most.

        Exit code 0 if they could be read, 1 if not, 2 for a wrong call.
        """
        with _selected(options.find(), options, queues) as messages:
            found = [message.as_dict(whole=False) for message in messages]
            if options.as_json:
                print_json(found)
                return
            for each in found:
                head = f"{each['message_id']} in {each['queue']} since {each['sent_at']}, "
                lines = [
                    f"{head}received {each['receives']} times",
                    each["reason"],
                    *(f"{error['field']} {error['message']}" for error in each["errors"]),
                    f"booking {each['booking_id'] or 'unknown'}",
                ]
                console().print(Text(printable("\n  ".join(lines))), soft_wrap=True)
            console().print(f"Messages: {len(found)}. Each was hidden from other readers for a moment.")

    @app.command()
    @command
    def show(options: ReadOptions) -> None:
        """Print messages whole, as JSON, with the delivery or the event in each.

        Exit code 0 if they are there, 1 if not, 2 for a wrong call.
        """
        with _selected(options.find(), options, queues) as messages:
            print_json([message.as_dict(whole=True) for message in messages])

    @app.command(verb, help=verb_help)
    @command
    def send_again(options: ActOptions) -> None:
        stack = options.find()
        _act(stack, options, queues, action_of(stack))

    @app.command()
    @command
    def drop(options: DropOptions) -> None:
        """Delete messages for good.

        Exit code 0 if all were deleted, 1 if not, 2 for a wrong call.
        """
        stack = options.find()
        stack.confirm(
            f"Delete {' '.join(options.names or ['all'])} ({', '.join(queues)}) in", yes=options.yes
        )
        _act(stack, options, queues, lambda _: (Outcome.ACCEPTED, "deleted"))

    return app


@contextmanager
def _selected(stack: Stack, options: ReadOptions, queues: Sequence[str]) -> Iterator[list[Message]]:
    """Yields the messages that the options name. At the end those that are left are visible again.

    Raises:
        CommandError: at the end, if some were not found.
    """
    names = set(options.names or ())
    ids = names.difference(queues)
    found: list[Message] = []
    with ExitStack() as at_end:
        for queue in [each for each in queues if each in names] or queues:
            waiting = at_end.enter_context(WaitingMessages(stack, queue))
            with progress(f"Reading {queue} …"):
                found += [each for each in waiting.read(options.limit) if not ids or each.message_id in ids]
        yield found
    if missing := ids.difference(each.message_id for each in found):
        raise CommandError(
            f"Not among the first {options.limit} messages: {', '.join(sorted(missing))}. See `list`, or raise "
            "--limit."
        )


def _act(stack: Stack, options: ActOptions, queues: Sequence[str], action: Action) -> None:
    """Acts on the messages that the options name, deletes what is taken, and prints each outcome."""
    if bool(set(options.names or ()).difference(queues)) == options.everything:
        raise WrongCallError("Say which: ID... or --all.")
    reports: list[dict[str, str]] = []
    # All are read before the first action: a replayed delivery may come into quarantine again.
    with _selected(stack, options, queues) as messages:
        for message in messages:
            with progress(f"{len(reports) + 1} of {len(messages)} …"):
                outcome, detail = action(message)
                if outcome in (Outcome.ACCEPTED, Outcome.QUARANTINED):
                    message.waiting.delete(message.message_id)
                _pause(1 / options.per_second)
            reports.append({"message_id": message.message_id, "outcome": outcome, "detail": detail})
            if not options.as_json:
                console().print(Text(printable(f"{message.message_id}: {detail}")), soft_wrap=True)
        if options.as_json:
            print_json(reports)
    outcomes = {report["outcome"] for report in reports}
    if outcomes & {Outcome.REFUSED, Outcome.NO_ANSWER}:
        raise typer.Exit(1)
    if Outcome.QUARANTINED in outcomes:
        raise typer.Exit(ONLY_IN_QUARANTINE)


def json_object(text: str | bytes) -> dict[str, Any]:
    """Returns the object in a text, an empty one if there is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
