"""How the functions call AWS: one small client for the few calls they make, and one translation of errors.

boto3 takes six times the time for a call, and more than all of a function's start for its first: see
docs/decisions/0018-a-client-of-our-own.md. It stays where time doesn't matter, in the `bookings` command.
"""

import base64
import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bookings.aws.connecting import Address
from bookings.aws.connection import Connection
from bookings.aws.sigv4 import Credentials, Signer
from bookings.aws.wire import HungUp, NoAnswer, Response
from bookings.errors import BookingsError
from bookings.services import RefusedByService, ServiceUnavailable
from bookings.settings import SettingsError

# Of an error of the request itself: sent again as it is, it fails again.
_OWN_FAULT = {
    "InvalidAttributeValue",
    "InvalidMessageContents",
    "InvalidParameterValue",
    "MessageTooLong",
    "SerializationException",
    "ValidationError",
    "ValidationException",
}

# What is tried again: the standard mode of AWS's SDKs. "Retry behavior", AWS SDKs and Tools reference guide.
_TRIED_AGAIN_STATUS = {500, 502, 503, 504}
_TRIED_AGAIN = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",  # DynamoDB's model says so
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
_LONGEST_PAUSE_SECONDS = 20

# What is said of a request that was signed by a clock too far from the service's.
_SKEWED = {
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
}
_SKEW_SECONDS = 240  # less can't be why: AWS takes five minutes

# The domains of AWS's partitions; everywhere else it is amazonaws.com.
_DOMAINS = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-isof-": "csp.hci.ic.gov",
}

# X-Ray's, which also lets Lambda see that functions call each other in a circle.
_TRACE_ID = re.compile(r"[A-Za-z0-9=;:_,.-]{1,512}")

# Rarely needed, so compiled only then.
_CODE = r"[A-Za-z0-9._-]{1,128}"
_OTHER_ENDPOINT = r"(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?"


