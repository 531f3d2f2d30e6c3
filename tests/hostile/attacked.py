"""The door with somebody in front of it who doesn't know the secret, and the judgement of each answer."""

import json
from collections.abc import Mapping
from typing import Any

from bookings.counts import Count
from bookings.use_cases.answers import Answer
from tests.door import Door
from tests.hostile.gateway import Event, app, is_authentic, raw_body, signed_event
from tests.samples import created, raw

UNAUTHORIZED, TOO_LARGE = 401, 413
MAX_BODY_BYTES = 720_000
REFRESH_SECONDS = 60

REFUSALS = {
    "x-zm-signature and x-zm-request-timestamp are both needed.",
    "x-zm-request-timestamp must be epoch seconds, ten digits.",
    "x-zm-signature must be v0= and 64 lower-case hex digits.",
    "x-zm-request-timestamp must be within 300 s of now.",
    "the body is not valid base64.",
    "the signature does not match the body and the timestamp.",
    "A body may have 720,000 bytes.",
}
"""All that somebody without the secret is ever told: fixed texts, made of nothing that was sent."""

_PROBLEM = {
    UNAUTHORIZED: {"type": "about:blank", "title": "Unauthorized", "status": 401},
    TOO_LARGE: {"type": "about:blank", "title": "Content Too Large", "status": 413},
}
_COUNTED = {
    UNAUTHORIZED: {Count.SIGNATURE_MALFORMED, Count.SIGNATURE_MISMATCH},
    TOO_LARGE: {Count.TOO_LARGE},
}


class Breach(AssertionError):
    """The door did for somebody without the secret what it may do only for Zoom."""


class AttackedDoor:
    """Takes requests as the gateway hands them over, and fails on any answer that is not the contract's.

    Attributes:
        refused, accepted: how many requests were.
    """

    def __init__(self) -> None:
        self.door = Door()
        self.door.warm()
        self.refused = self.accepted = 0
        self._began = self.door.clock.monotonic()
        self._known_refusals: dict[str, int] = {}

    def post(self, event: Event) -> Answer:
        """Posts a request; accepted is exactly what is authentic by the contract.

        Raises:
            Breach: a forgery was accepted, answered 5xx, told something or cost a call; or what is authentic
                was refused. Whatever else the door lets escape.
        """
        door = self.door
        door.counts.all.clear()
        before = door.service_calls
        # What the function does inside its catch, so that an error nobody thought of is seen as it was.
        answer = door.receiver.receive(app.to_request(event))
        status = int(answer.status)
        body = raw_body(event)
        too_large = body is not None and len(body) > MAX_BODY_BYTES
        if not too_large and is_authentic(event, door.clock.now()):
            _demand(status in (200, 204, 400), f"{status} to an authentic request", event)
            self.accepted += 1
            door.bus.published.clear()
            door.quarantine.messages.clear()
            return answer
        expected = TOO_LARGE if too_large else UNAUTHORIZED
        _demand(status == expected, f"{status} to a forgery, not {expected}", event)
        _demand(self._tells_nothing(answer, expected), f"told a forger {answer.body}", event)
        _demand(door.service_calls == before, "a forgery cost a call", event)
        counted = dict(door.counts.all)
        _demand(
            len(counted) == 1 and counted.keys() <= _COUNTED[expected] and [*counted.values()] == [1],
            f"a forgery was counted as {counted}",
            event,
        )
        self.refused += 1
        return answer

    def check_refreshes(self) -> None:
        """Fails if Secrets Manager was asked more than once a minute, whatever came.

        Raises:
            Breach: it was.
        """
        minutes = (self.door.clock.monotonic() - self._began) / REFRESH_SECONDS
        if self.door.secret.calls > minutes + 1:
            raise Breach(f"{self.door.secret.calls} reads of the secret in {minutes:.1f} minutes")

    def _tells_nothing(self, answer: Answer, status: int) -> bool:
        text = answer.body or ""
        if self._known_refusals.get(text) == status:
            return True
        problem: Mapping[str, Any] = json.loads(text)
        told = dict(problem)
        if answer.content_type != "application/problem+json" or told.pop("detail") not in REFUSALS:
            return False
        self._known_refusals[text] = status
        return told == _PROBLEM[status]

    def is_still_open(self) -> bool:
        """Whether Zoom's own requests are taken, so that a door that is shut isn't taken for a safe one."""
        answer = self.door.receiver.receive(
            app.to_request(signed_event(raw(created()), self.door.clock.now()))
        )
        taken = int(answer.status) == 200 and len(self.door.bus.published) == 1
        self.door.bus.published.clear()
        return taken


def _demand(holds: bool, otherwise: str, event: Event) -> None:
    if not holds:
        shown = {**event, "body": (event.get("body") or "")[:2000]}
        raise Breach(f"{otherwise}: {shown!r}")
