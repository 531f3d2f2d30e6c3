"""Receives a delivery: verifies, validates and publishes it. It knows no bookings."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from bookings.clock import Clock, Deadline
from bookings.counts import Count, Counter
from bookings.envelope import CHECK_EVENT_ID_PREFIX, DELIVERIES, Envelope, source_for, valid_request_id
from bookings.errors import BookingsError, FieldError, RefusedByService, ServiceError
from bookings.limits import (
    CALL_SECONDS,
    MAX_BODY_BYTES,
    MAX_EVENT_AHEAD,
    MAX_QUARANTINE_ERRORS,
    REQUEST_SECONDS,
)
from bookings.use_cases.answers import JSON, Answer, problem
from bookings.use_cases.live_secrets import SecretUnavailable
from bookings.use_cases.ports import Destination, MessageQueue
from bookings.use_cases.publish import Publisher, publish_to
from bookings.use_cases.quarantine import quarantine_message
from bookings.use_cases.verify import Verifier
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
from bookings.zoom.events import SCHEDULER_PREFIX, InvalidEvent
from bookings.zoom.signature import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    SignatureError,
    SignatureMismatch,
)

REQUEST_ID_HEADER = "x-zm-request-id"

_EVENT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")  # EventBridge's limit for a detail type


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request.

    Attributes:
        headers: names in lower case. The values of a repeated header are joined by commas.
        body: the raw bytes, decoded from base64. None if the base64 was broken.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


class _Unusable(BookingsError):
    """The delivery is authentic but can't be used. It goes to quarantine, then the answer is 400."""

    def __init__(self, reason: str, *errors: FieldError) -> None:
        super().__init__(reason)
        self.reason = reason
        self.errors = list(errors[:MAX_QUARANTINE_ERRORS])


@dataclass(frozen=True, slots=True)
class _Delivery:
    """An authentic delivery in hand.

    Attributes:
        secret: the one that verified it.
        log: ids, names and reasons for the log. Filled while the delivery is handled.
    """

    body: bytes
    headers: Mapping[str, str]
    secret: str
    deadline: Deadline
    log: dict[str, str]

    def answered(self, status: HTTPStatus, outcome: str, content: str | None = None) -> Answer:
        return Answer(status, JSON if content else None, content, self.log | {"outcome": outcome})


