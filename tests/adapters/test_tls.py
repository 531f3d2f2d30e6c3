"""A service is who it says: botocore checks the certificate's authority and its host name."""

from pathlib import Path

import pytest

from bookings.aws.clients import client
from bookings.aws.queues import SQSQueue
from bookings.errors import ServiceUnavailable
from tests.adapters.loopback import Reply, Service
from tests.certificates import AUTHORITY, make_certificates


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a handshake take its time on a busy machine."""
    monkeypatch.setattr("bookings.aws.clients.CONNECT_SECONDS", 10.0)


@pytest.mark.parametrize(
    ("trusted", "host"), [(False, "localhost"), (True, "elsewhere.example")], ids=["authority", "host name"]
)
def test_certificate_with_a_wrong_part_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool, host: str
) -> None:
    tls = make_certificates(tmp_path, host)
    if trusted:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / AUTHORITY))
    with Service(lambda *_: Reply({"MessageId": "m"}), tls) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL", service.url)
        with pytest.raises(ServiceUnavailable, match=r"^SQS: SSLError$") as raised:
            SQSQueue(client("sqs", read_seconds=10.0), f"{service.url}/q").send("text")
    assert raised.value.answered is False
    assert service.calls == []


def test_certificate_for_the_host_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = make_certificates(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / AUTHORITY))
    with Service(lambda *_: Reply({"MessageId": "m"}), tls) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL", service.url)
        SQSQueue(client("sqs", read_seconds=10.0), f"{service.url}/q").send("text")
    assert [operation for operation, _ in service.calls] == ["SendMessage"]


@pytest.mark.parametrize("service", ["dynamodb", "events", "secretsmanager", "sqs"])
def test_every_service_is_called_over_https(service: str) -> None:
    assert client(service).meta.endpoint_url.startswith("https://")
