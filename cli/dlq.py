"""`bookings dlq`: the three dead-letter queues."""

import json

from bookings.envelope import Envelope, MalformedEnvelope, parse_message
from cli.announce import booking_bus
from cli.messages import Action, Message, message_commands
from cli.posting import Outcome
from cli.stack import Stack

_REDRIVE = """Send deliveries to their handler again, and publish events again. A taken message is deleted.

Mend the cause first. A redrive is safe at any time. A message that holds no event stays: `bookings announce`
publishes its booking.

Exit code 0 if all were taken, 1 if some stay, 2 for a wrong call.
"""


def _redrive(stack: Stack) -> Action:
    sqs, bus = stack.sqs(), booking_bus(stack)

    def redrive(message: Message) -> tuple[Outcome, str]:
        if message.queue == "events":
            return publish(message)
        url = stack.output(f"Booking{message.queue.title()}QueueUrl")
        with stack.errors_explained("send a message to its handler"):
            sqs.send_message(QueueUrl=url, MessageBody=message.sqs["Body"])
        return Outcome.ACCEPTED, "sent to its handler"

    def publish(message: Message) -> tuple[Outcome, str]:
        try:
            event = parse_message(json.dumps(message.content.get("event")))
        except MalformedEnvelope:
            which = f"-- {message.booking_id}" if message.booking_id else "--updated-since 2d"
            return Outcome.REFUSED, f"stays, as it holds no event: `bookings announce {which}`, then drop it"
        detail = json.dumps(event.detail, ensure_ascii=False, sort_keys=True)
        [error] = bus.publish_all([Envelope(event.source, event.detail_type, detail, event.request_id)])
        return (Outcome.REFUSED, f"stays: {error}") if error else (Outcome.ACCEPTED, "published")

    return redrive


app = message_commands(
    "Deliveries and events that were given up, in three DLQs: created, canceled and events.",
    ["created", "canceled", "events"],
    "redrive",
    _REDRIVE,
    _redrive,
)
