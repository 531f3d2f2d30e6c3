"""Zoom as a sender: it signs, waits three seconds, tries again after 5, 20 and 60 minutes, then gives up.

What it gave up stands in its delivery log, from which an operator feeds it through the same door.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bookings.zoom.signature import sign
from tests.simulation.histories import Webhook
from tests.simulation.lambdas import Function, Surroundings

PATIENCE_SECONDS = 3.0
RETRIES_AFTER_SECONDS = (300.0, 1_200.0, 3_600.0)
SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Answered:
    """One attempt's end, as the sender saw it.

    Attributes:
        status: None where no answer came in time, or the connection was refused.
        seconds: how long the function took to answer; None where it did not.
    """

    webhook: Webhook
    secret: str
    status: int | None
    body: str | None = None
    seconds: float | None = None


class Zoom:
    """Sends webhooks.

    Attributes:
        secret: what it signs with now.
        endpoint_down: from when until when nobody answers at all.
        gave_up: what was never answered well.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        function: Function,
        secret: str,
        answered: Callable[[Answered], None],
    ) -> None:
        self._surroundings = surroundings
        self._function = function
        self._answered = answered
        self.secret = secret
        self.endpoint_down = (0.0, 0.0)
        self.gave_up: list[Webhook] = []

    def send(self, webhook: Webhook) -> None:
        """Sends a webhook at its time, and again as long as it must and may."""
        self._surroundings.timeline.after(webhook.sent_at, lambda: self._attempt(webhook, 0))

    def post(self, webhook: Webhook, secret: str, then: Callable[[Answered], None]) -> None:
        """Sends one request, signed now."""
        around = self._surroundings
        if around.trace:
            around.trace("zoom", f"posts {webhook.body[:60]!r}… {webhook.request_id}")
        started = around.timeline.seconds
        if self.endpoint_down[0] <= started < self.endpoint_down[1]:
            then(Answered(webhook, secret, None))
            return
        done = False

        def end(response: Any, failed: bool) -> None:
            nonlocal done
            seconds = None if failed else around.timeline.seconds - started
            if done:
                return
            done = True
            status = SERVER_ERROR if failed else response["statusCode"]
            body = None if failed else response.get("body")
            if around.trace:
                around.trace("zoom", f"{webhook.request_id} is answered {status}")
            then(Answered(webhook, secret, status, body, seconds))

        def hang_up() -> None:
            nonlocal done
            if not done:
                done = True
                if around.trace:
                    around.trace("zoom", f"{webhook.request_id} is not answered in time")
                then(Answered(webhook, secret, None))

        around.timeline.after(PATIENCE_SECONDS, hang_up)
        self._function.invoke(self._event(webhook, secret), end)

    def _attempt(self, webhook: Webhook, number: int) -> None:
        def then(answer: Answered) -> None:
            self._answered(answer)
            if answer.status is not None and answer.status < SERVER_ERROR:
                if answer.status >= 300:
                    self.gave_up.append(webhook)
            elif number < len(RETRIES_AFTER_SECONDS):
                self._surroundings.timeline.after(
                    RETRIES_AFTER_SECONDS[number], lambda: self._attempt(webhook, number + 1)
                )
            else:
                self.gave_up.append(webhook)

        self.post(webhook, self.secret, then)

    def _event(self, webhook: Webhook, secret: str) -> dict[str, Any]:
        """Returns the request as the HTTP API hands it over, payload format 2.0."""
        timestamp = str(int(self._surroundings.timeline.now().timestamp()))
        encoded = self._surroundings.random.random() < 0.1
        return {
            "version": "2.0",
            "headers": {
                "content-type": "application/json; charset=utf-8",
                "x-zm-request-id": webhook.request_id,
                "x-zm-request-timestamp": timestamp,
                "x-zm-signature": sign(secret, timestamp, webhook.body),
            },
            "body": base64.b64encode(webhook.body).decode() if encoded else webhook.body.decode(),
            "isBase64Encoded": encoded,
        }


def quarantined_body(message: str) -> bytes:
    """Returns the body in a quarantine message."""
    return base64.b64decode(json.loads(message)["body_base64"], validate=True)
