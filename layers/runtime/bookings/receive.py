"""A request at the door becomes an event on the bus, or in a queue, or a reasoned refusal.

This is all the webhook does: verify, validate, publish. It knows no bookings.
"""

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from bookings.answers import JSON, Answer, problem
from bookings.clock import Clock, Deadline
from bookings.counts import Count, Counter
from bookings.envelope import DELIVERIES, Envelope, source_for, valid_request_id
from bookings.errors import BookingsError
from bookings.field_errors import FieldError
from bookings.limits import PREPARATION_SECONDS, REQUEST_SECONDS
from bookings.live_secrets import LiveSecrets, SecretUnavailable
from bookings.publish import Publisher
from bookings.quarantine import MAX_ERRORS, Quarantine, quarantine_message
from bookings.services import RefusedByService, ServiceError
from bookings.zoom.body import BodyError, parse_body
from bookings.zoom.challenge import URL_VALIDATION, ChallengeRefused, answer_challenge
from bookings.zoom.delivery import (
    EVENT_ID_FIELD,
    EVENT_TIME_FIELD,
    Identity,
    NoEventId,
    event_id_of,
    identify,
)
from bookings.zoom.events import CANCELED, CREATED, InvalidEvent
from bookings.zoom.signature import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    SignatureError,
    SignatureMismatch,
    check_form,
    verify,
)

MAX_BODY_BYTES = 720_000  # in base64 it still fits a queue message, 1 MiB, with what is written beside it
MAX_AHEAD = timedelta(days=1)  # of an event's time

REQUEST_ID_HEADER = "x-zm-request-id"
SCHEDULER_EVENTS = "scheduler."

# A detail type holds 128 characters.
_EVENT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came.

    Attributes:
        headers: names in lower case; a header that came twice has its values joined by commas.
        body: the raw bytes, base64 undone; None where the base64 was broken.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


class _Unusable(BookingsError):
    """The body is authentic and can't be used: to quarantine, then 400."""

    def __init__(self, reason: str, *errors: FieldError) -> None:
        super().__init__(reason)
        self.reason = reason
        self.errors = list(errors[:MAX_ERRORS])


