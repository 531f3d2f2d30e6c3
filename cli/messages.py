"""The messages that wait for a person, in quarantine and DLQs: why each is there, and acting on them."""

import base64
import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.text import Text

from bookings.clock import utc_text
from bookings.domain.booking import booking_id_of
from bookings.limits import SQS_BATCH_ENTRIES
from bookings.zoom.delivery import event_id_of
from cli.output import CommandError, WrongCallError, console, object_in, print_json, printable, progress
from cli.posting import Outcome, exit_code_of
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

_WAIT_SECONDS = 1  # asks all of SQS's servers; without it some messages are missed
_pause = time.sleep


@dataclass(frozen=True, slots=True)
class Message:
    """A message, its content if that is a JSON object, and what deletes it."""

    queue: str
    sqs: "MessageTypeDef" = field(repr=False)
    content: dict[str, Any] = field(repr=False)
    delete: Callable[[], None] = field(repr=False)

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
        body = object_in(self.delivery or b"")
        match body:
            case {"payload": {"object": {**booked}}}:
                email = booked.get("invitee_email")
                return booking_id_of(event_id_of(body or {}) or "", email if isinstance(email, str) else None)
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
            "queue": self.queue,
            "message_id": self.sqs["MessageId"],
            "booking_id": self.booking_id,
            "reason": self.reason,
            "errors": self.content.get("errors", []),
            "sent_at": utc_text(datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, UTC)),
            "receives": int(system["ApproximateReceiveCount"]),
        }
        content = self.content if body is None else object_in(body) or body.decode(errors="replace")
        return known | ({"content": content or self.sqs["Body"]} if whole else {})


@contextmanager
def waiting_messages(
    stack: Stack, queues: Iterable[str], ids: Collection[str] = (), limit: float = float("inf")
) -> Iterator[list[Message]]:
    """Yields the messages of some queues, hidden from other readers. At the end those left are visible again.

    Args:
        ids: the messages that are wanted, all if empty.
        limit: reads so many of each queue.

    Raises:
        CommandError: at the end, if some of the ids were not found.
    """
    sqs = stack.sqs()
    handles: dict[str, dict[str, str]] = {}
    found: list[Message] = []

    def delete(message_id: str) -> None:
        with stack.errors_explained("delete a message"):
            sqs.delete_message(**handles.pop(message_id))

    try:
        for queue in queues:
            url, seen = stack.output(QUEUES[queue]), 0
            while seen < limit:
                with progress(f"Reading {queue} …"), stack.errors_explained(f"read the messages of {queue}"):
                    received = sqs.receive_message(
                        QueueUrl=url,
                        MaxNumberOfMessages=int(min(SQS_BATCH_ENTRIES, limit - seen)),
                        WaitTimeSeconds=_WAIT_SECONDS,
                        VisibilityTimeout=_HIDDEN_SECONDS,
                        AttributeNames=["All"],
                        MessageAttributeNames=["All"],
                    ).get("Messages", [])
                new = [each for each in received if each["MessageId"] not in handles]
                for each in received:
                    handles[each["MessageId"]] = {"QueueUrl": url, "ReceiptHandle": each["ReceiptHandle"]}
                if not new:
                    break
                seen += len(new)
                found += [
                    Message(queue, each, object_in(each["Body"]) or {}, partial(delete, each["MessageId"]))
                    for each in new
                    if not ids or each["MessageId"] in ids
                ]
        yield found
    finally:
        for handle in handles.values():
            with suppress(BotoCoreError, ClientError):  # it is visible already, or will be in a moment
                sqs.change_message_visibility(**handle, VisibilityTimeout=0)
    if missing := set(ids).difference(each.sqs["MessageId"] for each in found):
        listed = ", ".join(sorted(missing))
        raise CommandError(f"Not among the first {limit} messages: {listed}. See `list`, or raise --limit.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions(StackOptions):
    """The options that select messages to read."""

    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID...", help="As `list` shows them; of DLQs also created, canceled or events."
        ),
    ] = None
    limit: Annotated[int, typer.Option(min=1, help="Read at most so many messages of a queue.")] = 100
    as_json: JsonOption = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActOptions(ReadOptions):
    """The options that select messages to act on."""

    everything: Annotated[bool, typer.Option("--all", help="Every message.")] = False
    per_second: Annotated[float, typer.Option(min=0.1, help="Act on at most so many a second.")] = 10


