"""Zoom's delivery log: its pages, its entries, and its troubles."""

from email.utils import formatdate
from typing import Any

import pytest

from cli import zoom_log
from cli.output import CommandError, WrongCallError
from cli.zoom_log import Logged, Try, ZoomLog

from ...zoom_api import ACCOUNT_ID, APP_ID, CLIENT_ID, CLIENT_SECRET, LOG_PATH, TOKEN, FakeZoom, Reply, reply
from .conftest import NOW

CANARY = "kanarie"
EVIL = '{"X-Zm-Request-Id": "a\\r\\nx-evil: 1"}'
SCOPES = "Invalid access token, does not contain scopes:[marketplace_app:read]."
LOGS, NO_JSON, NO_FORM = "webhook_logs", "its answer is not a JSON object", "has not the form"


def log_of(zoom: FakeZoom, app_id: str = APP_ID, secret: str = CLIENT_SECRET, **urls: str) -> ZoomLog:
    addresses = {"api_url": f"{zoom.url}/v2", "oauth_url": f"{zoom.url}/oauth/token"} | urls
    return ZoomLog(app_id=app_id, account_id=ACCOUNT_ID, login=f"{CLIENT_ID}:{secret}", **addresses)


def tries(zoom: FakeZoom) -> list[Try]:
    return list(log_of(zoom).tries(Logged.FAILED))


def problem(log: ZoomLog) -> str:
    with pytest.raises(CommandError) as caught:
        list(log.tries(Logged.FAILED))
    assert not any(secret in str(caught.value) for secret in (CANARY, TOKEN, CLIENT_SECRET))
    return str(caught.value)


# failure matrix: 50
def test_every_page_is_read_with_one_token(zoom: FakeZoom) -> None:
    zoom.page = 2
    for number in range(5):
        zoom.log(b"{}", f"id-{number}", 503, 200)
    log = log_of(zoom)
    for kind, retry_num in ((Logged.FAILED, None), (Logged.SUCCEEDED, 1)):
        found = [each.request_id for each in log.tries(kind, retry_num=retry_num)]
        assert found == [f"id-{number}" for number in range(5)]
    token, *queries = [each.query for each in zoom.requests]
    assert token["grant_type"] == "account_credentials"
    failed, succeeded = ({"type": kind, "page_size": "300"} for kind in ("2", "3"))
    pages: list[dict[str, str]] = [{}, {"next_page_token": "2"}, {"next_page_token": "4"}]
    assert queries == [query | page for query in (failed, succeeded | {"retry_num": "1"}) for page in pages]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"request_body": '{"event": "e" }\r\n'}, {"body": b'{"event": "e" }\r\n', "event": "e"}),
        ({"request_body": {"event": "e", "a": "ë"}}, {"body": '{"event":"e","a":"ë"}'.encode()}),
        ({"request_body": {"a": "\ud83d"}}, {"body": b'{"a":"\\ud83d"}', "event": None}),
        *(({"request_body": body}, {"body": None}) for body in (None, "", " ", 7, ["x"], "\ud83d")),
        ({"request_body": "{x", "event": "e"}, {"body": b"{x", "event": "e", "content": None}),
        *(({"request_body": body}, {"event": None, "content": None}) for body in ("{x", "[]", "[" * 99_999)),
        ({"request_body": '{"event": 7}', "event": "e"}, {"event": None, "content": {"event": 7}}),
        ({"request_headers": {"x-zm-request-id": "a-1"}, "request_id": "b"}, {"request_id": "a-1"}),
        *(({"request_headers": each, "request_id": "b"}, {"request_id": "b"}) for each in (None, "", EVIL)),
        ({"request_headers": EVIL, "request_id": 5}, {"request_id": None}),
        *(({"retry_num": number}, {"number": 3}) for number in (3, "3")),
        *(({"retry_num": number}, {"number": 0}) for number in (None, "x", "33")),
        *(({"status": status}, {"status": "503"}) for status in (503, "503")),
        *(({"status": status}, {"status": None}) for status in (None, "a\x1b[31m", "x" * 65)),
        ({"failed_reason_type": "http_status"}, {"failed_reason": "http_status"}),
    ],
)
def test_entry_is_read_as_a_try(zoom: FakeZoom, entry: dict[str, Any], expected: dict[str, Any]) -> None:
    zoom.log("{}", "id-1", 503)
    zoom.entries[0] |= entry
    [found] = tries(zoom)
    assert {name: getattr(found, name) for name in expected} == expected


def test_no_secret_is_sent_in_clear(zoom: FakeZoom) -> None:
    for url in ("http://api.zoom.us", "ftp://127.0.0.1", "api.zoom.us", "https://a:b@zoom.us", "http://[::1"):
        for name in ("api_url", "oauth_url"):
            with pytest.raises(WrongCallError, match="https unless of this machine"):
                log_of(zoom, **{name: url})