class Receiver:
    """Answers requests, one at a time.

    Args:
        publisher: takes the events in `handled_events`.
        handled_events: each event with a handler, and the count of its published deliveries.
        bus: takes all other `scheduler.*` events.
    """

    def __init__(
        self,
        *,
        verifier: Verifier,
        publisher: Publisher,
        handled_events: Mapping[str, Count],
        bus: Destination,
        quarantine: MessageQueue,
        clock: Clock,
        count: Counter,
    ) -> None:
        self._verifier = verifier
        self._publisher = publisher
        self._handled_events = handled_events
        self._bus = bus
        self._quarantine = quarantine
        self._clock = clock
        self._count = count

    def prepare(self) -> None:
        """Reads the secret before the first request. Errors are ignored: that request reads it again."""
        self._verifier.prepare()

    def receive(self, request: Request) -> Answer:
        """Returns the answer to a request. It is 2xx only if the event is durable."""
        deadline = Deadline(self._clock, REQUEST_SECONDS)
        if request.body is not None and len(request.body) > MAX_BODY_BYTES:
            self._count(Count.TOO_LARGE)
            return problem(
                HTTPStatus.CONTENT_TOO_LARGE,
                f"A body may have {MAX_BODY_BYTES:,} bytes.",
                log={"outcome": "too_large"},
            )
        try:
            delivery = self._verify(request, deadline)
        except SignatureError as error:
            mismatch = isinstance(error, SignatureMismatch)
            self._count(Count.SIGNATURE_MISMATCH if mismatch else Count.SIGNATURE_MALFORMED)
            return problem(
                HTTPStatus.UNAUTHORIZED,
                f"{error}.",
                log={"outcome": "refused", "reason": type(error).__name__},
            )
        except SecretUnavailable as error:
            self._count(Count.NOTHING_TO_VERIFY_WITH)
            return unavailable("secret_unavailable", {"reason": str(error)})
        try:
            return self._answer(delivery)
        except ServiceError as error:
            self._count(Count.NOT_DURABLE)
            return unavailable("not_durable", delivery.log | {"reason": str(error)})

    def _verify(self, request: Request, deadline: Deadline) -> _Delivery:
        secret, body = self._verifier.verify(request.headers, request.body, deadline)
        request_id = valid_request_id(request.headers.get(REQUEST_ID_HEADER))
        log = {"zoom_request_id": request_id} if request_id else {}
        return _Delivery(body, request.headers, secret, deadline, log)

    def _answer(self, delivery: _Delivery) -> Answer:
        try:
            body = _parse(delivery.body)
            name = _event_name(body)
            if name == URL_VALIDATION:
                return self._answer_challenge(body, delivery)
            if not name.startswith(SCHEDULER_PREFIX):
                self._count(Count.OTHER_PRODUCT)
                return delivery.answered(HTTPStatus.NO_CONTENT, "other_product")
            return self._publish(name, body, delivery)
        except _Unusable as error:
            self._set_aside(delivery, error.reason, error.errors)
            return problem(
                HTTPStatus.BAD_REQUEST,
                "The delivery is authentic but can't be used; it was put into quarantine.",
                errors=error.errors,
                log=delivery.log | {"outcome": "quarantined", "reason": error.reason},
            )

    def _answer_challenge(self, body: dict[str, Any], delivery: _Delivery) -> Answer:
        try:
            answered = answer_challenge(body, delivery.secret)
        except ChallengeRefused as error:
            self._count(Count.CHALLENGE_REFUSED)
            log = delivery.log | {"outcome": "challenge_refused"}
            return problem(HTTPStatus.BAD_REQUEST, f"{error}.", log=log)
        if not answered["plainToken"].startswith(CHECK_EVENT_ID_PREFIX):  # an operator's check is not Zoom
            self._count(Count.CHALLENGE_ANSWERED)
        return delivery.answered(HTTPStatus.OK, "challenge_answered", json.dumps(answered))

    def _publish(self, name: str, body: dict[str, Any], delivery: _Delivery) -> Answer:
        if not _EVENT_NAME.fullmatch(name):
            raise _Unusable("invalid_event", _field_error("event", f"must match {_EVENT_NAME.pattern}"))
        delivery.log["zoom_event"] = name
        envelope = Envelope(
            source=source_for(DELIVERIES, event_id_of(body)),
            detail_type=name,
            detail=delivery.body.decode(),
            request_id=delivery.log.get("zoom_request_id"),
        )
        if name in self._handled_events:
            delivery.log["booking_id"] = self._identify(body).booking_id
            outcome = self._publish_handled(envelope, delivery)
        else:
            outcome = self._publish_unknown(envelope, delivery)
        return delivery.answered(HTTPStatus.OK, outcome, envelope.detail)

    def _identify(self, body: dict[str, Any]) -> Identity:
        """Returns the booking that an event is about, validated as the handler needs it."""
        try:
            identity = identify(body)
        except InvalidEvent as error:
            raise _Unusable("invalid_event", *error.errors) from None
        except NoEventId as error:
            raise _Unusable("no_event_id", _field_error(EVENT_ID_FIELD, str(error))) from None
        latest_ms = (self._clock.now() + MAX_EVENT_AHEAD).timestamp() * 1000
        if identity.event_time > latest_ms:
            raise _Unusable(
                "event_from_the_future", _field_error(EVENT_TIME_FIELD, "must be at most a day ahead")
            )
        return identity

    def _publish_handled(self, envelope: Envelope, delivery: _Delivery) -> str:
        try:
            self._publisher.publish(envelope, delivery.deadline)
        except RefusedByService as error:
            # Every retry of Zoom would be refused as well, and then Zoom gives up.
            return self._set_aside_unpublished(delivery, error)
        self._count(self._handled_events[envelope.detail_type])
        return "published"

    def _publish_unknown(self, envelope: Envelope, delivery: _Delivery) -> str:
        try:
            publish_to(self._bus, envelope, delivery.deadline, reserved_seconds=CALL_SECONDS)
        except ServiceError as error:
            return self._set_aside_unpublished(delivery, error)
        self._count(Count.UNKNOWN_EVENT_PUBLISHED)
        return "published"

    def _set_aside_unpublished(self, delivery: _Delivery, error: ServiceError) -> str:
        self._set_aside(delivery, "not_published", [_field_error("", str(error))])
        return "quarantined"

    def _set_aside(self, delivery: _Delivery, reason: str, errors: list[FieldError]) -> None:
        """Puts the delivery into quarantine, whole."""
        message = quarantine_message(
            reason=reason,
            errors=errors,
            received_at=self._clock.now(),
            body=delivery.body,
            request_id=delivery.headers.get(REQUEST_ID_HEADER),
            timestamp=delivery.headers.get(TIMESTAMP_HEADER),
            signature=delivery.headers.get(SIGNATURE_HEADER),
        )
        self._quarantine.send(message, delivery.deadline)
        self._count(Count.QUARANTINED)


def unavailable(outcome: str, log: Mapping[str, str] | None = None) -> Answer:
    """Returns the answer that makes Zoom try again, without any detail."""
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The delivery could not be taken now; please send it again.",
        log={**(log or {}), "outcome": outcome},
    )


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        return parse_body(raw)
    except BodyError as error:
        raise _Unusable("invalid_body", _field_error("", str(error))) from None


def _event_name(body: dict[str, Any]) -> str:
    name = body.get("event")
    if not isinstance(name, str) or not name.strip():
        raise _Unusable("invalid_event", _field_error("event", "must be the name of an event"))
    return name


def _field_error(field_path: str, message: str) -> FieldError:
    return FieldError(field=field_path, message=message)
