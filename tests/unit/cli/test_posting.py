"""Posts, as Zoom would make them."""

import socket
import uuid

import pytest
from urllib3.exceptions import NameResolutionError, ProtocolError

from cli.output import CommandError
from cli.posting import post, why

from .conftest import SECRET, Webhook


# failure matrix: 50
def test_bytes_are_posted_unchanged_and_signed_now(webhook: Webhook) -> None:
    odd = b'{"name": "\xc3\xa9\\u00e9" }\r\n\x00'
    post(webhook.url, odd, SECRET, request_id="id-of-zoom")
    post(webhook.url, odd, SECRET)
    [first, (second, body)] = webhook.posted()
    assert (first, body) == (("id-of-zoom", odd), odd)
    assert uuid.UUID(second).version == 4
    assert webhook.requests[0].path == "/webhooks/zoom"
    assert webhook.requests[0].headers["content-type"] == "application/json; charset=utf-8"
    for content, read in ((b"", None), (b'{"a": 1}', {"a": 1}), (b"[1]", [1]), (b"\xff wild", "\ufffd wild")):
        webhook.body = content
        assert post(webhook.url, b"{}", SECRET).as_dict()["body"] == read


def test_missing_answer_has_a_reason(webhook: Webhook, dead_urls: list[str]) -> None:
    for url, reason in (
        (dead_urls[0], "nothing accepts connections there"),
        (dead_urls[1], "none within 0.2 s"),
        (webhook.url.replace("http", "https"), "its TLS certificate or connection is not acceptable"),
    ):
        with pytest.raises(CommandError) as caught:
            post(url, b"{}", SECRET)
        assert str(caught.value) == f"{url} gave no answer: {reason}."
    unknown = NameResolutionError("host", None, socket.gaierror("canary"))  # type: ignore[arg-type]  # no connection
    assert why(unknown, 1) == "its host name is not known"
    assert why(ProtocolError("canary"), 1) == "the connection broke"
