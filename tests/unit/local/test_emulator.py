"""Which requests are AWS calls, and which are the HTTP API's."""

from __future__ import annotations

import pytest

from local.emulator import _is_aws_call

SIGNED = b"AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/sqs/aws4_request, Signature=1"
PRESIGNED = b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test&X-Amz-Signature=1"


@pytest.mark.parametrize(
    ("authorization", "query", "expected"),
    [
        pytest.param(SIGNED, b"", True, id="signed by an SDK"),
        pytest.param(b"AWS test:1", b"", True, id="signature version 2"),
        pytest.param(None, PRESIGNED, True, id="presigned URL"),
        pytest.param(None, b"AWSAccessKeyId=test&Signature=1&Expires=1", True, id="presigned by version 2"),
        pytest.param(None, b"", False, id="a delivery"),
        pytest.param(None, b"source=zoom", False, id="a query"),
        pytest.param(b"Bearer token", b"", False, id="another authorization"),
    ],
)
def test_aws_calls_are_known_by_their_signature(
    authorization: bytes | None, query: bytes, expected: bool
) -> None:
    headers = [(b"host", b"127.0.0.1"), (b"x-amz-target", b"AmazonSQS.SendMessage")]
    headers += [(b"authorization", authorization)] if authorization else []
    assert _is_aws_call({"headers": headers, "query_string": query}) is expected