Action = Callable[[Message], tuple[Outcome, str]]
"""Returns the outcome, and a text that says it. An accepted or quarantined message is deleted."""


def message_commands(
    help_text: str, queues: Sequence[str], verb: str, verb_help: str, action_of: Callable[[Stack], Action]
) -> typer.Typer:
    """Returns the commands `list`, `show`, `drop`, and the verb that sends messages again."""
    app = typer.Typer(help=help_text, no_args_is_help=True, pretty_exceptions_enable=False)

    def chosen(options: ReadOptions) -> tuple[Sequence[str], set[str]]:
        """Returns the queues and the ids that the options name."""
        names = set(options.names or ())
        return [each for each in queues if each in names] or queues, names.difference(queues)

    def selected(stack: Stack, options: ReadOptions) -> AbstractContextManager[list[Message]]:
        return waiting_messages(stack, *chosen(options), options.limit)

    def act(stack: Stack, options: ActOptions, action: Action) -> None:
        if bool(chosen(options)[1]) == options.everything:
            raise WrongCallError("Say which: ID... or --all.")
        reports: list[dict[str, str]] = []
        # All are read before the first action: a replayed delivery may come into quarantine again.
        with selected(stack, options) as messages:
            for message in messages:
                with progress(f"{len(reports) + 1} of {len(messages)} …"):
                    outcome, detail = action(message)
                    if outcome in (Outcome.ACCEPTED, Outcome.QUARANTINED):
                        message.delete()
                    _pause(1 / options.per_second)
                reports.append({"message_id": message.sqs["MessageId"], "outcome": outcome, "detail": detail})
                if not options.as_json:
                    console().print(Text(printable(f"{message.sqs['MessageId']}: {detail}")), soft_wrap=True)
            if options.as_json:
                print_json(reports)
        raise typer.Exit(exit_code_of(report["outcome"] for report in reports))

    @app.command("list")
    @command
    def list_messages(options: ReadOptions) -> None:
        """List why each message is there. Each is hidden from other readers meanwhile, for 30 s at most.

        Exit code 0 if they could be read, 1 if not, 2 for a wrong call.
        """
        with selected(options.find(), options) as messages:
            found = [message.as_dict(whole=False) for message in messages]
        if options.as_json:
            print_json(found)
            return
        for each in found:
            errors = "".join(f"\n  {error['field']} {error['message']}" for error in each["errors"])
            head = "{message_id} in {queue} since {sent_at}, received {receives} x\n  {reason}".format(**each)
            booking = f"\n  booking {each['booking_id'] or 'unknown'}"
            console().print(Text(printable(head + errors + booking)), soft_wrap=True)
        console().print(f"Messages: {len(found)}. Each was hidden from other readers for a moment.")

    @app.command()
    @command
    def show(options: ReadOptions) -> None:
        """Print messages whole, as JSON, with the delivery or the event in each.

        Exit code 0 if they are there, 1 if not, 2 for a wrong call.
        """
        with selected(options.find(), options) as messages:
            print_json([message.as_dict(whole=True) for message in messages])

    @app.command(verb, help=verb_help)
    @command
    def send_again(options: ActOptions) -> None:
        stack = options.find()
        act(stack, options, action_of(stack))

    @app.command()
    @command
    def drop(options: ActOptions, yes: YesOption = False) -> None:
        """Delete messages for good.

        Exit code 0 if all were deleted, 1 if not, 2 for a wrong call.
        """
        stack = options.find()
        names, ids = chosen(options)
        stack.confirm(f"Delete {', '.join(ids) or 'all messages'} of {', '.join(names)} in", yes=yes)
        act(stack, options, lambda _: (Outcome.ACCEPTED, "deleted"))

    return app
