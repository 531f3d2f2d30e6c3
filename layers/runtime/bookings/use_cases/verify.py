"""Verifies that Zoom signed a request, with the secrets that are live now."""

import contextlib
from collections.abc import Mapping

from bookings.clock import Clock, Deadline
from bookings.limits import PREPARATION_SECONDS
from bookings.use_cases.live_secrets import LiveSecrets, SecretUnavailable
from bookings.zoom.signature import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    SignatureMismatch,
    check_form,
    verify,
)


class Verifier:
    def __init__(self, secrets: LiveSecrets, tolerance_seconds: int, clock: Clock) -> None:
        self._secrets = secrets
        self._tolerance_seconds = tolerance_seconds
        self._clock = clock

    def prepare(self) -> None:
        """Reads the secret before the first request. Errors are ignored: that request reads it again."""
        with contextlib.suppress(Exception):  # a failed start would cost Zoom's delivery a retry
            self._secrets.values(Deadline(self._clock, PREPARATION_SECONDS))

    def verify(self, headers: Mapping[str, str], body: bytes | None, deadline: Deadline) -> tuple[str, bytes]:
        """Returns the secret that signed a request, and the body.

        Args:
            headers: names in lower case.
            body: the raw bytes, None if their base64 was broken.

        Raises:
            SignatureError: Zoom did not sign the request. Answer 401.
            SecretUnavailable: there is no secret to tell. Answer 503.
        """
        signature, timestamp = check_form(
            headers.get(SIGNATURE_HEADER),
            headers.get(TIMESTAMP_HEADER),
            self._clock.now(),
            self._tolerance_seconds,
        )
        if body is None:
            raise SignatureMismatch("the body is not valid base64")
        try:
            return verify(self._secrets.values(deadline), signature, timestamp, body), body
        except SignatureMismatch:
            # The secret may have been changed since it was read.
            if not self._secrets.refresh(deadline):
                if self._secrets.may_be_outdated:
                    # Zoom never repeats a 401, so it would lose a delivery that a newer secret signed.
                    raise SecretUnavailable("the secrets may be outdated") from None
                raise
        return verify(self._secrets.values(deadline), signature, timestamp, body), body