def test_wrong_app_or_secret_is_reported(zoom: FakeZoom) -> None:
    refused = "Zoom does not take these credentials (401, invalid_client)"
    assert refused in problem(log_of(zoom, secret=f"{CANARY}-é"))
    unknown = "Zoom knows no app of this id (404): see ZOOM_APP_ID or --app-id."
    assert problem(log_of(zoom, app_id="../users/me?")) == unknown
    assert zoom.requests[-1].path == LOG_PATH.replace(APP_ID, "..%2Fusers%2Fme%3F")


@pytest.mark.parametrize(
    ("where", "answer", "said"),
    [
        (LOGS, reply(401, {"message": CANARY}), "Add the scope marketplace_app:read:admin to the app"),
        (LOGS, reply(403, b"<html>"), "Add the scope marketplace_app:read:admin to the app"),
        (LOGS, reply(400, {"code": 4711, "message": SCOPES}), "Add the scope marketplace_app:read to"),
        (LOGS, reply(400, {"code": 300, "message": CANARY}), "it answers 400"),
        (LOGS, reply(302, {}, location="/elsewhere"), "it answers 302"),
        *((LOGS, reply(200, content), NO_JSON) for content in (CANARY.encode(), [CANARY], b"[" * 200_000)),
        (LOGS, reply(200, {"webhook_logs": CANARY}), NO_FORM),
        (LOGS, reply(200, {"webhook_logs": [], "next_page_token": 5}), NO_FORM),
        ("token", reply(200, b"{"), f"gives no access token: {NO_JSON}"),
        ("token", reply(200, {"access_token": f"{CANARY}\r\nx: 1"}), "gives no access token"),
        ("token", reply(302, {}, location="/elsewhere"), "it answers 302"),
        ("token", reply(400, {"error": f"{CANARY} {CANARY}"}), "take these credentials (400)"),
    ],
)
def test_refusal_or_unknown_answer_is_reported(zoom: FakeZoom, where: str, answer: Reply, said: str) -> None:
    zoom.replies[where] = [answer]
    assert said in problem(log_of(zoom))


def test_pause_that_zoom_asks_for_is_taken(zoom: FakeZoom, pauses: list[float]) -> None:
    date = formatdate(NOW.timestamp() + 20, usegmt=True)
    zoom.replies["token"] = [reply(429, {})]
    zoom.replies[LOGS] = [reply(429, {}, retry_after=said) for said in ("7", date, "2026-11-22T12:01:00")]
    assert tries(zoom) == []
    assert pauses == [1, 7, 20, 60]
    for retry_after, said in (("61", "61"), ("9" * 30, "999,999,999,999"), ("2026-11-22T21:00Z", "32,400")):
        zoom.replies[LOGS] = [reply(429, {}, retry_after=retry_after)]
        assert f"wants a pause of {said} s. Call this again after it." in problem(log_of(zoom))
    assert len(pauses) == 4


@pytest.mark.parametrize("where", ["token", LOGS])
@pytest.mark.parametrize("answer", [reply(429, {}, retry_after="soon"), reply(500, CANARY.encode())])
def test_zoom_in_trouble_is_asked_4_times(zoom: FakeZoom, pauses: Any, where: str, answer: Reply) -> None:
    zoom.replies[where] = [answer] * 4
    assert "does not work now, tried 4 times" in problem(log_of(zoom))
    assert (zoom.replies[where], pauses) == ([], [1, 2, 4])
    zoom.replies[where] = [answer] * 3
    assert tries(zoom) == []


def test_unexpected_entry_or_silence_ends_nothing(zoom: FakeZoom, dead_urls: list[str]) -> None:
    zoom.replies[LOGS] = [reply(200, {"webhook_logs": [CANARY]})]
    assert [(each.event, each.body, each.request_id) for each in tries(zoom)] == [(None, None, None)]
    assert "no answer, none within 0.2 s" in problem(log_of(zoom, oauth_url=dead_urls[1]))


def test_log_without_an_end_is_given_up(zoom: FakeZoom, monkeypatch: pytest.MonkeyPatch) -> None:
    assert zoom_log.MAX_PAGES == 1000
    monkeypatch.setattr(zoom_log, "MAX_PAGES", 20)
    for tokens, pages in ((range(30), 20), ([0] * 30, 2)):
        replies = [reply(200, {LOGS: [], "next_page_token": f"page-{token}"}) for token in tokens]
        zoom.replies[LOGS] = replies
        assert "does not end" in problem(log_of(zoom))
        assert len(replies) == 30 - pages