class ErrorAnswer(BookingsError):
    """A service answered with an error, told by its code alone: its own text may repeat what was sent.

    Attributes:
        answer: what else it says, as the service writes it.
    """

    def __init__(self, code: str, answer: Mapping[str, Any] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.answer = answer or {}


class AWSClient(Protocol):
    """Calls one service."""

    def call(
        self, operation: str, parameters: Mapping[str, Any], timeout_seconds: float | None = None
    ) -> dict[str, Any]:
        """Returns a service's answer.

        Args:
            operation: by its name in the API, such as "PutEvents".
            parameters: as JSON, with binary values as bytes.
            timeout_seconds: for the call as a whole; by default as long as its attempts may take.

        Raises:
            ErrorAnswer: the service said no.
            NoAnswer: it said nothing in time, or could not be reached.
        """

    def connect(self, timeout_seconds: float) -> None:
        """Connects now rather than in the first call; where it can't, that call tries again."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a service's requests have in common.

    Attributes:
        endpoint_variable: names another endpoint, as for every SDK of AWS.
        query_errors: to be asked for errors by the codes of its older protocol.
    """

    target: str
    json_version: str
    endpoint_variable: str
    query_errors: bool = False


SERVICES = {
    "dynamodb": Service("DynamoDB_20120810", "1.0", "AWS_ENDPOINT_URL_DYNAMODB"),
    "events": Service("AWSEvents", "1.1", "AWS_ENDPOINT_URL_EVENTBRIDGE"),
    "secretsmanager": Service("secretsmanager", "1.1", "AWS_ENDPOINT_URL_SECRETS_MANAGER"),
    "sqs": Service("AmazonSQS", "1.0", "AWS_ENDPOINT_URL_SQS", query_errors=True),
}
"""By the name that is in their endpoint's and in a signature."""


def client(service: str, *, timeout_seconds: float, attempts: int) -> "Client":
    """Returns a client for a service, by the environment that Lambda gives a function.

    Args:
        timeout_seconds: for each attempt, connecting included.
        attempts: in all; what fails in a way that may pass is tried again.

    Raises:
        SettingsError: region or credentials are not there, or another endpoint is none.
    """
    return Client(service, os.environ, timeout_seconds=timeout_seconds, attempts=attempts)


class Client:
    """Calls one service over one kept connection; for one thread at a time.

    Args:
        environment: names region, credentials, other endpoints, and at each call the trace it is part of.
    """

    def __init__(
        self, service: str, environment: Mapping[str, str], *, timeout_seconds: float, attempts: int
    ) -> None:
        described = SERVICES[service]
        region = environment.get("AWS_REGION") or _needed("AWS_DEFAULT_REGION", environment)
        address, host = _endpoint(service, region, environment)
        headers = {"content-type": f"application/x-amz-json-{described.json_version}", "host": host}
        if described.query_errors:
            headers["x-amzn-query-mode"] = "true"
        credentials = Credentials(
            access_key=_needed("AWS_ACCESS_KEY_ID", environment),
            secret_key=_needed("AWS_SECRET_ACCESS_KEY", environment),
            session_token=environment.get("AWS_SESSION_TOKEN"),
        )
        self._environment = environment
        self._target = described.target
        self._signer = Signer(credentials, region=region, service=service, headers=headers)
        self._connection = Connection(address)
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._ahead_seconds = 0.0  # of the service's clock, where this one's is wrong

    def connect(self, timeout_seconds: float) -> None:
        with contextlib.suppress(NoAnswer):
            self._connection.open(time.monotonic() + timeout_seconds)
            self._request("", b"")  # the day's key is made with the first signature

    def call(
        self, operation: str, parameters: Mapping[str, Any], timeout_seconds: float | None = None
    ) -> dict[str, Any]:
        deadline = float("inf") if timeout_seconds is None else time.monotonic() + timeout_seconds
        body = json.dumps(parameters, default=_base64).encode()
        response = again_if_hung_up(lambda: self._tried(operation, body, deadline))
        error = _error_in(response)
        if error is not None:
            raise error
        try:
            answer = json.loads(response.body or b"{}")
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise NoAnswer("an answer that is no JSON object")
        return answer

    def _tried(self, operation: str, body: bytes, deadline: float) -> Response:
        """Returns the answer of the last attempt.

        Raises:
            NoAnswer: it had none.
        """
        attempt = 1
        while True:
            try:
                response = self._sent(operation, body, deadline)
            except NoAnswer:
                if not self._paused(attempt, deadline):
                    raise
            else:
                if not _passes(response) or not self._paused(attempt, deadline):
                    return response
            attempt += 1

    def _paused(self, attempt: int, deadline: float) -> bool:
        """Waits for the next attempt; returns whether there is one, and time left for it."""
        if attempt >= self._attempts:
            return False
        longest = min(2 ** (attempt - 1), _LONGEST_PAUSE_SECONDS)
        pause = _chance() * longest
        if time.monotonic() + pause >= deadline:
            return False
        time.sleep(pause)
        return True

    def _sent(self, operation: str, body: bytes, deadline: float) -> Response:
        deadline = min(deadline, time.monotonic() + self._timeout_seconds)
        response = self._connection.exchange(self._request(operation, body), deadline)
        if self._skewed(response):
            response = self._connection.exchange(self._request(operation, body), deadline)
        return response

    def _request(self, operation: str, body: bytes) -> bytes:
        head = self._signer.head(f"{self._target}.{operation}", body, time.time() + self._ahead_seconds)
        trace_id = self._environment.get("_X_AMZN_TRACE_ID", "")
        trace = f"x-amzn-trace-id: {trace_id}\r\n" if _TRACE_ID.fullmatch(trace_id) else ""
        head += f"content-length: {len(body)}\r\naccept-encoding: identity\r\n{trace}"
        return f"POST / HTTP/1.1\r\n{head}\r\n".encode("ascii") + body

    def _skewed(self, response: Response) -> bool:
        """Whether a request was refused for this clock's sake; from now on the service's counts."""
        error = _error_in(response)
        if error is None or error.code not in _SKEWED:
            return False
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - slow to import, hardly ever needed

        try:
            services_time = parsedate_to_datetime(response.headers.get("date", "")).timestamp()
        except (ValueError, OverflowError):
            return False
        ahead = services_time - time.time()
        if abs(ahead - self._ahead_seconds) < _SKEW_SECONDS:
            return False
        self._ahead_seconds = ahead
        return True


def again_if_hung_up[T](call: Callable[[], T]) -> T:
    """Returns a call's result, made a second time on a new connection if the first one was closed.

    A function is frozen between its invocations, and the service closes the connections that idle
    meanwhile. Whether the first call was taken isn't known: what is sent so must bear being sent twice.
    """
    try:
        return call()
    except HungUp:
        return call()


@contextlib.contextmanager
def translated_errors(service: str) -> Iterator[None]:
    """Turns a client's errors into the ports'.

    Raises:
        RefusedByService, ServiceUnavailable: inside the block a call failed.
    """
    try:
        yield
    except ErrorAnswer as error:
        # SQS says "AWS.SimpleQueueService.…" or "com.amazonaws…#…" in front of some of its codes.
        short = error.code.rpartition("#")[2].rpartition(".")[2]
        if short in _OWN_FAULT:
            raise RefusedByService(f"{service}: {error.code}") from None
        raise ServiceUnavailable(f"{service}: {error.code}", answered=True) from None
    except NoAnswer as error:
        raise ServiceUnavailable(f"{service}: {error}") from None


def _needed(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    if not value:
        raise SettingsError(f"{name} is not set")
    return value


def _endpoint(service: str, region: str, environment: Mapping[str, str]) -> tuple[Address, str]:
    """Returns where a service is, and what a request names as its host."""
    url = environment.get(SERVICES[service].endpoint_variable) or environment.get("AWS_ENDPOINT_URL")
    if not url:
        domain = next((each for start, each in _DOMAINS.items() if region.startswith(start)), "amazonaws.com")
        host = f"{service}.{region}.{domain}"
        return Address(host, 443, secure=True), host
    named = re.fullmatch(_OTHER_ENDPOINT, url)
    if named is None:
        raise SettingsError(f"AWS_ENDPOINT_URL of {service} is not http[s]://HOST[:PORT]")
    scheme, host, port = named.groups()
    secure = scheme == "https"
    usual = 443 if secure else 80
    address = Address(host.strip("[]"), int(port or usual), secure)
    return address, host if address.port == usual else f"{host}:{port}"


def _passes(response: Response) -> bool:
    """Whether an answer may be another one soon."""
    error = _error_in(response)
    return error is not None and (response.status in _TRIED_AGAIN_STATUS or error.code in _TRIED_AGAIN)


def _error_in(response: Response) -> ErrorAnswer | None:
    if response.status == 200:  # noqa: PLR2004 - the only success of these protocols
        return None
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        answer = {}
    code = str(answer.get("__type") or "").partition(":")[0].rpartition("#")[2]
    older, *fault = response.headers.get("x-amzn-query-error", "").split(";")
    if older and len(fault) == 1:
        code = older
    # What is no code may be anything, also what was sent.
    return ErrorAnswer(code if re.fullmatch(_CODE, code) else str(response.status), answer)


def _chance() -> float:
    """Returns a number from 0 on and below 1, so that not all who were refused come again at once."""
    return int.from_bytes(os.urandom(4)) / 2**32


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")
