"""The AWS that the receivers call: a process of its own on loopback, over TLS.

A first call loads root certificates and makes a TLS handshake, so both are measured. The program serves until
its standard input ends.
"""

import json
import ssl
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import IPv4Address
from pathlib import Path
from socketserver import ThreadingTCPServer
from types import MappingProxyType, TracebackType
from typing import Any, ClassVar, Self
from urllib.request import urlopen

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).parents[1]
TOKEN = "a-secret-token-of-22-c"  # noqa: S105 - made up, as long as Zoom's
PATIENCE_SECONDS = 20

PUT_EVENTS, SEND_MESSAGE = "PutEvents", "SendMessage"
_ANSWERS: dict[str, dict[str, Any]] = {
    "GetSecretValue": {"Name": "zoom", "VersionId": "1", "SecretString": TOKEN, "CreatedDate": 1_700_000_000},
    PUT_EVENTS: {"FailedEntryCount": 0, "Entries": [{"EventId": "event-0"}]},
    SEND_MESSAGE: {"MessageId": "message-1"},
}


class Stub:
    """Starts the stub, which ends with the `with` block.

    Attributes:
        url: its address, for `AWS_ENDPOINT_URL`.
        authority: a file with its certificate, which signed itself.
        authorities: a file with that one behind the roots of a common bundle.
    """

    url: str
    authority: Path
    authorities: Path

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="bookings-bench-")
        folder = Path(self._folder.name)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stub", str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        self.authority, self.authorities = folder / "authority.pem", folder / "authorities.pem"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=PATIENCE_SECONDS)
        self._folder.cleanup()

    def calls(self) -> Counter[str]:
        """Returns the calls since it was last asked, by operation."""
        context = ssl.create_default_context(cafile=str(self.authority))
        with urlopen(f"{self.url}/calls", timeout=PATIENCE_SECONDS, context=context) as answer:  # noqa: S310 - ours
            return Counter(json.load(answer))


class Server(ThreadingTCPServer):
    """Serves each connection in a thread of its own."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores a connection that breaks, as it does when a measured process is killed."""


class Handler(BaseHTTPRequestHandler):
    """Answers JSON over HTTP/1.1, head and body in one packet."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def read_body(self) -> bytes:
        return self.rfile.read(int(self.headers["content-length"]))

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


class _AWS(Handler):
    calls: ClassVar[Counter[str]] = Counter()

    def do_POST(self) -> None:
        self.read_body()
        operation = self.headers["x-amz-target"].rpartition(".")[2]
        self.calls[operation] += 1
        content = {"content-type": self.headers["content-type"]}
        if operation in _ANSWERS:
            self.answer(200, json.dumps(_ANSWERS[operation]).encode(), content)
        else:
            self.answer(400, b'{"__type": "UnknownOperationException"}', content)

    def do_GET(self) -> None:
        self.answer(200, json.dumps(self.calls).encode())
        self.calls.clear()


def certify(folder: Path) -> ssl.SSLContext:
    """Writes the certificates that `Stub` names. Returns the context of a server on loopback."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=2))
    certificate = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    public = certificate.public_bytes(pem)
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "authority.pem").write_bytes(public)
    (folder / "authorities.pem").write_bytes(Path(certifi.where()).read_bytes() + public)
    (folder / "server.pem").write_bytes(private + public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def main(folder: Path) -> None:
    with Server(("127.0.0.1", 0), _AWS) as server:
        # The handshake is part of the first read, in the connection's own thread.
        server.socket = certify(folder).wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"https://127.0.0.1:{server.server_address[1]}", flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