class Receiver:
    """Answers requests, one at a time."""

    def __init__(
        self,
        *,
        secrets: LiveSecrets,
        publisher: Publisher,
        quarantine: Quarantine,
        tolerance_seconds: int,
        clock: Clock,
        count: Counter,
    ) -> None:
        self._secrets = secrets
        self._publisher = publisher
        self._quarantine = quarantine
        self._tolerance_seconds = tolerance_seconds
        self._clock = clock
        self._count = count

    def prepare(self) -> None:
        """Reads the secrets before the first request. Errors are ignored: that request reads them again."""
        with contextlib.suppress(Exception):
            self._secrets.values(Deadline(self._clock, PREPARATION_SECONDS))

    def receive(self, request: Request) -> Answer:
        """Returns the answer to a request; a 2xx to an event only once it is durable."""
        deadline = Deadline(self._clock, REQUEST_SECONDS)
        if request.body is not None and len(request.body) > MAX_BODY_BYTES:
            self._count(Count.TOO_LARGE)
            return problem(
                HTTPStatus.CONTENT_TOO_LARGE,
                f"A body may have {MAX_BODY_BYTES:,} bytes.",
                log={"outcome": "too_large"},
            )
        try:
            secret, body = self._authentic(request, deadline)
        except SignatureError as error:
            mismatch = isinstance(error, SignatureMismatch)
            self._count(Count.SIGNATURE_MISMATCH if mismatch else Count.SIGNATURE_MALFORMED)
            return problem(
                HTTPStatus.UNAUTHORIZED,
                f"{error}.",
                log={"outcome": "refused", "reason": type(error).__name__},
            )
        except SecretUnavailable:
            self._count(Count.NOTHING_TO_VERIFY_WITH)
            return unavailable("secret_unavailable")
        request_id = valid_request_id(request.headers.get(REQUEST_ID_HEADER))
        log = {"zoom_request_id": request_id} if request_id else {}
        try:
            return self._answer(body, request, secret, deadline, log)
        except ServiceError as error:
            self._count(Count.NOT_DURABLE)
            return unavailable("not_durable", log | {"reason": str(error)})

    def _authentic(self, request: Request, deadline: Deadline) -> tuple[str, bytes]:
        """Returns the secret that signed the request, and its body."""
        signature, timestamp = check_form(
            request.headers.get(SIGNATURE_HEADER),
            request.headers.get(TIMESTAMP_HEADER),
            self._clock.now(),
            self._tolerance_seconds,
        )
        if request.body is None:
            raise SignatureMismatch("the body is not valid base64")
        try:
            return verify(self._secrets.values(deadline), signature, timestamp, request.body), request.body
        except SignatureMismatch:
            # The secret may have been changed since it was read.
            if not self._secrets.refresh(deadline):
                if self._secrets.may_be_outdated:
                    # A 401 would lose what a new secret signed: Zoom never sends it again.
                    raise SecretUnavailable("the secrets may be outdated") from None
                raise
        return verify(self._secrets.values(deadline), signature, timestamp, request.body), request.body

    def _answer(
        self, raw: bytes, request: Request, secret: str, deadline: Deadline, log: dict[str, str]
    ) -> Answer:
        """Returns the answer to an authentic request, and notes in `log` what is known of it by then."""
        try:
            body = parse_body(raw)
            name = body.get("event")
            if not isinstance(name, str) or not name.strip():
                raise _Unusable(
                    "invalid_event", FieldError(field="event", message="must be the name of an event")
                )
            if name == URL_VALIDATION:
                return self._answer_challenge(body, secret, log)
            if not name.startswith(SCHEDULER_EVENTS):
                self._count(Count.OTHER_PRODUCT)
                return Answer(HTTPStatus.NO_CONTENT, log=log | {"outcome": "other_product"})
            if not _EVENT_NAME.fullmatch(name):
                raise _Unusable(
                    "invalid_event", FieldError(field="event", message=f"must match {_EVENT_NAME.pattern}")
                )
            log["zoom_event"] = name
            envelope = Envelope(
                source=source_for(DELIVERIES, event_id_of(body)),
                detail_type=name,
                detail=raw.decode(),
                request_id=log.get("zoom_request_id"),
            )
            if name in (CREATED, CANCELED):
                log["booking_id"] = self._checked(body).booking_id
                log["outcome"] = self._publish(envelope, raw, request, deadline)
            else:
                log["outcome"] = self._publish_unknown(envelope, raw, request, deadline)
            return Answer(HTTPStatus.OK, JSON, envelope.detail, log)
        except (BodyError, _Unusable) as error:
            problems = (
                error.errors if isinstance(error, _Unusable) else [FieldError(field="", message=str(error))]
            )
            reason = error.reason if isinstance(error, _Unusable) else "invalid_body"
            self._quarantine_delivery(reason, problems, raw, request, deadline)
            return problem(
                HTTPStatus.BAD_REQUEST,
                "The delivery is authentic but can't be used; it was put into quarantine.",
                errors=problems,
                log=log | {"outcome": "quarantined", "reason": reason},
            )

    def _answer_challenge(self, body: dict[str, Any], secret: str, log: dict[str, str]) -> Answer:
        try:
            content = json.dumps(answer_challenge(body, secret))
        except ChallengeRefused as error:
            self._count(Count.CHALLENGE_REFUSED)
            return problem(HTTPStatus.BAD_REQUEST, f"{error}.", log=log | {"outcome": "challenge_refused"})
        self._count(Count.CHALLENGE_ANSWERED)
        return Answer(HTTPStatus.OK, JSON, content, log | {"outcome": "challenge_answered"})

    def _checked(self, body: dict[str, Any]) -> Identity:
        """Returns what the event in the body is about, checked as its handler will need it."""
        try:
            identity = identify(body)
        except InvalidEvent as error:
            raise _Unusable("invalid_event", *error.errors) from None
        except NoEventId as error:
            raise _Unusable("no_event_id", FieldError(field=EVENT_ID_FIELD, message=str(error))) from None
        latest = (self._clock.now() + MAX_AHEAD).timestamp() * 1000
        if identity.event_time > latest:
            raise _Unusable(
                "event_from_the_future",
                FieldError(field=EVENT_TIME_FIELD, message="must be at most a day ahead"),
            )
        return identity

    def _publish(self, envelope: Envelope, raw: bytes, request: Request, deadline: Deadline) -> str:
        try:
            self._publisher.publish(envelope, deadline)
        except RefusedByService as error:
            # Zoom's retries would be refused as well, and then it would be gone.
            return self._quarantine_unpublished(error, raw, request, deadline)
        self._count(Count.DELIVERY_PUBLISHED)
        return "published"

    def _publish_unknown(self, envelope: Envelope, raw: bytes, request: Request, deadline: Deadline) -> str:
        try:
            self._publisher.publish_to_bus(envelope, deadline)
        except ServiceError as error:
            return self._quarantine_unpublished(error, raw, request, deadline)
        self._count(Count.UNKNOWN_EVENT_PUBLISHED)
        return "published"

    def _quarantine_unpublished(
        self, error: ServiceError, raw: bytes, request: Request, deadline: Deadline
    ) -> str:
        problems = [FieldError(field="", message=str(error))]
        self._quarantine_delivery("not_published", problems, raw, request, deadline)
        return "quarantined"

    def _quarantine_delivery(
        self, reason: str, errors: list[FieldError], raw: bytes, request: Request, deadline: Deadline
    ) -> None:
        message = quarantine_message(
            reason=reason,
            errors=errors,
            received_at=self._clock.now(),
            body=raw,
            request_id=request.headers.get(REQUEST_ID_HEADER),
            timestamp=request.headers.get(TIMESTAMP_HEADER),
            signature=request.headers.get(SIGNATURE_HEADER),
        )
        self._quarantine.send(message, deadline)
        self._count(Count.QUARANTINED)


def unavailable(outcome: str, log: Mapping[str, str] | None = None) -> Answer:
    """Returns the answer that makes Zoom try again; it gives no detail away."""
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The delivery could not be taken now; please send it again.",
        log={**(log or {}), "outcome": outcome},
    )
