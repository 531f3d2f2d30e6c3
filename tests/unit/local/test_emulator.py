"""The emulator's port, and the requests that are AWS calls."""

import socket

import pytest

from local.emulator import _is_aws_call, _listener
from local.workarounds import EmulatorError

SIGNED = b"AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/sqs/aws4_request, Signature=1"
PRESIGNED = b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test&X-Amz-Signature=1"


@pytest.mark.parametrize(
    ("authorization", "query", "expected"),
    [
        *((authorization, b"", True) for authorization in (SIGNED, b"AWS test:1")),
        *((b"", query, True) for query in (PRESIGNED, b"AWSAccessKeyId=test&Signature=1&Expires=1")),
        *((authorization, b"source=zoom", False) for authorization in (b"", b"Bearer token")),
    ],
)
def test_aws_calls_are_signed(authorization: bytes, query: bytes, expected: bool) -> None:
    headers = [(b"host", b"127.0.0.1"), (b"x-amz-target", b"SQS"), (b"authorization", authorization)]
    assert _is_aws_call({"headers": headers, "query_string": query}) is expected


def test_taken_port_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = rf"^port {port} of 127\.0\.0\.1 can't be used \(Address already in use\).* PORT={port + 1}$"
        with pytest.raises(EmulatorError, match=message):
            _listener(port)
