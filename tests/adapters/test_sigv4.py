"""Our signature beside botocore's, over thousands of requests, and beside what AWS publishes."""

import hashlib
import hmac
import random
import string
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from bookings.aws.sigv4 import Credentials, Signer
from botocore import auth, credentials
from botocore.awsrequest import AWSRequest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SEED = 20260101
SIGNERS, REQUESTS_OF_EACH = 300, 12  # 3,600 requests in all

DAY = 86_400  # seconds
FIRST, LAST = 946_684_800, 4_102_444_800  # the years 2000 to 2100

SERVICES = ("dynamodb", "events", "secretsmanager", "sqs")
REGIONS = ("us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1", "us-isob-east-1", "x")
HOSTS = ("events.us-east-1.amazonaws.com", "127.0.0.1:4566", "localhost:81", "[::1]:8080", "stub")
TARGETS = ("AWSEvents.PutEvents", "AmazonSQS.SendMessage", "DynamoDB_20120810.PutItem", "a.b")
TYPES = ("application/x-amz-json-1.0", "application/x-amz-json-1.1")


class Clock:
    """The time at which botocore signs."""

    def __init__(self) -> None:
        self.epoch_seconds = 0.0

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.epoch_seconds, UTC).replace(tzinfo=None)


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", clock)
        yield clock


class Both:
    """Signs as we do and as botocore does."""

    def __init__(
        self,
        clock: Clock,
        ours: Credentials,
        *,
        region: str,
        service: str,
        host: str,
        content_type: str,
        query_mode: bool,
    ) -> None:
        self._clock = clock
        self._host = host
        self._headers = {
            "content-type": content_type,
            **({"x-amzn-query-mode": "true"} if query_mode else {}),
        }
        self._signer = Signer(ours, region=region, service=service, headers={**self._headers, "host": host})
        theirs = credentials.Credentials(ours.access_key, ours.secret_key, ours.session_token)
        self._botocore = auth.SigV4Auth(theirs, service, region)

    def ours(self, target: str, body: bytes, epoch_seconds: float) -> dict[str, str]:
        head = self._signer.head(target, body, epoch_seconds)
        lines = head.split("\r\n")
        assert lines.pop() == "", "each line has its end"
        names = [line.partition(":")[0] for line in lines]
        assert len(set(names)) == len(names)
        assert names[-1] == "authorization"
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def botocores(self, target: str, body: bytes, epoch_seconds: float) -> dict[str, str]:
        self._clock.epoch_seconds = epoch_seconds
        headers = {**self._headers, "x-amz-target": target}
        request = AWSRequest("POST", f"https://{self._host}/", headers=headers, data=body)
        self._botocore.add_auth(request)
        return {"host": self._host, **{name.lower(): value for name, value in request.headers.items()}}


def text(chance: random.Random, alphabet: str, least: int, most: int) -> str:
    return "".join(chance.choices(alphabet, k=chance.randint(least, most)))


def body(chance: random.Random) -> bytes:
    """Returns a body, now and then none, one of any bytes, or a large one."""
    kind = chance.random()
    if kind < 0.1:
        return b""
    if kind < 0.12:
        return chance.randbytes(300_000)
    if kind < 0.6:
        return chance.randbytes(chance.randint(1, 300))
    return text(chance, string.printable + "äß🏝\u2028", 1, 200).encode()


def moments(chance: random.Random) -> Iterator[float]:
    """Yields times around the ends of some days, forth and back."""
    middle = chance.randrange(FIRST // DAY, LAST // DAY) * DAY
    while True:
        day = middle + chance.randint(-2, 2) * DAY
        yield chance.choice((day, day - 1, day - 0.001, day + 0.999, day + chance.random() * DAY))


def test_thousands_of_requests_are_signed_as_botocore_signs_them(clock: Clock) -> None:
    chance, days = random.Random(SEED), set()  # noqa: S311 - to be repeated
    for _ in range(SIGNERS):
        token = text(chance, string.ascii_letters + string.digits + "+/=", 1, 900)
        ours = Credentials(
            text(chance, string.ascii_uppercase + string.digits, 1, 40),
            text(chance, string.ascii_letters + string.digits + "+/=", 1, 60),
            chance.choice((None, "", token, token)),
        )
        both = Both(
            clock,
            ours,
            region=chance.choice(REGIONS),
            service=chance.choice(SERVICES),
            host=chance.choice(HOSTS),
            content_type=chance.choice(TYPES),
            query_mode=chance.random() < 0.3,
        )
        for _, moment in zip(range(REQUESTS_OF_EACH), moments(chance), strict=False):
            days.add(moment // DAY)
            request = chance.choice(TARGETS), body(chance), moment
            assert both.ours(*request) == both.botocores(*request), f"seed {SEED}"
    assert len(days) > SIGNERS  # a key that is kept for a day is asked for another one


printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    key=st.text(string.ascii_letters + string.digits, min_size=1),
    secret=printable,
    token=st.none() | printable,
    region=printable,
    service=printable,
    requests=st.lists(st.tuples(printable, st.binary(), st.integers(FIRST, LAST)), min_size=1, max_size=4),
)
def test_any_words_are_signed_as_botocore_signs_them(
    clock: Clock,
    key: str,
    secret: str,
    token: str | None,
    region: str,
    service: str,
    requests: list[tuple[str, bytes, int]],
) -> None:
    ours = Credentials(key, secret, token)
    both = Both(
        clock,
        ours,
        region=region,
        service=service,
        host="sqs.eu-west-1.amazonaws.com",
        content_type=TYPES[0],
        query_mode=True,
    )
    for request in [*requests, *requests]:
        assert both.ours(*request) == both.botocores(*request)


def test_a_signature_is_made_with_the_key_that_aws_publishes_as_its_example() -> None:
    """Of the user guide's "Examples of how to derive a signing key for Signature Version 4", read in 2026."""
    published = bytes.fromhex("f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d")
    keys = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
    signer = Signer(keys, region="us-east-1", service="iam", headers={"host": "iam.amazonaws.com"})
    moment = datetime(2012, 2, 15, 12, 36, tzinfo=UTC).timestamp()
    *_, authorization, _ = signer.head("a.b", b"{}", moment).split("\r\n")
    request = "\n".join(
        (
            "POST",
            "/",
            "",
            "host:iam.amazonaws.com",
            "x-amz-date:20120215T123600Z",
            "x-amz-target:a.b",
            "",
            "host;x-amz-date;x-amz-target",
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",  # SHA-256 of {}
        )
    )
    scope = "20120215/us-east-1/iam/aws4_request"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n20120215T123600Z\n{scope}\n{hashed}"
    signature = hmac.new(published, to_sign.encode(), "sha256").hexdigest()
    assert authorization == (
        f"authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, "
        f"SignedHeaders=host;x-amz-date;x-amz-target, Signature={signature}"
    )


def test_credentials_show_no_secret_where_they_are_printed() -> None:
    shown = repr(Credentials("AKIDEXAMPLE", "canary-of-the-key", "canary-of-the-token"))
    assert shown == "Credentials(access_key='AKIDEXAMPLE')"
