"""Every command: wrong calls, and no personal data or secret where none is meant to be printed."""

import builtins
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from bookings.domain.booking import Tombstone, merge
from bookings.zoom.delivery import to_delivery
from cli import entry, posting
from cli.main import app

from ... import zoom_api
from .conftest import EVENTS, SECRET, STACK, Deployed, Webhook, booked, bookings, on_stack

SAMPLE = EVENTS / "url_validation.json"
NO_SECRET = "There is no secret to sign with: set ZOOM_WEBHOOK_SECRET, or say --secret."
BOTH = "--url excludes --local and --stack."
NO_URL = "--url must be a whole URL, https://….amazonaws.com/webhooks/zoom."
CLOSED, REFUSED = "http://127.0.0.1:1/", "nothing accepts connections there"
NO_URLS = ("", "a.com/x", "ftp://a", "https://", "http://[::1", "http://a:b/")
NO_TIMES = ("", "yesterday", "7", "7w", "-1d", "999999d", "2026-13-01")
ASKS = "There is no terminal to ask at: say --yes."
WHICH = "Say which: BOOKING_ID..., --all or --updated-since TIME."
SPAN = "is a span before now, 7d, 12h or 90m before now, or a time, 2026-11-20T09:00Z."
NO_LOG = "Zoom's delivery log can't be read without"
BOOKINGS = [booked(invitee_email=f"{name}@example.com") for name in ("ann", "carl", "expired")]
ID, CARL, EXPIRED = (each.booking_id for each in BOOKINGS)
ABSENT, GONE = (f"There is no booking {each} in stack {STACK}." for each in ("absent", EXPIRED))
ERASED = "Booking erased was erased (2026-11-20T09:12:04Z)."
CALLS = (
    *("show", "show --json", "show ID", "show ID --events", "show ID --events --json"),
    *("send delivery.json", "send delivery.json --json", "recover", "recover --delivered --json"),
    *("announce ID", "announce --all --yes --json", "announce --updated-since 7d"),
    *("erase ID --yes", "erase ID --yes --json"),
)
WRONG_CALLS = [
    ("show --local --stack x", 2, "--local and --stack exclude each other."),
    (f"send {SAMPLE} --url http://a/", 2, NO_SECRET),
    *((f"send {SAMPLE} --url http://a/ {other}", 2, BOTH) for other in ("--local", "--stack x")),
    *((f"send {SAMPLE} --url={url}", 2, NO_URL) for url in NO_URLS),
    (f"send {SAMPLE} --url {CLOSED} --secret {SECRET}", 1, f"{CLOSED} gave no answer: {REFUSED}."),
    ("show id --host host", 2, "BOOKING_ID and --host exclude each other."),
    ("show --events", 2, "--events needs a BOOKING_ID."),
    *((f"{call} --stack {STACK}", 1, ABSENT) for call in ("show absent", "erase absent --yes")),
    *((f"{call} --stack {STACK}", 1, ERASED) for call in ("show erased", "announce erased")),
    *((f"{call} --json --stack {STACK}", 2, ASKS) for call in (f"erase {ID}", f"announce {ID} {CARL}")),
    (f"announce {ID} absent --yes --stack {STACK}", 1, ABSENT),
    (f"announce {ID} {EXPIRED} --yes --stack {STACK}", 1, GONE),
    *((f"announce {which}", 2, WHICH) for which in ("--yes", "--all b-1", "b-1 --updated-since 1d")),
    ("announce --all --updated-since 1d", 2, WHICH),
    ("announce --updated-since lately", 2, f"--updated-since {SPAN}"),
    *((f"recover --since={text}", 2, f"--since {SPAN}") for text in NO_TIMES),
    ("recover --app-id=", 2, f"{NO_LOG} ZOOM_ACCOUNT_ID, ZOOM_CLIENT_SECRET, ZOOM_APP_ID (or --app-id)."),
    ("recover --app-id=app", 2, f"{NO_LOG} ZOOM_ACCOUNT_ID, ZOOM_CLIENT_SECRET."),
]


def test_wrong_call_is_explained(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    monkeypatch.setenv("ZOOM_CLIENT_ID", "client")
    monkeypatch.setenv("ZOOM_CLIENT_SECRET", " ")
    deployed.put(*BOOKINGS, Tombstone(booking_id="erased", erased_at=1_795_165_924_318, revision=7))
    deployed.put(BOOKINGS[2], expires_at=1)
    for command, exit_code, message in WRONG_CALLS:
        with subtests.test(command):
            assert bookings(*command.split()) == (exit_code, "", f"Error: {message}\n")
    assert deployed.published == []


@pytest.mark.parametrize("command", ["show", "erase", "announce"])
def test_booking_id_with_a_dash_comes_after_two_dashes(command: str) -> None:
    exit_code, _, errors = bookings(command, "-abc-0123456789abcdef")
    assert exit_code == 2
    assert "comes last, after --" in errors


def test_bug_prints_no_secret(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", f"bookings send {SAMPLE} --url http://a/ --secret {SECRET}".split())
    monkeypatch.setattr(posting, "sign", Mock(side_effect=RuntimeError("a bug")))
    with pytest.raises(RuntimeError) as caught:
        entry.main()
    sys.excepthook(caught.type, caught.value, caught.tb)
    printed = capsys.readouterr().err
    assert ("RuntimeError: a bug" in printed, SECRET in printed) == (True, False)


def test_ctrl_c_during_the_import_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtins, "__import__", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(SystemExit) as ended:
        entry.main()
    monkeypatch.undo()
    assert ended.value.code == 130


def marked(value: Any, name: str = "") -> Any:
    """Returns a body in which every text of a stranger is a canary."""
    if isinstance(value, dict):
        return {key: marked(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [marked(item, name) for item in value]
    plain = ("event", "event_id", "start_date_time", "end_date_time", "created", "updated")
    return f"canary-{name}" if isinstance(value, str) and name not in plain else value


# failure matrix: 43
@pytest.mark.parametrize("answer", ["the delivery", "another", "none"])
def test_only_show_and_send_print_personal_data(
    deployed: Deployed, webhook: Webhook, zoom: zoom_api.FakeZoom, answer: str
) -> None:
    commands = {getattr(each.callback, "__name__", "") for each in app.registered_commands}
    assert commands - {call.split()[0] for call in CALLS} == {"check", "listen", "rotate_secret"}
    delivery = marked(json.loads((EVENTS / "story/1_created.json").read_text()))
    body = json.dumps(delivery).encode()
    Path("delivery.json").write_bytes(body)
    booking = replace(merge(None, to_delivery(delivery, "request-1")), revision=1)
    deployed.put(booking)
    zoom.log(body, "request-1", 503, 503)
    webhook.body, webhook.statuses = (b'["canary"]', [400] * 9) if answer == "another" else (body, [])
    deployed.deploy(WebhookUrl="http://127.0.0.1:2/" if answer == "none" else webhook.url)
    for call in CALLS:
        name, *arguments = call.replace("ID", booking.booking_id).split()
        printed = "".join(on_stack(name, *arguments)[1:])
        assert printed
        if name != "send":  # prints the answer, which may be the delivery
            assert ("canary" in printed) is (name == "show"), call
        for secret in (SECRET, zoom_api.CLIENT_SECRET, zoom_api.TOKEN):
            assert secret not in printed, call
