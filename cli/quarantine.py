"""`bookings quarantine`: the deliveries that Zoom signed and the stack could not use."""

from bookings.envelope import valid_request_id
from cli.messages import Action, Message, message_commands
from cli.output import CommandError
from cli.posting import Outcome, post
from cli.stack import Stack

_REPLAY = """Post deliveries to the webhook, signed now. A taken message is deleted.

One that is still unusable is in quarantine again, as a new message. A replay is safe at any time.

Exit codes: 0 if all were accepted, 3 if some are in quarantine again, 1 if some stay, 2 for a wrong call.
"""


def _replay(stack: Stack) -> Action:
    url, secret = stack.webhook_url, stack.secret()
    said = {Outcome.ACCEPTED: "accepted", Outcome.QUARANTINED: "still unusable, in quarantine again"}

    def replay(message: Message) -> tuple[Outcome, str]:
        request_id = valid_request_id(message.content.get("request_id"))
        try:
            sent = post(url, message.delivery or b"", secret, request_id=request_id)
        except CommandError as error:
            return Outcome.NO_ANSWER, f"stays: {error}"
        return sent.outcome, f"{sent.status}, {said.get(sent.outcome, 'stays')}"

    return replay


app = message_commands(
    "Deliveries that Zoom signed and the stack could not use.", ["quarantine"], "replay", _REPLAY, _replay
)
